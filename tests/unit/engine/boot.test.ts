import { describe, expect, test } from "vitest";
import { bootReport } from "../../../src/engine/index.ts";
import type { Kernel } from "../../sim/kernel.ts";
import { ask, machine, needs, pass, prepare, service, target, task } from "./helpers.ts";

const ready = [{ type: "file", path: "/ready" }] as const;

function chain(kernel: Kernel): (readonly [string, number | null, number | null])[] {
  return bootReport(kernel.world).chain.map((link) => [link.name, link.waited_ms, link.took_ms]);
}

/** db 100 ms, migrate 200 ms after it, api 300 ms after that; cache and the target cost nothing. */
const services = [
  service("api", { requires: needs("db", "migrate", "cache"), ready }),
  service("db", { ready, after: [{ name: "off", until: "ready" }] }),
  service("cache"),
  task("migrate", { requires: needs("db") }),
  target("all", ["api", "cache"]),
  service("off", { autostart: false }),
];
const behaviours = {
  db: { readyAfterMs: [100] },
  migrate: { ends: { afterMs: 200, exit: { code: 0 } } },
  api: { readyAfterMs: [300] },
};

describe("the start of the supervisor", () => {
  test("is a chain from the one ready last", () => {
    const kernel = machine(services, { behaviours });
    expect(bootReport(kernel.world)).toMatchObject({ done: false, failed: [], waiting: [{}, {}, {}, {}] });
    pass(kernel, 5000);
    expect(chain(kernel).map(([name]) => name)).toEqual(["api", "migrate", "db"]);
    const [api, migrate, db] = bootReport(kernel.world).chain;
    expect(db).toMatchObject({ waited_ms: 0, released_by: null, wanted_at: "2023-11-14T22:13:21.000Z" });
    expect(db?.started_at).toBe("2023-11-14T22:13:21.000Z");
    expect(migrate).toMatchObject({ waited_ms: db?.took_ms, took_ms: 200, released_by: "db", kind: "task" });
    expect(api?.waited_ms).toBe((migrate?.waited_ms ?? 0) + 200);
    const report = bootReport(kernel.world);
    expect(report.services.at(-1)).toMatchObject({ kind: "target", took_ms: 0, released_by: "api" });
    expect(report).toMatchObject({ done: true, failed: [], waiting: [] });
    expect(report.took_ms).toBe((api?.waited_ms ?? 0) + (api?.took_ms ?? 0));
    expect(report.services.map(({ name }) => name)).toEqual(["api", "db", "cache", "migrate", "all"]);
  });

  test("survives the loss of any brain", () => {
    const plain = machine(services, { behaviours });
    pass(plain, 5000);
    for (let lost = 0; lost < plain.batches; lost++) {
      const kernel = prepare(services, { behaviours, loses: (batch) => batch === lost });
      kernel.start();
      pass(kernel, 5000);
      // A probe's delays start over with a fresh brain.
      expect(chain(kernel).map(([name]) => name)).toEqual(["api", "migrate", "db"]);
      expect(bootReport(kernel.world)).toMatchObject({ done: true, started_at: "2023-11-14T22:13:21.000Z" });
    }
  });

  test("is over for a service that came to rest; what a person does later is no part of it", () => {
    const kernel = machine([...services, service("bad", { restart: "never" })], {
      behaviours: {
        ...behaviours,
        bad: [{ ends: { afterMs: 1, exit: { code: 1 } } }, {}],
        db: [{ ends: { afterMs: 1, exit: { code: 1 } } }, {}],
      },
    });
    ask(kernel, "stop", "migrate");
    pass(kernel, 5000);
    const report = bootReport(kernel.world);
    ask(kernel, "start", "all", "bad");
    pass(kernel, 60_000);
    ask(kernel, "start", "off");
    expect(chain(kernel)).toEqual(report.chain.map((link) => [link.name, link.waited_ms, link.took_ms]));
    expect(report.failed.map(({ name }) => name)).toEqual(["bad"]);
  });

  test("names those that failed, and those that wait for them", () => {
    const kernel = machine(services, {
      behaviours: { ...behaviours, migrate: { ends: { afterMs: 1, exit: { code: 3 } } } },
    });
    pass(kernel, 5000);
    const report = bootReport(kernel.world);
    expect(report.failed).toMatchObject([{ name: "migrate", cause: "exited with code 3", took_ms: null }]);
    expect(report.waiting).toMatchObject([
      { name: "api", cause: "waits for migrate, which failed: exited with code 3" },
      { name: "all" },
    ]);
    expect(report.done).toBe(false);
    expect(chain(kernel).map(([name]) => name)).toEqual(["db"]);
    // An hour later somebody mends it: the start is as it was.
    pass(kernel, 3_600_000);
    ask(kernel, "restart", "migrate");
    pass(kernel, 5000);
    expect(chain(kernel).map(([name]) => name)).toEqual(["db"]);
  });

  test("counts a failed try into the time that a service took", () => {
    const kernel = machine([service("a", { ready })], {
      behaviours: {
        a: [{ ends: { afterMs: 50, exit: { code: 1 } }, readyAfterMs: [1e9] }, { readyAfterMs: [10] }],
      },
    });
    pass(kernel, 5000);
    expect(bootReport(kernel.world).chain[0]?.took_ms).toBeGreaterThan(140);
  });

  test("shows how long a place before the gate was waited for", () => {
    const kernel = machine([service("a", { ready }), service("b", { ready })], {
      behaviours: { a: { readyAfterMs: [100] }, b: { readyAfterMs: [100] } },
      startConcurrency: 1,
    });
    pass(kernel, 5000);
    const [link] = bootReport(kernel.world).chain;
    expect(link).toMatchObject({ name: "b", released_by: null });
    expect(link?.waited_ms).toBeGreaterThan(90);
  });
});
