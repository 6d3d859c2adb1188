import { describe, expect, test } from "vitest";
import type { Behaviour } from "../../sim/kernel.ts";
import {
  ask,
  bound,
  cause,
  lose,
  machine,
  needs,
  pass,
  refusal,
  service,
  shutdown,
  spawned,
  state,
  states,
  stopped,
  task,
  view,
} from "./helpers.ts";

const ends = (code: number, afterMs = 10): Behaviour => ({ ends: { afterMs, exit: { code } } });
const killed = (signal: string, afterMs = 10): Behaviour => ({ ends: { afterMs, exit: { signal } } });

/** The state a lone service is in shortly after its first run has ended. */
function stateAfter(spec: Parameters<typeof service>[1], behaviour: Behaviour): string {
  const kernel = machine([service("web", spec)], { behaviours: { web: [behaviour, {}] } });
  pass(kernel, 11);
  return state(kernel, "web");
}

describe("an exit is judged", () => {
  test.each([
    ["always", 0, "backoff"],
    ["always", 1, "backoff"],
    ["on-failure", 0, "exited"],
    ["on-failure", 1, "backoff"],
    ["never", 0, "exited"],
    ["never", 1, "failed"],
  ] as const)("restart = %s, code %i: %s", (restart, code, expected) => {
    expect(stateAfter({ restart }, ends(code))).toBe(expected);
  });

  test("success-codes say what success is", () => {
    expect(stateAfter({ restart: "never", successCodes: [0, 7] }, ends(7))).toBe("exited");
    expect(stateAfter({ restart: "on-failure", successCodes: [7] }, ends(0))).toBe("backoff");
  });

  test("death by a signal is a failure", () => {
    expect(stateAfter({ restart: "never", successCodes: [0, 9, 137] }, killed("KILL"))).toBe("failed");
    expect(stateAfter({ restart: "on-failure" }, killed("TERM"))).toBe("backoff");
  });

  test("success-signals say which deaths are none", () => {
    const successSignals = ["TERM", "USR1"];
    expect(stateAfter({ restart: "never", successSignals }, killed("USR1"))).toBe("exited");
    expect(stateAfter({ restart: "on-failure", successSignals }, killed("TERM"))).toBe("exited");
    expect(stateAfter({ restart: "on-failure", successSignals }, killed("KILL"))).toBe("backoff");
    expect(stateAfter({ restart: "always", successSignals }, killed("TERM"))).toBe("backoff");
  });

  test("no-restart-codes win over the policy", () => {
    expect(stateAfter({ noRestartCodes: [3] }, ends(3))).toBe("failed");
    expect(stateAfter({ noRestartCodes: [0] }, ends(0))).toBe("exited");
    expect(stateAfter({ noRestartCodes: [3] }, ends(4))).toBe("backoff");
  });

  test("a task that succeeds is done, one that fails has failed", () => {
    const kernel = machine([task("good"), task("bad"), task("again", { restart: "on-failure" })], {
      behaviours: { good: ends(0), bad: ends(2), again: [ends(2), ends(0)] },
    });
    pass(kernel, 11);
    expect(states(kernel)).toEqual({ good: "exited", bad: "failed", again: "backoff" });
    expect(view(kernel, "bad").exit).toMatchObject({ code: 2 });
    pass(kernel, 1000);
    expect(state(kernel, "again")).toBe("exited");
  });

  test("two exits at once are two exits", () => {
    const kernel = machine([service("a"), service("b")]);
    kernel.crash("a");
    kernel.crash("b");
    pass(kernel, 0);
    expect(states(kernel)).toEqual({ a: "backoff", b: "backoff" });
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ a: "running", b: "running" });
  });
});

