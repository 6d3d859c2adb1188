/** Tasks that run by themselves, on the simulated machine and its clocks. */
import { describe, expect, test } from "vitest";
import { runs as runsOf, why } from "../../../src/engine/index.ts";
import type { SparseSpec } from "../../../src/model/spec.ts";
import type { Schedule } from "../../../src/schedule/schedule.ts";
import { periodAt } from "../../../src/schedule/zone.ts";
import type { Kernel } from "../../sim/kernel.ts";
import { cron, local, zone } from "../schedule/helpers.ts";
import {
  ask,
  type Behaviours,
  cause,
  type MachineOptions,
  machine,
  needs,
  pass,
  prepare,
  service,
  shutdown,
  spawned,
  state,
  stopped,
  task,
  view,
} from "./helpers.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function schedule(more: Partial<Schedule> & { readonly text: string }): Schedule {
  const every = /^every (\d+)s$/.exec(more.text)?.[1];
  const plain = { overlap: "skip", missed: "skip", zone: null } as const;
  const when =
    every === undefined
      ? { cron: cron(more.text), everyMs: 0 }
      : { cron: null, everyMs: Number(every) * SECOND };
  return { ...plain, ...when, ...more };
}

type More = Partial<Schedule> & { readonly spec?: Omit<Partial<SparseSpec>, "name"> };

function job(text: string, { spec, ...more }: More = {}): SparseSpec {
  return task("job", { autostart: false, schedule: schedule({ text, ...more }), ...spec });
}

/** Started at this wall time. */
function at(time: string, services: readonly SparseSpec[], options: MachineOptions = {}): Kernel {
  const kernel = prepare(services, { behaviours: { job: { ends: ends(0) } }, ...options });
  kernel.wallOffset = Date.parse(time) - kernel.now;
  kernel.start();
  kernel.run(kernel.now);
  return kernel;
}

function ends(afterMs: number, code = 0) {
  return { afterMs, exit: { code } };
}

function takes(afterMs: number, code = 0): Behaviours {
  return { job: { ends: ends(afterMs, code) } };
}

/** Until this wall time. */
function until(kernel: Kernel, time: string): void {
  kernel.run(Date.parse(time) - kernel.wallOffset);
}

function iso(wall: number): string {
  return new Date(wall).toISOString().replace(".000Z", "Z");
}

/** When its processes were started, by the wall clock that is now. */
function starts(kernel: Kernel, name = "job"): string[] {
  const found = kernel.log.filter(({ command }) => command.type === "spawn" && command.spec.service === name);
  return found.map(({ at }) => iso(at + kernel.wallOffset));
}

function runs(kernel: Kernel) {
  const found = runsOf(kernel.world, "job");
  if (found === null) throw new Error("no job");
  return found;
}

function next(kernel: Kernel): string | null {
  return view(kernel, "job").next_start_at;
}

function said(kernel: Kernel): string[] {
  return kernel.published.filter(({ event }) => event === "schedule").map(({ cause }) => String(cause));
}

