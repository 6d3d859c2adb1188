/**
 * The syntax of cron patterns, with the place of whatever is wrong in one. For the configuration
 * program; the brain gets sets of numbers (`match.ts`).
 *
 * It is the project's own because the library for it (croner) tells no places, needs no less room
 * than all of this folder many times over, and keeps its sets as arrays with a member for each year
 * up to 9999. In the tests it is the yardstick: both must understand the same patterns alike.
 */
import { didYouMean } from "../model/suggest.ts";
import type { Parsed, Problem } from "../model/units.ts";
import { bitsOf, type Cron, has } from "./match.ts";

interface Field {
  /** `60 is not a minute`. */
  readonly one: string;
  readonly low: number;
  readonly high: number;
  /** By their numbers, from `low` on. */
  readonly names?: readonly string[];
}

const SECOND: Field = { one: "a second", low: 0, high: 59 };
const MINUTE: Field = { one: "a minute", low: 0, high: 59 };
const HOUR: Field = { one: "an hour", low: 0, high: 23 };
const DAY: Field = { one: "a day of the month", low: 1, high: 31 };
const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const MONTH: Field = { one: "a month", low: 1, high: 12, names: MONTHS };
/** Sunday is 0 and 7. */
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const WEEKDAY: Field = { one: "a weekday", low: 0, high: 7, names: WEEKDAYS };

const NICKNAMES: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const SHAPE = 'five fields, "minute hour day month weekday", or six with seconds first';
const LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** A part of the pattern and where it begins. */
interface Piece {
  readonly text: string;
  readonly offset: number;
}

class Wrong extends Error {
  readonly problem: Problem;
  constructor(message: string, hint: string, { offset }: Piece) {
    super(message);
    this.problem = { message, hint, offset };
  }
}

export function parseCron(pattern: string): Parsed<Cron> {
  try {
    return { value: readPattern(pattern) };
  } catch (error) {
    if (error instanceof Wrong) return error.problem;
    throw error;
  }
}

function readPattern(pattern: string): Cron {
  const pieces = piecesOf(pattern, /\S+/g, 0);
  const [first] = pieces;
  if (first?.text.startsWith("@")) return readPattern(nickname(first, pieces[1]));
  if (pieces.length === 5) pieces.unshift({ text: "0", offset: 0 });
  const [seconds, minutes, hours, days, months, weekdays] = pieces;
  if (!seconds || !minutes || !hours || !days || !months || !weekdays || pieces.length > 6) {
    const count = pieces.length === 1 ? "1 field" : `${pieces.length} fields`;
    const place = pieces[6] ?? { text: "", offset: 0 };
    throw new Wrong(`expected ${SHAPE}, got ${count}`, 'such as "0 3 * * *", every day at 3:00', place);
  }
  const cron = {
    seconds: readField(seconds, SECOND),
    minutes: readField(minutes, MINUTE),
    hours: readField(hours, HOUR),
    days: readField(days, DAY),
    months: readField(months, MONTH),
    weekdays: readField(weekdays, WEEKDAY),
    either: !isOpen(days) && !isOpen(weekdays),
    wild: isOpen(minutes) || isOpen(hours),
  };
  if (!cron.either && !comes(cron)) {
    throw new Wrong("a date that never comes", "no such month has such a day", days);
  }
  return cron;
}

/** A field that begins with `*` restricts nothing, also where it has a step. */
function isOpen({ text }: Piece): boolean {
  return text.startsWith("*");
}

function comes({ days, months }: Pick<Cron, "days" | "months">): boolean {
  return LONGEST.some((longest, index) => {
    if (!has(months, index + 1)) return false;
    for (let day = 1; day <= longest; day++) if (has(days, day)) return true;
    return false;
  });
}