describe("backoff", () => {
  /** Delays between an end and the next start. */
  function delays(spec: Parameters<typeof service>[1], behaviour: Behaviour, ms: number): number[] {
    const kernel = machine([service("web", spec)], { behaviours: { web: behaviour } });
    pass(kernel, ms);
    const starts = kernel.times("spawn");
    return starts.slice(1).map((time, index) => time - (starts[index] ?? 0) - (behaviour.ends?.afterMs ?? 0));
  }

  test("doubles, keeps to 10 %, and never exceeds its maximum", () => {
    const found = delays({ restartDelayMaxMs: 1000 }, ends(1, 0), 20_000);
    const plain = found.map((_, index) => Math.min(100 * 2 ** index, 1000));
    expect(found.length).toBeGreaterThan(15);
    for (const [index, delay] of found.entries()) {
      expect(delay).toBeGreaterThanOrEqual((plain[index] ?? 0) * 0.9);
      expect(delay).toBeLessThanOrEqual(Math.min((plain[index] ?? 0) * 1.1, 1000));
    }
    expect(new Set(found.slice(0, 3).map((delay, index) => delay / (plain[index] ?? 1))).size).toBe(3);
  });

  test("starts over after a run that lasted", () => {
    const found = delays({ restartResetMs: 500 }, ends(1, 500), 20_000);
    expect(found.length).toBeGreaterThan(10);
    for (const delay of found) expect(delay).toBeLessThanOrEqual(110);
  });

  test("does not start over after a run that did not", () => {
    const found = delays({ restartResetMs: 500 }, ends(1, 499), 20_000);
    expect(found.at(-1)).toBeGreaterThan(1000);
  });

  test("of no delay is none: started again in the same step", () => {
    const kernel = machine([service("web", { restartDelayMs: 0 })], { behaviours: { web: [ends(1), {}] } });
    pass(kernel, 10);
    expect(spawned(kernel)).toEqual(["web", "web"]);
    const [first, second] = kernel.times("spawn");
    expect((second ?? 0) - (first ?? 0)).toBe(10);
    expect(kernel.commands("arm")).toEqual([]);
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 1 });
  });

  test("shows when it starts again, and is silent afterwards", () => {
    const kernel = machine([service("web", { restartDelayMs: 5000 })]);
    kernel.crash("web");
    pass(kernel, 0);
    const next = Date.parse(view(kernel, "web").next_start_at ?? "") - kernel.clock.wall;
    expect(next).toBeGreaterThanOrEqual(4499);
    expect(next).toBeLessThanOrEqual(5500);
    expect(cause(kernel, "web")).toMatch(/^killed by signal KILL, starts again in \d\.?\d?s$/);
    pass(kernel, 6000);
    expect(view(kernel, "web")).toMatchObject({ state: "running", next_start_at: null, restarts: 1 });
    expect(kernel.isIdle()).toBe(true);
  });
});

describe("restart-limit", () => {
  test("more than so many restarts within the window: failed, and it says so", () => {
    const kernel = machine([service("web", { restartLimit: 3, restartDelayMs: 0 })], {
      behaviours: { web: ends(1) },
    });
    pass(kernel, 1000);
    expect(spawned(kernel)).toHaveLength(4);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("more than 3 restarts within 1m, last: exited with code 1");
    expect(kernel.isIdle()).toBe(true);
  });

  test("restarts that are far enough apart go on", () => {
    const spec = { restartLimit: 2, restartDelayMs: 0, restartWindowMs: 100 };
    const kernel = machine([service("web", spec)], { behaviours: { web: ends(1, 60) } });
    pass(kernel, 10_000);
    expect(state(kernel, "web")).toBe("running");
    const close = machine([service("web", spec)], { behaviours: { web: ends(1, 30) } });
    pass(close, 10_000);
    expect(state(close, "web")).toBe("failed");
  });

  test("a start asked for gives a new chance", () => {
    const kernel = machine([service("web", { restartLimit: 1, restartDelayMs: 0 })], {
      behaviours: { web: ends(1) },
    });
    pass(kernel, 100);
    ask(kernel, "start", "web");
    pass(kernel, 100);
    expect(spawned(kernel)).toHaveLength(4);
  });

  test("unless it is to go on counting", () => {
    const kernel = machine([service("web", { restartLimit: 1, restartDelayMs: 0, restartWindowMs: 0 })], {
      behaviours: { web: ends(1) },
    });
    pass(kernel, 100);
    kernel.ask({ type: "start", names: ["web"], because: "asked by uid 0", counting: true });
    kernel.run(kernel.now);
    pass(kernel, 100);
    expect(spawned(kernel)).toHaveLength(3);
  });
});

