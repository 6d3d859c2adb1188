import { describe, expect, test } from "vitest";
import type { Notice } from "../../../src/generated/protocol.ts";
import type { SparseSpec } from "../../../src/model/spec.ts";
import { type Behaviour, type Kernel, NOTHING_TOLD } from "../../sim/kernel.ts";
import {
  ask,
  bound,
  cause,
  changes,
  machine,
  needs,
  pass,
  prepare,
  service,
  shutdown,
  state,
  states,
  view,
} from "./helpers.ts";

const sd = { type: "notify", way: "socket", path: null } as const;
const fd3 = { type: "notify", way: "descriptor", fd: 3 } as const;

const web = (rest: Partial<SparseSpec> = {}) => service("web", { ready: [sd], ...rest });

/** The service tells something now. */
function tell(kernel: Kernel, notice: Partial<Notice>, name = "web"): void {
  const [id] = kernel.liveSets(name);
  if (id === undefined || !kernel.tell(id, notice)) throw new Error(`${name} cannot tell anything`);
  kernel.run(kernel.now);
}

function told(...notices: [afterMs: number, notice: Partial<Notice>][]): Behaviour {
  return { notices: notices.map(([afterMs, notice]) => ({ afterMs, notice })) };
}

function events(kernel: Kernel, event: string): string[] {
  return kernel.published
    .filter((one) => one.event === event)
    .map(({ service, from, to }) => `${service} ${from} ${to}`);
}

describe("how it can tell", () => {
  test.each<[string, Partial<SparseSpec>, unknown]>([
    ["nothing", { ready: [] }, null],
    ["a log line", { ready: [{ type: "log", pattern: "x" }] }, null],
    ["sd", { ready: [sd] }, { type: "socket", path: null, watchdogMs: null }],
    [
      "sd at a path",
      { ready: [{ ...sd, path: "/run/n.sock" }] },
      { type: "socket", path: "/run/n.sock", watchdogMs: null },
    ],
    [
      "sd with a watchdog",
      { ready: [sd], watchdogMs: 3000 },
      { type: "socket", path: null, watchdogMs: 3000 },
    ],
    ["a watchdog alone", { ready: [], watchdogMs: 3000 }, { type: "socket", path: null, watchdogMs: 3000 }],
    ["a descriptor", { ready: [fd3] }, { type: "descriptor", fd: 3 }],
  ])("%s", (_, spec, expected) => {
    const kernel = machine([service("web", spec)]);
    expect(kernel.commands("spawn")[0]?.spec.notify).toEqual(expected);
  });

  test("a probe's process has no part in it", () => {
    const kernel = machine([web({ ready: [sd, { type: "exec", argv: ["check"], outside: false }] })]);
    expect(kernel.commands("probe")[0]?.probe).toMatchObject({ type: "exec", spec: { notify: null } });
  });
});

describe("ready", () => {
  test.each([
    ["READY=1", sd],
    ["a line on its descriptor", fd3],
  ])("%s", (text, condition) => {
    const kernel = machine([web({ ready: [condition] }), service("next", { requires: needs("web") })], {
      behaviours: { web: told([500, { ready: true }]) },
    });
    expect(cause(kernel, "web")).toContain(`waits for ${text === "READY=1" ? "its READY=1" : "a line on"}`);
    pass(kernel, 499);
    expect(states(kernel)).toEqual({ web: "starting", next: "waiting" });
    expect(kernel.commands("probe")).toEqual([]);
    pass(kernel, 1);
    expect(states(kernel)).toEqual({ web: "running", next: "running" });
    expect(kernel.isIdle()).toBe(true);
  });

  test("with other conditions, all have to hold", () => {
    const kernel = machine([web({ ready: [sd, { type: "file", path: "/ready" }] })], {
      behaviours: { web: { ...told([10, { ready: true }]), readyAfterMs: [0, 300] } },
    });
    pass(kernel, 200);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 300);
    expect(state(kernel, "web")).toBe("running");
  });

  test("told before the news of its start", () => {
    const kernel = prepare([web()]);
    kernel.start();
    const [id] = kernel.commands("spawn").map((spawn) => spawn.id);
    expect(id).toBe(1);
    // Two descriptors of the nucleus, read in either order.
    const notice = { ...NOTHING_TOLD, ready: true };
    kernel.give({ type: "notified", id: 1, at: kernel.now, notice });
    kernel.run(kernel.now + 10);
    expect(state(kernel, "web")).toBe("running");
  });

  test("told to a brain that was lost with it", () => {
    const kernel = machine([web()]);
    const [id = 0] = kernel.liveSets("web");
    kernel.tell(id, { ready: true, reloading: true, status: "up", mainPid: 555 });
    kernel.loseBrain();
    expect(view(kernel, "web")).toMatchObject({ state: "running", status: "up", pid: 555, reloading: true });
  });

  test("one that never tells is too late", () => {
    const kernel = machine([web({ restart: "never" })]);
    pass(kernel, 31_000);
    expect(cause(kernel, "web")).toBe("not ready within 30s");
  });

  test("READY=1 once more changes nothing", () => {
    const kernel = machine([web()], {
      behaviours: { web: told([5, { ready: true }], [50, { ready: true }]) },
    });
    pass(kernel, 100);
    expect(changes(kernel, "web")).toEqual(["inactive starting", "starting running"]);
    expect(events(kernel, "ready")).toHaveLength(1);
  });
});

