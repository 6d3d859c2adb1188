import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "../../../src/api/nearest.ts";
import { parseDuration, parseMoment, parseSignal } from "../../../src/api/values.ts";

describe("durations", () => {
  it.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["2d", 172_800_000],
    ["0s", 0],
  ])("%s is %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
  it.each(["", "10", "s", "10 s", "-1s", "10S", "1e3s", "s10"])("%j is none", (text) => {
    expect(parseDuration(text)).toBeNull();
  });
});

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

describe("signals", () => {
  it.each([
    ["TERM", "TERM"],
    ["sigusr1", "USR1"],
    ["RTMIN", "RTMIN"],
    ["SIGRTMIN+3", "RTMIN+3"],
  ])("%s is %s", (text, name) => {
    expect(parseSignal(text)).toBe(name);
  });
  it.each(["", "FOO", "0", "RTMIN+31", "RTMIN-1", "RTMAX+1"])("%j is none", (text) => {
    expect(parseSignal(text)).toBeNull();
  });
});

describe("suggestions", () => {
  it("name the word that was meant", () => {
    expect(nearest("staus", ["status", "start", "stop"])).toBe("status");
    expect(nearest("wbe", ["db", "web"])).toBe("web");
    expect(nearest("zebra", ["status", "start"])).toBeNull();
    expect(didYouMean("sotp", ["start", "stop"])).toBe('; did you mean "stop"?');
    expect(didYouMean("x", [])).toBe("");
  });
});
