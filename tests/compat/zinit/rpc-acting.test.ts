/** What starts, stops and signals services over the socket. */
import { expect, ours, type Status, test, type Zinit } from "./harness.ts";

const NEVER = { lifecycle: { restart: "never" } } as const;
const OK = { ok: true };

async function pidOf(zinit: Zinit, name: string): Promise<number> {
  return (await zinit.reaches(name, "running")).pid;
}

test("start answers when the service has a process", async ({ zinit }) => {
  zinit.service("web", "sleep 99", { service: { status: "start" }, ...NEVER });
  await zinit.start();
  await zinit.reaches("web", "running");
  expect(await zinit.call("service.stop", { name: "web" })).toEqual(OK);
  const stopped = await zinit.reaches("web", "exited");
  // TERM ended it, so there is no code.
  expect(stopped).toEqual({ name: "web", state: "exited", pid: 0 });
  for (let round = 0; round < 5; round++) {
    expect(await zinit.call("service.start", { name: "web" })).toEqual(OK);
    const status = await zinit.status("web");
    expect(status).toMatchObject({ state: "running" });
    expect(status.pid).toBeGreaterThan(0);
    await zinit.call("service.stop", { name: "web" });
    await zinit.reaches("web", "exited");
  }
});

test("what has nothing to do is done", async ({ zinit }) => {
  zinit.service("up", "sleep 99");
  zinit.service("off", "sleep 99", { service: { status: "stop" } });
  await zinit.start();
  const pid = await pidOf(zinit, "up");
  expect(await zinit.call("service.start", { name: "up" })).toEqual(OK);
  expect(await pidOf(zinit, "up")).toBe(pid);
  expect(await zinit.call("service.stop", { name: "off" })).toEqual(OK);
  expect(await zinit.status("off")).toEqual({ name: "off", state: "inactive", pid: 0 });
});

test("start of what has to wait is answered too", async ({ zinit }) => {
  zinit.service("off", "sleep 99", { service: { status: "stop" } });
  zinit.service("stuck", "sleep 99", { dependencies: { requires: ["off"] }, ...NEVER });
  await zinit.start();
  expect(await zinit.call("service.start", { name: "stuck" })).toEqual(OK);
  expect(await zinit.status("stuck")).toMatchObject({ state: "blocked", error: "waiting on: off" });
});

test("stop shows at once, and does not wait for the end", async ({ zinit }) => {
  zinit.service("slow", "trap 'sleep 1; exit 5' TERM; echo up; while :; do sleep 0.1; done", NEVER);
  await zinit.start();
  const pid = await pidOf(zinit, "slow");
  await zinit.until("its trap", async () => (await lines(zinit, "slow")).length > 0);
  expect(await zinit.call("service.stop", { name: "slow" })).toEqual(OK);
  expect(await zinit.status("slow")).toEqual({ name: "slow", state: "stopping", pid });
  expect(await zinit.call("service.stop", { name: "slow" })).toEqual(OK);
  expect(await zinit.reaches("slow", "exited")).toMatchObject({ exit_code: 5 });
});

async function lines(zinit: Zinit, name: string): Promise<readonly unknown[]> {
  const answer = await zinit.call("logs.get", { name });
  return Array.isArray(answer) ? answer : [];
}

test("stop of what has failed makes it inactive", async ({ zinit }) => {
  zinit.service("broken", "exit 3", NEVER);
  zinit.service("once", "exit 3", { service: { oneshot: true } });
  zinit.target("goal");
  await zinit.start();
  await zinit.reaches("broken", "failed");
  await zinit.reaches("once", "exited");
  for (const name of ["broken", "once", "goal"]) {
    expect(await zinit.call("service.stop", { name })).toEqual(OK);
  }
  expect(await zinit.status("broken")).toEqual({ name: "broken", state: "inactive", pid: 0 });
  expect(await zinit.status("once")).toMatchObject({ state: "exited", exit_code: 3 });
  expect(await zinit.status("goal")).toMatchObject({ state: "inactive" });
});

test("restart replaces a process, and starts what is down", async ({ zinit }) => {
  zinit.service("web", "sleep 99", NEVER);
  await zinit.start();
  const pid = await pidOf(zinit, "web");
  expect(await zinit.call("service.restart", { name: "web" })).toEqual(OK);
  await zinit.reaches("web", "running", (status: Status) => status.pid !== pid);
  await zinit.call("service.stop", { name: "web" });
  await zinit.reaches("web", "exited");
  expect(await zinit.call("service.restart", { name: "web" })).toEqual(OK);
  expect(await zinit.status("web")).toMatchObject({ state: "running" });
});

test("kill by every spelling of a signal", async ({ zinit }) => {
  zinit.service("trap", "trap 'echo got' USR1; while :; do echo up; sleep 0.1; done", {
    lifecycle: { restart: "always", restart_delay_ms: 50 },
  });
  await zinit.start();
  await zinit.reaches("trap", "running");
  const got = async () => (await lines(zinit, "trap")).filter((line) => String(line).endsWith(" got")).length;
  await zinit.until("its trap", async () => (await lines(zinit, "trap")).length > 0);
  for (const [count, signal] of ["SIGUSR1", "USR1", "sigusr1", " usr1 ", "10"].entries()) {
    expect(await zinit.call("service.kill", { name: "trap", signal })).toEqual(OK);
    await zinit.until(`the effect of ${signal}`, async () => (await got()) > count);
  }
  const { pid } = await zinit.status("trap");
  expect(await zinit.call("service.kill", { name: "trap" })).toEqual(OK);
  await zinit.reaches("trap", "running", (status) => status.pid !== pid);
});

