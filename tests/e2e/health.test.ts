/** Health checks with real programs: who is found sick, and what becomes of it. */
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import { oneupFaults } from "./harness/paths.ts";
import { freePort } from "./harness/ports.ts";
import type { Supervisor } from "./harness/supervisor.ts";

/** Short, so that a test does not take long; the machine may be starved, which makes them longer. */
const FAST = 'every = "200ms", timeout = "200ms"';

const web = (command: string, health: string, more = "") =>
  `[service.web]\ncommand = '''${command}'''\nhealth = { ${health} }\n${more}\n`;

async function healthEvents(up: Supervisor): Promise<string[]> {
  const events = (await up.events()).filter(({ event }) => event === "health");
  return events.map(({ from, to }) => `${from} ${to}`);
}

const healthy = (up: Supervisor, wanted: boolean) =>
  up.reaches("web", "running", (service) => service.healthy === wanted);

/** A server in Node whose /health answers what the file `status` says. */
async function server(box: Box): Promise<{ port: number; command: string }> {
  const port = await freePort();
  box.write("status", "200");
  box.write(
    "server.mjs",
    `import { readFileSync } from "node:fs";
     import { createServer } from "node:http";
     createServer((_, answer) => {
       const status = Number(readFileSync(${JSON.stringify(box.path("status"))}, "utf8"));
       if (status > 0) answer.writeHead(status).end("so it is\\n");
     }).listen(${port}, "127.0.0.1");\n`,
  );
  return { port, command: `node ${box.path("server.mjs")}` };
}

describe("a service that says it is sick", () => {
  test("restart: it is started again, once per verdict, and everything says why", async ({ box }) => {
    const { port, command } = await server(box);
    const http = `http = "http://127.0.0.1:${port}/health"`;
    const up = await box.supervise(
      web(command, `${http}, ${FAST}, failures = 2`, `ready = { tcp = ${port} }`),
    );
    const { pid: former } = await healthy(up, true);
    expect((await up.cli(["status"])).out).toMatch(/web\s+running, healthy/);
    expect((await up.get("/health")).status).toBe(200);
    expect((await up.get("/metrics")).text).toContain('oneup_service_healthy{service="web"} 1');
    box.write("status", "500");
    await up.reaches("web", ["stopping", "backoff", "starting", "running"], ({ pid }) => pid !== former);
    box.write("status", "200");
    const again = await healthy(up, true);
    expect(again).toMatchObject({ restarts: expect.any(Number), health: { healthy: true } });
    const stopping = (await up.events()).filter(({ event, to }) => event === "state" && to === "stopping");
    expect(stopping).toHaveLength(again.restarts);
    expect(stopping[0]?.cause).toMatch(
      /^unhealthy: 2 checks in a row failed, last: http:\/\/127\.0\.0\.1:\d+\/health: .*500/,
    );
    expect((await healthEvents(up)).slice(0, 3)).toEqual([
      "unknown healthy",
      "healthy unhealthy",
      "unhealthy unknown",
    ]);
    const why = await up.cli(["why", "web"]);
    expect(why.out).toMatch(/unhealthy: 2 checks in a row failed/);
    expect(why.out).toMatch(/last health checks\n\s+ok /);
    expect((await up.why("web")).health?.last.length).toBeGreaterThan(0);
  });

  test("mark: it is shown, runs on, and gets well", async ({ box }) => {
    const { port, command } = await server(box);
    const http = `http = "http://127.0.0.1:${port}/health"`;
    const up = await box.supervise(
      web(command, `${http}, ${FAST}, on-failure = "mark"`, `ready = { tcp = ${port} }`),
    );
    const { pid } = await healthy(up, true);
    box.write("status", "503");
    const sick = await healthy(up, false);
    expect(sick).toMatchObject({ pid, restarts: 0, cause: expect.stringMatching(/^unhealthy: 3 checks/) });
    expect((await up.cli(["status"])).out).toMatch(/web\s+running, unhealthy.*503/);
    const answer = await up.get("/health");
    expect(answer.status).toBe(503);
    expect(answer.text).toContain("web unhealthy: 3 checks in a row failed");
    expect((await up.get("/metrics")).text).toContain('oneup_service_healthy{service="web"} 0');
    box.write("status", "200");
    expect(await healthy(up, true)).toMatchObject({ pid, restarts: 0 });
    expect((await up.get("/health")).status).toBe(200);
  });

  test("stop: it has failed", async ({ box }) => {
    const file = box.write("alive", "");
    const up = await box.supervise(web("imp pause", `file = "${file}", ${FAST}, on-failure = "stop"`));
    await healthy(up, true);
    await box.run(["rm", file]);
    const { cause, restarts } = await up.reaches("web", "failed");
    expect(restarts).toBe(0);
    expect(cause).toMatch(/^unhealthy: 3 checks in a row failed, last: file /);
  });
});

