import { describe, expect, test } from "vitest";
import type { Behaviour } from "../../sim/kernel.ts";
import {
  ask,
  began,
  cause,
  change,
  hold,
  lose,
  machine,
  needs,
  pass,
  refusal,
  service,
  state,
  states,
  stopped,
  task,
  view,
} from "./helpers.ts";

const ends = (code: number, afterMs = 10): Behaviour => ({ ends: { afterMs, exit: { code } } });
const slow = { restartDelayMs: 10_000, restartJitter: 0 } as const;
const withA = { failWith: ["a"] } as const;
const never = { restart: "never" } as const;

describe("fail-with", () => {
  test.each([
    ["never", 1, "failed"],
    ["never", 0, "exited"],
    ["on-failure", 1, "backoff"],
    ["on-failure", 0, "exited"],
    ["always", 0, "backoff"],
  ] as const)("its run is ended and judged: restart = %s, code %i: %s", (restart, code, expected) => {
    const kernel = machine([service("a", slow), service("b", { ...withA, ...slow, restart })], {
      behaviours: { a: [ends(3), {}], b: { leaves: 50, stopExit: { code } } },
    });
    pass(kernel, 10);
    expect([state(kernel, "b"), cause(kernel, "b")]).toEqual([
      "stopping",
      "fails with a: exited with code 3",
    ]);
    pass(kernel, 50);
    expect(state(kernel, "b")).toBe(expected);
    expect(cause(kernel, "b")).toContain(`fails with a: exited with code 3; exited with code ${code}`);
    expect(state(kernel, "a")).toBe("backoff");
  });

  test("by its stop settings, also where evictions kill", () => {
    const stop = { signal: "QUIT", timeoutMs: 100, evict: "kill", tree: true } as const;
    const kernel = machine([service("a", slow), service("b", { ...withA, ...never, stop })], {
      behaviours: { a: ends(1), b: { leaves: "never" } },
    });
    pass(kernel, 10);
    expect(kernel.signals).toMatchObject([{ service: "b", signal: "QUIT" }]);
    pass(kernel, 100);
    expect([state(kernel, "b"), view(kernel, "b").exit]).toMatchObject(["failed", { signal: "KILL" }]);
  });

  test("every time, not only for good", () => {
    const kernel = machine(
      [
        service("a", { restartDelayMs: 100, restartJitter: 0, restartBackoff: "linear" }),
        service("b", { ...withA, restartDelayMs: 0 }),
      ],
      { behaviours: { a: [ends(1), ends(1), {}] } },
    );
    pass(kernel, 1000);
    expect(stopped(kernel)).toEqual(["b", "b"]);
    expect(states(kernel)).toEqual({ a: "running", b: "running" });
  });

  test("success, and an asked-for stop, are no failure", () => {
    const kernel = machine([service("a", slow), service("c"), service("b", { failWith: ["a", "c"] })], {
      behaviours: { a: ends(0) },
    });
    pass(kernel, 20);
    ask(kernel, "stop", "c");
    ask(kernel, "restart", "a");
    pass(kernel, 20);
    expect(state(kernel, "b")).toBe("running");
  });

  test("a start that failed is a failure, too", () => {
    const kernel = machine([service("b", { ...withA, ...never }), service("a")], {
      behaviours: { a: { failure: refusal("ENOENT") } },
    });
    pass(kernel, 0);
    expect(cause(kernel, "b")).toContain("fails with a: cannot start: exec: no exec (ENOENT)");
  });

  test.each([
    ["never", "exited"],
    ["on-failure", "exited"],
    ["always", "waiting"],
  ] as const)("what waits to start is done without having run: restart = %s: %s", (restart, expected) => {
    const kernel = machine([service("a", never), service("b", { ...withA, restart, requires: needs("a") })], {
      behaviours: { a: { failure: refusal("ENOENT") } },
    });
    expect(state(kernel, "b")).toBe(expected);
    expect(view(kernel, "b")).toMatchObject({ pid: null, exit: null });
    if (expected === "exited") expect(cause(kernel, "b")).toMatch(/^fails with a: cannot start/);
    expect(kernel.commands("spawn").map(({ spec }) => spec.service)).toEqual(["a"]);
  });

  test("during its start-delay, too, which is over then", () => {
    const kernel = machine([service("a", never), service("b", { ...withA, ...never, startDelayMs: 1000 })], {
      behaviours: { a: ends(1) },
    });
    pass(kernel, 10);
    expect(state(kernel, "b")).toBe("exited");
    expect(kernel.timers.size).toBe(0);
    ask(kernel, "start", "b");
    pass(kernel, 1000);
    expect(state(kernel, "b")).toBe("running");
  });

  test("a task that has not run has failed", () => {
    const kernel = machine([service("a", never), task("t", { ...withA, requires: needs("a") })], {
      behaviours: { a: { failure: refusal("ENOENT") } },
    });
    expect(view(kernel, "t")).toMatchObject({ state: "failed", reason: { type: "fail-with", name: "a" } });
  });

  test("a task at work is ended", () => {
    const kernel = machine([service("a", never), task("t", withA)], { behaviours: { a: ends(1) } });
    pass(kernel, 20);
    expect(view(kernel, "t")).toMatchObject({ state: "failed", exit: { signal: "TERM" } });
  });

  test("while it is being started, when that is done", () => {
    const kernel = machine([service("a", never), service("b", { ...withA, ...never })], {
      behaviours: { a: ends(1), b: { spawnMs: 100, stopExit: { code: 0 } } },
    });
    pass(kernel, 50);
    expect([state(kernel, "b"), stopped(kernel)]).toEqual(["starting", []]);
    lose(kernel);
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ a: "failed", b: "exited" });
  });

  test("while its before-start hook is at work: the hook goes, and it never runs", () => {
    const hooks = { "before-start": { argv: ["h"], timeoutMs: 1000 } };
    const kernel = machine([service("a", never), service("b", { ...withA, ...never, hooks })], {
      behaviours: { a: ends(1), "b/before-start": { hangs: true, leaves: 20 } },
    });
    pass(kernel, 50);
    expect(began(kernel, "b")).toEqual(["b before-start"]);
    expect(state(kernel, "b")).toBe("exited");
  });

  test("what is pinned up stays", () => {
    const kernel = machine([service("a", never), service("b", { ...withA, ...never, autostart: false })], {
      behaviours: { a: ends(1, 100) },
    });
    hold(kernel, "pin up", "b");
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ a: "failed", b: "running" });
  });

  test("goes on from one to the next, and comes to rest in a circle", () => {
    const kernel = machine(
      [
        service("a", { failWith: ["c"], restartDelayMs: 0 }),
        service("b", { failWith: ["a"], restartDelayMs: 0 }),
        service("c", { failWith: ["b"], restartDelayMs: 0 }),
      ],
      { behaviours: { a: [ends(1), {}] } },
    );
    pass(kernel, 1000);
    expect(stopped(kernel)).toEqual(["b", "c"]);
    expect(states(kernel)).toEqual({ a: "running", b: "running", c: "running" });
  });

  test("its own failure for good follows: on-failure = shutdown", () => {
    const kernel = machine(
      [service("a", slow), service("b", { ...withA, ...never, onFailure: "shutdown" })],
      {
        behaviours: { a: ends(1) },
      },
    );
    pass(kernel, 1000);
    expect(kernel.exitCode).toBe(1);
  });

  test("survives the loss of the brain at any point", () => {
    for (const at of [5, 11, 30, 70]) {
      const kernel = machine([service("a", slow), service("b", { ...withA, ...never })], {
        behaviours: { a: ends(1), b: { leaves: 50, stopExit: { code: 0 } } },
      });
      pass(kernel, at);
      lose(kernel);
      pass(kernel, 200);
      expect([state(kernel, "b"), kernel.runsOf("b")]).toEqual(["exited", 1]);
    }
  });

  test("whom it fails with can change while it runs", () => {
    const kernel = machine([service("a", slow), service("b", never)], { behaviours: { a: ends(1, 100) } });
    change(kernel, { set: [service("b", { ...never, ...withA })] });
    pass(kernel, 200);
    expect(state(kernel, "b")).toBe("failed");
    const other = machine([service("a", slow), service("b", { ...never, ...withA })], {
      behaviours: { a: ends(1, 100) },
    });
    change(other, { remove: ["a"] });
    pass(other, 200);
    expect(state(other, "b")).toBe("running");
  });
});

