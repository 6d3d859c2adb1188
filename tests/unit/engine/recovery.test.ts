import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boot } from "../../../src/engine/index.ts";
import { LIFECYCLE } from "../../../src/engine/lifecycle.ts";
import type { ChildRecord } from "../../../src/generated/protocol.ts";
import { checkWorld } from "../../sim/invariants.ts";
import type { Kernel } from "../../sim/kernel.ts";
import {
  ask,
  bound,
  cause,
  machine,
  needs,
  pass,
  receipt,
  refusal,
  service,
  shutdown,
  signal,
  spawned,
  state,
  states,
  stopped,
  target,
  task,
  view,
} from "./helpers.ts";

/** The brain ends, and its successor has had a moment. */
function lose(kernel: Kernel): void {
  kernel.loseBrain();
  kernel.run(kernel.now);
}

describe("a brain lost while nothing happens", () => {
  test("changes nothing and wakes nobody", () => {
    const kernel = machine([
      service("db"),
      service("web", { requires: needs("db") }),
      task("job"),
      target("all", ["web"]),
      service("off", { autostart: false }),
    ]);
    const before = states(kernel);
    const pid = view(kernel, "web").pid;
    const started = view(kernel, "web").started_at;
    pass(kernel, 100);
    lose(kernel);
    expect(states(kernel)).toEqual(before);
    expect(view(kernel, "web")).toMatchObject({ pid, started_at: started, uptime_ms: 100 });
    expect(spawned(kernel)).toHaveLength(3);
    expect(kernel.isIdle()).toBe(true);
    expect(cause(kernel, "web")).toBe(`runs as pid ${pid}`);
    expect(kernel.said).toEqual(["a fresh brain took over, the former was lost: a test wanted it"]);
  });

  test("keeps what somebody has stopped stopped", () => {
    const kernel = machine([service("web")]);
    ask(kernel, "stop", "web");
    lose(kernel);
    expect(state(kernel, "web")).toBe("inactive");
    ask(kernel, "start", "web");
    expect(spawned(kernel)).toEqual(["web", "web"]);
  });

  test("never uses an id or an event number twice", () => {
    const kernel = machine([service("web")]);
    for (let round = 0; round < 5; round++) {
      lose(kernel);
      ask(kernel, "restart", "web");
    }
    expect(kernel.commands("spawn").map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]);
    const numbers = kernel.published.map(({ seq }) => seq);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

describe("the news of a batch that was lost", () => {
  /** The next batch goes down with its brain. */
  function losing(...args: Parameters<typeof machine>): { kernel: Kernel; next: () => void } {
    let lost = false;
    const [services, options] = args;
    const kernel = machine(services, {
      ...options,
      loses: () => {
        const now = lost;
        lost = false;
        return now;
      },
    });
    return {
      kernel,
      next: () => {
        lost = true;
      },
    };
  }

  test("of an exit stands in the table", () => {
    const { kernel, next } = losing([service("web", { restart: "never" })]);
    kernel.crash("web", { code: 3 });
    next();
    pass(kernel, 0);
    expect(kernel.losses).toBe(1);
    expect(state(kernel, "web")).toBe("failed");
    expect(view(kernel, "web").exit).toMatchObject({ code: 3 });
  });

  test("of an exit with leftovers, too", () => {
    const { kernel, next } = losing([service("web")], {
      behaviours: { web: { leftovers: 2, leftoversLeave: 50 } },
    });
    kernel.crash("web", { code: 3 });
    next();
    pass(kernel, 0);
    expect(cause(kernel, "web")).toBe("exited with code 3 and left 2 processes");
    pass(kernel, 1000);
    expect(state(kernel, "web")).toBe("running");
  });

  test("of a start, of a stop's end", () => {
    const { kernel, next } = losing([service("web")], { behaviours: { web: { spawnMs: 10, leaves: 10 } } });
    next();
    pass(kernel, 10);
    expect(kernel.losses).toBe(1);
    expect(state(kernel, "web")).toBe("running");
    ask(kernel, "stop", "web");
    next();
    pass(kernel, 10);
    expect(kernel.losses).toBe(2);
    expect(state(kernel, "web")).toBe("inactive");
    expect(kernel.sets.size).toBe(0);
  });

  test("of a start that failed is asked for again", () => {
    const { kernel, next } = losing([service("web")], {
      behaviours: { web: { spawnMs: 10, failure: refusal("ENOENT") } },
    });
    next();
    pass(kernel, 10);
    expect(kernel.losses).toBe(1);
    pass(kernel, 100);
    expect(spawned(kernel)).toHaveLength(2);
    expect(state(kernel, "web")).toBe("failed");
  });

  test("of a log line is found in the ring", () => {
    const { kernel, next } = losing([service("web", { ready: [{ type: "log", pattern: "up" }] })], {
      behaviours: { web: { readyAfterMs: [20] } },
    });
    next();
    pass(kernel, 20);
    expect(kernel.losses).toBe(1);
    expect(kernel.commands("matchLog").at(-1)).toMatchObject({ sincePid: 100 });
    pass(kernel, 10);
    expect(state(kernel, "web")).toBe("running");
  });

  test("of a signal comes once more", () => {
    const { kernel, next } = losing([service("web")]);
    next();
    signal(kernel, "TERM");
    kernel.run();
    expect(kernel.losses).toBe(1);
    expect(kernel.exitCode).toBe(0);
  });
});

describe("what was at work goes on", () => {
  test("a backoff, to its time", () => {
    const kernel = machine([service("web", { restartDelayMs: 1000 })]);
    kernel.crash("web");
    pass(kernel, 0);
    const due = kernel.commands("arm").at(-1)?.at ?? 0;
    pass(kernel, 500);
    lose(kernel);
    expect(kernel.commands("arm").at(-1)).toMatchObject({ key: "again web", at: due });
    kernel.run(due);
    expect(state(kernel, "web")).toBe("running");
    expect(view(kernel, "web").restarts).toBe(1);
  });

  test("a backoff whose time has passed", () => {
    const kernel = machine([service("web", { restartDelayMs: 1000 })]);
    kernel.crash("web");
    pass(kernel, 0);
    kernel.now += 5000;
    lose(kernel);
    expect(state(kernel, "web")).toBe("running");
  });

  test("the count of restarts and their window", () => {
    const kernel = machine([service("web", { restartLimit: 2, restartDelayMs: 0 })]);
    for (let round = 0; round < 2; round++) {
      kernel.crash("web");
      pass(kernel, 0);
      lose(kernel);
    }
    kernel.crash("web");
    pass(kernel, 0);
    expect(state(kernel, "web")).toBe("failed");
  });

  test("a start-timeout, to its time, and the conditions that held", () => {
    const kernel = machine(
      [
        service("web", {
          ready: [
            { type: "log", pattern: "up" },
            { type: "file", path: "/x" },
            { type: "delay", ms: 500 },
          ],
          startTimeoutMs: 1000,
        }),
      ],
      { behaviours: { web: { readyAfterMs: [10, 1e9, 0] } } },
    );
    pass(kernel, 600);
    const delays = () => kernel.commands("arm").filter(({ key }) => key.startsWith("delay ")).length;
    expect([kernel.commands("matchLog").length, delays()]).toEqual([1, 1]);
    lose(kernel);
    expect([kernel.commands("matchLog").length, delays()]).toEqual([1, 1]);
    // The line and the delay are history; only the file is looked for.
    expect([...kernel.timers.keys(), ...kernel.probes.keys(), ...kernel.matches.keys()].sort()).toEqual([
      "probe 1 1",
      "start 1",
    ]);
    pass(kernel, 399);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 2);
    expect(cause(kernel, "web")).toMatch(/^not ready within 1s/);
  });

  test("a stop, and the restart that is to follow it", () => {
    const kernel = machine([service("db"), service("web", { requires: needs("db") })], {
      behaviours: { db: { leaves: 50 }, web: { leaves: 50 } },
    });
    ask(kernel, "restart", "db");
    for (let round = 0; round < 10; round++) {
      pass(kernel, 13);
      lose(kernel);
    }
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
    expect(stopped(kernel)).toEqual(["web", "db"]);
  });

  test("the wait of what is bound", () => {
    const kernel = machine(
      [service("db", { restartDelayMs: 200 }), service("web", { requires: bound("db") })],
      {
        behaviours: { web: { leaves: 50 } },
      },
    );
    kernel.crash("db");
    pass(kernel, 10);
    lose(kernel);
    pass(kernel, 100);
    expect(states(kernel)).toEqual({ db: "backoff", web: "waiting" });
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ db: "running", web: "running" });
  });

  test("a shutdown, its deadline, its code, its haste", () => {
    const kernel = machine([service("app", { main: true, restart: "never" }), service("side")], {
      behaviours: { app: { ends: { afterMs: 10, exit: { code: 9 } } }, side: { leaves: "never" } },
      shutdownTimeoutMs: 5000,
    });
    pass(kernel, 20);
    lose(kernel);
    pass(kernel, 1000);
    lose(kernel);
    pass(kernel, 3989);
    expect(kernel.exitCode).toBeNull();
    pass(kernel, 1);
    expect(kernel.exitCode).toBe(9);
  });

  test("the deadline of a shutdown, for a stop that began before it", () => {
    const patient = { stop: { signal: "TERM", timeoutMs: 3_600_000, evict: "stop" as const, tree: true } };
    const kernel = machine([service("web", patient)], {
      behaviours: { web: { leaves: "never" } },
      shutdownTimeoutMs: 5000,
    });
    ask(kernel, "stop", "web");
    signal(kernel, "TERM");
    lose(kernel);
    pass(kernel, 4999);
    expect(kernel.exitCode).toBeNull();
    pass(kernel, 1);
    expect(kernel.exitCode).toBe(0);
  });

  test("a second request after the loss is still the second", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: "never" } } });
    signal(kernel, "TERM");
    lose(kernel);
    signal(kernel, "TERM");
    expect(kernel.exitCode).toBe(0);
    expect(kernel.now).toBe(1000);
  });

  test("the end of what belongs to nobody", () => {
    const kernel = machine([service("web")], { strays: 1 });
    signal(kernel, "TERM");
    expect(kernel.commands("stopRest")).toHaveLength(1);
    lose(kernel);
    kernel.run();
    expect(kernel.exitCode).toBe(0);
  });
});