describe("a pattern", () => {
  test("runs when it is due and not at boot", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("0 3 * * *")]);
    expect(state(kernel, "job")).toBe("inactive");
    expect(next(kernel)).toBe("2026-11-22T03:00:00.000Z");
    expect(kernel.times("armWall")).toHaveLength(1);
    until(kernel, "2026-11-24T12:00:00Z");
    expect(starts(kernel)).toEqual(["2026-11-22T03:00:00Z", "2026-11-23T03:00:00Z", "2026-11-24T03:00:00Z"]);
    expect(state(kernel, "job")).toBe("exited");
    expect(next(kernel)).toBe("2026-11-25T03:00:00.000Z");
  });

  test("runs at boot too with at-start, once, also if the brain is lost", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("0 3 * * *", { spec: { autostart: true } })]);
    expect(starts(kernel)).toEqual(["2026-11-21T16:00:00Z"]);
    expect(runs(kernel)[0]).toMatchObject({ scheduled_at: null, success: true });
    kernel.loseBrain();
    until(kernel, "2026-11-22T12:00:00Z");
    expect(starts(kernel)).toEqual(["2026-11-21T16:00:00Z", "2026-11-22T03:00:00Z"]);
  });

  test("in its time zone, over both changes of the year", () => {
    const zones = { "Europe/Berlin": zone("Europe/Berlin") };
    const spec = job("30 2 * * *", { zone: "Europe/Berlin" });
    const kernel = at("2026-03-27T12:00:00Z", [spec], { zones });
    until(kernel, "2026-03-30T12:00:00Z");
    const where = zones["Europe/Berlin"];
    expect(periodAt(where, 0).offset).toBe(3600);
    expect(starts(kernel).map((time) => local(where, Date.parse(time)))).toEqual([
      "2026-03-28T02:30:00+01:00",
      "2026-03-29T03:00:00+02:00",
      "2026-03-30T02:30:00+02:00",
    ]);
    const autumn = at("2026-10-24T12:00:00Z", [spec], { zones });
    until(autumn, "2026-10-26T12:00:00Z");
    expect(starts(autumn).map((time) => local(where, Date.parse(time)))).toEqual([
      "2026-10-25T02:30:00+02:00",
      "2026-10-26T02:30:00+01:00",
    ]);
  });

  test("that comes next in four years waits for it", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("0 0 29 2 *")]);
    expect(next(kernel)).toBe("2028-02-29T00:00:00.000Z");
  });

  test("starts what it needs", () => {
    const db = service("db", { autostart: false });
    const kernel = at("2026-11-21T16:00:00Z", [db, job("0 17 * * *", { spec: { requires: needs("db") } })]);
    expect(spawned(kernel)).toEqual([]);
    until(kernel, "2026-11-21T17:00:00Z");
    expect(spawned(kernel)).toEqual(["db", "job"]);
  });
});

describe("an interval", () => {
  test("counts from start to start, whatever a run takes, and does not drift", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("every 900s")], { behaviours: takes(5 * MINUTE) });
    expect(next(kernel)).toBe("2026-11-21T16:15:00.000Z");
    until(kernel, "2026-11-21T17:00:01Z");
    expect(starts(kernel)).toEqual([
      "2026-11-21T16:15:00Z",
      "2026-11-21T16:30:00Z",
      "2026-11-21T16:45:00Z",
      "2026-11-21T17:00:00Z",
    ]);
  });

  test("counts from a start by hand as well", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("every 900s")]);
    until(kernel, "2026-11-21T16:10:00Z");
    ask(kernel, "start", "job");
    expect(next(kernel)).toBe("2026-11-21T16:25:00.000Z");
    until(kernel, "2026-11-21T16:30:00Z");
    expect(starts(kernel)).toEqual(["2026-11-21T16:10:00Z", "2026-11-21T16:25:00Z"]);
    expect(runs(kernel).map((run) => run.scheduled_at)).toEqual(["2026-11-21T16:25:00.000Z", null]);
  });

  test("that is shorter than the run: what comes meanwhile is skipped, and told once", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("every 60s")], { behaviours: takes(3.5 * MINUTE) });
    until(kernel, "2026-11-21T16:09:00Z");
    expect(starts(kernel)).toEqual(["2026-11-21T16:01:00Z", "2026-11-21T16:05:00Z", "2026-11-21T16:09:00Z"]);
    expect(runs(kernel).map((run) => run.skipped)).toEqual([0, 3, 3]);
    expect(said(kernel)).toEqual([
      "scheduled (every 60s) for 2026-11-21T16:02:00Z, skipped: the run before it is still at work",
      "scheduled (every 60s) for 2026-11-21T16:06:00Z, skipped: the run before it is still at work",
    ]);
  });

  test("that failed is tried again without moving the next run", () => {
    const spec = {
      restart: "on-failure",
      restartDelayMs: 10 * SECOND,
      restartDelayMaxMs: 10 * SECOND,
    } as const;
    const behaviours = { job: [{ ends: ends(0, 1) }, { ends: ends(0) }] };
    const kernel = at("2026-11-21T16:00:00Z", [job("every 900s", { spec })], { behaviours });
    until(kernel, "2026-11-21T16:16:00Z");
    expect(spawned(kernel)).toHaveLength(2);
    expect(next(kernel)).toBe("2026-11-21T16:30:00.000Z");
    expect(runs(kernel).map((run) => [run.scheduled_at, run.success])).toEqual([
      ["2026-11-21T16:15:00.000Z", true],
      ["2026-11-21T16:15:00.000Z", false],
    ]);
  });
});

