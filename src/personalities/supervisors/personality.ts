/** What the command line gives the brain to know, beside the programs (`Config.personality`). */
import { isObject } from "../../model/objects.ts";

export interface SupervisorsPersonality {
  /** As it was written; empty: there is no HTTP API. */
  readonly listen: string;
}

export function supervisorsPersonality(given: unknown): SupervisorsPersonality {
  const listen = isObject(given) ? given.listen : null;
  return { listen: typeof listen === "string" ? listen : "" };
}
