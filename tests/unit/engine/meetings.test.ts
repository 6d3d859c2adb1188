/** Where features meet one another: each of them alone has tests of its own. */
import { describe, expect, test } from "vitest";
import { canSignal, health, reloadNumber, reloadOutcome, runs, why } from "../../../src/engine/index.ts";
import type { HealthSpec, HookName, HookSpecs, SparseSpec } from "../../../src/model/spec.ts";
import type { Behaviour, Kernel } from "../../sim/kernel.ts";
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
  service,
  shutdown,
  state,
  states,
  target,
  task,
  view,
} from "./helpers.ts";

const ready = [{ type: "file", path: "/ready" }] as const;
const sd = { type: "notify", way: "socket", path: null } as const;
const HANGS: Behaviour = { hangs: true };

const takes = (afterMs: number, code = 0): Behaviour => ({ ends: { afterMs, exit: { code } } });

function hooks(...names: HookName[]): HookSpecs {
  return Object.fromEntries(names.map((name) => [name, { argv: [name], timeoutMs: 1000 }]));
}

function checks(spec: Partial<HealthSpec> = {}): HealthSpec {
  return {
    probes: [{ type: "tcp", host: "127.0.0.1", port: 80 }],
    everyMs: 1000,
    timeoutMs: 500,
    failures: 1,
    successes: 1,
    initialDelayMs: 0,
    onFailure: "restart",
    ...spec,
  };
}

const bad: Behaviour = { check: () => ({ ok: false }) };

function every(everyMs: number, spec: Partial<SparseSpec> = {}): SparseSpec {
  const schedule = {
    cron: null,
    everyMs,
    zone: null,
    overlap: "skip",
    missed: "skip",
    atStart: false,
    text: `every ${everyMs}ms`,
  } as const;
  return task("job", { autostart: false, schedule, ...spec });
}

function crash(kernel: Kernel, ...names: string[]): void {
  for (const name of names) kernel.crash(name);
  pass(kernel, 0);
}

function count(kernel: Kernel, what: string): number {
  return began(kernel).filter((one) => one === what).length;
}

function answer(kernel: Kernel, name: string): string | undefined {
  return why(kernel.world, name, kernel.clock)?.answer;
}

describe("a run that is over, but for its after-exit hook", () => {
  const job = task("job", { requires: bound("db"), hooks: hooks("after-exit") });
  const options = { behaviours: { job: takes(10), "job/after-exit": takes(100) } };

  test("is judged as it ended, though what it is bound to crashes meanwhile", () => {
    const kernel = machine([service("db"), job], options);
    pass(kernel, 20);
    crash(kernel, "db");
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ db: "running", job: "exited" });
    expect(began(kernel, "job")).toEqual(["job", "job after-exit"]);
  });

  test("is judged as it ended, though what it requires is restarted meanwhile", () => {
    const kernel = machine([service("db"), job], options);
    pass(kernel, 20);
    ask(kernel, "restart", "db");
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ db: "running", job: "exited" });
    expect(began(kernel, "job")).toEqual(["job", "job after-exit"]);
  });

  test("also when it is its leftovers that are on their way out", () => {
    const plain = task("job", { requires: bound("db") });
    const kernel = machine([service("db"), plain], {
      behaviours: { job: { ...takes(10), leftovers: 1, leftoversLeave: 100 } },
    });
    pass(kernel, 20);
    crash(kernel, "db");
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ db: "running", job: "exited" });
    expect(began(kernel, "job")).toEqual(["job"]);
  });

  test("restarted by name, it runs once more", () => {
    const kernel = machine([service("db"), job], options);
    pass(kernel, 20);
    ask(kernel, "restart", "job");
    pass(kernel, 1000);
    expect(began(kernel, "job")).toEqual(["job", "job after-exit", "job", "job after-exit"]);
  });

  test("not ready in time, and the brain is lost meanwhile: judged once", () => {
    const web = service("web", {
      ready,
      startTimeoutMs: 100,
      restartDelayMs: 5000,
      hooks: hooks("after-exit"),
    });
    const kernel = machine([web], {
      behaviours: { web: { readyAfterMs: [1e9] }, "web/after-exit": takes(100) },
    });
    pass(kernel, 120);
    lose(kernel);
    pass(kernel, 200);
    expect(state(kernel, "web")).toBe("backoff");
    expect(cause(kernel, "web")).toMatch(/^not ready within 100ms.*, starts again in 5/);
    expect(view(kernel, "web").restarts).toBe(1);
    expect(count(kernel, "web after-exit")).toBe(1);
  });
});

