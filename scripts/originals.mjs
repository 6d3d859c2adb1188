// The programs that oneup replaces, and what drives their own client libraries: built from the
// registry into build/originals, so that tests/compat can run them against oneup and beside it.
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./tools.mjs";

const folder = join(root, "build/originals");
const target = join(folder, "target");
const driver = join(root, "tests/compat/zinit/client");

const ZINIT = "0.3.9";

/**
 * Builds what is missing or old. Unoptimised: it has to be right, not fast; but without assertions, as
 * it is published: one of them ends every `zinit kill`.
 */
export function buildOriginals() {
  mkdirSync(folder, { recursive: true });
  const env = {
    ...process.env,
    CARGO_TARGET_DIR: target,
    CARGO_PROFILE_DEV_DEBUG: "0",
    CARGO_PROFILE_DEV_DEBUG_ASSERTIONS: "false",
  };
  if (!existsSync(join(folder, `zinit/bin/zinit-${ZINIT}`))) {
    console.log(`Building zinit ${ZINIT}, for the comparison …`);
    const places = ["--root", join(folder, "zinit"), "--target-dir", target];
    run(
      "cargo",
      ["install", "zinit", "--version", ZINIT, "--debug", "--locked", "--quiet", "--force", ...places],
      { env },
    );
    writeFileSync(join(folder, `zinit/bin/zinit-${ZINIT}`), "");
  }
  run("cargo", ["build", "--locked", "--quiet"], { cwd: driver, env });
  copyFileSync(join(target, "debug/zinit-client-driver"), join(folder, "zinit/bin/zinit-client-driver"));
}

if (process.argv[1] === import.meta.filename) buildOriginals();
