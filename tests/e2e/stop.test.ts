/** Stopping: the whole tree, a verified empty set, a receipt. And a stop at any awkward moment. */
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { isAlive } from "./harness/proc.ts";
import type { Receipt, ReceiptProcess } from "./harness/shapes.ts";
import { pause, until } from "./harness/wait.ts";

function only(receipts: readonly Receipt[], service: string): Receipt {
  const found = receipts.filter((receipt) => receipt.service === service);
  expect(found).toHaveLength(1);
  return found[0] as Receipt;
}

const ends = (receipt: Receipt): ReceiptProcess["exit"][] => receipt.processes.map((each) => each.exit);

describe("the whole tree gets TERM and may finish", () => {
  for (const as of ["init", "child"] as const) {
    test(`main, group, session, daemonised; supervisor as ${as}`, async ({ box }) => {
      const leave = (name: string) => `leave TERM ${box.path(name)} 150 0 touch ${box.path(`${name}-up`)}`;
      const up = await box.supervise(
        `[service.a]
command = "imp fork { ${leave("group")} pause } fork { setsid ${leave("session")} pause } orphan { setsid fork { ${leave("daemon")} pause } } ${leave("main")} pause"
stop = { timeout = "20s" }`,
        { as },
      );
      const names = ["main", "group", "session", "daemon"];
      await until("all four", () => names.every((name) => box.has(`${name}-up`)));
      const { pid } = await up.service("a");
      const receipt = only(await up.stop("a"), "a");
      expect(receipt.empty).toBe(true);
      for (const name of names) expect(box.words(name)).toEqual(["TERM", "done"]);
      expect(receipt.processes).toHaveLength(4);
      expect(receipt.processes.every((each) => !each.killed && each.left_ms !== null)).toBe(true);
      expect(receipt.processes.every((each) => each.signals.join() === "TERM,CONT")).toBe(true);
      expect(receipt.processes.every((each) => each.command.includes("imp"))).toBe(true);
      const main = receipt.processes.find((each) => each.pid === pid);
      expect(main).toMatchObject({ found: "child", exit: { code: 0 } });
      expect(await up.service("a")).toMatchObject({ state: "inactive", pid: null, ready: false });
      expect(await up.descendants()).toEqual([]);
      expect(receipt.duration_ms).toBeGreaterThan(100);
    });
  }

  test("the leader leaves on TERM, a member of its group ignores it: KILL at the deadline", async ({
    box,
  }) => {
    const up = await box.supervise(`[service.a]
command = "imp fork { ignore TERM touch ${box.path("member")} pause } pause"
stop = { timeout = "400ms" }`);
    await until("the member", () => box.has("member"));
    const receipt = only(await up.stop("a"), "a");
    expect(receipt.empty).toBe(true);
    expect(receipt.duration_ms).toBeGreaterThanOrEqual(400);
    const killed = receipt.processes.filter((each) => each.killed);
    expect(killed).toHaveLength(1);
    expect(killed[0]?.signals).toEqual(["TERM", "CONT", "KILL"]);
    expect(ends(receipt)).toContainEqual({ signal: "TERM" });
    expect(await up.descendants()).toEqual([]);
  });

  test("a member that called setsid and ignores TERM", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp fork { setsid ignore TERM touch ${box.path("member")} pause } pause"
stop = { timeout = "300ms" }`);
    await until("the member", () => box.has("member"));
    const receipt = only(await up.stop("a"), "a");
    expect(receipt.processes.filter((each) => each.killed)).toHaveLength(1);
    expect(await up.descendants()).toEqual([]);
  });

  test("a daemonised member that ignores TERM, its parents long gone", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp orphan { setsid orphan { ignore TERM touch ${box.path("member")} pause } } pause"
stop = { timeout = "300ms" }`);
    await until("the member", () => box.has("member"));
    const receipt = only(await up.stop("a"), "a");
    const killed = receipt.processes.filter((each) => each.killed);
    expect(killed).toHaveLength(1);
    expect(killed[0]?.exit).toEqual({ signal: "KILL" });
    expect(await up.descendants()).toEqual([]);
  });

  test("a stopped (SIGSTOP) service is asked to stop: CONT lets it hear the TERM", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp leave TERM ${box.path("marks")} 0 0 touch ${box.path("up")} pause"
stop = { timeout = "20s" }`);
    await until("the service", () => box.has("up"));
    const pid = await up.strike("a", "SIGSTOP");
    await until("it to be stopped", async () =>
      (await up.descendants()).some((one) => one.pid === pid && one.state === "T"),
    );
    const receipt = only(await up.stop("a"), "a");
    expect(receipt.processes).toMatchObject([
      { signals: ["TERM", "CONT"], killed: false, exit: { code: 0 } },
    ]);
    expect(box.words("marks")).toEqual(["TERM", "done"]);
  });

  test("every TERM makes another child that ignores it: still an empty set", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp breed TERM ${box.path("marks")} 3 touch ${box.path("up")} pause"
stop = { timeout = "500ms" }`);
    await until("the service", () => box.has("up"));
    const receipt = only(await up.stop("a"), "a");
    expect(receipt.empty).toBe(true);
    expect(box.words("marks")).toContain("born");
    expect(receipt.processes.filter((each) => each.killed).length).toBeGreaterThanOrEqual(2);
    expect(await up.descendants()).toEqual([]);
  });

  test("a service that keeps making orphans while it is stopped", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp ignore TERM touch ${box.path("up")} repeat 1000000 { orphan { setsid sleep 100 } }"
stop = { timeout = "500ms" }`);
    await until("the service", () => box.has("up"));
    const receipt = only(await up.stop("a"), "a");
    expect(receipt.empty).toBe(true);
    await up.until("no process", async () => (await up.descendants()).length === 0);
    expect(await up.state("a")).toBe("inactive");
  });

  test("what a leader leaves behind is ended before the next run starts", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp mark start ${box.path("marks")} once ${box.path("first")} { fork { leave TERM ${box.path("marks")} 300 0 touch ${box.path("up")} pause } until ${box.path("up")} exit 5 } pause"
restart-delay = "0s"`);
    const second = await up.reaches("a", "running", (one) => one.restarts === 1);
    expect(second.exit).toMatchObject({ code: 5 });
    expect(await box.wordsOf("marks", 4)).toEqual(["start", "TERM", "done", "start"]);
    const causes = (await up.events()).map((event) => event.cause ?? "");
    expect(causes.some((cause) => /left|behind|remain/.test(cause))).toBe(true);
  });

  test("`tree = false`: the set is the process group, no more", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]
