/**
 * The supervisor's own log before it is a supervisor: `TIME LEVEL text`. What comes later is written
 * the same way by the nucleus.
 */
import type { CliHost } from "../../cli/host.ts";
import type { Level, OwnLog } from "../../generated/protocol.ts";

const COLOURS: Readonly<Record<Level, number>> = { trace: 35, debug: 34, info: 32, warn: 33, error: 31 };
/** From the one that tells most. */
const LEVELS: readonly Level[] = ["trace", "debug", "info", "warn", "error"];

/** `off` is above all levels. */
export type Wanted = Level | "off";

export class OwnLines {
  /** Nothing at all is written. */
  readonly silent: boolean;
  readonly settings: OwnLog;
  readonly #host: CliHost;

  /** `off`: what it leaves; errors, or nothing. */
  constructor(host: CliHost, wanted: Wanted, log: Omit<OwnLog, "least">, off: "errors" | "nothing") {
    this.#host = host;
    this.silent = wanted === "off" && off === "nothing";
    this.settings = { ...log, least: wanted === "off" ? "error" : wanted };
  }

  write(level: Level, text: string): void {
    const { least, colour, stream } = this.settings;
    if (this.silent || LEVELS.indexOf(level) < LEVELS.indexOf(least ?? "trace")) return;
    const time = new Date(this.#host.now()).toISOString().replace("Z", "000Z");
    const paint = (code: number, part: string) => (colour ? `\u001b[${code}m${part}\u001b[0m` : part);
    const word = paint(COLOURS[level], level.toUpperCase().padStart(5));
    this.#host.write(stream === "stderr" ? 2 : 1, `${paint(2, time)} ${word} ${text}\n`);
  }
}

/** `null`: the word is none. */
export function levelNamed(word: string): Wanted | null {
  const name = word.trim().toLowerCase();
  return name === "off" ? "off" : (LEVELS.find((level) => level === name) ?? null);
}
