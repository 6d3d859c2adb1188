// `npm run lint`: types and style.
import { join } from "node:path";
import { command, compiler, make, needCommands, needPackages, root, run, rust } from "./tools.mjs";

needPackages();
needCommands([
  rust,
  compiler,
  make,
  command("rustfmt", "rustfmt-web"),
  command("cargo-clippy", "rust-web-clippy"),
]);
const host = { cwd: join(root, "host") };
run("npx", ["tsc", "-p", "."]);
run("npx", ["tsc", "-p", "tests"]);
run("npx", ["tsc", "-p", "packages/client", "--noEmit"]);
run("npx", ["biome", "check", "."]);
run("cargo", ["fmt", "--check"], host);
run("cargo", ["clippy", "--locked", "--all-targets", "--quiet", "--", "-D", "warnings"], host);
