/** The file that a server leaves for its successor, and whether it is meant for this one. */
import { isObject } from "../../model/objects.ts";

/** Of the file's form. */
export const STATE_VERSION = 1;
/** What is older was left for somebody who never came; nobody keeps its processes any more. */
const FRESH_MS = 5 * 60_000;

/** In the socket's own folder: each server finds its own. */
export function statePath(socket: string): string {
  return `${socket.slice(0, socket.lastIndexOf("/"))}/state.json`;
}

export interface Successor {
  readonly configDir: string;
  readonly socket: string;
  /** Wall clock, ms. */
  readonly now: number;
}

/** `null`: what it tells is meant for this server. Else why it is not. */
export function objection(text: string, { configDir, socket, now }: Successor): string | null {
  const state = parse(text);
  if (!isObject(state)) return "it is no JSON object";
  const { version, saved_at, config_dir, socket_path } = state;
  if (typeof version !== "number" || version > STATE_VERSION) return `its version is ${String(version)}`;
  if (typeof saved_at !== "number" || now - saved_at > FRESH_MS) return "it is older than five minutes";
  if (config_dir !== configDir) return `it is about the services of ${String(config_dir)}`;
  if (socket_path !== socket) return `it is of the server at ${String(socket_path)}`;
  return null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
