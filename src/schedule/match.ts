/**
 * The next time that a cron pattern stands for. Plain data and arithmetic: this is what the brain
 * has of it.
 *
 * Where clocks change, Vixie cron's rule holds. A pattern with a `*` in its minutes or hours
 * (`wild`) follows real time: what is skipped is skipped, what comes twice comes twice. Any other
 * stands for fixed times of day: one that is skipped comes where the clock is put forward, one that
 * exists twice comes the first time alone.
 */
import { daysUntil, periodAt, weekdayOn, type Zone } from "./zone.ts";

/** Sets of numbers as bits, thirty to a word; what is not there is 0. */
export type Bits = readonly number[];

export interface Cron {
  readonly seconds: Bits;
  readonly minutes: Bits;
  readonly hours: Bits;
  /** 1 to 31. */
  readonly days: Bits;
  /** 1 to 12. */
  readonly months: Bits;
  /** 0 (Sunday) to 6. */
  readonly weekdays: Bits;
  /** Days and weekdays are both restricted: either is enough. */
  readonly either: boolean;
  readonly wild: boolean;
}

const WORD = 30;
const DAY = 86_400;
/** The 29th of February on a given weekday may be forty years away, at the turn of a century. */
const YEARS = 45;

export function bitsOf(numbers: Iterable<number>): number[] {
  const words: number[] = [];
  for (const number of numbers) {
    const index = Math.floor(number / WORD);
    while (words.length <= index) words.push(0);
    words[index] = (words[index] ?? 0) | (1 << (number % WORD));
  }
  return words;
}

export function has(bits: Bits, number: number): boolean {
  return (((bits[Math.floor(number / WORD)] ?? 0) >>> (number % WORD)) & 1) === 1;
}

/** The first of the set from `from` on; -1: none. */
function firstFrom(bits: Bits, from: number): number {
  for (let number = from; number < bits.length * WORD; number++) if (has(bits, number)) return number;
  return -1;
}

/** The first instant after `wall` (ms since 1970) that the pattern stands for; `null`: none ever. */
export function nextAfter(cron: Cron, zone: Zone | null, wall: number): number | null {
  const limit = wall / 1000 + YEARS * 366 * DAY;
  // Whole seconds: the first one after `wall`.
  for (let from = Math.floor(wall / 1000) + 1; from < limit; ) {
    const { start, end, offset, before } = periodAt(zone, from);
    if (from === start && !cron.wild && comesWithin(cron, start + before, start + offset))
      return start * 1000;
    // What the former period has shown already does not count a second time.
    const fresh = cron.wild ? 0 : Math.max(0, before - offset);
    const local = nextLocal(cron, Math.max(from, start + fresh) + offset);
    if (local === null) return null;
    if (local - offset < end) return (local - offset) * 1000;
    from = end;
  }
  return null;
}

/** In a stretch of local time; where a clock is put forward, one that nobody sees. */
function comesWithin(cron: Cron, from: number, until: number): boolean {
  const local = from < until ? nextLocal(cron, from) : null;
  return local !== null && local < until;
}

/** The same in local time, seconds; from `from` on. */
function nextLocal(cron: Cron, from: number): number | null {
  const today = Math.floor(from / DAY);
  const time = isDay(cron, today) ? nextTime(cron, from - today * DAY) : null;
  if (time !== null) return today * DAY + time;
  const day = nextDay(cron, today + 1);
  return day === null ? null : day * DAY + (nextTime(cron, 0) ?? 0);
}

/** Seconds since midnight. */
function nextTime(cron: Cron, from: number): number | null {
  const [hour, minute, second] = [Math.floor(from / 3600), Math.floor(from / 60) % 60, from % 60];
  if (has(cron.hours, hour)) {
    const same = has(cron.minutes, minute) ? firstFrom(cron.seconds, second) : -1;
    if (same !== -1) return hour * 3600 + minute * 60 + same;
    const later = firstFrom(cron.minutes, minute + 1);
    if (later !== -1) return hour * 3600 + later * 60 + firstFrom(cron.seconds, 0);
  }
  const later = firstFrom(cron.hours, hour + 1);
  if (later === -1) return null;
  return later * 3600 + firstFrom(cron.minutes, 0) * 60 + firstFrom(cron.seconds, 0);
}

function isDay(cron: Cron, day: number): boolean {
  const date = new Date(day * DAY * 1000);
  return has(cron.months, date.getUTCMonth() + 1) && isDayOfMonth(cron, date.getUTCDate(), weekdayOn(day));
}

function isDayOfMonth(cron: Cron, date: number, weekday: number): boolean {
  const [inMonth, inWeek] = [has(cron.days, date), has(cron.weekdays, weekday)];
  return cron.either ? inMonth || inWeek : inMonth && inWeek;
}

function nextDay(cron: Cron, from: number): number | null {
  const date = new Date(from * DAY * 1000);
  const year = date.getUTCFullYear();
  for (let month = date.getUTCMonth() + 1; month <= YEARS * 12; month++) {
    if (!has(cron.months, ((month - 1) % 12) + 1)) continue;
    const first = daysUntil(year, month);
    const end = daysUntil(year, month + 1);
    for (let day = Math.max(first, from); day < end; day++) {
      if (isDayOfMonth(cron, day - first + 1, weekdayOn(day))) return day;
    }
  }
  return null;
}
