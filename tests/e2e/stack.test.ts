/**
 * The real stack of examples/stack: PostgreSQL, Redis, nginx and an application, each as its own
 * user. Its parts are killed at random, and it has to get well by itself. Needs Debian's packages
 * postgresql, redis-server and nginx-light. Without root everything runs as the caller.
 */
import { existsSync, readdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type Box, expect, isRoot, test } from "./harness/box.ts";
import { root } from "./harness/paths.ts";
import { freePort, freePorts, takesConnections } from "./harness/ports.ts";
import { childrenOf, statusField } from "./harness/proc.ts";
import type { Supervisor } from "./harness/supervisor.ts";
import { pause } from "./harness/wait.ts";

const KILLING_MS = 25_000;
const parts = ["postgres", "redis", "app", "nginx"] as const;

/** Debian puts each major version into a folder of its own. */
function postgresBin(): string {
  const versions = readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a));
  return join("/usr/lib/postgresql", versions[0] ?? "", "bin");
}

interface Stack {
  readonly up: Supervisor;
  readonly ports: readonly number[];
  readonly http: number;
}

async function startStack(box: Box, ports: readonly number[]): Promise<Stack> {
  const [http = 0, app = 0, redis = 0, pg = 0] = ports;
  const up = await box.supervise("", {
    paths: [join(root, "examples/stack")],
    as: "child",
    // Without root: a namespace that keeps the user's own number, since PostgreSQL refuses root.
    ...(isRoot ? {} : { user: "nobody" as const }),
    env: {
      STACK_DIR: box.path("stack"),
      STACK_HTTP_PORT: String(http),
      STACK_APP_PORT: String(app),
      STACK_REDIS_PORT: String(redis),
      STACK_PG_PORT: String(pg),
      POSTGRES_BIN: postgresBin(),
      ...(isRoot ? {} : { STACK_USER: userInfo().username }),
    },
  });
  await up.until("the whole stack", async () => (await up.service("nginx")).ready, 90_000);
  return { up, ports, http };
}

interface Reply {
  readonly status: number;
  readonly visits: number;
  readonly notes: number;
}

