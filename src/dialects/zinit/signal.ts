/** Signals as zinit's files and clients write them. */
import { SIGNAL_NAMES } from "../../model/signals.ts";

const ALIASES: Readonly<Record<string, string>> = { IOT: "ABRT", POLL: "IO" };
/** The first that programs may use; the C library keeps two for itself. */
const REAL_TIME_FIRST = 34;
const REAL_TIME_LAST = 64;

/** `"SIGTERM"`, `" term "`, `"15"` → 15; a number is taken as it is. `null`: none of these. */
export function signalNumber(text: string): number | null {
  const name = text.trim().toUpperCase().replace(/^SIG/, "");
  const index = SIGNAL_NAMES.indexOf(Object.hasOwn(ALIASES, name) ? (ALIASES[name] ?? name) : name);
  if (index >= 0) return index + 1;
  if (!/^[+-]?[0-9]+$/.test(name)) return null;
  const number = Number(name);
  return Math.abs(number) <= 0x7fff_ffff ? number : null;
}

/** As the model knows it (`TERM`, `RTMIN+1`), or `null` for a number that is no signal. */
export function signalName(text: string): string | null {
  const number = signalNumber(text);
  if (number === null) return null;
  if (number >= REAL_TIME_FIRST && number <= REAL_TIME_LAST) {
    const distance = number - REAL_TIME_FIRST;
    return distance === 0 ? "RTMIN" : `RTMIN+${distance}`;
  }
  return SIGNAL_NAMES[number - 1] ?? null;
}
