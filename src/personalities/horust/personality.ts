/** What the command line gives the brain to know, beside the services (`Config.personality`). */
import { isObject } from "../../model/objects.ts";

export interface HorustPersonality {
  /** Nothing of the supervisor's own is to be said. */
  readonly silent: boolean;
}

export function horustPersonality(given: unknown): HorustPersonality {
  return { silent: isObject(given) && given.silent === true };
}
