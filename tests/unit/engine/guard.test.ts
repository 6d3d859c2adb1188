import { describe, expect, test } from "vitest";
import type { ProcessFacts, Query, QueryAnswer } from "../../../src/generated/protocol.ts";
import { GUARD_DEFAULTS } from "../../../src/model/defaults.ts";
import type { GuardSpec } from "../../../src/model/spec.ts";
import type { Kernel } from "../../sim/kernel.ts";
import {
  ask,
  began,
  cause,
  change,
  hold,
  lose,
  machine,
  needs,
  pass,
  service,
  shutdown,
  state,
  states,
  up,
  view,
} from "./helpers.ts";

const guard = (more: Partial<GuardSpec>): GuardSpec => ({ ...GUARD_DEFAULTS, ...more });

const NGINX: ProcessFacts = {
  pid: 12,
  parent: 1,
  name: "nginx",
  command: "nginx -g daemon off;",
  state: "S",
  memoryBytes: 0,
  cpuMs: 0,
};

type Obstacles = Extract<Query, { type: "obstacles" }>;

/** Somebody in the way until he is gone; the questions that were asked. */
class Way {
  taken = true;
  takesMs = 5;
  readonly asked: Obstacles[] = [];
  readonly #answer: Partial<Extract<QueryAnswer, { type: "obstacles" }>>;

  constructor(answer: Partial<Extract<QueryAnswer, { type: "obstacles" }>>) {
    this.#answer = answer;
  }

  readonly obstacles = (query: Obstacles): { takesMs: number; answer: QueryAnswer } => {
    this.asked.push(query);
    const found = this.taken ? this.#answer : {};
    return { takesMs: this.takesMs, answer: { type: "obstacles", ports: [], processes: [], ...found } };
  };
}

const port = () => new Way({ ports: [{ port: 80, owners: [NGINX] }] });
const process = () => new Way({ processes: [{ part: "ngin", found: [NGINX, { ...NGINX, pid: 13 }] }] });

function web(way: Way, more: Partial<GuardSpec> = { ports: [80] }): Kernel {
  return machine([service("web", { guard: guard(more) }), service("other", { autostart: false })], {
    obstacles: way.obstacles,
  });
}

describe("what is in the way of a start", () => {
  test("nothing: it starts as soon as that is known", () => {
    const way = port();
    way.taken = false;
    const kernel = web(way);
    expect([state(kernel, "web"), cause(kernel, "web")]).toEqual(["waiting", "looks for what is in its way"]);
    expect(up(kernel, "web")).toBe("pending");
    pass(kernel, 5);
    expect(state(kernel, "web")).toBe("running");
    expect(way.asked).toEqual([{ type: "obstacles", ports: [80], processes: [], own: [], kill: false }]);
    expect(kernel.isIdle()).toBe(true);
  });

  test("a listener: it waits, and says for whom", () => {
    const kernel = web(port());
    pass(kernel, 5);
    const text = "port 80 in use by external process: nginx (PID 12)";
    expect(view(kernel, "web")).toMatchObject({
      state: "waiting",
      cause: text,
      obstacle: { port: text, process: null },
    });
    expect(up(kernel, "web")).toEqual({ failed: text });
    expect(kernel.said).toContain(`web: waits: ${text}`);
  });

  test("a listener that nobody can name is none", () => {
    const kernel = web(new Way({ ports: [{ port: 80, owners: [] }] }));
    pass(kernel, 5);
    expect(state(kernel, "web")).toBe("running");
  });

  test("processes of a name", () => {
    const kernel = web(process(), { processes: ["ngin"] });
    pass(kernel, 5);
    const text = "process filter 'ngin' matched 2 running process(es): nginx (PID 12), nginx (PID 13)";
    expect(cause(kernel, "web")).toBe(text);
    const all = [12, 13].map((pid) => ({ pid, name: "nginx", command: NGINX.command }));
    expect(view(kernel, "web").obstacle).toEqual({
      port: null,
      process: { filter: "ngin", processes: all },
    });
  });

  test("the port comes before the name", () => {
    const both = { ports: [{ port: 80, owners: [NGINX] }], processes: [{ part: "ngin", found: [NGINX] }] };
    const kernel = web(new Way(both), { ports: [80], processes: ["ngin"] });
    pass(kernel, 5);
    expect(cause(kernel, "web")).toMatch(/^port 80 /);
  });

  test("what cannot be found out is none, and is told", () => {
    const kernel = machine([service("web", { guard: guard({ ports: [80] }) })], {
      obstacles: () => ({ takesMs: 1, answer: { type: "failed", message: "no thread" } }),
    });
    pass(kernel, 1);
    expect(state(kernel, "web")).toBe("running");
    expect(kernel.said).toContain("web: cannot look for what is in its way: no thread");
  });

  test("who is killed is no obstacle any more, and what is left of him is told", () => {
    const way = port();
    const kernel = web(way, { ports: [80], kill: true });
    pass(kernel, 5);
    expect(way.asked.map(({ kill }) => kill)).toEqual([true]);
    expect(state(kernel, "web")).toBe("running");
    const text = "port 80 in use by external process: nginx (PID 12)";
    expect(kernel.said).toContain(`web: could not be cleared away: ${text}`);
  });

  test("own sets are named, so that they are spared", () => {
    const way = port();
    const kernel = machine(
      [service("db"), service("web", { guard: guard({ ports: [80] }), requires: needs("db") })],
      { obstacles: way.obstacles },
    );
    pass(kernel, 5);
    expect(way.asked.map(({ own }) => own)).toEqual([[1]]);
  });

  test("before the before-start hook, and before each start", () => {
    const way = port();
    way.taken = false;
    const kernel = machine(
      [
        service("web", {
          guard: guard({ ports: [80] }),
          hooks: { "before-start": { argv: ["x"], timeoutMs: 1000 } },
          restartDelayMs: 50,
        }),
      ],
      { obstacles: way.obstacles, behaviours: { web: [{ ends: { afterMs: 10, exit: { code: 1 } } }, {}] } },
    );
    expect(began(kernel)).toEqual([]);
    pass(kernel, 200);
    expect(began(kernel)).toEqual(["web before-start", "web", "web before-start", "web"]);
    expect(way.asked).toHaveLength(2);
  });
});

