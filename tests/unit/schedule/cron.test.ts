/** What a pattern may be, and what is said about anything else. */
import { CronPattern } from "croner";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCron } from "../../../src/schedule/cron.ts";
import { has } from "../../../src/schedule/match.ts";
import { cron } from "./helpers.ts";

const RUNS = Number(process.env.ONEUP_SIM_RUNS ?? 1000);

function numbers(bits: readonly number[]): number[] {
  return Array.from({ length: 64 }, (_, number) => number).filter((number) => has(bits, number));
}

function wrong(pattern: string): string {
  const read = parseCron(pattern);
  if ("value" in read) throw new Error(`"${pattern}" is taken`);
  return `${read.offset}: ${read.message} (${read.hint})`;
}

describe("a pattern", () => {
  test("of five fields, and of six", () => {
    const five = cron("*/15 3-5,22 1,31 jan-MAR,12 mon-fri");
    expect(numbers(five.seconds)).toEqual([0]);
    expect(numbers(five.minutes)).toEqual([0, 15, 30, 45]);
    expect(numbers(five.hours)).toEqual([3, 4, 5, 22]);
    expect(numbers(five.days)).toEqual([1, 31]);
    expect(numbers(five.months)).toEqual([1, 2, 3, 12]);
    expect(numbers(five.weekdays)).toEqual([1, 2, 3, 4, 5]);
    expect(five).toMatchObject({ either: true, wild: true });
    const six = cron("10-50/20 0 3 * * *");
    expect(numbers(six.seconds)).toEqual([10, 30, 50]);
    expect(six).toMatchObject({ either: false, wild: false });
  });

  test("has two names for Sunday", () => {
    for (const text of ["0", "7", "SUN", "sun", "7,0"]) {
      expect(numbers(cron(`0 0 * * ${text}`).weekdays), text).toEqual([0]);
    }
    expect(numbers(cron("0 0 * * FRI-SUN").weekdays)).toEqual([0, 5, 6]);
    expect(numbers(cron("0 0 * * 5-7").weekdays)).toEqual([0, 5, 6]);
    expect(numbers(cron("0 0 * * */2").weekdays)).toEqual([0, 2, 4, 6]);
    expect(numbers(cron("0 0 * * SUN-TUE").weekdays)).toEqual([0, 1, 2]);
  });

  test("by name", () => {
    expect(cron("@daily")).toEqual(cron("0 0 * * *"));
    expect(cron("@Hourly")).toEqual(cron("0 * * * *"));
    expect(cron("@weekly")).toEqual(cron("0 0 * * SUN"));
    expect(cron("@monthly")).toEqual(cron("0 0 1 * *"));
    expect(cron("@yearly")).toEqual(cron("0 0 1 JAN *"));
  });

  test("with blanks around and between", () => {
    expect(cron("  0   3\t* * *  ")).toEqual(cron("0 3 * * *"));
  });
});

test.each([
  ["60 * * * *", '0: "60" is not a minute (expected 0 to 59'],
  ["* 24 * * *", '2: "24" is not an hour (expected 0 to 23'],
  ["* * 0 * *", '4: "0" is not a day of the month (expected 1 to 31'],
  ["* * * 13 *", '6: "13" is not a month (expected 1 to 12, or JAN to DEC'],
  ["* * * * 8", '8: "8" is not a weekday (expected 0 to 7, or SUN to SAT'],
  ["61 * * * * *", '0: "61" is not a second (expected 0 to 59'],
  ["* * * * MONDAY", '8: "MONDAY" is not a weekday (write "MON")'],
  ["0 0 * * 1,,2", "10: nothing is not a weekday"],
  ["1, * * * *", "2: nothing is not a minute"],
  ["5-1 * * * *", '0: a range that ends before it begins (write two ranges: "5-59,0-1")'],
  ["0 22-5 * * *", '2: a range that ends before it begins (write two ranges: "22-23,0-5")'],
  ["10-70 * * * *", '3: "70" is not a minute'],
  ["*/0 * * * *", '2: "0" is not a step here (a step is a number from 1 to 60)'],
  ["*/61 * * * *", '2: "61" is not a step here'],
  ["*/x * * * *", '2: "x" is not a step here'],
  ["5/10 * * * *", '0: a step needs a range, or "*", before it (write "5-59/10")'],
  ["* * ? * *", '4: "?" is not a day of the month (write "*")'],
  ["* * L * *", '4: "L" is not a day of the month (expected 1 to 31'],
  ["-5 * * * *", '0: "-5" is not a minute'],
  ["1.5 * * * *", '0: "1.5" is not a minute'],
  ["* * 31 2 *", "4: a date that never comes (no such month has such a day)"],
  ["0 0 30,31 2 *", "4: a date that never comes"],
  ["0 0 31 4,6,9,11 *", "4: a date that never comes"],
  ["0 0 31 2 */2", "4: a date that never comes"],
  ["", "0: expected five fields"],
  [
    "* * * *",
    '0: expected five fields, "minute hour day month weekday", or six with seconds first, got 4 fields',
  ],
  ["* * * * * * *", "12: expected five fields"],
  ["every day", "0: expected five fields"],
  ["@reboot", '0: unknown name "@reboot" (write at-start = true instead)'],
  ["@dayly", '0: unknown name "@dayly" (did you mean "@daily"?)'],
  ["@daily 5", "7: something after @daily"],
])("%s is refused", (pattern, expected) => {
  expect(wrong(pattern).slice(0, expected.length)).toBe(expected);
});

