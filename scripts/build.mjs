// `npm run build`: TypeScript → bundles → bytecode inside one static executable, dist/oneup.
// With --faults also dist/oneup-faults, whose brain can be told to fail (for the tests).
// With --fast by a profile that builds in seconds what is larger and slower.
// With --dynamic (`npm run build:dynamic`) dist/oneup-dynamic, linked to the system's C library: for
// Lua scripts that load other libraries. It runs where that library is as new as here, or newer.
import { copyFileSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cargoTarget, compiler, make, needCommands, needPackages, root, run, rust } from "./tools.mjs";

needPackages();
needCommands([rust, compiler, make]);
const withFaults = process.argv.includes("--faults");
const dynamic = process.argv.includes("--dynamic");
const profile = process.argv.includes("--fast") ? "fast" : "release";
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
  const { programs } = JSON.parse(readFileSync(join(root, "src/programs.json"), "utf8"));
  await Promise.all([
    ...Object.entries(programs).map(([name, entry]) => program(name, entry, false)),
    ...Object.entries(programs)
      .filter(([name]) => name.endsWith("brain"))
      .map(([name, entry]) => program(`${name}-faults`, entry, true)),
  ]);
}

function buildHost() {
  // The target is named so that the flags are for the program only, not for build scripts and
  // procedural macros, which cannot be static.
  const target = cargoTarget();
  const folder = join(root, dynamic ? "host/target/dynamic" : "host/target");
  // Modules that Lua scripts load find Lua's own functions in the executable.
  const flags = dynamic
    ? "-C link-arg=-Wl,--export-dynamic-symbol=lua*"
    : "-C target-feature=+crt-static -C relocation-model=static";
  const binaries = withFaults ? ["oneup", "oneup-faults"] : ["oneup"];
  run(
    "cargo",
    [
      "build",
      "--profile",
      profile,
      "--locked",
      "--target",
      target,
      "--target-dir",
      folder,
      ...binaries.flatMap((name) => ["--bin", name]),
    ],
    { cwd: join(root, "host"), env: { ...process.env, RUSTFLAGS: flags } },
  );
  mkdirSync(join(root, "dist"), { recursive: true });
  for (const name of binaries) {
    // By way of a new file, so that a running one does not stand in the way (ETXTBSY).
    const built = join(folder, target, profile, name);
    const product = dynamic ? `${name}-dynamic` : name;
    copyFileSync(built, join(root, `dist/.${product}.new`));
    renameSync(join(root, `dist/.${product}.new`), join(root, `dist/${product}`));
  }
}
