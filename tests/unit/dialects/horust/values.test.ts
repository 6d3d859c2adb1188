import { describe, expect, test } from "vitest";
import { parseBytes, parseTime } from "../../../../src/dialects/horust/units.ts";
import { splitCommand } from "../../../../src/dialects/horust/words.ts";

describe("durations", () => {
  test.each([
    ["0", 0],
    ["500ms", 500],
    ["500millis", 500],
    ["10s", 10_000],
    ["1.5s", 1500],
    ["1h 30min", 5_400_000],
    ["1h30m", 5_400_000],
    ["2days 3 hours", 183_600_000],
    ["1M", 30.44 * 86_400_000],
    ["1m", 60_000],
    ["1w", 604_800_000],
    ["1y", 365.25 * 86_400_000],
    ["300us", 1],
    ["1µs 999us", 1],
    ["1000000ns", 1],
    ["900years", 315_360_000_000],
  ])("%s", (text, ms) => {
    expect(parseTime(text)).toEqual({ value: ms });
  });

  test.each(["5", "1.5", "", "s", "-1s", "1 parsec", "1s x", "1S", "10 s 5"])("not %j", (text) => {
    expect(parseTime(text)).toHaveProperty("message");
  });
});

describe("sizes", () => {
  test.each([
    ["0", 0],
    ["512", 512],
    ["50 B", 50],
    ["100MB", 100_000_000],
    ["100 MiB", 104_857_600],
    ["1.5kib", 1536],
    ["0.0001 KB", 0],
    ["1tb", 1e12],
    ["2GIB", 2 ** 31],
  ])("%s", (text, bytes) => {
    expect(parseBytes(text)).toEqual({ value: bytes });
  });

  test.each(["100M", "1k", "MB", "", "-1B", "1 mbit", "1,5 MB"])("not %j", (text) => {
    expect(parseBytes(text)).toHaveProperty("message");
  });
});

describe("words of a command", () => {
  test.each([
    ["a b  c\td\ne", ["a", "b", "c", "d", "e"]],
    ["", []],
    ["   ", []],
    [`'a b' "c d"`, ["a b", "c d"]],
    [`a''b ""`, ["ab", ""]],
    ["a\\ b \\' \\\\", ["a b", "'", "\\"]],
    [`"a\\"b\\$c\\d"`, ['a"b$c\\d']],
    [`'a\\b'`, ["a\\b"]],
    ["a\\\nb", ["ab"]],
    ['"a\\\nb"', ["ab"]],
    ["a # b\nc", ["a", "c"]],
    ["a#b", ["a#b"]],
    ["a | b > c; $D *", ["a", "|", "b", ">", "c;", "$D", "*"]],
    ["A=1 b", ["A=1", "b"]],
  ])("%j", (text, words) => {
    expect(splitCommand(text)).toEqual(words);
  });

  test.each(['"', "'", "a 'b", 'a "b\\"', "a\\"])("not %j", (text) => {
    expect(splitCommand(text)).toBeNull();
  });
});
