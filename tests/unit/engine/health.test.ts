import { describe, expect, test } from "vitest";
import { health } from "../../../src/engine/index.ts";
import type { Probe } from "../../../src/generated/protocol.ts";
import type { HealthSpec, ProbeCondition, SparseSpec } from "../../../src/model/spec.ts";
import type { Kernel } from "../../sim/kernel.ts";
import { ask, bound, cause, changes, machine, pass, service, shutdown, state, view } from "./helpers.ts";

const tcp: ProbeCondition = { type: "tcp", host: "127.0.0.1", port: 80 };
const exec: ProbeCondition = { type: "exec", argv: ["check", "-q"], outside: false };

function checks(spec: Partial<HealthSpec> = {}): HealthSpec {
  return {
    probes: [tcp],
    everyMs: 10_000,
    timeoutMs: 2_000,
    failures: 3,
    successes: 1,
    initialDelayMs: 0,
    onFailure: "restart",
    ...spec,
  };
}

const web = (spec: Partial<HealthSpec> = {}, rest: Partial<SparseSpec> = {}) =>
  service("web", { health: checks(spec), ...rest });

const bad = () => ({ ok: false });
const slow = (takesMs: number) => () => ({ ok: true, takesMs });

/** When each check of a service began. */
function began(kernel: Kernel, name = "web"): number[] {
  const own = new Set(
    kernel.commands("spawn").flatMap(({ id, spec }) => (spec.service === name ? [id] : [])),
  );
  return kernel.times("probe", (command) => {
    const [what, id, index] = command.type === "probe" ? command.key.split(" ") : [];
    return what === "health" && index === "0" && own.has(Number(id));
  });
}

function healthEvents(kernel: Kernel): string[] {
  return kernel.published
    .filter(({ event }) => event === "health")
    .map(({ service, from, to }) => `${service} ${from} ${to}`);
}

function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => Math.round((time - (times[index] ?? 0)) * 1000) / 1000);
}

describe("when it is checked", () => {
  test("from when it is ready on, first at a random part of the interval, then in its phase", () => {
    const kernel = machine([web({}, { ready: [{ type: "delay", ms: 5000 }] })], {
      behaviours: { web: { check: slow(300) } },
    });
    const start = kernel.now;
    pass(kernel, 60_000);
    const times = began(kernel);
    expect(times[0]).toBeGreaterThanOrEqual(start + 5000);
    expect(times[0]).toBeLessThan(start + 15_000);
    expect(new Set(gaps(times))).toEqual(new Set([10_000]));
  });

  test("not before its initial delay", () => {
    const kernel = machine([web({ initialDelayMs: 120_000 })]);
    const start = kernel.now;
    pass(kernel, 200_000);
    expect(began(kernel)[0]).toBeGreaterThanOrEqual(start + 120_000);
    expect(began(kernel)[0]).toBeLessThan(start + 130_000);
  });

  test("services that became ready together are not checked together", () => {
    const names = Array.from({ length: 40 }, (_, index) => `s${index}`);
    const kernel = machine(names.map((name) => service(name, { health: checks() })));
    pass(kernel, 10_000);
    const first = names.map((name) => began(kernel, name)[0] ?? 0);
    const quarters = first.map((at) => Math.floor((at - 1000) / 2500));
    for (const quarter of [0, 1, 2, 3]) {
      expect(quarters.filter((one) => one === quarter).length).toBeGreaterThan(3);
    }
  });

  test("two checks are never at work at once, and a long one costs no phase", () => {
    // The simulated machine refuses a probe that is at work already.
    const kernel = machine([web({ everyMs: 1000, timeoutMs: 1000 })], {
      behaviours: { web: { check: (since) => ({ ok: true, takesMs: since < 5000 ? 999 : 10 }) } },
    });
    pass(kernel, 20_000);
    expect(new Set(gaps(began(kernel)))).toEqual(new Set([1000]));
    kernel.pressure = 90;
    const starved = machine([web({ everyMs: 1000, timeoutMs: 1000 })], {
      behaviours: { web: { check: slow(2500) } },
    });
    starved.pressure = 90;
    pass(starved, 20_000);
    // Each check begins in phase, and both its tries are over before the next one.
    expect(new Set(gaps(began(starved)))).toEqual(new Set([1000, 3000]));
    expect(view(starved, "web").healthy).toBe(true);
  });

  test("not while it stops, and not afterwards", () => {
    const kernel = machine([web({ everyMs: 1000, timeoutMs: 1000 })], {
      behaviours: { web: { leaves: 5000, check: slow(900) } },
    });
    pass(kernel, 3500);
    ask(kernel, "stop", "web");
    const count = began(kernel).length;
    expect(kernel.isIdle()).toBe(true);
    pass(kernel, 60_000);
    expect(began(kernel)).toHaveLength(count);
    expect(state(kernel, "web")).toBe("inactive");
  });

  test("not while it only waits for its turn to stop", () => {
    const kernel = machine(
      [web({ everyMs: 1000, timeoutMs: 1000 }), service("app", { requires: bound("web") })],
      { behaviours: { app: { leaves: 9000 } } },
    );
    pass(kernel, 2500);
    ask(kernel, "stop", "web");
    expect(state(kernel, "web")).toBe("running");
    const count = began(kernel).length;
    pass(kernel, 8000);
    expect(began(kernel)).toHaveLength(count);
    pass(kernel, 2000);
    expect(state(kernel, "web")).toBe("inactive");
  });

  test("not in single-command mode's way: nothing without a configuration of it", () => {
    const kernel = machine([service("web")]);
    pass(kernel, 100_000);
    expect(kernel.commands("probe")).toEqual([]);
    expect(view(kernel, "web")).toMatchObject({ healthy: null, health: null });
  });
});

