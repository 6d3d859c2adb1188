/**
 * Entry of the terminal interface: a program of its own, so that short verbs need not load it.
 * Arguments: the protocol of the supervisor, and its socket.
 */
import type { CliHost } from "../cli/host.ts";
import { ZinitSource } from "../personalities/zinit/cli/tui.ts";
import { NativeSource } from "./native.ts";
import { runScreen } from "./run.ts";
import type { Source } from "./source.ts";

declare const host: CliHost;

const SOURCES: Readonly<Record<string, (socket: string) => Source>> = {
  native: (socket) => new NativeSource(socket, () => host.now()),
  zinit: (socket) => new ZinitSource(socket),
};

function run(): number {
  const [, protocol = "", socket = ""] = host.argv;
  const source = SOURCES[protocol]?.(socket);
  if (source === undefined) throw new Error(`no protocol "${protocol}"`);
  const problem = runScreen(host, source);
  if (problem === null) return 0;
  host.write(2, `${problem}\n`);
  return 1;
}

Object.assign(globalThis, { main: run });
