import { describe, expect, test } from "vitest";
import type { Exit } from "../../../src/generated/protocol.ts";
import type { HookName, HookSpecs } from "../../../src/model/spec.ts";
import type { Behaviour, Kernel } from "../../sim/kernel.ts";
import {
  ask,
  began,
  bound,
  cause,
  changes,
  down,
  environmentOf,
  lose,
  machine,
  needs,
  pass,
  refusal,
  service,
  shutdown,
  signal,
  state,
  states,
  stopped,
  task,
  up,
  view,
} from "./helpers.ts";

const ends = (exit: Exit, afterMs = 0): Behaviour => ({ ends: { afterMs, exit } });
const takes = (ms: number): Behaviour => ends({ code: 0 }, ms);
const fails = (code = 1): Behaviour => ends({ code });
const HANGS: Behaviour = { hangs: true };

function hooks(...names: HookName[]): HookSpecs {
  return Object.fromEntries(names.map((name) => [name, { argv: [name], timeoutMs: 1000 }]));
}

const ALL = hooks("before-start", "after-start", "before-stop", "after-exit");

/** How often hooks and the main process were begun. */
function count(kernel: Kernel, what: string): number {
  return began(kernel).filter((one) => one === what).length;
}

describe("a whole life", () => {
  test("goes through all hooks in order", () => {
    const kernel = machine([service("web", { hooks: ALL })]);
    expect(began(kernel)).toEqual(["web before-start", "web", "web after-start"]);
    expect(state(kernel, "web")).toBe("running");
    ask(kernel, "stop", "web");
    expect(began(kernel)).toEqual([
      "web before-start",
      "web",
      "web after-start",
      "web before-stop",
      "web after-exit",
    ]);
    expect(state(kernel, "web")).toBe("inactive");
    expect(cause(kernel, "web")).toBe("stop asked by uid 0");
    expect(kernel.sets.size).toBe(0);
    expect(kernel.isIdle()).toBe(true);
  });

  test("is told in public states", () => {
    const kernel = machine([service("web", { hooks: ALL })], {
      behaviours: {
        "web/before-start": takes(50),
        "web/before-stop": takes(50),
        "web/after-exit": takes(50),
      },
    });
    expect(state(kernel, "web")).toBe("starting");
    expect(cause(kernel, "web")).toBe("its before-start hook runs as pid 100");
    pass(kernel, 60);
    ask(kernel, "stop", "web");
    expect(view(kernel, "web")).toMatchObject({ state: "stopping", ready: false, pid: 101 });
    expect(cause(kernel, "web")).toMatch(/^its before-stop hook runs as pid \d+$/);
    pass(kernel, 60);
    expect(view(kernel, "web")).toMatchObject({ state: "stopping", pid: null });
    expect(cause(kernel, "web")).toMatch(/^its after-exit hook runs as pid \d+$/);
    expect(down(kernel, "web")).toBe("pending");
    pass(kernel, 60);
    expect(changes(kernel, "web")).toEqual([
      "inactive starting",
      "starting running",
      "running stopping",
      "stopping inactive",
    ]);
  });

  test("publishes each hook's beginning and end", () => {
    const kernel = machine([service("web", { hooks: hooks("before-start") })]);
    const told = kernel.published.filter(({ event }) => event === "hook").map((event) => event.cause);
    expect(told).toEqual(["before-start hook runs as pid 100", "before-start hook is done"]);
  });

  test("without hooks has no trace of them", () => {
    const kernel = machine([service("web")]);
    expect(kernel.world.services[0]?.around).toBeNull();
    expect(kernel.slate["service web"]).not.toContain("around");
  });

  test("hooks write to logs of their own, opened when they are first used", () => {
    const kernel = machine([service("web", { hooks: hooks("before-start", "after-exit") })]);
    expect(kernel.logs).toEqual(new Set(["web", "web/before-start"]));
    const [hook] = kernel.commands("spawn");
    expect(hook?.spec).toMatchObject({ service: "web", role: "before-start", log: "web/before-start" });
  });
});