command = "imp fork { on TERM ${box.path("group")} touch ${box.path("g-up")} pause } fork { setsid on TERM ${box.path("session")} hello touch ${box.path("s-up")} pause } pause"
stop = { tree = false, timeout = "300ms" }`,
      { as: "child" },
    );
    await until("both", () => box.has("g-up") && box.has("s-up"));
    await up.reaches("a", "running");
    const inner = Number(/hello (\d+)/.exec((await up.logText("a")).join("\n"))?.[1]);
    const outsider = await up.outerPid(inner);
    const receipt = only(await up.stop("a"), "a");
    expect(receipt.processes.map((each) => each.pid)).not.toContain(inner);
    expect(box.words("group")).toEqual(["TERM"]);
    expect(box.words("session")).toEqual([]);
    expect(isAlive(outsider)).toBe(true);
    // It is swept at the end, with a receipt of its own.
    const { receipts, end } = await up.shutdown();
    expect(end.code).toBe(0);
    const rest = receipts.find((each) => each.service === null);
    expect(rest?.processes.map((each) => each.pid)).toContain(inner);
    expect(isAlive(outsider)).toBe(false);
  });

  test("another signal, told by its name", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp leave INT ${box.path("marks")} 0 0 touch ${box.path("up")} pause"
stop = { signal = "INT", timeout = "20s" }`);
    await until("the service", () => box.has("up"));
    const receipt = only(await up.stop("a"), "a");
    expect(receipt.processes).toMatchObject([{ signals: ["INT", "CONT"] }]);
    expect(box.words("marks")).toEqual(["INT", "done"]);
  });

  test("the event stream carries the receipt", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"`);
    await up.reaches("a", "running");
    const receipt = only(await up.stop("a"), "a");
    const found = (await up.events()).filter((event) => event.event === "receipt" && event.service === "a");
    expect(found.map((event) => event.receipt)).toEqual([receipt]);
  });
});

