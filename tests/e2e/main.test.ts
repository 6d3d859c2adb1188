/** `main`: the service whose end is the supervisor's; and other reasons to leave. */
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { until } from "./harness/wait.ts";

for (const as of ["init", "child"] as const) {
  describe(`supervisor as ${as}`, () => {
    for (const code of [0, 7, 255]) {
      test(`main ends with ${code}: so does the supervisor, after an ordered shutdown`, async ({ box }) => {
        const up = await box.supervise(
          `[service.helper]
command = "imp leave TERM ${box.path("helper")} 100 0 touch ${box.path("up")} pause"
[service.app]
command = "imp until ${box.path("go")} exit ${code}"
main = true
requires = ["helper"]`,
          { as },
        );
        await until("the helper", () => box.has("up"));
        await up.reaches("app", "running");
        box.write("go", "");
        expect((await up.ends()).code).toBe(code);
        expect(box.words("helper")).toEqual(["TERM", "done"]);
        expect(box.has("s1")).toBe(false);
      });
    }
  });
}

test("a signal: 128 + its number", async ({ box }) => {
  const up = await box.supervise(`[service.app]\ncommand = "imp pause"\nmain = true`);
  await up.reaches("app", "running");
  await up.strike("app", "SIGKILL");
  expect((await up.ends()).code).toBe(137);
});

test("a main task", async ({ box }) => {
  const up = await box.supervise(`[task.job]\ncommand = "imp exit 3"\nmain = true`, { noWait: true });
  expect((await up.ends()).code).toBe(3);
});

test("it cannot be started: 127 or 126", async ({ box }) => {
  const missing = await box.supervise(`[service.app]\ncommand = "/no/such/program"\nmain = true`, {
    noWait: true,
  });
  expect((await missing.ends()).code).toBe(127);
  box.write("plain", "", 0o644);
  const plain = await box.supervise(`[service.app]\ncommand = "${box.path("plain")}"\nmain = true`, {
    noWait: true,
  });
  expect((await plain.ends()).code).toBe(126);
});

test("with a restart rule only its end for good counts", async ({ box }) => {
  const up = await box.supervise(
    `[service.app]\ncommand = "imp mark run ${box.path("runs")} exit 4"\nmain = true\nrestart = "on-failure"\nrestart-delay = "10ms"\nrestart-limit = 2`,
    { noWait: true },
  );
  expect((await up.ends()).code).toBe(4);
  expect(box.marks("runs")).toHaveLength(3);
});

test("an asked-for stop of it is not its end", async ({ box }) => {
  const up = await box.supervise(
    `[service.app]\ncommand = "imp pause"\nmain = true\n[service.b]\ncommand = "imp pause"`,
  );
  await up.reaches("app", "running");
  await up.stop("app");
  expect(await up.states()).toEqual({ app: "inactive", b: "running" });
  await up.start("app");
  expect(await up.state("app")).toBe("running");
});

test("TERM: an asked-for shutdown leaves with 0, whatever main says", async ({ box }) => {
  const up = await box.supervise(
    `[service.app]\ncommand = "imp leave TERM ${box.path("app")} 0 9 touch ${box.path("up")} pause"\nmain = true`,
  );
  await until("main", () => box.has("up"));
  expect((await up.terminate()).code).toBe(0);
});

test('on-failure = "shutdown": 1, in order', async ({ box }) => {
  const up = await box.supervise(`
[service.other]
command = "imp leave TERM ${box.path("other")} 50 0 touch ${box.path("up")} pause"
[service.a]
command = "imp until ${box.path("go")} exit 5"
restart = "never"
on-failure = "shutdown"
requires = ["other"]`);
  await until("the other", () => box.has("up"));
  await up.reaches("a", "running");
  box.write("go", "");
  expect((await up.ends()).code).toBe(1);
  expect(box.words("other")).toEqual(["TERM", "done"]);
});

test("nothing left to do is no reason to leave", async ({ box }) => {
  const up = await box.supervise(`[task.t]\ncommand = "imp exit 0"`);
  await up.reaches("t", "exited");
  expect((await up.services()).length).toBe(1);
  expect((await up.terminate()).code).toBe(0);
});

test("a second shutdown request during the first: both are answered, KILL, 0", async ({ box }) => {
  const up = await box.supervise(
    `[service.a]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "10m" }\n[supervisor]\nshutdown-timeout = "20m"`,
  );
  await until("the service", () => box.has("up"));
  const first = up.post("/v1/shutdown");
  await up.reaches("a", "stopping");
  const second = up.post("/v1/shutdown");
  expect([(await first).status, (await second).status]).toEqual([200, 200]);
  expect((await up.ends()).code).toBe(0);
});

test("a start during the shutdown is refused", async ({ box }) => {
  const up = await box.supervise(
    `[service.a]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "1s" }\n[service.b]\ncommand = "imp touch ${box.path("b")} pause"\nautostart = false`,
  );
  await until("the service", () => box.has("up"));
  const shutdown = up.post("/v1/shutdown");
  await up.reaches("a", "stopping");
  const start = await up.post("/v1/services/b/start");
  expect(start.status).toBeGreaterThanOrEqual(400);
  expect(start.status).toBeLessThan(600);
  expect((await shutdown).status).toBe(200);
  expect((await up.ends()).code).toBe(0);
  expect(box.has("b")).toBe(false);
});
