/**
 * What the server's own log says of its services: a line for each change of a state, made from the
 * event that is published for it.
 */

import type { Command, Level } from "../../../generated/protocol.ts";
import { isObject } from "../../../model/objects.ts";

const LINES: Readonly<Record<string, readonly [level: Level, text: string]>> = {
  waiting: ["debug", "service waits"],
  starting: ["info", "service starting"],
  running: ["info", "service started"],
  stopping: ["info", "stopping service"],
  backoff: ["info", "scheduling restart"],
  exited: ["info", "process exited"],
  failed: ["warn", "service failed"],
  inactive: ["debug", "service marked inactive"],
};

/** The commands with the lines behind the events that they are of. */
export function withLines(commands: readonly Command[]): Command[] {
  return commands.flatMap((command) => {
    const line = command.type === "publish" ? lineOf(JSON.parse(command.text)) : null;
    return line === null ? [command] : [command, line];
  });
}

function lineOf(event: unknown): Command | null {
  if (!isObject(event) || event.event !== "state") return null;
  const { service, to, cause } = event;
  const [level, text] = LINES[typeof to === "string" ? to : ""] ?? [];
  if (level === undefined || typeof service !== "string") return null;
  return { type: "say", level, text: `${text} service=${service} cause=${JSON.stringify(cause)}` };
}
