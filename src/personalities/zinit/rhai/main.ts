/**
 * Entry of the scripts' program: one of its own, so that short verbs need not load it. Arguments: the
 * server's socket, and the path of a script or of a folder with scripts.
 */
import type { CliHost } from "../../../cli/host.ts";
import { runScripts } from "./run.ts";

declare const host: CliHost;

function run(): number {
  const [, socket = "", path = ""] = host.argv;
  const problem = runScripts(host, socket, path);
  if (problem === null) return 0;
  host.write(2, `Error: ${problem}\n`);
  return 1;
}

Object.assign(globalThis, { main: run });
