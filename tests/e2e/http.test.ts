/** The HTTP side of the socket: routes, shapes, errors. */
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import * as shapes from "./harness/shapes.ts";

const config = (folder: string) => `
[task.setup]
command = "imp exit 0"
[service.db]
command = "imp pause"
requires = ["setup"]
labels = { tier = "data" }
[service.web]
command = "imp orphan { setsid pause } pause"
requires = ["db"]
wants = ["broken"]
after = ["idle"]
[service.broken]
command = "/no/such/program"
[service.idle]
command = "imp pause"
autostart = false
conflicts = ["other"]
[service.other]
command = "imp touch ${folder}/other pause"
autostart = false
[target.all]
requires = ["web", "db"]
`;

describe("reading", () => {
  test("services, one and all", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    await up.reaches("web", "running");
    const all = await up.services();
    expect(all.map((each) => each.name).sort()).toEqual([
      "all",
      "broken",
      "db",
      "idle",
      "other",
      "setup",
      "web",
    ]);
    const db = await up.service("db");
    expect(db).toMatchObject({
      name: "db",
      kind: "service",
      state: "running",
      ready: true,
      healthy: null,
      restarts: 0,
      exit: null,
      waiting_for: [],
      next_start_at: null,
    });
    expect(db.pid).toBeGreaterThan(1);
    expect(db.uptime_ms).toBeGreaterThan(0);
    const age = Date.now() - Date.parse(db.started_at ?? "");
    expect(Math.abs(age - (db.uptime_ms ?? 0))).toBeLessThan(5_000);
    expect(await up.service("setup")).toMatchObject({
      kind: "task",
      state: "exited",
      ready: true,
      pid: null,
      exit: { code: 0 },
    });
    expect(await up.service("idle")).toMatchObject({
      state: "inactive",
      ready: false,
      pid: null,
      started_at: null,
      uptime_ms: null,
    });
    expect(await up.service("broken")).toMatchObject({ state: "failed", ready: false });
  });

  test("processes of a service", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    await up.reaches("web", "running");
    const processes = await up.until("both processes", async () => {
      const found = await up.ok("GET", "/v1/services/web/processes");
      const text = JSON.stringify(found);
      return /"child"/.test(text) && /"adopted"/.test(text) && Array.isArray(found)
        ? (found as unknown[])
        : null;
    });
    const { pid } = await up.service("web");
    expect(processes).toHaveLength(2);
    expect(processes).toContainEqual(expect.objectContaining({ pid, found: "child" }));
    expect(processes).toContainEqual(expect.objectContaining({ found: "adopted" }));
    for (const each of processes)
      expect(each).toMatchObject({
        command: expect.stringContaining("imp"),
        started_at: expect.stringMatching(/Z$/),
      });
  });

  test("/health: 503 with the reasons, 200 when nothing that should run has failed", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    await up.reaches("broken", "failed");
    const bad = await up.get("/health");
    expect(bad.status).toBe(503);
    expect(bad.text).toContain("broken");
    await up.post("/v1/services/broken/stop");
    expect((await up.get("/health")).status).toBe(200);
  });

  test("/status: name and running of services and tasks", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    await up.reaches("web", "running");
    const list = shapes.brief.parse(await up.ok("GET", "/status"));
    expect(list).toContainEqual(expect.objectContaining({ name: "db", running: true }));
    expect(list).toContainEqual(expect.objectContaining({ name: "broken", running: false }));
    expect(list.map((each) => each.name)).not.toContain("all");
  });

  test("/openapi.json names every route that answers, and each answers", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    await up.reaches("web", "running");
    const document = await up.ok("GET", "/openapi.json");
    const { z } = await import("zod");
    const { openapi, paths } = z
      .looseObject({
        openapi: z.string(),
        paths: z.record(z.string(), z.record(z.string(), z.looseObject({ operationId: z.string() }))),
      })
      .parse(document);
    expect(openapi).toMatch(/^3\./);
    for (const path of [
      "/v1/services",
      "/v1/services/{name}",
      "/v1/services/{name}/start",
      "/v1/services/{name}/logs",
      "/v1/services/{name}/why",
      "/v1/logs",
      "/v1/events",
      "/v1/shutdown",
      "/health",
      "/status",
    ]) {
      expect(Object.keys(paths)).toContain(path);
    }
    const ids = Object.values(paths).flatMap((methods) =>
      Object.values(methods).map((each) => each.operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining([
        "services.list",
        "services.get",
        "services.start",
        "logs.read",
        "events.read",
        "shutdown",
      ]),
    );
    for (const [path, methods] of Object.entries(paths)) {
      if (methods.get === undefined) continue;
      const answer = await up.get(path.replace("{name}", "db"));
      expect([200, 501, 503], `${path} ${answer.text}`).toContain(answer.status);
    }
  });

  test("events: numbered, in order, with causes", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    await up.reaches("web", "running");
    const events = await up.events();
    expect(events.map((each) => each.seq)).toEqual(events.map((_, n) => (events[0]?.seq ?? 0) + n));
    const states = events.filter((each) => each.event === "state" && each.service === "db");
    expect(states.at(-1)).toMatchObject({ to: "running" });
    for (const [n, each] of states.entries()) if (n > 0) expect(each.from).toBe(states[n - 1]?.to);
    expect(states.every((each) => each.cause !== null && !/[.]$/.test(each.cause))).toBe(true);
    const last = events.at(-1)?.seq ?? 0;
    expect(await up.events("?lines=1")).toMatchObject([{ seq: last }]);
  });

  test("events?follow=true is a stream", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    const raw = await up.raw();
    raw.send("GET /v1/events?follow=true HTTP/1.1\r\nhost: x\r\n\r\n");
    await up.until("the head", () => /text\/event-stream/i.test(raw.text));
    await up.start("idle");
    await up.until("the event", () => /"service":"idle".*"to":"running"/.test(raw.text));
    raw.drop();
  });

  test("HEAD, trailing query, percent-encoding", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    expect((await up.call("HEAD", "/health")).text).toBe("");
    expect((await up.get("/v1/services/%64b")).status).toBe(200);
    expect((await up.get("/v1/services/%zz")).status).toBeGreaterThanOrEqual(400);
  });
});

