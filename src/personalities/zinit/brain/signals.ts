/** Signals by name or number, as zinit counts them: those of Linux on x86. */
import { signalNumber as parseSignal } from "../../../dialects/zinit/signal.ts";
import { SIGNAL_NAMES } from "../../../model/signals.ts";

/** As the C library has it. */
const FIRST_REAL_TIME = 34;

/** `"sigterm"`, `" TERM "`, `"15"` → `"TERM"`; else why not. */
export function signalNamed(text: string): { readonly name: string } | { readonly wrong: string } {
  const number = parseSignal(text);
  if (number === null) return { wrong: "unknown signal" };
  const name = SIGNAL_NAMES[number - 1];
  return name === undefined ? { wrong: "invalid signal number" } : { name };
}

/** The engine's `"KILL"` → 9, also of a real-time signal, which zinit has no name for. */
export function signalNumber(name: string): number {
  const index = SIGNAL_NAMES.indexOf(name);
  if (index >= 0) return index + 1;
  const distance = /^RTMIN(?:\+(\d+))?$/.exec(name);
  return distance === null ? 0 : FIRST_REAL_TIME + Number(distance[1] ?? 0);
}

/** 9 → `"SIGKILL"`. */
export function signalText(number: number): string {
  const name = SIGNAL_NAMES[number - 1];
  return name === undefined ? "UNKNOWN" : `SIG${name}`;
}