describe("what is asked", () => {
  test("every kind of probe, each with the check's time", () => {
    const http: ProbeCondition = {
      type: "http",
      tls: true,
      host: "localhost",
      port: 8443,
      path: "/health?full",
      status: [[200, 299]],
      body: "ok",
      method: "GET",
      redirects: 0,
      headers: { A: "b" },
      caFile: "/ca.pem",
      insecure: false,
    };
    const probes: ProbeCondition[] = [tcp, http, exec, { type: "file", path: "/alive" }];
    const kernel = machine([web({ probes, timeoutMs: 1500 })]);
    pass(kernel, 10_000);
    const sent = kernel.commands("probe");
    expect(sent.map(({ timeoutMs }) => timeoutMs)).toEqual([1500, 1500, 1500, 1500]);
    const expected: unknown[] = [
      { type: "tcp", host: "127.0.0.1", port: 80, set: 1 },
      { ...http, set: 1, status: [[200, 299]] },
      { type: "exec", spec: expect.objectContaining({ argv: ["check", "-q"], role: "probe" }) },
      { type: "file", path: "/alive" },
    ] satisfies Partial<Probe>[];
    expect(sent.map(({ probe }) => probe)).toEqual(expected);
  });
});

describe("healthy", () => {
  test("unknown, until enough checks in a row were good", () => {
    const kernel = machine([web({ successes: 3 })]);
    pass(kernel, 20_000);
    expect(view(kernel, "web")).toMatchObject({ healthy: null, health: { successes_in_row: 2 } });
    pass(kernel, 10_000);
    expect(view(kernel, "web").healthy).toBe(true);
    expect(healthEvents(kernel)).toEqual(["web unknown healthy"]);
    pass(kernel, 100_000);
    expect(healthEvents(kernel)).toHaveLength(1);
    expect(cause(kernel, "web")).toBe("runs as pid 100");
  });

  test("one failed check begins the row anew", () => {
    let count = 0;
    const kernel = machine([web({ failures: 2 })], {
      behaviours: { web: { check: () => ({ ok: ++count % 2 === 0 }) } },
    });
    pass(kernel, 200_000);
    expect(changes(kernel, "web")).not.toContain("running stopping");
    expect(view(kernel, "web").healthy).toBe(true);
  });

  test("all probes have to hold in a check, and the reason names the one that does not", () => {
    const kernel = machine([web({ probes: [tcp, exec], onFailure: "mark", failures: 1 })], {
      behaviours: { web: { check: (_, index) => ({ ok: index === 0 }) } },
    });
    pass(kernel, 10_000);
    expect(view(kernel, "web")).toMatchObject({ healthy: false });
    expect(cause(kernel, "web")).toBe("unhealthy: a check failed: check: refused");
  });

  test("the last ten checks are kept with what they found", () => {
    let count = 0;
    const kernel = machine([web({ onFailure: "mark" })], {
      behaviours: { web: { check: () => ({ ok: ++count < 14, takesMs: 7 }) } },
    });
    pass(kernel, 150_000);
    const { last } = view(kernel, "web").health ?? {};
    expect(last?.map(({ ok }) => ok)).toEqual([...Array(8).fill(true), false, false]);
    expect(last?.at(-1)).toMatchObject({ took_ms: 7, reason: "tcp 127.0.0.1:80: refused" });
    expect(last?.at(-1)?.time).toMatch(/Z$/);
  });
});

