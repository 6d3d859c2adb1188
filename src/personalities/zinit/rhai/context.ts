/** One run of a script: where it prints, and which server its functions talk to. */
import type { CliHost } from "../../../cli/host.ts";
import { ScriptError, Server } from "./server.ts";

export class Context {
  readonly host: CliHost;
  /** The server's usual socket. */
  readonly socket: string;
  #server: Server;
  /** 0: the library says nothing by itself. */
  #level = 1;

  constructor(host: CliHost, socket: string) {
    this.host = host;
    this.socket = socket;
    this.#server = new Server(host, socket);
  }

  /** The one that was connected to last; builders and plain functions talk to it. */
  get server(): Server {
    return this.#server;
  }

  connected(server: Server, level: number): void {
    this.#server = server;
    this.#level = level;
  }

  print(line: string): void {
    this.host.write(1, `${line}\n`);
  }

  /** What was done, unless the script wants silence. */
  tell(line: string): void {
    if (this.#level > 0) this.print(`✓ ${line}`);
  }

  sleep(ms: number): void {
    this.host.sleep(ms);
  }
}

/** The work; its failure begins with `lead`. */
export function attempt<T>(lead: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ScriptError) throw new ScriptError(`${lead}${error.message}`);
    throw error;
  }
}