describe("due while the run before it is at work", () => {
  test("queue: one follows, more do not", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("* * * * *", { overlap: "queue" })], {
      behaviours: { job: [{ ends: ends(3.5 * MINUTE) }, { ends: ends(10 * SECOND) }] },
    });
    until(kernel, "2026-11-21T16:05:30Z");
    expect(starts(kernel)).toEqual(["2026-11-21T16:01:00Z", "2026-11-21T16:04:30Z", "2026-11-21T16:05:00Z"]);
    expect(runs(kernel).map((run) => run.scheduled_at)).toEqual([
      "2026-11-21T16:05:00.000Z",
      "2026-11-21T16:02:00.000Z",
      "2026-11-21T16:01:00.000Z",
    ]);
    expect(runs(kernel)[2]).toMatchObject({ skipped: 2, duration_ms: 3.5 * MINUTE });
    expect(runs(kernel)[1]?.cause).toBe("exited with code 0");
  });

  test("kill: the next one starts when all of the former has left", () => {
    const stubborn = { leftovers: 2, leftoversLeave: 4 * SECOND, leaves: 3 * SECOND };
    const kernel = at("2026-11-21T16:00:00Z", [job("* * * * *", { overlap: "kill" })], {
      behaviours: { job: [stubborn, { ends: ends(0) }] },
    });
    until(kernel, "2026-11-21T16:02:06Z");
    expect(starts(kernel)).toEqual(["2026-11-21T16:01:00Z"]);
    expect(state(kernel, "job")).toBe("stopping");
    until(kernel, "2026-11-21T16:02:08Z");
    expect(starts(kernel)).toEqual(["2026-11-21T16:01:00Z", "2026-11-21T16:02:07Z"]);
    expect(stopped(kernel)).toEqual(["job"]);
    expect(runs(kernel).map((run) => [run.scheduled_at, run.success, run.exit])).toEqual([
      ["2026-11-21T16:02:00.000Z", true, { code: 0 }],
      ["2026-11-21T16:01:00.000Z", false, { signal: "TERM" }],
    ]);
    expect(runs(kernel)[1]?.cause).toBe("scheduled (* * * * *) for 2026-11-21T16:02:00Z, in its place");
  });

  test("kill: its dependents are left alone", () => {
    const kernel = at(
      "2026-11-21T16:00:00Z",
      [job("* * * * *", { overlap: "kill" }), service("web", { requires: needs("job") })],
      { behaviours: { job: [{ ends: ends(0) }, {}] } },
    );
    expect(spawned(kernel)).toEqual(["job", "web"]);
    until(kernel, "2026-11-21T16:04:30Z");
    expect(starts(kernel)).toHaveLength(5);
    expect(starts(kernel, "web")).toHaveLength(1);
    expect(state(kernel, "web")).toBe("running");
  });

  test("a run that failed and waits for its next try gives way", () => {
    const spec = {
      restart: "on-failure",
      restartDelayMs: 5 * MINUTE,
      restartDelayMaxMs: 5 * MINUTE,
    } as const;
    for (const overlap of ["skip", "queue", "kill"] as const) {
      const kernel = at("2026-11-21T16:00:00Z", [job("* * * * *", { overlap, spec })], {
        behaviours: { job: [{ ends: ends(10 * SECOND, 1) }, { ends: ends(0) }] },
      });
      until(kernel, "2026-11-21T16:01:30Z");
      expect(state(kernel, "job")).toBe("backoff");
      until(kernel, "2026-11-21T16:02:00Z");
      expect(starts(kernel), overlap).toEqual(["2026-11-21T16:01:00Z", "2026-11-21T16:02:00Z"]);
      expect(state(kernel, "job")).toBe("exited");
      until(kernel, "2026-11-21T16:02:59Z");
      expect(spawned(kernel)).toHaveLength(2);
    }
  });

  test("queue: a failed run does not wait for its next try", () => {
    const spec = {
      restart: "on-failure",
      restartDelayMs: 5 * MINUTE,
      restartDelayMaxMs: 5 * MINUTE,
    } as const;
    const kernel = at("2026-11-21T16:00:00Z", [job("* * * * *", { overlap: "queue", spec })], {
      behaviours: { job: [{ ends: ends(70 * SECOND, 1) }, { ends: ends(0) }] },
    });
    until(kernel, "2026-11-21T16:02:30Z");
    expect(starts(kernel)).toEqual(["2026-11-21T16:01:00Z", "2026-11-21T16:02:10Z"]);
  });

  test("a run that cannot begin waits once for all", () => {
    for (const overlap of ["skip", "queue", "kill"] as const) {
      const spec = { requires: needs("db") };
      const kernel = at(
        "2026-11-21T16:00:00Z",
        [
          service("db", { ready: [{ type: "file", path: "/f" }], startTimeoutMs: 0 }),
          job("* * * * *", { overlap, spec }),
        ],
        { behaviours: { job: { ends: ends(0) }, db: { readyAfterMs: [150 * SECOND] } } },
      );
      until(kernel, "2026-11-21T16:02:45Z");
      expect(starts(kernel), overlap).toHaveLength(1);
      expect(runs(kernel)[0]?.scheduled_at).toBe("2026-11-21T16:02:00.000Z");
    }
  });
});

