// `npm test`: install, build, and run every test. Arguments go to vitest (`npm test -- tests/unit`).
import { buildOriginals } from "./originals.mjs";
import { command, compiler, file, make, needCommands, needPackages, run, rust, start } from "./tools.mjs";

needPackages();
needCommands([
  rust,
  compiler,
  make,
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
const within = (minutes, ...words) => [...foreground, "--kill-after=10", `${minutes}m`, ...words];
const vitest = (...words) => ["npx", "vitest", "run", ...words];

const only = process.argv.slice(2);
if (only.length > 0) {
  run(process.execPath, ["scripts/build.mjs", "--faults"]);
  if (only.some((path) => path.startsWith("tests/compat"))) buildOriginals();
  run("timeout", within(30, ...vitest(...only)));
} else {
  // What needs no executable runs beside the compiler, which has much to do on one processor.
  const pure = start("timeout", within(25, ...vitest("--project=unit", "--project=sim", "--maxWorkers=1")));
  run("timeout", within(25, "cargo", "test", "--locked", "--quiet"), {
    cwd: new URL("../host", import.meta.url),
  });
  run(process.execPath, ["scripts/build.mjs", "--faults"]);
  buildOriginals();
  await pure;
  // They wait more than they compute.
  run("timeout", within(30, ...vitest("--project=e2e", "--project=compat", "--maxWorkers=3")));
}
