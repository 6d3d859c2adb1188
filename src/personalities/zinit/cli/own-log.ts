/**
 * The server's own log on stdout, before it is a server: `TIME LEVEL text key=value`. What comes
 * later is written the same way by the nucleus.
 */
import type { CliHost } from "../../../cli/host.ts";
import type { Level, OwnLog } from "../../../generated/protocol.ts";
import { variable } from "./places.ts";

const COLOURS: Readonly<Record<Level, number>> = { trace: 35, debug: 34, info: 32, warn: 33, error: 31 };
const LEVELS: readonly Level[] = ["trace", "debug", "info", "warn", "error"];
/** Above all levels: nothing is written. */
const OFF = "off";

export class OwnLines {
  readonly settings: OwnLog;
  readonly #host: CliHost;

  /** `level`: what is asked for beside RUST_LOG, which wins. */
  constructor(host: CliHost, level: string) {
    const named = levelIn(variable(host, "RUST_LOG")) ?? levelIn(level) ?? "info";
    this.#host = host;
    // An error is the least that is never left out.
    this.settings = { least: named === OFF ? "error" : named, colour: variable(host, "NO_COLOR") === null };
  }

  write(level: Level, text: string): void {
    const { least, colour } = this.settings;
    if (least !== null && LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
    const time = new Date(this.#host.now()).toISOString().replace("Z", "000Z");
    const word = level.toUpperCase().padStart(5);
    const paint = (code: number, painted: string) =>
      colour ? `\u001b[${code}m${painted}\u001b[0m` : painted;
    this.#host.write(1, `${paint(2, time)} ${paint(COLOURS[level], word)} ${text}\n`);
  }
}

/** Of a list such as `warn,other=debug` the part that is for everything. */
function levelIn(directives: string | null): Level | typeof OFF | null {
  const plain = (directives ?? "")
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part === OFF || LEVELS.some((level) => level === part))
    .at(-1);
  if (plain === OFF) return OFF;
  return LEVELS.find((level) => level === plain) ?? null;
}
