/** What command lines that become a supervisor have in common. */
import type { Supervise } from "../generated/protocol.ts";
import { EXIT, Failure } from "./failure.ts";
import { isExplicit, type Place, socketFits, strangersFolder } from "./locate.ts";
import { type Session, wantsColours } from "./session.ts";

/** What a supervisor is told where nothing particular is wanted. */
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

/** The native one, of a configuration or of a single command. */
export function supervision(session: Session, config: unknown): Supervise {
  return {
    ...PLAIN,
    config,
    brain: "brain",
    colour: wantsColours(session.host),
  };
}

/** A live socket is never stolen: whoever answers there, whatever it says, holds it. */
export function refuseSecond(session: Session, place: Place): void {
  // Where none can be made, none of ours can be there.
  if (!socketFits(place.socket) || strangersFolder(session.host, place) !== null) return;
  const { socket } = place;
  const answer = session.host.request({ socket, method: "GET", target: "/status", timeoutMs: 2000 });
  if ("error" in answer && ["EACCES", "EPERM"].includes(answer.error)) {
    throw new Failure(
      EXIT.usage,
      `${socket} cannot be used, it or its folder is somebody else's: ${answer.message}`,
      "name a socket in a folder of your own with --socket",
    );
  }
  // Who accepts and then says nothing is there all the same.
  if ("error" in answer && answer.error !== "ETIMEDOUT") return;
  const what = isExplicit(place) || place.configuration === null ? "" : ` of ${place.configuration}`;
  throw new Failure(EXIT.usage, `a supervisor${what} is already there: it answers at ${socket}`, HINT);
}

const HINT = "stop it with oneup shutdown, or give this one a socket of its own with --socket";
