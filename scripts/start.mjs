// `npm start`: install, build, and run the quickstart in the foreground. Ctrl-C stops it.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root, run } from "./tools.mjs";

run(process.execPath, ["scripts/build.mjs"]);
const child = spawn(join(root, "dist/oneup"), ["run", "examples/quickstart", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
// The terminal sends Ctrl-C to both; the supervisor decides when it is over.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal ? 1 : 0);
});
