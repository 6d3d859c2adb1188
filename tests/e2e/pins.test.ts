/** Pins, masks, and tasks that handle failures. */
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { oneupFaults } from "./harness/paths.ts";

describe("pinned down", () => {
  test("is stopped with what requires it, and every start is refused or waits", async ({ box }) => {
    const up = await box.supervise(`[service.db]
command = "imp pause"
[service.web]
command = "imp pause"
requires = ["db"]`);
    await up.ready("web");
    const pinned = await up.cli(["pin", "db", "down"]);
    expect(pinned.code).toBe(0);
    await up.reaches("db", "inactive");
    expect(await up.state("web")).toBe("inactive");
    expect((await up.cli(["status"])).out).toMatch(/db +inactive, pinned down/);
    expect(await up.cli(["start", "db"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("oneup unpin db"),
    });
    const needs = await up.cli(["start", "web"]);
    expect(needs).toMatchObject({
      code: 1,
      err: expect.stringContaining("waits for db, which is pinned down"),
    });
    expect((await up.cli(["why", "web"])).out).toContain("is pinned down");
    expect((await up.cli(["unpin", "db"])).code).toBe(0);
    await up.ready("web");
    expect(await up.service("db")).toMatchObject({ state: "running", pinned: null, masked: false });
  });
});

describe("pinned up", () => {
  test("comes back from every end, and no stop but a shutdown takes it down", async ({ box }) => {
    const up = await box.supervise(`[service.db]
command = "imp pause"
[service.web]
command = "imp pause"
requires = ["db"]
restart = "never"
autostart = false
[service.rival]
command = "imp pause"
autostart = false
conflicts = ["web"]`);
    await up.ready("db");
    expect((await up.cli(["pin", "web", "up"])).code).toBe(0);
    const { pid } = await up.ready("web");
    expect(await up.service("web")).toMatchObject({ pinned: "up" });
    await up.strike("web");
    const again = await up.succeeded("web", pid ?? 0);
    expect(await up.cli(["stop", "web"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("oneup unpin web"),
    });
    expect((await up.cli(["stop", "db"])).code).toBe(0);
    expect(await up.service("web")).toMatchObject({ state: "running", pid: again.pid });
    expect(await up.cli(["start", "rival"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("conflicts with web, which is pinned up"),
    });
    // Its requirement comes back with it.
    await up.strike("web");
    await up.succeeded("web", again.pid ?? 0);
    expect(await up.state("db")).toBe("running");
    expect((await up.shutdown()).end.code).toBe(0);
  });
});

test("masked: what runs goes on, and is not started again", async ({ box }) => {
  const up = await box.supervise(`[service.a]\ncommand = "imp pause"\nrestart-delay = "10ms"`);
  const { pid } = await up.ready("a");
  expect((await up.cli(["mask", "a"])).code).toBe(0);
  expect(await up.service("a")).toMatchObject({ state: "running", masked: true, pid });
  await up.strike("a");
  const waiting = await up.reaches("a", "waiting");
  expect(waiting.cause).toBe("killed by signal KILL, not started again: it is masked");
  expect((await up.get("/health")).status).toBe(503);
  expect(await up.cli(["restart", "a"])).toMatchObject({ code: 1 });
  expect((await up.cli(["unmask", "a"])).code).toBe(0);
  await up.reaches("a", "running");
});

test("holds survive the loss of a brain", async ({ box }) => {
  const up = await box.supervise(
    `[service.a]\ncommand = "imp pause"\n[service.b]\ncommand = "imp pause"\nrestart = "never"`,
    { bin: oneupFaults() },
  );
  up.patient = true;
  await up.ready("b");
  await up.cli(["pin", "a", "down"]);
  await up.cli(["pin", "b", "up"]);
  await up.reaches("a", "inactive");
  await up.post("/v1/debug/brain", { fault: "throw" }, { deadlineMs: 60_000 });
  expect(await up.service("a")).toMatchObject({ state: "inactive", pinned: "down" });
  const { pid } = await up.service("b");
  await up.strike("b");
  await up.succeeded("b", pid ?? 0);
});

test("wrong use of pin is exit code 2", async ({ box }) => {
  const up = await box.supervise(`[service.a]\ncommand = "imp pause"`);
  expect((await up.cli(["pin", "a", "sideways"])).code).toBe(2);
  expect((await up.cli(["pin", "a"])).code).toBe(2);
  expect((await up.cli(["pin", "nobody", "up"])).code).toBe(4);
});

describe("on-failure = { run = … }", () => {
  const REPORT =
    "imp env ONEUP_FAILED_SERVICE env ONEUP_FAILED_CAUSE env ONEUP_EXIT_CODE env ONEUP_EXIT_SIGNAL";

  test("starts the task with the failure's details", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp exit 3"
restart = "never"
on-failure = { run = "report" }
[task.report]
command = "${REPORT}"
autostart = false`);
    await up.reaches("report", "exited");
    expect(await up.logText("report")).toEqual([
      "ONEUP_FAILED_SERVICE=a",
      "ONEUP_FAILED_CAUSE=exited with code 3",
      "ONEUP_EXIT_CODE=3",
      "ONEUP_EXIT_SIGNAL=(unset)",
    ]);
    const why = await up.why("report");
    expect(why.chain.some(({ because }) => because?.startsWith("a failed: exited with code 3"))).toBe(true);
  });

  test("at work already: once more afterwards, for the latest failure", async ({ box }) => {
    const failing = (name: string) => `[service.${name}]
command = "imp until ${box.path(name)} exit 1"
restart = "never"
on-failure = { run = "report" }
`;
    const up = await box.supervise(`${failing("a")}${failing("b")}${failing("c")}[task.report]
command = "imp env ONEUP_FAILED_SERVICE until ${box.path("go")}"
autostart = false`);
    for (const name of ["a", "b", "c"]) {
      box.write(name, "");
      await up.reaches(name, "failed");
    }
    await up.reaches("report", "running");
    box.write("go", "");
    await up.until("the second run", async () => (await up.logText("report")).length === 2);
    expect(await up.logText("report")).toEqual(["ONEUP_FAILED_SERVICE=a", "ONEUP_FAILED_SERVICE=c"]);
    await up.reaches("report", "exited");
  });

  test("handlers of each other end", async ({ box }) => {
    const up = await box.supervise(`[task.a]
command = "imp mark run ${box.path("a")} exit 1"
on-failure = { run = "b" }
[task.b]
command = "imp mark run ${box.path("b")} exit 1"
autostart = false
on-failure = { run = "a" }`);
    await up.reaches("b", "failed");
    await up.until("the end of it", () => up.err.includes("does not run a"));
    expect(box.words("a")).toEqual(["run"]);
    expect(box.words("b")).toEqual(["run"]);
  });
});