describe("an eviction by health checks while before-stop runs", () => {
  const web = service("web", { health: checks(), hooks: hooks("before-stop"), restartDelayMs: 5000 });
  const options = { behaviours: { web: bad, "web/before-stop": takes(200) } };

  function evicted(): Kernel {
    const kernel = machine([web], options);
    while (count(kernel, "web before-stop") === 0) pass(kernel, 10);
    expect(state(kernel, "web")).toBe("stopping");
    return kernel;
  }

  test("counts as a failed run, also for a fresh brain", () => {
    const kernel = evicted();
    lose(kernel);
    pass(kernel, 500);
    expect(state(kernel, "web")).toBe("backoff");
    expect(cause(kernel, "web")).toMatch(/^unhealthy: .*, starts again in/);
    expect(count(kernel, "web before-stop")).toBe(1);
  });

  test("a stop asked for meanwhile wins", () => {
    const kernel = evicted();
    ask(kernel, "stop", "web");
    pass(kernel, 500);
    expect(view(kernel, "web")).toMatchObject({
      state: "inactive",
      restarts: 0,
      cause: "stop asked by uid 0",
    });
  });

  test("a start asked for meanwhile: up again, unjudged", () => {
    const kernel = evicted();
    ask(kernel, "start", "web");
    pass(kernel, 500);
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 0 });
  });

  test("no time is told for a KILL that nobody can foresee", () => {
    const kernel = evicted();
    expect(answer(kernel, "web")).toMatch(/^is stopping: its before-stop hook runs as pid \d+$/);
  });

  test("the API names the check, not the hook", () => {
    const kernel = evicted();
    expect(health(kernel.world).reasons).toEqual([expect.stringMatching(/^web unhealthy: a check failed/)]);
  });

  test("pinned up it comes back where the check would have ended it for good", () => {
    const once = service("web", { health: checks({ onFailure: "stop" }) });
    const kernel = machine([once], { behaviours: { web: [bad, {}] } });
    hold(kernel, "pin up", "web");
    pass(kernel, 3000);
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 1 });
  });
});

test("what is only marked is named by its checks, whatever a person has done to it since", () => {
  const kernel = machine([service("web", { health: checks({ onFailure: "mark" }) })], {
    behaviours: { web: bad },
  });
  pass(kernel, 2500);
  kernel.ask({ type: "kill", name: "web", signal: "USR1", scope: "main", because: "asked by uid 0" });
  pass(kernel, 0);
  expect(health(kernel.world).reasons).toEqual([expect.stringMatching(/^web unhealthy: a check failed/)]);
});

describe("a watchdog", () => {
  test("that is overdue during a reload ends both, with ABRT", () => {
    const web = service("web", {
      watchdogMs: 500,
      restartDelayMs: 5000,
      reload: { type: "command", argv: ["reload"], timeoutMs: 10_000 },
    });
    const kernel = machine([web], { behaviours: { "web/reload": { hangs: true, leaves: 50 } } });
    pass(kernel, 100);
    ask(kernel, "reload", "web");
    const number = reloadNumber(kernel.world, "web");
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("backoff");
    expect(cause(kernel, "web")).toMatch(/^watchdog: /);
    expect(reloadOutcome(kernel.world, "web", number)).toEqual({ failed: "the service ended meanwhile" });
    expect(kernel.signals.map(({ signal }) => signal)).toEqual(["TERM", "ABRT"]);
  });
});

