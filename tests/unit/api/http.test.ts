import { describe, expect, it } from "vitest";
import { Bench, DOWN, WALL } from "./stub.ts";

describe("looking over HTTP", () => {
  it("lists services and shows one", () => {
    const bench = new Bench();
    const list = bench.ask("GET", "/v1/services");
    expect(list).toMatchObject({ status: 200, contentType: "application/json" });
    expect(list.json).toHaveLength(4);
    expect(bench.ask("GET", "/v1/services/web").json).toMatchObject({
      name: "web",
      state: "running",
      pid: 100,
    });
  });

  it("decodes the name in the path", () => {
    const bench = new Bench();
    bench.set("a b", {});
    expect(bench.ask("GET", "/v1/services/a%20b").json).toMatchObject({ name: "a b" });
    expect(bench.ask("GET", "/v1/services/a%2").json).toMatchObject({ status: 400 });
  });

  it("answers an unknown service with 404 and the likely one", () => {
    const answer = new Bench().ask("GET", "/v1/services/wbe");
    expect(answer).toMatchObject({ status: 404, contentType: "application/problem+json" });
    expect(answer.json).toMatchObject({
      type: "urn:oneup:problem:no-such-service",
      status: 404,
      detail: 'there is no service "wbe"; did you mean "web"?',
      service: "wbe",
    });
  });

  it("answers an unknown path with 404 and the likely one", () => {
    const answer = new Bench().ask("GET", "/v1/servces");
    expect(answer.json).toMatchObject({
      status: 404,
      detail: 'there is nothing at /v1/servces; did you mean "/v1/services"?',
    });
    expect(new Bench().ask("GET", "/v1/services/web/stat").json).toMatchObject({ status: 404 });
  });

  it("answers a wrong method with 405 and Allow", () => {
    const answer = new Bench().ask("POST", "/v1/services/web");
    expect(answer.status).toBe(405);
    expect(answer.headers).toEqual({ Allow: "DELETE, GET, HEAD, PUT" });
    expect(new Bench().ask("GET", "/v1/shutdown").headers).toEqual({ Allow: "POST" });
  });

  it("takes HEAD as GET", () => {
    expect(new Bench().ask("HEAD", "/v1/services").status).toBe(200);
    expect(new Bench().ask("HEAD", "/v1/shutdown").status).toBe(405);
  });

  it("refuses what it does not know in a query, naming what was meant", () => {
    const answer = new Bench().ask("POST", "/v1/services/web/start?timeot=1s");
    expect(answer.json).toMatchObject({
      status: 400,
      parameter: "timeot",
      detail: 'query: unknown parameter "timeot"; it takes wait, timeout; did you mean "timeout"?',
    });
  });

  it.each([
    ["/v1/services/web/start?timeout=5", "timeout"],
    ["/v1/services/web/start?wait=perhaps", "wait"],
    ["/v1/logs?lines=-1", "lines"],
    ["/v1/logs?lines=1.5", "lines"],
    ["/v1/logs?stream=both", "stream"],
    ["/v1/logs?since=yesterday", "since"],
    ["/v1/logs?lines=1&lines=2", "lines"],
    ["/v1/services/web/wait?for=lunch", "for"],
  ])("refuses %s", (target, parameter) => {
    const method = target.includes("start") ? "POST" : "GET";
    expect(new Bench().ask(method, target).json).toMatchObject({ status: 400, parameter });
  });

  it("refuses a body that is none", () => {
    const bench = new Bench();
    const kill = (body: string) => bench.http("POST", "/v1/services/web/kill", body).commands[0];
    expect(kill("{")).toMatchObject({ status: 400 });
    expect(kill("[]")).toMatchObject({ status: 400 });
    expect(kill('{"signl":"HUP"}')).toMatchObject({ status: 400 });
    expect(bench.ask("POST", "/v1/start", {}).json).toMatchObject({ status: 400, parameter: "names" });
    expect(bench.ask("POST", "/v1/start", { names: [] }).json).toMatchObject({
      status: 400,
      parameter: "names",
    });
    expect(bench.world.asks).toEqual([]);
  });

  it("does not take members that every object has for parameters", () => {
    const bench = new Bench();
    for (const member of ["constructor", "__proto__"]) {
      expect(bench.ask("POST", `/v1/services/web/kill?${member}=1`).json).toMatchObject({
        parameter: member,
      });
    }
    expect(bench.http("POST", "/v1/services/web/kill", '{"__proto__":1}').commands[0]).toMatchObject({
      status: 400,
    });
  });

  it("shows status, supervisor, tree and why", () => {
    const bench = new Bench();
    expect(bench.ask("GET", "/status").json).toEqual([
      { name: "web", running: true },
      { name: "db", running: true },
      { name: "migrate", running: false },
    ]);
    expect(bench.ask("GET", "/v1/supervisor").json).toEqual({
      pid: 4242,
      state: "running",
      started_at: new Date(WALL - 60_000).toISOString(),
      uptime_ms: 61_000,
    });
    expect(bench.ask("GET", "/v1/tree").json).toMatchObject({
      services: [{ name: "web", requires: ["db"] }, {}, {}, {}],
    });
    expect(bench.ask("GET", "/v1/services/web/why").json).toEqual({
      service: "web",
      state: "running",
      answer: "is running: as it should",
      chain: [],
      runs: [],
      health: null,
    });
  });

  it("writes /status anew after anything has happened", () => {
    const bench = new Bench();
    bench.ask("GET", "/status");
    bench.set("web", DOWN);
    bench.nudge();
    expect(bench.ask("GET", "/status").json).toContainEqual({ name: "web", running: false });
  });

  it("tells health as 200 or 503 with the reasons", () => {
    const bench = new Bench();
    expect(bench.ask("GET", "/health")).toMatchObject({ status: 200, json: { ok: true, reasons: [] } });
    bench.world.health = { ok: false, reasons: ["web failed"] };
    expect(bench.ask("GET", "/health")).toMatchObject({
      status: 503,
      contentType: "application/problem+json",
      json: { ok: false, reasons: ["web failed"], detail: "web failed" },
    });
  });

  it("tells the runs of a task", () => {
    const bench = new Bench();
    const run = {
      scheduled_at: "2026-01-31T11:00:00.000Z",
      started_at: "2026-01-31T11:00:00.010Z",
      ended_at: "2026-01-31T11:00:10.010Z",
      duration_ms: 10_000,
      exit: { code: 0 },
      success: true,
      skipped: 2,
      cause: "exited with code 0",
    };
    const atWork = { ...run, ended_at: null, duration_ms: null, exit: null, success: null };
    bench.world.runs.set("migrate", [atWork, run]);
    bench.set("migrate", { kind: "task", next_start_at: "2026-01-31T13:00:00.000Z" });
    expect(bench.ask("GET", "/v1/services/migrate/runs").json).toEqual([atWork, run]);
    expect(bench.ask("GET", "/v1/services/web/runs").json).toEqual([]);
    expect(bench.ask("GET", "/v1/services/wob/runs").status).toBe(404);
    const lines = String(bench.ask("GET", "/metrics").json).split("\n");
    expect(lines.filter((line) => line.startsWith("oneup_task"))).toEqual([
      'oneup_task_last_run_time_seconds{service="migrate"} 1769857200.01',
      'oneup_task_last_run_success{service="migrate"} 1',
      'oneup_task_next_run_time_seconds{service="migrate"} 1769864400',
    ]);
    expect(String(new Bench().ask("GET", "/metrics").json)).not.toContain("oneup_task");
  });

  it("writes OpenMetrics", () => {
    const bench = new Bench();
    bench.set("migrate", { kind: "task", next_start_at: "2026-01-31T13:00:00.000Z" });
    bench.set('we"b', { restarts: 3 });
    const { contentType, json } = bench.ask("GET", "/metrics");
    expect(contentType).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
    const lines = String(json).split("\n");
    expect(lines).toContain('oneup_service_restarts_total{service="we\\"b"} 3');
    expect(lines).toContain('oneup_service_state{service="web",oneup_service_state="running"} 1');
    expect(lines).toContain('oneup_service_state{service="web",oneup_service_state="failed"} 0');
    expect(lines).toContain('oneup_service_uptime_seconds{service="web"} 180');
    expect(lines).toContain("oneup_uptime_seconds 61");
    expect(lines.slice(-2)).toEqual(["# EOF", ""]);
    // Every sample belongs to the family announced last before it.
    let family = "";
    for (const line of lines) {
      if (line.startsWith("# TYPE ")) family = line.split(" ")[2] ?? "";
      if (line !== "" && !line.startsWith("#")) expect(line.startsWith(family)).toBe(true);
    }
  });

  it("has the nucleus write the OpenAPI document", () => {
    expect(new Bench().ask("GET", "/openapi.json")).toMatchObject({
      status: 200,
      contentType: "application/json",
      parts: [{ type: "openApi" }],
    });
  });

  it("names the set whose processes are asked for", () => {
    const bench = new Bench();
    expect(bench.ask("GET", "/v1/services/web/processes").parts).toEqual([{ type: "processes", id: 1 }]);
    expect(bench.ask("GET", "/v1/services/migrate/processes").json).toEqual([]);
  });

  it.each([
    ["PUT", "/v1/services/web", "services.put"],
    ["DELETE", "/v1/services/web", "services.delete"],
    ["POST", "/v1/plan", "plan"],
    ["POST", "/v1/apply", "apply"],
  ])("%s %s is not supported yet", (method, target, operation) => {
    expect(new Bench().ask(method, target, { any: "thing" }).json).toMatchObject({
      status: 501,
      operation,
      detail: `"${operation}" is not supported yet`,
    });
  });
});

