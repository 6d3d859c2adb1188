import { describe, expect, test } from "vitest";
import {
  ask,
  cause,
  machine,
  needs,
  pass,
  service,
  spawned,
  state,
  states,
  stopped,
  target,
  task,
  up,
  view,
} from "./helpers.ts";

describe("start", () => {
  test("autostart sets the goal, and what it needs comes with it", () => {
    const kernel = machine([
      service("db", { autostart: false }),
      service("cache", { autostart: false }),
      service("web", { requires: needs("db"), wants: ["cache"] }),
      service("extra", { autostart: false }),
    ]);
    expect(states(kernel)).toEqual({ db: "running", cache: "running", web: "running", extra: "inactive" });
    expect(view(kernel, "db").goal).toBe("up");
    expect(view(kernel, "extra").cause).toBe("nobody asked for it yet");
  });

  test("pulls requires and wants up, transitively", () => {
    const off = { autostart: false };
    const kernel = machine([
      service("a", off),
      service("b", { ...off, requires: needs("a") }),
      service("c", { ...off, wants: ["b"] }),
    ]);
    expect(spawned(kernel)).toEqual([]);
    ask(kernel, "start", "c");
    expect(spawned(kernel)).toEqual(["a", "b", "c"]);
  });

  test("a goal stays up until someone asks for a stop", () => {
    const kernel = machine([
      service("db", { autostart: false }),
      service("web", { autostart: false, requires: needs("db") }),
    ]);
    ask(kernel, "start", "web");
    ask(kernel, "stop", "web");
    expect(states(kernel)).toEqual({ db: "running", web: "inactive" });
  });

  test("of what runs already changes nothing", () => {
    const kernel = machine([service("web")]);
    ask(kernel, "start", "web");
    expect(spawned(kernel)).toEqual(["web"]);
    expect(up(kernel, "web")).toBe("done");
  });

  test("of a task that is done runs it again; a dependency's pull does not", () => {
    const done = { ends: { afterMs: 0, exit: { code: 0 } } };
    const kernel = machine([task("migrate"), service("web", { requires: needs("migrate") })], {
      behaviours: { migrate: done },
    });
    expect(states(kernel)).toEqual({ migrate: "exited", web: "running" });
    ask(kernel, "stop", "web");
    ask(kernel, "start", "web");
    expect(spawned(kernel)).toEqual(["migrate", "web", "web"]);
    ask(kernel, "start", "migrate");
    expect(spawned(kernel)).toEqual(["migrate", "web", "web", "migrate"]);
  });

  test("of what failed tries it again, as does a pull", () => {
    const kernel = machine([
      service("db", { restart: "never" }),
      service("web", { requires: needs("db"), autostart: false }),
    ]);
    kernel.crash("db");
    pass(kernel, 0);
    expect(state(kernel, "db")).toBe("failed");
    ask(kernel, "start", "web");
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });

  test("in backoff starts at once and gives a new chance", () => {
    const kernel = machine([service("web", { restartDelayMs: 1000 })]);
    kernel.crash("web");
    pass(kernel, 10);
    expect(state(kernel, "web")).toBe("backoff");
    expect(up(kernel, "web")).toHaveProperty("failed");
    ask(kernel, "start", "web");
    expect(state(kernel, "web")).toBe("running");
    expect(kernel.isIdle()).toBe(true);
  });

  test("pulls members of a target that runs already", () => {
    const kernel = machine([service("a", { restart: "never" }), target("all", ["a"])]);
    kernel.crash("a");
    pass(kernel, 0);
    expect(states(kernel)).toEqual({ a: "failed", all: "running" });
    ask(kernel, "start", "all");
    expect(state(kernel, "a")).toBe("running");
  });
});

