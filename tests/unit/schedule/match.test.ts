/** When patterns come: tables for what is special, croner as yardstick for the rest. */
import { Cron as Yardstick } from "croner";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextAfter } from "../../../src/schedule/match.ts";
import { cron, runs, zone } from "./helpers.ts";

const RUNS = Number(process.env.ONEUP_SIM_RUNS ?? 1000);

describe("fixed times where clocks change", () => {
  const cases: [string, string, string, string, string[]][] = [
    [
      "skipped: at the end of the gap",
      "Europe/Berlin",
      "30 2 * * *",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
    ],
    [
      "skipped twice: once",
      "Europe/Berlin",
      "0,30 2 * * *",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
    ],
    [
      "skipped, and the end of the gap is a time of its own: once",
      "Europe/Berlin",
      "0 2,3 * * *",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
    ],
    [
      "twice there: the first",
      "Europe/Berlin",
      "30 2 * * *",
      "2026-10-24T12:00:00Z",
      ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
    ],
    [
      "the beginning of the overlap: the first",
      "Europe/Berlin",
      "0 2 * * *",
      "2026-10-24T12:00:00Z",
      ["2026-10-25T02:00:00+02:00", "2026-10-26T02:00:00+01:00"],
    ],
    [
      "the end of the overlap is there once",
      "Europe/Berlin",
      "0 3 * * *",
      "2026-10-24T12:00:00Z",
      ["2026-10-25T03:00:00+01:00", "2026-10-26T03:00:00+01:00"],
    ],
    [
      "skipped",
      "America/New_York",
      "15 2 8 3 *",
      "2026-01-01T00:00:00Z",
      ["2026-03-08T03:00:00-04:00", "2027-03-08T02:15:00-05:00"],
    ],
    [
      "twice there",
      "America/New_York",
      "30 1 1 11 *",
      "2026-01-01T00:00:00Z",
      ["2026-11-01T01:30:00-04:00", "2027-11-01T01:30:00-04:00"],
    ],
    [
      "skipped by half an hour",
      "Australia/Lord_Howe",
      "15 2 * * *",
      "2026-10-03T00:00:00Z",
      ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
    ],
    [
      "just not skipped by half an hour",
      "Australia/Lord_Howe",
      "45 2 * * *",
      "2026-10-03T00:00:00Z",
      ["2026-10-04T02:45:00+11:00", "2026-10-05T02:45:00+11:00"],
    ],
    [
      "twice there for half an hour",
      "Australia/Lord_Howe",
      "45 1 * * *",
      "2026-04-04T00:00:00Z",
      ["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
    ],
    [
      "the clock goes back for Ramadan …",
      "Africa/Casablanca",
      "30 2 * * *",
      "2026-02-14T12:00:00Z",
      ["2026-02-15T02:30:00+01:00", "2026-02-16T02:30:00+00:00"],
    ],
    [
      "… and forward after it",
      "Africa/Casablanca",
      "30 2 * * *",
      "2026-03-21T12:00:00Z",
      ["2026-03-22T03:00:00+01:00", "2026-03-23T02:30:00+01:00"],
    ],
    [
      "no summer time",
      "Asia/Kolkata",
      "30 2 * * *",
      "2026-03-28T12:00:00Z",
      ["2026-03-29T02:30:00+05:30", "2026-03-30T02:30:00+05:30"],
    ],
  ];
  test.each(cases)("%s (%s, %s)", (_, name, pattern, after, expected) => {
    expect(runs(pattern, name, after, expected.length)).toEqual(expected);
  });
});

describe("a wildcard where clocks change follows real time", () => {
  test("every half hour over the gap", () => {
    expect(runs("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4)).toEqual([
      "2026-03-29T01:30:00+01:00",
      "2026-03-29T03:00:00+02:00",
      "2026-03-29T03:30:00+02:00",
      "2026-03-29T04:00:00+02:00",
    ]);
  });

  test("every half hour over the overlap", () => {
    expect(runs("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 6)).toEqual([
      "2026-10-25T02:00:00+02:00",
      "2026-10-25T02:30:00+02:00",
      "2026-10-25T02:00:00+01:00",
      "2026-10-25T02:30:00+01:00",
      "2026-10-25T03:00:00+01:00",
      "2026-10-25T03:30:00+01:00",
    ]);
  });

  test("a wildcard minute of a skipped hour: not on that day", () => {
    expect(runs("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2)).toEqual([
      "2026-03-30T02:00:00+02:00",
      "2026-03-30T02:30:00+02:00",
    ]);
  });
});

describe("days", () => {
  test("of leap years", () => {
    expect(runs("0 0 29 2 *", null, "2025-01-01T00:00:00Z", 3)).toEqual([
      "2028-02-29T00:00:00+00:00",
      "2032-02-29T00:00:00+00:00",
      "2036-02-29T00:00:00+00:00",
    ]);
    expect(runs("0 0 29 2 *", null, "2096-03-01T00:00:00Z", 1)).toEqual(["2104-02-29T00:00:00+00:00"]);
    expect(runs("0 0 29 2 */6", null, "2025-01-01T00:00:00Z", 2)).toEqual([
      "2032-02-29T00:00:00+00:00",
      "2048-02-29T00:00:00+00:00",
    ]);
  });

  test("either of day and weekday, if both are restricted", () => {
    expect(runs("0 0 13 * FRI", null, "2026-11-01T00:00:00Z", 3)).toEqual([
      "2026-11-06T00:00:00+00:00",
      "2026-11-13T00:00:00+00:00",
      "2026-11-20T00:00:00+00:00",
    ]);
    // A star with a step restricts nothing by itself: both must hold.
    expect(runs("0 0 */2 * MON", null, "2026-11-01T00:00:00Z", 2)).toEqual([
      "2026-11-09T00:00:00+00:00",
      "2026-11-23T00:00:00+00:00",
    ]);
  });

  test("that do not come in every month", () => {
    expect(runs("0 0 31 * *", null, "2026-01-31T00:00:00Z", 2)).toEqual([
      "2026-03-31T00:00:00+00:00",
      "2026-05-31T00:00:00+00:00",
    ]);
  });

  test("that never come are not looked for without end", () => {
    const never = { ...cron("0 0 29 2 *"), days: [1 << 29, 1] };
    expect(nextAfter({ ...never, days: [0, 2] }, null, 0)).toBeNull();
  });

  test("seconds and a moment within one", () => {
    expect(runs("*/20 59 23 31 12 *", null, "2026-12-31T23:59:20.001Z", 2)).toEqual([
      "2026-12-31T23:59:40+00:00",
      "2027-12-31T23:59:00+00:00",
    ]);
    expect(nextAfter(cron("* * * * * *"), null, 1500)).toBe(2000);
    expect(nextAfter(cron("* * * * * *"), null, 2000)).toBe(3000);
  });
});

// ---- random patterns

const number = (low: number, high: number) => fc.integer({ min: low, max: high });
function item(low: number, high: number): fc.Arbitrary<string> {
  return fc.oneof(
    number(low, high).map(String),
    fc.tuple(number(low, high), number(low, high)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
  );
}
function field(low: number, high: number): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant("*") },
    { weight: 1, arbitrary: number(1, 6).map((step) => `*/${step}`) },
    {
      weight: 4,
      arbitrary: fc.array(item(low, high), { minLength: 1, maxLength: 3 }).map((all) => all.join(",")),
    },
  );
}
/** A star with a step in the days is a restriction to croner, and to nobody else: left out. */
const plain = (low: number, high: number) => field(low, high).map((text) => text.replace(/^\*\/.*/, "*"));
const pattern = fc
  .tuple(field(0, 59), field(0, 59), field(0, 23), plain(1, 28), plain(1, 12), plain(0, 7))
  .map((fields) => fields.join(" "));
