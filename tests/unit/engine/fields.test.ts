/** Fields with which a definition bends the usual rules. */
import { describe, expect, test } from "vitest";
import { DEFAULTS, HEALTH_DEFAULTS } from "../../../src/model/defaults.ts";
import type { HealthSpec } from "../../../src/model/spec.ts";
import type { Behaviour } from "../../sim/kernel.ts";
import {
  ask,
  began,
  bound,
  cause,
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
  up,
  view,
} from "./helpers.ts";

const ends = (code: number, afterMs = 10): Behaviour => ({ ends: { afterMs, exit: { code } } });
const waitsFor = (name: string) => [{ name, bind: false, start: false }];
const begun = (name: string) => [{ name, until: "begun" as const }];
const beside = (name: string) => [{ name, wait: true }];
const later = { autostart: false };

describe("requires with start = false", () => {
  test("is waited for and not started along", () => {
    const kernel = machine([service("db", later), service("web", { requires: waitsFor("db") })]);
    expect(states(kernel)).toEqual({ db: "inactive", web: "waiting" });
    expect(cause(kernel, "web")).toBe("waits for db");
    ask(kernel, "start", "db");
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });

  test("goes down with it all the same, but waits on where it waited", () => {
    const kernel = machine([service("db"), service("web", { requires: waitsFor("db") })]);
    ask(kernel, "stop", "db");
    expect(states(kernel)).toEqual({ db: "inactive", web: "inactive" });
    ask(kernel, "start", "web");
    ask(kernel, "stop", "db");
    expect(states(kernel)).toEqual({ db: "inactive", web: "waiting" });
  });

  test("is no member of a target", () => {
    const kernel = machine([service("db"), target("all", [], { requires: waitsFor("db") })]);
    ask(kernel, "stop", "all");
    expect(states(kernel)).toEqual({ db: "running", all: "inactive" });
  });

  test("is not started along by a fresh brain or for a pin either", () => {
    const kernel = machine([service("db", later), service("web", { requires: waitsFor("db") })]);
    lose(kernel);
    hold(kernel, "pin up", "web");
    pass(kernel, 1_000);
    expect(states(kernel)).toEqual({ db: "inactive", web: "waiting" });
  });
});

describe("after, until begun", () => {
  test("waits for one that nobody starts", () => {
    const kernel = machine([service("a", later), service("b", { after: begun("a") })]);
    expect([state(kernel, "b"), cause(kernel, "b")]).toEqual(["waiting", "waits for a"]);
    expect(view(kernel, "b").waiting_for).toEqual(["a"]);
    ask(kernel, "start", "a");
    expect(state(kernel, "b")).toBe("running");
  });

  test("does not wait for it to be ready", () => {
    const ready = [{ type: "file", path: "/f" }] as const;
    const kernel = machine([service("a", { ready }), service("b", { after: begun("a") })], {
      behaviours: { a: { readyAfterMs: [500] } },
    });
    pass(kernel, 1);
    expect(states(kernel)).toEqual({ a: "starting", b: "running" });
  });

  test.each([
    ["failed", { restart: "never" }, ends(1)],
    ["exited", { restart: "never" }, ends(0)],
    ["backoff", { restartDelayMs: 10_000 }, ends(1)],
  ] as const)("one that is %s has begun", (expected, spec, behaviour) => {
    const kernel = machine([service("a", spec), service("b", { after: begun("a"), ...later })], {
      behaviours: { a: behaviour },
    });
    pass(kernel, 20);
    expect(state(kernel, "a")).toBe(expected);
    ask(kernel, "start", "b");
    expect(state(kernel, "b")).toBe("running");
  });

  test.each(["begun", "any"] as const)("%s: it stops before the other", (until) => {
    const kernel = machine([service("a"), service("b", { after: [{ name: "a", until }] })], {
      behaviours: { b: { leaves: 100 } },
    });
    shutdown(kernel);
    expect(kernel.signals.map((one) => one.service)).toEqual(["b"]);
    pass(kernel, 100);
    expect(kernel.signals.map((one) => one.service)).toEqual(["b", "a"]);
  });

  test("any: no obstacle, wherever the other stands", () => {
    const ready = [{ type: "file", path: "/f" }] as const;
    const kernel = machine(
      [service("a", { ready }), service("b", { after: [{ name: "a", until: "any" }] })],
      { behaviours: { a: { readyAfterMs: [500] } } },
    );
    expect(states(kernel)).toEqual({ a: "starting", b: "running" });
  });

  test("beside another order it counts as well", () => {
    const kernel = machine([
      service("a", { ...later, before: ["b"] }),
      service("b", { after: begun("a"), ...later }),
    ]);
    ask(kernel, "start", "b");
    expect(view(kernel, "b")).toMatchObject({ state: "waiting", cause: "waits for a", waiting_for: ["a"] });
    ask(kernel, "start", "a");
    expect(state(kernel, "b")).toBe("running");
  });

  test("who waits for itself in such a circle has failed", () => {
    const kernel = machine([service("a", { after: begun("b") }), service("b", { after: begun("a") })]);
    expect(states(kernel)).toEqual({ a: "failed", b: "failed" });
  });
});