describe("stop", () => {
  test("takes dependents along, first of all, and says why", () => {
    const kernel = machine(
      [service("db"), service("api", { requires: needs("db") }), service("web", { requires: needs("api") })],
      { behaviours: { web: { leaves: 50 }, api: { leaves: 50 }, db: { leaves: 50 } } },
    );
    ask(kernel, "stop", "db");
    expect(states(kernel)).toEqual({ db: "running", api: "running", web: "stopping" });
    expect(view(kernel, "db").waiting_for).toEqual(["api"]);
    pass(kernel, 60);
    expect(states(kernel)).toEqual({ db: "running", api: "stopping", web: "inactive" });
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ db: "inactive", api: "inactive", web: "inactive" });
    expect(stopped(kernel)).toEqual(["web", "api", "db"]);
    expect(cause(kernel, "db")).toBe("stop asked by uid 0");
    expect(cause(kernel, "web")).toBe("requires api, because of db: stop asked by uid 0");
  });

  test("passes through a task that is done, and leaves it so", () => {
    const kernel = machine(
      [
        service("db"),
        task("migrate", { requires: needs("db") }),
        service("web", { requires: needs("migrate") }),
      ],
      { behaviours: { migrate: { ends: { afterMs: 0, exit: { code: 0 } } }, web: { leaves: 50 } } },
    );
    ask(kernel, "stop", "db");
    expect(states(kernel)).toEqual({ db: "running", migrate: "exited", web: "stopping" });
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ db: "inactive", migrate: "exited", web: "inactive" });
    ask(kernel, "start", "web");
    expect(spawned(kernel).filter((name) => name === "migrate")).toHaveLength(1);
  });

  test("while waiting: inactive at once", () => {
    const kernel = machine(
      [service("db", { ready: [{ type: "delay", ms: 500 }] }), service("web", { requires: needs("db") })],
      {},
    );
    expect(state(kernel, "web")).toBe("waiting");
    ask(kernel, "stop", "web");
    expect(state(kernel, "web")).toBe("inactive");
    pass(kernel, 1000);
    expect(spawned(kernel)).toEqual(["db"]);
  });

  test("in backoff: the timer is cancelled, inactive at once", () => {
    const kernel = machine([service("web")]);
    kernel.crash("web");
    pass(kernel, 0);
    expect(state(kernel, "web")).toBe("backoff");
    ask(kernel, "stop", "web");
    expect(state(kernel, "web")).toBe("inactive");
    expect(kernel.timers.size).toBe(0);
    pass(kernel, 60_000);
    expect(spawned(kernel)).toEqual(["web"]);
  });

  test("while starting, in the middle of a probe: the set is stopped, the probe dropped", () => {
    const kernel = machine([service("web", { ready: [{ type: "tcp", host: "::1", port: 1 }] })], {
      behaviours: { web: { readyAfterMs: [10_000] } },
    });
    expect(kernel.probes.size).toBe(1);
    ask(kernel, "stop", "web");
    expect(state(kernel, "web")).toBe("inactive");
    expect(kernel.isIdle()).toBe(true);
    expect(view(kernel, "web").exit).toMatchObject({ signal: "TERM" });
  });

  test("between Spawn and Spawned: stopped as soon as it is known", () => {
    const kernel = machine([service("web")], { behaviours: { web: { spawnMs: 50 } } });
    ask(kernel, "stop", "web");
    expect(stopped(kernel)).toEqual([]);
    pass(kernel, 100);
    expect(stopped(kernel)).toEqual(["web"]);
    expect(state(kernel, "web")).toBe("inactive");
  });

  test("during a stop: joins it", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: 100 } } });
    ask(kernel, "stop", "web");
    ask(kernel, "stop", "web");
    pass(kernel, 200);
    expect(stopped(kernel)).toEqual(["web"]);
    expect(state(kernel, "web")).toBe("inactive");
  });

  test("of what failed or is done makes it inactive", () => {
    const kernel = machine([service("web", { restart: "never" }), task("job")], {
      behaviours: { job: { ends: { afterMs: 0, exit: { code: 0 } } } },
    });
    kernel.crash("web");
    pass(kernel, 0);
    expect(states(kernel)).toEqual({ web: "failed", job: "exited" });
    ask(kernel, "stop", "web", "job");
    expect(states(kernel)).toEqual({ web: "inactive", job: "inactive" });
  });

  test("a start during it: up again after it, not before", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: 100 } } });
    ask(kernel, "stop", "web");
    ask(kernel, "start", "web");
    expect(state(kernel, "web")).toBe("stopping");
    expect(up(kernel, "web")).toBe("pending");
    expect(spawned(kernel)).toEqual(["web"]);
    pass(kernel, 200);
    expect(state(kernel, "web")).toBe("running");
    expect(spawned(kernel)).toEqual(["web", "web"]);
  });

  test("a crash during it is not judged", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: "never" } } });
    ask(kernel, "stop", "web");
    kernel.crash("web", { code: 1 });
    pass(kernel, 60_000);
    expect(state(kernel, "web")).toBe("inactive");
    expect(spawned(kernel)).toEqual(["web"]);
  });
});

