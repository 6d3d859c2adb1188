/** Entry of the program behind the names `zinit`, `zinit-server` and `zinit-pid1`. */
import type { CliHost } from "../../../cli/host.ts";

declare const host: CliHost;

function run(host: CliHost): number {
  host.write(2, `${host.argv[0]}: not supported yet\n`);
  return 2;
}

Object.assign(globalThis, { main: () => run(host) });
