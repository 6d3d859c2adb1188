import { describe, expect, it } from "vitest";
import { count, duration, flag, oneOf, parseMoment, signal, texts } from "../../../src/api/values.ts";
import { orNearest } from "../../../src/model/suggest.ts";

describe("moments", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");
  it.each([
    ["10m", now - 600_000],
    ["2026-01-31T11:00:00Z", now - 3_600_000],
    ["2026-01-31T12:30:00+01:00", now - 1_800_000],
    ["2026-01-31t11:59:59.500z", now - 500],
    ["2026-01-31 11:00:00Z", now - 3_600_000],
  ])("%s is understood", (text, time) => {
    expect(parseMoment(text, now)).toBe(time);
  });
  it.each(["", "yesterday", "2026-01-31", "2026-01-31T11:00:00", "2026-13-31T11:00:00Z"])(
    "%j is none",
    (text) => {
      expect(parseMoment(text, now)).toBeNull();
    },
  );
});

describe("readers", () => {
  it("take what a query has and what JSON has", () => {
    expect(flag("true")).toEqual({ value: true });
    expect(flag(false)).toEqual({ value: false });
    expect(count("12")).toEqual({ value: 12 });
    expect(count(12)).toEqual({ value: 12 });
    expect(texts("web")).toEqual({ value: ["web"] });
    expect(duration("1m30s")).toEqual({ value: 90_000 });
    expect(signal("sigusr1")).toEqual({ value: "USR1" });
  });

  it("say what is wrong", () => {
    expect(duration("5")).toEqual({ wrong: expect.stringContaining('write "5s"') });
    expect(duration(5)).toEqual({ wrong: "expected a duration, as a text" });
    expect(signal("9")).toEqual({ wrong: expect.stringContaining('write "KILL"') });
    expect(oneOf("a", "b")("c")).toEqual({ wrong: 'expected one of "a", "b"' });
    for (const value of [-1, 1.5, "x", 2 ** 33, null, {}]) expect(count(value)).toHaveProperty("wrong");
    for (const value of [[], [""], [1], {}]) expect(texts(value)).toHaveProperty("wrong");
  });
});

it("suggestions name the word that was meant", () => {
  expect(orNearest("staus", ["status", "start"])).toBe('; did you mean "status"?');
  expect(orNearest("wbe", ["db", "web"])).toBe('; did you mean "web"?');
  expect(orNearest("zebra", ["status", "start"])).toBe("");
  expect(orNearest("x", [])).toBe("");
});