describe("targets", () => {
  const services = [
    service("a"),
    service("b"),
    target("inner", ["b"]),
    target("all", ["a", "inner"], { wants: ["c"] }),
    service("c"),
    service("other"),
  ];

  test("asked to stop stand for their members, recursively", () => {
    const kernel = machine(services);
    expect(state(kernel, "all")).toBe("running");
    ask(kernel, "stop", "all");
    expect(states(kernel)).toEqual({
      a: "inactive",
      b: "inactive",
      inner: "inactive",
      all: "inactive",
      c: "inactive",
      other: "running",
    });
    expect(cause(kernel, "b")).toBe("part of inner: part of all: stop asked by uid 0");
  });

  test("asked to restart, too", () => {
    const kernel = machine(services);
    ask(kernel, "restart", "all");
    pass(kernel, 10);
    expect(spawned(kernel).slice(4).sort()).toEqual(["a", "b", "c"]);
    expect(new Set(Object.values(states(kernel)))).toEqual(new Set(["running"]));
  });

  test("going down only as a dependent take no member along", () => {
    const kernel = machine(services);
    ask(kernel, "stop", "a");
    expect(states(kernel)).toEqual({
      a: "inactive",
      b: "running",
      inner: "running",
      all: "inactive",
      c: "running",
      other: "running",
    });
  });
});

describe("restart", () => {
  const pair = [service("db"), service("web", { requires: needs("db") })];
  const slow = { behaviours: { db: { leaves: 50 }, web: { leaves: 50 } } };

  test("takes dependents along, down and up in order", () => {
    const kernel = machine(pair, slow);
    ask(kernel, "restart", "db");
    expect(states(kernel)).toEqual({ db: "running", web: "stopping" });
    pass(kernel, 60);
    expect(states(kernel)).toEqual({ db: "stopping", web: "waiting" });
    pass(kernel, 60);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
    expect(stopped(kernel)).toEqual(["web", "db"]);
    expect(spawned(kernel)).toEqual(["db", "web", "db", "web"]);
    expect(view(kernel, "db").restarts).toBe(0);
  });

  test("a stop asked later cancels it", () => {
    const kernel = machine(pair, slow);
    ask(kernel, "restart", "db");
    pass(kernel, 60);
    ask(kernel, "stop", "db");
    pass(kernel, 60_000);
    expect(states(kernel)).toEqual({ db: "inactive", web: "inactive" });
    expect(spawned(kernel)).toEqual(["db", "web"]);
  });

  test("leaves a dependent down that was down", () => {
    const kernel = machine(pair);
    ask(kernel, "stop", "web");
    ask(kernel, "restart", "db");
    expect(states(kernel)).toEqual({ db: "running", web: "inactive" });
  });

  test("of what is down starts it", () => {
    const kernel = machine([service("web", { autostart: false })]);
    ask(kernel, "restart", "web");
    expect(state(kernel, "web")).toBe("running");
  });

  test("a crash on the way does not bring it up twice", () => {
    const kernel = machine(pair, slow);
    ask(kernel, "restart", "db");
    kernel.crash("db");
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
    expect(spawned(kernel)).toEqual(["db", "web", "db", "web"]);
  });
});

describe("conflicts", () => {
  const services = [
    service("old"),
    service("new", { autostart: false, conflicts: [{ name: "old", wait: false }] }),
    service("web", { requires: needs("old") }),
  ];

  test("starting one stops the other and its dependents, and waits for their end", () => {
    const kernel = machine(services, { behaviours: { old: { leaves: 100 } } });
    ask(kernel, "start", "new");
    expect(states(kernel)).toEqual({ old: "stopping", new: "waiting", web: "inactive" });
    expect(cause(kernel, "new")).toBe("waits until old has stopped");
    expect(cause(kernel, "old")).toBe("conflicts with new");
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ old: "inactive", new: "running", web: "inactive" });
  });

  test("hold in both directions", () => {
    const kernel = machine(services);
    ask(kernel, "start", "new");
    ask(kernel, "start", "web");
    expect(states(kernel)).toEqual({ old: "running", new: "inactive", web: "running" });
  });
});