describe("what it tells of itself", () => {
  const ready = () => {
    const kernel = machine([web()], { behaviours: { web: told([5, { ready: true }]) } });
    pass(kernel, 10);
    return kernel;
  };

  test("STATUS is shown, and remains as its last words until its next run", () => {
    const kernel = ready();
    expect(view(kernel, "web").status).toBeNull();
    tell(kernel, { status: "serving\x1b[31m 3" });
    expect(view(kernel, "web").status).toBe("serving [31m 3");
    tell(kernel, { status: "serving 4", watchdog: true });
    expect(view(kernel, "web").status).toBe("serving 4");
    kernel.crash("web");
    pass(kernel, 1);
    expect(view(kernel, "web")).toMatchObject({ state: "backoff", status: "serving 4" });
    pass(kernel, 200);
    expect(view(kernel, "web")).toMatchObject({ status: null });
  });

  test("STATUS alone is nothing worth a record", () => {
    const kernel = ready();
    const records = kernel.commands("slate").length;
    tell(kernel, { status: "a" });
    expect(kernel.commands("slate")).toHaveLength(records);
  });

  test("RELOADING and READY", () => {
    const kernel = ready();
    tell(kernel, { reloading: true });
    expect(view(kernel, "web")).toMatchObject({ state: "running", ready: true, reloading: true });
    tell(kernel, { status: "reading" });
    expect(view(kernel, "web").reloading).toBe(true);
    tell(kernel, { ready: true });
    expect(view(kernel, "web").reloading).toBe(false);
    expect(events(kernel, "reload")).toEqual(["web running reloading", "web reloading running"]);
  });

  test("STOPPING is a cause, ends the health checks, and it is still running", () => {
    const health = {
      probes: [{ type: "tcp", host: "h", port: 1 } as const],
      ...{ everyMs: 1000, timeoutMs: 500, failures: 1, successes: 1, initialDelayMs: 0 },
      onFailure: "restart" as const,
    };
    const kernel = machine([web({ health })], {
      behaviours: {
        web: {
          ...told([5, { ready: true }], [3000, { stopping: true }]),
          check: (ms) => ({ ok: ms < 3000 }),
        },
      },
    });
    pass(kernel, 60_000);
    expect(state(kernel, "web")).toBe("running");
    expect(cause(kernel, "web")).toBe("it stops by itself, as it told");
    expect(kernel.isIdle()).toBe(true);
  });

  test("MAINPID: another process is the main one", () => {
    const kernel = ready();
    tell(kernel, { mainPid: 777 });
    expect(view(kernel, "web").pid).toBe(777);
    expect(cause(kernel, "web")).toBe("its main process is now 777, as it told");
    kernel.loseBrain();
    expect(view(kernel, "web").pid).toBe(777);
  });

  test("ERRNO goes into the cause of its end", () => {
    const kernel = ready();
    tell(kernel, { errno: 98 });
    kernel.crash("web", { code: 1 });
    pass(kernel, 1);
    expect(cause(kernel, "web")).toMatch(/^exited with code 1 \(it told of errno 98\), starts again in/);
  });

  test("descriptors are kept over restarts, and dropped when somebody stops it", () => {
    const kernel = ready();
    tell(kernel, { storedFds: 2 });
    kernel.crash("web");
    pass(kernel, 500);
    expect(state(kernel, "web")).toBe("running");
    expect(kernel.dropped).toEqual([]);
    ask(kernel, "restart", "web");
    pass(kernel, 500);
    expect(kernel.dropped).toEqual([]);
    kernel.loseBrain();
    ask(kernel, "stop", "web");
    pass(kernel, 500);
    expect(kernel.dropped).toEqual(["web"]);
  });

  test("descriptors of one that waits for its next start are dropped too", () => {
    const kernel = machine([web({ restartDelayMs: 10_000 })], {
      behaviours: { web: told([5, { ready: true, storedFds: 1 }]) },
    });
    pass(kernel, 10);
    kernel.crash("web");
    pass(kernel, 10);
    ask(kernel, "stop", "web");
    expect(kernel.dropped).toEqual(["web"]);
  });
});