describe("on-failure-at", () => {
  test("each: what requires it is stopped at each failed run", () => {
    const spec = { onFailure: "stop-dependents", ...slow } as const;
    for (const [onFailureAt, expected] of [
      ["end", "running"],
      ["each", "waiting"],
    ] as const) {
      const kernel = machine(
        [service("a", { ...spec, onFailureAt }), service("b", { requires: needs("a") })],
        {
          behaviours: { a: [ends(1, 50), {}] },
        },
      );
      pass(kernel, 100);
      expect(states(kernel)).toEqual({ a: "backoff", b: expected });
      pass(kernel, 10_000);
      expect(states(kernel)).toEqual({ a: "running", b: "running" });
    }
  });

  test("each, with success: nothing follows", () => {
    const kernel = machine(
      [
        service("a", { onFailure: "stop-dependents", onFailureAt: "each", ...slow }),
        service("b", { requires: needs("a") }),
      ],
      { behaviours: { a: [ends(0, 50), {}] } },
    );
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ a: "backoff", b: "running" });
  });

  test("each, with shutdown: it is not started again", () => {
    const spec = { onFailure: "shutdown", onFailureAt: "each", restartDelayMs: 0 } as const;
    const kernel = machine([service("a", spec), service("b")], { behaviours: { a: ends(1) } });
    pass(kernel, 1000);
    expect([kernel.exitCode, kernel.runsOf("a")]).toEqual([1, 1]);
    expect(state(kernel, "a")).toBe("failed");
  });

  test("each: the handler runs every time", () => {
    const spec = { onFailure: { run: "t" }, onFailureAt: "each", ...slow, restartDelayMs: 200 } as const;
    const kernel = machine([service("a", spec), task("t", { autostart: false })], {
      behaviours: { a: [ends(1), ends(1), {}], t: ends(0) },
    });
    pass(kernel, 2000);
    expect([kernel.runsOf("t"), state(kernel, "a")]).toEqual([2, "running"]);
  });
});
