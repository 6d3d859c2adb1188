/** Restarts: when, how soon, how often; tasks; what counts as success. */
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { pause, until } from "./harness/wait.ts";

describe("policy", () => {
  const cases: [string, string, number, "again" | "exited" | "failed"][] = [
    ["always", "exit 0", 0, "again"],
    ["always", "exit 1", 1, "again"],
    ["on-failure", "exit 0", 0, "exited"],
    ["on-failure", "exit 1", 1, "again"],
    ["never", "exit 0", 0, "exited"],
    ["never", "exit 1", 1, "failed"],
  ];
  for (const [policy, words, code, expected] of cases) {
    test(`${policy}, ${words}: ${expected}`, async ({ box }) => {
      const up = await box.supervise(
        `[service.a]\ncommand = "imp mark run ${box.path("runs")} ${words}"\nrestart = "${policy}"\nrestart-delay = "10ms"\nrestart-delay-max = "20ms"`,
      );
      if (expected === "again") {
        await until("three runs", () => box.marks("runs").length >= 3);
        const service = await up.service("a");
        expect(service.restarts).toBeGreaterThanOrEqual(2);
        expect(service.exit).toMatchObject({ code });
      } else {
        const service = await up.reaches("a", expected);
        expect(service).toMatchObject({ exit: { code }, pid: null, restarts: 0, started_at: null });
        expect(box.marks("runs")).toHaveLength(1);
      }
    });
  }

  test("the default is `always`", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp once ${box.path("first")} { exit 0 } pause"`);
    await up.reaches("a", "running", (one) => one.restarts === 1);
  });

  test("success-codes and no-restart-codes", async ({ box }) => {
    const up = await box.supervise(`
[service.good]
command = "imp exit 3"
restart = "on-failure"
success-codes = [0, 3]
[service.over]
command = "imp exit 78"
no-restart-codes = [78]
[service.fine]
command = "imp exit 5"
success-codes = [5]
no-restart-codes = [5]
[task.soft]
command = "imp exit 10"
success-codes = [10]
[service.after-soft]
command = "imp pause"
requires = ["soft"]
`);
    expect((await up.reaches("good", "exited")).exit).toMatchObject({ code: 3 });
    expect((await up.reaches("over", "failed")).restarts).toBe(0);
    expect((await up.reaches("fine", "exited")).restarts).toBe(0);
    await up.reaches("soft", "exited", (one) => one.ready);
    await up.reaches("after-soft", "running");
  });

  test("0 is no success where success-codes leave it out", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp exit 0"\nrestart = "never"\nsuccess-codes = [1]`,
    );
    expect((await up.reaches("a", "failed")).exit).toMatchObject({ code: 0 });
  });
});

describe("delay", () => {
  test("it doubles, is capped, and jitters by no more than a tenth", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp mark run ${box.path("runs")} exit 1"\nrestart-delay = "100ms"\nrestart-delay-max = "400ms"`,
    );
    await until("six runs", () => box.marks("runs").length >= 6);
    await up.stop("a");
    const at = box.marks("runs").map((mark) => mark.at / 1_000);
    const gaps = at.slice(1).map((each, n) => each - (at[n] ?? 0));
    for (const [n, expected] of [100, 200, 400, 400, 400].entries()) {
      expect(gaps[n], `gap ${n}`).toBeGreaterThanOrEqual(expected * 0.9 - 2);
    }
    // Upper bounds only relative, as the machine may be slow: the median of the capped ones.
    const states = await up.history("a");
    expect(states.filter((state) => state === "backoff").length).toBeGreaterThanOrEqual(5);
  });

  test("next_start_at tells when", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp exit 1"\nrestart-delay = "10s"`);
    const service = await up.reaches("a", "backoff");
    const inMs = Date.parse(service.next_start_at ?? "") - Date.now();
    expect(inMs).toBeGreaterThan(1_000);
    expect(inMs).toBeLessThanOrEqual(11_001);
    expect(service.cause).toMatch(/1/);
  });

  test("a healthy time starts it over", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp mark run ${box.path("runs")} unless ${box.path("good")} { exit 1 } sleep 300 remove ${box.path("good")} exit 1"
restart-delay = "50ms"\nrestart-delay-max = "10s"\nrestart-reset = "200ms"`,
    );
    // 50, 100, 200, 400 ms: then a run that lasts.
    await until("four runs", () => box.marks("runs").length >= 4);
    box.write("good", "");
    const before = await up.until("the long run", async () =>
      box.has("good") ? null : box.marks("runs").length,
    );
    await until("two more runs", () => box.marks("runs").length >= before + 2);
    const at = box.marks("runs").map((mark) => mark.at / 1_000);
    // Behind the long run: 300 ms of it and one first delay; the delay that was due would be 800 ms or more.
    const behindLong = (at[before] ?? 0) - (at[before - 1] ?? 0);
    expect(behindLong).toBeGreaterThanOrEqual(300 + 45 - 2);
    const events = (await up.events()).filter((each) => each.to === "backoff");
    expect(events.length).toBeGreaterThan(4);
  });

  test("no delay: again in the same step", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"\nrestart-delay = "0s"`);
    for (let n = 1; n <= 5; n++) {
      const { pid } = await up.reaches("a", "running", (one) => one.restarts === n - 1);
      await up.strike("a");
      await up.succeeded("a", pid ?? 0);
    }
    expect(await up.history("a")).not.toContain("backoff");
  });

  test("a start asked for during backoff starts at once", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp once ${box.path("first")} { exit 1 } pause"\nrestart-delay = "10m"\nrestart-delay-max = "10m"`,
    );
    await up.reaches("a", "backoff");
    expect((await up.start("a")).state).toBe("running");
  });
});