describe("unhealthy", () => {
  test("restart: stopped once, judged as a failed run, and started again", () => {
    const kernel = machine([web()], {
      behaviours: { web: [{ check: bad, leaves: 50, stopExit: { code: 0 } }, {}] },
    });
    pass(kernel, 31_000);
    expect(changes(kernel, "web")).toEqual([
      "inactive starting",
      "starting running",
      "running stopping",
      "stopping backoff",
      "backoff starting",
      "starting running",
    ]);
    expect(kernel.commands("stop")).toHaveLength(1);
    expect(kernel.signals[0]?.signal).toBe("TERM");
    const text = "unhealthy: 3 checks in a row failed, last: tcp 127.0.0.1:80: refused";
    expect(kernel.said).toContain(`web: ${text}`);
    const backoff = kernel.published.find(({ to }) => to === "backoff");
    expect(backoff?.cause).toMatch(new RegExp(`^${text}, starts again in`));
    pass(kernel, 20_000);
    expect(view(kernel, "web")).toMatchObject({ restarts: 1, healthy: true });
    expect(healthEvents(kernel)).toEqual([
      "web unknown unhealthy",
      "web unhealthy unknown",
      "web unknown healthy",
    ]);
  });

  test("restart: the rules of restart count", () => {
    const once = machine([web({}, { restart: "never" })], { behaviours: { web: { check: bad } } });
    pass(once, 60_000);
    expect(state(once, "web")).toBe("failed");
    expect(once.runsOf("web")).toBe(1);
    const limited = machine([web({}, { restartLimit: 2, restartWindowMs: 3_600_000 })], {
      behaviours: { web: { check: bad } },
    });
    pass(limited, 600_000);
    expect(limited.runsOf("web")).toBe(3);
    expect(cause(limited, "web")).toMatch(/^more than 2 restarts within 1h, last: unhealthy: 3 checks/);
  });

  test("stop: it has failed for good, and its on-failure follows", () => {
    const kernel = machine([web({ onFailure: "stop" }, { onFailure: "shutdown" })], {
      behaviours: { web: { check: bad } },
    });
    pass(kernel, 60_000);
    expect(kernel.runsOf("web")).toBe(1);
    expect(kernel.exitCode).toBe(1);
    expect(changes(kernel, "web")).toContain("stopping failed");
  });

  test("mark: what is found while it waits for its turn to leave is not why it leaves", () => {
    const app = service("app", {
      requires: [{ name: "web", bind: false, start: true }],
      stop: { signal: "TERM", timeoutMs: 60_000, evict: "stop" as const, tree: true },
    });
    const kernel = machine([web({ onFailure: "mark", failures: 1 }), app], {
      behaviours: { web: { check: () => ({ ok: false, takesMs: 1_500 }) }, app: { leaves: 40_000 } },
    });
    while (kernel.probes.size === 0) pass(kernel, 1_000);
    ask(kernel, "stop", "web"); // The answer to a check is still to come.
    pass(kernel, 50_000);
    expect(healthEvents(kernel)[0]).toBe("web unknown unhealthy");
    const stop = kernel.published.find(({ service, to }) => service === "web" && to === "stopping");
    expect(stop?.cause).toBe("stop asked by uid 0");
    expect(cause(kernel, "web")).toBe("stop asked by uid 0");
  });

  test("mark: it runs on, is shown, and may become healthy again", () => {
    const kernel = machine([web({ onFailure: "mark", successes: 2 })], {
      behaviours: { web: { check: (since) => ({ ok: since > 100_000 }) } },
    });
    pass(kernel, 31_000);
    expect(state(kernel, "web")).toBe("running");
    expect(view(kernel, "web")).toMatchObject({ healthy: false, pid: 100 });
    expect(health(kernel.world)).toEqual({
      ok: false,
      reasons: ["web unhealthy: 3 checks in a row failed, last: tcp 127.0.0.1:80: refused"],
    });
    pass(kernel, 100_000);
    expect(view(kernel, "web").healthy).toBe(true);
    expect(health(kernel.world).ok).toBe(true);
    expect(healthEvents(kernel)).toEqual(["web unknown unhealthy", "web unhealthy healthy"]);
    expect(kernel.said).toContain("web: healthy again");
    expect(kernel.runsOf("web")).toBe(1);
  });

  test("what is bound to it goes along, as with a crash; others stay up", () => {
    const kernel = machine(
      [
        web(),
        service("app", { requires: bound("web") }),
        service("log", { requires: [{ name: "web", bind: false, start: true }] }),
      ],
      { behaviours: { web: [{ check: bad }, {}] } },
    );
    pass(kernel, 31_000);
    expect(kernel.runsOf("app")).toBe(2);
    expect(kernel.runsOf("log")).toBe(1);
    const stop = kernel.published.find(({ service, to }) => service === "app" && to === "stopping");
    expect(stop?.cause).toMatch(/^bound to web, which is stopped: unhealthy: 3 checks/);
  });

  test("a stop asked for meanwhile wins", () => {
    const kernel = machine([web({ failures: 1 })], { behaviours: { web: { check: bad, leaves: 1000 } } });
    while (state(kernel, "web") === "running") pass(kernel, 100);
    expect(state(kernel, "web")).toBe("stopping");
    ask(kernel, "stop", "web");
    pass(kernel, 60_000);
    expect(state(kernel, "web")).toBe("inactive");
    expect(kernel.runsOf("web")).toBe(1);
  });

  test("a shutdown finds nothing to wait for", () => {
    const kernel = machine([web({ everyMs: 1000, timeoutMs: 1000 })], {
      behaviours: { web: { check: slow(900) } },
    });
    pass(kernel, 2500);
    shutdown(kernel);
    kernel.run();
    expect(kernel.exitCode).toBe(0);
    expect(kernel.isIdle()).toBe(true);
  });
});

