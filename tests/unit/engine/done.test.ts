import { describe, expect, test } from "vitest";
import type { Behaviour } from "../../sim/kernel.ts";
import {
  ask,
  lose,
  type MachineOptions,
  machine,
  needs,
  pass,
  refusal,
  service,
  shutdown,
  signal,
  target,
  task,
} from "./helpers.ts";

const ends = (code: number, afterMs = 10): Behaviour => ({ ends: { afterMs, exit: { code } } });
const never = { restart: "never" } as const;
const leaves = (more: MachineOptions = {}): MachineOptions => ({ leaveWhenDone: true, ...more });

describe("leave-when-done", () => {
  test("with the last one that has ended", () => {
    const kernel = machine([service("a", never), task("t"), target("g", ["t"])], {
      ...leaves(),
      behaviours: { a: ends(1), t: ends(0, 50) },
    });
    pass(kernel, 49);
    expect(kernel.exitCode).toBe(null);
    pass(kernel, 1000);
    expect(kernel.exitCode).toBe(0);
    expect(kernel.said).toContain("shutting down: nothing is left to do");
  });

  test("not without it", () => {
    const kernel = machine([task("t")], { behaviours: { t: ends(0) } });
    pass(kernel, 100_000);
    expect(kernel.exitCode).toBe(null);
  });

  test("at once, where there is nothing", () => {
    const kernel = machine([], leaves());
    pass(kernel, 10);
    expect(kernel.exitCode).toBe(0);
  });

  test("at once, where nothing starts by itself", () => {
    const kernel = machine([service("a", { autostart: false })], leaves());
    pass(kernel, 10);
    expect(kernel.exitCode).toBe(0);
  });

  test("not while something comes again, or will start", () => {
    const behaviours = { a: ends(1) };
    for (const spec of [
      { restartDelayMs: 5000, restartDelayMaxMs: 5000 },
      { startDelayMs: 5000, ...never },
      { guard: { ports: [80], processes: [], kill: false, services: false }, ...never },
    ]) {
      const kernel = machine([service("a", spec)], {
        ...leaves({ behaviours }),
        obstacles: () => ({
          takesMs: 5000,
          answer: { type: "obstacles", ports: [], processes: [] },
        }),
      });
      pass(kernel, 4900);
      expect(kernel.exitCode).toBe(null);
    }
  });

  test("what waits for what has failed does not hold it up", () => {
    const kernel = machine(
      [service("a", never), service("b", { requires: needs("a") }), service("c", { requires: needs("b") })],
      { ...leaves(), behaviours: { a: { failure: refusal("ENOENT") } } },
    );
    pass(kernel, 10);
    expect(kernel.exitCode).toBe(0);
  });

  test("what waits for itself does not, either", () => {
    const kernel = machine([service("a", { requires: needs("b") }), service("b", { requires: needs("a") })], {
      ...leaves({ failedExitCode: 101 }),
    });
    pass(kernel, 10);
    expect(kernel.exitCode).toBe(101);
  });

  test("a fresh brain leaves, too", () => {
    const kernel = machine([task("t")], { ...leaves(), behaviours: { t: ends(0, 50) } });
    pass(kernel, 20);
    lose(kernel);
    pass(kernel, 100);
    expect(kernel.exitCode).toBe(0);
  });
});

describe("failed-exit-code", () => {
  const of = (failedExitCode: number) => leaves({ failedExitCode });

  test.each([
    [ends(0), 0],
    [ends(1), 101],
    [{ failure: refusal("ENOENT") }, 101],
  ])("%j: %i", (behaviour, code) => {
    const kernel = machine([service("a", never), task("t")], {
      ...of(101),
      behaviours: { a: behaviour, t: ends(0) },
    });
    pass(kernel, 100);
    expect(kernel.exitCode).toBe(code);
  });

  test("one that is started again has not failed", () => {
    const kernel = machine([service("a", { restart: "on-failure" })], {
      ...of(101),
      behaviours: { a: [ends(1), ends(0)] },
    });
    pass(kernel, 1000);
    expect(kernel.exitCode).toBe(0);
  });

  test("also after a shutdown that was asked for", () => {
    for (const end of [shutdown, (kernel: ReturnType<typeof machine>) => signal(kernel, "TERM")]) {
      const kernel = machine([service("a", never), service("b")], {
        failedExitCode: 101,
        behaviours: { a: ends(1) },
      });
      pass(kernel, 20);
      end(kernel);
      pass(kernel, 1000);
      expect(kernel.exitCode).toBe(101);
    }
  });

  test("what a stop has ended has not failed", () => {
    const kernel = machine([service("a", never), service("b", never)], {
      failedExitCode: 101,
      behaviours: { a: { stopExit: { code: 1 } }, b: { leaves: "never" } },
    });
    ask(kernel, "stop", "a");
    pass(kernel, 1000);
    shutdown(kernel);
    pass(kernel, 100_000);
    expect(kernel.exitCode).toBe(0);
  });

  test("instead of the 1 of on-failure = shutdown", () => {
    for (const [failedExitCode, expected] of [
      [undefined, 1],
      [0, 0],
      [101, 101],
    ] as const) {
      const more = failedExitCode === undefined ? {} : { failedExitCode };
      const kernel = machine([service("a", { ...never, onFailure: "shutdown" }), service("b")], {
        ...more,
        behaviours: { a: ends(1) },
      });
      pass(kernel, 1000);
      expect(kernel.exitCode).toBe(expected);
    }
  });

  test("not instead of what main ends with", () => {
    const kernel = machine([service("a", { ...never, main: true })], {
      failedExitCode: 101,
      behaviours: { a: ends(7) },
    });
    pass(kernel, 1000);
    expect(kernel.exitCode).toBe(7);
  });
});