describe("limit", () => {
  test("more than restart-limit in restart-window: failed, and it says so", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp mark run ${box.path("runs")} exit 1"\nrestart-delay = "0s"\nrestart-limit = 3\nrestart-window = "1m"`,
    );
    const service = await up.reaches("a", "failed");
    expect(box.marks("runs")).toHaveLength(4);
    expect(service.cause).toMatch(/3/);
    expect(service.exit).toMatchObject({ code: 1 });
    const health = await up.get("/health");
    expect(health.status).toBe(503);
    expect(health.text).toContain("a");
  });

  test("a start asked for afterwards begins anew", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp mark run ${box.path("runs")} unless ${box.path("good")} { exit 1 } pause"\nrestart-delay = "0s"\nrestart-limit = 2`,
    );
    await up.reaches("a", "failed");
    box.write("good", "");
    expect((await up.start("a")).state).toBe("running");
    await up.strike("a");
    await up.reaches("a", "running", (one) => one.restarts >= 1);
  });

  test("slow enough is never too often", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp mark run ${box.path("runs")} exit 1"\nrestart-delay = "120ms"\nrestart-delay-max = "120ms"\nrestart-limit = 2\nrestart-window = "200ms"`,
    );
    await until("eight runs", () => box.marks("runs").length >= 8);
    expect(["backoff", "running", "starting"]).toContain(await up.state("a"));
  });
});

describe("tasks", () => {
  test("runs once; success is ready; a dependent's pull does not run it again", async ({ box }) => {
    const up = await box.supervise(`
[task.t]
command = "imp mark run ${box.path("runs")} exit 0"
[service.a]
command = "imp pause"
requires = [{ task = "t" }]`);
    await up.reaches("a", "running");
    expect(await up.service("t")).toMatchObject({ kind: "task", state: "exited", ready: true });
    await up.restart("a");
    expect(box.marks("runs")).toHaveLength(1);
    await up.start("t");
    expect(box.marks("runs")).toHaveLength(2);
  });

  test("failure: failed, the dependent waits, names it, and starts when it succeeds", async ({ box }) => {
    const up = await box.supervise(`
[task.t]
command = "imp unless ${box.path("good")} { exit 4 }"
[service.a]
command = "imp pause"
requires = ["t"]`);
    expect((await up.reaches("t", "failed")).exit).toMatchObject({ code: 4 });
    const waiting = await up.reaches("a", "waiting");
    expect(waiting.cause).toMatch(/\bt\b/);
    expect(waiting.waiting_for).toEqual(["t"]);
    box.write("good", "");
    await up.start("t");
    await up.reaches("a", "running");
  });

  test("with `restart` it is tried again", async ({ box }) => {
    const up = await box.supervise(`
[task.t]
command = "imp mark run ${box.path("runs")} once ${box.path("1")} { exit 1 } once ${box.path("2")} { exit 1 } exit 0"
restart = "on-failure"
restart-delay = "10ms"`);
    await up.reaches("t", "exited");
    expect(box.marks("runs")).toHaveLength(3);
  });

  test("no time limit unless it is set", async ({ box }) => {
    const up = await box.supervise(`
[task.limited]
command = "imp pause"
start-timeout = "200ms"
[task.free]
command = "imp pause"`);
    const failed = await up.reaches("limited", "failed");
    expect(failed.cause).toMatch(/200ms/);
    expect((await up.service("free")).pid).not.toBeNull();
  });
});

describe("start-timeout", () => {
  test("not ready in time: stopped, a failed run, with the cause", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp leave TERM ${box.path("marks")} 0 0 touch ${box.path("up")} pause"
ready = { file = "${box.path("never")}" }
start-timeout = "300ms"
restart = "never"`);
    const failed = await up.reaches("a", "failed");
    expect(failed.cause).toMatch(/not ready within 300ms/);
    expect(box.words("marks")).toEqual(["TERM", "done"]);
  });

  test("the restart rule applies, and a start asked for fails with the cause", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp mark run ${box.path("runs")} pause"
ready = { file = "${box.path("never")}" }
start-timeout = "200ms"
restart-delay = "50ms"
autostart = false`);
    const end = await up.cli(["start", "a"]);
    expect(end.code).toBe(1);
    expect(end.err).toMatch(/not ready within 200ms/);
    await until("another run", () => box.marks("runs").length >= 2);
    box.write("never", "");
    await up.ready("a");
  });
});

describe("a storm", () => {
  test("fifty services that crash at once do not keep the supervisor from answering", async ({ box }) => {
    const up = await box.supervise(
      Array.from(
        { length: 50 },
        (_, n) =>
          `[service.s${n}]\ncommand = "imp exit 1"\nrestart-delay = "20ms"\nrestart-delay-max = "100ms"`,
      ).join("\n"),
    );
    await up.until("a thousand restarts", async () => {
      const all = await up.services();
      return all.reduce((sum, one) => sum + one.restarts, 0) > 1_000;
    });
    await up.noZombies();
    expect((await up.terminate()).code).toBe(0);
  });

  test("restart-delay = 0 and an immediate exit: the socket still answers, a stop works", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp exit 1"\nrestart-delay = "0s"`);
    await up.until("many restarts", async () => (await up.service("a")).restarts > 200);
    await up.stop("a");
    const { restarts } = await up.service("a");
    await pause(200);
    expect(await up.service("a")).toMatchObject({ state: "inactive", restarts });
  });
});