describe("a starved machine", () => {
  test("an answer that did not come in time is asked for again, with more time, and that one counts", () => {
    const kernel = machine([web({ failures: 1 })], { behaviours: { web: { check: slow(9000) } } });
    kernel.pressure = 87;
    pass(kernel, 20_000);
    expect(kernel.commands("probe").map(({ timeoutMs }) => timeoutMs)).toEqual([2000, 15_400]);
    expect(view(kernel, "web")).toMatchObject({ healthy: true, health: { stretched: 7.7 } });
    const [check] = view(kernel, "web").health?.last ?? [];
    expect(check).toMatchObject({
      ok: true,
      took_ms: 11_000,
      reason: "no answer within 2s, machine starved (87 %): given 15.4s",
    });
  });

  test("it is given no third time", () => {
    const kernel = machine([web({ failures: 1 })], { behaviours: { web: { check: slow(60_000) } } });
    kernel.pressure = 87;
    pass(kernel, 28_000);
    expect(kernel.runsOf("web")).toBe(2);
    const stop = kernel.published.find(({ to }) => to === "stopping");
    expect(stop?.cause).toBe(
      "unhealthy: a check failed: no answer within 2s, machine starved (87 %): given 15.4s; tcp 127.0.0.1:80: no answer in time",
    );
  });

  test.each([[null], [0], [39.9]])("a pressure of %s is no excuse", (pressure) => {
    const kernel = machine([web({ failures: 1 })], { behaviours: { web: { check: slow(3000) } } });
    kernel.pressure = pressure;
    pass(kernel, 15_000);
    expect(changes(kernel, "web")).toContain("running stopping");
  });

  test("a refusal is an answer, however starved the machine is", () => {
    const kernel = machine([web({ failures: 1 })], { behaviours: { web: { check: bad } } });
    kernel.pressure = 99;
    pass(kernel, 15_000);
    expect(changes(kernel, "web")).toContain("running stopping");
  });

  test.each([
    [40, 1.7],
    [50, 2],
    [90, 10],
    [99.5, 10],
    [100, 10],
  ])("a pressure of %s gives %s times as long", (pressure, factor) => {
    const kernel = machine([web({ timeoutMs: 1000 })], { behaviours: { web: { check: slow(1500) } } });
    kernel.pressure = pressure;
    pass(kernel, 13_000);
    expect(kernel.commands("probe")[1]?.timeoutMs).toBeCloseTo(1000 * factor, 6);
    expect(view(kernel, "web")).toMatchObject({ healthy: true, health: { stretched: factor } });
  });
});