describe("logs and events over HTTP", () => {
  it("turn into queries of the nucleus", () => {
    const answer = new Bench().ask(
      "GET",
      "/v1/logs?service=web&service=db&lines=5&since=10m&until=2026-01-31T12:00:00Z&stream=err&grep=a+b%7C",
    );
    expect(answer.contentType).toBe("application/json");
    expect(answer.parts).toEqual([
      {
        type: "logs",
        format: "array",
        query: {
          logs: ["web", "db"],
          lines: 5,
          wallSince: WALL + 1000 - 600_000,
          wallUntil: WALL,
          stream: "err",
          grep: "a b|",
          follow: false,
        },
      },
    ]);
  });

  it("stream as Server-Sent Events", () => {
    const logs = new Bench().ask("GET", "/v1/services/web/logs?follow=true");
    expect(logs).toMatchObject({
      contentType: "text/event-stream",
      parts: [{ type: "logs", format: "sse" }],
    });
    const events = new Bench().ask("GET", "/v1/events?follow&after=7&lines=2");
    expect(events).toMatchObject({
      contentType: "text/event-stream",
      parts: [{ type: "events", format: "sse", query: { lines: 2, afterSeq: 7, follow: true } }],
    });
  });

  it("know which logs there are", () => {
    expect(new Bench().ask("GET", "/v1/logs?service=wen").json).toMatchObject({
      status: 404,
      service: "wen",
    });
  });
});