describe("a slate that cannot be read", () => {
  function forget(kernel: Kernel, name: string, value?: string): void {
    if (value === undefined) delete kernel.slate[`service ${name}`];
    else kernel.slate[`service ${name}`] = value;
    lose(kernel);
  }

  test("the table decides: what runs is adopted", () => {
    const kernel = machine([service("web"), task("job"), service("off", { autostart: false })]);
    forget(kernel, "web", "{");
    forget(kernel, "job", "[]");
    expect(states(kernel)).toEqual({ web: "running", job: "running", off: "inactive" });
    expect(spawned(kernel)).toEqual(["web", "job"]);
    expect(cause(kernel, "web")).toBe("found running, without a record of it");
    kernel.crash("web");
    pass(kernel, 200);
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 1 });
  });

  test("what has ended meanwhile is judged", () => {
    const kernel = machine([service("web", { restart: "never" })]);
    delete kernel.slate["service web"];
    kernel.crash("web", { code: 4 });
    lose(kernel);
    pass(kernel, 0);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("exited with code 4");
  });

  test("readiness is looked for anew, with a deadline of its own", () => {
    const kernel = machine(
      [service("web", { ready: [{ type: "file", path: "/x" }], startTimeoutMs: 1000 })],
      {
        behaviours: { web: { readyAfterMs: [0] } },
      },
    );
    pass(kernel, 50_000);
    forget(kernel, "web");
    pass(kernel, 100);
    expect(view(kernel, "web")).toMatchObject({ state: "running", ready: true });
    expect(spawned(kernel)).toEqual(["web"]);
  });

  test("what is being stopped comes again if it starts by itself", () => {
    for (const autostart of [true, false]) {
      const kernel = machine([service("web", { autostart })], { behaviours: { web: { leaves: 100 } } });
      ask(kernel, "start", "web");
      ask(kernel, "stop", "web");
      forget(kernel, "web");
      expect(state(kernel, "web")).toBe("stopping");
      pass(kernel, 200);
      expect(state(kernel, "web")).toBe(autostart ? "running" : "inactive");
    }
  });

  test("a shutdown goes on for what is adopted", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: 100 } } });
    signal(kernel, "TERM");
    forget(kernel, "web");
    kernel.run();
    expect(kernel.exitCode).toBe(0);
  });

  const start = { now: 5000, wall: 1_700_000_000_000 };
  const record = (id: number, name: string, rest: Partial<ChildRecord> = {}): ChildRecord => ({
    id,
    service: name,
    role: "main",
    pid: 100 + id,
    started: 1000,
    exit: null,
    exited: null,
    leftovers: 0,
    stopping: false,
    receipt: null,
    notice: null,
    watchdogAt: 0,
    ...rest,
  });
  const input = (children: ChildRecord[], slate: Record<string, string> = {}) => ({
    lost: "a test wanted it",
    config: { services: [service("web")], supervisor: { shutdownTimeoutMs: 1000, single: false } },
    seed: 1,
    nextId: 50,
    nextSeq: 50,
    children,
    slate,
    pid: 1,
    pidOne: true,
    wallStarted: 0,
  });

  test("of two sets of one service, one is adopted and the other ended", () => {
    const { world, commands } = boot(input([record(3, "web"), record(7, "web")]), start);
    checkWorld(world);
    expect(commands.filter(({ type }) => type === "spawn")).toEqual([]);
    expect(commands.filter(({ type }) => type === "stop")).toMatchObject([{ id: 7, signal: "TERM" }]);
  });

  test("sets of no service are ended, or forgotten if they have ended", () => {
    const children = [
      record(3, "web"),
      record(4, "gone"),
      record(5, "gone", { exit: { code: 0 }, exited: 2000 }),
      record(6, "gone", { receipt: receipt("gone"), exit: { code: 0 }, exited: 2000 }),
      record(7, "gone", { stopping: true }),
    ];
    const { world, commands } = boot(input(children), start);
    checkWorld(world);
    expect(commands.filter(({ type }) => type === "stop")).toMatchObject([{ id: 4 }]);
    expect(commands.filter(({ type }) => type === "forget")).toMatchObject([{ id: 5 }, { id: 6 }]);
  });

  test("a set that a record names and the table does not know was lost from sight", () => {
    const slate = { "service web": JSON.stringify(["running", "up", 9, 109, 1000, 1, 0, "1 running x"]) };
    const { world, commands } = boot(input([], slate), start);
    checkWorld(world);
    expect(commands.filter(({ type }) => type === "arm")).toMatchObject([{ key: "again web" }]);
  });

  test("no spoiled record ends the brain, or starts anything twice", () => {
    const spoil = fc.oneof(
      fc.constant(null),
      fc.string(),
      fc.json(),
      fc.record({ at: fc.nat(12), value: fc.jsonValue() }),
      fc.record({ at: fc.constant(0), value: fc.constantFrom(...Object.keys(LIFECYCLE)) }),
      fc.record({ at: fc.constant(1), value: fc.constantFrom("down", "up", "leave", "again") }),
    );
    fc.assert(
      fc.property(fc.array(spoil, { minLength: 1, maxLength: 4 }), fc.nat(300), (spoils, ms) => {
        const kernel = machine(
          [
            service("db", { ready: [{ type: "delay", ms: 50 }] }),
            service("web", { requires: needs("db") }),
            task("job"),
            target("all", ["db"]),
          ],
          { behaviours: { db: { leaves: 30 }, web: { ends: { afterMs: 70, exit: { code: 1 } } } } },
        );
        pass(kernel, ms);
        if (ms % 3 === 0) ask(kernel, "restart", "db");
        if (ms % 7 === 0) signal(kernel, "TERM");
        const keys = [...Object.keys(kernel.slate), "supervisor"];
        for (const [index, how] of spoils.entries())
          spoilRecord(kernel, keys[(ms + index) % keys.length] ?? "", how);
        kernel.onCommand = (command) => {
          if (command.type !== "spawn") return;
          expect(kernel.liveSets(command.spec.service)).toEqual([]);
        };
        if (kernel.exitCode !== null) return;
        lose(kernel);
        pass(kernel, 1000);
        if (kernel.exitCode !== null) return;
        shutdown(kernel);
        kernel.run();
        expect(kernel.exitCode).not.toBeNull();
        expect(kernel.sets.size).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  type Spoil = null | string | { readonly at: number; readonly value: unknown };

  function readArray(text: string | undefined): unknown[] | null {
    try {
      const values: unknown = JSON.parse(text ?? "");
      return Array.isArray(values) ? values : null;
    } catch {
      return null;
    }
  }

  function spoilRecord(kernel: Kernel, key: string, how: Spoil): void {
    if (how === null) delete kernel.slate[key];
    else if (typeof how === "string") kernel.slate[key] = how;
    else {
      const values = readArray(kernel.slate[key]);
      if (values === null) return; // Spoiled already.
      values[how.at] = how.value;
      kernel.slate[key] = JSON.stringify(values);
    }
  }
});
