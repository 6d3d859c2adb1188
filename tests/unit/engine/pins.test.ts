import { describe, expect, test } from "vitest";
import { health, reloadNumber, reloadOutcome, reloadProblem } from "../../../src/engine/index.ts";
import type { Kernel } from "../../sim/kernel.ts";
import {
  ask,
  began,
  bound,
  cause,
  environmentOf,
  hold,
  lose,
  machine,
  needs,
  pass,
  refusal,
  service,
  shutdown,
  state,
  states,
  task,
  up,
  view,
} from "./helpers.ts";

const pair = (spec = {}) => [service("db"), service("web", { requires: needs("db"), ...spec })];

describe("pinned up", () => {
  test("comes back from every end, whatever its rules say", () => {
    const kernel = machine([
      service("never", { restart: "never" }),
      service("code", { noRestartCodes: [3] }),
      service("limit", { restartLimit: 1, restartDelayMs: 0 }),
    ]);
    for (const name of ["never", "code", "limit"]) hold(kernel, "pin up", name);
    for (let round = 0; round < 4; round++) {
      for (const name of ["never", "code", "limit"]) kernel.crash(name, { code: 3 });
      pass(kernel, 3000);
      expect(states(kernel)).toEqual({ never: "running", code: "running", limit: "running" });
    }
  });

  test("is started now, and again when it cannot even be spawned", () => {
    const kernel = machine([service("web", { autostart: false, restartDelayMs: 0 })], {
      behaviours: { web: [{ failure: refusal("ENOENT") }, { failure: refusal("ENOENT") }, {}] },
    });
    hold(kernel, "pin up", "web");
    expect(state(kernel, "web")).toBe("backoff"); // Not at once, or it would spin.
    pass(kernel, 1000);
    expect(view(kernel, "web")).toMatchObject({ state: "running", pinned: "up", masked: false });
  });

  test("is not taken along by a stop, a restart or a crash of what it requires", () => {
    const kernel = machine(pair({ requires: bound("db") }));
    hold(kernel, "pin up", "web");
    const { pid } = view(kernel, "web");
    ask(kernel, "restart", "db");
    kernel.crash("db");
    pass(kernel, 1000);
    ask(kernel, "stop", "db");
    pass(kernel, 100);
    expect(view(kernel, "web")).toMatchObject({ state: "running", pid });
    expect(state(kernel, "db")).toBe("inactive");
  });

  test("comes back with what it requires", () => {
    const kernel = machine(pair());
    hold(kernel, "pin up", "web");
    ask(kernel, "stop", "db");
    kernel.crash("web");
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });

  test("unpinned, it is as its requirement's stop had wanted it", () => {
    const kernel = machine(pair());
    hold(kernel, "pin up", "web");
    ask(kernel, "stop", "db");
    hold(kernel, "unpin", "web");
    expect(states(kernel)).toEqual({ db: "inactive", web: "inactive" });
    expect(cause(kernel, "web")).toBe("requires db, which is down");
  });

  test("no stop by name, no conflict takes it down; a shutdown does", () => {
    const kernel = machine([
      service("a"),
      service("b", { conflicts: [{ name: "a", wait: false }], autostart: false }),
    ]);
    hold(kernel, "pin up", "a");
    ask(kernel, "stop", "a");
    ask(kernel, "start", "b");
    expect(states(kernel)).toEqual({ a: "running", b: "inactive" });
    expect(cause(kernel, "b")).toBe("conflicts with a, which is pinned up");
    shutdown(kernel);
    pass(kernel, 10);
    expect(kernel.exitCode).toBe(0);
  });

  test("takes back a stop that only waits for its turn", () => {
    const kernel = machine([service("db"), service("web", { after: [{ name: "db", until: "ready" }] })], {
      behaviours: { web: { leaves: 50 } },
    });
    ask(kernel, "stop", "db", "web");
    hold(kernel, "pin up", "db");
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ db: "running", web: "inactive" });
  });

  test("of main keeps the supervisor from leaving", () => {
    const kernel = machine([service("app", { main: true, restart: "never" })]);
    hold(kernel, "pin up", "app");
    kernel.crash("app");
    pass(kernel, 1000);
    expect(kernel.exitCode).toBeNull();
    expect(state(kernel, "app")).toBe("running");
  });
});