describe("a lost brain", () => {
  test("counts on, in the same phase", () => {
    const kernel = machine([web()], { behaviours: { web: [{ check: bad }, {}] } });
    pass(kernel, 25_000);
    const times = began(kernel);
    const known = view(kernel, "web").health?.failures_in_row;
    expect(known).toBeGreaterThan(0);
    kernel.loseBrain();
    expect(view(kernel, "web").health?.failures_in_row).toBe(known);
    pass(kernel, 7000);
    expect(kernel.runsOf("web")).toBe(2);
    expect(began(kernel)[2]).toBeCloseTo((times[0] ?? 0) + 20_000, 6);
  });

  test("does not forget that it is healthy, or why it is being stopped", () => {
    const kernel = machine([web({ onFailure: "stop" })], {
      behaviours: { web: { check: (since) => ({ ok: since < 15_000 }), leaves: 1000 } },
    });
    pass(kernel, 15_000);
    kernel.loseBrain();
    expect(view(kernel, "web").healthy).toBe(true);
    while (state(kernel, "web") === "running") pass(kernel, 100);
    kernel.loseBrain();
    pass(kernel, 60_000);
    expect(state(kernel, "web")).toBe("failed");
    expect(cause(kernel, "web")).toMatch(/^unhealthy: 3 checks in a row failed/);
    expect(kernel.runsOf("web")).toBe(1);
    expect(healthEvents(kernel)).toEqual([
      "web unknown healthy",
      "web healthy unhealthy",
      "web unhealthy unknown",
    ]);
  });

  test("a check that was at work is made at the next time", () => {
    const kernel = machine([web()], { behaviours: { web: { check: slow(1000) } } });
    while (kernel.probes.size === 0) pass(kernel, 100);
    kernel.loseBrain();
    pass(kernel, 60_000);
    expect(view(kernel, "web").healthy).toBe(true);
    expect(new Set(gaps(began(kernel)))).toEqual(new Set([10_000]));
  });
});
