/** How supervisors writes what it tells: as a Rust program shows lists of strings and ends of processes. */
import { outwardCode } from "../../../engine/restart.ts";
import type { Exit } from "../../../generated/protocol.ts";

/** As a shell counts them. */
const FIRST_SIGNAL = 128;
/** Those from here on have no names there. */
const FIRST_REALTIME = 32;

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\0": "\\0",
};

/** `["--port", "80"]` */
export function listText(words: readonly string[]): string {
  return `[${words.map(quoted).join(", ")}]`;
}

function quoted(text: string): string {
  let out = "";
  for (const character of text) out += ESCAPES[character] ?? visible(character);
  return `"${out}"`;
}

/** What cannot be seen, or seen by itself, stands there by its number. */
function visible(character: string): string {
  if (character === " " || !/[\p{C}\p{Z}\p{M}]/u.test(character)) return character;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** `exit status: 1`, `signal: 9 (SIGKILL)` */
export function endText(exit: Exit, core: boolean): string {
  if ("code" in exit) return `exit status: ${exit.code}`;
  if ("unknown" in exit) return "exit status unknown";
  const number = outwardCode(exit) - FIRST_SIGNAL;
  const name = number < FIRST_REALTIME ? ` (SIG${exit.signal})` : "";
  return `signal: ${number}${name}${core ? " (core dumped)" : ""}`;
}
