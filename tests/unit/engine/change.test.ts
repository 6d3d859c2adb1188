/** Services that come, change and go while others run. */
import { describe, expect, test } from "vitest";
import { graph, serviceNames, serviceView, specOf } from "../../../src/engine/index.ts";
import type { Command } from "../../../src/generated/protocol.ts";
import type { Conflict, Following } from "../../../src/model/spec.ts";
import type { Kernel } from "../../sim/kernel.ts";
import {
  ask,
  began,
  bound,
  cause,
  change,
  changes,
  down,
  hold,
  lose,
  machine,
  needs,
  pass,
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

const SLOW = { leaves: 100 } as const;
const STOP = { signal: "TERM", timeoutMs: 1000, evict: "stop", tree: true } as const;
const READY = [{ type: "file", path: "/ready" }] as const;

function follows(...names: string[]): Following[] {
  return names.map((name) => ({ name, until: "ready" }));
}

function clashes(...names: string[]): Conflict[] {
  return names.map((name) => ({ name, wait: false }));
}

function names(kernel: Kernel): string[] {
  return serviceNames(kernel.world);
}

/** What a fresh brain would find. */
function kept(kernel: Kernel): { services: string[]; former: string[] } {
  const { services, former = [] } = kernel.config;
  return { services: services.map(({ name }) => name), former: former.map(({ name }) => name) };
}

/** Of the batches in which this command was applied, all commands of each. */
function stopOf(kernel: Kernel, name: string): Extract<Command, { type: "stop" }> | undefined {
  const ids = kernel.commands("spawn").filter(({ spec }) => spec.service === name && spec.role === "main");
  return kernel.commands("stop").find(({ id }) => ids.some((one) => one.id === id));
}

describe("added", () => {
  test("it starts if it is to start by itself, and nobody else notices", () => {
    const kernel = machine([service("db")]);
    change(kernel, {
      set: [service("web", { requires: needs("db") }), service("idle", { autostart: false })],
    });
    expect(states(kernel)).toEqual({ db: "running", web: "running", idle: "inactive" });
    expect(spawned(kernel)).toEqual(["db", "web"]);
    expect(stopped(kernel)).toEqual([]);
    expect(kept(kernel)).toEqual({ services: ["db", "web", "idle"], former: [] });
  });

  test("it brings up what it requires", () => {
    const kernel = machine([service("db", { autostart: false })]);
    change(kernel, { set: [service("web", { requires: needs("db") })] });
    expect(spawned(kernel)).toEqual(["db", "web"]);
  });

  test("it has its log before its process", () => {
    const kernel = machine([]);
    change(kernel, { set: [service("web")] });
    expect(kernel.logs.has("web")).toBe(true);
    expect(began(kernel)).toEqual(["web"]);
  });

  test("it is told as an event, with who asked", () => {
    const kernel = machine([]);
    change(kernel, { set: [service("web")] });
    expect(kernel.published.find(({ event }) => event === "change")).toMatchObject({
      service: "web",
      to: "added",
      cause: "change asked by uid 0",
    });
  });

  test("it stops what it conflicts with", () => {
    const kernel = machine([service("old")]);
    change(kernel, { set: [service("new", { conflicts: clashes("old") })] });
    pass(kernel, 10);
    expect(states(kernel)).toEqual({ old: "inactive", new: "running" });
  });

  test("others come after it, and before it", () => {
    const kernel = machine([
      service("web", { after: follows("cache") }),
      service("log", { before: ["cache"] }),
    ]);
    change(kernel, { set: [service("cache", { ready: READY })] });
    const edges = graph(kernel.world).services;
    expect(edges.find(({ name }) => name === "cache")?.after).toEqual(["log"]);
    shutdown(kernel);
    pass(kernel, 10);
    expect(stopped(kernel)).toEqual(["web", "cache", "log"]);
  });

  test("with a schedule, it runs when it is due", () => {
    const kernel = machine([]);
    const schedule = { cron: null, zone: null, everyMs: 1000, text: "every 1s" } as const;
    change(kernel, {
      set: [
        task("tick", {
          autostart: false,
          schedule: { ...schedule, overlap: "skip", missed: "skip" },
        }),
      ],
    });
    pass(kernel, 1500);
    expect(spawned(kernel)).toEqual(["tick"]);
  });

  test("nothing is added in a shutdown", () => {
    const kernel = machine([service("db")], { behaviours: { db: SLOW } });
    shutdown(kernel);
    change(kernel, { set: [service("web")] });
    expect(names(kernel)).toEqual(["db"]);
  });
});

describe("removed", () => {
  test("it is stopped, and forgotten with its log, its record and its name", () => {
    const kernel = machine([service("db"), service("web")], { behaviours: { web: SLOW } });
    change(kernel, { remove: ["web"] });
    expect(view(kernel, "web")).toMatchObject({ state: "stopping", cause: "removal asked by uid 0" });
    expect(specOf(kernel.world, "web")).toBeNull();
    expect(kept(kernel)).toEqual({ services: ["db"], former: ["web"] });
    pass(kernel, 200);
    expect(serviceView(kernel.world, "web", kernel.clock)).toBeNull();
    expect(names(kernel)).toEqual(["db"]);
    expect(kernel.logs.has("web")).toBe(false);
    expect(Object.keys(kernel.slate)).not.toContain("service web");
    expect(kernel.published.filter(({ service }) => service === "web").at(-1)).toMatchObject({
      event: "change",
      to: "removed",
    });
    expect(down(kernel, "web")).toBe("done");
  });

  test("what requires it leaves before it, stays configured, and cannot be started", () => {
    const kernel = machine([service("db"), service("web", { requires: needs("db") }), service("other")], {
      behaviours: { web: SLOW, db: SLOW },
    });
    change(kernel, { remove: ["db"] });
    expect(stopped(kernel)).toEqual(["web"]);
    pass(kernel, 100);
    expect(stopped(kernel)).toEqual(["web", "db"]);
    pass(kernel, 100);
    expect(names(kernel)).toEqual(["web", "other"]);
    expect(view(kernel, "web")).toMatchObject({
      state: "failed",
      reason: { type: "missing", name: "db" },
      cause: "requires db, which is not configured",
    });
    expect(spawned(kernel)).toEqual(["db", "other", "web"]);
  });

  test("what requires what requires it waits", () => {
    const kernel = machine([
      service("a"),
      service("b", { requires: needs("a") }),
      service("c", { requires: needs("b") }),
    ]);
    change(kernel, { remove: ["a"] });
    pass(kernel, 10);
    expect(stopped(kernel)).toEqual(["c", "b", "a"]);
    expect(states(kernel)).toEqual({ b: "failed", c: "waiting" });
    expect(cause(kernel, "c")).toBe("waits for b, which failed: requires a, which is not configured");
  });

  test("all at once leave in order", () => {
    const kernel = machine([service("a"), service("b", { requires: needs("a") })], {
      behaviours: { a: SLOW, b: SLOW },
    });
    change(kernel, { remove: ["a", "b"] });
    expect(stopped(kernel)).toEqual(["b"]);
    pass(kernel, 300);
    expect(stopped(kernel)).toEqual(["b", "a"]);
    expect(names(kernel)).toEqual([]);
    expect(kept(kernel).services).toEqual([]);
  });

  test("what only wants it or comes after it runs on", () => {
    const kernel = machine([
      service("db"),
      service("web", { wants: ["db"] }),
      service("log", { after: follows("db") }),
    ]);
    change(kernel, { remove: ["db"] });
    pass(kernel, 10);
    expect(stopped(kernel)).toEqual(["db"]);
    expect(states(kernel)).toEqual({ web: "running", log: "running" });
  });

  test("a target goes without its members", () => {
    const kernel = machine([service("web"), target("all", ["web"])]);
    change(kernel, { remove: ["all"] });
    pass(kernel, 10);
    expect(names(kernel)).toEqual(["web"]);
    expect(stopped(kernel)).toEqual([]);
  });

  test("a pin does not keep it, but keeps what requires it", () => {
    const kernel = machine([service("db"), service("web", { requires: needs("db") })]);
    hold(kernel, "pin up", "db");
    hold(kernel, "pin up", "web");
    change(kernel, { remove: ["db"] });
    pass(kernel, 10);
    expect(states(kernel)).toEqual({ web: "running" });
    kernel.crash("web");
    pass(kernel, 1000);
    expect(view(kernel, "web")).toMatchObject({ state: "failed", reason: { type: "missing", name: "db" } });
  });

  test("in a backoff, while it waits, or failed, it goes at once", () => {
    const kernel = machine(
      [
        service("crashing"),
        service("slow", { ready: READY }),
        service("waiting", { requires: needs("slow") }),
        service("broken", { restart: "never" }),
        task("done"),
      ],
      {
        behaviours: {
          crashing: { ends: { afterMs: 1, exit: { code: 1 } } },
          slow: { readyAfterMs: [10_000] },
          broken: { ends: { afterMs: 1, exit: { code: 1 } } },
          done: { ends: { afterMs: 1, exit: { code: 0 } } },
        },
      },
    );
    pass(kernel, 20);
    expect(states(kernel)).toEqual({
      crashing: "backoff",
      slow: "starting",
      waiting: "waiting",
      broken: "failed",
      done: "exited",
    });
    change(kernel, { remove: ["crashing", "waiting", "broken", "done"] });
    expect(names(kernel)).toEqual(["slow"]);
    expect([...kernel.timers.keys()].filter((key) => key.startsWith("again"))).toEqual([]);
  });

  test("while it prepares, its hook is ended first", () => {
    const hooks = { "before-start": { argv: ["prepare"], timeoutMs: 5000 } };
    const kernel = machine([service("web", { hooks })], {
      behaviours: { "web/before-start": { hangs: true, leaves: 50 } },
    });
    change(kernel, { remove: ["web"] });
    expect(state(kernel, "web")).toBe("stopping");
    pass(kernel, 100);
    expect(names(kernel)).toEqual([]);
    expect(began(kernel)).toEqual(["web before-start"]);
    expect(kernel.logs.size).toBe(0);
  });

  test("it has its before-stop hook, its stop command and its after-exit hook", () => {
    const hook = { argv: ["x"], timeoutMs: 5000 };
    const kernel = machine([
      service("web", { hooks: { "before-stop": hook, "after-exit": hook }, stopCommand: ["stop"] }),
    ]);
    change(kernel, { remove: ["web"] });
    pass(kernel, 20_000);
    expect(began(kernel)).toEqual(["web", "web before-stop", "web stop", "web after-exit"]);
    expect(names(kernel)).toEqual([]);
  });

  test("one with a schedule is not due any more", () => {
    const schedule = { cron: null, zone: null, everyMs: 1000, text: "every 1s" } as const;
    const tick = task("tick", {
      autostart: false,
      schedule: { ...schedule, overlap: "skip", missed: "skip" },
    });
    const kernel = machine([tick]);
    change(kernel, { remove: ["tick"] });
    expect(names(kernel)).toEqual([]);
    expect(kernel.isIdle()).toBe(true);
  });

  test("one that could not be started goes without another word", () => {
    const kernel = machine([service("web", { requires: needs("db") })]);
    change(kernel, { remove: ["web"] });
    expect(changes(kernel, "web")).toEqual(["inactive failed", "failed inactive"]);
    expect(names(kernel)).toEqual([]);
  });

  test("nobody starts it any more", () => {
    const kernel = machine([service("db"), service("web", { requires: needs("db"), autostart: false })], {
      behaviours: { db: SLOW },
    });
    change(kernel, { remove: ["db"] });
    ask(kernel, "start", "db");
    expect(cause(kernel, "db")).toBe("start asked by uid 0, but it is being removed");
    ask(kernel, "restart", "db");
    ask(kernel, "start", "web");
    hold(kernel, "pin up", "db");
    pass(kernel, 200);
    expect(names(kernel)).toEqual(["web"]);
    expect(spawned(kernel)).toEqual(["db"]);
    expect(state(kernel, "web")).toBe("failed");
  });

  test("as the handler of a failure it is not run", () => {
    const kernel = machine(
      [service("web", { onFailure: { run: "help" }, restart: "never" }), task("help", { autostart: false })],
      { behaviours: { help: { leaves: 500 } } },
    );
    ask(kernel, "start", "help");
    change(kernel, { remove: ["help"] });
    kernel.crash("web");
    pass(kernel, 1000);
    expect(spawned(kernel)).toEqual(["web", "help"]);
    expect(names(kernel)).toEqual(["web"]);
  });

  test("what cannot be ended is forgotten all the same, and told", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: "never", immortal: true } } });
    change(kernel, { remove: ["web"] });
    pass(kernel, 60_000);
    expect(names(kernel)).toEqual([]);
    expect(kernel.said.join("\n")).toContain("could not be ended");
  });

  test("at the gate it leaves the line, and the line goes on", () => {
    const kernel = machine(
      ["a", "b", "c"].map((name) => service(name, { ready: READY })),
      { startConcurrency: 1, behaviours: { a: { readyAfterMs: [100] } } },
    );
    expect(states(kernel)).toEqual({ a: "starting", b: "waiting", c: "waiting" });
    change(kernel, { remove: ["b"] });
    pass(kernel, 1000);
    expect(spawned(kernel)).toEqual(["a", "c"]);
  });

  test("the order at the gate is that of the new graph", () => {
    const kernel = machine(
      ["a", "b", "c"].map((name) => service(name, { ready: READY })),
      { startConcurrency: 1, behaviours: { a: { readyAfterMs: [100] } } },
    );
    change(kernel, {
      set: [service("b", { ready: READY, after: follows("x") }), service("x", { autostart: false })],
    });
    pass(kernel, 1000);
    expect(spawned(kernel)).toEqual(["a", "c", "b"]);
  });

  test("unknown names and names that are set too are passed over", () => {
    const kernel = machine([service("web")]);
    change(kernel, { set: [service("web", { argv: ["new"] })], remove: ["web", "nobody"] });
    expect(states(kernel)).toEqual({ web: "running" });
    expect(stopped(kernel)).toEqual([]);
  });

  test("in a shutdown that comes meanwhile it leaves like all others", () => {
    const kernel = machine([service("db"), service("web")], { behaviours: { web: SLOW } });
    change(kernel, { remove: ["web"] });
    shutdown(kernel);
    pass(kernel, 1000);
    expect(kernel.exitCode).toBe(0);
  });

  test("of the start of the supervisor those that are left are told of", () => {
    const kernel = machine(
      [service("a"), service("b", { requires: needs("a"), ready: READY }), service("c")],
      {
        behaviours: { b: { readyAfterMs: [50] } },
      },
    );
    change(kernel, { remove: ["c"] });
    lose(kernel);
    pass(kernel, 100);
    expect(kernel.slate["service b"]).toContain('"a"]');
  });
});

