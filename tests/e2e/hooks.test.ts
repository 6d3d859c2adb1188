/** Hooks, the stop command and reload, with real programs: order is proved by what they write. */
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import { oneupFaults } from "./harness/paths.ts";
import { freePorts, takesConnections } from "./harness/ports.ts";
import type { Supervisor } from "./harness/supervisor.ts";
import { until } from "./harness/wait.ts";

/** All four hooks and the main process leave a mark in one file. */
function marking(box: Box, more = ""): string {
  const mark = (word: string) => `imp mark ${word} ${box.path("order")}`;
  return `[service.a]
command = "${mark("main")} leave TERM ${box.path("order")} 0 0 pause"
restart-delay = "20ms"
${more}
[service.a.hooks]
before-start = "${mark("before-start")}"
after-start = "${mark("after-start")}"
before-stop = "${mark("before-stop")}"
after-exit = "${mark("after-exit")}"
`;
}

const LIFE = ["before-start", "main", "after-start", "before-stop", "TERM", "done", "after-exit"];

describe("order", () => {
  test("of a whole life, by what each wrote", async ({ box }) => {
    const up = await box.supervise(marking(box));
    await box.wordsOf("order", 3);
    const receipts = await up.stop("a");
    expect(await up.state("a")).toBe("inactive");
    const words = box.words("order");
    // The main process marks its start by itself, so that may come after what is beside it.
    expect(words.filter((word) => word !== "main")).toEqual(LIFE.filter((word) => word !== "main"));
    expect(words.indexOf("main")).toBeGreaterThan(0);
    expect(receipts).toHaveLength(1);
    expect(receipts[0]?.processes).toMatchObject([{ signals: ["TERM", "CONT"], exit: { code: 0 } }]);
    expect(await up.descendants()).toEqual([]);
    await up.noZombies();
  });

  test("of a crash: after-exit, then the next run", async ({ box }) => {
    const up = await box.supervise(marking(box));
    await box.wordsOf("order", 3);
    const former = await up.strike("a");
    await up.succeeded("a", former);
    const words = await box.wordsOf("order", 7);
    const rest = words.slice(3);
    expect(rest[0]).toBe("after-exit");
    expect(rest[1]).toBe("before-start");
    expect([...rest.slice(2)].sort()).toEqual(["after-start", "main"]);
  });

  test("of a shutdown by a signal: everything, then the end", async ({ box }) => {
    const up = await box.supervise(marking(box));
    await box.wordsOf("order", 3);
    const end = await up.terminate();
    expect(end.code).toBe(0);
    expect(box.words("order").slice(3)).toEqual(LIFE.slice(3));
  });

  test("others wait for the state, not for the hook", async ({ box }) => {
    const up = await box.supervise(`[service.db]
command = "imp pause"
hooks = { before-start = "imp until ${box.path("go")}" }
[service.web]
command = "imp pause"
requires = ["db"]
[service.other]
command = "imp pause"`);
    await up.ready("other");
    const why = await up.why("web");
    expect(await up.states()).toMatchObject({ db: "starting", web: "waiting" });
    expect(
      why.chain.some(
        (entry) => entry.service === "db" && /before-start hook runs as pid/.test(entry.because ?? ""),
      ),
    ).toBe(true);
    box.write("go", "");
    await up.ready("web");
  });
});

