// `npm test`: install, build, and run every test. Arguments go to vitest (`npm test -- tests/unit`).
import { buildOriginals } from "./originals.mjs";
import { command, compiler, file, needCommands, needPackages, run, rust } from "./tools.mjs";

needPackages();
needCommands([
  rust,
  compiler,
  command("unshare", "util-linux"),
  command("python3", "python3"),
  command("strace", "strace"),
  command("redis-server", "redis-server"),
  command("tmux", "tmux"),
  file("/usr/sbin/nginx", "nginx-light"),
  command("pg_ctlcluster", "postgresql"),
]);
// A test that hangs must end as a failure. `timeout` ends its whole process group; at a terminal it
// must leave Ctrl-C to the group in the foreground.
const foreground = process.stdin.isTTY ? ["--foreground"] : [];
const limit = (minutes) => [...foreground, "--kill-after=10", `${minutes}m`];
const only = process.argv.slice(2);
if (only.length === 0)
  run("timeout", [...limit(25), "cargo", "test", "--locked", "--quiet"], {
    cwd: new URL("../host", import.meta.url),
  });
run(process.execPath, ["scripts/build.mjs", "--faults"]);
if (only.length === 0 || only.some((path) => path.startsWith("tests/compat"))) buildOriginals();
run("timeout", [...limit(30), "npx", "vitest", "run", ...only]);