describe("defined anew", () => {
  const old = { argv: ["old"], stop: { ...STOP, signal: "INT", timeoutMs: 1000, tree: true } } as const;
  const fresh = { argv: ["new"], stop: { ...STOP, signal: "QUIT", timeoutMs: 2000, tree: false } } as const;

  test("with a restart the run leaves by its old settings, and comes by the new ones", () => {
    const kernel = machine([service("web", old)], { behaviours: { web: SLOW } });
    change(kernel, { set: [service("web", fresh)], restart: true });
    expect(stopOf(kernel, "web")).toMatchObject({ signal: "INT", timeoutMs: 1000, tree: true });
    expect(specOf(kernel.world, "web")?.argv).toEqual(["new"]);
    expect(kept(kernel)).toEqual({ services: ["web"], former: ["web"] });
    pass(kernel, 200);
    expect(kernel.commands("spawn").map(({ spec }) => spec.argv[0])).toEqual(["old", "new"]);
    ask(kernel, "stop", "web");
    expect(kernel.commands("stop").at(-1)).toMatchObject({ signal: "QUIT", timeoutMs: 2000, tree: false });
  });

  test("without one nothing happens until its next start", () => {
    const kernel = machine([service("web", old)]);
    change(kernel, { set: [service("web", fresh)] });
    pass(kernel, 100);
    expect(stopped(kernel)).toEqual([]);
    kernel.crash("web");
    pass(kernel, 1000);
    expect(kernel.commands("spawn").map(({ spec }) => spec.argv[0])).toEqual(["old", "new"]);
  });

  test("a run's end is judged by the new rules", () => {
    const kernel = machine([service("web")]);
    change(kernel, { set: [service("web", { restart: "never" })] });
    kernel.crash("web");
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("failed");
  });

  test("what it has ended with counts as what is configured now says", () => {
    const once = { ends: { afterMs: 1, exit: { code: 0 } } };
    const kernel = machine(
      [service("db", { restart: "never" }), service("web", { requires: needs("db"), startDelayMs: 50 })],
      { behaviours: { db: once } },
    );
    pass(kernel, 20);
    expect(states(kernel)).toEqual({ db: "exited", web: "waiting" });
    change(kernel, { set: [service("db", { restart: "never", remainAfterExit: true })] });
    pass(kernel, 20);
    change(kernel, { set: [service("db", { restart: "never" })] });
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ db: "exited", web: "waiting" });
    change(kernel, { set: [service("db", { restart: "never", remainAfterExit: true })] });
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ db: "exited", web: "running" });
    expect(began(kernel)).toEqual(["db", "web"]);
  });

  test("pinned up it comes again when what it has ended with counts no more", () => {
    const kernel = machine([service("web", { restart: "never", remainAfterExit: true })], {
      behaviours: { web: [{ ends: { afterMs: 1, exit: { code: 0 } } }, {}] },
    });
    hold(kernel, "pin up", "web");
    pass(kernel, 20);
    expect(state(kernel, "web")).toBe("exited");
    change(kernel, { set: [service("web", { restart: "never" })] });
    pass(kernel, 20);
    expect(view(kernel, "web")).toMatchObject({ state: "running", pinned: "up" });
  });

  test("its hooks are those that it began with", () => {
    const hook = (argv: string) => ({ argv: [argv], timeoutMs: 1000 });
    const kernel = machine([service("web", { hooks: { "after-exit": hook("old") } })]);
    change(kernel, { set: [service("web", { hooks: { "before-start": hook("new") } })], restart: true });
    pass(kernel, 100);
    expect(began(kernel)).toEqual(["web", "web after-exit", "web before-start", "web"]);
  });

  test("what requires it stays as it is, even what is bound to it", () => {
    const kernel = machine([
      service("db"),
      service("web", { requires: needs("db") }),
      service("tied", { requires: bound("db") }),
    ]);
    change(kernel, { set: [service("db", { argv: ["new"] })], restart: true });
    pass(kernel, 100);
    expect(stopped(kernel)).toEqual(["db"]);
    expect(states(kernel)).toEqual({ db: "running", web: "running", tied: "running" });
  });

  test("what was down comes up with a restart if it starts by itself, else it stays down", () => {
    const kernel = machine([service("a", { autostart: false }), service("b", { autostart: false })]);
    change(kernel, { set: [service("a"), service("b", { autostart: false })], restart: true });
    expect(states(kernel)).toEqual({ a: "running", b: "inactive" });
    change(kernel, { set: [service("b")] });
    expect(state(kernel, "b")).toBe("inactive");
  });

  test("what failed is tried anew with a restart, and stays failed without", () => {
    const kernel = machine([service("web", { restart: "never" })], {
      behaviours: { web: [{ ends: { afterMs: 1, exit: { code: 1 } } }, {}] },
    });
    pass(kernel, 10);
    change(kernel, { set: [service("web")] });
    expect(state(kernel, "web")).toBe("failed");
    change(kernel, { set: [service("web")], restart: true });
    expect(state(kernel, "web")).toBe("running");
  });

  test("while it is being stopped, it stays down, or comes again if it starts by itself", () => {
    const kernel = machine([service("a", { autostart: false }), service("b")], {
      behaviours: { a: SLOW, b: SLOW },
    });
    ask(kernel, "start", "a");
    ask(kernel, "stop", "a", "b");
    change(kernel, { set: [service("a", { autostart: false }), service("b")], restart: true });
    pass(kernel, 500);
    expect(states(kernel)).toEqual({ a: "inactive", b: "running" });
  });

  test("in a backoff: with a restart at once, without when it is due", () => {
    const kernel = machine([service("web", { argv: ["old"], restartDelayMs: 5000 })], {
      behaviours: { web: [{ ends: { afterMs: 1, exit: { code: 1 } } }, {}] },
    });
    pass(kernel, 10);
    change(kernel, { set: [service("web", { argv: ["new"], restartDelayMs: 5000 })] });
    expect(state(kernel, "web")).toBe("backoff");
    change(kernel, { set: [service("web", { argv: ["newer"] })], restart: true });
    expect(state(kernel, "web")).toBe("running");
    expect(kernel.commands("spawn").map(({ spec }) => spec.argv[0])).toEqual(["old", "newer"]);
    expect(kernel.timers.has("again web")).toBe(false);
  });

  test("masked or pinned down it is not made to leave", () => {
    const kernel = machine([service("web")]);
    hold(kernel, "mask", "web");
    change(kernel, { set: [service("web", { argv: ["new"] })], restart: true });
    pass(kernel, 100);
    expect(state(kernel, "web")).toBe("running");
    expect(stopped(kernel)).toEqual([]);
  });

  test("its log changes at once", () => {
    const kernel = machine([service("web")]);
    const { log } = specOf(kernel.world, "web") ?? {};
    if (log === undefined) throw new Error("no log");
    change(kernel, { set: [service("web", { log: { ...log, lines: 7 } })] });
    expect(kernel.commands("openLog").at(-1)).toMatchObject({ log: "web", options: { lines: 7 } });
    const count = kernel.commands("openLog").length;
    change(kernel, { set: [service("web", { argv: ["x"], log: { ...log, lines: 7 } })] });
    expect(kernel.commands("openLog")).toHaveLength(count);
  });

  test("its edges change at once: in which order they leave", () => {
    const kernel = machine([service("a"), service("b")]);
    change(kernel, { set: [service("a", { after: follows("b") })] });
    shutdown(kernel);
    pass(kernel, 10);
    expect(stopped(kernel)).toEqual(["a", "b"]);
  });

  test("its edges change at once: what it requires comes up", () => {
    const kernel = machine([service("db", { autostart: false }), service("web")]);
    change(kernel, { set: [service("web", { requires: needs("db") })] });
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
    expect(stopped(kernel)).toEqual([]);
  });

  test("its edges change at once: what waited for it waits no more", () => {
    const kernel = machine([service("db", { ready: READY }), service("web", { requires: needs("db") })], {
      behaviours: { db: { readyAfterMs: [Number.POSITIVE_INFINITY] } },
    });
    expect(state(kernel, "web")).toBe("waiting");
    change(kernel, { set: [service("web")] });
    expect(state(kernel, "web")).toBe("running");
  });

  test("its edges change at once: what it conflicts with leaves", () => {
    const kernel = machine([service("a"), service("b")]);
    change(kernel, { set: [service("a", { conflicts: clashes("b") })] });
    pass(kernel, 10);
    expect(states(kernel)).toEqual({ a: "running", b: "inactive" });
  });

  test("twice while it runs, the last one counts", () => {
    const kernel = machine([service("web", { argv: ["1"] })]);
    change(kernel, { set: [service("web", { argv: ["2"] })] });
    change(kernel, { set: [service("web", { argv: ["3"] })] });
    expect(kernel.config.former?.map(({ argv }) => argv)).toEqual([["1"]]);
    ask(kernel, "restart", "web");
    pass(kernel, 10);
    expect(kernel.commands("spawn").map(({ spec }) => spec.argv[0])).toEqual(["1", "3"]);
  });

  test("as another kind", () => {
    const kernel = machine([task("job"), service("web", { requires: needs("job") }), target("all", [])], {
      behaviours: { job: [{ ends: { afterMs: 1, exit: { code: 0 } } }, {}] },
    });
    pass(kernel, 10);
    expect(states(kernel)).toEqual({ job: "exited", web: "running", all: "running" });
    change(kernel, { set: [service("job"), service("all")] });
    expect(states(kernel)).toEqual({ job: "running", web: "running", all: "running" });
    expect(view(kernel, "all").kind).toBe("target");
    ask(kernel, "restart", "all");
    expect(view(kernel, "all")).toMatchObject({ kind: "service", state: "running" });
    change(kernel, { set: [target("all", ["web"])], restart: true });
    pass(kernel, 10);
    expect(view(kernel, "all")).toMatchObject({ kind: "target", state: "running" });
    expect(kernel.logs.has("all")).toBe(false);
  });

  test("a target has its new members up", () => {
    const kernel = machine([service("a", { autostart: false }), target("all", [])]);
    change(kernel, { set: [target("all", ["a"])] });
    expect(states(kernel)).toEqual({ a: "running", all: "running" });
  });

  test("another schedule is the one that counts", () => {
    const every = (everyMs: number) =>
      ({ cron: null, zone: null, everyMs, text: "every", overlap: "skip", missed: "skip" }) as const;
    const behaviours = { tick: { ends: { afterMs: 1, exit: { code: 0 } } } };
    const kernel = machine([task("tick", { autostart: false, schedule: every(1000) })], { behaviours });
    change(kernel, { set: [task("tick", { autostart: false, schedule: every(10_000) })] });
    pass(kernel, 5000);
    expect(spawned(kernel)).toEqual([]);
    pass(kernel, 6000);
    expect(spawned(kernel)).toEqual(["tick"]);
    change(kernel, { set: [task("tick", { autostart: false })] });
    expect(kernel.isIdle()).toBe(true);
  });

  test("a name that is about to be forgotten comes again, and beats who waited for its end", () => {
    const kernel = machine([service("old")], { behaviours: { old: SLOW } });
    change(kernel, { remove: ["old"], set: [service("new", { conflicts: clashes("old") })] });
    expect(state(kernel, "new")).toBe("waiting");
    change(kernel, { set: [service("old")] });
    pass(kernel, 500);
    expect(states(kernel)).toEqual({ new: "inactive", old: "running" });
  });

  test("a run that is over says nothing of another kind", () => {
    const kernel = machine([service("job"), service("web", { requires: needs("job"), autostart: false })]);
    change(kernel, { set: [task("job")] });
    kernel.crash("job", { code: 0 });
    pass(kernel, 100);
    expect(began(kernel)).toEqual(["job", "job"]);
    expect(view(kernel, "job")).toMatchObject({ kind: "task", state: "running", ready: false });
  });

  test("a name that comes again is not held any more", () => {
    const kernel = machine([service("web")], { behaviours: { web: SLOW } });
    hold(kernel, "pin up", "web");
    change(kernel, { remove: ["web"] });
    hold(kernel, "mask", "web");
    change(kernel, { set: [service("web")] });
    pass(kernel, 500);
    expect(view(kernel, "web")).toMatchObject({ state: "running", pinned: null, masked: false });
  });

  test("what it does not start along is not missed by a run", () => {
    const kernel = machine([service("db", { autostart: false }), service("web")]);
    change(kernel, { set: [service("web", { requires: [{ name: "db", bind: false, start: false }] })] });
    expect(states(kernel)).toEqual({ db: "inactive", web: "running" });
  });

  test("a target that was to become something else, and is not", () => {
    const kernel = machine([target("all", [])]);
    change(kernel, { set: [service("all")] });
    change(kernel, { set: [target("all", [])] });
    ask(kernel, "restart", "all");
    expect(view(kernel, "all")).toMatchObject({ kind: "target", state: "running" });
    expect(spawned(kernel)).toEqual([]);
  });

  test("a name that is about to be forgotten comes again", () => {
    const kernel = machine([service("db", old), service("web", { requires: needs("db") })], {
      behaviours: { db: SLOW },
    });
    change(kernel, { remove: ["db"] });
    pass(kernel, 1);
    change(kernel, { set: [service("db", fresh)] });
    expect(specOf(kernel.world, "db")?.argv).toEqual(["new"]);
    pass(kernel, 500);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
    expect(began(kernel, "db")).toEqual(["db", "db"]);
    expect(stopOf(kernel, "db")).toMatchObject({ signal: "INT" });
  });
});