describe("conflicts with wait", () => {
  test("the second waits until the first has no process", () => {
    const kernel = machine([service("a"), service("b", { conflicts: beside("a") })], {
      behaviours: { a: { leaves: 100 } },
    });
    expect(states(kernel)).toEqual({ a: "running", b: "waiting" });
    expect(cause(kernel, "b")).toBe("waits until a has stopped");
    ask(kernel, "stop", "a");
    expect(state(kernel, "b")).toBe("waiting");
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ a: "inactive", b: "running" });
  });

  test("the one that is named waits, too", () => {
    const kernel = machine([service("a", later), service("b", { conflicts: beside("a") })]);
    ask(kernel, "start", "a");
    expect(states(kernel)).toEqual({ a: "waiting", b: "running" });
  });

  test("unless it says that it stops the other", () => {
    const kernel = machine([
      service("a", { ...later, conflicts: [{ name: "b", wait: false }] }),
      service("b", { conflicts: beside("a") }),
    ]);
    ask(kernel, "start", "a");
    expect(states(kernel)).toEqual({ a: "running", b: "inactive" });
  });

  test("both may be pinned up", () => {
    const kernel = machine([service("a"), service("b", { conflicts: beside("a") })]);
    hold(kernel, "pin up", "a");
    hold(kernel, "pin up", "b");
    expect([view(kernel, "a").pinned, view(kernel, "b").pinned]).toEqual(["up", "up"]);
    expect(states(kernel)).toEqual({ a: "running", b: "waiting" });
  });
});

describe("end-counts", () => {
  const counts = { remainAfterExit: true, endCounts: true, restartDelayMs: 60_000 } as const;
  const two = (net: Parameters<typeof service>[1], code: number, requires = bound("net")) =>
    machine([service("net", { ...counts, ...net }), service("web", { requires })], {
      behaviours: { net: ends(code) },
    });

  test("before the next start a success is as good as being up, a failure is not", () => {
    const good = two({ restart: "always" }, 0);
    pass(good, 20);
    expect(states(good)).toEqual({ net: "backoff", web: "running" });
    lose(good);
    ask(good, "restart", "web");
    expect(states(good)).toEqual({ net: "backoff", web: "running" });
    const bad = two({ restart: "always" }, 1);
    pass(bad, 20);
    expect(states(bad)).toEqual({ net: "backoff", web: "waiting" });
  });

  test("so it is after a stop; and after any end it has begun", () => {
    const services = (code: number) => {
      const kernel = machine(
        [
          service("net", counts),
          service("web", { requires: waitsFor("net"), ...later }),
          service("late", { after: begun("net"), ...later }),
        ],
        { behaviours: { net: { stopExit: { code } } } },
      );
      ask(kernel, "stop", "net");
      pass(kernel, 100);
      ask(kernel, "start", "web", "late");
      pass(kernel, 100);
      return states(kernel);
    };
    expect(services(0)).toEqual({ net: "inactive", web: "running", late: "running" });
    expect(services(1)).toEqual({ net: "inactive", web: "waiting", late: "running" });
  });

  test("what failed for good and was stopped then, or never ran, is down", () => {
    const kernel = machine(
      [
        service("net", { ...counts, restart: "never" }),
        service("off", { ...counts, ...later }),
        service("late", { after: begun("net"), ...later }),
        service("later", { after: begun("off"), ...later }),
      ],
      { behaviours: { net: ends(1) } },
    );
    pass(kernel, 20);
    ask(kernel, "stop", "net", "off");
    ask(kernel, "start", "late", "later");
    expect(states(kernel)).toEqual({ net: "inactive", off: "inactive", late: "waiting", later: "waiting" });
  });
});

