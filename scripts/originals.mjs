// The programs that oneup replaces, and what drives their own client libraries: built from the
// registry into build/originals, so that tests/compat can run them against oneup and beside it.
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, needCommands, root, run } from "./tools.mjs";

const folder = join(root, "build/originals");
const target = join(folder, "target");
const driver = join(root, "tests/compat/zinit/client");

/** Each with the packages of the registry that are its programs. */
const ORIGINALS = [
  { name: "zinit", version: "0.3.9", packages: ["zinit"] },
  { name: "horust", version: "0.1.14", packages: ["horust", "horustctl"] },
];

/**
 * Builds what is missing or old. Unoptimised: it has to be right, not fast; but without assertions, as
 * it is published: one of them ends every `zinit kill`. `names`: only these.
 */
export function buildOriginals(names = ORIGINALS.map(({ name }) => name)) {
  mkdirSync(folder, { recursive: true });
  const env = {
    ...process.env,
    CARGO_TARGET_DIR: target,
    CARGO_PROFILE_DEV_DEBUG: "0",
    CARGO_PROFILE_DEV_DEBUG_ASSERTIONS: "false",
  };
  for (const original of ORIGINALS) if (names.includes(original.name)) install(original, env);
  if (!names.includes("zinit")) return;
  run("cargo", ["build", "--locked", "--quiet"], { cwd: driver, env });
  copyFileSync(join(target, "debug/zinit-client-driver"), join(folder, "zinit/bin/zinit-client-driver"));
}

function install({ name, version, packages }, env) {
  const marker = join(folder, name, `bin/${name}-${version}`);
  if (existsSync(marker)) return;
  // horust's messages are compiled from their description.
  if (name === "horust") needCommands([command("protoc", "protobuf-compiler")]);
  console.log(`Building ${name} ${version}, for the comparison …`);
  const places = ["--root", join(folder, name), "--target-dir", target];
  for (const one of packages) {
    run(
      "cargo",
      ["install", one, "--version", version, "--debug", "--locked", "--quiet", "--force", ...places],
      {
        env,
      },
    );
  }
  writeFileSync(marker, "");
}

if (process.argv[1] === import.meta.filename) {
  const names = process.argv.slice(2);
  buildOriginals(names.length > 0 ? names : undefined);
}