describe("a service that hangs (SIGSTOP)", () => {
  test("is found by HTTP", async ({ box }) => {
    const { port, command } = await server(box);
    const http = `http = "http://127.0.0.1:${port}/health"`;
    const more = `ready = { http = "http://127.0.0.1:${port}/health" }\nstop = { timeout = "1s" }`;
    const up = await box.supervise(web(command, `${http}, ${FAST}, failures = 1`, more));
    await healthy(up, true);
    const { pid: former } = await up.service("web");
    await up.strike("web", "SIGSTOP");
    await up.succeeded("web", former ?? 0);
    const stopping = (await up.events()).find(({ to }) => to === "stopping");
    expect(stopping?.cause).toMatch(/^unhealthy: a check failed: /);
  });

  test("redis-server is found by its own client, of which nothing is left", async ({ box }) => {
    const port = await freePort();
    const redis = `redis-server --port ${port} --save "" --appendonly no --bind 127.0.0.1`;
    const ping = `exec = "redis-cli -p ${port} ping"`;
    const more = `ready = { tcp = ${port} }\nstop = { timeout = "1s" }`;
    const up = await box.supervise(
      web(redis, `${ping}, every = "500ms", timeout = "500ms", failures = 1`, more),
    );
    await healthy(up, true);
    const { pid: former } = await up.service("web");
    await up.strike("web", "SIGSTOP");
    await up.succeeded("web", former ?? 0);
    await healthy(up, true);
    await up.stop("web");
    await up.until("no client left", async () => (await up.descendants()).length === 0);
  });
});

describe("probes", () => {
  test("an exec probe that does not end is killed with all its processes", async ({ box }) => {
    const probe = `imp mark run ${box.path("runs")} fork { mark child ${box.path("runs")} pause } pause`;
    const up = await box.supervise(
      web("imp pause", `exec = "${probe}", ${FAST}, failures = 1000, on-failure = "mark"`),
    );
    await up.until("three checks", () => box.marks("runs").filter(({ word }) => word === "run").length >= 3);
    const { health } = await up.reaches("web", "running", (one) => (one.health?.failures_in_row ?? 0) >= 2);
    expect(health?.last.every(({ ok }) => !ok)).toBe(true);
    // The service, and at most one check at a time: its leader, that one's child.
    expect((await up.descendants()).length).toBeLessThanOrEqual(3);
  });

  test("what is bound to a sick service goes along", async ({ box }) => {
    const file = box.write("alive", "");
    const up = await box.supervise(
      [
        web("imp pause", `file = "${file}", ${FAST}`),
        '[service.app]\ncommand = "imp pause"\nrequires = [{ service = "web", bind = true }]',
      ].join("\n"),
    );
    await healthy(up, true);
    const { pid } = await up.reaches("app", "running");
    await box.run(["rm", file]);
    await up.reaches("app", ["stopping", "waiting", "starting", "running"], (one) => one.pid !== pid);
    box.write("alive", "");
    await healthy(up, true);
    await up.reaches("app", "running");
    const why = (await up.events()).find(({ service, to }) => service === "app" && to === "stopping");
    expect(why?.cause).toMatch(/^bound to web, which is stopped: unhealthy/);
  });
});

test("a lost brain forgets neither health nor watchdog", async ({ box }) => {
  const file = box.write("alive", "");
  const up = await box.supervise(web("imp pause", `file = "${file}", ${FAST}`), { bin: oneupFaults() });
  up.patient = true;
  const { pid } = await healthy(up, true);
  await up.post("/v1/debug/brain", { fault: "throw" });
  expect(await healthy(up, true)).toMatchObject({ pid });
  await box.run(["rm", file]);
  await up.reaches("web", ["stopping", "backoff", "starting", "running"], (one) => one.pid !== pid);
  expect((await up.events()).some(({ cause }) => cause?.startsWith("unhealthy: 3 checks"))).toBe(true);
});
