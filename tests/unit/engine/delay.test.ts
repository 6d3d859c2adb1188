import { describe, expect, test } from "vitest";
import { why } from "../../../src/engine/index.ts";
import type { Behaviour } from "../../sim/kernel.ts";
import {
  ask,
  cause,
  changes,
  hold,
  lose,
  machine,
  needs,
  pass,
  service,
  shutdown,
  spawned,
  state,
  states,
  view,
} from "./helpers.ts";

const ends = (code: number, afterMs = 10): Behaviour => ({ ends: { afterMs, exit: { code } } });
const delayed = { startDelayMs: 500 } as const;

describe("start-delay", () => {
  test("is waited for, and says so", () => {
    const kernel = machine([service("web", delayed)]);
    expect(state(kernel, "web")).toBe("waiting");
    expect(cause(kernel, "web")).toBe("starts with the supervisor, starts in 500ms");
    expect(view(kernel, "web").next_start_at).toBe(new Date(kernel.clock.wall + 500).toISOString());
    pass(kernel, 200);
    expect(why(kernel.world, "web", kernel.clock)?.answer).toBe(
      "waits: starts with the supervisor, starts in 300ms",
    );
    pass(kernel, 299);
    expect(spawned(kernel)).toEqual([]);
    pass(kernel, 1);
    expect(state(kernel, "web")).toBe("running");
    expect(changes(kernel, "web")).toEqual(["inactive waiting", "waiting starting", "starting running"]);
    expect(kernel.published.findLast(({ to }) => to === "starting")?.cause).toBe(
      "starts with the supervisor",
    );
    expect(kernel.timers.size).toBe(0);
  });

  test("begins when the order allows the start", () => {
    const kernel = machine(
      [
        service("db", { ready: [{ type: "file", path: "/f", fresh: false }] }),
        service("web", { ...delayed, requires: needs("db") }),
      ],
      { behaviours: { db: { readyAfterMs: [300] } } },
    );
    pass(kernel, 400);
    expect(cause(kernel, "web")).toMatch(/^its wait for db is over, starts in 500ms$/);
    pass(kernel, 300);
    expect(state(kernel, "web")).toBe("waiting");
    pass(kernel, 400);
    expect(state(kernel, "web")).toBe("running");
  });

  test("begins anew when what it requires has gone meanwhile", () => {
    const kernel = machine([
      service("db", { restartDelayMs: 300, restartJitter: 0 }),
      service("web", { ...delayed, requires: needs("db") }),
    ]);
    pass(kernel, 400);
    kernel.crash("db");
    pass(kernel, 0);
    expect(cause(kernel, "web")).toBe("waits for db");
    expect(view(kernel, "web").next_start_at).toBe(null);
    pass(kernel, 300);
    const back = kernel.now;
    expect(state(kernel, "db")).toBe("running");
    pass(kernel, 498);
    expect(state(kernel, "web")).toBe("waiting");
    pass(kernel, 2);
    expect(kernel.times("spawn").at(-1)).toBeGreaterThanOrEqual(back + 498);
    expect(state(kernel, "web")).toBe("running");
  });

  test("comes on top of restart-delay, and before a start that is asked for", () => {
    const kernel = machine([service("web", { ...delayed, restartDelayMs: 100, restartJitter: 0 })], {
      behaviours: { web: [ends(1), {}] },
    });
    pass(kernel, 511);
    expect(state(kernel, "web")).toBe("backoff");
    pass(kernel, 100);
    expect(cause(kernel, "web")).toBe("restart 1: exited with code 1, starts in 500ms");
    pass(kernel, 500);
    expect(state(kernel, "web")).toBe("running");
    ask(kernel, "restart", "web");
    expect([state(kernel, "web"), cause(kernel, "web")]).toEqual([
      "waiting",
      "restart asked by uid 0, starts in 500ms",
    ]);
    pass(kernel, 500);
    expect(state(kernel, "web")).toBe("running");
  });

  test("a stop, a shutdown, a pin end it", () => {
    for (const end of [
      (kernel: ReturnType<typeof machine>) => ask(kernel, "stop", "web"),
      (kernel: ReturnType<typeof machine>) => shutdown(kernel),
      (kernel: ReturnType<typeof machine>) => hold(kernel, "pin down", "web"),
    ]) {
      const kernel = machine([service("web", delayed)]);
      end(kernel);
      pass(kernel, 1000);
      expect(spawned(kernel)).toEqual([]);
      expect(kernel.timers.size).toBe(0);
      expect(state(kernel, "web")).toBe("inactive");
    }
  });

  test("a mask puts it off, and it begins anew", () => {
    const kernel = machine([service("web", delayed)]);
    pass(kernel, 400);
    hold(kernel, "mask", "web");
    pass(kernel, 1000);
    expect([state(kernel, "web"), cause(kernel, "web")]).toEqual(["waiting", "is masked"]);
    hold(kernel, "unmask", "web");
    pass(kernel, 499);
    expect(state(kernel, "web")).toBe("waiting");
    pass(kernel, 1);
    expect(state(kernel, "web")).toBe("running");
  });

  test("a fresh brain goes on with it", () => {
    const kernel = machine([service("web", delayed)]);
    pass(kernel, 400);
    lose(kernel);
    expect(state(kernel, "web")).toBe("waiting");
    pass(kernel, 99);
    expect(spawned(kernel)).toEqual([]);
    pass(kernel, 1);
    expect(states(kernel)).toEqual({ web: "running" });
  });

  test("stands before the gate, and takes no place in it", () => {
    const kernel = machine([service("slow", { startDelayMs: 1000 }), service("a"), service("b")], {
      startConcurrency: 1,
      behaviours: { a: { spawnMs: 10 }, b: { spawnMs: 10 } },
    });
    pass(kernel, 30);
    expect(states(kernel)).toEqual({ slow: "waiting", a: "running", b: "running" });
    pass(kernel, 1000);
    expect(state(kernel, "slow")).toBe("running");
  });
});
