/** The small C programs of the measurements, compiled when they are missing or old. */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const bench = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = resolve(bench, "../build/bench");

const header = join(bench, "programs/stamp.h");

function program(name) {
  const source = join(bench, "programs", `${name}.c`);
  const target = join(folder, name);
  const built = statSync(target, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const changed = Math.max(...[source, header].map((file) => statSync(file).mtimeMs));
  if (built < changed) {
    mkdirSync(folder, { recursive: true });
    execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", target, source]);
  }
  return target;
}

export const service = program("service");
export const launch = program("launch");
export const streams = program("streams");
export const timed = program("timed");
export const writer = program("writer");

/** Is there such a program, by path or on PATH? */
export function find(name) {
  if (!name.includes("/")) return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
  try {
    accessSync(name, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
