/** From a verb to the terminal interface. */
import type { CliHost } from "../cli/host.ts";

/** When the verb returns, the interface begins. What forbids it is returned; `null`: nothing. */
export function startScreen(host: CliHost, protocol: "native" | "zinit", socket: string): string | null {
  if (!host.isTerminal(0) || !host.isTerminal(1))
    return "this needs a terminal: stdin and stdout must be one";
  host.become([protocol, protocol, socket], "tui");
  return null;
}
