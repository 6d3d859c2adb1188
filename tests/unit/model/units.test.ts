import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSignal, SIGNAL_NAMES, SIGNAL_PATTERN } from "../../../src/model/signals.ts";
import {
  BUDGET_PATTERN,
  DURATION_PATTERN,
  formatBudget,
  formatDuration,
  formatSize,
  type Parsed,
  parseBudget,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
} from "../../../src/model/units.ts";

function outcome<T>(parsed: Parsed<T>): T | string {
  if ("value" in parsed) return parsed.value;
  return parsed.hint === undefined ? parsed.message : `${parsed.message} (${parsed.hint})`;
}

describe("budgets", () => {
  test.each([
    ["10/1m", { restarts: 10, windowMs: 60_000 }],
    ["0/1m", { restarts: 0, windowMs: 60_000 }],
    ["3/1.5s", { restarts: 3, windowMs: 1500 }],
  ])("%s", (text, budget) => {
    expect(outcome(parseBudget(text))).toEqual(budget);
    expect(outcome(parseBudget(formatBudget(budget)))).toEqual(budget);
    expect(BUDGET_PATTERN.test(text)).toBe(true);
  });

  test.each(["", "10", "/1m", "-1/1m", "1.5/1m", "10/", "10/0s", "10/1x", "10/1m/1m", " 10/1m"])(
    "%j is refused",
    (text) => {
      expect("value" in parseBudget(text)).toBe(false);
    },
  );
});

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["1m30s", 90_000],
    ["1.5s", 1500],
    ["1.1s", 1100],
    ["0.001s", 1],
    ["0s", 0],
    ["3650d", 315_360_000_000],
  ])("%s", (text, ms) => {
    expect(outcome(parseDuration(text))).toBe(ms);
    expect(DURATION_PATTERN.test(text)).toBe(true);
  });

  test.each([
    ["10", 'a duration without a unit (write "10s", or another of the units ms, s, m, h or d)'],
    ["10sec", 'unknown unit of time "sec" (write "s")'],
    ["10 minutes", 'unknown unit of time "minutes" (write "m")'],
    ["10S", 'unknown unit of time "S" (write "s")'],
    ["10x", 'unknown unit of time "x" (the units are ms, s, m, h or d)'],
    ["10us", 'unknown unit of time "us" (the units are ms, s, m, h or d)'],
    ["", 'not a duration (write a number and a unit (ms, s, m, h or d), such as "10s" or "1m30s")'],
    ["-1s", 'not a duration (write a number and a unit (ms, s, m, h or d), such as "10s" or "1m30s")'],
    ["10 s", 'not a duration (write a number and a unit (ms, s, m, h or d), such as "10s" or "1m30s")'],
    ["0.5ms", "a duration finer than 1ms (write whole milliseconds)"],
    ["3651d", "a duration longer than 3650 days"],
  ])("%j is refused", (text, expected) => {
    expect(outcome(parseDuration(text))).toBe(expected);
  });

  test("what is formatted comes back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3650 * 86_400_000 }), (ms) => {
        expect(outcome(parseDuration(formatDuration(ms)))).toBe(ms);
      }),
    );
  });

  test("any text is an answer, and what is accepted fits the pattern", () => {
    const text = fc.array(fc.constantFrom("1", "0", ".", "s", "m", "h", "ms", " ", "-", "e"), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(text, (parts) => {
        const parsed = parseDuration(parts.join(""));
        if ("value" in parsed) expect(DURATION_PATTERN.test(parts.join(""))).toBe(true);
        else expect(parsed.message).not.toContain("\n");
      }),
    );
  });
});

describe("sizes", () => {
  test.each([
    ["0B", 0],
    ["100B", 100],
    ["64KiB", 65_536],
    ["64kB", 64_000],
    ["64KB", 64_000],
    ["1.5MiB", 1_572_864],
    ["10MB", 10_000_000],
    ["1GiB", 1_073_741_824],
    ["1TiB", 1_099_511_627_776],
  ])("%s", (text, bytes) => {
    expect(outcome(parseSize(text))).toBe(bytes);
    expect(SIZE_PATTERN.test(text)).toBe(true);
  });

  test.each([
    [
      "10",
      'a size without a unit (write "10B" or another of the units B, KiB, MiB, GiB, TiB, kB, MB, GB or TB)',
    ],
    ["10M", 'unknown unit of size "M" (write "MiB" (1024) or "MB" (1000))'],
    ["10mib", 'unknown unit of size "mib" (write "MiB" (1024) or "MB" (1000))'],
    ["10k", 'unknown unit of size "k" (write "KiB" (1024) or "kB" (1000))'],
    ["10x", 'unknown unit of size "x" (the units are B, KiB, MiB, GiB, TiB, kB, MB, GB or TB)'],
    [
      "MiB",
      'not a size (write a number and a unit (B, KiB, MiB, GiB, TiB, kB, MB, GB or TB), such as "10MiB")',
    ],
    ["0.3B", "not a whole number of bytes, or too many"],
    ["99999999TiB", "not a whole number of bytes, or too many"],
  ])("%j is refused", (text, expected) => {
    expect(outcome(parseSize(text))).toBe(expected);
  });

  test("what is formatted comes back", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(outcome(parseSize(formatSize(bytes)))).toBe(bytes);
      }),
    );
  });
});

describe("signals", () => {
  test.each([
    ["TERM", "TERM"],
    ["SIGTERM", "TERM"],
    ["sigusr1", "USR1"],
    ["RTMIN", "RTMIN"],
    ["RTMIN+0", "RTMIN"],
    ["SIGRTMIN+3", "RTMIN+3"],
    ["RTMAX", "RTMIN+30"],
    ["RTMAX-1", "RTMIN+29"],
    ["RTMAX-30", "RTMIN"],
    ["SIGIOT", "ABRT"],
  ])("%s", (text, name) => {
    expect(outcome(parseSignal(text))).toBe(name);
  });

  test.each([
    ["9", 'signals go by name (write "KILL")'],
    ["99", 'signals go by name (write a name such as "TERM")'],
    ["FOO", 'unknown signal "FOO" (write a name such as "TERM", "HUP", "USR1" or "RTMIN+3")'],
    ["", 'unknown signal "" (write a name such as "TERM", "HUP", "USR1" or "RTMIN+3")'],
    ["RTMIN+31", "a real-time signal beyond RTMIN+30"],
    ["RTMAX-31", "a real-time signal beyond RTMIN+30"],
  ])("%j is refused", (text, expected) => {
    expect(outcome(parseSignal(text))).toBe(expected);
  });

  test("the numbers are Linux's", () => {
    expect(SIGNAL_NAMES.indexOf("KILL") + 1).toBe(9);
    expect(SIGNAL_NAMES.indexOf("TERM") + 1).toBe(15);
    expect(SIGNAL_NAMES.indexOf("CONT") + 1).toBe(18);
    expect(SIGNAL_NAMES.indexOf("SYS") + 1).toBe(31);
    for (const name of SIGNAL_NAMES) expect(SIGNAL_PATTERN.test(name)).toBe(true);
  });
});