describe("what cannot be started as it is configured", () => {
  test("for want of another has failed, and others are fine", () => {
    const kernel = machine([
      service("web", { requires: needs("db") }),
      service("other", { wants: ["nobody"] }),
    ]);
    expect(states(kernel)).toEqual({ web: "failed", other: "running" });
    expect(view(kernel, "web")).toMatchObject({ goal: "up", reason: { type: "missing", name: "db" } });
    expect(up(kernel, "web")).toEqual({ failed: "requires db, which is not configured" });
  });

  test("comes when the other one comes, if it is wanted", () => {
    const kernel = machine([
      service("web", { requires: needs("db") }),
      service("idle", { requires: needs("db"), autostart: false }),
    ]);
    change(kernel, { set: [service("db", { autostart: false })] });
    expect(states(kernel)).toEqual({ db: "running", web: "running", idle: "inactive" });
  });

  test("asked for, it stays failed; stopped, it does not come", () => {
    const kernel = machine([service("web", { requires: needs("db") })]);
    ask(kernel, "start", "web");
    expect(changes(kernel, "web")).toEqual(["inactive failed"]);
    ask(kernel, "stop", "web");
    expect(view(kernel, "web")).toMatchObject({ state: "failed", goal: "down" });
    change(kernel, { set: [service("db")] });
    expect(states(kernel)).toEqual({ web: "inactive", db: "running" });
  });

  test("whose run has failed says so too", () => {
    const kernel = machine([service("web", { restart: "never" })]);
    change(kernel, { set: [service("web", { restart: "never", requires: needs("db") })] });
    kernel.crash("web");
    pass(kernel, 10);
    expect(view(kernel, "web")).toMatchObject({ state: "failed", reason: { type: "missing", name: "db" } });
  });

  test("who runs already runs on, and fails when its run is over", () => {
    const kernel = machine([service("web")]);
    change(kernel, { set: [service("web", { requires: needs("db") })] });
    expect(state(kernel, "web")).toBe("running");
    kernel.crash("web");
    pass(kernel, 1000);
    expect(view(kernel, "web")).toMatchObject({ state: "failed", reason: { type: "missing", name: "db" } });
    expect(spawned(kernel)).toEqual(["web"]);
  });

  test("in a backoff fails at once, and its timer is gone", () => {
    const kernel = machine([service("web", { restartDelayMs: 5000 })], {
      behaviours: { web: { ends: { afterMs: 1, exit: { code: 1 } } } },
    });
    pass(kernel, 10);
    change(kernel, { set: [service("web", { requires: needs("db") })] });
    expect(state(kernel, "web")).toBe("failed");
    expect(kernel.isIdle()).toBe(true);
  });

  test("what requires it waits, and says what for", () => {
    const kernel = machine([service("b", { requires: needs("a") }), service("c", { requires: needs("b") })]);
    expect(view(kernel, "c")).toMatchObject({
      state: "waiting",
      cause: "waits for b, which failed: requires a, which is not configured",
    });
    change(kernel, { set: [service("a")] });
    expect(states(kernel)).toEqual({ a: "running", b: "running", c: "running" });
  });

  test("a task that is done remains so", () => {
    const kernel = machine([task("job")], {
      behaviours: { job: { ends: { afterMs: 1, exit: { code: 0 } } } },
    });
    pass(kernel, 10);
    change(kernel, { set: [task("job", { requires: needs("db") })] });
    expect(state(kernel, "job")).toBe("exited");
    ask(kernel, "start", "job");
    expect(state(kernel, "job")).toBe("failed");
  });

  test("in a circle fails with the way around, and what is not in it does not", () => {
    const kernel = machine([
      service("a", { after: follows("b") }),
      service("b", { requires: needs("c") }),
      service("c", { wants: ["a"] }),
      service("d", { after: follows("a") }),
      service("e", { before: ["a"] }),
    ]);
    expect(states(kernel)).toEqual({ a: "failed", b: "failed", c: "failed", d: "running", e: "running" });
    expect(view(kernel, "b")).toMatchObject({
      reason: { type: "cycle", path: ["b", "c", "a"] },
      cause: "waits for itself: b -> c -> a -> b",
    });
    change(kernel, { set: [service("c")] });
    expect(Object.values(states(kernel))).toEqual(Array(5).fill("running"));
  });

  test("two circles are two", () => {
    const kernel = machine([
      service("a", { after: follows("b") }),
      service("b", { after: follows("a", "c") }),
      service("c", { after: follows("d") }),
      service("d", { after: follows("c") }),
    ]);
    expect(view(kernel, "b").reason).toEqual({ type: "cycle", path: ["b", "a"] });
    expect(view(kernel, "c").reason).toEqual({ type: "cycle", path: ["c", "d"] });
  });

  test("in a circle with one that is removed is in none when that one has left", () => {
    const kernel = machine(
      [service("a", { wants: ["b"] }), service("b"), service("c", { after: follows("a") })],
      { behaviours: { c: SLOW } },
    );
    change(kernel, { set: [service("b", { after: follows("c") })], remove: ["c"] });
    expect(view(kernel, "a").reason).toBeNull(); // Its run goes on.
    pass(kernel, 1000);
    ask(kernel, "stop", "a", "b");
    pass(kernel, 10);
    expect(states(kernel)).toEqual({ a: "inactive", b: "inactive" });
    ask(kernel, "start", "a");
    expect(states(kernel)).toEqual({ a: "running", b: "running" });
    expect(spawned(kernel).slice(-2)).toEqual(["b", "a"]);
  });

  test("in a circle that a change has made, runs go on and can leave", () => {
    const kernel = machine([service("a"), service("b", { requires: needs("a") })]);
    change(kernel, { set: [service("a", { requires: needs("b") })] });
    expect(states(kernel)).toEqual({ a: "running", b: "running" });
    shutdown(kernel);
    pass(kernel, 10);
    expect(kernel.exitCode).toBe(0);
  });

  test("in a circle through what is removed, the others stand in none", () => {
    const kernel = machine(
      [service("a"), service("b", { after: follows("a") }), service("c", { requires: needs("b") })],
      { behaviours: { a: SLOW, b: SLOW, c: { leaves: 500 } } },
    );
    change(kernel, { remove: ["c"], set: [service("a", { after: follows("c") })] });
    kernel.crash("b");
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ a: "running", b: "running" });
    expect(names(kernel)).toContain("c");
    shutdown(kernel);
    pass(kernel, 1000);
    expect(stopped(kernel)).toEqual(["c", "b", "a"]);
  });

  test("in a circle that what is removed closes, what requires it leaves before it", () => {
    const kernel = machine(
      [service("a"), service("b", { after: follows("a") }), service("c", { requires: needs("b") })],
      { behaviours: { a: SLOW, c: SLOW } },
    );
    change(kernel, { remove: ["c"], set: [service("a", { requires: needs("c") })] });
    pass(kernel, 50);
    expect(stopped(kernel)).toEqual(["a"]);
    pass(kernel, 500);
    expect(stopped(kernel)).toEqual(["a", "c"]);
    expect(states(kernel)).toEqual({ a: "failed", b: "running" });
  });
});

