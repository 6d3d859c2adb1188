/** The scenarios of restarts, failures, health and ends. */
import { createServer, type RequestListener, type Server } from "node:http";
import { describe } from "vitest";
import { expect, type Horust, ours, pause, TELL, test } from "./harness.ts";

const FOREVER = "while true; do sleep 0.2; done";

describe("restart", () => {
  for (const [attempts, code] of [
    [0, 101],
    [1, 0],
  ] as const) {
    test(`21: attempts = ${attempts}`, async ({ horust }) => {
      const once = horust.path("file.temp");
      const script = `[ -e ${once} ] || { touch ${once}; exit 1; }; echo done`;
      const more = `[healthiness]\nfile-path = "${horust.path("never")}"\n[restart]\nattempts = ${attempts}`;
      horust.script("a", script, more);
      expect((await horust.run([TELL])).code).toBe(code);
    });
  }

  test("22: on-failure", async ({ horust }) => {
    const once = horust.path("file.temp");
    const script = `[ -e ${once} ] && exit 0; touch ${once}; sleep 1; exit 1`;
    horust.script("a", script, '[restart]\nstrategy = "on-failure"\nattempts = 0');
    expect((await horust.run([TELL])).code).toBe(0);
  });

  const SIGNALS =
    "ABRT BUS FPE HUP ILL INT KILL PIPE POLL PROF QUIT SEGV SYS TERM TRAP USR1 USR2 VTALRM XCPU XFSZ";
  // The original ignores PIPE for its services, so bash cannot die from it there either: it goes on.
  for (const signal of SIGNALS.split(" ")) {
    test(`23: always, killed by ${signal}`, async ({ horust }) => {
      const script = `echo restarting >> ${horust.path("runs")}; ulimit -c 0; kill -${signal} $$`;
      horust.script("a", script, '[restart]\nstrategy = "always"');
      horust.start();
      await horust.lines("runs", 2);
      expect(horust.running.over).toBe(false);
    });
  }

  test("24: always, after each success", async ({ horust }) => {
    horust.script(
      "a",
      `echo restarting >> ${horust.path("runs")}; sleep 0.1`,
      '[restart]\nstrategy = "always"',
    );
    horust.start();
    await horust.lines("runs", 4);
  });

  for (const strategy of ["on-failure", "always", "never"]) {
    ours(`defect 4: attempts bounds "${strategy}"`, async ({ horust }) => {
      const more = `[restart]\nstrategy = "${strategy}"\nattempts = 3\nbackoff = "1ms"\n[healthiness]\nhealthy-after = "10s"`;
      horust.script("a", `echo run >> ${horust.path("runs")}; exit 1`, more);
      expect((await horust.run([TELL])).code).toBe(101);
      expect(horust.linesNow("runs")).toHaveLength(4);
    });
  }

  ours("defect 4: it bounds what fails too quickly without any check, too", async ({ horust }) => {
    const more = '[restart]\nstrategy = "on-failure"\nattempts = 2\nbackoff = "1ms"';
    horust.script("a", `echo run >> ${horust.path("runs")}; exit 1`, more);
    expect((await horust.run([TELL])).code).toBe(101);
    expect(horust.linesNow("runs")).toHaveLength(3);
  });

  ours("attempts counts what could not be started", async ({ horust }) => {
    const more = '[restart]\nstrategy = "on-failure"\nattempts = 2\nbackoff = "1ms"';
    horust.file("a.toml", `command = "not-in-the-path"\n${more}\n`);
    const { code, err } = await horust.run([TELL]);
    expect(code).toBe(101);
    expect(err.match(/not found in any/g)).toHaveLength(3);
  });

  ours("attempts begins anew once it was running", async ({ horust }) => {
    const more = '[restart]\nstrategy = "on-failure"\nattempts = 2\n[healthiness]\nhealthy-after = "100ms"';
    const runs = horust.path("runs");
    horust.script(
      "a",
      `echo run >> ${runs}; [ $(wc -l < ${runs}) -gt 4 ] && exec sleep 99; sleep 0.5; exit 1`,
      more,
    );
    horust.start([TELL]);
    await horust.lines("runs", 5);
    await horust.reaches("a.toml", "RUNNING");
  });

  ours("always with all attempts spent is finished if its last end was good", async ({ horust }) => {
    const more =
      '[restart]\nstrategy = "always"\nattempts = 2\nbackoff = "1ms"\n[healthiness]\nhealthy-after = "10s"';
    horust.script("a", `echo run >> ${horust.path("runs")}`, more);
    expect((await horust.run([TELL])).code).toBe(0);
    expect(horust.linesNow("runs")).toHaveLength(3);
  });

  ours("defect 5: backoff grows with each attempt", async ({ horust }) => {
    const more = '[restart]\nstrategy = "on-failure"\nattempts = 3\nbackoff = "200ms"';
    horust.script("a", `date +%s%N >> ${horust.path("runs")}; exit 1`, more);
    await horust.run();
    const times = horust.linesNow("runs").map((line) => Number(line) / 1e6);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(gaps).toHaveLength(3);
    // No upper bounds: the machine may be busy.
    for (const [index, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(200 * (index + 1));
  });
});

describe("failure", () => {
  for (const strategy of ["shutdown", "kill-dependents"]) {
    test(`25, 26: strategy = "${strategy}"`, async ({ horust }) => {
      horust.script("a", "sleep 1; exit 1", `[failure]\nstrategy = "${strategy}"`);
      horust.script("b", "sleep 30", 'start-after = ["a.toml"]\n[termination]\nwait = "500millis"');
      expect((await horust.run([], { deadlineMs: 25_000 })).code).toBe(0);
    });
  }

  test("kill-dependents ends what runs after it", async ({ horust }) => {
    const started = horust.path("b-runs");
    horust.script(
      "a",
      `until [ -e ${started} ]; do sleep 0.1; done; exit 1`,
      '[failure]\nstrategy = "kill-dependents"\n[healthiness]\ncommand = "true"',
    );
    horust.script("b", `touch ${started}; exec sleep 60`, 'start-after = ["a.toml"]');
    expect((await horust.run([], { deadlineMs: 40_000 })).code).toBe(0);
  });

  test("successful-exit-code", async ({ horust }) => {
    horust.script("a", "exit 7", '[failure]\nsuccessful-exit-code = [0, 7]\nstrategy = "ignore"');
    expect((await horust.run([TELL])).code).toBe(0);
    horust.script("a", "exit 0", '[failure]\nsuccessful-exit-code = [1]\nstrategy = "ignore"');
    expect((await horust.run([TELL])).code).toBe(101);
  });

  test("-137 stands for death by a signal", async ({ horust }) => {
    horust.script("a", "kill -KILL $$", '[failure]\nsuccessful-exit-code = [0, -137]\nstrategy = "ignore"');
    expect((await horust.run([TELL])).code).toBe(0);
  });

  ours("found by reading 14: [failure] does without strategy", async ({ horust }) => {
    horust.script("a", "exit 7", "[failure]\nsuccessful-exit-code = [7]");
    expect((await horust.run([TELL])).code).toBe(0);
  });

  ours("what starts after a failed service does not hold the end up", async ({ horust }) => {
    horust.script("a", "exit 1", `[healthiness]\nfile-path = "${horust.path("never")}"`);
    horust.script("b", "echo never", 'start-after = ["a.toml"]');
    expect(await horust.run([TELL])).toMatchObject({ code: 101, out: "" });
  });
});

describe("termination", () => {
  test("27: wait, then KILL", async ({ horust }) => {
    horust.script(
      "a",
      `trap : INT TERM EXIT; touch ${horust.path("up")}; while true; do sleep 1; done`,
      '[termination]\nwait = "1s"',
    );
    horust.start();
    await horust.makes("up");
    await horust.signal("SIGINT");
    expect((await horust.running.outcome(15_000)).code).toBe(0);
  });

  const SIGNALS =
    "HUP INT QUIT ILL TRAP ABRT BUS FPE USR1 SEGV USR2 ALRM TERM CONT TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO SYS";
  for (const signal of SIGNALS.split(" ")) {
    test(`28: it is asked by ${signal}`, async ({ horust }) => {
      // By the shell itself: a command it started just then might be asked, too.
      const script = `trap ': >${horust.path("asked")}; exit 0' ${signal}; touch ${horust.path("up")}; while true; do sleep 0.3; done`;
      horust.script("a", script, `[termination]\nsignal = "${signal}"\nwait = "10s"`);
      horust.start();
      await horust.makes("up");
      await horust.signal("SIGTERM");
      expect((await horust.running.outcome()).code).toBe(0);
      expect(horust.box.has("asked")).toBe(true);
    });
  }

  for (const signal of ["STOP", "PIPE"]) {
    test(`28: even by ${signal}`, async ({ horust }) => {
      const script = `trap 'exit 0' ${signal}; touch ${horust.path("up")}; while true; do sleep 0.3; done`;
      horust.script("a", script, `[termination]\nsignal = "${signal}"\nwait = "1s"`);
      horust.start();
      await horust.makes("up");
      await horust.signal("SIGTERM");
      expect((await horust.running.outcome()).code).toBe(0);
    });
  }

  test("28: even by CHLD, which comes by itself as soon as a command has ended", async ({ horust }) => {
    const script = "trap 'exit 0' CHLD; while true; do sleep 0.3; done";
    horust.script("a", script, '[termination]\nsignal = "CHLD"\nwait = "10s"');
    expect((await horust.run()).code).toBe(0);
  });

  test("29: die-if-failed", async ({ horust }) => {
    horust.script("b", FOREVER, '[termination]\nwait = "0s"\ndie-if-failed = ["a.toml"]');
    horust.script("a", "sleep 1; exit 1");
    expect((await horust.run([], { deadlineMs: 20_000 })).code).toBe(0);
  });

  const ordered = (horust: Horust, name: string, after: string | null) => {
    const trap = `trap 'echo ${name} >> ${horust.path("order")}; exit 0' TERM`;
    const more = after === null ? "" : `shutdown-after = ["${after}.toml"]`;
    horust.script(name, `${trap}; touch ${horust.path(`${name}-up`)}; ${FOREVER}`, more);
  };

  const shutDown = async (horust: Horust, names: readonly string[]) => {
    horust.start();
    for (const name of names) await horust.makes(`${name}-up`);
    await horust.signal("SIGTERM");
    expect((await horust.running.outcome()).code).toBe(0);
    return horust.linesNow("order");
  };

  test("30: shutdown-after", async ({ horust }) => {
    ordered(horust, "a", null);
    ordered(horust, "b", "a");
    expect(await shutDown(horust, ["a", "b"])).toEqual(["a", "b"]);
  });

  test("31: a chain of shutdown-after", async ({ horust }) => {
    ordered(horust, "a", "b");
    ordered(horust, "b", "c");
    ordered(horust, "c", null);
    expect(await shutDown(horust, ["a", "b", "c"])).toEqual(["c", "b", "a"]);
  });

  test("shutdown-after against start-after", async ({ horust }) => {
    ordered(horust, "a", null);
    const trap = `trap 'echo b >> ${horust.path("order")}; exit 0' TERM`;
    horust.script(
      "b",
      `${trap}; touch ${horust.path("b-up")}; ${FOREVER}`,
      'start-after = ["a.toml"]\nshutdown-after = ["a.toml"]',
    );
    expect(await shutDown(horust, ["a", "b"])).toEqual(["a", "b"]);
  });

  test("start-after alone makes no order of stops", async ({ horust }) => {
    // Each waits for the other's TERM: in an order that would never come.
    const script = (own: string, other: string) =>
      `trap ': >${horust.path(`${own}-asked`)}; until [ -e ${horust.path(`${other}-asked`)} ]; do sleep 0.1; done; exit 0' TERM; touch ${horust.path(`${own}-up`)}; ${FOREVER}`;
    horust.script("a", script("a", "b"), '[termination]\nwait = "30s"');
    horust.script("b", script("b", "a"), 'start-after = ["a.toml"]\n[termination]\nwait = "30s"');
    horust.start();
    await horust.makes("a-up");
    await horust.makes("b-up");
    const began = performance.now();
    await horust.signal("SIGTERM");
    expect((await horust.running.outcome()).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(29_000);
  });

  test("a second TERM ends all patience, and all order", async ({ horust }) => {
    const stubborn = `trap : TERM; touch ${horust.path("up")}; ${FOREVER}`;
    horust.script("a", stubborn, '[termination]\nwait = "60s"');
    horust.script("b", FOREVER, 'shutdown-after = ["a.toml"]');
    horust.start();
    await horust.makes("up");
    await horust.signal("SIGTERM");
    // The original hears no second one before it has acted on the first.
    await pause(1500);
    await horust.signal("SIGTERM");
    expect((await horust.running.outcome(20_000)).code).toBe(0);
  });

  ours("the whole process group is asked to end", async ({ horust }) => {
    const inner = `trap 'echo inner >> ${horust.path("asked")}; exit 0' TERM; touch ${horust.path("up")}; ${FOREVER}`;
    horust.box.write("inner.sh", inner);
    horust.script("a", `bash ${horust.path("inner.sh")} & wait; sleep 1`);
    horust.start();
    await horust.makes("up");
    await horust.signal("SIGTERM");
    await horust.running.outcome();
    expect(horust.linesNow("asked")).toEqual(["inner"]);
  });
});

/** A server on a port of its own; `answer` may change while it runs. */
async function serve(answer: RequestListener): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { server, url: `http://localhost:${address.port}` };
}

describe("healthiness", () => {
  test("32: an http endpoint", async ({ horust }) => {
    const asked = new Set<string>();
    const { server, url } = await serve((request, response) => {
      asked.add(request.method ?? "");
      response.end();
    });
    try {
      const more = `[termination]\nwait = "1s"\n[restart]\nstrategy = "never"\n[healthiness]\nhttp-endpoint = "${url}"`;
      horust.script("a", "sleep 2", more);
      expect((await horust.run([TELL])).code).toBe(0);
      expect([...asked]).toEqual(["HEAD"]);
    } finally {
      server.close();
    }
  });

  test("33: a file", async ({ horust }) => {
    const file = horust.path("healthy");
    const more = `[termination]\nwait = "1s"\n[restart]\nstrategy = "never"\n[healthiness]\nfile-path = "${file}"`;
    horust.script("a", `touch ${file}; sleep 2; exit 0`, more);
    expect((await horust.run([TELL])).code).toBe(0);
  });

  test("a file of a former run does not count", async ({ horust }) => {
    horust.box.write("healthy", "");
    horust.script(
      "a",
      `[ -e ${horust.path("healthy")} ] && exit 1; exit 0`,
      `[healthiness]\nfile-path = "${horust.path("healthy")}"`,
    );
    expect((await horust.run([TELL])).code).toBe(0);
  });

  test("who starts after it waits until it is healthy", async ({ horust }) => {
    const file = horust.path("healthy");
    horust.script(
      "a",
      `sleep 1; echo a >> ${horust.path("order")}; touch ${file}; sleep 3`,
      `[healthiness]\ncommand = "test -e ${file}"`,
    );
    horust.script("b", `echo b >> ${horust.path("order")}`, 'start-after = ["a.toml"]');
    horust.start();
    expect((await horust.running.outcome()).code).toBe(0);
    expect(horust.linesNow("order").slice(0, 1)).toEqual(["a"]);
  });

  ours("defect 2: a service that becomes healthy late is running", async ({ horust }) => {
    let status = 503;
    let asked = 0;
    const { server, url } = await serve((_, response) => {
      asked++;
      response.statusCode = status;
      response.end();
    });
    try {
      horust.script("a", "exec sleep 99", `[healthiness]\nhttp-endpoint = "${url}"`);
      horust.script("b", "echo b", 'start-after = ["a.toml"]');
      horust.start();
      // More often than max-failed: what is not running yet is not ended for it.
      await horust.until("five refusals", () => asked >= 5);
      expect(await horust.status("a.toml")).toBe("STARTED");
      expect(await horust.status("b.toml")).toBe("INITIAL");
      status = 204;
      await horust.reaches("a.toml", "RUNNING");
      await horust.reaches("b.toml", "FINISHED");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  ours("defect 3: failures count in a row", async ({ horust }) => {
    const answers = [200, 500, 500, 200, 500, 500, 200, 500, 500, 200];
    let asked = 0;
    const { server, url } = await serve((_, response) => {
      response.statusCode = answers[asked++] ?? 200;
      response.end();
    });
    try {
      horust.script(
        "a",
        `echo run >> ${horust.path("runs")}; exec sleep 99`,
        `[healthiness]\nhttp-endpoint = "${url}"\nmax-failed = 2`,
      );
      horust.start();
      await horust.until("all answers", () => asked > answers.length);
      expect(await horust.status("a.toml")).toBe("RUNNING");
      expect(horust.linesNow("runs")).toHaveLength(1);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  ours(
    "found by reading 18: an unhealthy service has failed, whatever it leaves with",
    async ({ horust }) => {
      const file = horust.path("healthy");
      const script = `echo run >> ${horust.path("runs")}; trap 'exit 0' TERM; touch ${file}; while true; do sleep 0.1; done`;
      horust.script(
        "a",
        script,
        `[restart]\nstrategy = "on-failure"\n[healthiness]\nfile-path = "${file}"\nmax-failed = 0`,
      );
      horust.start();
      await horust.reaches("a.toml", "RUNNING");
      const { rmSync } = await import("node:fs");
      rmSync(file);
      await horust.lines("runs", 2);
    },
  );

  ours("found by reading 5: a check that hangs holds up nobody's end", async ({ horust }) => {
    horust.script("a", `touch ${horust.path("up")}; exec sleep 99`, '[healthiness]\ncommand = "sleep 1000"');
    horust.start();
    await horust.makes("up");
    await horust.signal("SIGTERM");
    expect((await horust.running.outcome()).code).toBe(0);
  });
});
