/**
 * The brain is disposable. Whatever ends it, children live, logs flow, deadlines hold and requests
 * get an answer or a clean 503. Needs the build with fault injection, dist/oneup-faults.
 */
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import type { Answer, Raw } from "./harness/http.ts";
import { oneupFaults } from "./harness/paths.ts";
import { commandLine, isAlive, memoryOf, processOf } from "./harness/proc.ts";
import * as shapes from "./harness/shapes.ts";
import type { Supervisor } from "./harness/supervisor.ts";
import { until } from "./harness/wait.ts";

const faults = ["throw", "loop", "memory", "stack"] as const;
type Fault = (typeof faults)[number];

/** Its client asks again after a clean 503, as the documentation says. */
async function supervise(box: Box, text: string): Promise<Supervisor> {
  const up = await box.supervise(text, { bin: oneupFaults() });
  up.patient = true;
  return up;
}

/** Asks the brain to die. The asking request is itself one that the brain still owed an answer. */
function lose(up: Supervisor, fault: Fault): Promise<Answer> {
  return up.post("/v1/debug/brain", { fault }, { deadlineMs: 60_000 });
}

/** What the supervisor says of each kind of loss; QuickJS words the last two. */
const REASONS: Readonly<Record<Fault, RegExp>> = {
  throw: /the brain was lost \(a fault was asked for/,
  loop: /the brain was lost \(its time for one batch ran out/,
  memory: /the brain was lost \([^\n]*out of memory/,
  stack: /the brain was lost \([^\n]*(stack|recursion)/i,
};

for (const fault of faults) {
  test(`${fault} is a loss of its own kind`, async ({ box }) => {
    const up = await supervise(box, `[service.a]\ncommand = "imp pause"`);
    const pid = await up.servicePid("a");
    expectCleanRefusal(await lose(up, fault));
    await up.until("the reason", () => REASONS[fault].test(up.err));
    expect(await up.servicePid("a")).toBe(pid);
  });
}

function expectCleanRefusal(answer: Answer): void {
  expect(answer.status, answer.text).toBe(503);
  expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
  expect(answer.headers["retry-after"]).toBe("1");
  expect(shapes.problem.parse(answer.json()).status).toBe(503);
}

/** A small, seeded source of numbers, so that a failing round can be had again. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A client that never stops asking; every answer must be 200 or a clean 503. */
class Asker {
  readonly bad: string[] = [];
  answered = 0;
  refused = 0;
  #stop = false;
  readonly #done: Promise<void>;

  constructor(up: Supervisor) {
    this.#done = this.#ask(up);
  }

  async #ask(up: Supervisor): Promise<void> {
    const paths = [
      "/v1/services",
      "/health",
      "/v1/services/writer",
      "/v1/events?lines=5",
      "/v1/services/writer/logs?lines=3",
    ];
    for (let n = 0; !this.#stop; n++) {
      const path = paths[n % paths.length] ?? "";
      try {
        const answer = await up.get(path, { deadlineMs: 20_000 });
        if (answer.status === 200) this.answered++;
        else if (answer.status === 503 && (path === "/health" || answer.headers["retry-after"] === "1"))
          this.refused++;
        else this.bad.push(`${path}: ${answer.status} ${answer.text}`);
      } catch (error) {
        this.bad.push(`${path}: ${String(error)}`);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await this.#done;
  }
}

/** Numbers of a `count` writer: consecutive from the first on? Returns the first gap, or null. */
function gap(numbers: readonly number[]): string | null {
  for (let n = 1; n < numbers.length; n++) {
    if (numbers[n] !== (numbers[n - 1] ?? 0) + 1) return `${numbers[n - 1]} then ${numbers[n]}`;
  }
  return null;
}

const numbersIn = (text: string) => [...text.matchAll(/^\d+ (\d+)$/gm)].map((match) => Number(match[1]));

/** The services of the long run. Those called `still` nobody touches. */
function world(box: Box): string {
  const run = (name: string) => `imp mark run ${box.path(name)}`;
  const plain = (name: string, more: string) =>
    `[service.${name}]\ncommand = "${run(name)} leave TERM ${box.path(name)} 10 0 pause"\nrestart-delay = "0s"\nstop = { timeout = "10s" }\n${more}\n`;
  return [
    `[service.writer]\ncommand = "${run("writer")} count 2"\nlog = { file = "writer.log", console = false, lines = 200 }\n`,
    `[task.setup]\ncommand = "${run("setup")} exit 0"\n`,
    plain("still-db", 'requires = ["setup"]'),
    `[service.still-app]\ncommand = "${run("still-app")} orphan { setsid pause } fork { pause } pause"\nrequires = ["still-db"]\n`,
    plain("s0", 'requires = ["setup"]'),
    plain("s1", 'requires = ["s0"]'),
    plain("s2", 'wants = ["s1"]'),
    plain("s3", ""),
    plain("s4", "autostart = false"),
  ].join("");
}

/** No service has more than one main process. */
async function expectNoTwins(up: Supervisor, box: Box): Promise<void> {
  const lines = (await up.descendants()).map((each) => commandLine(each.pid));
  for (const name of ["writer", "still-db", "s0", "s1", "s2", "s3", "s4"]) {
    const mains = lines.filter((line) => line[1] === "mark" && line[3] === box.path(name));
    expect(mains.length, `processes of ${name}`).toBeLessThanOrEqual(1);
  }
}

const LOSSES_EACH = 25;

for (const [index, fault] of faults.entries()) {
  test(`${LOSSES_EACH} seeded losses by ${fault}: against crashes, stops, restarts and writers`, {
    timeout: 240_000,
  }, async ({ box }) => {
    const random = seeded(1_000 + index);
    const up = await supervise(box, world(box));
    for (const name of ["s2", "s3", "still-app", "writer"]) await up.reaches(name, "running");
    const still = {
      app: await up.service("still-app"),
      db: await up.service("still-db"),
      writer: await up.service("writer"),
    };
    const follower = await follow(up, "writer");
    const asker = new Asker(up);
    const services = ["s0", "s1", "s2", "s3"];

    for (let loss = 0; loss < LOSSES_EACH; loss++) {
      const name = services[random(services.length)] ?? "s0";
      const action = ["none", "crash", "stop", "restart", "start-stop", "crash-late"][random(6)];
      const before = await up.service(name);
      const pending: Promise<unknown>[] = [];
      const post = (path: string) => pending.push(up.post(path, undefined, { deadlineMs: 60_000 }));
      // What the last round began may still be going on: then there is nothing to strike.
      const outer = before.pid === null ? null : await up.outerPid(before.pid).catch(() => null);
      if (action === "crash" && outer !== null) process.kill(outer, "SIGKILL");
      if (action === "stop") post(`/v1/services/${name}/stop`);
      if (action === "restart") post(`/v1/services/${name}/restart`);
      if (action === "start-stop") {
        post("/v1/services/s4/start");
        post("/v1/services/s4/stop");
      }
      const death = lose(up, fault);
      if (action === "crash-late" && outer !== null) process.kill(outer, "SIGKILL");
      expectCleanRefusal(await death);
      for (const answer of (await Promise.all(pending)) as Answer[]) {
        // Done before the loss, lost with the brain, or failed because the other one won.
        if (answer.status === 503) expectCleanRefusal(answer);
        else expect([200, 409, 500], answer.text).toContain(answer.status);
      }
      await expectNoTwins(up, box);
      // Whatever became of the request: the same asked again is done.
      for (const each of services) await startAgain(up, each);
      await up.ok("POST", "/v1/services/s4/stop");
      await up.noZombies();
    }

    await asker.stop();
    expect(asker.bad).toEqual([]);
    expect(asker.answered).toBeGreaterThan(LOSSES_EACH);
    expect(await up.service("still-app")).toMatchObject({
      pid: still.app.pid,
      restarts: 0,
      started_at: still.app.started_at,
      state: "running",
    });
    expect(await up.service("still-db")).toMatchObject({ pid: still.db.pid, restarts: 0, state: "running" });
    expect(box.words("still-app")).toEqual(["run"]);
    expect(box.words("setup")).toEqual(["run"]);
    expect(box.words("writer")).toEqual(["run"]);
    expect(await up.state("s4")).toBe("inactive");

    // No line lost: the file from its first line on, the ring, the follower.
    expect(gap(numbersIn(await fileOf(box, "writer.log")))).toBeNull();
    expect(gap((await up.logText("writer")).map((line) => Number(line.split(" ")[1])))).toBeNull();
    const followed = [...follower.text.matchAll(/"line":"\d+ (\d+)"/g)].map((match) => Number(match[1]));
    expect(followed.length).toBeGreaterThan(100);
    expect(gap(followed)).toBeNull();
    follower.drop();

    const { receipts, end } = await up.shutdown();
    expect(end.code).toBe(0);
    expect(receipts.every((each) => each.empty)).toBe(true);
  });
}

/** A start that may meet a brain on its way out. */
async function startAgain(up: Supervisor, name: string): Promise<void> {
  await up.until(`${name} to be up`, async () => {
    const answer = await up.post(`/v1/services/${name}/start`);
    if (answer.status === 503) return false;
    if (answer.status !== 200) throw new Error(answer.text);
    return true;
  });
}

async function follow(up: Supervisor, name: string): Promise<Raw> {
  const raw = await up.raw();
  raw.send(`GET /v1/services/${name}/logs?follow=true HTTP/1.1\r\nhost: x\r\n\r\n`);
  await until("the stream", () => raw.text.includes("data:"));
  return raw;
}

async function fileOf(box: Box, name: string): Promise<string> {
  const text = box.read(name);
  return text.slice(0, text.lastIndexOf("\n") + 1);
}

describe("what is in flight when the brain is lost", () => {
  for (const fault of faults) {
    test(`${fault}: the KILL deadline of a stop holds, the receipt is kept`, async ({ box }) => {
      const up = await supervise(
        box,
        `[service.a]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "600ms" }\nrestart-delay = "0s"`,
      );
      await until("the service", () => box.has("up"));
      const pid = await up.servicePid("a");
      const stopping = up.post("/v1/services/a/stop");
      await up.reaches("a", "stopping");
      expectCleanRefusal(await lose(up, fault));
      expectCleanRefusal(await stopping);
      await until("the KILL", () => !isAlive(pid));
      await up.reaches("a", "inactive");
      const receipt = await up.until("the receipt", async () =>
        (await up.events()).find((each) => each.event === "receipt" && each.service === "a"),
      );
      expect(receipt.receipt).toMatchObject({ empty: true, processes: [{ killed: true }] });
    });
  }

  test("a backoff: neither forgotten nor cut short", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.a]\ncommand = "imp mark run ${box.path("runs")} exit 1"\nrestart-delay = "1500ms"\nrestart-delay-max = "1500ms"`,
    );
    await up.reaches("a", "backoff");
    for (const fault of ["throw", "stack", "throw"] as const) expectCleanRefusal(await lose(up, fault));
    await until("the next run", () => box.marks("runs").length >= 2);
    const [first, second] = box.marks("runs");
    expect(((second?.at ?? 0) - (first?.at ?? 0)) / 1_000).toBeGreaterThanOrEqual(1_350 - 5);
    expect((await up.service("a")).restarts).toBeGreaterThanOrEqual(1);
  });

  test("a task in the middle of its run: it is not run again", async ({ box }) => {
    const up = await supervise(
      box,
      `[task.t]\ncommand = "imp mark run ${box.path("runs")} until ${box.path("go")} exit 0"\n[service.a]\ncommand = "imp pause"\nrequires = ["t"]`,
    );
    await until("the task", () => box.has("runs"));
    expectCleanRefusal(await lose(up, "throw"));
    await up.reaches("a", "waiting");
    box.write("go", "");
    await up.reaches("a", "running");
    expectCleanRefusal(await lose(up, "memory"));
    expect(await up.state("t")).toBe("exited");
    expect(box.marks("runs")).toHaveLength(1);
  });

  test("a death during the loss is digested by the successor", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.a]\ncommand = "imp mark run ${box.path("a")} pause"\nrestart-delay = "0s"
[task.t]\ncommand = "imp until ${box.path("go")} exit 3"
[service.b]\ncommand = "imp until ${box.path("go")} exit 0"\nrestart = "never"`,
    );
    const { pid } = await up.reaches("a", "running");
    await up.reaches("b", "running");
    const outer = await up.servicePid("a");
    // The loop keeps the brain busy for its whole budget: all this happens meanwhile.
    const death = lose(up, "loop");
    process.kill(outer, "SIGKILL");
    box.write("go", "");
    await until("the nucleus to reap it", () => processOf(outer) === null);
    expectCleanRefusal(await death);
    await up.succeeded("a", pid ?? 0);
    expect((await up.service("a")).restarts).toBe(1);
    expect((await up.reaches("t", "failed")).exit).toMatchObject({ code: 3 });
    expect((await up.reaches("b", "exited")).exit).toMatchObject({ code: 0 });
    expect(await box.wordsOf("a", 2)).toEqual(["run", "run"]);
  });

  test("readiness: a probe that was forgotten is asked again, a line that came meanwhile counts", async ({
    box,
  }) => {
    const up = await supervise(
      box,
      `[service.file]\ncommand = "imp pause"\nready = { file = "${box.path("ok")}" }
[service.exec]\ncommand = "imp pause"\nready = { exec = "test -e ${box.path("ok")}" }
[service.log]\ncommand = "imp until ${box.path("say")} say 'I am up' pause"\nready = { log = "I am up" }
[service.delay]\ncommand = "imp pause"\nready = { delay = "500ms" }`,
    );
    for (const name of ["file", "exec", "log", "delay"])
      await up.reaches(name, "starting", (each) => each.pid !== null);
    const death = lose(up, "loop");
    box.write("say", "");
    expectCleanRefusal(await death);
    box.write("ok", "");
    for (const name of ["file", "exec", "log", "delay"]) {
      const service = await up.ready(name);
      expect(service.restarts, name).toBe(0);
    }
    // No probe of the former brain is left behind.
    await up.until("four processes", async () => (await up.descendants()).length === 4);
  });

  test("start-timeout still comes", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.a]\ncommand = "imp pause"\nready = { file = "${box.path("never")}" }\nstart-timeout = "1s"\nrestart = "never"`,
    );
    await up.reaches("a", "starting", (each) => each.pid !== null);
    expectCleanRefusal(await lose(up, "throw"));
    expect((await up.reaches("a", "failed")).cause).toMatch(/not ready within 1s/);
  });

  test("a restart in flight comes to its end, or to nothing; never to two processes", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.a]\ncommand = "imp mark run ${box.path("a")} leave TERM ${box.path("a")} 200 0 pause"\nstop = { timeout = "10s" }`,
    );
    const runs = () => box.words("a").filter((word) => word === "run").length;
    for (let round = 0; round < 6; round++) {
      // Each restart that has begun is finished, and once.
      await until(`run ${round + 1}`, () => runs() === round + 1);
      await up.reaches("a", "running");
      const restart = up.post("/v1/services/a/restart");
      await up.reaches("a", "stopping");
      expectCleanRefusal(await lose(up, faults[round % 4] ?? "throw"));
      await restart;
      await up.reaches("a", "running");
      expect((await up.descendants()).length).toBe(1);
    }
    await until("the last run", () => runs() === 7);
  });

  test("TERM comes while the brain does not listen", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.a]\ncommand = "imp leave TERM ${box.path("a")} 50 0 touch ${box.path("up")} pause"`,
    );
    await until("the service", () => box.has("up"));
    const death = lose(up, "loop").catch(() => null);
    await up.signal("SIGTERM");
    expect((await up.ends()).code).toBe(0);
    await death;
    expect(box.words("a")).toEqual(["TERM", "done"]);
  });

  test("in the middle of a shutdown", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.a]\ncommand = "imp leave TERM ${box.path("a")} 700 0 touch ${box.path("up")} pause"
[service.b]\ncommand = "imp leave TERM ${box.path("b")} 100 0 touch ${box.path("b-up")} pause"\nrequires = ["a"]
[supervisor]\nshutdown-timeout = "30s"`,
    );
    await until("both", () => box.has("up") && box.has("b-up"));
    const shutdown = up.post("/v1/shutdown");
    await up.reaches("a", "stopping");
    expectCleanRefusal(await lose(up, "throw"));
    await shutdown;
    expect((await up.ends()).code).toBe(0);
    expect(box.words("a")).toEqual(["TERM", "done"]);
    expect(box.words("b")).toEqual(["TERM", "done"]);
  });

  test("main ends while there is no brain: its exit code is kept", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.app]\ncommand = "imp until ${box.path("go")} exit 42"\nmain = true`,
    );
    await up.reaches("app", "running");
    const death = lose(up, "loop").catch(() => null);
    box.write("go", "");
    expect((await up.ends()).code).toBe(42);
    await death;
  });

  test("orphans are reaped while the brain hangs", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.a]\ncommand = "imp orphan { touch ${box.path("born")} until ${box.path("go")} } pause"`,
    );
    await until("the orphan", () => box.has("born"));
    const main = await up.servicePid("a");
    const orphan = (await up.descendants()).find((each) => each.pid !== main)?.pid ?? 0;
    let over = false;
    const death = lose(up, "loop").then((answer) => {
      over = true;
      return answer;
    });
    box.write("go", "");
    await until("its reaping", () => processOf(orphan) === null, { everyMs: 2 });
    expect(over).toBe(false);
    expectCleanRefusal(await death);
  });

  test("dependents that wait, a limit that counts, causes that explain: all survive", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.root]\ncommand = "/no/such/program"
