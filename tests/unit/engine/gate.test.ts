import { describe, expect, test } from "vitest";
import type { Kernel } from "../../sim/kernel.ts";
import {
  ask,
  bound,
  cause,
  machine,
  needs,
  pass,
  service,
  spawned,
  state,
  states,
  target,
  task,
  view,
} from "./helpers.ts";

const BUDGET = { restarts: 2, windowMs: 60_000 };
const slow = { readyAfterMs: [100] };
const ready = [{ type: "file", path: "/ready" }] as const;

function crash(kernel: Kernel, ...names: string[]): void {
  for (const name of names) kernel.crash(name);
  pass(kernel, 0);
}

/** Times of a service's starts, from the kernel's beginning. */
function starts(kernel: Kernel, name: string): number[] {
  return kernel
    .times("spawn", (command) => command.type === "spawn" && command.spec.service === name)
    .map((at) => at - 1000);
}

describe("start-concurrency", () => {
  const five = ["a", "b", "c", "d", "e"].map((name) => service(name, { ready }));
  const behaviours = Object.fromEntries(five.map(({ name }) => [name, slow]));

  test("bounds how many start at a time; the others come in their turn", () => {
    const kernel = machine(five, { behaviours, startConcurrency: 2 });
    expect(spawned(kernel)).toEqual(["a", "b"]);
    expect(states(kernel)).toEqual({
      a: "starting",
      b: "starting",
      c: "waiting",
      d: "waiting",
      e: "waiting",
    });
    expect(cause(kernel, "c")).toBe("waits for its turn: 2 start at a time");
    expect(view(kernel, "c").next_start_at).toBeNull();
    pass(kernel, 200);
    expect(spawned(kernel)).toEqual(["a", "b", "c", "d"]);
    pass(kernel, 1000);
    expect(Object.values(states(kernel))).toEqual(Array(5).fill("running"));
    expect(kernel.isIdle()).toBe(true);
  });

  test("a task takes a place until it runs, a target none", () => {
    const kernel = machine([task("t"), target("g", []), service("a")], { startConcurrency: 1 });
    expect(states(kernel)).toEqual({ t: "running", g: "running", a: "running" });
    expect(spawned(kernel)).toEqual(["t", "a"]);
  });

  test("who depends on less goes first, then who came first", () => {
    const services = [
      service("base"),
      service("x", { ready, autostart: false }),
      ...["leaf1", "leaf2"].map((name) => service(name, { autostart: false, requires: needs("base") })),
      service("root", { autostart: false }),
    ];
    const kernel = machine(services, { behaviours: { x: slow }, startConcurrency: 1 });
    for (const name of ["x", "leaf2", "leaf1", "root"]) ask(kernel, "start", name);
    pass(kernel, 1000);
    expect(spawned(kernel)).toEqual(["base", "x", "root", "leaf2", "leaf1"]);
  });

  test("who is stopped leaves the line, who failed gives its place away", () => {
    const kernel = machine(five, {
      behaviours: { ...behaviours, a: { readyAfterMs: [Number.POSITIVE_INFINITY] } },
      startConcurrency: 1,
    });
    ask(kernel, "stop", "b");
    expect(state(kernel, "b")).toBe("inactive");
    expect(spawned(kernel)).toEqual(["a"]);
    ask(kernel, "stop", "a");
    expect(spawned(kernel)).toEqual(["a", "c"]);
  });

  test("what it stood in line for is not forgotten with a brain, nor who came first", () => {
    const kernel = machine(five, { behaviours, startConcurrency: 1 });
    for (let losses = 0; losses < 10; losses++) {
      kernel.loseBrain();
      pass(kernel, 60);
    }
    expect(spawned(kernel)).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("a requirement that is lost while its dependent stands in line is waited for again", () => {
    const services = [service("db"), service("a", { ready }), service("api", { requires: needs("db") })];
    const kernel = machine(services, { behaviours: { a: slow }, startConcurrency: 1 });
    expect(cause(kernel, "api")).toBe("waits for its turn: 1 start at a time");
    ask(kernel, "stop", "api");
    crash(kernel, "db");
    ask(kernel, "start", "api");
    expect(cause(kernel, "api")).toBe("waits for db");
    pass(kernel, 1000);
    expect(state(kernel, "api")).toBe("running");
  });
});

describe("restart-budget", () => {
  const four = ["a", "b", "c", "d"].map((name) => service(name));

  test("so many at once, then one after the other", () => {
    const kernel = machine(four, { restartBudget: BUDGET });
    crash(kernel, "a", "b", "c", "d");
    pass(kernel, 200);
    const waiting = ["a", "b", "c", "d"].filter((name) => state(kernel, name) === "waiting");
    expect(waiting).toHaveLength(2);
    const [first = "", second = ""] = waiting.sort((a, b) =>
      (view(kernel, a).next_start_at ?? "").localeCompare(view(kernel, b).next_start_at ?? ""),
    );
    expect(cause(kernel, first)).toMatch(/^waits for the restart budget \(2 in 1m\): next in 30s$/);
    expect(cause(kernel, second)).toMatch(/^waits for the restart budget \(2 in 1m\): next in 60s$/);
    expect(kernel.said).toContain(`${first}: ${cause(kernel, first)}`);
    pass(kernel, 29_800);
    expect([state(kernel, first), state(kernel, second)]).toEqual(["waiting", "waiting"]);
    pass(kernel, 300);
    expect([state(kernel, first), state(kernel, second)]).toEqual(["running", "waiting"]);
    pass(kernel, 30_000);
    expect(state(kernel, second)).toBe("running");
    expect(kernel.isIdle()).toBe(true);
  });

  test("it is full again after its time", () => {
    const kernel = machine([service("a", { restartDelayMs: 0 })], { restartBudget: BUDGET });
    for (let time = 0; time < 4; time++) {
      crash(kernel, "a");
      crash(kernel, "a");
      expect(state(kernel, "a")).toBe("running");
      pass(kernel, 60_000);
    }
    crash(kernel, "a");
    crash(kernel, "a");
    crash(kernel, "a");
    expect(state(kernel, "a")).toBe("waiting");
  });

  test("the first start and what somebody asks for cost nothing", () => {
    const kernel = machine(four, { restartBudget: { restarts: 1, windowMs: 60_000 } });
    ask(kernel, "restart", "a", "b", "c", "d");
    crash(kernel, "a", "b");
    pass(kernel, 200);
    const [out = ""] = ["a", "b"].filter((name) => state(kernel, name) === "waiting");
    ask(kernel, "start", out);
    expect(state(kernel, out)).toBe("running");
    expect(cause(kernel, out)).toMatch(/^runs as pid/);
    expect(
      kernel.published.find((event) => event.service === out && event.cause === "start asked by uid 0"),
    ).toBeDefined();
    expect(kernel.timers.size).toBe(0);
  });

  test("what only a failure's handler needs waits on", () => {
    const services = [
      service("db", { restartDelayMs: 0 }),
      service("api", { restart: "never", onFailure: { run: "report" } }),
      task("report", { autostart: false, requires: needs("db") }),
    ];
    const kernel = machine(services, { restartBudget: { restarts: 1, windowMs: 60_000 } });
    crash(kernel, "db");
    crash(kernel, "db");
    crash(kernel, "api");
    expect(states(kernel)).toEqual({ db: "waiting", api: "failed", report: "waiting" });
    expect(cause(kernel, "db")).toContain("restart budget");
    expect(cause(kernel, "report")).toBe("waits for db");
    pass(kernel, 60_000);
    expect(spawned(kernel).slice(-2)).toEqual(["db", "report"]);
  });

  test("what comes back for a pinned service costs as much as for others", () => {
    const services = [
      service("db", { restartDelayMs: 0 }),
      service("cache"),
      service("api", { restartDelayMs: 0, requires: needs("db", "cache") }),
    ];
    const kernel = machine(services, { restartBudget: { restarts: 1, windowMs: 60_000 } });
    kernel.askNow({ type: "pin", name: "api", state: "up", because: "asked by uid 0" });
    crash(kernel, "db");
    crash(kernel, "db");
    ask(kernel, "stop", "cache");
    crash(kernel, "api");
    expect(states(kernel)).toEqual({ db: "waiting", cache: "running", api: "waiting" });
    expect(cause(kernel, "db")).toContain("restart budget");
  });

  test("who waits for it can be stopped, and is not restarted by a token that comes later", () => {
    const kernel = machine(four, { restartBudget: BUDGET });
    crash(kernel, "a", "b", "c");
    pass(kernel, 200);
    const [out = ""] = ["a", "b", "c"].filter((name) => state(kernel, name) === "waiting");
    ask(kernel, "stop", out);
    expect(kernel.timers.size).toBe(0);
    pass(kernel, 60_000);
    expect(state(kernel, out)).toBe("inactive");
  });

  test("what is taken along by a loss costs as much as what crashed", () => {
    const services = [service("db"), ...["x", "y"].map((name) => service(name, { requires: bound("db") }))];
    const kernel = machine(services, { restartBudget: BUDGET });
    crash(kernel, "db");
    pass(kernel, 1000);
    expect(Object.values(states(kernel)).sort()).toEqual(["running", "running", "waiting"]);
    expect(state(kernel, "db")).toBe("running");
  });

  test("the requirement of others comes first, however late it came", () => {
    const services = [
      service("a", { restartDelayMs: 0, requires: needs("net") }),
      service("net", { restartDelayMs: 0 }),
    ];
    const kernel = machine(services, { restartBudget: { restarts: 1, windowMs: 10_000 } });
    crash(kernel, "a");
    crash(kernel, "a");
    expect(state(kernel, "a")).toBe("waiting");
    crash(kernel, "net");
    expect(cause(kernel, "a")).toBe("waits for net");
    expect(cause(kernel, "net")).toContain("restart budget");
    pass(kernel, 10_000);
    expect(states(kernel)).toEqual({ a: "waiting", net: "running" });
    expect(cause(kernel, "a")).toContain("restart budget");
    pass(kernel, 10_000);
    expect(state(kernel, "a")).toBe("running");
  });

  test("what is spent is not forgotten with a brain", () => {
    const kernel = machine(four, { restartBudget: BUDGET });
    crash(kernel, "a", "b", "c", "d");
    pass(kernel, 200);
    for (let losses = 0; losses < 5; losses++) {
      kernel.loseBrain();
      pass(kernel, 1000);
      expect(Object.values(states(kernel)).filter((one) => one === "running")).toHaveLength(2);
    }
    pass(kernel, 60_000);
    expect(Object.values(states(kernel))).toEqual(Array(4).fill("running"));
    expect(four.map(({ name }) => starts(kernel, name).length)).toEqual([2, 2, 2, 2]);
  });

  test("a spoiled record does not keep it shut", () => {
    const kernel = machine(four, { restartBudget: BUDGET });
    kernel.slate.gate = JSON.stringify([1e15, 5]);
    kernel.loseBrain();
    crash(kernel, "a");
    pass(kernel, 60_200);
    expect(state(kernel, "a")).toBe("running");
  });
});

test("both at once", () => {
  const services = ["a", "b", "c"].map((name) => service(name, { ready, restartDelayMs: 0 }));
  const behaviours = Object.fromEntries(services.map(({ name }) => [name, slow]));
  const kernel = machine(services, { behaviours, startConcurrency: 1, restartBudget: BUDGET });
  pass(kernel, 1000);
  crash(kernel, "a", "b", "c");
  expect(states(kernel)).toEqual({ a: "starting", b: "waiting", c: "waiting" });
  expect(cause(kernel, "b")).toBe("waits for its turn: 1 start at a time");
  expect(cause(kernel, "c")).toContain("restart budget");
  pass(kernel, 1000);
  expect(states(kernel)).toEqual({ a: "running", b: "running", c: "waiting" });
  pass(kernel, 30_000);
  expect(state(kernel, "c")).toBe("running");
});