test("each hook gets what it should know, and writes to the service's logs", async ({ box }) => {
  const env = ["SERVICE", "HOOK", "CAUSE", "RESTARTS", "PID", "EXIT_CODE", "EXIT_SIGNAL"];
  const tell = `imp ${env.map((name) => `env ONEUP_${name}`).join(" ")} env OWN`;
  const up = await box.supervise(`[service.a]
command = "imp sleep 100 exit 7"
environment = { OWN = "mine" }
restart = "never"
[service.a.hooks]
before-start = "${tell}"
after-start = "${tell}"
after-exit = "${tell}"
`);
  await up.reaches("a", "failed");
  const lines = async (hook: string) => {
    const records = await up.logs("a");
    return records.flatMap((record) =>
      "line" in record && record.service === `a/${hook}` ? [record.line] : [],
    );
  };
  expect(await lines("before-start")).toEqual([
    "ONEUP_SERVICE=a",
    "ONEUP_HOOK=before-start",
    "ONEUP_CAUSE=starts with the supervisor",
    "ONEUP_RESTARTS=0",
    "ONEUP_PID=(unset)",
    "ONEUP_EXIT_CODE=(unset)",
    "ONEUP_EXIT_SIGNAL=(unset)",
    "OWN=mine",
  ]);
  expect((await lines("after-start"))[4]).toMatch(/^ONEUP_PID=\d+$/);
  const after = await lines("after-exit");
  expect(after[2]).toBe("ONEUP_CAUSE=exited with code 7");
  expect(after.slice(4, 7)).toEqual(["ONEUP_PID=(unset)", "ONEUP_EXIT_CODE=7", "ONEUP_EXIT_SIGNAL=(unset)"]);
  expect(up.lines()).toContain("a/before-start | ONEUP_HOOK=before-start");
  const shown = await up.cli(["logs", "a"]);
  expect(shown.out).toContain("a/after-exit | ONEUP_EXIT_CODE=7\n");
});

test("death by a signal is told to after-exit", async ({ box }) => {
  const up = await box.supervise(`[service.a]
command = "imp pause"
restart = "never"
hooks = { after-exit = "imp env ONEUP_EXIT_SIGNAL env ONEUP_EXIT_CODE" }`);
  await up.ready("a");
  await up.strike("a", "SIGSEGV");
  await up.reaches("a", "failed");
  expect(await up.logText("a")).toEqual(["ONEUP_EXIT_SIGNAL=SEGV", "ONEUP_EXIT_CODE=(unset)"]);
});