describe("pinned down", () => {
  test("is stopped with what requires it, in order, and not started", () => {
    const kernel = machine(pair());
    hold(kernel, "pin down", "db");
    expect(states(kernel)).toEqual({ db: "inactive", web: "inactive" });
    ask(kernel, "start", "db");
    expect(state(kernel, "db")).toBe("inactive");
    ask(kernel, "start", "web");
    expect(states(kernel)).toEqual({ db: "waiting", web: "waiting" });
    expect(cause(kernel, "db")).toBe("is pinned down");
    expect(cause(kernel, "web")).toBe("waits for db, which is pinned down");
    expect(up(kernel, "web")).toEqual({ failed: "waits for db, which is pinned down" });
    expect(health(kernel.world).ok).toBe(false);
    hold(kernel, "unpin", "db");
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });

  test("holds up nobody who only wants it", () => {
    const kernel = machine([service("cache", { autostart: false }), service("web", { wants: ["cache"] })]);
    hold(kernel, "pin down", "cache");
    ask(kernel, "restart", "web");
    expect(states(kernel)).toEqual({ cache: "waiting", web: "running" });
  });

  test("survives a brain", () => {
    const kernel = machine(pair());
    hold(kernel, "pin down", "db");
    lose(kernel);
    ask(kernel, "start", "db", "web");
    expect(began(kernel)).toEqual(["db", "web"]);
    expect(view(kernel, "db").pinned).toBe("down");
  });
});

describe("masked", () => {
  test("goes on, and is not started again until it is unmasked", () => {
    const kernel = machine([service("web")]);
    hold(kernel, "mask", "web");
    expect(view(kernel, "web")).toMatchObject({ state: "running", masked: true });
    kernel.crash("web");
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("waiting");
    expect(cause(kernel, "web")).toBe("killed by signal KILL, not started again: it is masked");
    hold(kernel, "unmask", "web");
    expect(state(kernel, "web")).toBe("running");
  });

  test("a backoff ends in waiting", () => {
    const kernel = machine([service("web")]);
    kernel.crash("web");
    pass(kernel, 0);
    expect(view(kernel, "web").next_start_at).not.toBeNull();
    hold(kernel, "mask", "web");
    expect(view(kernel, "web")).toMatchObject({ state: "backoff", next_start_at: null });
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("waiting");
    expect(cause(kernel, "web")).toBe("is masked");
  });

  test("and pinned up contradict each other: the second is refused", () => {
    const kernel = machine([service("a"), service("b")]);
    hold(kernel, "pin up", "a");
    hold(kernel, "mask", "a");
    hold(kernel, "mask", "b");
    hold(kernel, "pin up", "b");
    expect(view(kernel, "a")).toMatchObject({ pinned: "up", masked: false });
    expect(view(kernel, "b")).toMatchObject({ pinned: null, masked: true });
  });
});

test("each hold is an event", () => {
  const kernel = machine([service("web")]);
  hold(kernel, "pin up", "web");
  hold(kernel, "pin up", "web");
  hold(kernel, "pin down", "web");
  hold(kernel, "unpin", "web");
  const events = kernel.published.filter(({ event }) => event === "pin");
  expect(events.map(({ from, to }) => [from, to])).toEqual([
    [null, "up"],
    ["up", "down"],
    ["down", null],
  ]);
});

describe("reload", () => {
  const byCommand = { reload: { type: "command" as const, argv: ["again"], timeoutMs: 500 } };
  const outcome = (kernel: Kernel, number = reloadNumber(kernel.world, "web")) =>
    reloadOutcome(kernel.world, "web", number);

  test("by a signal is done when it was sent", () => {
    const kernel = machine([service("web", { reload: { type: "signal", signal: "USR1" } })]);
    ask(kernel, "reload", "web");
    expect(kernel.commands("signal")).toMatchObject([{ signal: "USR1", scope: "main" }]);
    expect(outcome(kernel)).toBe("done");
    expect(kernel.isIdle()).toBe(true);
  });

  test("by a signal waits for READY=1 of a service that tells RELOADING=1", () => {
    const ready = [{ type: "notify", way: "socket", path: null }] as const;
    const kernel = machine([service("web", { ready, reload: { type: "signal", signal: "USR1" } })], {
      behaviours: { web: { notices: [{ afterMs: 0, notice: { ready: true } }] } },
    });
    pass(kernel, 10);
    const [id] = kernel.liveSets("web");
    ask(kernel, "reload", "web");
    expect(outcome(kernel)).toBe("pending");
    kernel.tell(id ?? 0, { reloading: true, ready: false });
    pass(kernel, 5000);
    expect(outcome(kernel)).toBe("pending");
    kernel.tell(id ?? 0, { ready: true, reloading: false });
    pass(kernel, 0);
    expect(outcome(kernel)).toBe("done");
    ask(kernel, "reload", "web");
    pass(kernel, 600); // It tells nothing: that is all right as well.
    expect(outcome(kernel)).toBe("done");
  });

  test.each([
    ["succeeds", { ends: { afterMs: 50, exit: { code: 0 } } }, "done"],
    ["fails", { ends: { afterMs: 50, exit: { code: 2 } } }, { failed: "exited with code 2" }],
    ["hangs", { hangs: true, leaves: "never" as const }, { failed: "not done within 500ms" }],
    ["is not there", { failure: refusal("ENOENT") }, { failed: "cannot start: exec: no exec (ENOENT)" }],
  ])("by a command that %s", (_what, behaviour, expected) => {
    const kernel = machine([service("web", byCommand)], { behaviours: { "web/reload": behaviour } });
    ask(kernel, "reload", "web");
    expect(environmentOf(kernel, "reload")).toMatchObject({ ONEUP_PID: "100", ONEUP_HOOK: "reload" });
    pass(kernel, 500);
    expect(outcome(kernel)).toEqual(expected);
    expect(view(kernel, "web")).toMatchObject({ state: "running", ready: true });
  });

  test("asked for meanwhile: once more, however often", () => {
    const kernel = machine([service("web", byCommand)], {
      behaviours: { "web/reload": { ends: { afterMs: 50, exit: { code: 0 } } } },
    });
    ask(kernel, "reload", "web");
    const first = reloadNumber(kernel.world, "web");
    ask(kernel, "reload", "web");
    ask(kernel, "reload", "web");
    const second = reloadNumber(kernel.world, "web");
    expect(second).toBe(first + 1);
    pass(kernel, 50);
    expect([outcome(kernel, first), outcome(kernel, second)]).toEqual(["done", "pending"]);
    pass(kernel, 500);
    expect(began(kernel)).toEqual(["web", "web reload", "web reload"]);
  });

  test("a stop ends it, and waits for it", () => {
    const kernel = machine([service("web", byCommand)], {
      behaviours: { "web/reload": { hangs: true, leaves: 30 } },
    });
    ask(kernel, "reload", "web");
    const number = reloadNumber(kernel.world, "web");
    ask(kernel, "stop", "web");
    expect(state(kernel, "web")).toBe("stopping");
    pass(kernel, 30);
    expect(state(kernel, "web")).toBe("inactive");
    expect(outcome(kernel, number)).toEqual({ failed: "the service ended meanwhile" });
  });

  test("of what has none, or does not run", () => {
    const kernel = machine([service("none"), service("down", { ...byCommand, autostart: false })]);
    expect(reloadProblem(kernel.world, "none")).toBe("not-configured");
    expect(reloadProblem(kernel.world, "down")).toBe("not-running");
    ask(kernel, "reload", "none", "down");
    expect(began(kernel)).toEqual(["none"]);
  });
});

