import { describe, expect, test } from "vitest";
import { why } from "../../../src/engine/index.ts";
import type { SparseSpec } from "../../../src/model/spec.ts";
import type { Kernel } from "../../sim/kernel.ts";
import {
  ask,
  cause,
  machine,
  needs,
  pass,
  prepare,
  service,
  shutdown,
  spawned,
  state,
  states,
  stopped,
  target,
  task,
  up,
  view,
} from "./helpers.ts";

const failing = { ends: { afterMs: 0, exit: { code: 1 } } };
const done = { ends: { afterMs: 20, exit: { code: 0 } } };

describe("may it start?", () => {
  test("as parallel as the graph allows", () => {
    const kernel = machine([
      service("a"),
      service("b"),
      service("c"),
      service("d", { requires: needs("a", "b", "c") }),
    ]);
    expect(spawned(kernel)).toEqual(["a", "b", "c", "d"]);
    expect(kernel.times("spawn")[0]).toBe(kernel.times("spawn")[2]);
    expect(kernel.batches).toBe(2);
  });

  test("requires: a service is ready, a task succeeded, a target reached", () => {
    const kernel = machine(
      [
        service("db", { ready: [{ type: "delay", ms: 100 }] }),
        task("migrate", { requires: needs("db") }),
        target("base", ["migrate"]),
        service("web", { requires: needs("base") }),
      ],
      { behaviours: { migrate: done } },
    );
    expect(states(kernel)).toEqual({ db: "starting", migrate: "waiting", base: "waiting", web: "waiting" });
    expect(view(kernel, "web").waiting_for).toEqual(["base"]);
    pass(kernel, 110);
    expect(states(kernel)).toEqual({ db: "running", migrate: "running", base: "waiting", web: "waiting" });
    expect(view(kernel, "migrate").ready).toBe(false);
    pass(kernel, 20);
    expect(states(kernel)).toEqual({ db: "running", migrate: "exited", base: "running", web: "running" });
    expect(view(kernel, "migrate").ready).toBe(true);
  });

  test("wants: waited for, but its failure is no obstacle", () => {
    const kernel = machine([service("cache", { restart: "never" }), service("web", { wants: ["cache"] })], {
      behaviours: { cache: { ...failing, readyAfterMs: [] } },
    });
    expect(states(kernel)).toEqual({ cache: "failed", web: "running" });
    const slow = machine([
      service("cache", { ready: [{ type: "delay", ms: 100 }] }),
      service("web", { wants: ["cache"] }),
    ]);
    expect(state(slow, "web")).toBe("waiting");
    pass(slow, 100);
    expect(state(slow, "web")).toBe("running");
  });

  const never = { ready: [{ type: "file" as const, path: "/never" }] };
  const crashing = { ends: { afterMs: 50, exit: { code: 1 } }, readyAfterMs: [1e9] };

  test("wants: one that is in backoff has failed at least once", () => {
    const kernel = machine([service("cache", never), service("web", { wants: ["cache"] })], {
      behaviours: { cache: crashing },
    });
    expect(state(kernel, "web")).toBe("waiting");
    pass(kernel, 60);
    expect(states(kernel)).toEqual({ cache: "backoff", web: "running" });
  });

  test("wants: so has one that starts again without a delay", () => {
    const kernel = machine(
      [service("cache", { ...never, restartDelayMs: 0 }), service("web", { wants: ["cache"] })],
      {
        behaviours: { cache: crashing },
      },
    );
    pass(kernel, 60);
    expect(states(kernel)).toEqual({ cache: "starting", web: "running" });
  });

  test("wants: one that waits for what failed is settled, too", () => {
    const kernel = machine(
      [
        service("disk", { restart: "never" }),
        service("cache", { requires: needs("disk") }),
        service("web", { wants: ["cache"] }),
      ],
      {
        behaviours: {
          disk: { failure: { step: "exec", errno: 2, error: "ENOENT", message: "no", transient: false } },
        },
      },
    );
    expect(states(kernel)).toEqual({ disk: "failed", cache: "waiting", web: "running" });
  });

  test("after and before: only if both start", () => {
    const kernel = machine([
      service("logger", { autostart: false }),
      service("first", { ready: [{ type: "delay", ms: 100 }], before: ["second"] }),
      service("second"),
      service("web", { after: [{ name: "logger", until: "ready" }] }),
    ]);
    expect(states(kernel)).toEqual({
      logger: "inactive",
      first: "starting",
      second: "waiting",
      web: "running",
    });
    pass(kernel, 100);
    expect(state(kernel, "second")).toBe("running");
  });

  test("what failed among requires keeps it waiting, with a cause that names it, until it comes back", () => {
    const kernel = machine(
      [
        service("db", { restart: "never" }),
        service("api", { requires: needs("db") }),
        service("web", { requires: needs("api") }),
      ],
      { behaviours: { db: [failing, {}] } },
    );
    // It was ready for a moment, so the others have started; they start anew without it.
    ask(kernel, "restart", "api");
    pass(kernel, 10);
    expect(states(kernel)).toEqual({ db: "running", api: "running", web: "running" });
  });

  test("a requirement that never came up is named, through those between", () => {
    const refused = { step: "exec", errno: 2, error: "ENOENT", message: "no such program", transient: false };
    const kernel = machine(
      [
        service("db", {}),
        service("api", { requires: needs("db") }),
        service("web", { requires: needs("api") }),
      ],
      { behaviours: { db: [{ failure: refused }, {}] } },
    );
    expect(states(kernel)).toEqual({ db: "failed", api: "waiting", web: "waiting" });
    expect(cause(kernel, "api")).toBe(
      "waits for db, which failed: cannot start: exec: no such program (ENOENT)",
    );
    expect(cause(kernel, "web")).toBe(`waits for api, which ${cause(kernel, "api")}`);
    expect(up(kernel, "web")).toEqual({ failed: cause(kernel, "web") });
    const chain = why(kernel.world, "web", kernel.clock)?.chain ?? [];
    expect(chain.map((entry) => entry.service)).toEqual([
      "web",
      "web",
      "web",
      "api",
      "api",
      "api",
      "db",
      "db",
    ]);
    expect(chain.at(-2)).toMatchObject({ service: "db", what: "failed" });
    ask(kernel, "start", "db");
    expect(states(kernel)).toEqual({ db: "running", api: "running", web: "running" });
  });

  test("a service that ended before it was ready is named as what will not come", () => {
    const kernel = machine(
      [
        service("db", { restart: "never", ready: [{ type: "delay", ms: 100 }] }),
        service("web", { requires: needs("db") }),
      ],
      { behaviours: { db: { ends: { afterMs: 50, exit: { code: 0 } } } } },
    );
    expect(up(kernel, "web")).toBe("pending");
    pass(kernel, 50);
    expect(states(kernel)).toEqual({ db: "exited", web: "waiting" });
    expect(cause(kernel, "web")).toBe("waits for db, which ended: exited with code 0");
    expect(up(kernel, "web")).toEqual({ failed: cause(kernel, "web") });
    expect(up(kernel, "db")).toEqual({ failed: "exited with code 0" });
  });

  test("a service that ended, even with success, is not what its dependents need", () => {
    const kernel = machine(
      [service("db", { restart: "never" }), service("web", { requires: needs("db"), autostart: false })],
      {
        behaviours: { db: [{ ends: { afterMs: 5, exit: { code: 0 } } }, {}] },
      },
    );
    pass(kernel, 10);
    expect(state(kernel, "db")).toBe("exited");
    ask(kernel, "start", "web");
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });
});

