/** `schedule` of a task: what becomes of it, and what is said where. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { periodAt } from "../../../src/schedule/zone.ts";
import { type FakeHost, good, shown, spec } from "./helpers.ts";

const FOLDER = "/usr/share/zoneinfo";

function task(...lines: string[]): string {
  return ["[task.backup]", 'command = "true"', ...lines, ""].join("\n");
}

/** A machine with a few zones; its own time is New York's. */
function zones(host: FakeHost): void {
  const files = ["Europe/Berlin", "Europe/Dublin", "America/New_York", "Asia/Tokyo"];
  for (const name of files) {
    host.files.set(`${FOLDER}/${name}`, readFileSync(`${FOLDER}/${name}`, "latin1"));
    for (const folder of ["", `/${name.split("/")[0]}`]) host.files.set(`${FOLDER}${folder}/tzdata.zi`, "");
  }
  host.readFolder = (path) => {
    if (path === FOLDER) return { names: ["America", "Asia", "Europe", "tzdata.zi"] };
    const names = files.filter((name) => path === `${FOLDER}/${name.split("/")[0]}`);
    return { names: names.map((name) => name.split("/")[1] ?? "") };
  };
  host.links.set("/etc/localtime", `${FOLDER}/America/New_York`);
}

function config(text: string, environment: Record<string, string> = {}) {
  return good(text, { host: zones, environment }).config;
}

function wrong(text: string, environment: Record<string, string> = {}): string[] {
  return shown(text, { host: zones, environment });
}

describe("a schedule", () => {
  test("by a pattern", () => {
    const { schedule, autostart } = spec(task('schedule = { cron = " 0  3 * * * ", time-zone = "UTC" }'));
    expect(schedule).toEqual({
      text: "0 3 * * *",
      cron: expect.objectContaining({ either: false, wild: false }),
      everyMs: 0,
      overlap: "skip",
      missed: "skip",
      zone: null,
    });
    expect(autostart).toBe(false);
  });

  test("by an interval, and at start", () => {
    const text = 'schedule = { every = "15m", overlap = "kill", missed = "once", at-start = true }';
    const { schedule, autostart } = spec(task(text));
    expect(schedule).toMatchObject({
      text: "every 15m",
      cron: null,
      everyMs: 900_000,
      overlap: "kill",
      missed: "once",
    });
    expect(autostart).toBeUndefined();
  });

  test("autostart means nothing to it", () => {
    expect(spec(task("autostart = true", 'schedule = { every = "15m" }')).autostart).toBe(false);
  });
});

describe("zones", () => {
  const berlin = 'schedule = { cron = "0 3 * * *", time-zone = "Europe/Berlin" }';

  test("travel with the configuration, each once", () => {
    const two = `${task(berlin)}[task.other]\ncommand = "x"\n${berlin}\n`;
    const { services, zones } = config(two);
    expect(services.map(({ schedule }) => schedule?.zone)).toEqual(["Europe/Berlin", "Europe/Berlin"]);
    expect(Object.keys(zones ?? {})).toEqual(["Europe/Berlin"]);
    expect(JSON.stringify(zones).length).toBeLessThan(300);
    expect(good(task('schedule = { every = "1m" }')).config).not.toHaveProperty("zones");
  });

  const own = task('schedule = { cron = "0 3 * * *" }');
  const summer = Date.UTC(2026, 6, 1) / 1000;
  test.each([
    ["the machine's own", {}, -4],
    ["named by TZ", { TZ: "Asia/Tokyo" }, 9],
    ["named by TZ with a colon", { TZ: ":Europe/Berlin" }, 2],
    ["a file named by TZ", { TZ: `${FOLDER}/Europe/Dublin` }, 1],
    ["a rule in TZ", { TZ: "AAA3BBB,M3.2.0,M11.1.0" }, -2],
    ["UTC in TZ", { TZ: "UTC" }, 0],
    ["nothing in TZ", { TZ: "" }, 0],
  ])("without a name: %s", (_, environment, hours) => {
    const { services, zones } = config(own, environment);
    const zone = services[0]?.schedule?.zone ?? null;
    expect(periodAt(zone === null ? null : (zones?.[zone] ?? null), summer).offset).toBe(hours * 3600);
  });

  test("UTC where there are no files", () => {
    expect(spec(own).schedule?.zone).toBeNull();
  });

  test("a TZ that means nothing is an error, since the task would run at another time", () => {
    expect(shown(own, { environment: { TZ: "Europe/Berlin" } })).toEqual([
      "oneup.toml:3:21: schedule: the environment variable TZ names a time zone that is not there (correct TZ, write time-zone, or install the time zones (package tzdata))",
    ]);
  });

  test("their folder may be another", () => {
    const at = (host: FakeHost) =>
      host.files.set("/zones/Here", readFileSync(`${FOLDER}/Asia/Tokyo`, "latin1"));
    const text = task('schedule = { cron = "0 3 * * *", time-zone = "Here" }');
    expect(good(text, { host: at, environment: { TZDIR: "/zones" } }).config.zones?.Here?.first).toBe(32_400);
  });
});

