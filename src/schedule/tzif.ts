/**
 * The system's zone files: TZif (RFC 9636), and the rule in its footer, which is also what an
 * environment variable `TZ` may hold. For the configuration program.
 */
import { periodAt, type Rule, type YearDay, type Zone } from "./zone.ts";

/** Nothing is scheduled in what lies before (2000-01-01). */
const BEGINNING = 946_684_800;
const HEADER_BYTES = 44;

/** `null`: not a zone file, or one that counts leap seconds, which nobody's clock does. */
export function parseZoneFile(bytes: string): Zone | null {
  if (!bytes.startsWith("TZif")) return null;
  const short = readBlock(bytes, 0, 4);
  if (short === null || bytes.charAt(4) === "\0") return short === null ? null : zoneOf(short, "");
  const long = readBlock(bytes, short.end, 8);
  if (long === null) return null;
  const footer = /^\n([^\n]*)\n/.exec(bytes.slice(long.end))?.[1];
  return footer === undefined ? null : zoneOf(long, footer);
}

interface Block {
  readonly times: readonly number[];
  /** After each time. */
  readonly offsets: readonly number[];
  readonly first: number;
  readonly end: number;
}

function readBlock(bytes: string, start: number, width: 4 | 8): Block | null {
  if (bytes.length < start + HEADER_BYTES || !bytes.startsWith("TZif", start)) return null;
  const count = (index: number) => uint32(bytes, start + 20 + 4 * index);
  const [utc, wall, leap, many, types, letters] = [0, 1, 2, 3, 4, 5].map(count);
  if (utc === undefined || wall === undefined || leap === undefined) return null;
  if (many === undefined || types === undefined || letters === undefined) return null;
  const indexes = start + HEADER_BYTES + many * width;
  const infos = indexes + many;
  const end = infos + types * 6 + letters + leap * (width + 4) + wall + utc;
  if (end > bytes.length || types === 0 || leap > 0) return null;
  const offsetOf = (type: number) => int32(bytes, infos + 6 * type);
  const times: number[] = [];
  const offsets: number[] = [];
  for (let index = 0; index < many; index++) {
    const at = start + HEADER_BYTES + index * width;
    times.push(width === 4 ? int32(bytes, at) : int32(bytes, at) * 2 ** 32 + uint32(bytes, at + 4));
    const type = bytes.charCodeAt(indexes + index);
    if (type >= types) return null;
    offsets.push(offsetOf(type));
  }
  return { times, offsets, first: offsetOf(0), end };
}

function uint32(bytes: string, at: number): number {
  return int32(bytes, at) >>> 0;
}

function int32(bytes: string, at: number): number {
  const byte = (index: number) => bytes.charCodeAt(at + index);
  return (byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3);
}

/** What travels: no distant past, no change that changes nothing, none that the rule tells as well. */
function zoneOf(block: Block, footer: string): Zone | null {
  const base = footer === "" ? null : parseRule(footer);
  if (footer !== "" && base === null) return null;
  const rule = base?.rule ?? null;
  let { first } = block;
  const times: number[] = [];
  const offsets: number[] = [];
  for (const [index, at] of block.times.entries()) {
    const offset = block.offsets[index] ?? 0;
    if (at < BEGINNING) first = offset;
    else if (offset !== (offsets.at(-1) ?? first)) {
      times.push(at);
      offsets.push(offset);
    }
  }
  if (times.length === 0 && base !== null && rule === null) first = base.standard;
  while (rule !== null && times.length > 1 && isTold({ first, times, offsets, rule })) {
    times.pop();
    offsets.pop();
  }
  return { first, times, offsets, rule };
}

/** Would the rule alone put the last change where it is? */
function isTold(zone: Zone): boolean {
  const without = { ...zone, times: zone.times.slice(0, -1), offsets: zone.offsets.slice(0, -1) };
  const next = periodAt(without, without.times.at(-1) ?? 0);
  return next.end === zone.times.at(-1) && next.after === zone.offsets.at(-1);
}

// ---- rules

const NAME = "(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)";
const CLOCK = "[+-]?\\d{1,3}(?::\\d{1,2}(?::\\d{1,2})?)?";
const RULE = new RegExp(`^${NAME}(${CLOCK})(?:${NAME}(${CLOCK})?(?:,([^,]+),([^,]+))?)?$`);
const SUMMER = new RegExp(`^${NAME}${CLOCK}${NAME}`);
/** Where a rule has summer time and does not say when. */
const USUAL = ["M3.2.0", "M11.1.0"] as const;

/** `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX `TZ`, with the times of RFC 9636). `null`: it is none. */
export function parseRule(text: string): { readonly standard: number; readonly rule: Rule | null } | null {
  const [found, west = "", summerWest, begin = USUAL[0], end = USUAL[1]] = RULE.exec(text) ?? [];
  if (found === undefined) return null;
  const standard = -clockSeconds(west) || 0;
  if (!SUMMER.test(text)) return { standard, rule: null };
  const summer = summerWest === undefined ? standard + 3600 : -clockSeconds(summerWest) || 0;
  const [first, last] = [parseYearDay(begin), parseYearDay(end)];
  if (first === null || last === null) return null;
  return { standard, rule: { standard, summer, begin: first, end: last } };
}

/** A zone that is nothing but its rule. */
export function zoneOfRule(text: string): Zone | null {
  const found = parseRule(text);
  return found === null ? null : { first: found.standard, times: [], offsets: [], rule: found.rule };
}

function clockSeconds(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[+-]/, "").split(":").map(Number);
  return (text.startsWith("-") ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
}

function parseYearDay(text: string): YearDay | null {
  const [day = "", clock = "2"] = text.split("/");
  if (!new RegExp(`^${CLOCK}$`).test(clock)) return null;
  const time = clockSeconds(clock);
  const [, month, week, weekday] = /^M(1[0-2]|[1-9])\.([1-5])\.([0-6])$/.exec(day) ?? [];
  if (month !== undefined) {
    return { type: "month", month: Number(month), week: Number(week), weekday: Number(weekday), time };
  }
  const [, julian, number] = /^(J?)(\d{1,3})$/.exec(day) ?? [];
  const count = Number(number);
  if (number === undefined || count > 365 || (julian === "J" && count === 0)) return null;
  return { type: julian === "J" ? "julian" : "day", day: count, time };
}
