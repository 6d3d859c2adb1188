/** The server makes way for its successor, and the services do not notice. */
import { failure } from "./errors.ts";
import type { Call, Result } from "./method.ts";

export function prepareRestart(_call: Call): Result {
  return failure("internal", "a restart of the server with its services alive is not supported yet");
}
