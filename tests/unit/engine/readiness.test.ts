import { describe, expect, test } from "vitest";
import { ask, cause, machine, needs, pass, service, state, states, view } from "./helpers.ts";

const tcp = { type: "tcp" as const, host: "127.0.0.1", port: 5432 };
const file = { type: "file" as const, path: "/ready" };
const log = { type: "log" as const, pattern: "listening" };

describe("readiness", () => {
  test("without a condition: running is ready", () => {
    const kernel = machine([service("web")]);
    expect(view(kernel, "web")).toMatchObject({ state: "running", ready: true, healthy: null });
    expect(kernel.commands("probe")).toEqual([]);
    expect(kernel.timers.size).toBe(0);
  });

  test("a probe is tried at once, then after 10, 20, 40, 80, 160, then every 250 ms", () => {
    const kernel = machine([service("web", { ready: [tcp] })], {
      behaviours: { web: { readyAfterMs: [1500] } },
    });
    pass(kernel, 1200);
    const times = kernel.times("probe");
    // Each answer takes the simulated machine 1 ms.
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0) - 1);
    expect(times[0]).toBe(kernel.times("spawn")[0]);
    expect(gaps).toEqual([10, 20, 40, 80, 160, 250, 250, 250]);
    expect(kernel.commands("probe")[0]).toMatchObject({
      probe: { type: "tcp", host: "127.0.0.1", port: 5432 },
    });
  });

  test("none is tried before the initial delay, also by a fresh brain", () => {
    const kernel = machine([service("web", { ready: [tcp, { type: "listen" }], readyDelayMs: 700 })]);
    const start = kernel.now;
    pass(kernel, 300);
    kernel.loseBrain();
    pass(kernel, 1000);
    expect(kernel.times("probe")).toEqual([start + 700, start + 700]);
    expect(kernel.commands("probe")[1]?.probe).toEqual({ type: "listen", set: 1 });
    expect(state(kernel, "web")).toBe("running");
  });

  test("none is tried once it is ready, and no timer is left", () => {
    const kernel = machine([service("web", { ready: [file] })], {
      behaviours: { web: { readyAfterMs: [20] } },
    });
    pass(kernel, 200);
    expect(state(kernel, "web")).toBe("running");
    const tries = kernel.commands("probe").length;
    pass(kernel, 3_600_000);
    expect(kernel.commands("probe")).toHaveLength(tries);
    expect(kernel.isIdle()).toBe(true);
    expect(cause(kernel, "web")).toMatch(/^ready after \d+ms$/);
  });

  test("exec runs as the service would", () => {
    const kernel = machine([
      service("web", { ready: [{ type: "exec", argv: ["check", "-q"], outside: false }], user: "www" }),
    ]);
    expect(kernel.commands("probe")[0]?.probe).toMatchObject({
      type: "exec",
      spec: { argv: ["check", "-q"], role: "probe", service: "web", user: "www", foreground: false },
    });
  });

  test("a log line is watched for before the process starts", () => {
    const kernel = machine([service("web", { ready: [log] })], {
      behaviours: { web: { readyAfterMs: [30] } },
    });
    const types = kernel.log.map(({ command }) => command.type);
    expect(types.indexOf("matchLog")).toBeLessThan(types.indexOf("spawn"));
    expect(kernel.commands("matchLog")[0]).toMatchObject({
      log: "web",
      pattern: "listening",
      sincePid: null,
    });
    pass(kernel, 30);
    expect(state(kernel, "web")).toBe("running");
  });

  test("a log line that comes before the news of the start counts", () => {
    const kernel = machine([service("web", { ready: [log] })], {
      behaviours: { web: { readyAfterMs: [0] } },
      batchMs: () => 20,
    });
    pass(kernel, 30);
    expect(state(kernel, "web")).toBe("running");
  });

  test("a delay counts from the start", () => {
    const kernel = machine([service("web", { ready: [{ type: "delay", ms: 2000 }] })]);
    pass(kernel, 1999);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 1);
    expect(state(kernel, "web")).toBe("running");
  });

  test("all conditions have to hold", () => {
    const kernel = machine(
      [
        service("web", { ready: [file, log, { type: "delay", ms: 100 }] }),
        service("next", { requires: needs("web") }),
      ],
      {
        behaviours: { web: { readyAfterMs: [10, 300, 0] } },
      },
    );
    expect(cause(kernel, "web")).toMatch(
      /waits for file \/ready and a log line that matches listening and 100ms to pass$/,
    );
    pass(kernel, 290);
    expect(states(kernel)).toEqual({ web: "starting", next: "waiting" });
    expect(view(kernel, "web").ready).toBe(false);
    pass(kernel, 20);
    expect(states(kernel)).toEqual({ web: "running", next: "running" });
  });

  test("a crash before it is ready drops everything that was asked", () => {
    const kernel = machine(
      [service("web", { ready: [file, log, { type: "delay", ms: 1000 }], restart: "never" })],
      {
        behaviours: { web: { readyAfterMs: [1e9, 1e9, 0], ends: { afterMs: 55, exit: { code: 1 } } } },
      },
    );
    pass(kernel, 55);
    expect(state(kernel, "web")).toBe("failed");
    expect(kernel.isIdle()).toBe(true);
  });

  test("an answer that comes after the run finds nothing", () => {
    const kernel = machine([service("web", { ready: [file] })], {
      behaviours: { web: { readyAfterMs: [5] } },
      batchMs: () => 2,
    });
    kernel.crash("web");
    pass(kernel, 5);
    ask(kernel, "stop", "web");
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("inactive");
  });
});
