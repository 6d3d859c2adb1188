/**
 * Durations and sizes as people write them: `"1m30s"`, `"64MiB"`. Used by the configuration, the
 * command line and the API.
 */
import { lookup } from "./objects.ts";

/** A value, or what is wrong with the text: one sentence, and what to write instead. */
export type Parsed<T> = { readonly value: T } | Problem;

export interface Problem {
  readonly message: string;
  readonly hint?: string;
  /** Where in the text, in UTF-16 units from its start, if that is known. */
  readonly offset?: number;
}

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};
const DURATION_UNITS = "ms, s, m, h or d";
const DURATION_MAX_MS = 3650 * 86_400_000;

/** What people write for a unit, and what it is called here. */
const DURATION_ALIASES: Readonly<Record<string, string>> = {
  msec: "ms",
  msecs: "ms",
  millis: "ms",
  milliseconds: "ms",
  sec: "s",
  secs: "s",
  second: "s",
  seconds: "s",
  min: "m",
  mins: "m",
  minute: "m",
  minutes: "m",
  hr: "h",
  hrs: "h",
  hour: "h",
  hours: "h",
  day: "d",
  days: "d",
};

export const DURATION_PATTERN = /^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+$/;

/** Milliseconds of `"500ms"`, `"1.5s"`, `"1m30s"`. */
export function parseDuration(text: string): Parsed<number> {
  if (!DURATION_PATTERN.test(text)) return durationProblem(text);
  let total = 0;
  for (const [, number, unit] of text.matchAll(/([0-9.]+)([a-z]+)/g)) {
    total += Number(number) * (lookup(MS_PER_UNIT, unit ?? "") ?? Number.NaN);
  }
  const ms = Math.round(total);
  // Binary fractions make 1.1s a hair more than 1100 ms; what remains is a real fraction.
  if (Math.abs(total - ms) > 1e-6 * Math.max(1, total)) {
    return { message: "a duration finer than 1ms", hint: "write whole milliseconds" };
  }
  if (ms > DURATION_MAX_MS) return { message: "a duration longer than 3650 days" };
  return { value: ms };
}

function durationProblem(text: string): Problem {
  if (/^[0-9]+(?:\.[0-9]+)?$/.test(text)) {
    return {
      message: "a duration without a unit",
      hint: `write "${text}s", or another of the units ${DURATION_UNITS}`,
    };
  }
  const unit = /[0-9]\s*([A-Za-zµ]+)/.exec(text)?.[1];
  if (unit !== undefined && lookup(MS_PER_UNIT, unit) === undefined) {
    const known =
      lookup(DURATION_ALIASES, unit.toLowerCase()) ??
      (lookup(MS_PER_UNIT, unit.toLowerCase()) && unit.toLowerCase());
    return {
      message: `unknown unit of time "${unit}"`,
      hint: known ? `write "${known}"` : `the units are ${DURATION_UNITS}`,
    };
  }
  return {
    message: "not a duration",
    hint: `write a number and a unit (${DURATION_UNITS}), such as "10s" or "1m30s"`,
  };
}

/** The shortest exact text of a duration. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let rest = ms;
  let text = "";
  for (const [unit, size] of Object.entries(MS_PER_UNIT)) {
    const count = unit === "ms" ? rest : Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** So many of something within so much time. */
export interface Budget {
  readonly restarts: number;
  readonly windowMs: number;
}

export const BUDGET_PATTERN = /^[0-9]{1,6}\/(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+$/;

/** `"10/1m"`. */
export function parseBudget(text: string): Parsed<Budget> {
  const slash = text.indexOf("/");
  if (slash === -1) {
    const hint = `write ${/^[0-9]+$/.test(text) ? `"${text}/1m"` : '"10/1m"'}`;
    return { message: "a budget without a time", hint };
  }
  if (!/^[0-9]{1,6}$/.test(text.slice(0, slash))) {
    return { message: "not a number of restarts", hint: 'write a whole number, such as "10/1m"', offset: 0 };
  }
  const offset = slash + 1;
  const window = parseDuration(text.slice(offset));
  if (!("value" in window)) return { ...window, offset };
  if (window.value === 0) return { message: "a budget for no time", hint: 'write "10/1m"', offset };
  return { value: { restarts: Number(text.slice(0, slash)), windowMs: window.value } };
}

export function formatBudget({ restarts, windowMs }: Budget): string {
  return `${restarts}/${formatDuration(windowMs)}`;
}

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  TiB: 1024 ** 4,
  GiB: 1024 ** 3,
  MiB: 1024 ** 2,
  KiB: 1024,
  TB: 1e12,
  GB: 1e9,
  MB: 1e6,
  kB: 1e3,
  KB: 1e3,
  B: 1,
};
const SIZE_UNITS = "B, KiB, MiB, GiB, TiB, kB, MB, GB or TB";

export const SIZE_PATTERN = /^[0-9]+(?:\.[0-9]+)?(?:B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)$/;

/** Bytes of `"64MiB"` (1024 × 1024) or `"64MB"` (1,000,000). */
export function parseSize(text: string): Parsed<number> {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) {
    return { message: "not a size", hint: `write a number and a unit (${SIZE_UNITS}), such as "10MiB"` };
  }
  if (unit === "") {
    return {
      message: "a size without a unit",
      hint: `write "${number}B" or another of the units ${SIZE_UNITS}`,
    };
  }
  const scale = lookup(BYTES_PER_UNIT, unit);
  if (scale === undefined) return unknownSizeUnit(unit);
  const bytes = Number(number) * scale;
  if (!Number.isSafeInteger(bytes)) return { message: "not a whole number of bytes, or too many" };
  return { value: bytes };
}

function unknownSizeUnit(unit: string): Problem {
  const first = unit.slice(0, 1).toUpperCase();
  const known = BYTES_PER_UNIT[`${first}iB`] !== undefined;
  return {
    message: `unknown unit of size "${unit}"`,
    hint: known
      ? `write "${first}iB" (1024) or "${first === "K" ? "k" : first}B" (1000)`
      : `the units are ${SIZE_UNITS}`,
  };
}

export function formatSize(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    const scale = BYTES_PER_UNIT[unit] ?? 1;
    if (bytes >= scale && bytes % scale === 0) return `${bytes / scale}${unit}`;
  }
  return `${bytes}B`;
}