describe("asked for", () => {
  test("a start runs it now, and the schedule goes on", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("0 3 * * *")]);
    ask(kernel, "start", "job");
    expect(starts(kernel)).toEqual(["2026-11-21T16:00:00Z"]);
    expect(next(kernel)).toBe("2026-11-22T03:00:00.000Z");
    ask(kernel, "start", "job");
    expect(spawned(kernel)).toHaveLength(2);
  });

  test("a stop ends the run and what waits for it, and the schedule goes on", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("* * * * *", { overlap: "queue" })], {
      behaviours: { job: {} },
    });
    until(kernel, "2026-11-21T16:02:30Z");
    ask(kernel, "stop", "job");
    expect(state(kernel, "job")).toBe("inactive");
    expect(runs(kernel)[0]).toMatchObject({
      success: false,
      exit: { signal: "TERM" },
      cause: "stop asked by uid 0",
    });
    until(kernel, "2026-11-21T16:02:59Z");
    expect(spawned(kernel)).toHaveLength(1);
    until(kernel, "2026-11-21T16:03:00Z");
    expect(spawned(kernel)).toHaveLength(2);
  });

  test("due during a stop: it starts when the stop has ended", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("* * * * *")], {
      behaviours: { job: { leaves: 5 * SECOND } },
    });
    until(kernel, "2026-11-21T16:01:58Z");
    ask(kernel, "stop", "job");
    until(kernel, "2026-11-21T16:02:10Z");
    expect(starts(kernel)).toEqual(["2026-11-21T16:01:00Z", "2026-11-21T16:02:03Z"]);
  });

  test("a shutdown ends it, and nothing is due any more", () => {
    const kernel = at("2026-11-21T16:00:00Z", [job("* * * * *", { overlap: "queue" })], {
      behaviours: { job: { leaves: 90 * SECOND } },
      shutdownTimeoutMs: HOUR,
    });
    until(kernel, "2026-11-21T16:02:30Z");
    shutdown(kernel);
    expect(next(kernel)).toBeNull();
    expect(kernel.wallTimers.size).toBe(0);
    kernel.moveClock(DAY);
    kernel.loseBrain();
    pass(kernel, 2 * MINUTE);
    expect(spawned(kernel)).toHaveLength(1);
    expect(kernel.exitCode).toBe(0);
  });
});

describe("needed by others", () => {
  test("it runs at boot for them, and they stay up when it runs again and fails", () => {
    const kernel = at(
      "2026-11-21T16:00:00Z",
      [job("0 17 * * *"), service("web", { requires: needs("job") })],
      { behaviours: { job: [{ ends: ends(SECOND) }, { ends: ends(SECOND, 1) }] } },
    );
    until(kernel, "2026-11-21T16:00:02Z");
    expect(spawned(kernel)).toEqual(["job", "web"]);
    expect(runs(kernel)[0]).toMatchObject({ scheduled_at: null, success: true });
    until(kernel, "2026-11-21T17:00:02Z");
    expect(state(kernel, "job")).toBe("failed");
    expect(state(kernel, "web")).toBe("running");
    expect(starts(kernel, "web")).toHaveLength(1);
  });
});

