/** Entry of the command-line program: the host calls the global `main`, which returns the exit code. */
import { run } from "./cli.ts";
import type { CliHost } from "./host.ts";

declare const host: CliHost;

Object.assign(globalThis, { main: () => run(host) });