describe("check says where", () => {
  test.each([
    [
      "{ cron = '60 * * * *' }",
      '3:22: schedule.cron: "60" is not a minute (expected 0 to 59, "*", a range such as 1-5, or several with commas)',
    ],
    [
      "{ cron = '0 3 * * BAD' }",
      '3:30: schedule.cron: "BAD" is not a weekday (expected 0 to 7, or SUN to SAT, "*", a range such as 1-5, or several with commas)',
    ],
    [
      "{ cron = '* * 31 2 *' }",
      "3:26: schedule.cron: a date that never comes (no such month has such a day)",
    ],
    [
      "{ cron = '3am' }",
      '3:22: schedule.cron: expected five fields, "minute hour day month weekday", or six with seconds first, got 1 field (such as "0 3 * * *", every day at 3:00)',
    ],
    ["{ cron = 5 }", '3:21: schedule.cron: expected a cron pattern, such as "0 3 * * *", got an integer'],
    ["{ every = '100ms' }", '3:22: schedule.every: an interval shorter than 1s (write "1s" or more)'],
    ["{ every = 15 }", "3:22: schedule.every: expected a duration with a unit"],
    [
      "{ overlap = 'skip' }",
      '3:12: schedule: neither cron nor every is in it (write cron = "0 3 * * *" or every = "15m")',
    ],
    ["{ cron = '@daily', every = '1h' }", "3:31: schedule.every: beside cron (remove one of them)"],
    [
      "{ every = '1h', time-zone = 'UTC' }",
      "3:28: schedule.time-zone: every knows no time of day (remove it)",
    ],
    [
      "{ every = '1h', overlap = 'wait' }",
      '3:38: schedule.overlap: expected "skip", "queue" or "kill", got "wait"',
    ],
    ["{ every = '1h', missed = 'twice' }", '3:37: schedule.missed: expected "skip" or "once", got "twice"'],
    ["{ every = '1h', zone = 'UTC' }", '3:28: unknown key "schedule.zone" in [task.backup]'],
    [
      "{ cron = '@daily', time-zone = 'Europe/Berln' }",
      '3:43: schedule.time-zone: unknown time zone "Europe/Berln" (did you mean "Europe/Berlin"?)',
    ],
    [
      "{ cron = '@daily', time-zone = 'Europ/Berlin' }",
      '3:43: schedule.time-zone: unknown time zone "Europ/Berlin" (did you mean "Europe/Berlin"?)',
    ],
    [
      "{ cron = '@daily', time-zone = 'berlin' }",
      '3:43: schedule.time-zone: unknown time zone "berlin" (did you mean "Europe/Berlin"?)',
    ],
    [
      "{ cron = '@daily', time-zone = 'new york' }",
      '3:43: schedule.time-zone: unknown time zone "new york" (did you mean "America/New_York"?)',
    ],
    [
      "{ cron = '@daily', time-zone = '../../etc/passwd' }",
      '3:43: schedule.time-zone: unknown time zone "../../etc/passwd"',
    ],
    ["'0 3 * * *'", "3:12: schedule: expected a table, got a string"],
  ])("schedule = %s", (text, expected) => {
    const [first = "", ...more] = wrong(task(`schedule = ${text}`));
    expect(first.slice(0, "oneup.toml:".length + expected.length)).toBe(`oneup.toml:${expected}`);
    expect(more).toEqual([]);
  });

  test("and of all that is wrong in one", () => {
    expect(
      wrong(task("schedule = { cron = '60 * * * *', time-zone = 'Mars', overlap = 'no' }")),
    ).toHaveLength(3);
  });

  test("a service and a target have none", () => {
    expect(shown('[service.web]\ncommand = "x"\nschedule = { every = "1h" }\n')).toEqual([
      "oneup.toml:3:1: a schedule belongs to a task (write [task.web])",
    ]);
    expect(shown('[target.web]\nschedule = { every = "1h" }\n')[0]).toContain(
      "2:1: a schedule belongs to a task",
    );
  });

  test("no zones at all", () => {
    expect(shown(task('schedule = { cron = "@daily", time-zone = "Europe/Berlin" }'))).toEqual([
      'oneup.toml:3:43: schedule.time-zone: this system has no zone files for "Europe/Berlin" (install the time zones (package tzdata))',
    ]);
  });
});