test("what belongs to other services is spared, unless it counts", () => {
  const spared = (more: Partial<GuardSpec>) => {
    const way = new Way({});
    const other = service("other");
    machine([other, service("web", { requires: needs("other"), guard: guard({ ports: [80], ...more }) })], {
      obstacles: way.obstacles,
    });
    return way.asked.map(({ own }) => own.length);
  };
  expect(spared({})).toEqual([1]);
  expect(spared({ services: true })).toEqual([0]);
  expect(spared({ services: true, kill: true })).toEqual([1]);
});

describe("a port that other services have, too", () => {
  const pair = (obstacles = new Way({}).obstacles) =>
    machine(
      [
        service("a", { guard: guard({ ports: [80, 81, 82] }) }),
        service("b", { guard: guard({ ports: [82, 81] }), autostart: false }),
        service("c", { guard: guard({ ports: [80] }), autostart: false }),
      ],
      { obstacles },
    );

  test("is known without a question, and free as soon as they have stopped", () => {
    const way = new Way({});
    const kernel = pair(way.obstacles);
    pass(kernel, 5);
    ask(kernel, "start", "b");
    expect(cause(kernel, "b")).toBe("port 81, 82 in use by service a");
    expect(view(kernel, "b").obstacle).toEqual({ port: cause(kernel, "b"), process: null });
    expect(way.asked).toHaveLength(1);
    expect(kernel.isIdle()).toBe(true);
    ask(kernel, "stop", "a");
    pass(kernel, 5);
    expect(states(kernel)).toEqual({ a: "inactive", b: "running", c: "inactive" });
  });

  test("of several at once", () => {
    const kernel = pair();
    ask(kernel, "stop", "a");
    ask(kernel, "start", "b", "c");
    pass(kernel, 5);
    ask(kernel, "start", "a");
    expect(cause(kernel, "a")).toBe("port 82, 81, 80 in use by service b, c");
  });

  test("two that look at the same time do not both start", () => {
    const kernel = pair();
    ask(kernel, "start", "c");
    pass(kernel, 5);
    expect(states(kernel)).toMatchObject({ a: "running", c: "waiting" });
  });
});