describe("leftovers of a leader that ended", () => {
  test("go first, by the service's own stop settings; then its exit is judged", () => {
    const spec = {
      stop: { signal: "INT", timeoutMs: 500, evict: "stop" as const, tree: false },
      restart: "never" as const,
    };
    const kernel = machine([service("web", spec)], {
      behaviours: { web: { ...ends(1), leftovers: 2, leftoversLeave: 100 } },
    });
    pass(kernel, 50);
    expect(state(kernel, "web")).toBe("stopping");
    expect(cause(kernel, "web")).toBe("exited with code 1 and left 2 processes");
    expect(kernel.commands("stop")).toEqual([
      { type: "stop", id: 1, signal: "INT", timeoutMs: 500, tree: false },
    ]);
    pass(kernel, 100);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("exited with code 1");
  });

  test("delay the restart until they are gone", () => {
    const kernel = machine([service("web", { restartDelayMs: 0 })], {
      behaviours: { web: [{ ...ends(1), leftovers: 1, leftoversLeave: "never" }, {}] },
    });
    pass(kernel, 5000);
    expect(spawned(kernel)).toHaveLength(1);
    pass(kernel, 6000);
    expect(spawned(kernel)).toHaveLength(2);
  });

  test("a stop asked meanwhile wins: no judgement", () => {
    const kernel = machine([service("web", { restartDelayMs: 0 })], {
      behaviours: { web: { ...ends(1), leftovers: 1, leftoversLeave: 100 } },
    });
    pass(kernel, 20);
    ask(kernel, "stop", "web");
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("inactive");
    expect(spawned(kernel)).toHaveLength(1);
  });

  test("a start asked meanwhile wins, too: up again at once after them", () => {
    const kernel = machine([service("web", { restart: "never" })], {
      behaviours: { web: [{ ...ends(1), leftovers: 1, leftoversLeave: 100 }, {}] },
    });
    pass(kernel, 20);
    ask(kernel, "start", "web");
    expect(state(kernel, "web")).toBe("stopping");
    pass(kernel, 100);
    expect(state(kernel, "web")).toBe("running");
    expect(view(kernel, "web").restarts).toBe(0);
  });

  test("that cannot be ended: failed, and no second set beside them", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: "never", immortal: true } } });
    ask(kernel, "restart", "web");
    pass(kernel, 11_000);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("could not be ended: pid 100 (web) is still there");
    expect(spawned(kernel)).toHaveLength(1);
    shutdown(kernel);
    kernel.run();
    expect(kernel.exitCode).toBe(1);
  });
});

describe("a start that is refused", () => {
  test("for want of something that may come: a failed run", () => {
    const kernel = machine([service("web")], {
      behaviours: { web: [{ failure: refusal("EAGAIN", "fork", true) }, {}] },
    });
    expect(state(kernel, "web")).toBe("backoff");
    expect(cause(kernel, "web")).toMatch(/^cannot start: fork: no fork \(EAGAIN\), starts again in/);
    pass(kernel, 200);
    expect(state(kernel, "web")).toBe("running");
  });

  test("for good: failed at once, whatever the policy", () => {
    const kernel = machine([service("web", { restart: "always" })], {
      behaviours: { web: { failure: refusal("ENOENT") } },
    });
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("cannot start: exec: no exec (ENOENT)");
    pass(kernel, 60_000);
    expect(spawned(kernel)).toHaveLength(1);
    expect(kernel.commands("forget")).toEqual([]);
  });

  test("while a stop was asked: inactive", () => {
    const kernel = machine([service("web")], {
      behaviours: { web: { spawnMs: 10, failure: refusal("ENOENT") } },
    });
    ask(kernel, "stop", "web");
    pass(kernel, 20);
    expect(state(kernel, "web")).toBe("inactive");
  });
});

