/** The supervisor's own lines on stderr: which of them are wanted, and in what colour. */
import type { CliHost } from "../../../cli/host.ts";
import { levelNamed, OwnLines, type Wanted } from "../../common/own-lines.ts";

export function ownLines(host: CliHost): OwnLines {
  const wanted = wantedBy(host.environment.HORUST_LOG ?? "");
  return new OwnLines(host, wanted, { colour: isColoured(host), stream: "stderr" }, "nothing");
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

function isColoured(host: CliHost): boolean {
  const style = host.environment.HORUST_LOG_STYLE ?? "auto";
  if (style === "always" || style === "never") return style === "always";
  return host.isTerminal(2) && (host.environment.NO_COLOR ?? "") === "";
}