function nickname(piece: Piece, more: Piece | undefined): string {
  const name = piece.text.toLowerCase();
  const pattern = Object.hasOwn(NICKNAMES, name) ? NICKNAMES[name] : undefined;
  if (name === "@reboot") throw new Wrong('unknown name "@reboot"', "write at-start = true instead", piece);
  if (pattern === undefined) {
    const known = Object.keys(NICKNAMES);
    const hint = didYouMean(name, known) ?? `the names are ${known.join(", ")}`;
    throw new Wrong(`unknown name "${piece.text}"`, hint, piece);
  }
  if (more) throw new Wrong(`something after ${piece.text}`, "the name stands alone", more);
  return pattern;
}

function piecesOf(text: string, pattern: RegExp, start: number): Piece[] {
  return [...text.matchAll(pattern)].map((found) => ({ text: found[0], offset: start + found.index }));
}

function readField(piece: Piece, field: Field): number[] {
  const numbers = new Set<number>();
  // Also the empty ones: a comma too many is a mistake.
  for (const item of piecesOf(piece.text, /(?<=^|,)[^,]*/g, piece.offset)) {
    const { low, high, step } = readItem(item, field);
    for (let number = low; number <= high; number += step) numbers.add(isSunday(number, field) ? 0 : number);
  }
  return bitsOf(numbers);
}

function isSunday(number: number, field: Field): boolean {
  return field === WEEKDAY && number === 7;
}

/** `5`, `1-5`, `*`, each but the first with `/2`. */
function readItem(item: Piece, field: Field): { low: number; high: number; step: number } {
  const [, range = "", slash, stepText = ""] = /^([^/]*)(\/?)(.*)$/.exec(item.text) ?? [];
  const body = { text: range, offset: item.offset };
  // 7 is another name for Sunday; "all" has it once.
  const top = field === WEEKDAY ? 6 : field.high;
  const step =
    slash === "/" ? readStep({ text: stepText, offset: item.offset + range.length + 1 }, field) : 1;
  if (range === "*") return { low: field.low, high: top, step };
  const dash = range.indexOf("-", 1);
  if (dash === -1) {
    const low = readNumber(body, field);
    if (slash !== "/") return { low, high: low, step: 1 };
    const hint = `write "${range}-${top}/${stepText}"`;
    throw new Wrong(`a step needs a range, or "*", before it`, hint, body);
  }
  const low = readNumber({ text: range.slice(0, dash), offset: item.offset }, field);
  const end = { text: range.slice(dash + 1), offset: item.offset + dash + 1 };
  const read = readNumber(end, field);
  const high = field === WEEKDAY && read === 0 && low > 0 ? 7 : read;
  if (high < low) {
    const hint = `write two ranges: "${low}-${top},${field.low}-${high}"`;
    throw new Wrong("a range that ends before it begins", hint, body);
  }
  return { low, high, step };
}

function readStep(piece: Piece, field: Field): number {
  const most = field.high - field.low + (field === WEEKDAY ? 0 : 1);
  const step = /^\d{1,3}$/.test(piece.text) ? Number(piece.text) : 0;
  if (step >= 1 && step <= most) return step;
  throw new Wrong(`"${piece.text}" is not a step here`, `a step is a number from 1 to ${most}`, piece);
}

function readNumber(piece: Piece, field: Field): number {
  const { text } = piece;
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named !== -1) return field.low + named;
  const number = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= field.low && number <= field.high) return number;
  const shown = text === "" ? "nothing" : `"${text}"`;
  throw new Wrong(`${shown} is not ${field.one}`, numberHint(text, field), piece);
}

function numberHint(text: string, field: Field): string {
  if (text === "?") return 'write "*"';
  const names = field.names === undefined ? "" : `, or ${field.names[0]} to ${field.names.at(-1)}`;
  const near = field.names?.includes(text.slice(0, 3).toUpperCase());
  if (near) return `write "${text.slice(0, 3).toUpperCase()}"`;
  return `expected ${field.low} to ${field.high}${names}, "*", a range such as 1-5, or several with commas`;
}
