/** Where the programs under test and the test programs are. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

function needProgram(variable: string, fallback: string): string {
  const path = resolve(root, process.env[variable] ?? fallback);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(
      `${path} is missing or not executable: run "npm run build -- --faults", or set ${variable}`,
    );
  }
  return path;
}

let oneupPath: string | undefined;
let faultsPath: string | undefined;

/** The binary under test: `ONEUP_BIN`, else `dist/oneup`. */
export function oneup(): string {
  oneupPath ??= needProgram("ONEUP_BIN", "dist/oneup");
  return oneupPath;
}

/** The build whose brain can be told to fail: `ONEUP_FAULTS_BIN`, else `dist/oneup-faults`. */
export function oneupFaults(): string {
  faultsPath ??= needProgram("ONEUP_FAULTS_BIN", "dist/oneup-faults");
  return faultsPath;
}

/** The folder of the test programs; it comes first in the PATH of everything a test starts. */
export const programs = join(root, "build/e2e");

/** A command that runs `programs/teller.py` with this script; it can stand in a configuration. */
export function teller(script: string): string {
  return `python3 ${join(root, "tests/e2e/programs/teller.py")} ${script}`;
}

/** Compiles the test programs if they are older than their source. Two workers may do so at once. */
export function buildPrograms(): void {
  const source = join(root, "tests/e2e/programs/imp.c");
  const target = join(programs, "imp");
  if (modified(target) >= modified(source)) return;
  mkdirSync(programs, { recursive: true });
  const fresh = `${target}.${process.pid}`;
  execFileSync("cc", ["-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", fresh, source]);
  renameSync(fresh, target);
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