describe("clocks", () => {
  test("set back by an hour: nothing runs twice", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("0 3 * * *")]);
    until(kernel, "2026-11-21T03:20:00Z");
    kernel.moveClock(-HOUR);
    until(kernel, "2026-11-21T12:00:00Z");
    expect(spawned(kernel)).toHaveLength(1);
    expect(next(kernel)).toBe("2026-11-22T03:00:00.000Z");
  });

  test("set back by an hour before it: it comes at its new time", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("0 3 * * *")]);
    until(kernel, "2026-11-21T02:50:00Z");
    kernel.moveClock(-HOUR);
    until(kernel, "2026-11-21T02:59:59Z");
    expect(spawned(kernel)).toEqual([]);
    until(kernel, "2026-11-21T03:00:00Z");
    expect(spawned(kernel)).toEqual(["job"]);
  });

  test("set back by a day: the new time counts", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("0 3 * * *")]);
    until(kernel, "2026-11-21T03:20:00Z");
    kernel.moveClock(-DAY);
    kernel.run(kernel.now);
    expect(next(kernel)).toBe("2026-11-21T03:00:00.000Z");
    until(kernel, "2026-11-21T12:00:00Z");
    expect(spawned(kernel)).toHaveLength(2);
  });

  test("set back again and again: after three hours in all the new time counts", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("0 * * * *")]);
    until(kernel, "2026-11-21T06:30:00Z");
    expect(spawned(kernel)).toHaveLength(4);
    kernel.moveClock(-2 * HOUR);
    kernel.run(kernel.now);
    expect(next(kernel)).toBe("2026-11-21T07:00:00.000Z");
    kernel.moveClock(-2 * HOUR);
    kernel.run(kernel.now);
    expect(next(kernel)).toBe("2026-11-21T03:00:00.000Z");
  });

  test("set back while nobody was there to hear of it", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("0 3 * * *")]);
    until(kernel, "2026-11-21T03:20:00Z");
    kernel.wallOffset -= DAY;
    kernel.loseBrain();
    // As far back as that, the new time counts.
    expect(next(kernel)).toBe("2026-11-21T03:00:00.000Z");
  });

  for (const [how, move] of [
    ["put forward", (kernel: Kernel) => kernel.moveClock(2 * HOUR)],
    ["asleep", (kernel: Kernel) => kernel.moveClock(2 * HOUR)],
    ["asleep, with a monotonic clock that goes on", (kernel: Kernel) => kernel.oversleep(2 * HOUR)],
  ] as const) {
    test(`${how} over its time: skipped`, () => {
      const kernel = at("2026-11-21T02:00:00Z", [job("0 3 * * *")]);
      until(kernel, "2026-11-21T02:50:00Z");
      move(kernel);
      kernel.run(kernel.now);
      expect(spawned(kernel)).toEqual([]);
      expect(next(kernel)).toBe("2026-11-22T03:00:00.000Z");
      const text =
        "scheduled (0 3 * * *) for 2026-11-21T03:00:00Z, missed: the machine slept, or its clock was put forward";
      expect(said(kernel)).toEqual([text]);
      expect(runs(kernel)).toEqual([
        {
          scheduled_at: "2026-11-21T03:00:00.000Z",
          started_at: null,
          ended_at: null,
          duration_ms: null,
          exit: null,
          success: null,
          skipped: 0,
          cause: text,
        },
      ]);
    });

    test(`${how} over many of its times: made up for once`, () => {
      const kernel = at("2026-11-21T02:00:00Z", [job("*/5 * * * *", { missed: "once" })]);
      until(kernel, "2026-11-21T02:12:00Z");
      expect(spawned(kernel)).toHaveLength(2);
      move(kernel);
      kernel.run(kernel.now);
      expect(spawned(kernel)).toHaveLength(3);
      expect(cause(kernel, "job")).toBe("exited with code 0");
      expect(runs(kernel)[0]).toMatchObject({ scheduled_at: "2026-11-21T02:15:00.000Z" });
      expect(next(kernel)).toBe("2026-11-21T04:15:00.000Z");
    });
  }

  test("a little late is not missed", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("0 3 * * *"), service("web")]);
    until(kernel, "2026-11-21T02:59:50Z");
    kernel.moveClock(MINUTE);
    kernel.run(kernel.now);
    expect(spawned(kernel)).toEqual(["web", "job"]);
  });

  test("an interval goes on when the clock is set back, and does not come in bursts after sleep", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("every 900s", { missed: "once" })]);
    until(kernel, "2026-11-21T02:10:00Z");
    kernel.moveClock(-DAY);
    pass(kernel, 5 * MINUTE - 1);
    expect(spawned(kernel)).toHaveLength(0);
    pass(kernel, 1);
    expect(spawned(kernel)).toHaveLength(1);
    kernel.moveClock(DAY);
    kernel.run(kernel.now);
    expect(spawned(kernel)).toHaveLength(2);
    pass(kernel, 15 * MINUTE - 1);
    expect(spawned(kernel)).toHaveLength(2);
    pass(kernel, 1);
    expect(spawned(kernel)).toHaveLength(3);
  });

  test("an interval whose time went by asleep is skipped", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("every 900s")]);
    kernel.moveClock(HOUR + MINUTE);
    kernel.run(kernel.now);
    expect(spawned(kernel)).toHaveLength(0);
    expect(next(kernel)).toBe("2026-11-21T03:15:00.000Z");
  });

  test("asleep for eight hours with a task of every second costs nothing", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("* * * * * *")]);
    kernel.moveClock(8 * HOUR);
    const begun = performance.now();
    kernel.run(kernel.now);
    expect(performance.now() - begun).toBeLessThan(200);
    expect(spawned(kernel)).toHaveLength(1);
    expect(runs(kernel)[0]?.scheduled_at).toBe("2026-11-21T10:00:00.000Z");
  });

  test("a timer that comes too early is armed again", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("0 3 * * *")]);
    kernel.wallOffset -= 10;
    until(kernel, "2026-11-21T02:59:59.990Z");
    expect(spawned(kernel)).toEqual([]);
    pass(kernel, 10);
    expect(starts(kernel)).toEqual(["2026-11-21T03:00:00Z"]);
  });
});