describe("kill over HTTP", () => {
  it("sends TERM to the main process unless told", () => {
    const bench = new Bench();
    expect(bench.ask("POST", "/v1/services/web/kill")).toMatchObject({ status: 200, json: { name: "web" } });
    expect(bench.ask("POST", "/v1/services/web/kill", { signal: "sigusr1", scope: "tree" }).status).toBe(200);
    expect(bench.world.asks).toMatchObject([
      {
        type: "kill",
        name: "web",
        signal: "TERM",
        scope: "main",
        because: "asked by process 77 of user 1000",
      },
      { type: "kill", name: "web", signal: "USR1", scope: "tree" },
    ]);
  });

  it("refuses what is no signal, and a service without a process", () => {
    const bench = new Bench();
    expect(bench.ask("POST", "/v1/services/web/kill", { signal: "FOO" }).status).toBe(400);
    expect(bench.ask("POST", "/v1/services/web/kill", { signal: "TERM", scope: "all" }).status).toBe(400);
    expect(bench.ask("POST", "/v1/services/migrate/kill").json).toMatchObject({
      status: 409,
      type: "urn:oneup:problem:not-running",
    });
    expect(bench.world.asks).toEqual([]);
  });
});

it("names a caller as far as it can be named", () => {
  const bench = new Bench();
  const call = { type: "http", method: "POST", path: "/v1/services/web/kill", query: "", body: "" } as const;
  bench.request(call, { uid: 0, pid: 0 });
  bench.request(call, { uid: 7, pid: 0 });
  expect(bench.world.asks).toMatchObject([
    { because: "asked over the socket" },
    { because: "asked over the socket by user 7" },
  ]);
});
