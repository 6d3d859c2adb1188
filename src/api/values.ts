/**
 * Readers of single values, by hand: a schema library would cost the brain more memory than all
 * of the API. Each takes what came, a string from a query or a JSON value, and gives the value or
 * says what it expected.
 */

export type Read<T> = { readonly value: T } | { readonly expected: string };
export type Reader<T> = (raw: unknown) => Read<T>;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `10s`, `1m30s`, `1.5h` → milliseconds; `null` if it is none. */
export function parseDuration(text: string): number | null {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return null;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(number) * (UNITS[unit ?? ""] ?? 0);
  }
  return Number.isFinite(total) ? total : null;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** A point in time: RFC 3339, or a duration that reaches back from now. */
export function parseMoment(text: string, wall: number): number | null {
  const back = parseDuration(text);
  if (back !== null) return wall - back;
  if (!RFC3339.test(text)) return null;
  const time = Date.parse(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(time) ? null : time;
}

export const text: Reader<string> = (raw) =>
  typeof raw === "string" && raw !== "" ? { value: raw } : { expected: "a text" };

export const flag: Reader<boolean> = (raw) => {
  if (typeof raw === "boolean") return { value: raw };
  if (raw === "true" || raw === "") return { value: true };
  return raw === "false" ? { value: false } : { expected: "true or false" };
};

export const count: Reader<number> = (raw) => {
  const number = typeof raw === "string" && /^\d{1,10}$/.test(raw) ? Number(raw) : raw;
  const fits = typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 0xffff_ffff;
  return fits ? { value: number } : { expected: "a whole number from 0 on" };
};

export const duration: Reader<number> = (raw) => {
  const value = typeof raw === "string" ? parseDuration(raw) : null;
  return value === null
    ? { expected: 'a duration with its unit, such as "500ms", "10s" or "5m"' }
    : { value };
};

/** The wall clock is a parameter of the reader, so that `10m` can be counted back from it. */
export const moment =
  (wall: number): Reader<number> =>
  (raw) => {
    const value = typeof raw === "string" ? parseMoment(raw, wall) : null;
    if (value !== null) return { value };
    return { expected: 'a time such as "2026-01-31T12:00:00Z", or how far back, such as "10m"' };
  };

export function oneOf<T extends string>(...choices: readonly T[]): Reader<T> {
  return (raw) => {
    const value = choices.find((choice) => choice === raw);
    if (value !== undefined) return { value };
    return { expected: `one of ${choices.map((choice) => `"${choice}"`).join(", ")}` };
  };
}

export const texts: Reader<readonly string[]> = (raw) => {
  const list = typeof raw === "string" ? [raw] : raw;
  const fits = Array.isArray(list) && list.length > 0 && list.every(isName);
  return fits ? { value: list } : { expected: "at least one name, as an array of texts" };
};

function isName(item: unknown): item is string {
  return typeof item === "string" && item !== "";
}

/** Signals 1 to 31 by number, as Linux has them on the processors we build for. */
const SIGNALS =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );

/** The name without SIG, as the kernel's table has it; `null` if there is no such signal. */
export function parseSignal(given: string): string | null {
  const name = given.toUpperCase().replace(/^SIG/, "");
  if (SIGNALS.includes(name)) return name;
  const realtime = /^RTM(IN|AX)([+-]\d{1,2})?$/.exec(name);
  if (realtime !== null) return realtimeFits(realtime[1] === "IN", Number(realtime[2] ?? 0)) ? name : null;
  return /^\d{1,2}$/.test(name) ? (SIGNALS[Number(name) - 1] ?? null) : null;
}

/** libc gives 34 to 64 to programs: RTMIN+0 … RTMIN+30. */
function realtimeFits(fromLeast: boolean, offset: number): boolean {
  return fromLeast ? offset >= 0 && offset <= 30 : offset <= 0 && offset >= -30;
}

export const signal: Reader<string> = (raw) => {
  const value = typeof raw === "string" ? parseSignal(raw) : null;
  return value === null ? { expected: 'the name of a signal, such as "TERM", "HUP" or "USR1"' } : { value };
};
