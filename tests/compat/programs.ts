/** Where the programs under test are: ours, called by their names, or the originals. */
import { mkdirSync, symlinkSync } from "node:fs";
import { resolve } from "node:path";
import type { Box } from "../e2e/harness/box.ts";
import { oneup } from "../e2e/harness/paths.ts";

/** The folder of the original's programs, when a variable says that they are the ones under test. */
export function originalsOf(variable: string): string | null {
  const folder = process.env[variable] ?? "";
  return folder === "" ? null : resolve(folder);
}

/** The path of a program of ours, called by its name. */
export function ownProgram(box: Box, name: string): string {
  const path = box.path("bin", name);
  if (!box.has(`bin/${name}`)) {
    mkdirSync(box.path("bin"), { recursive: true });
    symlinkSync(oneup(), path);
  }
  return path;
}
