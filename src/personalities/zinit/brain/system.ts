/** Methods about the server itself. */

import { zinitPersonality } from "../personality.ts";
import { failure } from "./errors.ts";
import { type Call, OK, type Result, result } from "./method.ts";

/** What clients take this server for. */
const VERSION = "0.3.9";

export function ping(): Result {
  return result({ version: VERSION });
}

/** Answered before the first service is stopped. */
export function shutdown({ services, because }: Call): Result {
  services.ask({ type: "shutdown", because });
  return OK;
}

/** Everything is stopped in order before the machine is restarted; of a container it is the end. */
export function reboot({ services, because }: Call): Result {
  if (!services.supervisor.pidOne) return failure("internal", "Reboot only available when running as PID 1");
  const { container } = zinitPersonality(services.personality);
  services.ask({ type: "shutdown", because, ...(container ? {} : { machine: "reboot" }) });
  return OK;
}
