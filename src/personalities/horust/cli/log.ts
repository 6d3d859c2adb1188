/** The supervisor's own lines on stderr: which of them are wanted, and in what colour. */
import type { CliHost } from "../../../cli/host.ts";
import type { Level, OwnLog } from "../../../generated/protocol.ts";

const COLOURS: Readonly<Record<Level, number>> = { trace: 35, debug: 34, info: 32, warn: 33, error: 31 };
/** From the one that tells most. */
const LEVELS: readonly Level[] = ["trace", "debug", "info", "warn", "error"];

type Wanted = Level | "off";

export class OwnLines {
  /** Nothing at all is to be said. */
  readonly silent: boolean;
  readonly settings: OwnLog;
  readonly #host: CliHost;

  constructor(host: CliHost) {
    const wanted = wantedBy(host.environment.HORUST_LOG ?? "");
    this.#host = host;
    this.silent = wanted === "off";
    this.settings = {
      least: wanted === "off" ? "error" : wanted,
      colour: isColoured(host),
      stream: "stderr",
    };
  }

  write(level: Level, text: string): void {
    const { least, colour } = this.settings;
    if (this.silent || LEVELS.indexOf(level) < LEVELS.indexOf(least ?? "trace")) return;
    const time = new Date(this.#host.now()).toISOString().replace("Z", "000Z");
    const paint = (code: number, part: string) => (colour ? `\u001b[${code}m${part}\u001b[0m` : part);
    const word = paint(COLOURS[level], level.toUpperCase().padStart(5));
    this.#host.write(2, `${paint(2, time)} ${word} ${text}\n`);
  }
}

/**
 * A list such as `warn,horust=debug,other=off/pattern`: the last part that is for everything or for
 * this program. A word that is no level names a program all of whose lines are wanted.
 */
function wantedBy(directives: string): Wanted {
  let wanted: Wanted = "error";
  for (const part of (directives.split("/")[0] ?? "").split(",")) {
    const [name = "", level] = part.trim().split("=");
    const isOurs = /^horust(?:::|$)/.test(name);
    if (level === undefined) wanted = levelNamed(name) ?? (isOurs ? "trace" : wanted);
    else if (isOurs) wanted = levelNamed(level) ?? wanted;
  }
  return wanted;
}

function levelNamed(word: string): Wanted | null {
  const name = word.trim().toLowerCase();
  return name === "off" ? "off" : (LEVELS.find((level) => level === name) ?? null);
}

function isColoured(host: CliHost): boolean {
  const style = host.environment.HORUST_LOG_STYLE ?? "auto";
  if (style === "always" || style === "never") return style === "always";
  return host.isTerminal(2) && (host.environment.NO_COLOR ?? "") === "";
}
