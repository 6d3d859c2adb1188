import { describe, expect, test } from "vitest";
import { ask, cause, machine, pass, service, shutdown, state, states, view } from "./helpers.ts";

const up = (name: string) => [{ name, until: "up" as const }];
const ready = [{ type: "file", path: "/f", fresh: false }] as const;

describe('after … until = "up"', () => {
  test("waits until the other is ready", () => {
    const kernel = machine([service("a", { ready }), service("b", { after: up("a") })], {
      behaviours: { a: { readyAfterMs: [300] } },
    });
    expect(view(kernel, "b")).toMatchObject({ state: "waiting", cause: "waits for a", waiting_for: ["a"] });
    pass(kernel, 700);
    expect(state(kernel, "b")).toBe("running");
  });

  test("or has ended with success, where that counts as up", () => {
    const done = { ends: { afterMs: 100, exit: { code: 0 } } };
    const spec = { ready, restart: "never", remainAfterExit: true } as const;
    const kernel = machine([service("a", spec), service("b", { after: up("a") })], {
      behaviours: { a: done },
    });
    expect(state(kernel, "b")).toBe("waiting");
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ a: "exited", b: "running" });
  });

  test("one that nobody wants is waited for, too", () => {
    const kernel = machine([service("a", { autostart: false }), service("b", { after: up("a") })]);
    expect(state(kernel, "b")).toBe("waiting");
    ask(kernel, "start", "a");
    expect(states(kernel)).toEqual({ a: "running", b: "running" });
  });

  test("what has failed for good is told, and the wait goes on", () => {
    const fails = { ends: { afterMs: 10, exit: { code: 1 } }, readyAfterMs: [9999] };
    const kernel = machine([service("a", { ready, restart: "never" }), service("b", { after: up("a") })], {
      behaviours: { a: fails },
    });
    pass(kernel, 20);
    expect(cause(kernel, "b")).toBe("waits for a, which failed: exited with code 1");
  });

  test("a stop of the other leaves it alone", () => {
    const kernel = machine([service("a"), service("b", { after: up("a") })]);
    ask(kernel, "stop", "a");
    pass(kernel, 10);
    expect(states(kernel)).toEqual({ a: "inactive", b: "running" });
  });

  test("and in a shutdown neither waits for the other", () => {
    const kernel = machine([service("a"), service("b", { after: up("a") })], {
      behaviours: { b: { leaves: 100 } },
    });
    shutdown(kernel);
    expect(kernel.signals.map((one) => one.service).sort()).toEqual(["a", "b"]);
  });
});

describe("restart-limit-means", () => {
  const succeeds = { ends: { afterMs: 10, exit: { code: 0 } } };
  const limited = { restartDelayMs: 0, restartLimit: 2, restartWindowMs: 0, restartResetMs: 1000 } as const;

  test.each([
    ["failure", "failed"],
    ["end", "exited"],
  ] as const)("%s", (restartLimitMeans, expected) => {
    const kernel = machine([service("a", { ...limited, restartLimitMeans })], {
      behaviours: { a: succeeds },
    });
    pass(kernel, 100);
    expect(view(kernel, "a")).toMatchObject({
      state: expected,
      restarts: 2,
      cause: "more than 2 restarts in a row, last: exited with code 0",
    });
  });

  test("end: after a failure it has failed", () => {
    const fails = { ends: { afterMs: 10, exit: { code: 1 } } };
    const kernel = machine([service("a", { ...limited, restartLimitMeans: "end" })], {
      behaviours: { a: fails },
    });
    pass(kernel, 100);
    expect(state(kernel, "a")).toBe("failed");
  });
});
