import { describe, expect, it } from "vitest";
import { answered, Bench, DOWN, receipt, replies } from "./stub.ts";

describe("start", () => {
  it("answers when the service is up", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    const { commands } = bench.http("POST", "/v1/services/web/start");
    expect(commands).toEqual([]);
    expect(bench.nudge()).toEqual([]);
    bench.world.outcomes.set("web", "done");
    expect(answered(bench.nudge())).toMatchObject({ status: 200, json: { name: "web", ready: true } });
    expect(bench.nudge()).toEqual([]);
  });

  it("answers at once when it is up already", () => {
    expect(new Bench().ask("POST", "/v1/services/web/start").status).toBe(200);
  });

  it("tells the cause of a failure", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    bench.http("POST", "/v1/services/web/start");
    bench.world.outcomes.set("web", { failed: "cannot start: exec: no such file (ENOENT)" });
    expect(answered(bench.nudge())).toMatchObject({
      status: 500,
      json: {
        type: "urn:oneup:problem:failed",
        service: "web",
        cause: "cannot start: exec: no such file (ENOENT)",
        detail: '"web": cannot start: exec: no such file (ENOENT)',
      },
    });
  });

  it("tells when somebody else wants it down by now", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    bench.http("POST", "/v1/services/web/start");
    bench.set("web", { ...DOWN, goal: "down" });
    bench.world.outcomes.set("web", { failed: "stop asked by process 8 of user 0" });
    expect(answered(bench.nudge())).toMatchObject({
      status: 409,
      json: { type: "urn:oneup:problem:overtaken", cause: "stop asked by process 8 of user 0" },
    });
  });

  it("answers 202 without waiting", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    expect(bench.ask("POST", "/v1/services/web/start?wait=false")).toMatchObject({
      status: 202,
      json: { name: "web" },
    });
    expect(bench.nudge()).toEqual([]);
  });

  it("answers 504 when the client's patience is over, by a timer of its own", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    bench.set("web", { state: "waiting", ready: false, cause: "waits for db" });
    const { request, commands } = bench.http("POST", "/v1/services/web/start?timeout=10s");
    expect(commands).toEqual([{ type: "arm", key: `api:${request}:0`, at: 11_000 }]);
    const late = bench.send({ type: "timer", key: `api:${request}:0`, at: 11_000 });
    expect(answered(late)).toMatchObject({
      status: 504,
      json: { detail: 'not done within 10s: "web" is waiting (waits for db)', services: ["web"] },
    });
    // The timer was not the engine's.
    expect(bench.world.events).toEqual([]);
  });

  it("takes its timer back when it is done", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    const { request } = bench.http("POST", "/v1/services/web/start?timeout=10s");
    bench.world.outcomes.set("web", "done");
    expect(bench.nudge()).toMatchObject([
      { type: "cancel", key: `api:${request}:0` },
      { type: "reply", status: 200 },
    ]);
  });

  it("is refused during a shutdown", () => {
    const bench = new Bench();
    bench.world.phase = "stopping";
    for (const verb of ["start", "restart"]) {
      expect(bench.ask("POST", `/v1/services/web/${verb}`).json).toMatchObject({
        status: 409,
        type: "urn:oneup:problem:shutting-down",
      });
    }
    expect(bench.world.asks).toEqual([]);
  });

  it("of several asks the engine once, in one go", () => {
    const bench = new Bench();
    bench.world.outcomes.set("db", "pending");
    const { commands } = bench.http("POST", "/v1/start", '{"names":["web","db","web"]}');
    expect(replies(commands)).toEqual([]);
    expect(bench.world.asks).toMatchObject([{ type: "start", names: ["web", "db"] }]);
    bench.world.outcomes.set("db", "done");
    expect(answered(bench.nudge()).json).toMatchObject([{ name: "web" }, { name: "db" }]);
    expect(bench.ask("POST", "/v1/start", { names: ["web", "nope"] }).status).toBe(404);
    expect(bench.world.asks).toHaveLength(1);
  });

  it("hears from a supervisor that leaves", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    bench.http("POST", "/v1/services/web/restart");
    bench.world.phase = "exiting";
    bench.world.onStep = () => [{ type: "exit", code: 0 }];
    expect(bench.nudge()).toMatchObject([
      { type: "reply", status: 409 },
      { type: "exit", code: 0 },
    ]);
  });
});

