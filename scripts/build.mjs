// `npm run build`: TypeScript → bundles → bytecode inside one static executable, dist/oneup.
// With --faults also dist/oneup-faults, whose brain can be told to fail (for the tests).
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cargoTarget, compiler, needCommands, needPackages, root, run, rust } from "./tools.mjs";

needPackages();
needCommands([rust, compiler]);
const withFaults = process.argv.includes("--faults");
await bundle();
buildHost();

async function bundle() {
  const { build } = await import("esbuild");
  const common = {
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    // The engine has no Node API and no browser; what a bundle needs of either is an error.
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
    minify: true,
    // Names of functions stay in stacks.
    keepNames: false,
    logLevel: "warning",
  };
  const program = (name, entry, faults) =>
    build({
      ...common,
      entryPoints: [entry],
      outfile: `build/bundles/${name}.js`,
      define: { FAULTS: String(faults) },
    });
  await Promise.all([
    program("cli", "src/cli/main.ts", false),
    program("config", "src/config/main.ts", false),
    program("brain", "src/brain/main.ts", false),
    program("brain-faults", "src/brain/main.ts", true),
  ]);
}

function buildHost() {
  // The target is named so that the flags are for the program only, not for build scripts and
  // procedural macros, which cannot be static.
  const target = cargoTarget();
  const binaries = withFaults ? ["oneup", "oneup-faults"] : ["oneup"];
  run(
    "cargo",
    ["build", "--release", "--locked", "--target", target, ...binaries.flatMap((name) => ["--bin", name])],
    {
      cwd: join(root, "host"),
      env: { ...process.env, RUSTFLAGS: "-C target-feature=+crt-static -C relocation-model=static" },
    },
  );
  mkdirSync(join(root, "dist"), { recursive: true });
  for (const name of binaries) {
    // By way of a new file, so that a running one does not stand in the way (ETXTBSY).
    const built = join(root, "host/target", target, "release", name);
    copyFileSync(built, join(root, `dist/.${name}.new`));
    renameSync(join(root, `dist/.${name}.new`), join(root, `dist/${name}`));
  }
}
