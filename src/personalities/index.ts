/**
 * The programs whose place this one takes when it is called by their name. Each becomes a folder
 * here; until then it says so.
 */
import type { CliHost } from "../cli/host.ts";

export const PERSONALITIES = [
  "horust",
  "horustctl",
  "zinit",
  "zinit-server",
  "zinit-pid1",
  "luavisors",
  "supervisors",
] as const;

export type Personality = (typeof PERSONALITIES)[number];

export function isPersonality(name: string): name is Personality {
  return PERSONALITIES.some((known) => known === name);
}

/** Runs a foreign command line; its exit code. */
export function actAs(name: Personality, _args: readonly string[], host: CliHost): number {
  host.write(2, `${name}: not supported yet\n`);
  return 2;
}
