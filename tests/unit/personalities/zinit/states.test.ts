import { describe, expect, it } from "vitest";
import type { Reason, ServiceView } from "../../../../src/engine/index.ts";
import { DOWN, ZinitBench } from "./bench.ts";

const AT = "2026-01-31T11:58:00.000Z";
const FAILED = { ...DOWN, state: "failed" } as const;

function stateOf(view: Partial<ServiceView>): unknown {
  const bench = new ZinitBench();
  bench.add("x", view);
  const full = bench.result("service.status_full", { name: "x" });
  return full !== null && typeof full === "object" && "state" in full ? full.state : null;
}

function statusOf(view: Partial<ServiceView>): unknown {
  const bench = new ZinitBench();
  bench.add("x", view);
  return bench.result("service.status", { name: "x" });
}

describe("the seven states", () => {
  it.each<[string, Partial<ServiceView>, unknown]>([
    ["never ran", DOWN, { state: "inactive" }],
    ["was stopped", { ...DOWN, exit: { signal: "TERM", at: AT } }, { state: "exited", exit_code: null }],
    ["was stopped, with a code", { ...DOWN, exit: { code: 5, at: AT } }, { state: "exited", exit_code: 5 }],
    [
      "failed, then was stopped",
      { ...DOWN, exit: { code: 5, at: AT }, reason: { type: "exit", code: 5 } },
      { state: "inactive" },
    ],
    [
      "a oneshot that ended badly, then was stopped",
      { ...DOWN, kind: "task", exit: { code: 5, at: AT }, reason: { type: "exit", code: 5 } },
      { state: "exited", exit_code: 5 },
    ],
    ["a target that was stopped", { ...DOWN, kind: "target" }, { state: "inactive" }],
    ["waits", { ...DOWN, state: "waiting" }, { state: "blocked", waiting_on: [] }],
    ["has no process yet", { state: "starting", ready: false, pid: null }, { state: "starting", pid: 0 }],
    ["starts", { state: "starting", ready: false, pid: 7 }, { state: "starting", pid: 7 }],
    ["runs", { state: "running", pid: 7 }, { state: "running", pid: 7 }],
    ["a target", { kind: "target", state: "running", pid: null }, { state: "running", pid: 0 }],
    ["stops", { state: "stopping", ready: false, pid: 7 }, { state: "stopping", pid: 7 }],
    ["done", { ...DOWN, state: "exited", exit: { code: 0, at: AT } }, { state: "exited", exit_code: 0 }],
    [
      "between two runs after success",
      { ...DOWN, state: "backoff", exit: { code: 0, at: AT }, reason: { type: "exit", code: 0 } },
      { state: "exited", exit_code: 0 },
    ],
    [
      "between two runs after failure",
      { ...DOWN, state: "backoff", exit: { code: 2, at: AT }, reason: { type: "exit", code: 2 } },
      { state: "failed", reason: { type: "exit_code", code: 2 } },
    ],
    [
      "a oneshot that ended badly",
      { ...FAILED, kind: "task", exit: { code: 3, at: AT }, reason: { type: "exit", code: 3 } },
      { state: "exited", exit_code: 3 },
    ],
    [
      "a oneshot that was shot",
      {
        ...FAILED,
        kind: "task",
        exit: { signal: "KILL", at: AT },
        reason: { type: "signal", signal: "KILL" },
      },
      { state: "failed", reason: { type: "signal", signal: 9 } },
    ],
  ])("%s", (_what, view, state) => {
    expect(stateOf(view)).toEqual(state);
  });

  it.each<[Reason, unknown, object]>([
    [{ type: "exit", code: 3 }, { type: "exit_code", code: 3 }, { exit_code: 3 }],
    [{ type: "signal", signal: "SEGV" }, { type: "signal", signal: 11 }, { error: "killed by signal 11" }],
    [{ type: "signal", signal: "RTMIN+2" }, { type: "signal", signal: 36 }, { error: "killed by signal 36" }],
    [{ type: "start-timeout" }, { type: "start_timeout" }, { error: "start timeout" }],
    [{ type: "survived" }, { type: "stop_timeout" }, { error: "stop timeout" }],
    [
      { type: "unhealthy", failures: 3 },
      { type: "health_check_failed", attempts: 3 },
      { error: "health check failed after 3 attempts" },
    ],
    [
      { type: "spawn", message: "no such folder" },
      { type: "spawn_error", message: "spawn error for service 'x': no such folder" },
      { error: "spawn error: spawn error for service 'x': no such folder" },
    ],
    [
      { type: "missing", name: "db" },
      { type: "missing_dependency", dependency: "db" },
      { error: "missing dependency 'db'" },
    ],
    [
      { type: "cycle", path: ["a", "b"] },
      { type: "spawn_error", message: "cyclic dependency detected: a -> b" },
      { error: "spawn error: cyclic dependency detected: a -> b" },
    ],
    [
      { type: "limit", restarts: 10, last: { type: "exit", code: 3 } },
      { type: "exit_code", code: 3 },
      { exit_code: 3 },
    ],
    [
      { type: "limit", restarts: 10, last: { type: "unhealthy", failures: 2 } },
      { type: "health_check_failed", attempts: 2 },
      { error: "health check failed after 2 attempts" },
    ],
  ])("failed for %j", (reason, shown, details) => {
    // 8: what ended it afterwards does not overwrite why.
    const view = { ...FAILED, exit: { signal: "KILL", at: AT }, reason } as const;
    expect(stateOf(view)).toEqual({ state: "failed", reason: shown });
    expect(statusOf(view)).toEqual({ name: "x", state: "failed", pid: 0, ...details });
  });

  it("knows how it ended where nobody says why", () => {
    expect(stateOf({ ...FAILED, exit: { code: 4, at: AT } })).toEqual({
      state: "failed",
      reason: { type: "exit_code", code: 4 },
    });
    expect(stateOf({ ...FAILED, cause: "a hook has failed" })).toEqual({
      state: "failed",
      reason: { type: "spawn_error", message: "a hook has failed" },
    });
  });
});

