import { describe, expect, test } from "vitest";
import { proxies, why } from "../../../src/engine/index.ts";
import type { ProxySpec } from "../../../src/model/spec.ts";
import type { Kernel } from "../../sim/kernel.ts";
import {
  ask,
  cause,
  hold,
  lose,
  machine,
  needs,
  pass,
  service,
  shutdown,
  spawned,
  state,
} from "./helpers.ts";

function proxy(name: string, more: Partial<ProxySpec> = {}): ProxySpec {
  return {
    name,
    service: "db",
    proxy: {
      listen: [{ type: "unix", path: `/run/${name}` }],
      backend: { type: "tcp", host: "127.0.0.1", port: 5432 },
      connectTimeoutMs: 30_000,
      idleMs: 300_000,
      single: false,
      up: false,
    },
    ...more,
  };
}

const db = service("db", { autostart: false });

function withProxies(names: readonly string[] = ["p"], options: Parameters<typeof machine>[1] = {}): Kernel {
  const kernel = machine([db, service("other")], options);
  set(kernel, ...names.map((name) => proxy(name)));
  return kernel;
}

function set(kernel: Kernel, ...specs: ProxySpec[]): void {
  kernel.ask({ type: "proxy", set: specs, remove: [], because: "asked by uid 0" });
  kernel.run(kernel.now);
}

function remove(kernel: Kernel, ...names: string[]): void {
  kernel.ask({ type: "proxy", set: [], remove: names, because: "asked by uid 0" });
  kernel.run(kernel.now);
}

function connect(kernel: Kernel, name = "p"): void {
  const event = kernel.proxies.connect(name, kernel.now);
  if (event?.type === "proxyWanted") kernel.give(event);
  kernel.run(kernel.now);
}

function idle(kernel: Kernel, name = "p"): void {
  const event = kernel.proxies.idle(name, kernel.now);
  if (event.type === "proxyIdle") kernel.give(event);
  kernel.run(kernel.now);
}

function ups(kernel: Kernel): (readonly [string, boolean])[] {
  return kernel.commands("proxyUp").map(({ name, up }) => [name, up] as const);
}

