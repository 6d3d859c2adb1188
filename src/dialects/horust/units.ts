/** Durations and sizes as Horust's files write them. */
import type { Parsed } from "../../model/units.ts";

/** Ten years: longer than any wait that is meant as one. */
const LONGEST_MS = 315_360_000_000;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const TIMES: readonly (readonly [ms: number, names: string])[] = [
  [1e-6, "nanos nsec ns"],
  [1e-3, "usec us µs"],
  [1, "millis msec ms"],
  [SECOND, "seconds second secs sec s"],
  [MINUTE, "minutes minute min mins m"],
  [HOUR, "hours hour hrs hr h"],
  [DAY, "days day d"],
  [7 * DAY, "weeks week wk wks w"],
  [30.44 * DAY, "months month M"],
  [365.25 * DAY, "years year yrs yr y"],
];

const MS_OF = new Map(TIMES.flatMap(([ms, names]) => names.split(" ").map((name) => [name, ms] as const)));

/** Milliseconds of `"1h 30min"`, `"500ms"`, `"1.5s"`, `"0"`; a fraction of one counts as one. */
export function parseTime(text: string): Parsed<number> {
  const trimmed = text.trim();
  if (trimmed === "0") return { value: 0 };
  const hint = 'write a number and a unit, such as "500ms", "10s" or "1h 30min"';
  if (/^[0-9.]+$/.test(trimmed)) return { message: "a duration without a unit", hint: `write "${trimmed}s"` };
  if (!/^(?:[0-9]+(?:\.[0-9]+)?\s*\p{L}+\s*)+$/u.test(trimmed)) return { message: "not a duration", hint };
  let total = 0;
  for (const [, number, unit = ""] of trimmed.matchAll(/([0-9.]+)\s*(\p{L}+)/gu)) {
    const ms = MS_OF.get(unit);
    if (ms === undefined) {
      return {
        message: `unknown unit of time "${unit}"`,
        hint: "the units are ns, us, ms, s, m, h, d, w, M and y",
      };
    }
    total += Number(number) * ms;
  }
  // Binary fractions make some a hair more than they are.
  return { value: Math.min(LONGEST_MS, Math.ceil(total - 1e-6)) };
}

const SIZES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  pb: 1e15,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  pib: 2 ** 50,
};

/** Bytes of `"100 MiB"`, `"1.5GB"`, `"512"`. */
export function parseBytes(text: string): Parsed<number> {
  const [, number, unit = ""] = /^\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*$/.exec(text) ?? [];
  const scale = Object.hasOwn(SIZES, unit.toLowerCase()) ? SIZES[unit.toLowerCase()] : undefined;
  if (number === undefined)
    return { message: "not a size", hint: 'write a number and a unit, such as "100 MiB"' };
  if (scale === undefined) {
    const first = unit.charAt(0).toUpperCase();
    const hint = "KMGTP".includes(first)
      ? `write "${first}iB" (1024) or "${first}B" (1000)`
      : "the units are B, KB, MB, GB, TB, PB, KiB, MiB, GiB, TiB and PiB";
    return { message: `unknown unit of size "${unit}"`, hint };
  }
  return { value: Math.min(Number.MAX_SAFE_INTEGER, Math.floor(Number(number) * scale)) };
}