describe("before-start", () => {
  test("runs when the order admits the start, and others wait for what follows it", () => {
    const kernel = machine(
      [
        service("db", { hooks: hooks("before-start") }),
        service("web", { requires: needs("db"), hooks: hooks("before-start") }),
      ],
      { behaviours: { "db/before-start": takes(100) } },
    );
    expect(states(kernel)).toEqual({ db: "starting", web: "waiting" });
    expect(cause(kernel, "web")).toBe("waits for db");
    pass(kernel, 110);
    expect(began(kernel)).toEqual(["db before-start", "db", "web before-start", "web"]);
  });

  test("that fails is a failed run, with its restart rules", () => {
    const kernel = machine([service("web", { hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": [fails(3), {}] },
    });
    expect(state(kernel, "web")).toBe("backoff");
    expect(cause(kernel, "web")).toMatch(
      /^its before-start hook failed: exited with code 3, starts again in/,
    );
    expect(up(kernel, "web")).toMatchObject({ failed: expect.stringContaining("before-start") });
    pass(kernel, 200);
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 1 });
  });

  test("that fails where nothing is restarted: failed", () => {
    const kernel = machine([service("web", { restart: "never", hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": fails() },
    });
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("its before-start hook failed: exited with code 1");
    expect(count(kernel, "web")).toBe(0);
  });

  test("that takes too long is killed with its tree", () => {
    const kernel = machine([service("web", { restart: "never", hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": { ...HANGS, leaves: "never" } },
    });
    pass(kernel, 999);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 1);
    expect(kernel.commands("stop")).toMatchObject([{ signal: "TERM", timeoutMs: 0, tree: true }]);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("its before-start hook failed: not done within 1s");
  });

  test("that cannot be spawned is a failed run", () => {
    const kernel = machine([service("web", { restart: "never", hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": { failure: refusal("ENOENT") } },
    });
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toContain(
      "its before-start hook failed: cannot start: exec: no exec (ENOENT)",
    );
  });

  test("that leaves processes: they are stopped before the service starts", () => {
    const kernel = machine([service("web", { hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": { ...takes(0), leftovers: 2, leftoversLeave: 30 } },
    });
    expect(state(kernel, "web")).toBe("starting");
    expect(count(kernel, "web")).toBe(0);
    pass(kernel, 31);
    expect(state(kernel, "web")).toBe("running");
  });

  test.each([
    ["stop", "inactive", 1],
    ["restart", "running", 2],
  ] as const)("a %s meanwhile cuts it short", (verb, after, runs) => {
    const kernel = machine([service("web", { hooks: hooks("before-start", "after-exit") })], {
      behaviours: { "web/before-start": [HANGS, {}] },
    });
    ask(kernel, verb, "web");
    expect(state(kernel, "web")).toBe(after);
    expect(count(kernel, "web before-start")).toBe(runs);
    expect(count(kernel, "web")).toBe(runs - 1);
    // The cut run got as far as before-start, so it is cleaned up after.
    expect(count(kernel, "web after-exit")).toBe(1);
    expect(view(kernel, "web").restarts).toBe(0);
  });

  test("a stop waits for the hook to leave, and says so", () => {
    const kernel = machine([service("web", { hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": { ...HANGS, leaves: 50 } },
    });
    ask(kernel, "stop", "web");
    expect(state(kernel, "web")).toBe("stopping");
    expect(down(kernel, "web")).toBe("pending");
    pass(kernel, 50);
    expect(state(kernel, "web")).toBe("inactive");
    expect(cause(kernel, "web")).toBe("stop asked by uid 0");
  });

  test("a start meanwhile changes nothing", () => {
    const kernel = machine([service("web", { hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": takes(50) },
    });
    ask(kernel, "start", "web");
    pass(kernel, 50);
    expect(began(kernel)).toEqual(["web before-start", "web"]);
  });

  test("keeps what conflicts with the service from starting", () => {
    const kernel = machine(
      [
        service("a", { hooks: hooks("before-start"), conflicts: [{ name: "b", wait: false }] }),
        service("b", { autostart: false }),
      ],
      { behaviours: { "a/before-start": { ...HANGS, leaves: 40 } } },
    );
    ask(kernel, "start", "b");
    expect(states(kernel)).toEqual({ a: "stopping", b: "waiting" });
    pass(kernel, 40);
    expect(states(kernel)).toEqual({ a: "inactive", b: "running" });
  });

  test("loses what the service is bound to: it begins anew when that is back", () => {
    const kernel = machine(
      [service("db"), service("web", { requires: bound("db"), hooks: hooks("before-start") })],
      { behaviours: { "web/before-start": [HANGS, {}] } },
    );
    kernel.crash("db");
    pass(kernel, 300);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
    expect(count(kernel, "web before-start")).toBe(2);
  });

  test("has no process that a kill could reach", () => {
    const kernel = machine([service("web", { hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": takes(50) },
    });
    kernel.askNow({ type: "kill", name: "web", signal: "KILL", scope: "tree", because: "asked by uid 0" });
    expect(kernel.commands("signal")).toEqual([]);
    pass(kernel, 60);
    expect(state(kernel, "web")).toBe("running");
  });
});

describe("after-start", () => {
  test("runs once the service is ready, beside it", () => {
    const kernel = machine(
      [
        service("web", { hooks: hooks("after-start"), ready: [{ type: "delay", ms: 100 }] }),
        service("front", { requires: needs("web") }),
      ],
      { behaviours: { "web/after-start": HANGS } },
    );
    expect(began(kernel)).toEqual(["web"]);
    pass(kernel, 100);
    expect(began(kernel)).toEqual(["web", "web after-start", "front"]);
    expect(states(kernel)).toEqual({ web: "running", front: "running" });
    expect(environmentOf(kernel, "after-start")).toMatchObject({
      ONEUP_PID: "100",
      ONEUP_HOOK: "after-start",
    });
  });

  test("that fails is told, and nothing else", () => {
    const kernel = machine([service("web", { hooks: hooks("after-start") })], {
      behaviours: { "web/after-start": fails(7) },
    });
    expect(view(kernel, "web")).toMatchObject({ state: "running", ready: true });
    expect(cause(kernel, "web")).toBe("its after-start hook failed: exited with code 7");
    expect(kernel.said).toContain("web: its after-start hook failed: exited with code 7");
    pass(kernel, 5000);
    expect(count(kernel, "web after-start")).toBe(1);
  });

  test("a crash meanwhile ends it, and the service starts again only afterwards", () => {
    const kernel = machine(
      [service("web", { hooks: hooks("after-start", "after-exit"), restartDelayMs: 0 })],
      {
        behaviours: { "web/after-start": [{ ...HANGS, leaves: 70 }, {}] },
      },
    );
    kernel.crash("web");
    pass(kernel, 69);
    expect(state(kernel, "web")).toBe("stopping");
    expect(began(kernel)).toEqual(["web", "web after-start"]);
    pass(kernel, 1);
    expect(began(kernel)).toEqual(["web", "web after-start", "web after-exit", "web", "web after-start"]);
    expect(state(kernel, "web")).toBe("running");
  });

  test("a stop meanwhile ends it before before-stop begins", () => {
    const kernel = machine([service("web", { hooks: hooks("after-start", "before-stop") })], {
      behaviours: { "web/after-start": { ...HANGS, leaves: 30 } },
    });
    ask(kernel, "stop", "web");
    expect(began(kernel)).toEqual(["web", "web after-start"]);
    pass(kernel, 30);
    expect(began(kernel)).toEqual(["web", "web after-start", "web before-stop"]);
    expect(state(kernel, "web")).toBe("inactive");
  });
});

describe("before-stop", () => {
  const spec = { hooks: hooks("before-stop") };

  test("runs before the signal, which waits for it", () => {
    const kernel = machine([service("web", spec)], { behaviours: { "web/before-stop": takes(80) } });
    ask(kernel, "stop", "web");
    expect(stopped(kernel)).toEqual([]);
    expect(environmentOf(kernel, "before-stop")).toMatchObject({
      ONEUP_PID: "100",
      ONEUP_CAUSE: "stop asked by uid 0",
    });
    pass(kernel, 80);
    expect(stopped(kernel)).toEqual(["web"]);
    expect(state(kernel, "web")).toBe("inactive");
  });

  test.each([
    ["fails", fails(), "its before-stop hook failed: exited with code 1", 0],
    [
      "takes too long",
      { ...HANGS, leaves: "never" as const },
      "its before-stop hook failed: not done within 1s",
      1000,
    ],
    ["cannot be spawned", { failure: refusal("EACCES") }, "its before-stop hook failed: cannot start", 0],
  ])("that %s is told, and the stop goes on", (_what, behaviour, text, after) => {
    const kernel = machine([service("web", spec)], { behaviours: { "web/before-stop": behaviour } });
    ask(kernel, "stop", "web");
    pass(kernel, after);
    expect(state(kernel, "web")).toBe("inactive");
    expect(kernel.said.some((line) => line.startsWith(`web: ${text}`))).toBe(true);
  });

  test("is not run for what ended by itself, nor for what was not ready in time", () => {
    const kernel = machine(
      [
        service("web", spec),
        service("slow", { ...spec, startTimeoutMs: 50, ready: [{ type: "file", path: "/f" }] }),
      ],
      { behaviours: { slow: { readyAfterMs: [Number.POSITIVE_INFINITY] } } },
    );
    kernel.crash("web");
    pass(kernel, 60);
    expect(began(kernel).filter((one) => one.endsWith("before-stop"))).toEqual([]);
  });

  test("a dependent's stop comes first, with its hook", () => {
    const kernel = machine([service("db", spec), service("web", { ...spec, requires: needs("db") })], {
      behaviours: { "web/before-stop": takes(50), "db/before-stop": takes(50) },
    });
    ask(kernel, "stop", "db");
    expect(began(kernel).slice(2)).toEqual(["web before-stop"]);
    expect(view(kernel, "db")).toMatchObject({ state: "running", waiting_for: ["web"] });
    pass(kernel, 50);
    expect(began(kernel).slice(2)).toEqual(["web before-stop", "db before-stop"]);
    expect(stopped(kernel)).toEqual(["web"]);
    pass(kernel, 50);
    expect(states(kernel)).toEqual({ db: "inactive", web: "inactive" });
  });

  test("a crash meanwhile: what is left of the stop goes on", () => {
    const kernel = machine([service("web", spec)], { behaviours: { "web/before-stop": takes(50) } });
    ask(kernel, "stop", "web");
    kernel.crash("web");
    pass(kernel, 10);
    expect(state(kernel, "web")).toBe("stopping");
    pass(kernel, 40);
    expect(state(kernel, "web")).toBe("inactive");
  });

  test("asked to start meanwhile, it starts afterwards", () => {
    const kernel = machine([service("web", spec)], { behaviours: { "web/before-stop": takes(50) } });
    ask(kernel, "stop", "web");
    ask(kernel, "start", "web");
    expect(state(kernel, "web")).toBe("stopping");
    pass(kernel, 50);
    expect(state(kernel, "web")).toBe("running");
    expect(count(kernel, "web before-stop")).toBe(1);
  });
});

describe("the stop command", () => {
  const spec = {
    stopCommand: ["leave"],
    stop: { signal: "TERM", timeoutMs: 500, evict: "stop" as const, tree: true },
  };

  function crashAt(kernel: Kernel, ms: number, exit: Exit = { code: 0 }): void {
    kernel.at(kernel.now + ms, () => kernel.crash("web", exit));
  }

  test("is given time, and no signal, when it has succeeded", () => {
    const kernel = machine([service("web", spec)]);
    ask(kernel, "stop", "web");
    expect(environmentOf(kernel, "stop")).toMatchObject({ ONEUP_PID: "100", ONEUP_HOOK: "stop" });
    crashAt(kernel, 200);
    pass(kernel, 199);
    expect(stopped(kernel)).toEqual([]);
    pass(kernel, 1);
    expect(state(kernel, "web")).toBe("inactive");
    expect(view(kernel, "web").exit).toMatchObject({ code: 0 });
    const receipts = kernel.published.filter(({ event }) => event === "receipt");
    expect(receipts).toMatchObject([
      {
        receipt: {
          empty: true,
          duration_ms: 200,
          processes: [{ pid: 100, signals: [], left_ms: 200, exit: { code: 0 }, killed: false }],
        },
      },
    ]);
    expect(kernel.isIdle()).toBe(true);
  });

  test("the signal comes when its time is over", () => {
    const kernel = machine([service("web", spec)], { behaviours: { "web/stop": takes(100) } });
    ask(kernel, "stop", "web");
    pass(kernel, 499);
    expect(stopped(kernel)).toEqual([]);
    pass(kernel, 1);
    expect(kernel.commands("stop")).toMatchObject([{ signal: "TERM", timeoutMs: 500 }]);
    expect(state(kernel, "web")).toBe("inactive");
    expect(kernel.isIdle()).toBe(true);
  });

  test.each([
    ["fails", fails(2), "its stop command failed: exited with code 2", 0],
    ["hangs", { ...HANGS, leaves: "never" as const }, "its stop command failed: not done within 500ms", 500],
    ["cannot be spawned", { failure: refusal("ENOENT") }, "its stop command failed: cannot start", 0],
  ])("that %s: the signal at once, and the cause says so", (_what, behaviour, text, after) => {
    const kernel = machine([service("web", spec)], {
      behaviours: { web: { leaves: 20 }, "web/stop": behaviour },
    });
    ask(kernel, "stop", "web");
    pass(kernel, after);
    expect(stopped(kernel).at(-1)).toBe("web");
    expect(kernel.said.some((line) => line.startsWith(`web: ${text}`))).toBe(true);
    expect(kernel.world.services[0]?.chain).toContain(text);
    pass(kernel, 20);
    expect(state(kernel, "web")).toBe("inactive");
  });

  test("comes after before-stop, and what is dead already needs none", () => {
    const both = { ...spec, hooks: hooks("before-stop") };
    const kernel = machine([service("web", both), service("dies", both)], {
      behaviours: { "dies/before-stop": takes(50) },
    });
    ask(kernel, "stop", "dies");
    kernel.crash("dies");
    pass(kernel, 50);
    expect(began(kernel, "dies")).toEqual(["dies", "dies before-stop"]);
    ask(kernel, "stop", "web");
    expect(began(kernel, "web")).toEqual(["web", "web before-stop", "web stop"]);
  });

  test("processes that the leader leaves behind get the signal", () => {
    const kernel = machine([service("web", spec)], { behaviours: { web: { leftovers: 2 } } });
    ask(kernel, "stop", "web");
    crashAt(kernel, 30);
    pass(kernel, 30);
    expect(stopped(kernel)).toEqual(["web"]);
    expect(state(kernel, "web")).toBe("inactive");
  });
});

describe("after-exit", () => {
  const spec = { hooks: hooks("after-exit") };

  test.each([
    [{ code: 3 }, { ONEUP_EXIT_CODE: "3", ONEUP_CAUSE: "exited with code 3" }],
    [{ signal: "SEGV" }, { ONEUP_EXIT_SIGNAL: "SEGV", ONEUP_CAUSE: "killed by signal SEGV" }],
  ] as const)("runs after a crash, before the backoff: %j", (exit, expected) => {
    const kernel = machine([service("web", spec)], { behaviours: { "web/after-exit": takes(40) } });
    kernel.crash("web", exit);
    pass(kernel, 39);
    expect(state(kernel, "web")).toBe("stopping");
    expect(environmentOf(kernel, "after-exit")).toMatchObject({ ...expected, ONEUP_RESTARTS: "0" });
    expect(environmentOf(kernel, "after-exit")).not.toHaveProperty("ONEUP_PID");
    pass(kernel, 1);
    expect(state(kernel, "web")).toBe("backoff");
    expect(cause(kernel, "web")).toMatch(/, starts again in /);
    pass(kernel, 200);
    expect(state(kernel, "web")).toBe("running");
    kernel.crash("web", exit);
    pass(kernel, 0);
    expect(environmentOf(kernel, "after-exit").ONEUP_RESTARTS).toBe("1");
  });

  test("waits until the set is empty", () => {
    const kernel = machine([service("web", spec)], {
      behaviours: { web: { leftovers: 1, leftoversLeave: 60 } },
    });
    kernel.crash("web");
    pass(kernel, 59);
    expect(count(kernel, "web after-exit")).toBe(0);
    pass(kernel, 1);
    expect(count(kernel, "web after-exit")).toBe(1);
  });

  test("knows no exit where none was: a start that failed", () => {
    const kernel = machine([service("web", { ...spec, restart: "never" })], {
      behaviours: { web: [{}, { failure: refusal("ENOENT") }] },
    });
    kernel.crash("web", { code: 9 });
    pass(kernel, 0);
    expect(environmentOf(kernel, "after-exit").ONEUP_EXIT_CODE).toBe("9");
    ask(kernel, "start", "web");
    expect(count(kernel, "web after-exit")).toBe(2);
    expect(environmentOf(kernel, "after-exit")).not.toHaveProperty("ONEUP_EXIT_CODE");
    expect(environmentOf(kernel, "after-exit").ONEUP_CAUSE).toContain("cannot start");
    expect(state(kernel, "web")).toBe("failed");
  });

  test("also runs when before-start has failed", () => {
    const kernel = machine(
      [service("web", { restart: "never", hooks: hooks("before-start", "after-exit") })],
      {
        behaviours: { "web/before-start": fails() },
      },
    );
    expect(began(kernel)).toEqual(["web before-start", "web after-exit"]);
    expect(environmentOf(kernel, "after-exit").ONEUP_CAUSE).toBe(
      "its before-start hook failed: exited with code 1",
    );
  });

  test("that fails or hangs is told, and the verdict comes all the same", () => {
    const kernel = machine([service("web", spec), service("late", spec)], {
      behaviours: { "web/after-exit": fails(), "late/after-exit": { ...HANGS, leaves: "never" } },
    });
    kernel.crash("web");
    kernel.crash("late");
    pass(kernel, 0);
    expect(states(kernel)).toEqual({ web: "backoff", late: "stopping" });
    pass(kernel, 1000);
    expect(state(kernel, "late")).toBe("backoff");
    expect(kernel.said).toContain("late: its after-exit hook failed: not done within 1s");
  });

  test("a stop asked meanwhile neither repeats it nor cuts it", () => {
    const kernel = machine([service("web", spec)], { behaviours: { "web/after-exit": takes(50) } });
    kernel.crash("web");
    pass(kernel, 10);
    ask(kernel, "stop", "web");
    expect(state(kernel, "web")).toBe("stopping");
    expect(down(kernel, "web")).toBe("pending");
    pass(kernel, 40);
    expect(state(kernel, "web")).toBe("inactive");
    expect(cause(kernel, "web")).toBe("stop asked by uid 0");
    expect(count(kernel, "web after-exit")).toBe(1);
    expect(down(kernel, "web")).toBe("done");
  });

  test("a start asked meanwhile: up again at once, unjudged", () => {
    const kernel = machine([service("web", spec)], { behaviours: { "web/after-exit": takes(50) } });
    kernel.crash("web");
    pass(kernel, 10);
    ask(kernel, "start", "web");
    pass(kernel, 40);
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 0 });
  });

  test("is not run beside what could not be ended", () => {
    const kernel = machine([service("web", spec)], {
      behaviours: { web: { immortal: true, leaves: "never" } },
    });
    ask(kernel, "stop", "web");
    pass(kernel, 10_000);
    expect(state(kernel, "web")).toBe("failed");
    expect(count(kernel, "web after-exit")).toBe(0);
  });

  test("of main runs before the supervisor leaves, with main's code", () => {
    const kernel = machine([service("web", { ...spec, main: true, restart: "never" })], {
      behaviours: { "web/after-exit": takes(50) },
    });
    kernel.crash("web", { code: 42 });
    pass(kernel, 49);
    expect(kernel.exitCode).toBeNull();
    pass(kernel, 10);
    expect(kernel.exitCode).toBe(42);
  });

  test("of a task runs before its success counts", () => {
    const kernel = machine([task("job", spec), service("web", { requires: needs("job") })], {
      behaviours: { job: takes(10), "job/after-exit": takes(30) },
    });
    pass(kernel, 39);
    expect(states(kernel)).toEqual({ job: "stopping", web: "waiting" });
    pass(kernel, 1);
    expect(states(kernel)).toEqual({ job: "exited", web: "running" });
  });
});

describe("a shutdown", () => {
  test("runs the hooks of the stop, and leaves when they are done", () => {
    const kernel = machine([service("web", { hooks: ALL, stopCommand: ["leave"] })], {
      behaviours: { "web/before-stop": takes(30), "web/stop": fails(), "web/after-exit": takes(30) },
    });
    shutdown(kernel);
    pass(kernel, 59);
    expect(kernel.exitCode).toBeNull();
    pass(kernel, 10);
    expect(kernel.exitCode).toBe(0);
    expect(began(kernel).slice(-3)).toEqual(["web before-stop", "web stop", "web after-exit"]);
  });

  test.each([
    ["before-start", { "web/before-start": { ...HANGS, leaves: "never" as const } }],
    ["after-start", { "web/after-start": { ...HANGS, leaves: "never" as const } }],
    ["before-stop", { "web/before-stop": { ...HANGS, leaves: "never" as const } }],
    ["after-exit", { "web/after-exit": { ...HANGS, leaves: "never" as const } }],
  ])("its deadline ends what hangs in %s", (_hook, behaviours) => {
    const slow = Object.fromEntries(
      Object.entries(ALL).map(([name, spec]) => [name, { ...spec, timeoutMs: 60_000 }]),
    );
    const options = { behaviours, shutdownTimeoutMs: 300 };
    const kernel = machine([service("web", { hooks: slow })], options);
    pass(kernel, 10);
    shutdown(kernel);
    pass(kernel, 299);
    expect(kernel.exitCode).toBeNull();
    pass(kernel, 1);
    expect(kernel.exitCode).toBe(0);
    expect(kernel.sets.size).toBe(0);
  });

  test("hurried runs no further hook", () => {
    const kernel = machine([service("web", { hooks: ALL, stopCommand: ["leave"] })], {
      behaviours: { web: { leaves: "never" }, "web/before-stop": { ...HANGS, leaves: "never" } },
    });
    signal(kernel, "TERM");
    expect(began(kernel).at(-1)).toBe("web before-stop");
    signal(kernel, "TERM");
    pass(kernel, 0);
    expect(kernel.exitCode).toBe(0);
    expect(began(kernel).at(-1)).toBe("web before-stop");
  });

  test("waits in order for services with hooks", () => {
    const spec = { hooks: hooks("before-stop", "after-exit") };
    const kernel = machine([service("db", spec), service("web", { ...spec, requires: needs("db") })], {
      behaviours: { "web/after-exit": takes(20) },
    });
    shutdown(kernel);
    pass(kernel, 100);
    expect(began(kernel).slice(2)).toEqual([
      "web before-stop",
      "web after-exit",
      "db before-stop",
      "db after-exit",
    ]);
    expect(kernel.exitCode).toBe(0);
  });
});

describe("a brain lost", () => {
  const spec = { hooks: ALL, stopCommand: ["leave"] };

  test.each(["before-start", "after-start", "before-stop", "after-exit", "stop"])(
    "in the middle of %s: it goes on, and runs no second time",
    (role) => {
      const kernel = machine([service("web", spec)], {
        behaviours: {
          web: { leaves: 20 },
          [`web/${role}`]: role === "stop" ? ends({ code: 1 }, 50) : takes(50),
        },
      });
      if (role === "before-stop" || role === "after-exit" || role === "stop") {
        kernel.at(kernel.now + 30, () => ask(kernel, "stop", "web"));
        if (role === "after-exit") kernel.at(kernel.now + 31, () => kernel.crash("web", { code: 0 }));
        pass(kernel, 31);
      }
      pass(kernel, 10);
      expect(count(kernel, `web ${role}`)).toBe(1);
      lose(kernel);
      pass(kernel, 20);
      lose(kernel);
      pass(kernel, 20_000);
      const after = role === "before-start" || role === "after-start" ? "running" : "inactive";
      expect(state(kernel, "web")).toBe(after);
      expect(count(kernel, `web ${role}`)).toBe(1);
      expect(count(kernel, "web")).toBe(1);
    },
  );

  test("while a hook hangs: its deadline still holds", () => {
    const kernel = machine([service("web", { restart: "never", hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": { ...HANGS, leaves: "never" } },
    });
    pass(kernel, 500);
    lose(kernel);
    pass(kernel, 499);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 1);
    expect(cause(kernel, "web")).toBe("its before-start hook failed: not done within 1s");
  });

  test("while the set may leave by itself: until then", () => {
    const stop = { signal: "TERM", timeoutMs: 500, evict: "stop" as const, tree: true };
    const kernel = machine([service("web", { stopCommand: ["leave"], stop })]);
    ask(kernel, "stop", "web");
    pass(kernel, 100);
    lose(kernel);
    expect(stopped(kernel)).toEqual([]);
    pass(kernel, 399);
    expect(stopped(kernel)).toEqual([]);
    pass(kernel, 1);
    expect(stopped(kernel)).toEqual(["web"]);
    expect(count(kernel, "web stop")).toBe(1);
  });

  test("with the news that a hook could not be spawned", () => {
    const lost = (batch: number) => batch === 0;
    const kernel = machine([service("web", { restart: "never", hooks: hooks("before-start") })], {
      behaviours: { "web/before-start": { failure: refusal("ENOENT"), spawnMs: 5 } },
      loses: lost,
    });
    pass(kernel, 10);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("its before-start hook failed: its start was not seen through");
    expect(count(kernel, "web before-start")).toBe(1);
  });
});
