/** What the command line gave the brain to know, beside the services (`Config.personality`). */

import type { ZinitPlaces } from "../../config/contract.ts";
import { isObject } from "../../model/objects.ts";

export interface ZinitPersonality extends ZinitPlaces {
  readonly socket: string;
  /** It takes its own place instead of leaving it to a successor. */
  readonly renews: boolean;
  /** A machine or a container rests on this server. */
  readonly pidOne: boolean;
  /** There is no machine to restart. */
  readonly container: boolean;
}

export function zinitPersonality(given: unknown): ZinitPersonality {
  if (!isObject(given) || typeof given.configDir !== "string") {
    throw new Error('the configuration has no "personality" with a "configDir"');
  }
  return {
    configDir: given.configDir,
    systemDir: typeof given.systemDir === "string" ? given.systemDir : null,
    socket: typeof given.socket === "string" ? given.socket : "",
    renews: given.renews === true,
    pidOne: given.pidOne === true,
    container: given.container === true,
  };
}
