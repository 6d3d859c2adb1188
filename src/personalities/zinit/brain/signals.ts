/** Signals by name or number, as zinit counts them: those of Linux on x86. */
import { SIGNAL_NAMES } from "../../../model/signals.ts";

const ALIASES: Readonly<Record<string, string>> = { IOT: "ABRT", POLL: "IO" };

/** `"sigterm"`, `" TERM "`, `"15"` → `"TERM"`; else why not. */
export function signalNamed(text: string): { readonly name: string } | { readonly wrong: string } {
  const name = text.trim().toUpperCase().replace(/^SIG/, "");
  const known = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  if (known !== undefined && SIGNAL_NAMES.includes(known)) return { name: known };
  if (!/^[+-]?\d+$/.test(name)) return { wrong: "unknown signal" };
  const numbered = SIGNAL_NAMES[Number(name) - 1];
  return numbered === undefined ? { wrong: "invalid signal number" } : { name: numbered };
}

/** `"KILL"` → 9; a real-time signal, which has no name here, by its own number. */
export function signalNumber(name: string): number {
  const index = SIGNAL_NAMES.indexOf(name);
  if (index >= 0) return index + 1;
  const distance = /^RTMIN(?:\+(\d+))?$/.exec(name);
  return distance === null ? 0 : FIRST_REAL_TIME + Number(distance[1] ?? 0);
}

/** As the C library has it. */
const FIRST_REAL_TIME = 34;

/** 9 → `"SIGKILL"`. */
export function signalText(number: number): string {
  const name = SIGNAL_NAMES[number - 1];
  return name === undefined ? "UNKNOWN" : `SIG${name}`;
}