const moment = number(Date.UTC(2025, 0, 1), Date.UTC(2030, 11, 31));

function check(pattern: string, name: string, from: number): void {
  const where = zone(name);
  const yardstick = new Yardstick(pattern, { timezone: name, paused: true, fixedTimeRule: "no-wildcard" });
  let at = from;
  for (let count = 0; count < 5; count++) {
    const expected = yardstick.nextRun(new Date(at))?.getTime() ?? null;
    const found = nextAfter(cron(pattern), where, at);
    if (found !== expected) {
      const text = (one: number | null) => (one === null ? "never" : new Date(one).toISOString());
      expect.fail(`"${pattern}" ${name} after ${text(at)}: ${text(found)}, croner ${text(expected)}`);
    }
    if (found === null) break;
    expect(nextAfter(cron(pattern), where, found - 1)).toBe(found);
    at = found;
  }
}

describe("random patterns come when croner says", () => {
  test("in UTC", () => {
    fc.assert(
      fc.property(pattern, moment, (one, from) => check(one, "UTC", from)),
      { numRuns: RUNS },
    );
  });

  // To croner a wildcard second is one that follows real time: left out where it alone is one.
  const alike = pattern.filter((one) => {
    const [second = "", minute = "", hour = ""] = one.split(" ");
    const wild = minute.startsWith("*") || hour.startsWith("*");
    return wild || !second.startsWith("*");
  });
  test.each([
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kolkata",
  ])("in %s", (name) => {
    fc.assert(
      fc.property(alike, moment, (one, from) => check(one, name, from)),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  /** Mornings of the days on which clocks change, where random moments seldom fall. */
  const mornings: [string, number][] = [
    ["Europe/Berlin", Date.UTC(2026, 2, 28, 23)],
    ["Europe/Berlin", Date.UTC(2026, 9, 24, 22)],
    ["America/New_York", Date.UTC(2026, 2, 8, 5)],
    ["America/New_York", Date.UTC(2026, 10, 1, 4)],
    ["Australia/Lord_Howe", Date.UTC(2026, 9, 3, 13)],
    ["Australia/Lord_Howe", Date.UTC(2026, 3, 4, 13)],
  ];
  const early = fc
    .tuple(
      fc.oneof(fc.constant("0"), item(0, 59)),
      fc.oneof(
        fc.constant("*"),
        item(0, 59),
        number(1, 30).map((step) => `*/${step}`),
      ),
      fc.oneof(fc.constant("*"), item(0, 4)),
    )
    .map((fields) => `${fields.join(" ")} * * *`);
  test.each(mornings)("on a day of change, %s %#", (name, from) => {
    fc.assert(
      fc.property(early, number(0, 5 * 3_600_000), (one, later) => check(one, name, from + later)),
      { numRuns: RUNS },
    );
  });
});