describe("stop", () => {
  it("answers with the receipts of what went down with it", () => {
    const bench = new Bench();
    bench.world.outcomes.set("db", "pending");
    bench.http("POST", "/v1/services/db/stop");
    bench.set("other", {});
    expect(bench.stopped(9, receipt("other"))).toEqual([]);
    // web requires db, so it goes first.
    expect(bench.stopped(1, receipt("web"))).toEqual([]);
    bench.world.outcomes.set("db", "done");
    const answer = answered(bench.stopped(2, receipt("db", { empty: false })));
    expect(answer).toMatchObject({
      status: 200,
      json: [{ service: "web" }, { service: "db", empty: false }],
    });
  });

  it("of a target waits for its members", () => {
    const bench = new Bench();
    bench.world.outcomes.set("db", "pending");
    const { commands } = bench.http("POST", "/v1/services/all/stop");
    expect(commands).toEqual([]);
    bench.world.outcomes.set("db", "done");
    expect(answered(bench.stopped(2, receipt("db"))).json).toMatchObject([{ service: "db" }]);
  });

  it("answers at once where nothing runs", () => {
    const bench = new Bench();
    bench.set("web", DOWN);
    expect(bench.ask("POST", "/v1/services/web/stop")).toMatchObject({ status: 200, json: [] });
    expect(bench.ask("POST", "/v1/stop?wait=false", { names: ["web"] })).toMatchObject({
      status: 202,
      json: [],
    });
  });

  it("is possible during a shutdown", () => {
    const bench = new Bench();
    bench.world.phase = "stopping";
    expect(bench.ask("POST", "/v1/services/web/stop").status).toBe(200);
  });
});

describe("shutdown", () => {
  it("answers with every receipt, before the process leaves", () => {
    const bench = new Bench();
    bench.world.onStep = (event) => {
      if (event.type === "shutdown") bench.world.phase = "stopping";
      return [];
    };
    const { commands } = bench.http("POST", "/v1/shutdown");
    expect(commands).toEqual([]);
    bench.stopped(1, receipt("web"));
    bench.world.onStep = () => {
      bench.world.phase = "exiting";
      return [
        { type: "exit", code: 0 },
        { type: "say", text: "bye" },
      ];
    };
    const last = bench.stopped(9, receipt(null));
    expect(last.map((command) => command.type)).toEqual(["say", "reply", "exit"]);
    expect(answered(last).json).toMatchObject([{ service: "web" }, { service: null }]);
  });
});

describe("wait", () => {
  it("ends at once where nothing comes by itself: a requirement that failed, a service that has ended", () => {
    const bench = new Bench();
    const cause = "waits for db, which failed: exited with code 1";
    bench.set("web", { ...DOWN, state: "waiting", cause });
    bench.world.outcomes.set("web", { failed: cause });
    expect(bench.ask("GET", "/v1/services/web/wait").json).toMatchObject({
      status: 500,
      service: "web",
      cause,
    });
    bench.set("web", { ...DOWN, state: "exited", cause: "exited with code 0" });
    expect(bench.ask("GET", "/v1/services/web/wait").json).toMatchObject({ status: 500 });
  });

  it("goes on where there is hope: a requirement that is tried again, a service that somebody may start", () => {
    const bench = new Bench();
    bench.set("web", { ...DOWN, state: "waiting", cause: "waits for db" });
    bench.world.outcomes.set("web", "pending");
    expect(bench.http("GET", "/v1/services/web/wait").commands).toEqual([]);
    bench.world.outcomes.set("web", { failed: "nobody asked for it yet" });
    for (const state of ["inactive", "backoff"] as const) {
      bench.set("web", { ...DOWN, state });
      expect(bench.http("GET", "/v1/services/web/wait").commands).toEqual([]);
    }
  });

  it("waits for a state, whoever brings it", () => {
    const bench = new Bench();
    bench.set("web", { ...DOWN });
    expect(bench.http("GET", "/v1/services/web/wait").commands).toEqual([]);
    bench.set("web", {});
    expect(answered(bench.nudge())).toMatchObject({ status: 200, json: { name: "web" } });
    expect(bench.world.asks).toEqual([]);
  });

  it.each([
    ["stopped", { ...DOWN }],
    ["stopped", { ...DOWN, state: "failed" }],
    ["succeeded", { ...DOWN, state: "exited" }],
    ["ready", { ...DOWN, state: "exited", kind: "task" }],
    ["ready", {}],
  ] as const)("for %s is done with %o", (wanted, more) => {
    const bench = new Bench();
    bench.set("web", more);
    expect(bench.ask("GET", `/v1/services/web/wait?for=${wanted}`).status).toBe(200);
  });

  it("ends when there is no hope", () => {
    const bench = new Bench();
    bench.set("web", { ...DOWN, state: "failed", cause: "left with 1" });
    expect(bench.ask("GET", "/v1/services/web/wait").json).toMatchObject({
      status: 500,
      cause: "left with 1",
    });
  });
});

it("owes nothing to a client that has gone", () => {
  const bench = new Bench();
  bench.world.outcomes.set("web", "pending");
  const { request } = bench.http("POST", "/v1/services/web/start?timeout=10s");
  expect(bench.send({ type: "gone", request })).toEqual([{ type: "cancel", key: `api:${request}:0` }]);
  bench.world.outcomes.set("web", "done");
  expect(bench.nudge()).toEqual([]);
  // A timer that was under way already is nobody's any more.
  expect(bench.send({ type: "timer", key: `api:${request}:0`, at: 11_000 })).toEqual([]);
});

it("gives the engine its own timers and everything else", () => {
  const bench = new Bench();
  bench.send({ type: "timer", key: "web:backoff", at: 1 }, { type: "logMatched", key: "x", at: 1 });
  expect(bench.world.events).toEqual(["timer", "logMatched"]);
});
