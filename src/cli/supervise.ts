/** What a supervisor is told where nothing particular is wanted. */
import type { Supervise } from "../generated/protocol.ts";

export const PLAIN: Omit<Supervise, "config" | "brain"> = {
  socket: null,
  // Only whoever runs it, and root.
  socketMode: 0o600,
  socketRequired: false,
  listen: null,
  consoleFormat: "text",
  colour: false,
  single: false,
  ownLog: null,
  syslog: null,
  neverLeave: false,
};