describe("may it stop?", () => {
  const leaves = (ms: number) => ({ leaves: ms });

  test("a shutdown follows the reverse of requires, wants, after and before", () => {
    const kernel = machine(
      [
        service("a", { before: ["b"] }),
        service("b"),
        service("c", { after: [{ name: "b", until: "ready" }] }),
        service("d", { wants: ["c"] }),
        service("e", { requires: needs("d") }),
      ],
      { behaviours: { a: leaves(10), b: leaves(10), c: leaves(10), d: leaves(10), e: leaves(10) } },
    );
    expect(spawned(kernel)).toEqual(["a", "b", "c", "d", "e"]);
    shutdown(kernel);
    expect(stopped(kernel)).toEqual(["e"]);
    pass(kernel, 1000);
    expect(stopped(kernel)).toEqual(["e", "d", "c", "b", "a"]);
    expect(kernel.exitCode).toBe(0);
  });

  test("the order reaches through what has nothing to stop", () => {
    const kernel = machine(
      [
        service("db"),
        task("migrate", { requires: needs("db") }),
        service("web", { requires: needs("migrate") }),
      ],
      { behaviours: { migrate: { ends: { afterMs: 0, exit: { code: 0 } } }, web: leaves(50) } },
    );
    shutdown(kernel);
    expect(stopped(kernel)).toEqual(["web"]);
    pass(kernel, 100);
    expect(stopped(kernel)).toEqual(["web", "db"]);
  });

  test("siblings stop at the same time", () => {
    const services = Array.from({ length: 100 }, (_, index) => service(`s${index}`));
    const behaviours = Object.fromEntries(services.map(({ name }) => [name, leaves(300)]));
    const kernel = machine(services, { behaviours });
    const began = kernel.now;
    shutdown(kernel);
    kernel.run();
    expect(stopped(kernel)).toHaveLength(100);
    expect(kernel.now - began).toBe(300);
  });
});

describe("big graphs", () => {
  const COUNT = 5_000;

  /** The test's own checks look at everything after each step, which is what is avoided here. */
  function unchecked(services: readonly SparseSpec[]): Kernel {
    const kernel = prepare(services, { shutdownTimeoutMs: 1e9 });
    kernel.onBatch = null;
    kernel.start();
    kernel.run(kernel.now);
    return kernel;
  }

  test("a chain of thousands starts and stops: nothing recurses", () => {
    const services = Array.from({ length: COUNT }, (_, index) =>
      service(`s${index}`, index === 0 ? {} : { requires: needs(`s${index - 1}`) }),
    );
    const kernel = unchecked(services);
    expect(state(kernel, `s${COUNT - 1}`)).toBe("running");
    shutdown(kernel);
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(stopped(kernel)[0]).toBe(`s${COUNT - 1}`);
  });

  test("a target of thousands is reached with one look per member", () => {
    const services = Array.from({ length: COUNT }, (_, index) => service(`s${index}`));
    const names = services.map(({ name }) => name);
    const kernel = unchecked([...services, target("all", names)]);
    expect(state(kernel, "all")).toBe("running");
    const { world } = kernel;
    expect(world.byName.get("all")?.blockers).toBe(0);
    ask(kernel, "stop", "all");
    expect(state(kernel, "s0")).toBe("inactive");
  });
});