describe("a brain that is lost", () => {
  test("between a removal and its end goes on with it, hooks and all", () => {
    const hook = { argv: ["x"], timeoutMs: 1000 };
    const stop = { signal: "INT", timeoutMs: 700, evict: "stop", tree: true } as const;
    const kernel = machine(
      [service("db", { stop }), service("web", { requires: needs("db"), hooks: { "after-exit": hook } })],
      { behaviours: { web: SLOW } },
    );
    change(kernel, { remove: ["db"] });
    lose(kernel);
    expect(specOf(kernel.world, "db")).toBeNull();
    pass(kernel, 1000);
    expect(names(kernel)).toEqual(["web"]);
    expect(began(kernel)).toEqual(["db", "web", "web after-exit"]);
    expect(stopOf(kernel, "db")).toMatchObject({ signal: "INT", timeoutMs: 700 });
    lose(kernel);
    expect(names(kernel)).toEqual(["web"]);
    expect(view(kernel, "web")).toMatchObject({ state: "failed", reason: { type: "missing", name: "db" } });
  });

  test("between a new definition and its start knows both", () => {
    const kernel = machine([
      service("web", { stop: { ...STOP, signal: "INT", timeoutMs: 700, tree: true } }),
    ]);
    change(kernel, { set: [service("web", { argv: ["new"], restart: "never" })] });
    lose(kernel);
    expect(specOf(kernel.world, "web")?.argv).toEqual(["new"]);
    ask(kernel, "restart", "web");
    pass(kernel, 10);
    expect(stopOf(kernel, "web")).toMatchObject({ signal: "INT" });
    expect(kernel.commands("spawn").map(({ spec }) => spec.argv[0])).toEqual(["web", "new"]);
    lose(kernel);
    ask(kernel, "stop", "web");
    expect(kernel.commands("stop").at(-1)).toMatchObject({ signal: "TERM" });
  });

  test("knows the conditions that a run is still to meet", () => {
    const two = [
      { type: "file", path: "/a" },
      { type: "delay", ms: 100 },
    ] as const;
    const kernel = machine([service("web", { ready: two })], { behaviours: { web: { readyAfterMs: [50] } } });
    change(kernel, { set: [service("web")] });
    lose(kernel);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 2000);
    expect(state(kernel, "web")).toBe("running");
  });

  test("without any records, the table is all there is: what is not configured leaves", () => {
    const kernel = machine([service("db"), service("web")], { behaviours: { db: SLOW } });
    change(kernel, { remove: ["db"], set: [service("web", { argv: ["new"] })] });
    for (const key of Object.keys(kernel.slate)) delete kernel.slate[key];
    lose(kernel);
    pass(kernel, 1000);
    expect(states(kernel)).toEqual({ web: "running" });
    expect(kernel.liveSets("db")).toEqual([]);
  });

  test("makes leave what is removed, whatever its record says", () => {
    const kernel = machine([service("db"), service("web", { after: follows("db") })], {
      behaviours: { db: SLOW, web: SLOW },
    });
    ask(kernel, "stop", "web");
    change(kernel, { remove: ["web", "db"] });
    const record = kernel.slate["service db"] ?? "";
    kernel.slate["service db"] = record.replace('"leave"', '"up"');
    lose(kernel);
    pass(kernel, 1000);
    expect(names(kernel)).toEqual([]);
  });

  test("bars a start that was not seen through and cannot be made any more", () => {
    const failure = { step: "exec", errno: 2, error: "ENOENT", message: "no", transient: false };
    const kernel = machine([service("web")], { behaviours: { web: { failure, spawnMs: 50 } } });
    change(kernel, { set: [service("web", { requires: needs("db") })] });
    lose(kernel);
    pass(kernel, 100);
    expect(view(kernel, "web")).toMatchObject({ state: "failed", reason: { type: "missing", name: "db" } });
  });

  test("has the rest of the configuration as it was", () => {
    const kernel = machine([service("web")]);
    const personality = { configDir: "/x" };
    kernel.config = { ...kernel.config, personality, proxies: [] };
    lose(kernel);
    change(kernel, { set: [service("db", { origin: { file: null, document: "{}" } })] });
    expect(kernel.config).toMatchObject({ personality, proxies: [] });
    lose(kernel);
    expect(specOf(kernel.world, "db")?.origin).toEqual({ file: null, document: "{}" });
  });
});