describe("start-timeout", () => {
  const slow = { ready: [{ type: "file" as const, path: "/ready" }] };

  test("passed before it is ready: stopped, a failed run", () => {
    const kernel = machine([service("web", slow)], {
      behaviours: { web: [{ readyAfterMs: [1e9], leaves: 200, stopExit: { code: 0 } }, {}] },
    });
    pass(kernel, 29_999);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 2);
    expect(state(kernel, "web")).toBe("stopping");
    expect(cause(kernel, "web")).toBe("not ready within 30s, last: file /ready: refused");
    pass(kernel, 200);
    expect(state(kernel, "web")).toBe("backoff");
    expect(view(kernel, "web").restarts).toBe(1);
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("running");
  });

  test("counts as failed even if it leaves with 0", () => {
    const kernel = machine([service("web", { ...slow, restart: "never" })], {
      behaviours: { web: { readyAfterMs: [1e9], stopExit: { code: 0 } } },
    });
    pass(kernel, 31_000);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("not ready within 30s, last: file /ready: refused");
  });

  test("of 0 is none; a task has one only if set", () => {
    const kernel = machine(
      [service("web", { ...slow, startTimeoutMs: 0 }), task("job"), task("short", { startTimeoutMs: 100 })],
      {
        behaviours: { web: { readyAfterMs: [1e9] } },
      },
    );
    pass(kernel, 200);
    expect(cause(kernel, "short")).toBe("not done within 100ms");
    pass(kernel, 3_600_000);
    expect(states(kernel)).toEqual({ web: "starting", job: "running", short: "failed" });
  });

  test("a stop during the stop it caused is not judged", () => {
    const kernel = machine([service("web", { ...slow, startTimeoutMs: 100 })], {
      behaviours: { web: { readyAfterMs: [1e9], leaves: 500 } },
    });
    pass(kernel, 200);
    ask(kernel, "stop", "web");
    pass(kernel, 60_000);
    expect(state(kernel, "web")).toBe("inactive");
    expect(spawned(kernel)).toHaveLength(1);
  });
});