describe("EXTEND_TIMEOUT_USEC", () => {
  test("gives a start more time, as often as it asks", () => {
    const kernel = machine([web({ startTimeoutMs: 1000, restart: "never" })], {
      behaviours: {
        web: told([900, { extendMs: 2000 }], [2800, { extendMs: 2000 }], [4000, { ready: true }]),
      },
    });
    pass(kernel, 2000);
    expect(state(kernel, "web")).toBe("starting");
    expect(cause(kernel, "web")).toBe("asks for more time: 2s");
    pass(kernel, 2500);
    expect(state(kernel, "web")).toBe("running");
  });

  test("never shortens it, and its end is the end", () => {
    const kernel = machine([web({ startTimeoutMs: 3000, restart: "never" })], {
      behaviours: { web: told([100, { extendMs: 10 }], [2900, { extendMs: 500 }]) },
    });
    pass(kernel, 3350);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 100);
    expect(state(kernel, "web")).toBe("failed");
  });

  test("puts off the KILL of a stop", () => {
    const stop = { signal: "TERM", timeoutMs: 1000, evict: "stop" as const, tree: true };
    const kernel = machine([web({ stop })], {
      behaviours: { web: { ...told([5, { ready: true }]), leaves: 2500 } },
    });
    pass(kernel, 10);
    ask(kernel, "stop", "web");
    pass(kernel, 900);
    tell(kernel, { extendMs: 2000 });
    pass(kernel, 1700);
    expect(view(kernel, "web")).toMatchObject({ state: "inactive", exit: { signal: "TERM" } });
  });

  test("never beyond the end of a shutdown", () => {
    const kernel = machine([web()], {
      shutdownTimeoutMs: 3000,
      behaviours: { web: { ...told([5, { ready: true }]), leaves: "never" } },
    });
    pass(kernel, 10);
    shutdown(kernel);
    const began = kernel.now;
    pass(kernel, 1000);
    tell(kernel, { extendMs: 3_600_000 });
    expect(kernel.commands("extendStop")[0]?.timeoutMs).toBe(2000);
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(kernel.now - began).toBeLessThan(3100);
  });

  test("a fresh brain grants nothing twice", () => {
    const kernel = machine([web({ startTimeoutMs: 1000, restart: "never" })], {
      behaviours: { web: told([900, { extendMs: 1000 }]) },
    });
    pass(kernel, 1800);
    kernel.loseBrain();
    pass(kernel, 50);
    expect(state(kernel, "web")).toBe("starting");
    pass(kernel, 60);
    expect(state(kernel, "web")).toBe("failed");
  });
});