describe("a stop at an awkward moment", () => {
  test("during waiting: inactive at once", async ({ box }) => {
    const up = await box.supervise(`
[service.slow]
command = "imp pause"
ready = { file = "${box.path("never")}" }
[service.a]
command = "imp touch ${box.path("started")} pause"
requires = ["slow"]`);
    await up.reaches("a", "waiting", (one) => one.waiting_for.includes("slow"));
    expect(await up.stop("a")).toEqual(expect.any(Array));
    expect(await up.service("a")).toMatchObject({ state: "inactive", waiting_for: [] });
    box.write("never", "");
    await up.ready("slow");
    expect(await up.state("a")).toBe("inactive");
    expect(box.has("started")).toBe(false);
  });

  test("during starting: the process is stopped, nothing starts afterwards", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp mark start ${box.path("marks")} pause"
ready = { file = "${box.path("never")}" }`);
    await up.reaches("a", "starting", (one) => one.pid !== null);
    await box.wordsOf("marks", 1);
    const receipt = only(await up.stop("a"), "a");
    expect(receipt.processes).toHaveLength(1);
    expect(await up.state("a")).toBe("inactive");
    expect(box.words("marks")).toEqual(["start"]);
  });

  test("during backoff: the timer is forgotten", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp mark start ${box.path("marks")} exit 1"
restart-delay = "700ms"
restart-delay-max = "700ms"`);
    const waiting = await up.reaches("a", "backoff");
    expect(waiting.next_start_at).not.toBeNull();
    await up.stop("a");
    const count = box.marks("marks").length;
    expect(await up.service("a")).toMatchObject({ state: "inactive", next_start_at: null });
    await pause(1_000);
    expect(box.marks("marks")).toHaveLength(count);
    expect(await up.state("a")).toBe("inactive");
  });

  test("during a probe: the probe's own tree goes too", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp pause"
ready = { exec = "imp fork { ignore TERM setsid pause } touch ${box.path("probing")} pause" }`);
    await until("the probe", () => box.has("probing"));
    await up.stop("a");
    await up.until("no process", async () => (await up.descendants()).length === 0);
    expect(await up.state("a")).toBe("inactive");
  });

  test("during a stop: both callers get the answer, one set of signals", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp leave TERM ${box.path("marks")} 400 0 touch ${box.path("up")} pause"
stop = { timeout = "20s" }`);
    await until("the service", () => box.has("up"));
    const [first, second] = await Promise.all([up.stop("a"), up.stop("a")]);
    expect(only(first, "a").empty).toBe(true);
    expect(only(second, "a").empty).toBe(true);
    expect(box.words("marks")).toEqual(["TERM", "done"]);
  });

  test("a start during a stop: it runs again after the stop has ended", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp mark start ${box.path("marks")} leave TERM ${box.path("marks")} 300 0 touch ${box.path("up")} pause"
stop = { timeout = "20s" }`);
    await until("the service", () => box.has("up"));
    const stopping = up.call("POST", "/v1/services/a/stop");
    await up.reaches("a", "stopping");
    const started = await up.start("a");
    expect(started.state).toBe("running");
    // Whether a stop that was overtaken counts as done is a matter of taste; its proof is not.
    const { text } = await stopping;
    expect(text).toMatch(/"empty":true/);
    expect(await box.wordsOf("marks", 4)).toEqual(["start", "TERM", "done", "start"]);
  });

  test("a restart in flight, then a stop: the stop wins", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp mark start ${box.path("marks")} leave TERM ${box.path("marks")} 300 0 touch ${box.path("up")} pause"
stop = { timeout = "20s" }`);
    await until("the service", () => box.has("up"));
    const restarting = up.call("POST", "/v1/services/a/restart");
    await up.reaches("a", "stopping");
    await up.stop("a");
    const answer = await restarting;
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(await up.state("a")).toBe("inactive");
    expect(box.words("marks")).toEqual(["start", "TERM", "done"]);
  });

  test("a stop of what crashes at the same time never brings it back", async ({ box }) => {
    const up = await box.supervise(
      Array.from(
        { length: 10 },
        (_, n) => `[service.s${n}]\ncommand = "imp pause"\nrestart-delay = "0s"`,
      ).join("\n"),
    );
    for (let round = 0; round < 10; round++) {
      const name = `s${round}`;
      await up.reaches(name, "running");
      const pid = await up.servicePid(name);
      const stopping = up.stop(name);
      process.kill(pid, "SIGKILL");
      await stopping;
      expect((await up.service(name)).state).toBe("inactive");
    }
    await up.until("no process", async () => (await up.descendants()).length === 0);
  });

  test("a stop with a time limit of the caller's: 504, and the stop goes on", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp ignore TERM touch ${box.path("up")} pause"
stop = { timeout = "1500ms" }`);
    await until("the service", () => box.has("up"));
    const answer = await up.post("/v1/services/a/stop?timeout=100ms");
    expect(answer.status).toBe(504);
    expect(answer.headers["content-type"]).toMatch(/application\/problem\+json/);
    await up.reaches("a", "inactive");
  });

  test("a stop without waiting answers at once", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp ignore TERM touch ${box.path("up")} pause"
stop = { timeout = "1s" }`);
    await until("the service", () => box.has("up"));
    const answer = await up.post("/v1/services/a/stop?wait=false");
    expect(answer.status).toBeLessThan(300);
    expect(await up.state("a")).toBe("stopping");
    await up.reaches("a", "inactive");
  });
});