describe("what keeps a service from starting", () => {
  function bench(): ZinitBench {
    const made = new ZinitBench();
    const requires = ["up", "down", "job", "bad-job", "nobody"];
    const dependencies = { requires, after: ["down", "waiting", "broken"], wants: ["down"] };
    made.add("x", { ...DOWN, state: "waiting" }, { dependencies });
    made.add("up");
    made.add("down", DOWN);
    made.add("job", { ...DOWN, kind: "task", state: "exited", exit: { code: 0, at: AT } });
    made.add("bad-job", {
      ...FAILED,
      kind: "task",
      exit: { code: 1, at: AT },
      reason: { type: "exit", code: 1 },
    });
    made.add("waiting", { ...DOWN, state: "waiting" });
    made.add("broken", { ...FAILED, reason: { type: "exit", code: 1 }, exit: { code: 1, at: AT } });
    return made;
  }

  it("is what it requires and does not have, and what it comes after and nobody tried", () => {
    expect(bench().result("service.status", { name: "x" })).toMatchObject({
      state: "blocked",
      error: "waiting on: bad-job, down, waiting, down",
    });
  });

  it("2: is a oneshot that is still at work", () => {
    const made = bench();
    made.add("job", { kind: "task", ready: false });
    expect(made.result("service.why", { name: "x" })).toMatchObject({
      waiting_on: ["bad-job", "job", "down", "waiting", "down"],
    });
  });

  it("21: is a process in the way", () => {
    const made = bench();
    const found = { pid: 7, name: "nginx", command: "nginx -g daemon" };
    const obstacle = { port: null, process: { filter: "ngin", processes: [found] } };
    made.add("y", { ...DOWN, state: "waiting", obstacle }, { dependencies: { requires: ["down"] } });
    expect(made.result("service.why", { name: "y" })).toEqual({
      name: "y",
      blocked: true,
      waiting_on: [],
      conflicts_with: [],
      process_conflict: {
        filter: "ngin",
        processes: [{ pid: 7, name: "nginx", cmdline: "nginx -g daemon" }],
      },
      ascii: "[?] y (blocked)",
    });
    expect(made.result("service.status", { name: "y" })).toEqual({ name: "y", state: "blocked", pid: 0 });
  });

  it("is a port that somebody has", () => {
    const made = bench();
    const obstacle = { port: "port 80 in use by external process: nginx (PID 7)", process: null };
    made.add("y", { ...DOWN, state: "waiting", obstacle });
    expect(made.result("service.why", { name: "y" })).toEqual({
      name: "y",
      blocked: true,
      waiting_on: [],
      conflicts_with: [],
      port_conflict: "port 80 in use by external process: nginx (PID 7)",
      ascii: "[?] y (blocked)",
    });
  });

  it("is who conflicts with it and is up, whoever says so", () => {
    const made = bench();
    made.add("y", { ...DOWN, state: "waiting" });
    made.define({
      name: "y",
      conflicts: [
        { name: "up", wait: true },
        { name: "down", wait: true },
      ],
    });
    made.define({ name: "broken", conflicts: [{ name: "y", wait: true }] });
    made.define({ name: "x", conflicts: [{ name: "up", wait: true }] });
    expect(made.result("service.why", { name: "y" })).toMatchObject({
      conflicts_with: ["up"],
      ascii: "[?] y (blocked)\n  !> conflicts with up (running)",
    });
    expect(made.result("service.why", { name: "up" })).toMatchObject({ blocked: false, conflicts_with: [] });
  });
});
