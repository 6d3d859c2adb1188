/**
 * Readers of single values, by hand: a schema library would cost the brain more memory than all
 * of the API. Each takes what came, a string from a query or a JSON value, and gives the value or
 * says what is wrong with it.
 */
import { parseSignal } from "../model/signals.ts";
import { type Parsed, type Problem, parseDuration } from "../model/units.ts";

export type Read<T> = { readonly value: T } | { readonly wrong: string };
export type Reader<T> = (raw: unknown) => Read<T>;

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** A point in time: RFC 3339, or a duration that reaches back from now. */
export function parseMoment(text: string, wall: number): number | null {
  const back = parseDuration(text);
  if ("value" in back) return wall - back.value;
  if (!RFC3339.test(text)) return null;
  const time = Date.parse(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(time) ? null : time;
}

export const text: Reader<string> = (raw) =>
  typeof raw === "string" && raw !== "" ? { value: raw } : { wrong: "expected a text" };

export const flag: Reader<boolean> = (raw) => {
  if (typeof raw === "boolean") return { value: raw };
  if (raw === "true" || raw === "") return { value: true };
  return raw === "false" ? { value: false } : { wrong: "expected true or false" };
};

export const count: Reader<number> = (raw) => {
  const number = typeof raw === "string" && /^\d{1,10}$/.test(raw) ? Number(raw) : raw;
  const fits = typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 0xffff_ffff;
  return fits ? { value: number } : { wrong: "expected a whole number from 0 on" };
};

export const duration: Reader<number> = (raw) => read(raw, parseDuration, "a duration, as a text");

/** The wall clock is a parameter of the reader, so that `10m` can be counted back from it. */
export const moment =
  (wall: number): Reader<number> =>
  (raw) => {
    const value = typeof raw === "string" ? parseMoment(raw, wall) : null;
    if (value !== null) return { value };
    return { wrong: 'expected a time such as "2026-01-31T12:00:00Z", or how far back, such as "10m"' };
  };

export function oneOf<T extends string>(...choices: readonly T[]): Reader<T> {
  return (raw) => {
    const value = choices.find((choice) => choice === raw);
    if (value !== undefined) return { value };
    return { wrong: `expected one of ${choices.map((choice) => `"${choice}"`).join(", ")}` };
  };
}

export const texts: Reader<readonly string[]> = (raw) => {
  const list = typeof raw === "string" ? [raw] : raw;
  const fits = Array.isArray(list) && list.length > 0 && list.every(isName);
  return fits ? { value: list } : { wrong: "expected at least one name, as an array of texts" };
};

function isName(item: unknown): item is string {
  return typeof item === "string" && item !== "";
}

export const signal: Reader<string> = (raw) => read(raw, parseSignal, "the name of a signal");

/** A text that has a parser of its own. */
function read<T>(raw: unknown, parse: (text: string) => Parsed<T>, what: string): Read<T> {
  if (typeof raw !== "string") return { wrong: `expected ${what}` };
  const parsed = parse(raw);
  return "value" in parsed ? parsed : { wrong: sentence(parsed) };
}

/** What is wrong, and what to do. */
function sentence(problem: Problem): string {
  return problem.hint === undefined ? problem.message : `${problem.message}; ${problem.hint}`;
}
