// What the scripts share: running commands, and making sure that the tools are there.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a command in the project's folder; leaves with its code if it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) {
    console.error(`${command}: ${result.error.message}`);
    process.exit(1);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** The same beside what else is done; resolves when it has succeeded. */
export function start(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: "inherit" });
  process.on("exit", () => child.kill());
  return new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      process.exit(1);
    });
    child.on("exit", (code) => (code === 0 ? resolve() : process.exit(code ?? 1)));
  });
}

/** The standard output of a command, or null if it cannot be run or fails. */
export function output(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : null;
}

/** Installs the npm packages if they are not what the lock file says. */
export function needPackages() {
  const marker = join(root, "node_modules/.package-lock.json");
  const wanted = join(root, "package-lock.json");
  if (existsSync(marker) && sameLock(marker, wanted)) return;
  console.log("Installing npm packages …");
  run("npm", ["ci", "--no-audit", "--no-fund"]);
}

function sameLock(marker, wanted) {
  const packages = (path) => {
    const all = JSON.parse(readFileSync(path, "utf8")).packages;
    return Object.entries(all).filter(([name]) => name !== "");
  };
  const installed = new Map(packages(marker).map(([name, entry]) => [name, entry.version]));
  return packages(wanted).every(
    ([name, entry]) => entry.optional === true || installed.get(name) === entry.version,
  );
}

const RUST_MINIMUM = [1, 85];

/** Installs the missing ones of Debian's packages, as root on Debian; otherwise says what is missing. */
export function needCommands(wants) {
  const missing = wants.filter((want) => !want.present());
  if (missing.length === 0) return;
  const packages = missing.flatMap((want) => want.packages);
  const names = missing.map((want) => want.name).join(", ");
  if (process.getuid() !== 0 || output("apt-get", ["--version"]) === null) {
    console.error(`Missing: ${names}.\nOn Debian: apt-get install ${packages.join(" ")}`);
    process.exit(1);
  }
  console.log(`Installing ${names} …`);
  const quiet = {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  };
  run("apt-get", ["update", "-q"], quiet);
  run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], quiet);
  const still = missing.filter((want) => !want.present());
  if (still.length > 0) {
    console.error(`Still missing after the installation: ${still.map((want) => want.name).join(", ")}.`);
    process.exit(1);
  }
}

export const command = (name, ...packages) => ({
  name,
  packages,
  present: () => output("sh", ["-c", `command -v ${name}`]) !== null,
});

export const file = (path, ...packages) => ({ name: path, packages, present: () => existsSync(path) });

export const rust = {
  name: `Rust ${RUST_MINIMUM.join(".")} or newer`,
  packages: ["cargo-web", "rustc-web"],
  present() {
    const version = /(\d+)\.(\d+)\./.exec(output("cargo", ["--version"]) ?? "");
    if (!version) return false;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    return major > RUST_MINIMUM[0] || (major === RUST_MINIMUM[0] && minor >= RUST_MINIMUM[1]);
  },
};

export const compiler = command("cc", "gcc", "libc6-dev");

/** LuaJIT is built by its own makefile. */
export const make = command("make", "make");

/** The target that is this machine, which cargo has to be told by name (see `build.mjs`). */
export function cargoTarget() {
  const host = /^host: (.+)$/m.exec(output("rustc", ["-vV"]) ?? "")?.[1];
  if (!host) {
    console.error("rustc does not say for which machine it builds.");
    process.exit(1);
  }
  return host;
}