describe("on-failure = { run = … }", () => {
  const fails = { ends: { afterMs: 0, exit: { code: 3 } } };
  const failing = { restart: "never" as const, onFailure: { run: "report" } };

  test("starts the task with the failure's details, which are its own alone", () => {
    const kernel = machine([service("web", failing), task("report", { autostart: false })], {
      behaviours: { web: [fails, {}], report: { ends: { afterMs: 10, exit: { code: 0 } } } },
    });
    pass(kernel, 20);
    expect(state(kernel, "report")).toBe("exited");
    expect(kernel.commands("spawn").at(-1)?.spec.environment).toEqual({
      ONEUP_FAILED_SERVICE: "web",
      ONEUP_FAILED_CAUSE: "exited with code 3",
      ONEUP_EXIT_CODE: "3",
    });
    ask(kernel, "start", "report");
    expect(kernel.commands("spawn").at(-1)?.spec.environment).toEqual({});
  });

  test("at work already: once more afterwards, also for a fresh brain", () => {
    const kernel = machine(
      [
        service("a", failing),
        service("b", failing),
        service("c", failing),
        task("report", { autostart: false }),
      ],
      { behaviours: { report: { ends: { afterMs: 100, exit: { code: 0 } } } } },
    );
    for (const name of ["a", "b", "c"]) {
      kernel.crash(name, { code: 1 });
      pass(kernel, 10);
    }
    lose(kernel);
    pass(kernel, 500);
    const runs = kernel.commands("spawn").filter(({ spec }) => spec.service === "report");
    expect(runs.map(({ spec }) => spec.environment.ONEUP_FAILED_SERVICE)).toEqual(["a", "c"]);
  });

  test("handlers of each other come to an end", () => {
    const kernel = machine(
      [task("a", { onFailure: { run: "b" } }), task("b", { onFailure: { run: "a" }, autostart: false })],
      { behaviours: { a: fails, b: fails } },
    );
    pass(kernel, 1000);
    expect(began(kernel)).toEqual(["a", "b"]);
    expect(states(kernel)).toEqual({ a: "failed", b: "failed" });
  });

  test("a handler that needs what has failed waits for it, and wakes nothing", () => {
    const kernel = machine(
      [
        service("db", { restart: "never" }),
        service("web", failing),
        task("report", { autostart: false, requires: needs("db") }),
      ],
      { behaviours: { db: [fails, {}] } },
    );
    kernel.crash("web");
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ db: "failed", web: "failed", report: "waiting" });
    ask(kernel, "start", "db");
    expect(state(kernel, "report")).toBe("running");
    expect(kernel.commands("spawn").at(-1)?.spec.environment.ONEUP_FAILED_SERVICE).toBe("web");
  });
});
