import { describe, expect, test } from "vitest";
import { health, phase, step } from "../../../src/engine/index.ts";
import {
  ask,
  lose,
  machine,
  needs,
  pass,
  prepare,
  service,
  shutdown,
  signal,
  spawned,
  state,
  states,
  stopped,
  up,
} from "./helpers.ts";

const trio = [service("db"), service("web", { requires: needs("db") }), service("side")];
const slow = { behaviours: { db: { leaves: 100 }, web: { leaves: 100 }, side: { leaves: 100 } } };

describe("shutdown", () => {
  test("asked for: in order, then the rest, then exit 0", () => {
    const kernel = machine(trio, slow);
    expect(phase(kernel.world)).toBe("running");
    shutdown(kernel);
    expect(phase(kernel.world)).toBe("stopping");
    expect(states(kernel)).toEqual({ db: "running", web: "stopping", side: "stopping" });
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(phase(kernel.world)).toBe("exiting");
    expect(stopped(kernel)).toEqual(["web", "side", "db"]);
    const types = kernel.log.map(({ command }) => command.type);
    expect(types.lastIndexOf("stop")).toBeLessThan(types.indexOf("stopRest"));
    expect(types.at(-1)).toBe("exit");
  });

  test.each(["TERM", "INT", "QUIT"])("by %s", (name) => {
    const kernel = machine(trio);
    signal(kernel, name);
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(kernel.said[0]).toBe(`shutting down: signal ${name} from process 7`);
  });

  test("HUP and other signals are none", () => {
    const kernel = machine(trio);
    for (const name of ["HUP", "USR1", "WINCH", "CHLD", "PIPE", "RTMIN+1"]) signal(kernel, name);
    pass(kernel, 1000);
    expect(phase(kernel.world)).toBe("running");
    expect(kernel.said).toEqual(["got HUP: reading the configuration again is not supported yet"]);
  });

  test("TERM before anything is up", () => {
    const kernel = prepare(trio, { behaviours: { db: { spawnMs: 50, leaves: 10 } } });
    kernel.start();
    kernel.signal("TERM");
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(spawned(kernel)).toEqual(["db", "side"]);
    expect(stopped(kernel).sort()).toEqual(["db", "side"]);
  });

  test("without a service leaves at once", () => {
    const kernel = machine([]);
    signal(kernel, "TERM");
    kernel.run();
    expect(kernel.exitCode).toBe(0);
  });

  test("cancels backoff and waiting, starts nothing any more", () => {
    const kernel = machine(
      [
        service("db", { restartDelayMs: 5000 }),
        service("web", { requires: needs("db") }),
        service("cold", { autostart: false }),
      ],
      {
        behaviours: { web: { leaves: 100 } },
      },
    );
    kernel.crash("db");
    kernel.crash("web");
    pass(kernel, 200);
    expect(states(kernel)).toEqual({ db: "backoff", web: "waiting", cold: "inactive" });
    kernel.ask({ type: "shutdown", because: "asked by uid 0" });
    kernel.ask({ type: "start", names: ["cold", "web"], because: "asked by uid 0" });
    const starts = spawned(kernel).length;
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(spawned(kernel)).toHaveLength(starts);
  });

  test("after its end decides nothing any more", () => {
    const kernel = machine([service("web")]);
    shutdown(kernel);
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    const { world, clock } = kernel;
    expect(step(world, { type: "start", names: ["web"], because: "asked by uid 0" }, clock)).toEqual([]);
    expect(step(world, { type: "signal", signal: "TERM", sender: 1, at: clock.now }, clock)).toEqual([]);
  });

  test("refuses a start", () => {
    const kernel = machine(trio, slow);
    shutdown(kernel);
    ask(kernel, "start", "web");
    expect(up(kernel, "web")).toEqual({ failed: "the supervisor is shutting down" });
    expect(health(kernel.world)).toEqual({ ok: false, reasons: ["the supervisor is shutting down"] });
    kernel.run();
    expect(kernel.exitCode).toBe(0);
  });
});