describe("a brain lost", () => {
  test("between its time and its start, at each step: neither lost nor twice", () => {
    for (let lost = 0; lost < 12; lost++) {
      const kernel = at("2026-11-21T02:00:00Z", [job("0 * * * *", { overlap: "queue" })], {
        behaviours: { job: { ends: ends(90 * MINUTE), spawnMs: 2 } },
        loses: (batch) => batch === lost,
      });
      until(kernel, "2026-11-21T06:10:00Z");
      expect(starts(kernel), `lost with batch ${lost}`).toEqual([
        "2026-11-21T03:00:00Z",
        "2026-11-21T04:30:00.002Z",
        "2026-11-21T06:00:00.004Z",
      ]);
      expect(runs(kernel)).toHaveLength(3);
    }
  });

  test("keeps history, queue and the run at work", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("* * * * *", { overlap: "queue" })], {
      behaviours: { job: [{ ends: ends(10 * SECOND, 3) }, { ends: ends(100 * SECOND) }] },
    });
    until(kernel, "2026-11-21T02:03:30Z");
    const before = runs(kernel);
    expect(before).toHaveLength(2);
    expect(before[0]).toMatchObject({
      success: null,
      ended_at: null,
      started_at: "2026-11-21T02:02:00.000Z",
    });
    expect(before[1]).toMatchObject({ success: false, exit: { code: 3 }, duration_ms: 10_000 });
    kernel.loseBrain();
    expect(runs(kernel)).toEqual(before);
    until(kernel, "2026-11-21T02:03:41Z");
    expect(starts(kernel)).toHaveLength(3);
    expect(runs(kernel)[1]).toMatchObject({ success: true, duration_ms: 100_000 });
  });

  test("a record that is nonsense is not believed", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("0 * * * *")]);
    until(kernel, "2026-11-21T03:10:00Z");
    const record = kernel.slate["service job"] ?? "";
    for (const [from, to] of [
      [/"schedule":\[[\d.]+/, '"schedule":["x"'],
      [/"schedule":.*$/, '"schedule":7}]'],
      [/"exited with code 0"\]\]/, '"exited with code 0",4],[]]'],
    ] as const) {
      expect(record).toMatch(from);
      kernel.slate["service job"] = record.replace(from, to);
      kernel.loseBrain();
      expect(next(kernel)).toBe("2026-11-21T04:00:00.000Z");
    }
  });
});