describe("remain-after-exit", () => {
  const once = { restart: "on-failure", remainAfterExit: true } as const;

  test("having ended with success it is as good as ready", () => {
    const kernel = machine([service("net", once), service("web", { requires: needs("net"), ...later })], {
      behaviours: { net: ends(0) },
    });
    pass(kernel, 20);
    expect(view(kernel, "net")).toMatchObject({ state: "exited", ready: true });
    expect(up(kernel, "net")).toBe("done");
    ask(kernel, "start", "web");
    expect(state(kernel, "web")).toBe("running");
    expect(began(kernel)).toEqual(["net", "web"]);
  });

  test("its end takes nobody along, its failure does", () => {
    const services = (code: number) =>
      machine([service("net", { ...once, restart: "never" }), service("web", { requires: bound("net") })], {
        behaviours: { net: ends(code) },
      });
    const good = services(0);
    pass(good, 20);
    expect(states(good)).toEqual({ net: "exited", web: "running" });
    expect(good.commands("stop")).toEqual([]);
    const bad = services(1);
    pass(bad, 20);
    expect(states(bad)).toEqual({ net: "failed", web: "waiting" });
  });

  test("without it, an ended service is no requirement that holds", () => {
    const kernel = machine(
      [service("net", { restart: "never" }), service("web", { requires: needs("net"), ...later })],
      { behaviours: { net: [ends(0), {}] } },
    );
    pass(kernel, 20);
    ask(kernel, "start", "web");
    expect(began(kernel)).toEqual(["net", "net", "web"]);
  });

  test("stopped, it is down, and what requires it as well", () => {
    const kernel = machine([service("net", once), service("web", { requires: needs("net") })], {
      behaviours: { net: ends(0) },
    });
    pass(kernel, 20);
    ask(kernel, "stop", "net");
    expect(states(kernel)).toEqual({ net: "inactive", web: "inactive" });
  });
});