describe("a hook that fails", () => {
  test("before-start: a failed run, and the limit counts", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp mark main ${box.path("main")} pause"
restart-delay = "10ms"
restart-limit = 2
hooks = { before-start = "imp mark hook ${box.path("hook")} exit 3" }`);
    const { cause } = await up.reaches("a", "failed");
    expect(cause).toBe(
      "more than 2 restarts within 1m, last: its before-start hook failed: exited with code 3",
    );
    expect(box.words("hook")).toHaveLength(3);
    expect(box.has("main")).toBe(false);
    expect((await up.cli(["start", "a"])).err).toContain("before-start hook failed");
  });

  test("one that cannot be found names the step", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp pause"
restart = "never"
hooks = { before-start = "no-such-program" }`);
    const { cause } = await up.reaches("a", "failed");
    expect(cause).toMatch(/^its before-start hook failed: cannot start: exec: .*ENOENT/);
  });

  test("too slow: killed with its whole tree", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp pause"
restart = "never"
[service.a.hooks]
before-start = "imp ignore TERM fork { setsid ignore TERM touch ${box.path("deep")} pause } orphan { ignore TERM touch ${box.path("orphan")} pause } pause"
timeout = "700ms"`);
    await until("its processes", () => box.has("deep") && box.has("orphan"));
    const { cause } = await up.reaches("a", "failed");
    expect(cause).toBe("its before-start hook failed: not done within 700ms");
    expect(await up.descendants()).toEqual([]);
  });

  test("what it leaves behind is stopped before the start", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp mark main ${box.path("order")} pause"
hooks = { before-start = "imp orphan { setsid leave TERM ${box.path("order")} 100 0 touch ${box.path("up")} pause } until ${box.path("up")}" }`);
    await up.ready("a");
    expect(await box.wordsOf("order", 3)).toEqual(["TERM", "done", "main"]);
    expect(await up.descendants()).toHaveLength(1);
  });

  test("after-start and after-exit: told, and nothing else", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp pause"
hooks = { after-start = "imp exit 5", after-exit = "imp exit 6" }`);
    await up.reaches(
      "a",
      "running",
      ({ cause }) => cause === "its after-start hook failed: exited with code 5",
    );
    await up.stop("a");
    const told = (text: string) => up.until(text, () => up.err.includes(`${text}\n`));
    await told("a: its after-start hook failed: exited with code 5");
    await told("a: its after-exit hook failed: exited with code 6");
    expect(await up.state("a")).toBe("inactive");
  });
});

describe("asked in the middle", () => {
  test("a stop during before-start ends the hook, and main never runs", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp mark main ${box.path("main")} pause"
[service.a.hooks]
before-start = "imp touch ${box.path("in")} pause"
after-exit = "imp mark after ${box.path("after")}"`);
    await until("the hook", () => box.has("in"));
    const receipts = await up.stop("a");
    expect(await up.state("a")).toBe("inactive");
    expect(receipts).toMatchObject([
      { service: "a", empty: true, processes: [{ exit: { signal: "TERM" } }] },
    ]);
    expect(box.has("main")).toBe(false);
    expect(box.words("after")).toEqual(["after"]);
  });

  test("a stop waits for after-exit, also for one that runs already", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp pause"
hooks = { after-exit = "imp mark in ${box.path("after")} until ${box.path("go")} mark out ${box.path("after")}" }`);
    await up.ready("a");
    await up.strike("a");
    await box.wordsOf("after", 1);
    const stopping = up.stop("a");
    await up.reaches("a", "stopping", ({ cause }) => cause?.startsWith("stop asked") === true);
    box.write("go", "");
    await stopping;
    expect(await up.state("a")).toBe("inactive");
    expect(box.words("after")).toEqual(["in", "out"]);
  });

  test("kill during before-stop reaches the service, not the hook", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp on USR1 ${box.path("got")} pause"
hooks = { before-stop = "imp touch ${box.path("in")} until ${box.path("go")}" }`);
    await up.ready("a");
    const stopping = up.stop("a");
    await until("the hook", () => box.has("in"));
    expect((await up.cli(["kill", "a", "USR1"])).code).toBe(0);
    expect(await box.wordsOf("got", 1)).toEqual(["USR1"]);
    box.write("go", "");
    await stopping;
  });

  test("a second TERM to the supervisor waits for no hook", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp pause"
[service.a.hooks]
before-stop = "imp ignore TERM touch ${box.path("in")} pause"
after-exit = "imp touch ${box.path("after")}"`);
    await up.ready("a");
    await up.signal("SIGTERM");
    await until("the hook", () => box.has("in"));
    await up.signal("SIGTERM");
    expect((await up.ends()).code).toBe(0);
    expect(box.has("after")).toBe(false);
  });

  test("the shutdown's deadline ends a hook that hangs", async ({ box }) => {
    const up = await box.supervise(`[supervisor]
shutdown-timeout = "600ms"
[service.a]
command = "imp pause"
hooks = { before-stop = "imp ignore TERM pause" }`);
    await up.ready("a");
    expect((await up.terminate()).code).toBe(0);
    expect(up.err).toContain("killing what is left: not done within 600ms");
  });
});

test("main's exit code is kept, and its after-exit runs before the supervisor leaves", async ({ box }) => {
  const up = await box.supervise(
    `[service.a]
command = "imp until ${box.path("go")} exit 42"
main = true
hooks = { after-exit = "imp sleep 100 mark after ${box.path("after")}" }`,
  );
  await up.ready("a");
  box.write("go", "");
  expect((await up.ends()).code).toBe(42);
  expect(box.words("after")).toEqual(["after"]);
});

test("a task succeeds only after its after-exit", async ({ box }) => {
  const up = await box.supervise(`[task.t]
command = "imp mark task ${box.path("order")}"
hooks = { before-start = "imp mark before ${box.path("order")}", after-exit = "imp sleep 50 mark after ${box.path("order")}" }
[service.a]
command = "imp mark service ${box.path("order")} pause"
requires = [{ task = "t" }]`);
  await up.ready("a");
  expect(await box.wordsOf("order", 4)).toEqual(["before", "task", "after", "service"]);
});

describe("the stop command", () => {
  test("redis-cli shutdown: no signal was needed, and the receipt says so", async ({ box }) => {
    const socket = box.path("redis.sock");
    const up = await box.supervise(`[service.redis]
command = "redis-server --port 0 --unixsocket ${socket} --save '' --dir ${box.folder}"
ready = { exec = "redis-cli -s ${socket} ping" }
stop = { command = "redis-cli -s ${socket} shutdown nosave" }`);
    const { pid } = await up.ready("redis");
    const receipts = await up.stop("redis");
    expect(receipts).toMatchObject([
      { service: "redis", empty: true, processes: [{ pid, signals: [], exit: { code: 0 }, killed: false }] },
    ]);
    expect(await up.service("redis")).toMatchObject({ state: "inactive", exit: { code: 0 } });
    expect((await up.logText("redis")).some((line) => line.includes("User requested shutdown"))).toBe(true);
  });

  test("gets the pid; one that fails costs no time", async ({ box }) => {
    const up = await box.supervise(`[service.good]
command = "imp leave USR1 ${box.path("good")} 0 0 touch ${box.path("up")} pause"
stop = { command = { command = "kill -USR1 $ONEUP_PID", shell = true }, timeout = "60s" }
[service.bad]
command = "imp leave TERM ${box.path("bad")} 0 0 touch ${box.path("up2")} pause"
stop = { command = "imp exit 9", timeout = "60s" }`);
    await until("both", () => box.has("up") && box.has("up2"));
    await up.stop("good");
    expect(box.words("good")).toEqual(["USR1", "done"]);
    await up.stop("bad");
    expect(box.words("bad")).toEqual(["TERM", "done"]);
    await up.until("the news", () => up.err.includes("bad: its stop command failed: exited with code 9\n"));
  });

  test("that has no effect: the signal when its time is over", async ({ box }) => {
    const up = await box.supervise(`[service.a]
command = "imp leave TERM ${box.path("a")} 0 0 touch ${box.path("up")} pause"
stop = { command = "imp exit 0", timeout = "400ms" }`);
    await until("it", () => box.has("up"));
    const [receipt] = await up.stop("a");
    expect(box.words("a")).toEqual(["TERM", "done"]);
    expect(receipt?.duration_ms).toBeGreaterThanOrEqual(390);
  });
});

describe("reload", () => {
  function nginxConfiguration(box: Box, port: number): void {
    box.write(
      "nginx.conf",
      `daemon off; pid ${box.path("nginx.pid")}; error_log stderr notice; worker_processes 1;
events {} http { access_log off; client_body_temp_path ${box.path("t1")}; proxy_temp_path ${box.path("t2")};
fastcgi_temp_path ${box.path("t3")}; uwsgi_temp_path ${box.path("t4")}; scgi_temp_path ${box.path("t5")};
server { listen 127.0.0.1:${port}; return 200 "ok"; } }`,
    );
  }

  for (const [way, reload] of [
    ["HUP", '{ signal = "HUP" }'],
    ["command", '{ command = "nginx -c FILE -s reload" }'],
  ] as const) {
    test(`nginx by ${way}: the new port, the same process`, async ({ box }) => {
      const [before = 0, after = 0] = await freePorts(2);
      nginxConfiguration(box, before);
      const up = await box.supervise(`[service.nginx]
command = "nginx -c ${box.path("nginx.conf")}"
ready = { tcp = ${before} }
stop = { signal = "QUIT" }
reload = ${reload.replace("FILE", box.path("nginx.conf"))}`);
      const { pid } = await up.ready("nginx");
      nginxConfiguration(box, after);
      const end = await up.cli(["reload", "nginx"]);
      expect(end.err).toBe("");
      expect(end.code).toBe(0);
      await up.until("the new port", () => takesConnections(after));
      expect((await up.service("nginx")).pid).toBe(pid);
      const events = await up.events();
      expect(events.filter(({ event }) => event === "reload").at(-1)?.cause).toBe("reloaded");
    });
  }

  test("what cannot be reloaded: exit code 1 and the next step", async ({ box }) => {
    const up = await box.supervise(`[service.none]
command = "imp pause"
[service.down]
command = "imp pause"
autostart = false
reload = { signal = "HUP" }
[service.bad]
command = "imp pause"
reload = { command = "imp say trying exit 4" }
[service.slow]
command = "imp pause"
reload = { command = "imp pause", timeout = "300ms" }`);
    await up.ready("none");
    const of = (name: string) => up.cli(["reload", name]);
    expect(await of("none")).toMatchObject({ code: 1, err: expect.stringContaining("oneup restart none") });
    expect(await of("down")).toMatchObject({ code: 1, err: expect.stringContaining("not running") });
    expect(await of("nobody")).toMatchObject({ code: 4 });
    const bad = await of("bad");
    expect(bad).toMatchObject({ code: 1, err: expect.stringContaining("reload failed: exited with code 4") });
    expect(await up.logText("bad")).toContain("trying");
    expect(await of("slow")).toMatchObject({
      code: 1,
      err: expect.stringContaining("not done within 300ms"),
    });
    expect((await up.cli(["reload", "bad", "down"])).code).toBe(1);
    expect(await up.state("bad")).toBe("running");
  });
});

describe("a brain lost in the middle", () => {
  async function supervise(box: Box, text: string): Promise<Supervisor> {
    const up = await box.supervise(text, { bin: oneupFaults() });
    up.patient = true;
    return up;
  }

  async function lose(up: Supervisor): Promise<void> {
    const answer = await up.post("/v1/debug/brain", { fault: "throw" }, { deadlineMs: 60_000 });
    expect(answer.status).toBe(503);
  }

  /** A hook that marks its beginning, waits for the word, and marks its end. */
  const slow = (box: Box, hook: string) =>
    `${hook} = "imp mark ${hook} ${box.path("order")} until ${box.path(hook)} mark ${hook}-end ${box.path("order")}"`;

  test("of each hook: it goes on, and runs no second time", async ({ box }) => {
    const hooks = ["before-start", "after-start", "before-stop", "after-exit"];
    const up = await supervise(
      box,
      `[service.a]
command = "imp pause"
stop = { command = "imp mark stop ${box.path("order")} until ${box.path("stop")} exit 1" }
[service.a.hooks]
${hooks.map((hook) => slow(box, hook)).join("\n")}`,
    );
    const through = async (count: number, hook: string) => {
      await box.wordsOf("order", count);
      await lose(up);
      await lose(up);
      box.write(hook, "");
    };
    await through(1, "before-start");
    await up.ready("a");
    await through(3, "after-start");
    await box.wordsOf("order", 4);
    await up.until(
      "a brain that hears it",
      async () => (await up.post("/v1/services/a/stop?wait=false")).status === 202,
    );
    await through(5, "before-stop");
    await through(7, "stop");
    await through(8, "after-exit");
    await up.reaches("a", "inactive");
    expect(box.words("order")).toEqual([
      "before-start",
      "before-start-end",
      "after-start",
      "after-start-end",
      "before-stop",
      "before-stop-end",
      "stop",
      "after-exit",
      "after-exit-end",
    ]);
  });

  test("of a reload command", async ({ box }) => {
    const up = await supervise(
      box,
      `[service.a]
command = "imp pause"
reload = { command = "imp mark in ${box.path("order")} until ${box.path("go")} mark out ${box.path("order")}" }`,
    );
    await up.ready("a");
    expect((await up.post("/v1/services/a/reload?wait=false")).status).toBe(202);
    await box.wordsOf("order", 1);
    await lose(up);
    box.write("go", "");
    await up.until("the end of the reload", async () =>
      (await up.events()).some(({ event, cause }) => event === "reload" && cause === "reloaded"),
    );
    expect(box.words("order")).toEqual(["in", "out"]);
  });
});