describe("a proxy", () => {
  test("starts its service for the first client", () => {
    const kernel = withProxies(["p"], { behaviours: { db: { spawnMs: 5 } } });
    expect(state(kernel, "db")).toBe("inactive");
    connect(kernel);
    expect(state(kernel, "db")).toBe("starting");
    expect(kernel.proxies.isUp("p")).toBe(false);
    pass(kernel, 100);
    expect(state(kernel, "db")).toBe("running");
    expect(JSON.stringify(why(kernel.world, "db", kernel.clock)?.chain)).toContain("client of proxy p");
    expect(kernel.proxies.isUp("p")).toBe(true);
  });

  test("knows of a service that is up already, and what becomes of it", () => {
    const kernel = machine([db]);
    ask(kernel, "start", "db");
    set(kernel, proxy("p"));
    expect(kernel.commands("openProxy")[0]?.proxy.up).toBe(true);
    ask(kernel, "stop", "db");
    expect(ups(kernel)).toEqual([["p", false]]);
  });

  test("waits for readiness", () => {
    const slow = service("db", { autostart: false, ready: [{ type: "file", path: "/ready" }] });
    const kernel = machine([slow], { behaviours: { db: { readyAfterMs: [700] } } });
    set(kernel, proxy("p"));
    connect(kernel);
    pass(kernel, 600);
    expect(kernel.proxies.isUp("p")).toBe(false);
    pass(kernel, 1000);
    expect(kernel.proxies.isUp("p")).toBe(true);
  });

  test("stops its service when it is idle, and whoever comes then starts it again", () => {
    const kernel = withProxies(["p"], { behaviours: { db: { leaves: 500, stopExit: { code: 0 } } } });
    connect(kernel);
    pass(kernel, 100);
    idle(kernel);
    expect(state(kernel, "db")).toBe("stopping");
    expect(cause(kernel, "db")).toContain("without a client of proxy p");
    connect(kernel);
    expect(state(kernel, "db")).toBe("stopping");
    pass(kernel, 1000);
    expect(state(kernel, "db")).toBe("running");
    expect(kernel.proxies.isUp("p")).toBe(true);
    expect(spawned(kernel).filter((name) => name === "db")).toHaveLength(2);
  });

  test("does not stop what a person has pinned up, and lets clients through again", () => {
    const kernel = withProxies(["p", "q"]);
    connect(kernel);
    pass(kernel, 100);
    hold(kernel, "pin up", "db");
    idle(kernel);
    expect(state(kernel, "db")).toBe("running");
    expect(["p", "q"].map((name) => kernel.proxies.isUp(name))).toEqual([true, true]);
  });

  test("tells all proxies of a service", () => {
    const kernel = withProxies(["p", "q"]);
    connect(kernel, "q");
    pass(kernel, 100);
    expect(["p", "q"].map((name) => kernel.proxies.isUp(name))).toEqual([true, true]);
    idle(kernel);
    expect(["p", "q"].map((name) => kernel.proxies.isUp(name))).toEqual([false, false]);
  });

  test("turns clients away whose service is not there", () => {
    const kernel = withProxies();
    set(kernel, proxy("lost", { service: "nobody" }));
    connect(kernel, "lost");
    expect(kernel.proxies.refused).toEqual(["lost"]);
    expect(kernel.said.join()).toContain("no service nobody");
    kernel.ask({
      type: "change",
      set: [service("nobody", { autostart: false })],
      remove: [],
      restart: false,
      because: "asked by uid 0",
    });
    kernel.run(kernel.now);
    connect(kernel, "lost");
    pass(kernel, 100);
    expect(kernel.proxies.isUp("lost")).toBe(true);
  });

  test("leaves a restart to its own time, and tries again what has failed for good", () => {
    const spec = service("db", { autostart: false, restart: "on-failure", restartDelayMs: 10_000 });
    const crash = { ends: { afterMs: 10, exit: { code: 1 } } } as const;
    const kernel = machine([spec], { behaviours: { db: [crash, {}] } });
    set(kernel, proxy("p"));
    connect(kernel);
    pass(kernel, 100);
    expect(state(kernel, "db")).toBe("backoff");
    connect(kernel);
    expect(state(kernel, "db")).toBe("backoff");
    pass(kernel, 30_000);
    expect(state(kernel, "db")).toBe("running");

    const failing = machine([service("db", { autostart: false, restart: "never" })], {
      behaviours: { db: [crash, {}] },
    });
    set(failing, proxy("p"));
    connect(failing);
    pass(failing, 100);
    expect(state(failing, "db")).toBe("failed");
    connect(failing);
    pass(failing, 100);
    expect(state(failing, "db")).toBe("running");
  });

  test("is replaced and closed; its service goes on", () => {
    const kernel = withProxies(["p", "q"]);
    connect(kernel);
    pass(kernel, 100);
    set(kernel, proxy("p", { service: "other" }));
    expect(proxies(kernel.world).map(({ name, service }) => [name, service])).toEqual([
      ["p", "other"],
      ["q", "db"],
    ]);
    remove(kernel, "p", "unknown");
    expect(kernel.proxies.names()).toEqual(["q"]);
    expect(state(kernel, "db")).toBe("running");
    expect(kernel.config.proxies?.map(({ name }) => name)).toEqual(["q"]);
  });

  test("closes at a shutdown", () => {
    const kernel = withProxies();
    shutdown(kernel);
    expect(kernel.proxies.names()).toEqual([]);
    pass(kernel, 60_000);
    expect(kernel.exitCode).toBe(0);
  });

  test("says what it cannot listen on", () => {
    const kernel = withProxies();
    kernel.give({ type: "proxyFailed", name: "p", at: kernel.now, failures: ["tcp:0.0.0.0:80: taken"] });
    expect(kernel.said).toContain("proxy p cannot listen on tcp:0.0.0.0:80: taken");
  });
});

describe("a lost brain", () => {
  test("is told again who waits", () => {
    const kernel = withProxies();
    kernel.proxies.connect("p", kernel.now);
    lose(kernel);
    pass(kernel, 100);
    expect(state(kernel, "db")).toBe("running");
    expect(kernel.proxies.isUp("p")).toBe(true);
  });

  test("is told again who is idle", () => {
    const kernel = withProxies();
    connect(kernel);
    pass(kernel, 100);
    kernel.proxies.idle("p", kernel.now);
    lose(kernel);
    pass(kernel, 100);
    expect(state(kernel, "db")).toBe("inactive");
  });

  test("leaves the same as none, whenever it is lost", () => {
    for (let lost = 0; lost < 12; lost++) {
      const kernel = machine([db, service("web", { autostart: false, requires: needs("db") })], {
        loses: (batch) => batch === lost,
      });
      set(kernel, proxy("p"));
      connect(kernel);
      pass(kernel, 100);
      expect([lost, state(kernel, "db"), kernel.proxies.isUp("p")]).toEqual([lost, "running", true]);
      idle(kernel);
      pass(kernel, 20_000);
      expect([lost, state(kernel, "db"), kernel.proxies.isUp("p")]).toEqual([lost, "inactive", false]);
    }
  });
});