describe("restarts", () => {
  const delays = (restartJitter: number) => {
    const spec = { restartJitter, restartDelayMs: 100, restartDelayMaxMs: 1_000, restartResetMs: 60_000 };
    const kernel = machine([service("web", spec)], { behaviours: { web: ends(1, 0) } });
    pass(kernel, 10_000);
    return kernel.commands("arm").map(({ at }, index) => at - (kernel.times("arm")[index] ?? 0));
  };

  test("without jitter the delays are exact", () => {
    expect(delays(0).slice(0, 6)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  test("with all of it they are anything up to the double", () => {
    const found = delays(1);
    expect(found.some((ms, index) => Math.abs(ms - 100 * 2 ** index) > 20)).toBe(true);
    expect(Math.max(...found)).toBeLessThanOrEqual(1_000);
  });

  const limited = { restartLimit: 2, restartWindowMs: 0, restartDelayMs: 10_000, restartResetMs: 500 };

  test("without a window the limit counts restarts in a row, however long they take", () => {
    const kernel = machine([service("web", limited)], { behaviours: { web: ends(1, 100) } });
    pass(kernel, 200_000);
    expect(began(kernel)).toEqual(["web", "web", "web"]);
    expect(cause(kernel, "web")).toBe("more than 2 restarts in a row, last: exited with code 1");
  });

  test("and a run that lasts ends the row", () => {
    const kernel = machine([service("web", limited)], { behaviours: { web: ends(1, 500) } });
    pass(kernel, 200_000);
    expect(began(kernel).length).toBeGreaterThan(5);
  });
});

describe("stop.evict = kill", () => {
  const stop = { signal: "TERM", timeoutMs: 5_000, evict: "kill" as const, tree: true };
  const hooks = { "before-stop": { argv: ["x"], timeoutMs: 1_000 } };
  const never = { readyAfterMs: [Number.POSITIVE_INFINITY], leaves: "never" as const };

  test("not ready in time: KILL at once", () => {
    const ready = [{ type: "file", path: "/f" }] as const;
    const kernel = machine([service("web", { stop, hooks, ready, startTimeoutMs: 300, restart: "never" })], {
      behaviours: { web: never },
    });
    pass(kernel, 300);
    expect(kernel.commands("stop")).toEqual([
      { type: "stop", id: 1, signal: "KILL", timeoutMs: 0, tree: true },
    ]);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toMatch(/^not ready within 300ms/);
    expect(view(kernel, "web").reason).toEqual({ type: "start-timeout" });
  });

  test("unhealthy: KILL at once, and no hook before it", () => {
    const health: HealthSpec = {
      ...HEALTH_DEFAULTS,
      probes: [{ type: "tcp", host: "h", port: 1 }],
      failures: 1,
    };
    const kernel = machine([service("web", { stop, hooks, health, restart: "never" })], {
      behaviours: { web: { check: () => ({ ok: false }), leaves: "never" } },
    });
    pass(kernel, 20_000);
    expect(kernel.commands("stop")).toMatchObject([{ signal: "KILL", timeoutMs: 0 }]);
    expect(began(kernel)).toEqual(["web"]);
    expect(state(kernel, "web")).toBe("failed");
  });

  test("a stop that somebody asks for is as patient as ever", () => {
    const kernel = machine([service("web", { stop })]);
    ask(kernel, "stop", "web");
    expect(kernel.commands("stop")).toMatchObject([{ signal: "TERM", timeoutMs: 5_000 }]);
  });

  test("a watchdog wants its core", () => {
    const kernel = machine([service("web", { stop, watchdogMs: 100, restart: "never" })]);
    pass(kernel, 1_000);
    expect(kernel.commands("stop")).toMatchObject([{ signal: "ABRT", timeoutMs: 5_000 }]);
  });
});

describe("ready by health", () => {
  const health: HealthSpec = {
    ...HEALTH_DEFAULTS,
    probes: [{ type: "tcp", host: "h", port: 1 }],
    everyMs: 100,
    timeoutMs: 50,
    failures: 3,
  };
  const spec = { health, ready: [{ type: "health" }], startTimeoutMs: 10_000, restart: "never" } as const;
  const wellAfter = (ms: number): Behaviour => ({ check: (since) => ({ ok: since >= ms }) });

  test("the first check comes at once, and the first good one makes it ready", () => {
    const kernel = machine([service("web", spec)], { behaviours: { web: wellAfter(0) } });
    expect(state(kernel, "web")).toBe("starting");
    expect(cause(kernel, "web")).toMatch(/waits for its health checks to say that it is well$/);
    pass(kernel, 1);
    expect(view(kernel, "web")).toMatchObject({ state: "running", healthy: true });
  });

  test("bad ones before it are forgiven up to the limit", () => {
    const kernel = machine([service("web", spec)], { behaviours: { web: wellAfter(150) } });
    pass(kernel, 150);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 100);
    expect(state(kernel, "web")).toBe("running");
    expect(kernel.times("probe")).toEqual([1000, 1100, 1200]);
    pass(kernel, 1_000);
    expect(kernel.times("probe")).toHaveLength(13); // They go on, in the same beat.
  });

  test("so many in a row end the run", () => {
    const kernel = machine([service("web", spec)], { behaviours: { web: wellAfter(10_000) } });
    pass(kernel, 1_000);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("unhealthy: 3 checks in a row failed, last: tcp h:1: refused");
    expect(view(kernel, "web").reason).toEqual({ type: "unhealthy", failures: 3 });
  });

  test("the initial delay counts from the start of the run", () => {
    const delayed = { ...spec, health: { ...health, initialDelayMs: 700 } };
    const kernel = machine([service("web", delayed)], { behaviours: { web: wellAfter(0) } });
    pass(kernel, 5_000);
    expect(kernel.times("probe")[0]).toBe(1700);
  });

  test("one condition among others", () => {
    const both = { ...spec, ready: [{ type: "health" }, { type: "delay", ms: 500 }] } as const;
    const kernel = machine([service("web", both)], { behaviours: { web: wellAfter(0) } });
    pass(kernel, 400);
    expect(state(kernel, "web")).toBe("starting");
    expect(kernel.times("probe").length).toBeGreaterThan(3);
    pass(kernel, 200);
    expect(state(kernel, "web")).toBe("running");
  });

  test("the start timeout says what the checks found", () => {
    const late = { ...spec, startTimeoutMs: 150 };
    const kernel = machine([service("web", late)], { behaviours: { web: wellAfter(10_000) } });
    pass(kernel, 160);
    expect(cause(kernel, "web")).toBe("not ready within 150ms, last: tcp h:1: refused");
  });

  test("a fresh brain goes on asking", () => {
    const kernel = machine([service("web", spec)], { behaviours: { web: wellAfter(150) } });
    pass(kernel, 50);
    lose(kernel);
    pass(kernel, 300);
    expect(state(kernel, "web")).toBe("running");
  });

  test("a stop while it is asked ends the asking", () => {
    const kernel = machine([service("web", spec)], { behaviours: { web: wellAfter(10_000) } });
    ask(kernel, "stop", "web");
    pass(kernel, 1_000);
    expect(state(kernel, "web")).toBe("inactive");
    expect(kernel.isIdle()).toBe(true);
  });
});

describe("a critical service", () => {
  test("that has failed for good is told in a block", () => {
    const kernel = machine(
      [service("net", { critical: true, restart: "never" }), service("web", { requires: needs("net") })],
      { behaviours: { net: ends(3) } },
    );
    pass(kernel, 20);
    expect(kernel.said).toEqual([
      "net: failed: exited with code 3",
      "---- critical: net has failed ----",
      "reason: exited with code 3",
      "without it: web",
      "look at its output (logs net) and at what led to it (why net); then: start net",
      "----------------------------------",
    ]);
  });

  test("that is started again is not", () => {
    const kernel = machine([service("net", { critical: true })], { behaviours: { net: ends(3) } });
    pass(kernel, 20);
    expect(kernel.said.join()).not.toContain("critical");
  });
});

test("a probe from outside has nothing of the service", () => {
  const argv = ["check"];
  const own = {
    directory: "/srv",
    user: "www",
    environment: { A: "1", PATH: "/srv/bin" },
    cleanEnvironment: true,
    nice: 5,
    limits: { nofile: { soft: 1, hard: 1 } },
  };
  const probe = (outside: boolean) => {
    const ready = [{ type: "exec", argv, outside }] as const;
    const kernel = machine([service("web", { ...own, ready })]);
    const [found] = kernel.commands("probe");
    return found?.probe.type === "exec" ? found.probe.spec : null;
  };
  expect(probe(false)).toMatchObject({ argv, role: "probe", ...own });
  expect(probe(true)).toMatchObject({
    argv,
    role: "probe",
    service: "web",
    directory: null,
    user: null,
    nice: null,
    limits: {},
    cleanEnvironment: false,
  });
  expect(probe(true)?.environment).toEqual({
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  });
});

test("what a dialect has to say of a definition is kept as it is", () => {
  const origin = { file: "/etc/x.toml", document: "{}" };
  const kernel = machine([service("web", { origin })]);
  expect(kernel.world.byName.get("web")?.spec.origin).toEqual(origin);
});

test("a task with all of it", () => {
  const kernel = machine([task("a"), task("b", { after: begun("a"), restartJitter: 0 })], {
    behaviours: { a: ends(0), b: ends(0) },
  });
  pass(kernel, 50);
  expect(states(kernel)).toEqual({ a: "exited", b: "exited" });
});

describe("what the nucleus is told", () => {
  function spawnOf(spec: Parameters<typeof service>[1]) {
    const hooks = { "before-start": { argv: ["h"], timeoutMs: 1000 } };
    const kernel = machine([service("a", { ...spec, hooks })]);
    pass(kernel, 10);
    const found = kernel.commands("spawn").map((command) => command.spec);
    return {
      hook: found.find(({ role }) => role !== "main"),
      main: found.find(({ role }) => role === "main"),
    };
  }

  test("where a service reads and writes; its hooks write into their logs", () => {
    const stdout = { type: "file", path: "/o", mode: 0o600 } as const;
    const stderr = { type: "same" } as const;
    const { hook, main } = spawnOf({ stdin: "inherit", stdout, stderr });
    expect(main).toMatchObject({ log: "a", stdin: "inherit", stdout, stderr });
    expect(hook).not.toHaveProperty("stdin");
    expect(hook).not.toHaveProperty("stdout");
    expect(spawnOf({}).main).not.toHaveProperty("stdout");
  });

  test("which files must not be there when it starts", () => {
    const file = (path: string, fresh: boolean) => ({ type: "file", path, fresh }) as const;
    const health = {
      probes: [file("/c", true), file("/a", true)],
      everyMs: 1000,
      timeoutMs: 100,
      failures: 1,
      successes: 1,
      initialDelayMs: 0,
      onFailure: "mark",
    } as const;
    const { hook, main } = spawnOf({ ready: [file("/a", true), file("/b", false)], health });
    expect(main?.remove).toEqual(["/a", "/c"]);
    expect(hook).not.toHaveProperty("remove");
    expect(spawnOf({ ready: [file("/b", false)] }).main).not.toHaveProperty("remove");
  });

  test("that a log is cut into pieces", () => {
    const kernel = machine([
      service("a", { log: { ...DEFAULTS.log, file: "/l", maxSize: 50, split: true, stamp: true } }),
      service("b", { log: { ...DEFAULTS.log, file: "/l" } }),
    ]);
    const files = kernel.commands("openLog").map(({ options }) => options.file);
    expect(files).toMatchObject([{ path: "/l", maxBytes: 50, split: { stamp: true } }, { path: "/l" }]);
    expect(files[1]).not.toHaveProperty("split");
  });

  test("how an HTTP probe asks", () => {
    const http = {
      type: "http",
      tls: false,
      host: "h",
      port: 1,
      path: "/",
      status: [[200, 299]],
      body: null,
      method: "HEAD",
      redirects: 3,
      headers: {},
      caFile: null,
      insecure: false,
    } as const;
    const kernel = machine([service("a", { ready: [http] })]);
    expect(kernel.commands("probe")[0]?.probe).toMatchObject({ method: "HEAD", redirects: 3 });
  });
});
