/** Whether the program that a service's `exec` begins with is there. */
import { absolutePath, joinPath } from "../../config/paths.ts";
import type { ServiceSection } from "./document.ts";
import { BUILTIN } from "./spec.ts";

/** What has to be known of the machine. */
export interface Machine {
  exists(path: string): boolean;
  /** The folder and the `PATH` that a service starts with where it says nothing else. */
  readonly cwd: string;
  readonly path: string;
}

/** What only the shell itself can run, and words of its grammar. */
const SHELL_WORDS = new Set(
  (
    ". : [ ! { alias bg break case cd command continue do done elif else esac eval exec exit export false fc fg " +
    "fi for getopts hash if in jobs kill local let printf pwd read readonly return set shift source test then " +
    "time times trap true type ulimit umask unalias unset until wait while echo function select"
  ).split(" "),
);

/** What only the shell can make a program's name out of: quotes, variables, assignments, several commands. */
const SHELL_SIGNS = /["'\\$`;&|<>(){}*?[\]~#=!]/;

/** The program that cannot be found, or `null`. What only a shell can tell is taken to be there. */
export function missingProgram({ exec, dir, env }: ServiceSection, machine: Machine): string | null {
  if (exec.startsWith(BUILTIN)) return null;
  const first = exec.trim().split(/\s+/)[0] || exec;
  if (SHELL_WORDS.has(first) || SHELL_SIGNS.test(first)) return null;
  const folder = absolutePath(dir ?? "", machine.cwd);
  if (first.includes("/")) return machine.exists(absolutePath(first, folder)) ? null : first;
  const path = Object.hasOwn(env, "PATH") ? (env.PATH ?? "") : machine.path;
  const places = path.split(":").map((place) => joinPath(absolutePath(place, folder), first));
  return places.some((place) => machine.exists(place)) ? null : first;
}