describe("the crash of a requirement", () => {
  const pair = (requires: ReturnType<typeof needs>, db = {}) => [
    service("db", { restartDelayMs: 200, ...db }),
    service("web", { requires }),
  ];

  test("leaves dependents up", () => {
    const kernel = machine(pair(needs("db")));
    kernel.crash("db");
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
    expect(spawned(kernel)).toEqual(["db", "web", "db"]);
  });

  test("takes those along that are bound to it, until it is ready again", () => {
    const kernel = machine(pair(bound("db")), { behaviours: { web: { leaves: 50 } } });
    kernel.crash("db");
    pass(kernel, 10);
    expect(states(kernel)).toEqual({ db: "backoff", web: "stopping" });
    expect(cause(kernel, "web")).toBe("bound to db, which ended: killed by signal KILL");
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ db: "backoff", web: "waiting" });
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });

  test("takes along what is bound to what is bound, in order", () => {
    const kernel = machine(
      [
        ...pair(bound("db")),
        service("top", { requires: bound("web") }),
        service("free", { requires: needs("web") }),
      ],
      {
        behaviours: { web: { leaves: 10 }, top: { leaves: 10 } },
      },
    );
    kernel.crash("db", { code: 1 });
    pass(kernel, 100);
    expect(stopped(kernel)).toEqual(["top", "web"]);
    expect(states(kernel)).toEqual({ db: "backoff", web: "waiting", top: "waiting", free: "running" });
    pass(kernel, 1000);
    expect(new Set(Object.values(states(kernel)))).toEqual(new Set(["running"]));
  });

  test("a stop asked for while bound ones leave wins", () => {
    const kernel = machine(pair(bound("db")), { behaviours: { web: { leaves: 50 } } });
    kernel.crash("db");
    pass(kernel, 10);
    ask(kernel, "stop", "web");
    pass(kernel, 5000);
    expect(states(kernel)).toEqual({ db: "running", web: "inactive" });
  });

  test("that failed for good: on-failure = ignore leaves dependents up", () => {
    const kernel = machine(pair(needs("db"), { restart: "never" }));
    kernel.crash("db");
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ db: "failed", web: "running" });
  });

  test("that failed for good: stop-dependents stops them in order, until it comes back", () => {
    const kernel = machine(
      [
        ...pair(needs("db"), { restart: "never", onFailure: "stop-dependents" }),
        service("top", { requires: needs("web") }),
      ],
      { behaviours: { web: { leaves: 10 }, top: { leaves: 10 } } },
    );
    kernel.crash("db", { code: 1 });
    pass(kernel, 100);
    expect(stopped(kernel)).toEqual(["top", "web"]);
    expect(states(kernel)).toEqual({ db: "failed", web: "waiting", top: "waiting" });
    expect(cause(kernel, "web")).toBe("waits for db, which failed: exited with code 1");
    ask(kernel, "start", "db");
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ db: "running", web: "running", top: "running" });
  });

  test("that failed for good: shutdown leaves with 1, in order", () => {
    const kernel = machine(pair(needs("db"), { restart: "never", onFailure: "shutdown" }), {
      behaviours: { web: { leaves: 10 } },
    });
    kernel.crash("db", { code: 7 });
    kernel.run();
    expect(kernel.exitCode).toBe(1);
    expect(stopped(kernel)).toEqual(["web"]);
  });

  test("before the end for good, on-failure says nothing", () => {
    const kernel = machine(pair(needs("db"), { onFailure: "shutdown" }));
    kernel.crash("db", { code: 7 });
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });
});

describe("main", () => {
  const main = { main: true, restart: "never" as const };

  test.each([
    ["its own code", ends(7), 7],
    ["0", ends(0), 0],
    ["128+n for a signal", killed("TERM"), 143],
    ["128+n for a real-time signal", killed("RTMIN+2"), 164],
    ["127 if there is no such program", { failure: refusal("ENOENT") }, 127],
    ["126 if it cannot be run", { failure: refusal("EACCES") }, 126],
    ["1 if another step failed", { failure: refusal("ENOENT", "user") }, 1],
  ] as const)("when it has ended: an ordered shutdown, and %s", (_, behaviour, code) => {
    const kernel = machine([service("app", main), service("side")], {
      behaviours: { app: behaviour as Behaviour },
    });
    kernel.run();
    expect(kernel.exitCode).toBe(code);
    expect(stopped(kernel)).toEqual(["side"]);
  });

  test("that was not ready in time is no success", () => {
    const kernel = machine([service("app", { ...main, ready: [{ type: "file", path: "/x" }] })], {
      behaviours: { app: { readyAfterMs: [1e9], stopExit: { code: 0 } } },
    });
    kernel.run();
    expect(kernel.exitCode).toBe(1);
  });

  test("with a restart policy ends for good only when it is not restarted", () => {
    const kernel = machine([service("app", { main: true, restart: "on-failure" })], {
      behaviours: { app: [ends(3), ends(0)] },
    });
    kernel.run();
    expect(spawned(kernel)).toHaveLength(2);
    expect(kernel.exitCode).toBe(0);
  });

  test("an asked-for stop of it is not its end for good", () => {
    const kernel = machine([service("app", main)]);
    ask(kernel, "stop", "app");
    pass(kernel, 1000);
    expect(kernel.exitCode).toBeNull();
    ask(kernel, "restart", "app");
    expect(state(kernel, "app")).toBe("running");
  });

  test("with processes left keeps its own code", () => {
    const kernel = machine([service("app", main)], {
      behaviours: { app: { ...ends(5), leftovers: 1, leftoversLeave: "never" } },
    });
    kernel.run();
    expect(kernel.exitCode).toBe(5);
  });
});

