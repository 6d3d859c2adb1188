// `npm test`: install, build, and run every test. Arguments go to vitest (`npm test -- tests/unit`).
import { command, compiler, file, needCommands, needPackages, run, rust } from "./tools.mjs";

needPackages();
needCommands([
  rust,
  compiler,
  command("unshare", "util-linux"),
  command("python3", "python3"),
  command("strace", "strace"),
  command("redis-server", "redis-server"),
  file("/usr/sbin/nginx", "nginx-light"),
  command("pg_ctlcluster", "postgresql"),
]);
const only = process.argv.slice(2);
if (only.length === 0)
  run("cargo", ["test", "--locked", "--quiet"], { cwd: new URL("../host", import.meta.url) });
run(process.execPath, ["scripts/build.mjs", "--faults"]);
run("npx", ["vitest", "run", ...only]);
