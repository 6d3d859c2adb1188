/**
 * The programs whose place this one takes when it is called by their name. `src/programs.json` says
 * which command-line program each of them is.
 */
import { calledAs } from "../programs.json";

export const PERSONALITIES: readonly string[] = Object.keys(calledAs);

export function isPersonality(name: string): boolean {
  return PERSONALITIES.includes(name);
}
