/** The server's own log, on stdout: which of its lines are wanted, and in what colour. */
import type { CliHost } from "../../../cli/host.ts";
import { levelNamed, OwnLines, type Wanted } from "../../common/own-lines.ts";
import { variable } from "./places.ts";

/** `level`: what is asked for beside RUST_LOG, which wins. */
export function ownLines(host: CliHost, level: string): OwnLines {
  const wanted = levelIn(variable(host, "RUST_LOG")) ?? levelIn(level) ?? "info";
  return new OwnLines(host, wanted, { colour: variable(host, "NO_COLOR") === null }, "errors");
}

/** Of a list such as `warn,other=debug` the part that is for everything. */
function levelIn(directives: string | null): Wanted | null {
  const named = (directives ?? "").split(",").map(levelNamed);
  return named.findLast((level) => level !== null) ?? null;
}
