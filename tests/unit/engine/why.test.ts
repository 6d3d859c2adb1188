import { describe, expect, test } from "vitest";
import { why } from "../../../src/engine/index.ts";
import type { Kernel } from "../../sim/kernel.ts";
import { ask, cause, machine, needs, pass, service, shutdown, state, task } from "./helpers.ts";

function answer(kernel: Kernel, name: string): string | undefined {
  return why(kernel.world, name, kernel.clock)?.answer;
}

const fails = { ends: { afterMs: 10, exit: { code: 1 } } };
const stubborn = { leaves: "never" } as const;

describe("why, in one sentence", () => {
  test("waiting: whom for, and what that one does", () => {
    const services = [
      service("db", { restart: "never", ready: [{ type: "file", path: "/ready" }] }),
      service("api", { requires: needs("db") }),
      service("web", { requires: needs("api") }),
    ];
    const kernel = machine(services, { behaviours: { db: { ...fails, readyAfterMs: [1e9] } } });
    expect(answer(kernel, "web")).toBe(
      "waits for api, which waits for db, which is starting: runs as pid 100, waits for file /ready; given up in 30s",
    );
    pass(kernel, 20);
    expect(answer(kernel, "web")).toBe("waits for api, which waits for db, which failed: exited with code 1");
  });

  test("waiting for one that is tried again, with the time that is left", () => {
    const services = [
      service("db", { restartDelayMs: 10_000 }),
      service("cache"),
      service("api", { requires: needs("cache", "db") }),
    ];
    const kernel = machine(services, {
      behaviours: {
        db: { failure: { step: "fork", errno: 11, error: "EAGAIN", message: "no more", transient: true } },
      },
    });
    pass(kernel, 4000);
    expect(answer(kernel, "api")).toMatch(
      /^waits for db, which cannot start: fork: no more \(EAGAIN\), starts again in [567](\.\d)?s$/,
    );
  });

  test("waiting for the gate", () => {
    const kernel = machine([service("a", { restartDelayMs: 0 })], {
      restartBudget: { restarts: 1, windowMs: 60_000 },
    });
    kernel.crash("a");
    pass(kernel, 0);
    kernel.crash("a");
    pass(kernel, 45_000);
    expect(answer(kernel, "a")).toBe("waits for the restart budget (1 in 1m): next in 15s");
  });

  test("a conflict", () => {
    const kernel = machine(
      [service("old"), service("new", { autostart: false, conflicts: [{ name: "old", wait: false }] })],
      {
        behaviours: { old: stubborn },
      },
    );
    ask(kernel, "start", "new");
    pass(kernel, 4000);
    expect(answer(kernel, "new")).toBe(
      "waits for old to stop, which is stopping: conflicts with new; KILL in 6s",
    );
  });

  test("a stop that takes long, and one that has to wait for it", () => {
    const kernel = machine([service("db"), service("api", { requires: needs("db") })], {
      behaviours: { api: stubborn },
    });
    ask(kernel, "stop", "db");
    pass(kernel, 2500);
    expect(answer(kernel, "api")).toBe("is stopping: requires db: stop asked by uid 0; KILL in 7.5s");
    expect(answer(kernel, "db")).toBe(
      "has to stop, but waits for api to stop, which is stopping: requires db: stop asked by uid 0; KILL in 7.5s (stop asked by uid 0)",
    );
  });

  test("a shutdown", () => {
    const kernel = machine(
      [service("a", { stop: { signal: "TERM", timeoutMs: 30_000, evict: "stop" as const, tree: true } })],
      {
        behaviours: { a: stubborn },
        shutdownTimeoutMs: 5000,
      },
    );
    shutdown(kernel);
    pass(kernel, 1000);
    expect(answer(kernel, "a")).toBe("is stopping: shutdown asked by uid 0; KILL in 4s");
  });

  test("a shutdown of what is stopping already", () => {
    const kernel = machine([service("a")], { behaviours: { a: stubborn } });
    ask(kernel, "stop", "a");
    pass(kernel, 1000);
    shutdown(kernel);
    pass(kernel, 1000);
    expect(answer(kernel, "a")).toBe("is stopping: shutdown asked by uid 0; KILL in 8s");
  });

  test("starting, with what is missing and until when", () => {
    const ready = [{ type: "file", path: "/ready" }] as const;
    const kernel = machine([service("a", { ready })], { behaviours: { a: { readyAfterMs: [1e9] } } });
    pass(kernel, 10_000);
    expect(answer(kernel, "a")).toBe("is starting: runs as pid 100, waits for file /ready; given up in 20s");
  });

  test("running: what led to it", () => {
    const kernel = machine([service("a")]);
    expect(answer(kernel, "a")).toBe("is running: runs as pid 100 (starts with the supervisor)");
    kernel.crash("a");
    pass(kernel, 1000);
    expect(answer(kernel, "a")).toBe("is running: runs as pid 101 (restart 1: killed by signal KILL)");
  });

  test("backoff, limit, done, down", () => {
    const services = [
      service("crash", { restartDelayMs: 10_000 }),
      service("limit", { restartDelayMs: 0, restartLimit: 2 }),
      task("job"),
      service("off", { autostart: false }),
    ];
    const kernel = machine(services, {
      behaviours: { limit: fails, job: { ends: { afterMs: 5, exit: { code: 0 } } }, crash: fails },
    });
    pass(kernel, 3000);
    expect(answer(kernel, "crash")).toMatch(/^exited with code 1, starts again in [678](\.\d)?s$/);
    expect(answer(kernel, "limit")).toBe("failed: more than 2 restarts within 1m, last: exited with code 1");
    expect(answer(kernel, "job")).toBe("has ended: exited with code 0");
    expect(answer(kernel, "off")).toBe("is down: nobody asked for it yet");
  });
});

test("who asks for a start while it stops is the cause of the next start", () => {
  const kernel = machine([service("a"), service("b", { requires: needs("a") })], {
    behaviours: { a: { leaves: 500 }, b: { leaves: 100 } },
  });
  ask(kernel, "stop", "a");
  expect(cause(kernel, "a")).toBe("stop asked by uid 0");
  pass(kernel, 200);
  ask(kernel, "start", "b");
  expect(state(kernel, "a")).toBe("stopping");
  expect(cause(kernel, "a")).toBe("needed by b, after its stop");
  pass(kernel, 1000);
  expect(answer(kernel, "a")).toBe("is running: runs as pid 102 (needed by b, after its stop)");
});
