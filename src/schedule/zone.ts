/**
 * A time zone: how far local time is ahead of UTC, and when that changes. Whole seconds since 1970
 * everywhere. The configuration program reads it out of the system's zone files (`tzif.ts`).
 */
export interface Zone {
  /** Seconds ahead of UTC before the first change. */
  readonly first: number;
  /** Changes, oldest first: when each comes, … */
  readonly times: readonly number[];
  /** … and how far local time is ahead from then on. */
  readonly offsets: readonly number[];
  /** What comes after the last of them, year by year; `null`: nothing. */
  readonly rule: Rule | null;
}

export interface Rule {
  readonly standard: number;
  readonly summer: number;
  /** From standard to summer time, in local standard time. */
  readonly begin: YearDay;
  /** And back, in local summer time. */
  readonly end: YearDay;
}

/**
 * A moment of each year. `month`: that weekday (0: Sunday) of the month's week 1 to 5 (5: the
 * last). `julian`: day 1 to 365, February 29 never counted. `day`: day 0 to 365, as it comes.
 */
export type YearDay =
  | {
      readonly type: "month";
      readonly month: number;
      readonly week: number;
      readonly weekday: number;
      readonly time: number;
    }
  | { readonly type: "julian" | "day"; readonly day: number; readonly time: number };

/** A stretch of time with one offset. Ends may be infinite. */
export interface Period {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  /** The neighbours' offsets; its own where there is none. */
  readonly before: number;
  readonly after: number;
}

interface Change {
  readonly at: number;
  readonly offset: number;
}

const DAY = 86_400;

/** The period that an instant lies in; a period begins with its change. `null`: UTC. */
export function periodAt(zone: Zone | null, at: number): Period {
  const changes = zone === null ? [] : changesAround(zone, at);
  const first = zone === null ? 0 : zone.first;
  let [start, offset, before] = [Number.NEGATIVE_INFINITY, first, first];
  for (const change of changes) {
    if (change.at > at) return { start, end: change.at, offset, before, after: change.offset };
    [start, offset, before] = [change.at, change.offset, offset];
  }
  return { start, end: Number.POSITIVE_INFINITY, offset, before, after: offset };
}

/** The two changes before an instant, and at least one after it, where there are so many. */
function changesAround(zone: Zone, at: number): Change[] {
  const { times, offsets, rule } = zone;
  let next = times.length;
  while (next > 0 && (times[next - 1] ?? 0) > at) next--;
  const changes: Change[] = [];
  for (let index = Math.max(0, next - 3); index < Math.min(next + 1, times.length); index++) {
    changes.push({ at: times[index] ?? 0, offset: offsets[index] ?? 0 });
  }
  if (rule === null || next < times.length) return changes;
  const last = times[next - 1] ?? Number.NEGATIVE_INFINITY;
  const year = new Date(at * 1000).getUTCFullYear();
  for (const change of [year - 1, year, year + 1].flatMap((one) => changesOf(rule, one))) {
    if (change.at > last) changes.push(change);
  }
  return changes;
}

function changesOf(rule: Rule, year: number): Change[] {
  const begin = { at: momentOf(rule.begin, year) - rule.standard, offset: rule.summer };
  const end = { at: momentOf(rule.end, year) - rule.summer, offset: rule.standard };
  return begin.at < end.at ? [begin, end] : [end, begin];
}

/** In local time. */
function momentOf(when: YearDay, year: number): number {
  return dayOf(when, year) * DAY + when.time;
}

function dayOf(when: YearDay, year: number): number {
  if (when.type === "month") return weekdayOf(when.month, when.week, when.weekday, year);
  const first = daysUntil(year, 1);
  if (when.type === "day") return first + when.day;
  const leap = daysUntil(year, 3) - first === 60;
  return first + when.day - (leap && when.day >= 60 ? 0 : 1);
}

function weekdayOf(month: number, week: number, weekday: number, year: number): number {
  const first = daysUntil(year, month);
  const sooner = (weekday - weekdayOn(first) + 7) % 7;
  const day = first + sooner + 7 * (week - 1);
  return day < daysUntil(year, month + 1) ? day : day - 7;
}

/** Days from 1970 to the first of a month (1 to 12, and 13 for the next January). */
export function daysUntil(year: number, month: number): number {
  return Date.UTC(year, month - 1, 1) / (DAY * 1000);
}

/** 0: Sunday. */
export function weekdayOn(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}