describe("the watchdog", () => {
  const watched = (rest: Partial<SparseSpec> = {}) => service("web", { watchdogMs: 1000, ...rest });
  const alive = (untilMs: number, everyMs = 400): Behaviour => ({ alive: { everyMs, untilMs } });

  test("as long as it shows signs of life, nothing happens", () => {
    const kernel = machine([watched()], { behaviours: { web: alive(1e9) } });
    const records = kernel.commands("slate").length;
    pass(kernel, 60_000);
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 0 });
    expect(kernel.commands("slate")).toHaveLength(records);
    // One timer per interval, not one per sign.
    expect(kernel.commands("arm").length).toBeLessThan(110);
  });

  test("counts from when it is ready", () => {
    const kernel = machine([watched({ ready: [sd] })], {
      behaviours: { web: told([5000, { ready: true }]) },
    });
    pass(kernel, 5990);
    expect(state(kernel, "web")).toBe("running");
    pass(kernel, 20);
    expect(changes(kernel, "web")).toContain("running stopping");
  });

  test("no sign in time: ABRT, a failed run, and started again", () => {
    const kernel = machine([watched(), service("app", { requires: bound("web") })], {
      behaviours: { web: [alive(3000), alive(1e9)] },
    });
    // The last sign came after 2.8 s.
    pass(kernel, 3790);
    expect(state(kernel, "web")).toBe("running");
    pass(kernel, 20);
    expect(kernel.signals.find((one) => one.service === "web")?.signal).toBe("ABRT");
    expect(kernel.said).toContain("web: watchdog: no WATCHDOG=1 within 1s");
    pass(kernel, 500);
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 1 });
    expect(kernel.runsOf("app")).toBe(2);
  });

  test("its stop is repeated with the same signal", () => {
    const kernel = machine([watched()], { behaviours: { web: { leaves: "never" } } });
    pass(kernel, 1100);
    shutdown(kernel);
    shutdown(kernel);
    expect(
      kernel
        .commands("stop")
        .filter(({ id }) => id === 1)
        .map(({ signal }) => signal),
    ).toEqual(["ABRT", "ABRT"]);
  });

  test("on a starved machine it is put off once", () => {
    const kernel = machine([watched({ restart: "never" })]);
    kernel.pressure = 80;
    pass(kernel, 1100);
    expect(state(kernel, "web")).toBe("running");
    expect(cause(kernel, "web")).toBe("no WATCHDOG=1 within 1s, machine starved (80 %): given 5s");
    pass(kernel, 3880);
    expect(state(kernel, "web")).toBe("running");
    pass(kernel, 50);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toBe("watchdog: no WATCHDOG=1 within 1s, nor within 5s");
    expect(kernel.commands("probe")).toHaveLength(1);
  });

  test("a sign of life after that counts as any other", () => {
    const kernel = machine([watched({ restart: "never" })], {
      behaviours: { web: told([2000, { watchdog: true }]) },
    });
    kernel.pressure = 80;
    pass(kernel, 2100);
    kernel.pressure = 0;
    pass(kernel, 880);
    expect(state(kernel, "web")).toBe("running");
    pass(kernel, 50);
    expect(cause(kernel, "web")).toBe("watchdog: no WATCHDOG=1 within 1s");
  });

  test("WATCHDOG_USEC: another interval, also where none was configured", () => {
    const kernel = machine([web({ restart: "never" })], {
      behaviours: { web: told([5, { ready: true }], [10, { watchdogMs: 500 }]) },
    });
    pass(kernel, 505);
    expect(state(kernel, "web")).toBe("running");
    pass(kernel, 20);
    expect(cause(kernel, "web")).toBe("watchdog: no WATCHDOG=1 within 500ms");
    const off = machine([watched()], { behaviours: { web: told([10, { watchdogMs: 0 }]) } });
    pass(off, 60_000);
    expect(state(off, "web")).toBe("running");
    expect(off.isIdle()).toBe(true);
  });

  test("WATCHDOG=trigger: at once", () => {
    const kernel = machine([watched({ restart: "never" })], {
      behaviours: { web: told([100, { watchdogTrigger: true }]) },
    });
    pass(kernel, 110);
    expect(kernel.signals[0]?.signal).toBe("ABRT");
    expect(cause(kernel, "web")).toBe("it told that it has failed (WATCHDOG=trigger)");
  });

  test("EXTEND_TIMEOUT_USEC counts for it too, whatever signs come meanwhile", () => {
    const kernel = machine([watched({ restart: "never" })], {
      behaviours: { web: told([100, { extendMs: 5000 }], [200, { watchdog: true }]) },
    });
    pass(kernel, 5090);
    expect(state(kernel, "web")).toBe("running");
    pass(kernel, 50);
    expect(state(kernel, "web")).toBe("failed");
  });

  test("not while it stops", () => {
    const kernel = machine([watched()], { behaviours: { web: { leaves: 9000 } } });
    ask(kernel, "stop", "web");
    pass(kernel, 8000);
    expect(kernel.commands("stop")).toHaveLength(1);
    expect(kernel.isIdle()).toBe(true);
  });

  test("a fresh brain knows of signs that its predecessor did not hear of", () => {
    const kernel = machine([watched()], { behaviours: { web: alive(1e9, 900) } });
    for (let count = 0; count < 40; count++) {
      pass(kernel, 333);
      kernel.loseBrain();
    }
    expect(view(kernel, "web")).toMatchObject({ state: "running", restarts: 0 });
  });

  test("a fresh brain keeps the deadline", () => {
    const kernel = machine([watched({ restart: "never" })]);
    pass(kernel, 800);
    kernel.loseBrain();
    pass(kernel, 210);
    expect(state(kernel, "web")).toBe("failed");
  });
});