test("a weekday makes up for a day that never comes", () => {
  expect(cron("0 0 31 2 MON").either).toBe(true);
});

// ---- croner as yardstick

const token = fc.oneof(
  fc.constantFrom(
    "*",
    "0",
    "1",
    "5",
    "7",
    "12",
    "23",
    "24",
    "31",
    "32",
    "59",
    "60",
    "SUN",
    "mon",
    "JAN",
    "dec",
  ),
  fc.constantFrom(
    "1-5",
    "5-1",
    "0-59",
    "10-20/5",
    "*/5",
    "*/0",
    "*/2",
    "FRI-SUN",
    "jan-mar",
    "0-7",
    "1,2,3",
    "1,",
    "1-",
  ),
);
/** Good in any field. */
const good = fc.constantFrom("*", "1", "5", "7", "3,6", "1-5", "*/2", "2-6/2", "1,4-5");
const any = fc.oneof({ weight: 4, arbitrary: good }, { weight: 1, arbitrary: token });
const pattern = fc.array(any, { minLength: 5, maxLength: 6 }).map((tokens) => tokens.join(" "));

function yardstick(text: string): Record<string, number[]> | null {
  try {
    const { second, minute, hour, day, month, dayOfWeek } = new CronPattern(text, undefined, {
      mode: "5-or-6-parts",
    });
    const set = (all: number[], add = 0) => all.flatMap((on, index) => (on ? [index + add] : []));
    return {
      seconds: set(second),
      minutes: set(minute),
      hours: set(hour),
      days: set(day, 1),
      months: set(month, 1),
      weekdays: set(dayOfWeek.slice(0, 7)),
    };
  } catch {
    return null;
  }
}

test("croner understands the same patterns, and understands them alike", () => {
  let taken = 0;
  fc.assert(
    fc.property(pattern, (text) => {
      const read = parseCron(text);
      if (!("value" in read) && read.message === "a date that never comes") return;
      const expected = yardstick(text);
      expect("value" in read, text).toBe(expected !== null);
      if (!("value" in read)) return;
      taken++;
      const { seconds, minutes, hours, days, months, weekdays } = read.value;
      const found = { seconds, minutes, hours, days, months, weekdays };
      expect(
        Object.fromEntries(Object.entries(found).map(([key, bits]) => [key, numbers(bits)])),
        text,
      ).toEqual(expected);
    }),
    { numRuns: RUNS * 5 },
  );
  expect(taken).toBeGreaterThan(10);
});

test("a pattern of arbitrary characters is taken or refused, nothing else", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."0123456789*/,-@ ?LW#JANsun\t"), maxLength: 40 }),
      (text) => {
        const read = parseCron(text);
        if ("value" in read) return;
        expect(read.offset).toBeGreaterThanOrEqual(0);
        expect(read.offset).toBeLessThanOrEqual(text.length);
      },
    ),
    { numRuns: RUNS * 5 },
  );
});
