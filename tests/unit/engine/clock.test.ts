import { describe, expect, test } from "vitest";
import { step } from "../../../src/engine/index.ts";
import { NOTHING_TOLD } from "../../sim/kernel.ts";
import { ask, machine, pass, receipt, service, shutdown, spawned, state, view } from "./helpers.ts";

const DAY = 86_400_000;

describe("the wall clock set back a day", () => {
  test("moves no timer", () => {
    const kernel = machine([service("web", { restartDelayMs: 1000 })]);
    kernel.crash("web");
    pass(kernel, 0);
    kernel.wallOffset -= DAY;
    pass(kernel, 1101);
    expect(state(kernel, "web")).toBe("running");
  });

  test("changes no uptime, no limit, no shutdown", () => {
    const kernel = machine([service("web", { restartLimit: 1, restartWindowMs: 1000, restartDelayMs: 0 })], {
      behaviours: { web: { leaves: "never" } },
      shutdownTimeoutMs: 2000,
    });
    pass(kernel, 500);
    const started = view(kernel, "web").started_at;
    kernel.wallOffset -= DAY;
    expect(view(kernel, "web")).toMatchObject({ uptime_ms: 500, started_at: started });
    kernel.crash("web");
    pass(kernel, 100);
    kernel.wallOffset += 2 * DAY;
    kernel.crash("web");
    pass(kernel, 0);
    expect(state(kernel, "web")).toBe("failed");
    ask(kernel, "start", "web");
    shutdown(kernel);
    kernel.wallOffset -= DAY;
    pass(kernel, 2000);
    expect(kernel.exitCode).toBe(0);
  });
});

describe("suspended for an hour", () => {
  test("and the monotonic clock stood still: as if nothing had been", () => {
    const kernel = machine([service("web", { ready: [{ type: "delay", ms: 100 }] })]);
    kernel.wallOffset += 3_600_000;
    pass(kernel, 100);
    expect(state(kernel, "web")).toBe("running");
  });

  test("and the monotonic clock went on: timers are late, nothing else", () => {
    const kernel = machine([service("web", { restartDelayMs: 1000 })]);
    kernel.crash("web");
    pass(kernel, 0);
    kernel.now += 3_600_000;
    pass(kernel, 0);
    expect(state(kernel, "web")).toBe("running");
    expect(spawned(kernel)).toHaveLength(2);
  });
});

describe("events that come late find nothing", () => {
  test("timers, probes and lines of a run that is over, and sets that are forgotten", () => {
    const kernel = machine([service("web"), service("other")]);
    ask(kernel, "stop", "web");
    const { world, clock } = kernel;
    const at = kernel.now;
    const answer = { at, reason: "", tookMs: 1, timedOut: false, pressure: null };
    const late = [
      { type: "timer", key: "start 1", at },
      { type: "timer", key: "again web", at },
      { type: "timer", key: "again nobody", at },
      { type: "timer", key: "probe 1 0", at },
      { type: "timer", key: "delay 1 0", at },
      { type: "timer", key: "shutdown", at },
      { type: "timer", key: "", at },
      { type: "probed", key: "probe 1 0", ok: true, ...answer },
      { type: "probed", key: "probe 2 0", ok: false, ...answer },
      { type: "probed", key: "health 1 0", ok: false, ...answer },
      { type: "probed", key: "pressure 1", ok: true, ...answer },
      { type: "timer", key: "health 1", at },
      { type: "timer", key: "watchdog 1", at },
      { type: "notified", id: 1, at, notice: { ...NOTHING_TOLD, ready: true, watchdogTrigger: true } },
      { type: "logMatched", key: "log 2 7", at },
      { type: "spawned", id: 1, pid: 100, at },
      { type: "spawned", id: 2, pid: 101, at },
      { type: "exited", id: 1, at, exit: { code: 0 }, leftovers: 0 },
      { type: "stopped", id: 1, at, receipt: receipt("web") },
      { type: "stopped", id: 99, at, receipt: receipt(null) },
    ] as const;
    for (const event of late) expect(step(world, event, clock), event.type).toEqual([]);
  });

  test("a timer that comes too early is armed again", () => {
    const kernel = machine(
      [service("web", { restartDelayMs: 1000 }), service("slow", { ready: [{ type: "file", path: "/x" }] })],
      {
        behaviours: { slow: { readyAfterMs: [1e9], leaves: 100 } },
      },
    );
    kernel.crash("web");
    pass(kernel, 0);
    const { world, clock } = kernel;
    const early = (key: string) => step(world, { type: "timer", key, at: kernel.now }, clock);
    expect(early("again web")).toMatchObject([{ type: "arm", key: "again web" }]);
    expect(early("start 2")).toMatchObject([{ type: "arm", key: "start 2" }]);
    shutdown(kernel);
    expect(early("shutdown")).toMatchObject([{ type: "arm", key: "shutdown" }]);
  });
});