describe("patience", () => {
  const stubborn = { behaviours: { db: { leaves: "never" as const }, web: { leaves: "never" as const } } };
  const long = { stop: { signal: "TERM", timeoutMs: 3_600_000, evict: "stop" as const, tree: true } };
  const services = [service("db", long), service("web", { ...long, requires: needs("db") })];

  test("ends at shutdown-timeout: KILL at once, in no order, and still 0", () => {
    const kernel = machine(services, { ...stubborn, shutdownTimeoutMs: 5000 });
    shutdown(kernel);
    pass(kernel, 4999);
    expect(stopped(kernel)).toEqual(["web"]);
    expect(kernel.commands("stop")[0]?.timeoutMs).toBe(5000);
    pass(kernel, 1);
    expect(kernel.exitCode).toBe(0);
    expect(
      kernel
        .commands("stop")
        .slice(1)
        .map(({ timeoutMs }) => timeoutMs),
    ).toEqual([0, 0]);
    expect(kernel.commands("stopRest").map(({ timeoutMs }) => timeoutMs)).toEqual([0]);
  });

  test("a stop at work never outlives the shutdown", () => {
    const kernel = machine(services, { ...stubborn, shutdownTimeoutMs: 5000 });
    ask(kernel, "stop", "db");
    expect(kernel.commands("stop")[0]?.timeoutMs).toBe(3_600_000);
    shutdown(kernel);
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(kernel.now).toBe(6000);
  });

  test.each([
    ["TERM", "TERM"],
    ["INT", "INT"],
    ["TERM", "INT"],
  ])("ends with a second request: %s, then %s", (first, second) => {
    const kernel = machine(services, stubborn);
    signal(kernel, first);
    pass(kernel, 1000);
    expect(kernel.exitCode).toBeNull();
    signal(kernel, second);
    pass(kernel, 0);
    expect(kernel.exitCode).toBe(0);
    expect(kernel.now).toBe(2000);
  });

  test("ends with a second request over the socket", () => {
    const kernel = machine(services, stubborn);
    shutdown(kernel);
    shutdown(kernel);
    pass(kernel, 0);
    expect(kernel.exitCode).toBe(0);
  });

  test("is not ended by the first request after a service began the shutdown", () => {
    const kernel = machine([service("app", { main: true, restart: "never" }), service("side", long)], {
      behaviours: { app: { ends: { afterMs: 10, exit: { code: 3 } } }, side: { leaves: 500 } },
    });
    pass(kernel, 20);
    expect(phase(kernel.world)).toBe("stopping");
    signal(kernel, "TERM");
    expect(kernel.exitCode).toBeNull();
    pass(kernel, 600);
    expect(kernel.exitCode).toBe(3);
  });

  test("with what is on its way up: stopped as soon as it is there", () => {
    const kernel = machine([service("web", long)], { behaviours: { web: { spawnMs: 50, leaves: "never" } } });
    shutdown(kernel);
    shutdown(kernel);
    pass(kernel, 60);
    expect(kernel.exitCode).toBe(0);
    expect(kernel.commands("stop").map(({ timeoutMs }) => timeoutMs)).toEqual([0]);
  });

  test("for what belongs to nobody: 10 s, or what is left", () => {
    const kernel = machine([service("web")], { strays: 2, behaviours: { web: { leaves: 1000 } } });
    shutdown(kernel);
    kernel.run();
    expect(kernel.commands("stopRest")).toMatchObject([{ signal: "TERM", timeoutMs: 10_000 }]);
    const short = machine([service("web")], {
      strays: 2,
      shutdownTimeoutMs: 4000,
      behaviours: { web: { leaves: 1000 } },
    });
    shutdown(short);
    short.run();
    expect(short.commands("stopRest")[0]).toMatchObject({ timeoutMs: 3000 });
  });

  test("for what belongs to nobody ends with a second request, too", () => {
    const kernel = machine([], { strays: 1 });
    signal(kernel, "TERM");
    pass(kernel, 100);
    signal(kernel, "TERM");
    pass(kernel, 0);
    expect(kernel.exitCode).toBe(0);
    expect(kernel.now).toBe(1100);
  });

  test("in vain: exit 1 if something could not be ended", () => {
    const kernel = machine([service("web")], { behaviours: { web: { leaves: "never", immortal: true } } });
    signal(kernel, "TERM");
    kernel.run();
    expect(kernel.exitCode).toBe(1);
    expect(kernel.said).toContain("web: could not be ended: pid 100 (web) is still there");
  });
});

test("what was received goes to the console, a line per process", () => {
  const kernel = machine([service("web")], { behaviours: { web: { leaves: 12, stopExit: { code: 0 } } } });
  signal(kernel, "INT", 0);
  kernel.run();
  expect(kernel.said).toEqual([
    "shutting down: signal INT",
    "web: pid 100 (web) got no signal, left after 12 ms, exited with code 0",
  ]);
  expect(state(kernel, "web")).toBe("inactive");
});

describe("the machine", () => {
  const web = service("web");

  test.each(["poweroff", "reboot"] as const)("is told of at the end: %s", (what) => {
    const kernel = machine([web]);
    kernel.ask({ type: "shutdown", because: "asked by uid 0", machine: what });
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(kernel.machine).toBe(what);
  });

  test("is left alone otherwise", () => {
    const kernel = machine([web]);
    shutdown(kernel);
    kernel.run();
    expect(kernel.log.at(-1)?.command).toEqual({ type: "exit", code: 0 });
  });

  test("is not forgotten with a brain", () => {
    const kernel = machine([web], { behaviours: { web: { leaves: 100 } } });
    kernel.ask({ type: "shutdown", because: "asked by uid 0", machine: "reboot" });
    pass(kernel, 1);
    lose(kernel);
    kernel.run();
    expect(kernel.machine).toBe("reboot");
  });

  test("can be asked for while the shutdown is at work", () => {
    const kernel = machine([web], { behaviours: { web: { leaves: 100 } } });
    shutdown(kernel);
    kernel.ask({ type: "shutdown", because: "asked by uid 0", machine: "poweroff" });
    kernel.run();
    expect(kernel.machine).toBe("poweroff");
  });
});

describe("signals that are configured", () => {
  const signals = {
    TERM: "poweroff",
    INT: "reboot",
    USR1: "renew",
    QUIT: "ignore",
    USR2: "shutdown",
  } as const;

  test.each([
    ["TERM", "poweroff"],
    ["INT", "reboot"],
    ["USR2", null],
  ] as const)("%s ends it", (name, what) => {
    const kernel = machine([service("web")], { signals });
    signal(kernel, name);
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(kernel.machine).toBe(what);
  });

  test("are ignored, or make the supervisor take its own place, if that is said", () => {
    const kernel = machine([service("web")], { signals });
    signal(kernel, "QUIT");
    signal(kernel, "USR1");
    expect(phase(kernel.world)).toBe("running");
    expect(kernel.said).toEqual(["got QUIT: ignored"]);
    expect(kernel.renewals).toBe(1);
  });

  test("have their usual meaning where nothing is said", () => {
    const kernel = machine([service("web")], { signals: { USR1: "reboot" } });
    signal(kernel, "TERM");
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(kernel.machine).toBeNull();
  });
});
