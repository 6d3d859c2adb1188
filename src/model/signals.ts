/** Names of signals as people write them, and the one form the rest of the program knows. */

import { lookup } from "./objects.ts";
import type { Parsed } from "./units.ts";

/** Without SIG, in the order of their numbers on Linux; real-time ones are not among them. */
export const SIGNAL_NAMES: readonly string[] =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );

const ALIASES: Readonly<Record<string, string>> = { IOT: "ABRT", CLD: "CHLD", POLL: "IO", INFO: "PWR" };

/** SIGRTMIN, as programs see it (the C library keeps two for itself), and SIGRTMAX - SIGRTMIN. */
const REAL_TIME_FIRST = 34;
const REAL_TIME_SPAN = 30;

export const SIGNAL_PATTERN = new RegExp(
  `^(?:SIG)?(?:${SIGNAL_NAMES.join("|")}|RTMIN(?:\\+[0-9]+)?|RTMAX(?:-[0-9]+)?)$`,
);

/** `"sigusr1"` → `"USR1"`, `"RTMAX-1"` → `"RTMIN+29"`. */
export function parseSignal(text: string): Parsed<string> {
  const name = text.toUpperCase().replace(/^SIG/, "");
  if (SIGNAL_NAMES.includes(name)) return { value: name };
  const alias = lookup(ALIASES, name);
  if (alias !== undefined) return { value: alias };
  const real = /^RT(MIN(?:\+([0-9]+))?|MAX(?:-([0-9]+))?)$/.exec(name);
  if (real) {
    const distance = Number(real[2] ?? real[3] ?? 0);
    const number = name.startsWith("RTMIN") ? distance : REAL_TIME_SPAN - distance;
    if (distance > REAL_TIME_SPAN) return { message: `a real-time signal beyond RTMIN+${REAL_TIME_SPAN}` };
    return { value: number === 0 ? "RTMIN" : `RTMIN+${number}` };
  }
  if (/^[0-9]+$/.test(text)) {
    const named = SIGNAL_NAMES[Number(text) - 1];
    return {
      message: "signals go by name",
      hint: named === undefined ? 'write a name such as "TERM"' : `write "${named}"`,
    };
  }
  return {
    message: `unknown signal "${text}"`,
    hint: 'write a name such as "TERM", "HUP", "USR1" or "RTMIN+3"',
  };
}

/** `"KILL"` → 9; 0: none of Linux's. */
export function signalNumber(name: string): number {
  const index = SIGNAL_NAMES.indexOf(name);
  if (index >= 0) return index + 1;
  const real = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(name);
  if (real === null) return 0;
  const base = real[1] === "IN" ? REAL_TIME_FIRST : REAL_TIME_FIRST + REAL_TIME_SPAN;
  const distance = Number(real[3] ?? 0);
  return real[2] === "-" ? base - distance : base + distance;
}
