/** Zones out of the system's files against what Node knows of them. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseRule, parseZoneFile, zoneOfRule } from "../../../src/schedule/tzif.ts";
import { periodAt, type Zone } from "../../../src/schedule/zone.ts";
import { FOLDER, zone } from "./helpers.ts";

const BEGIN = Date.UTC(2025, 0, 1) / 1000;
const END = Date.UTC(2031, 0, 1) / 1000;
const HOUR = 3600;

/** Seconds ahead of UTC, as Node has it. */
function yardstick(name: string): (at: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (at) => {
    const parts = new Map(format.formatToParts(at * 1000).map(({ type, value }) => [type, Number(value)]));
    const of = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? Number.NaN;
    const shown = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
    return shown / 1000 - at;
  };
}

function periods(where: Zone): number[] {
  const starts: number[] = [];
  for (let at = BEGIN; at < END; ) {
    const { start, end, offset, before, after } = periodAt(where, at);
    expect(start <= at && at < end).toBe(true);
    if (Number.isFinite(end)) {
      expect(periodAt(where, end)).toMatchObject({ start: end, before: offset, offset: after });
      expect(periodAt(where, end - 1)).toMatchObject({ end, offset, before });
      starts.push(end);
    }
    at = end;
  }
  return starts;
}

const NAMES = [
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "Asia/Kolkata",
  "Europe/Dublin",
];

describe("between 2025 and 2030 a zone is what Node knows of it", () => {
  test.each(NAMES)("%s, every hour", (name) => {
    const [where, offset] = [zone(name), yardstick(name)];
    for (let at = BEGIN; at < END; at += HOUR) {
      if (periodAt(where, at).offset !== offset(at)) {
        expect.fail(`${new Date(at * 1000).toISOString()}: ${periodAt(where, at).offset}, not ${offset(at)}`);
      }
    }
  });

  const all = readFileSync(`${FOLDER}/zone.tab`, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split("\t")[2] ?? "");

  test("every zone there is, at each change and every ten days", () => {
    expect(all.length).toBeGreaterThan(300);
    const wrong: string[] = [];
    for (const name of all) {
      const [where, offset] = [zone(name), yardstick(name)];
      const moments = periods(where).flatMap((at) => [at - 1, at, at + 1]);
      for (let at = BEGIN; at < END; at += 240 * HOUR) moments.push(at);
      const bad = moments.find((at) => periodAt(where, at).offset !== offset(at));
      if (bad !== undefined) wrong.push(`${name} ${new Date(bad * 1000).toISOString()}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe("a zone file", () => {
  test("leaves behind what is long gone and what its rule tells as well", () => {
    const { times, rule } = zone("Europe/Berlin");
    expect(times.length).toBeLessThanOrEqual(1);
    expect(rule).toMatchObject({ standard: 3600, summer: 7200, begin: { month: 3, week: 5, weekday: 0 } });
    expect(zone("Asia/Tokyo")).toEqual({ first: 32_400, times: [], offsets: [], rule: null });
    expect(zone("UTC")).toEqual({ first: 0, times: [], offsets: [], rule: null });
  });

  test("is refused if it is none, or cut, or counts leap seconds", () => {
    const good = readFileSync(`${FOLDER}/Europe/Berlin`, "latin1");
    expect(parseZoneFile("")).toBeNull();
    expect(parseZoneFile("hello, world")).toBeNull();
    for (let length = 0; length < good.length; length++) {
      expect(parseZoneFile(good.slice(0, length)), `${length} bytes`).toBeNull();
    }
    expect(parseZoneFile(readFileSync(`${FOLDER}/right/Europe/Berlin`, "latin1"))).toBeNull();
  });

  test("of the first version has no footer and is read all the same", () => {
    const bytes = [..."TZif", ..."\0".repeat(16)].join("");
    const count = (number: number) => String.fromCharCode(0, 0, 0, number);
    const header = bytes + [0, 0, 0, 1, 2, 4].map(count).join("");
    const change = String.fromCharCode(0x60, 0, 0, 0, 1);
    const types = `${String.fromCharCode(0, 0, 0x0e, 0x10, 0, 0)}${String.fromCharCode(0xff, 0xff, 0xf1, 0xf0, 0, 0)}`;
    const read = parseZoneFile(`${header}${change}${types}AAA\0`);
    expect(read).toEqual({ first: 3600, times: [0x6000_0000], offsets: [-3600], rule: null });
  });
});

describe("a rule", () => {
  test("of each form", () => {
    expect(parseRule("EST5")).toEqual({ standard: -18_000, rule: null });
    expect(parseRule("<+0545>-5:45")).toEqual({ standard: 20_700, rule: null });
    expect(parseRule("EST5EDT")?.rule).toMatchObject({ summer: -14_400, begin: { month: 3, week: 2 } });
    expect(parseRule("LHST-10:30LHDT-11,M10.1.0,M4.1.0")?.rule).toMatchObject({
      standard: 37_800,
      summer: 39_600,
    });
    expect(parseRule("A1BC")).toBeNull();
    expect(parseRule("nonsense")).toBeNull();
    expect(parseRule("CET-1CEST,M13.1.0,M4.1.0")).toBeNull();
    expect(parseRule("CET-1CEST,J0,J60")).toBeNull();
  });

  test("by days of the year counts leap days or does not", () => {
    const where = zoneOfRule("AAA0BBB-1,J60/0,59/0");
    const begins = (year: number) => periodAt(where, Date.UTC(year, 5, 1) / 1000).start;
    expect(new Date(begins(2027) * 1000).toISOString()).toBe("2027-03-01T00:00:00.000Z");
    expect(new Date(begins(2028) * 1000).toISOString()).toBe("2028-03-01T00:00:00.000Z");
    const ends = (year: number) => periodAt(where, Date.UTC(year, 1, 1) / 1000).end;
    expect(new Date(ends(2027) * 1000).toISOString()).toBe("2027-02-28T23:00:00.000Z");
    expect(new Date(ends(2028) * 1000).toISOString()).toBe("2028-02-28T23:00:00.000Z");
  });
});