describe("doing", () => {
  test("start, stop, restart, kill answer as documented", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    await up.reaches("web", "running");
    expect((await up.start("idle")).state).toBe("running");
    const [receipt] = await up.stop("idle");
    expect(receipt).toMatchObject({ service: "idle", empty: true });
    expect((await up.restart("web")).state).toBe("running");
    const killed = shapes.service
      .or(shapes.services)
      .parse(await up.ok("POST", "/v1/services/db/kill", { signal: "CONT" }));
    expect(JSON.stringify(killed)).toContain('"db"');
  });

  test("?timeout= passed: 504; ?wait=false: at once", async ({ box }) => {
    const up = await box.supervise(
      `[service.slow]\ncommand = "imp pause"\nready = { file = "${box.path("never")}" }\nautostart = false`,
    );
    const late = await up.post("/v1/services/slow/start?timeout=200ms");
    expect(late.status).toBe(504);
    expect(shapes.problem.parse(late.json()).status).toBe(504);
    await up.stop("slow");
    const quick = await up.post("/v1/services/slow/start?wait=false");
    expect(quick.status).toBeLessThan(300);
    expect(await up.state("slow")).toBe("starting");
  });

  test("a start that fails is a problem with the cause", async ({ box }) => {
    const up = await box.supervise(config(box.folder));
    const answer = await up.post("/v1/services/broken/start");
    expect(answer.status).toBeGreaterThanOrEqual(400);
    const problem = shapes.problem.parse(answer.json());
    expect(JSON.stringify(problem)).toMatch(/cannot start/);
  });
});

describe("errors are application/problem+json", () => {
  const cases: [string, string, number, unknown?][] = [
    ["GET", "/v1/services/nobody", 404],
    ["POST", "/v1/services/nobody/start", 404],
    ["GET", "/v1/services/nobody/logs", 404],
    ["GET", "/nothing/here", 404],
    ["DELETE", "/v1/services", 405],
    ["GET", "/v1/shutdown", 405],
    ["PUT", "/v1/services/db", 501],
    ["DELETE", "/v1/services/db", 501],
    ["POST", "/v1/services/db/reload", 409],
    ["POST", "/v1/plan", 501],
    ["POST", "/v1/apply", 501],
    ["POST", "/v1/services/db/kill", 400, "{ no json"],
    ["POST", "/v1/services/db/kill", 400, '["array"]'],
    ["POST", "/v1/services/db/kill", 400, { signal: 9000 }],
    ["POST", "/v1/services/db/stop?timeout=soon", 400],
    ["POST", "/v1/services/db/stop?wait=perhaps", 400],
    ["GET", "/v1/services/db/logs?lines=-1", 400],
  ];
  for (const [method, path, status, body] of cases) {
    test(`${method} ${path}${body === undefined ? "" : ` ${JSON.stringify(body)}`}: ${status}`, async ({
      box,
    }) => {
      const up = await box.supervise(config(box.folder));
      const answer = await up.call(method, path, body === undefined ? {} : { body });
      expect(answer.status, answer.text).toBe(status);
      expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
      expect(shapes.problem.parse(answer.json()).status).toBe(status);
      expect(await up.state("db")).not.toBe("inactive");
    });
  }
});
