/** What a service tells of itself over its socket, and what follows from it. */
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { teller } from "./harness/paths.ts";

/** A service that is ready by sd_notify and then does as its script says. */
const web = (script: string, more = "") =>
  `[service.web]\ncommand = '''${teller(script)}'''\nready = { notify = "sd" }\n${more}\n`;

test("STATUS is shown by status, and stays as its last words", async ({ box }) => {
  const script = `tell READY=1,STATUS=warming until ${box.path("go")} tell STATUS=serving until ${box.path("end")} exit 3`;
  const up = await box.supervise(web(script, 'restart = "never"'));
  await up.reaches("web", "running", ({ status }) => status === "warming");
  box.write("go", "");
  await up.reaches("web", "running", ({ status }) => status === "serving");
  expect((await up.cli(["status"])).out).toMatch(/web\s+running.*"serving"/);
  box.write("end", "");
  expect(await up.reaches("web", "failed")).toMatchObject({ status: "serving" });
});

test("MAINPID after a double fork: that process is the main one, and its end is the service's", async ({
  box,
}) => {
  const script = `daemon tell READY=1 until ${box.path("end")} exit 7`;
  const up = await box.supervise(web(script, 'restart = "never"'));
  const { pid } = await up.ready("web");
  const outer = await up.servicePid("web");
  expect((await up.descendants()).map((one) => one.pid)).toContain(outer);
  expect(pid).not.toBeNull();
  box.write("end", "");
  expect(await up.reaches("web", "failed")).toMatchObject({ exit: { code: 7 } });
  expect(await up.history("web")).toEqual(["starting", "running", "failed"]);
});

test("RELOADING and READY are told, and the flag is shown meanwhile", async ({ box }) => {
  const reload = `on-hup tell RELOADING=1 until ${box.path("done")} tell READY=1 - tell READY=1 pause`;
  const up = await box.supervise(web(reload));
  await up.ready("web");
  await up.strike("web", "SIGHUP");
  await up.reaches("web", "running", ({ reloading }) => reloading);
  expect((await up.cli(["status"])).out).toContain("reloading");
  box.write("done", "");
  await up.reaches("web", "running", ({ reloading }) => !reloading);
  const events = (await up.events()).filter(({ event }) => event === "reload");
  expect(events.map(({ from, to }) => `${from} ${to}`)).toEqual(["running reloading", "reloading running"]);
});

test("STOPPING is a cause, ERRNO goes into the cause of its end", async ({ box }) => {
  const script = `tell READY=1 until ${box.path("go")} tell STOPPING=1,ERRNO=98 until ${box.path("end")} exit 1`;
  const up = await box.supervise(web(script, 'restart = "never"'));
  await up.ready("web");
  box.write("go", "");
  await up.reaches("web", "running", ({ cause }) => cause === "it stops by itself, as it told");
  box.write("end", "");
  const { cause } = await up.reaches("web", "failed");
  expect(cause).toBe("exited with code 1 (it told of errno 98)");
});

describe("EXTEND_TIMEOUT_USEC", () => {
  test("gives a start more time", async ({ box }) => {
    const script = "tell EXTEND_TIMEOUT_USEC=20000000 sleep 2500 tell READY=1 pause";
    const up = await box.supervise(web(script, 'start-timeout = "1500ms"\nrestart = "never"'));
    await up.ready("web");
    expect(await up.history("web")).toEqual(["starting", "running"]);
  });

  test("gives a stop more time", async ({ box }) => {
    // TERM is taken no notice of; it leaves by itself later than its stop may take.
    const script = `deaf tell READY=1 until ${box.path("go")} tell EXTEND_TIMEOUT_USEC=20000000 sleep 2500 exit 0`;
    const up = await box.supervise(web(script, 'stop = { timeout = "1500ms" }'));
    await up.ready("web");
    const stop = up.stop("web");
    await up.reaches("web", "stopping");
    box.write("go", "");
    const [receipt] = await stop;
    expect(receipt?.processes.some(({ killed }) => killed)).toBe(false);
    expect(receipt?.duration_ms).toBeGreaterThan(1500);
  });
});

describe("FDSTORE", () => {
  test("what is kept comes back after a crash, and is closed by a stop", async ({ box }) => {
    const up = await box.supervise(web("fds store door tell READY=1 pause"));
    await up.ready("web");
    const { pid: former } = await up.service("web");
    await up.strike("web");
    await up.succeeded("web", former ?? 0);
    await up.ready("web");
    const [stored = "", given = ""] = await up.logText("web");
    expect(given).toBe(stored.replace("stored", "given door"));
    await up.stop("web");
    await up.start("web");
    const lines = await up.logText("web");
    // The second run stored one too; the third was given none.
    expect(lines.map((line) => line.split(" ")[0])).toEqual(["stored", "given", "stored", "stored"]);
  });
});

describe("the watchdog", () => {
  test("tells the service of itself", async ({ box }) => {
    const up = await box.supervise(
      web("print WATCHDOG_USEC tell READY=1 alive 100 pause", 'watchdog = "5s"'),
    );
    await up.ready("web");
    expect(await up.logText("web")).toEqual(["WATCHDOG_USEC=5000000"]);
  });

  test("finds a service that stopped telling, ends it by ABRT and starts it again", async ({ box }) => {
    const up = await box.supervise(web("tell READY=1 alive 50 pause", 'watchdog = "1s"'));
    await up.ready("web");
    const { pid: former } = await up.service("web");
    await up.strike("web", "SIGSTOP");
    await up.succeeded("web", former ?? 0);
    const stopping = (await up.events()).find(({ to }) => to === "stopping");
    expect(stopping?.cause).toMatch(/^watchdog: no WATCHDOG=1 within 1s/);
    const receipt = (await up.events()).find(({ event }) => event === "receipt")?.receipt;
    expect(receipt?.processes[0]?.signals[0]).toBe("ABRT");
    expect((await up.service("web")).restarts).toBe(1);
  });

  test("bites at once when it is told to", async ({ box }) => {
    const script = `tell READY=1 alive 100 until ${box.path("go")} tell WATCHDOG=trigger pause`;
    const up = await box.supervise(web(script, 'watchdog = "1h"\nrestart = "never"'));
    await up.ready("web");
    box.write("go", "");
    const { cause } = await up.reaches("web", "failed");
    expect(cause).toBe("it told that it has failed (WATCHDOG=trigger)");
  });

  test("needs no readiness condition, and follows WATCHDOG_USEC", async ({ box }) => {
    const script = "tell WATCHDOG_USEC=500000 pause";
    const up = await box.supervise(
      `[service.web]\ncommand = '''${teller(script)}'''\nwatchdog = "1h"\nrestart = "never"\n`,
    );
    const { cause } = await up.reaches("web", "failed");
    expect(cause).toMatch(/^watchdog: no WATCHDOG=1 within 500ms/);
  });
});
