/** One run of the command-line program: the host, the person's wishes, and ways to answer. */
import type { Input } from "./arguments.ts";
import { Client } from "./client.ts";
import type { CliHost } from "./host.ts";
import { placesToAsk } from "./locate.ts";

export type Colour = "red" | "green" | "yellow" | "blue" | "magenta" | "cyan" | "dim" | "bold";

const CODES: Readonly<Record<Colour, number>> = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
};

export class Session {
  readonly host: CliHost;
  readonly json: boolean;
  readonly socket: string | null;
  readonly colours: boolean;
  #client: Client | null = null;

  constructor(host: CliHost, input: Input) {
    this.host = host;
    this.json = input.has("json");
    this.socket = input.value("socket");
    this.colours = wantsColours(host);
  }

  client(): Client {
    this.#client ??= new Client(this.host, placesToAsk(this.host, this.socket));
    return this.#client;
  }

  print(line: string): void {
    this.host.write(1, `${line}\n`);
  }

  printAll(lines: readonly string[]): void {
    if (lines.length > 0) this.host.write(1, `${lines.join("\n")}\n`);
  }

  document(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  complain(line: string): void {
    this.host.write(2, `${line}\n`);
  }

  paint(colour: Colour, text: string): string {
    return this.colours ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
  }
}

/** Colours only on a terminal, and not where NO_COLOR says anything. */
export function wantsColours(host: CliHost): boolean {
  return host.isTerminal(1) && (host.environment.NO_COLOR ?? "") === "" && host.environment.TERM !== "dumb";
}
