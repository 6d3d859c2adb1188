import { describe, expect, test } from "vitest";
import { graph, health, serviceNames, serviceView, step, why } from "../../../src/engine/index.ts";
import {
  ask,
  cause,
  changes,
  down,
  machine,
  needs,
  pass,
  refusal,
  service,
  state,
  target,
  task,
  up,
  view,
} from "./helpers.ts";

describe("causes", () => {
  test("every change of state carries one, in the event stream and in the chain", () => {
    const kernel = machine([service("web", { restart: "never" })]);
    ask(kernel, "restart", "web");
    kernel.crash("web", { code: 3 });
    pass(kernel, 0);
    expect(changes(kernel, "web")).toEqual([
      "inactive starting",
      "starting running",
      "running stopping",
      "stopping starting",
      "starting running",
      "running failed",
    ]);
    const chain = why(kernel.world, "web", kernel.clock)?.chain ?? [];
    expect(chain.map(({ what, because }) => `${what}: ${because}`)).toEqual([
      "failed: exited with code 3",
      "running: runs as pid 101",
      "starting: restart asked by uid 0",
      "stopping: restart asked by uid 0",
      "running: runs as pid 100",
      "starting: starts with the supervisor",
    ]);
    expect(chain[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test("published events have the contract's fields, and numbers that rise", () => {
    const kernel = machine([service("web")]);
    ask(kernel, "stop", "web");
    const fields = ["seq", "time", "service", "event", "from", "to", "cause"];
    for (const [index, event] of kernel.published.entries()) {
      expect(event.seq).toBe(index + 1);
      expect(Object.keys(event).filter((key) => key !== "receipt")).toEqual(fields);
    }
    expect(kernel.published.map(({ event }) => event)).toEqual([
      "supervisor",
      "state",
      "state",
      "ready",
      "state",
      "receipt",
      "state",
    ]);
    expect(kernel.published.find(({ event }) => event === "receipt")).toMatchObject({
      receipt: { service: "web", empty: true },
    });
  });

  test("a service on its way out says so", () => {
    const kernel = machine([service("db"), service("web", { requires: needs("db") })], {
      behaviours: { web: { leaves: 100 } },
    });
    ask(kernel, "stop", "db");
    expect(view(kernel, "db")).toMatchObject({
      state: "running",
      goal: "down",
      waiting_for: ["web"],
      ready: true,
    });
    expect(cause(kernel, "db")).toBe("stop asked by uid 0");
    expect(why(kernel.world, "db", kernel.clock)?.chain.map((entry) => entry.service)).toContain("web");
  });

  test("the chain is bounded", () => {
    const kernel = machine([service("web")]);
    for (let round = 0; round < 20; round++) ask(kernel, "restart", "web");
    const chain = why(kernel.world, "web", kernel.clock)?.chain ?? [];
    expect(chain).toHaveLength(16);
    expect(kernel.slate["service web"]?.length).toBeLessThan(2000);
  });

  test("a message with line breaks stays one entry", () => {
    const failure = { ...refusal("ENOENT"), message: "line one\nline two" };
    const kernel = machine([service("web")], { behaviours: { web: { failure } } });
    expect(cause(kernel, "web")).toBe("cannot start: exec: line one line two (ENOENT)");
    expect(why(kernel.world, "web", kernel.clock)?.chain).toHaveLength(2);
  });

  test("a cause that quotes causes has an end", () => {
    const services = Array.from({ length: 60 }, (_, index) =>
      service(`service-${index}`, index === 0 ? {} : { requires: needs(`service-${index - 1}`) }),
    );
    const kernel = machine(services, { behaviours: { "service-0": { failure: refusal("ENOENT") } } });
    expect(cause(kernel, "service-59").length).toBeLessThan(260);
    expect(cause(kernel, "service-3")).toContain("which failed: cannot start");
  });
});

describe("the view", () => {
  test("has the contract's fields", () => {
    const kernel = machine([service("web", { labels: { tier: "front" } })]);
    pass(kernel, 1500);
    expect(view(kernel, "web")).toEqual({
      name: "web",
      kind: "service",
      state: "running",
      ready: true,
      healthy: null,
      pid: 100,
      started_at: new Date(1_700_000_001_000).toISOString(),
      uptime_ms: 1500,
      restarts: 0,
      exit: null,
      waiting_for: [],
      next_start_at: null,
      goal: "up",
      pinned: null,
      masked: false,
      obstacle: null,
      status: null,
      reloading: false,
      health: null,
      cause: "runs as pid 100",
      reason: null,
      labels: { tier: "front" },
    });
    kernel.crash("web", { code: 3 });
    pass(kernel, 0);
    expect(view(kernel, "web")).toMatchObject({
      pid: null,
      started_at: null,
      uptime_ms: null,
      exit: { code: 3, at: new Date(1_700_000_002_500).toISOString() },
    });
    expect(serviceView(kernel.world, "nobody", kernel.clock)).toBeNull();
  });

  test("lists in the order of the configuration", () => {
    const kernel = machine([service("b"), target("all", ["b"]), task("a")]);
    expect(serviceNames(kernel.world)).toEqual(["b", "all", "a"]);
  });

  test("the graph shows before as the other's after", () => {
    const kernel = machine([
      service("a", { before: ["b"] }),
      service("b", {
        wants: ["c"],
        after: [{ name: "c", until: "ready" }],
        conflicts: [{ name: "d", wait: false }],
      }),
      service("c"),
      service("d", { autostart: false }),
    ]);
    expect(graph(kernel.world).services).toEqual([
      { name: "a", requires: [], wants: [], after: [], conflicts: [] },
      { name: "b", requires: [], wants: ["c"], after: ["c", "a"], conflicts: ["d"] },
      { name: "c", requires: [], wants: [], after: [], conflicts: [] },
      { name: "d", requires: [], wants: [], after: [], conflicts: [] },
    ]);
  });

  test("health: nothing that should run is failed", () => {
    const kernel = machine(
      [service("web", { restart: "never" }), task("job"), service("off", { autostart: false })],
      {
        behaviours: { job: { ends: { afterMs: 1, exit: { code: 0 } } } },
      },
    );
    pass(kernel, 5);
    expect(health(kernel.world)).toEqual({ ok: true, reasons: [] });
    kernel.crash("web", { code: 1 });
    pass(kernel, 0);
    expect(health(kernel.world)).toEqual({ ok: false, reasons: ["web failed: exited with code 1"] });
    ask(kernel, "stop", "web");
    expect(health(kernel.world).ok).toBe(true);
  });
});

describe("outcomes", () => {
  test("of a start: done when ready, or succeeded, or ended well", () => {
    const kernel = machine(
      [
        service("web", { ready: [{ type: "delay", ms: 100 }] }),
        task("job"),
        service("once", { restart: "never" }),
        service("next", { requires: needs("web") }),
      ],
      {
        behaviours: {
          job: { ends: { afterMs: 50, exit: { code: 0 } } },
          once: { ends: { afterMs: 1, exit: { code: 0 } } },
        },
      },
    );
    expect(up(kernel, "web")).toBe("pending");
    expect(up(kernel, "next")).toBe("pending");
    expect(up(kernel, "job")).toBe("pending");
    pass(kernel, 200);
    for (const name of ["web", "job", "once", "next"]) expect(up(kernel, name), name).toBe("done");
    expect(up(kernel, "nobody")).toHaveProperty("failed");
  });

  test("of a start: failed with the cause", () => {
    const kernel = machine(
      [
        service("bad"),
        service("next", { requires: needs("bad") }),
        service("loop", { restartDelayMs: 0, ready: [{ type: "delay", ms: 50 }] }),
      ],
      {
        behaviours: {
          bad: { failure: refusal("ENOENT") },
          loop: { ends: { afterMs: 10, exit: { code: 1 } } },
        },
      },
    );
    pass(kernel, 15);
    expect(up(kernel, "bad")).toEqual({ failed: cause(kernel, "bad") });
    expect(up(kernel, "next")).toEqual({ failed: cause(kernel, "next") });
    expect(state(kernel, "loop")).toBe("starting");
    expect(up(kernel, "loop")).toHaveProperty("failed");
  });

  test("of a start that somebody stops: failed, by whom", () => {
    const kernel = machine([service("web", { ready: [{ type: "delay", ms: 100 }] })]);
    ask(kernel, "stop", "web");
    expect(up(kernel, "web")).toEqual({ failed: "stop asked by uid 0" });
  });

  test("of a stop", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: 100 } } });
    ask(kernel, "stop", "web");
    expect(down(kernel, "web")).toBe("pending");
    pass(kernel, 100);
    expect(down(kernel, "web")).toBe("done");
    ask(kernel, "start", "web");
    expect(down(kernel, "web")).toHaveProperty("failed");
  });

  test("of a stop in vain", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: "never", immortal: true } } });
    ask(kernel, "stop", "web");
    pass(kernel, 11_000);
    expect(down(kernel, "web")).toEqual({ failed: "could not be ended: pid 100 (web) is still there" });
  });

  test("of a restart", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: 100 } } });
    ask(kernel, "restart", "web");
    expect(up(kernel, "web")).toBe("pending");
    pass(kernel, 100);
    expect(up(kernel, "web")).toBe("done");
  });
});

describe("kill", () => {
  const kill = (name: string) =>
    ({ type: "kill", name, signal: "KILL", scope: "main", because: "asked by uid 0" }) as const;

  test("sends the signal, and the restart rule applies", () => {
    const kernel = machine([service("web")]);
    kernel.askNow(kill("web"));
    expect(kernel.commands("signal")).toEqual([{ type: "signal", id: 1, signal: "KILL", scope: "main" }]);
    pass(kernel, 0);
    expect(state(kernel, "web")).toBe("backoff");
    expect(why(kernel.world, "web", kernel.clock)?.chain[1]).toMatchObject({
      because: "signal KILL asked by uid 0",
    });
  });

  test("of what does not run does nothing", () => {
    const kernel = machine([service("web", { autostart: false })]);
    expect(step(kernel.world, kill("web"), kernel.clock)).toEqual([]);
    expect(step(kernel.world, kill("nobody"), kernel.clock)).toEqual([]);
  });
});