describe("time that a service asks for", () => {
  test("ends with the shutdown's deadline", () => {
    const kernel = machine(
      [
        service("web", {
          ready: [sd],
          stop: { signal: "TERM", timeoutMs: 60_000, evict: "stop" as const, tree: true },
        }),
      ],
      {
        shutdownTimeoutMs: 2000,
        behaviours: { web: { leaves: "never", notices: [{ afterMs: 0, notice: { ready: true } }] } },
      },
    );
    pass(kernel, 10);
    const [id = 0] = kernel.liveSets("web");
    shutdown(kernel);
    pass(kernel, 500);
    kernel.tell(id, { extendMs: 60_000 });
    pass(kernel, 0);
    const asked = kernel.commands("extendStop").at(-1);
    expect(asked?.timeoutMs).toBeLessThanOrEqual(1500);
    pass(kernel, 2000);
    expect(kernel.sets.size).toBe(0);
  });
});

describe("on-failure = { run }", () => {
  const report = task("report", { autostart: false });

  test("knows no exit of a run whose before-start hook has failed", () => {
    const web = service("web", {
      hooks: hooks("before-start"),
      restart: "on-failure",
      restartLimit: 1,
      restartDelayMs: 10,
      onFailure: { run: "report" },
    });
    const kernel = machine([web, report], {
      behaviours: { web: takes(10, 3), "web/before-start": [{}, takes(0, 1)] },
    });
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("failed");
    expect(environmentOf(kernel, "main")).toMatchObject({ ONEUP_FAILED_SERVICE: "web" });
    expect(environmentOf(kernel, "main")).not.toHaveProperty("ONEUP_EXIT_CODE");
  });

  test("of what fails in a shutdown runs nothing, nor holds it up", () => {
    const web = service("web", { restart: "never", onFailure: { run: "report" } });
    const kernel = machine([web, report, service("slow")], {
      behaviours: { web: takes(10, 1), slow: { leaves: 100 } },
    });
    shutdown(kernel);
    pass(kernel, 1000);
    expect(began(kernel)).toEqual(["web", "slow"]);
    expect(kernel.sets.size).toBe(0);
  });

  test("at work when a shutdown begins, it leaves with the others, and what waited for it is dropped", () => {
    const web = service("web", { restart: "never", onFailure: { run: "report" } });
    const db = service("db", { restart: "never", onFailure: { run: "report" } });
    const kernel = machine([web, db, report], { behaviours: { web: takes(10, 1), db: takes(20, 1) } });
    pass(kernel, 50);
    shutdown(kernel);
    pass(kernel, 1000);
    expect(count(kernel, "report")).toBe(1);
    expect(kernel.sets.size).toBe(0);
  });
});

describe("start-concurrency", () => {
  const slow: Behaviour = { readyAfterMs: [1000] };

  test("asked for once more, it keeps its place in line", () => {
    const names = ["a", "b", "c"];
    const kernel = machine(
      names.map((name) => service(name, { ready })),
      { startConcurrency: 1, behaviours: { a: slow, b: slow, c: slow } },
    );
    ask(kernel, "start", "b");
    expect(cause(kernel, "b")).toBe("waits for its turn: 1 start at a time");
    pass(kernel, 1500);
    expect(states(kernel)).toEqual({ a: "running", b: "starting", c: "waiting" });
  });

  test("has no place for what is in backoff, and one for a before-start hook", () => {
    const a = service("a", { restartDelayMs: 10_000 });
    const b = service("b", { hooks: hooks("before-start") });
    const kernel = machine([a, b, service("c")], {
      startConcurrency: 1,
      behaviours: { a: takes(0, 1), "b/before-start": takes(300) },
    });
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ a: "backoff", b: "starting", c: "waiting" });
    pass(kernel, 300);
    expect(states(kernel)).toEqual({ a: "backoff", b: "running", c: "running" });
  });

  test("and a scheduled task with a hook: it waits once for all its times, and costs no restart", () => {
    const kernel = machine(
      [
        service("a", { ready }),
        every(1000, { hooks: hooks("before-start") }),
        service("z", { autostart: false }),
      ],
      {
        startConcurrency: 1,
        restartBudget: { restarts: 1, windowMs: 60_000 },
        behaviours: { a: { readyAfterMs: [3500] }, job: takes(10), "job/before-start": takes(50) },
      },
    );
    pass(kernel, 1500);
    ask(kernel, "start", "z");
    expect(began(kernel)).toEqual(["a"]);
    pass(kernel, 2400);
    expect(began(kernel)).toEqual(["a", "job before-start", "job", "z"]);
    expect(runs(kernel.world, "job")).toHaveLength(1);
    crash(kernel, "z");
    pass(kernel, 200);
    expect(state(kernel, "z")).toBe("running");
  });
});