ours("kill takes a number as a number", async ({ zinit }) => {
  zinit.service("web", "sleep 99", NEVER);
  await zinit.start();
  await zinit.reaches("web", "running");
  expect(await zinit.call("service.kill", { name: "web", signal: 9 })).toEqual(OK);
  expect(await zinit.reaches("web", "failed")).toMatchObject({ error: "killed by signal 9" });
});

test("kill of what does not run, and by what is no signal", async ({ zinit }) => {
  zinit.service("web", "sleep 99");
  zinit.service("off", "sleep 99", { service: { status: "stop" } });
  await zinit.start();
  await zinit.reaches("web", "running");
  expect(await zinit.error("service.kill", { name: "off" })).toEqual({
    code: -32603,
    message: "service not running: off",
  });
  const wrong = { BOGUS: "unknown signal", "": "unknown signal", "0": "invalid signal number" };
  for (const [signal, text] of Object.entries({ ...wrong, "64": "invalid signal number" })) {
    expect(await zinit.error("service.kill", { name: "web", signal })).toEqual({
      code: -32603,
      message: `signal error for service '' (signal ${signal}): ${text}`,
    });
  }
});

ours("22: kill of a target does not kill the server", async ({ zinit }) => {
  zinit.target("goal");
  zinit.service("built", "@builtin:nothing");
  await zinit.start();
  await zinit.reaches("goal", "running");
  for (const name of ["goal", "built"]) {
    expect(await zinit.error("service.kill", { name, signal: "KILL" })).toEqual({
      code: -32603,
      message: `service not running: ${name}`,
    });
  }
  expect(await zinit.call("system.ping")).toEqual({ version: "0.3.9" });
});

ours("5: what is not started by itself is started by hand", async ({ zinit }) => {
  for (const status of ["stop", "ignore"]) zinit.service(status, "sleep 99", { service: { status } });
  await zinit.start();
  for (const name of ["stop", "ignore"]) {
    expect(await zinit.status(name)).toMatchObject({ state: "inactive" });
    expect(await zinit.call("service.start", { name })).toEqual(OK);
    expect(await zinit.status(name)).toMatchObject({ state: "running" });
  }
});

ours("3, 4: restart takes along what requires it, and brings it back", async ({ zinit }) => {
  zinit.service("db", "sleep 99");
  zinit.service("web", "sleep 99", { dependencies: { requires: ["db"] } });
  zinit.service("beside", "sleep 99", { dependencies: { after: ["db"], wants: ["db"] } });
  await zinit.start();
  const web = await pidOf(zinit, "web");
  const db = await pidOf(zinit, "db");
  const beside = await pidOf(zinit, "beside");
  await zinit.call("service.restart", { name: "db" });
  await zinit.reaches("db", "running", (status) => status.pid !== db);
  await zinit.reaches("web", "running", (status) => status.pid !== web);
  expect(await pidOf(zinit, "beside")).toBe(beside);
});

ours("43: a blocked service that was stopped stays down", async ({ zinit }) => {
  zinit.service("off", "sleep 99", { service: { status: "stop" } });
  zinit.service("web", "sleep 99", { dependencies: { requires: ["off"] } });
  await zinit.start();
  await zinit.reaches("web", "blocked");
  await zinit.call("service.stop", { name: "web" });
  expect(await zinit.status("web")).toMatchObject({ state: "inactive" });
  await zinit.call("service.start", { name: "off" });
  await zinit.reaches("off", "running");
  expect(await zinit.status("web")).toMatchObject({ state: "inactive" });
});

test("a shutdown is answered first", async ({ zinit }) => {
  zinit.service("slow", "trap 'sleep 0.3; exit 0' TERM; while :; do sleep 0.1; done", NEVER);
  await zinit.start();
  await zinit.reaches("slow", "running");
  expect(await zinit.call("system.shutdown")).toEqual(OK);
  expect((await zinit.up.ends()).code).toBe(0);
});

test("only the first process of a machine restarts it", async ({ zinit }) => {
  await zinit.start();
  expect(await zinit.error("system.reboot")).toEqual({
    code: -32603,
    message: "Reboot only available when running as PID 1",
  });
});

const ROLES = {
  a: { service: { status: "start" } },
  off: { service: { status: "stop" } },
  sys: { service: { class: "system" }, dependencies: { requires: ["base"] } },
} as const;

async function withRoles(zinit: Zinit): Promise<void> {
  zinit.service("base", "sleep 99");
  for (const [name, more] of Object.entries(ROLES)) zinit.service(name, "sleep 99", more);
  await zinit.start();
  for (const name of ["a", "base", "sys"]) await zinit.reaches(name, "running");
}

ours("all services at once but for those of class system and what they need", async ({ zinit }) => {
  await withRoles(zinit);
  expect(await zinit.call("service.stop_all")).toEqual({ stopped: ["a"], count: 1 });
  await zinit.reaches("a", "exited");
  expect(await zinit.status("sys")).toMatchObject({ state: "running" });
  expect(await zinit.call("service.start_all")).toEqual({ started: ["a"], count: 1 });
  expect(await zinit.status("a")).toMatchObject({ state: "running" });
  expect(await zinit.call("service.start_all")).toEqual({ started: [], count: 0 });
  expect(await zinit.call("service.delete_all")).toEqual({ deleted: ["a", "off"], count: 2 });
  expect(await zinit.call("service.list")).toEqual(["base", "sys"]);
  expect(zinit.box.has("services/a.toml")).toBe(false);
  expect(zinit.box.has("services/sys.toml")).toBe(true);
});
