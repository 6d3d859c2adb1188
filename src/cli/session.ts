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

/** What a terminal takes as an order: control characters, and marks that turn the direction of text. */
const ORDERS = /\p{Cc}(?:\[\d+m)?|[\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const OURS: ReadonlySet<string> = new Set([0, ...Object.values(CODES)].map(colourCode));

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
    this.host.write(1, `${harmless(line, this.colours)}\n`);
  }

  printAll(lines: readonly string[]): void {
    if (lines.length > 0) this.print(lines.join("\n"));
  }

  /** What services wrote, and JSON: as it is. */
  pass(lines: readonly string[]): void {
    if (lines.length > 0) this.host.write(1, `${lines.join("\n")}\n`);
  }

  document(value: unknown): void {
    this.pass([JSON.stringify(value)]);
  }

  complain(line: string): void {
    this.host.write(2, `${harmless(line, this.colours)}\n`);
  }

  paint(colour: Colour, text: string): string {
    return this.colours ? `${colourCode(CODES[colour])}${text}${colourCode(0)}` : text;
  }
}

function colourCode(code: number): string {
  return `\u001b[${code}m`;
}

/** Foreign text, such as a name in a configuration, has no power over the terminal; our colours stay. */
export function harmless(text: string, colours: boolean): string {
  return text.replace(ORDERS, (order) => {
    const first = order.charAt(0);
    return first === "\n" || first === "\t" || (colours && OURS.has(order))
      ? order
      : `\ufffd${order.slice(1)}`;
  });
}

/** Colours only on a terminal, and not where NO_COLOR says anything. */
export function wantsColours(host: CliHost): boolean {
  return host.isTerminal(1) && (host.environment.NO_COLOR ?? "") === "" && host.environment.TERM !== "dumb";
}