describe("reasons", () => {
  const ends = (exit: { code: number } | { signal: string }) => ({ ends: { afterMs: 1, exit } });

  test.each([
    ["exit", { restart: "never" }, ends({ code: 3 }), { type: "exit", code: 3 }],
    ["signal", { restart: "never" }, ends({ signal: "SEGV" }), { type: "signal", signal: "SEGV" }],
    ["backoff", { restartDelayMs: 60_000 }, ends({ code: 0 }), { type: "exit", code: 0 }],
    [
      "start-timeout",
      { restart: "never", ready: READY, startTimeoutMs: 50 },
      { readyAfterMs: [Number.POSITIVE_INFINITY] },
      { type: "start-timeout" },
    ],
    [
      "limit",
      { restartDelayMs: 1, restartLimit: 2 },
      ends({ code: 1 }),
      { type: "limit", restarts: 2, last: { type: "exit", code: 1 } },
    ],
    [
      "hook",
      { restart: "never", hooks: { "before-start": { argv: ["x"], timeoutMs: 100 } } },
      {},
      { type: "hook", message: "its before-start hook failed: exited with code 1" },
    ],
    [
      "survived",
      { stop: { ...STOP, signal: "TERM", timeoutMs: 10, tree: true } },
      { leaves: "never", immortal: true },
      { type: "survived" },
    ],
  ] as const)("%s, and a fresh brain knows it too", (_, spec, behaviour, reason) => {
    const failing = { ends: { afterMs: 1, exit: { code: 1 } } };
    const kernel = machine([service("web", spec)], {
      behaviours: { web: behaviour, "web/before-start": failing },
    });
    pass(kernel, 1000);
    if (reason.type === "survived") ask(kernel, "stop", "web");
    pass(kernel, 1000);
    expect(view(kernel, "web").reason).toEqual(reason);
    lose(kernel);
    expect(view(kernel, "web").reason).toEqual(reason);
  });

  test("of an unhealthy service the checks, not the signal that ended it", () => {
    const health = {
      probes: [{ type: "tcp", host: "h", port: 1 }],
      ...{ everyMs: 10, timeoutMs: 5, failures: 3, successes: 1, initialDelayMs: 0 },
      onFailure: "restart",
    } as const;
    const kernel = machine([service("web", { restart: "never", health })], {
      behaviours: { web: { check: () => ({ ok: false }), leaves: 50 } },
    });
    pass(kernel, 60);
    lose(kernel);
    pass(kernel, 1000);
    expect(view(kernel, "web").reason).toEqual({ type: "unhealthy", failures: 3 });
  });

  test("what cannot be executed has the message", () => {
    const failure = { step: "exec", errno: 2, error: "ENOENT", message: "no such program", transient: false };
    const kernel = machine([service("web")], { behaviours: { web: { failure } } });
    pass(kernel, 10);
    expect(view(kernel, "web").reason).toEqual({
      type: "spawn",
      message: "cannot start: exec: no such program (ENOENT)",
    });
  });

  test("who is well has none", () => {
    const kernel = machine([service("web")], { behaviours: { web: [ends({ code: 1 }), {}] } });
    pass(kernel, 1000);
    expect(view(kernel, "web")).toMatchObject({ state: "running", reason: null });
  });
});