describe("restart-budget", () => {
  const BUDGET = { restarts: 1, windowMs: 60_000 };

  test("is not got round by those who need what is in backoff", () => {
    const services = [
      service("db", { restartDelayMs: 100 }),
      service("other"),
      service("web", { autostart: false, requires: needs("db") }),
    ];
    const kernel = machine(services, { restartBudget: BUDGET });
    crash(kernel, "other");
    pass(kernel, 500);
    crash(kernel, "db");
    expect(state(kernel, "db")).toBe("backoff");
    ask(kernel, "start", "web");
    pass(kernel, 1000);
    expect(cause(kernel, "db")).toMatch(/^waits for the restart budget \(1 in 1m\)/);
  });

  test("binds what is pinned up as well, until a person asks", () => {
    const kernel = machine([service("web", { restart: "never" })], { restartBudget: BUDGET });
    hold(kernel, "pin up", "web");
    crash(kernel, "web");
    pass(kernel, 500);
    expect(state(kernel, "web")).toBe("running");
    crash(kernel, "web");
    pass(kernel, 500);
    expect(cause(kernel, "web")).toMatch(/^waits for the restart budget/);
    ask(kernel, "start", "web");
    expect(state(kernel, "web")).toBe("running");
  });
});

describe("a mask", () => {
  test("on a requirement: who needs it waits, and starts when it may", () => {
    const services = [
      service("db", { autostart: false }),
      service("web", { autostart: false, requires: needs("db") }),
    ];
    const kernel = machine(services);
    hold(kernel, "mask", "db");
    ask(kernel, "start", "web");
    expect(states(kernel)).toEqual({ db: "waiting", web: "waiting" });
    expect(cause(kernel, "web")).toBe("waits for db, which is masked");
    hold(kernel, "unmask", "db");
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });

  test("keeps what runs from a restart of the target it belongs to", () => {
    const kernel = machine([service("a"), service("b"), target("all", ["a", "b"])]);
    hold(kernel, "mask", "a");
    ask(kernel, "restart", "all");
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ a: "running", b: "running", all: "running" });
    expect(began(kernel)).toEqual(["a", "b", "b"]);
  });

  test("keeps who stands in line from passing", () => {
    const kernel = machine([service("a", { ready }), service("b")], {
      startConcurrency: 1,
      behaviours: { a: { readyAfterMs: [100] } },
    });
    hold(kernel, "mask", "b");
    expect(cause(kernel, "b")).toBe("is masked");
    pass(kernel, 500);
    expect(began(kernel)).toEqual(["a"]);
    hold(kernel, "unmask", "b");
    expect(state(kernel, "b")).toBe("running");
  });
});

describe("kept descriptors", () => {
  const web = service("web", { ready: [sd] });
  const options = {
    behaviours: { web: { notices: [{ afterMs: 0, notice: { ready: true, storedFds: 2 } }] } },
  };

  test("outlive a restart asked for, and go with a stop", () => {
    const kernel = machine([web], options);
    pass(kernel, 10);
    ask(kernel, "restart", "web");
    pass(kernel, 10);
    expect(kernel.dropped).toEqual([]);
    ask(kernel, "stop", "web");
    expect(kernel.dropped).toEqual(["web"]);
  });
});

describe("a signal by hand", () => {
  const kill = (kernel: Kernel, scope: "main" | "tree") => {
    kernel.askNow({ type: "kill", name: "web", signal: "KILL", scope, because: "asked by uid 0" });
    return kernel.commands("signal").length;
  };

  test("reaches what is left when the leader has gone, if it is meant for the tree", () => {
    const kernel = machine([service("web")], {
      behaviours: { web: { ...takes(10), leftovers: 1, leftoversLeave: "never" } },
    });
    pass(kernel, 20);
    expect(view(kernel, "web")).toMatchObject({ state: "stopping", pid: null });
    expect(kill(kernel, "main")).toBe(0);
    expect(canSignal(kernel.world, "web", "main")).toBe(false);
    expect(kill(kernel, "tree")).toBe(1);
    expect(canSignal(kernel.world, "web", "tree")).toBe(true);
  });
});