describe("kill", () => {
  test("the main process, the group, the tree", async ({ box }) => {
    const words = (name: string) => `on USR1 ${box.path(name)} touch ${box.path(`${name}-up`)}`;
    const up = await box.supervise(`[service.a]
command = "imp fork { ${words("group")} pause } fork { setsid ${words("session")} pause } ${words("main")} pause"`);
    const names = ["main", "group", "session"];
    await until("all", () => names.every((name) => box.has(`${name}-up`)));
    const counts = () => names.map((name) => box.marks(name).length);
    const kill = (body: unknown) => up.ok("POST", "/v1/services/a/kill", body);
    await kill({ signal: "USR1" });
    await until("main", () => counts().join() === "1,0,0");
    await kill({ signal: "USR1", scope: "group" });
    await until("group", () => counts().join() === "2,1,0");
    await kill({ signal: "USR1", scope: "tree" });
    await until("tree", () => counts().join() === "3,2,1");
    expect((await up.service("a")).restarts).toBe(0);
  });

  test("TERM if nothing is said, and the restart rule applies", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"\nrestart-delay = "0s"`);
    const { pid } = await up.reaches("a", "running");
    await up.ok("POST", "/v1/services/a/kill");
    const second = await up.succeeded("a", pid ?? 0);
    expect(second).toMatchObject({ restarts: 1, exit: { signal: "TERM" } });
  });

  test("an unknown signal or scope is refused", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"`);
    await up.reaches("a", "running");
    expect((await up.post("/v1/services/a/kill", { signal: "NOPE" })).status).toBe(400);
    expect((await up.post("/v1/services/a/kill", { scope: "world" })).status).toBe(400);
    expect((await up.service("a")).restarts).toBe(0);
  });
});