describe("restart-backoff = linear", () => {
  test("grows by as much each time, up to its maximum", () => {
    const spec = {
      restartBackoff: "linear",
      restartDelayMs: 100,
      restartDelayMaxMs: 250,
      restartJitter: 0,
    } as const;
    const kernel = machine([service("web", spec)], { behaviours: { web: ends(1, 0) } });
    pass(kernel, 1000);
    const armed = kernel.log.flatMap(({ at, command }) =>
      command.type === "arm" && command.key === "again web" ? [command.at - at] : [],
    );
    expect(armed.slice(0, 4)).toEqual([100, 200, 250, 250]);
  });
});

describe("restart-unstartable", () => {
  test("a command that cannot be started is tried again by the rules", () => {
    const spec = { restartUnstartable: true, restartDelayMs: 3000, restartBackoff: "linear" } as const;
    const exact = { ...spec, restartDelayMaxMs: 3000, restartJitter: 0 };
    const kernel = machine([service("web", exact)], { behaviours: { web: { failure: refusal("ENOENT") } } });
    expect([state(kernel, "web"), view(kernel, "web").reason?.type]).toEqual(["backoff", "spawn"]);
    expect(cause(kernel, "web")).toBe("cannot start: exec: no exec (ENOENT), starts again in 3s");
    const first = kernel.now;
    pass(kernel, 6000);
    expect(kernel.times("spawn").map((at) => at - first)).toEqual([0, 3000, 6000]);
  });

  test("not without rules", () => {
    const kernel = machine([service("web", { restartUnstartable: true, restart: "never" })], {
      behaviours: { web: { failure: refusal("ENOENT") } },
    });
    expect(state(kernel, "web")).toBe("failed");
  });

  test("the limit counts it", () => {
    const spec = {
      restartUnstartable: true,
      restartLimit: 2,
      restartWindowMs: 0,
      restart: "on-failure",
    } as const;
    const kernel = machine([service("web", spec)], { behaviours: { web: { failure: refusal("ENOENT") } } });
    pass(kernel, 10_000);
    expect([state(kernel, "web"), kernel.runsOf("web")]).toEqual(["failed", 3]);
  });
});

describe("restart-reset-from = ready", () => {
  const ready = [{ type: "file", path: "/f", fresh: false }] as const;
  const limited = {
    restartLimit: 2,
    restartWindowMs: 0,
    restartDelayMs: 1,
    restartResetFrom: "ready",
    restartResetMs: 100,
    startTimeoutMs: 0,
    ready,
  } as const;

  test("a run that never was ready is never long enough", () => {
    const run = { ...ends(1, 5000), readyAfterMs: [10_000] };
    const kernel = machine([service("web", limited)], { behaviours: { web: run } });
    pass(kernel, 60_000);
    expect([state(kernel, "web"), kernel.runsOf("web")]).toEqual(["failed", 3]);
  });

  test.each([
    [90, "failed"],
    [110, "running"],
  ])("counts from when it was ready: %i ms", (more, expected) => {
    const run = ends(1, 1000 + more);
    const late = [{ type: "delay", ms: 1000 }] as const;
    const kernel = machine([service("web", { ...limited, ready: late, restartResetMs: 100 })], {
      behaviours: { web: [run, run, run, run, {}] },
    });
    pass(kernel, 60_000);
    expect(state(kernel, "web")).toBe(expected);
  });

  test("a fresh brain knows since when", () => {
    const run = { ...ends(1, 2000), readyAfterMs: [100] };
    const kernel = machine([service("web", { ...limited, restartLimit: 1 })], {
      behaviours: { web: [run, run, run, {}] },
    });
    for (let time = 0; time < 8; time++) {
      pass(kernel, 1000);
      lose(kernel);
    }
    expect([state(kernel, "web"), kernel.runsOf("web")]).toEqual(["running", 4]);
  });
});