describe("a shutdown asked for while main's end is still being seen to", () => {
  const stays = (behaviours: Record<string, Behaviour>, spec: Partial<SparseSpec>) => {
    const kernel = machine([task("job", { main: true, ...spec })], { behaviours });
    pass(kernel, 50);
    expect(state(kernel, "job")).toBe("stopping");
    shutdown(kernel);
    pass(kernel, 1000);
    return kernel.commands("exit").map(({ code }) => code);
  };

  test("leaves with main's code, be it a hook", () => {
    const behaviours = { job: takes(10, 7), "job/after-exit": takes(200) };
    expect(stays(behaviours, { hooks: hooks("after-exit") })).toEqual([7]);
  });

  test("or leftovers that it waits for", () => {
    const behaviours = { job: { ...takes(10, 7), leftovers: 1, leftoversLeave: 200 } };
    expect(stays(behaviours, {})).toEqual([7]);
  });

  test("and with 0 where main would have come again", () => {
    const behaviours = { job: takes(10, 7), "job/after-exit": takes(200) };
    expect(stays(behaviours, { restart: "on-failure", hooks: hooks("after-exit") })).toEqual([0]);
  });
});

test("a start that was not seen through is made anew, whatever is configured for its stop", () => {
  const web = service("web", { restart: "never", stopCommand: ["x"], hooks: hooks("before-stop") });
  const failure = { step: "fork", errno: 11, error: "EAGAIN", message: "no more", transient: true };
  const kernel = machine([web], { behaviours: { web: [{ spawnMs: 50, failure }, {}] } });
  kernel.at(kernel.now + 50, () => kernel.loseBrain());
  pass(kernel, 200);
  expect(state(kernel, "web")).toBe("running");
  expect(began(kernel)).toEqual(["web", "web"]);
});

test("a handler that could not start for a conflict does not tell of the failure later", () => {
  const services = [
    service("x"),
    service("web", { restart: "never", onFailure: { run: "report" } }),
    task("report", { autostart: false, conflicts: [{ name: "x", wait: false }] }),
  ];
  const kernel = machine(services, { behaviours: { web: takes(10, 1) } });
  hold(kernel, "pin up", "x");
  pass(kernel, 100);
  expect(state(kernel, "report")).toBe("inactive");
  hold(kernel, "unpin", "x");
  ask(kernel, "start", "report");
  pass(kernel, 0);
  expect(environmentOf(kernel, "main")).not.toHaveProperty("ONEUP_FAILED_SERVICE");
});

test("after its stop command a service that asks for more time gets no signal meanwhile", () => {
  const stop = { signal: "TERM", timeoutMs: 1000, evict: "stop" as const, tree: true };
  const kernel = machine([service("web", { ready: [sd], stopCommand: ["x"], stop })], {
    behaviours: { web: { leaves: 10, notices: [{ afterMs: 0, notice: { ready: true } }] } },
  });
  pass(kernel, 10);
  const [id = 0] = kernel.liveSets("web");
  ask(kernel, "stop", "web");
  pass(kernel, 500);
  kernel.tell(id, { extendMs: 5000 });
  pass(kernel, 4000);
  expect([state(kernel, "web"), kernel.signals]).toEqual(["stopping", []]);
  lose(kernel);
  pass(kernel, 500);
  expect(state(kernel, "web")).toBe("stopping");
  pass(kernel, 1000);
  expect([state(kernel, "web"), kernel.signals.length]).toEqual(["inactive", 1]);
});

test("a hook that hangs is cut by a restart, and what is bound goes with it in order", () => {
  const services = [
    service("db", { hooks: hooks("before-stop") }),
    service("web", { requires: bound("db") }),
  ];
  const kernel = machine(services, { behaviours: { "db/before-stop": HANGS } });
  ask(kernel, "restart", "db");
  pass(kernel, 3000);
  expect(states(kernel)).toEqual({ db: "running", web: "running" });
  expect(began(kernel)).toEqual(["db", "web", "db before-stop", "db", "web"]);
});