describe("it is looked again", () => {
  const text = "port 80 in use by external process: nginx (PID 12)";

  test("after 1 s, 2 s, … up to 30 s", () => {
    const way = port();
    way.takesMs = 0;
    const kernel = web(way);
    pass(kernel, 200_000);
    const times = kernel.times("query").map((at) => at - 1000);
    expect(times.slice(0, 8)).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000, 61_000, 91_000]);
    way.taken = false;
    pass(kernel, 30_000);
    expect(state(kernel, "web")).toBe("running");
    expect(view(kernel, "web").obstacle).toBeNull();
    expect(kernel.isIdle()).toBe(true);
  });

  test("as soon as any service changes its state, however many do", () => {
    const way = port();
    const kernel = web(way);
    pass(kernel, 200);
    way.taken = false;
    ask(kernel, "start", "other");
    pass(kernel, 5);
    expect(state(kernel, "web")).toBe("running");
    expect(cause(kernel, "web")).toMatch(/^runs as pid/);
  });

  test("not more often than every 100 ms", () => {
    const way = port();
    way.takesMs = 0;
    const kernel = web(way);
    for (let round = 0; round < 20; round++) {
      ask(kernel, round % 2 === 0 ? "start" : "stop", "other");
      pass(kernel, 10);
    }
    expect(way.asked.length).toBeLessThanOrEqual(4);
    expect(way.asked.length).toBeGreaterThan(1);
  });

  test("when somebody asks for its start once more", () => {
    const way = port();
    const kernel = web(way);
    pass(kernel, 200);
    way.taken = false;
    expect(up(kernel, "web")).toEqual({ failed: text });
    ask(kernel, "start", "web");
    expect(up(kernel, "web")).toBe("pending");
    pass(kernel, 5);
    expect(state(kernel, "web")).toBe("running");
  });

  test("by a fresh brain, which has not heard the answer", () => {
    const way = port();
    const kernel = web(way);
    lose(kernel);
    expect(way.asked).toHaveLength(2);
    pass(kernel, 200);
    expect(cause(kernel, "web")).toBe(text);
    lose(kernel);
    way.taken = false;
    pass(kernel, 1_100);
    expect(state(kernel, "web")).toBe("running");
  });

  test("who had to stand in line for long", () => {
    const way = new Way({ ports: [{ port: 80, owners: [NGINX] }] });
    way.taken = false;
    way.takesMs = 0;
    const slow = { ready: [{ type: "file", path: "/f" } as const], startTimeoutMs: 0 };
    const kernel = machine([service("first", slow), service("web", { guard: guard({ ports: [80] }) })], {
      obstacles: way.obstacles,
      startConcurrency: 1,
      behaviours: { first: { readyAfterMs: [5_000] } },
    });
    expect(cause(kernel, "web")).toBe("waits for its turn: 1 start at a time");
    way.taken = true;
    pass(kernel, 6_000);
    expect(cause(kernel, "web")).toBe(text);
    way.taken = false;
    pass(kernel, 2_000);
    expect(state(kernel, "web")).toBe("running");
  });
});

describe("while it looks, or waits", () => {
  const cases: [string, (kernel: Kernel) => void][] = [
    ["a stop", (kernel) => ask(kernel, "stop", "web")],
    ["a pin", (kernel) => hold(kernel, "pin down", "web")],
    ["a shutdown", (kernel) => shutdown(kernel)],
    ["a removal", (kernel) => change(kernel, { remove: ["web"] })],
  ];

  test.each(cases)("%s ends it at once, and the answer that comes then means nothing", (_, end) => {
    for (const looks of [true, false]) {
      const way = port();
      way.takesMs = 50;
      const kernel = web(way);
      if (!looks) pass(kernel, 60);
      way.taken = false;
      end(kernel);
      pass(kernel, 5_000);
      expect(began(kernel)).toEqual([]);
      expect(kernel.isIdle()).toBe(true);
    }
  });

  test("a mask keeps it from starting, and its end lets it look anew", () => {
    const way = port();
    way.taken = false;
    const kernel = web(way);
    hold(kernel, "mask", "web");
    pass(kernel, 100);
    expect([state(kernel, "web"), cause(kernel, "web")]).toEqual(["waiting", "is masked"]);
    hold(kernel, "unmask", "web");
    pass(kernel, 5);
    expect([state(kernel, "web"), way.asked.length]).toEqual(["running", 2]);
  });

  test("what it requires may be lost: it waits for that, and looks when it is back", () => {
    const way = port();
    const kernel = machine(
      [
        service("db", { restartDelayMs: 500 }),
        service("web", { guard: guard({ ports: [80] }), requires: needs("db") }),
      ],
      { obstacles: way.obstacles },
    );
    pass(kernel, 10);
    kernel.crash("db");
    pass(kernel, 1);
    expect(cause(kernel, "web")).toBe("waits for db");
    expect(view(kernel, "web").obstacle).toBeNull();
    expect([...kernel.timers.keys()]).toEqual(["again db"]);
    way.taken = false;
    pass(kernel, 1_000);
    expect(state(kernel, "web")).toBe("running");
  });

  test("stopped and started anew, it believes only the newer answer", () => {
    const way = port();
    way.taken = false;
    way.takesMs = 50;
    const kernel = web(way);
    pass(kernel, 10);
    ask(kernel, "stop", "web");
    way.taken = true;
    ask(kernel, "start", "web");
    pass(kernel, 45);
    expect(state(kernel, "web")).toBe("waiting");
    pass(kernel, 10);
    expect(cause(kernel, "web")).toMatch(/^port 80/);
  });

  test("another guard is asked for at once", () => {
    const way = port();
    const kernel = web(way);
    pass(kernel, 300);
    way.taken = false;
    change(kernel, { set: [service("web", { guard: guard({ ports: [81] }) })] });
    pass(kernel, 5);
    expect(state(kernel, "web")).toBe("running");
    expect(way.asked.at(-1)?.ports).toEqual([81]);
  });

  test("another definition: what was in the way of the former one does not count", () => {
    const way = port();
    const kernel = web(way);
    pass(kernel, 10);
    change(kernel, { set: [service("web")] });
    expect(state(kernel, "web")).toBe("running");
    expect(kernel.isIdle()).toBe(true);
  });
});