/** A request through nginx; null if not even nginx answers. */
async function ask(http: number, note?: string): Promise<Reply | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${http}/`, {
      ...(note === undefined ? {} : { method: "POST", body: note }),
      headers: { connection: "close" },
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (response.status !== 200) return { status: response.status, visits: 0, notes: 0 };
    const { visits, notes } = JSON.parse(text) as { visits: number; notes: number };
    return { status: 200, visits, notes };
  } catch {
    return null;
  }
}

async function well({ up, http }: Stack): Promise<void> {
  await up.until(
    "every part to be up and a request to go through",
    async () => {
      const services = await up.services();
      if (!services.every((each) => each.ready)) return false;
      return (await ask(http))?.status === 200;
    },
    60_000,
  );
}

/** Every process below the supervisor belongs to a service, and none is dead. */
async function expectTidy({ up }: Stack): Promise<void> {
  await up.until("no zombie, no orphan", async () => {
    const below = await up.descendants();
    if (below.some((each) => each.state === "Z")) return false;
    let known = 0;
    for (const part of parts) {
      const processes = await up.ok("GET", `/v1/services/${part}/processes`);
      known += Array.isArray(processes) ? processes.length : 0;
    }
    // Between the two looks PostgreSQL may have started or ended a helper.
    return known === below.length;
  });
}

test("it comes up, survives the death of each part, and goes down without a trace", {
  timeout: 240_000,
}, async ({ box }) => {
  const ports = await freePorts(4);
  const stack = await startStack(box, ports);
  const { up, http } = stack;

  if (isRoot) {
    const expected = { postgres: "postgres", redis: "redis", app: "www-data", nginx: "www-data" };
    for (const [part, user] of Object.entries(expected)) {
      const uid = (await box.run(["id", "-u", user])).out.trim();
      expect(statusField(await up.servicePid(part), "Uid")?.split("\t"), part).toEqual([uid, uid, uid, uid]);
    }
  }

  // In the order of the dependencies.
  const ready = (await up.events()).filter(
    (each) => each.event === "ready" || each.to === "exited" || each.to === "running",
  );
  const first = (name: string) => ready.findIndex((each) => each.service === name);
  for (const [before, after] of [
    ["folders", "initdb"],
    ["initdb", "postgres"],
    ["postgres", "schema"],
    ["schema", "app"],
    ["redis", "app"],
    ["app", "nginx"],
  ] as const) {
    expect(first(before), `${before} before ${after}`).toBeLessThan(first(after));
  }

  expect(await ask(http, "a note")).toMatchObject({ status: 200, notes: 1 });
  let acknowledged = 1;
  let seed = 20_260_101;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed % below;
  };

  const end = Date.now() + KILLING_MS;
  const killed = new Map<string, number>();
  for (let round = 0; Date.now() < end || killed.size < parts.length; round++) {
    // Each part once, then at random; sometimes a helper instead of the main process.
    const part = parts[round < parts.length ? round : random(parts.length)] ?? "app";
    const pid = await up.servicePid(part);
    const former = await up.service(part);
    const since = (await up.events("?lines=1"))[0]?.seq ?? 0;
    const helper = round >= parts.length && random(4) === 0 ? childrenOf(pid).at(random(2)) : undefined;
    process.kill(helper?.pid ?? pid, "SIGKILL");
    killed.set(part, (killed.get(part) ?? 0) + 1);
    if (helper === undefined) await up.succeeded(part, former.pid ?? 0);
    await well(stack);
    await expectTidy(stack);
    if (helper === undefined && part === "postgres") {
      const events = (await up.events()).filter((each) => each.seq > since);
      const database = events.findIndex((each) => each.service === "postgres" && each.to === "running");
      const app = events.findIndex((each) => each.service === "app" && each.to === "starting");
      expect(app, "the application was bound to the database").toBeGreaterThan(0);
      expect(database).toBeLessThan(app);
    }
    const reply = await ask(http, `note ${round}`);
    if (reply?.status === 200) acknowledged++;
    await pause(random(120));
  }
  // What was acknowledged is kept, whatever was killed.
  expect((await ask(http))?.notes).toBeGreaterThanOrEqual(acknowledged);

  const mains = await Promise.all(parts.map(async (part) => (await up.service(part)).pid));
  const { receipts, end: left } = await up.shutdown();
  expect(left.code).toBe(0);
  const order = receipts.map((each) => each.service);
  for (const part of parts) expect(order).toContain(part);
  expect(order.indexOf("nginx")).toBeLessThan(order.indexOf("app"));
  expect(order.indexOf("app")).toBeLessThan(order.indexOf("postgres"));
  expect(receipts.every((each) => each.empty)).toBe(true);
  const processes = receipts.flatMap((each) => each.processes);
  expect(processes.filter((each) => each.killed)).toEqual([]);
  expect(processes.map((each) => each.pid)).toEqual(expect.arrayContaining(mains));
  // PostgreSQL was stopped in order, so it has taken its mark away.
  expect(existsSync(box.path("stack/postgres/data/postmaster.pid"))).toBe(false);
  for (const port of ports) expect(await takesConnections(port), `port ${port}`).toBe(false);

  // The same again: fast, and everything is still there.
  const again = await startStack(box, ports);
  expect(await again.up.logText("initdb")).toEqual([expect.stringMatching(/already/)]);
  expect((await ask(http))?.notes).toBeGreaterThanOrEqual(acknowledged);
  expect((await again.up.terminate()).code).toBe(0);
  for (const port of ports) expect(await takesConnections(port), `port ${port}`).toBe(false);
});

test("the quickstart comes up, its ticker comes back, it goes down", { timeout: 120_000 }, async ({
  box,
}) => {
  const port = await freePort();
  const up = await box.supervise("", {
    paths: [join(root, "examples/quickstart")],
    env: { PORT: String(port) },
  });
  await up.ready("web");
  await up.until("a job", async () =>
    (await up.logText("worker")).some((line) => /^job \d+ done$/.test(line)),
  );
  await up.until("a report", async () =>
    (await up.logText("report")).some((line) => /^\d+ jobs so far$/.test(line)),
  );
  await up.reaches("web", "running", (each) => each.healthy === true);
  const former = await up.service("ticker");
  await up.until("the ticker's crash", async () => (await up.service("ticker")).restarts > 0);
  await up.succeeded("ticker", former.pid ?? 0);
  const worker = await up.service("worker");
  await up.strike("web");
  await up.reaches("web", "running", (each) => each.restarts === 1 && each.ready);
  expect((await up.service("worker")).pid).toBe(worker.pid);
  expect((await up.terminate()).code).toBe(0);
  expect(up.lines()).toContainEqual(expect.stringMatching(/^ticker \| tick 1$/));
});
