/** Entry of the program behind the names `zinit`, `zinit-server` and `zinit-pid1`. */
import type { CliHost } from "../../../cli/host.ts";
import { Stop, tellStop } from "../../common/usage.ts";
import { Failure } from "./failure.ts";
import { zinitPid1 } from "./pid1.ts";
import { zinitServer } from "./server.ts";
import { zinit } from "./zinit.ts";

declare const host: CliHost;

const PROGRAMS: Readonly<Record<string, (host: CliHost, args: readonly string[]) => number>> = {
  "zinit-server": zinitServer,
  "zinit-pid1": zinitPid1,
};

/** The whole program: looks at its own name and arguments, returns the exit code. */
export function run(host: CliHost): number {
  const [called = "", ...args] = host.argv;
  const program = PROGRAMS[called.slice(called.lastIndexOf("/") + 1)] ?? zinit;
  try {
    return program(host, args);
  } catch (error) {
    if (error instanceof Stop) return tellStop(host, error);
    if (!(error instanceof Failure)) throw error;
    host.write(2, `Error: ${error.message}\n${error.hint === null ? "" : `${error.hint}\n`}`);
    return 1;
  }
}

Object.assign(globalThis, { main: () => run(host) });