[service.leaf]\ncommand = "imp pause"\nrequires = ["root"]
[service.storm]\ncommand = "imp exit 1"\nrestart-delay = "0s"\nrestart-limit = 3`,
    );
    await up.reaches("storm", "failed");
    const before = await up.services();
    for (const fault of faults) expectCleanRefusal(await lose(up, fault));
    const after = await up.services();
    expect(after).toEqual(before);
    expect(JSON.stringify((await up.why("leaf")).chain)).toMatch(/ENOENT|no such/i);
  });
});

/** Asks until the brain has digested so many batches that nobody doubts its health. */
async function provesWell(up: Supervisor): Promise<void> {
  for (let n = 0; n < 20; n++) await up.services();
}

test("a hundred losses, one after another: no memory of former brains, no line lost", async ({ box }) => {
  const up = await supervise(
    box,
    `[service.a]\ncommand = "imp count 1"\nlog = { file = "a.log", console = false }`,
  );
  const { pid } = await up.reaches("a", "running");
  for (let n = 0; n < 100; n++) {
    expectCleanRefusal(await lose(up, n % 10 === 0 ? (faults[(n / 10) % 4] ?? "throw") : "throw"));
    await provesWell(up);
  }
  expect(await up.service("a")).toMatchObject({ state: "running", pid, restarts: 0 });
  expect(gap(numbersIn(await fileOf(box, "a.log")))).toBeNull();
  expect(memoryOf(await up.pid(), "Rss")).toBeLessThan(40 * 1024);
  expect((await up.terminate()).code).toBe(0);
});

test("a brain that dies over and over is started more and more slowly; TERM still ends everything", async ({
  box,
}) => {
  const up = await supervise(
    box,
    `[service.a]\ncommand = "imp leave TERM ${box.path("a")} 50 0 touch ${box.path("up")} pause"`,
  );
  await until("the service", () => box.has("up"));
  // Each is asked to die as soon as it answers at all.
  for (let n = 0; n < 7; n++) {
    await until("a brain to ask", async () => (await lose(up, "throw")).status === 503);
    await up.services();
  }
  const death = lose(up, "throw");
  await up.signal("SIGTERM");
  await up.ends();
  await death.catch(() => {});
  expect(box.words("a")).toEqual(["TERM", "done"]);
});

test("the verbs of the command line get over a loss by themselves", async ({ box }) => {
  const up = await supervise(
    box,
    `[service.a]\ncommand = "imp pause"\n[service.b]\ncommand = "imp pause"\nautostart = false`,
  );
  await up.reaches("a", "running");
  for (const fault of faults) {
    const death = lose(up, fault);
    const [status, start, stop] = await Promise.all([
      up.cli(["status", "a"]),
      up.cli(["start", "b"]),
      up.cli(["stop", "b"]),
    ]);
    expectCleanRefusal(await death);
    expect(status.code, status.err).toBe(0);
    // They raced each other; neither fails for want of a brain.
    expect([0, 1]).toContain(start.code);
    expect(start.err + stop.err).not.toMatch(/503/);
    expect(stop.code, stop.err).toBe(0);
  }
});

test("the ordinary build has no such command", async ({ box }) => {
  const up = await box.supervise(`[service.a]\ncommand = "imp pause"`);
  const answer = await up.post("/v1/debug/brain", { fault: "throw" });
  expect(answer.status).toBe(404);
});