test("the history is bounded, and missed runs stand in it in order", () => {
  const kernel = at("2026-11-21T02:00:00Z", [job("* * * * *")], { behaviours: takes(90 * MINUTE) });
  until(kernel, "2026-11-21T02:30:00Z");
  kernel.moveClock(10 * MINUTE);
  kernel.run(kernel.now);
  expect(runs(kernel)).toHaveLength(1);
  expect(runs(kernel)[0]).toMatchObject({ success: null });
  const quick = at("2026-11-21T02:00:00Z", [job("* * * * *")]);
  until(quick, "2026-11-21T03:00:00Z");
  expect(runs(quick)).toHaveLength(10);
  expect(runs(quick)[0]?.scheduled_at).toBe("2026-11-21T03:00:00.000Z");
  expect(runs(quick)[9]?.scheduled_at).toBe("2026-11-21T02:51:00.000Z");
  expect((quick.slate["service job"] ?? "").length).toBeLessThan(2500);
});

test("a run that cannot be started is remembered as one", () => {
  const failure = { step: "exec", errno: 2, error: "ENOENT", message: "no such program", transient: false };
  const kernel = at("2026-11-21T02:00:00Z", [job("* * * * *")], { behaviours: { job: { failure } } });
  until(kernel, "2026-11-21T02:01:00Z");
  expect(runs(kernel)).toMatchObject([
    { success: false, exit: null, cause: "cannot start: exec: no such program (ENOENT)" },
  ]);
  until(kernel, "2026-11-21T02:02:00Z");
  expect(runs(kernel)).toHaveLength(2);
});

test("why tells of its schedule and its runs", () => {
  const kernel = at("2026-11-21T02:00:00Z", [job("0 3 * * *")]);
  until(kernel, "2026-11-21T03:00:00Z");
  const found = why(kernel.world, "job", kernel.clock);
  expect(found?.runs).toEqual(runs(kernel));
  expect(found?.answer).toBe("has ended: exited with code 0; due in 1d");
  expect(found?.chain.map(({ because }) => because)).toContain(
    "scheduled (0 3 * * *) for 2026-11-21T03:00:00Z",
  );
});

test("without a schedule there is nothing of it", () => {
  const kernel = machine([service("web")]);
  expect(runsOf(kernel.world, "web")).toEqual([]);
  expect(runsOf(kernel.world, "nobody")).toBeNull();
  kernel.moveClock(DAY);
  kernel.run(kernel.now);
  expect(kernel.commands("armWall")).toEqual([]);
  expect(kernel.slate["service web"]).not.toContain("schedule");
});

describe("with what else a task may have", () => {
  const hooks = { "before-start": { argv: ["before"], timeoutMs: 5000 } };

  test("a hook before it is a part of the run, and so is its failure", () => {
    const kernel = at("2026-11-21T02:00:00Z", [job("* * * * *", { spec: { hooks } })], {
      behaviours: {
        job: { ends: ends(1000) },
        "job/before-start": [{ ends: ends(500) }, { ends: ends(500, 1) }],
      },
    });
    until(kernel, "2026-11-21T02:02:30Z");
    expect(runs(kernel)).toMatchObject([
      { scheduled_at: "2026-11-21T02:02:00.000Z", success: false, exit: null },
      { scheduled_at: "2026-11-21T02:01:00.000Z", success: true, exit: { code: 0 }, duration_ms: 1000 },
    ]);
    expect(runs(kernel)[0]?.cause).toContain("before-start");
  });

  test("masked or pinned down it does not run, and nothing is made up for", () => {
    for (const hold of [
      [{ type: "mask" }, { type: "unmask" }],
      [{ type: "pin", state: "down" }, { type: "unpin" }],
    ] as const) {
      const kernel = at("2026-11-21T02:00:00Z", [job("* * * * *", { missed: "once", overlap: "queue" })]);
      kernel.askNow({ name: "job", because: "asked by uid 0", ...hold[0] });
      until(kernel, "2026-11-21T02:05:30Z");
      expect(spawned(kernel)).toEqual([]);
      kernel.askNow({ name: "job", because: "asked by uid 0", ...hold[1] });
      kernel.run(kernel.now);
      expect(spawned(kernel)).toEqual([]);
      until(kernel, "2026-11-21T02:06:00Z");
      expect(starts(kernel)).toEqual(["2026-11-21T02:06:00Z"]);
    }
  });
});
