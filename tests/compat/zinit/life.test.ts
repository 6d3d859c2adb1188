/** How services live: restarts, stops, dependencies, health, what is in their way. */
import { rmSync } from "node:fs";
import { expect, ours, test, type Zinit } from "./harness.ts";

/** How often a service that writes a line at each start has been started. */
function starts(zinit: Zinit, file: string): number {
  return zinit.box.has(file) ? zinit.box.read(file).split("\n").length - 1 : 0;
}

/** Waits until there is no process of this number any more, as the services count them. */
async function gone(zinit: Zinit, pid: number): Promise<void> {
  await zinit.until(`the end of ${pid}`, () =>
    zinit.up.outerPid(pid).then(
      () => false,
      () => true,
    ),
  );
}

const FAST = { restart_delay_ms: 20, restart_delay_max_ms: 40 };

test("a oneshot that has ended is exited with its code, killed it has failed", async ({ zinit }) => {
  const once = { service: { oneshot: true }, lifecycle: { restart: "always", ...FAST } };
  zinit.service("good", "exit 0", once);
  zinit.service("bad", "exit 3", once);
  zinit.service("shot", "kill -9 $$", once);
  await zinit.start();
  expect(await zinit.reaches("good", "exited")).toMatchObject({ exit_code: 0 });
  expect((await zinit.reaches("shot", "failed")).error).toMatch(/9/);
  expect(await zinit.reaches("bad", "exited")).toMatchObject({ exit_code: 3 });
});

ours("2: what requires a oneshot waits until it has succeeded", async ({ zinit }) => {
  const go = zinit.box.path("go");
  zinit.service("migrate", `until [ -e ${go} ]; do sleep 0.05; done`, { service: { oneshot: true } });
  zinit.service("failing", "exit 1", { service: { oneshot: true } });
  zinit.service("web", "sleep 99", { dependencies: { requires: ["migrate"] } });
  zinit.service("never", "sleep 99", { dependencies: { requires: ["failing"] } });
  await zinit.start();
  await zinit.reaches("web", "blocked");
  zinit.box.write("go", "");
  await zinit.reaches("web", "running");
  await zinit.reaches("never", "blocked");
});

test("it is started once and as often again as max_restarts says", async ({ zinit }) => {
  const log = zinit.box.path("log");
  const code = `exit $(cat ${zinit.box.path("code")} 2>/dev/null || echo 1)`;
  zinit.service("web", `echo x >> ${log}; ${code}`, { lifecycle: { ...FAST, max_restarts: 2 } });
  await zinit.start();
  await zinit.until("three starts", () => starts(zinit, "log") === 3);
  await zinit.reaches("web", "failed", ({ exit_code }) => exit_code === undefined || exit_code === 1);
  const counted = async () => JSON.stringify(await zinit.call("debug.state"));
  // A start by hand does not begin to count anew, also after a stop; but it starts.
  for (const [index, verb] of ["start", "stop", "start"].entries()) {
    zinit.box.write("code", `${7 + index}`);
    await zinit.call(`service.${verb}`, { name: "web" });
    if (verb === "stop") continue;
    await zinit.reaches("web", "failed", ({ exit_code }) => exit_code === 7 + index);
    expect(await counted()).toContain("restart_count: 2,");
  }
  expect(starts(zinit, "log")).toBe(5);
  // A restart does.
  await zinit.call("service.restart", { name: "web" });
  await zinit.until("three more", () => starts(zinit, "log") === 8);
});

test("exited with 0 is as good as running, also stopped or before the next start", async ({ zinit }) => {
  const polite = "trap 'exit 0' TERM; echo up; while :; do sleep 0.02; done";
  const restarts = { restart: "always", restart_delay_ms: 300_000 };
  zinit.service("again", "exit 0", { lifecycle: restarts });
  zinit.service("spent", "exit 0", { lifecycle: { ...restarts, restart_delay_ms: 1, max_restarts: 1 } });
  zinit.service("polite", polite);
  zinit.service("killed", "exec sleep 99");
  zinit.target("group", { requires: ["again"] });
  await zinit.start();
  await zinit.writes("polite", "up");
  for (const name of ["polite", "killed"]) await zinit.call("service.stop", { name });
  for (const name of ["again", "spent", "polite", "killed"]) await zinit.reaches(name, "exited");
  expect(await zinit.status("group")).toMatchObject({ state: "running" });
  const define = (name: string, dependencies: object) =>
    zinit.call("service.set", { config: { service: { name, exec: "sleep 99" }, dependencies } });
  for (const other of ["again", "spent", "polite"]) await define(`on-${other}`, { requires: [other] });
  await define("after-killed", { after: ["killed"] });
  await define("on-killed", { requires: ["killed"] });
  for (const name of ["on-again", "on-spent", "on-polite", "after-killed"]) {
    await zinit.reaches(name, "running");
    expect(await zinit.call("service.status_full", { name })).toMatchObject({
      dependencies: [{ satisfied: true }],
    });
  }
  await zinit.reaches("on-killed", "blocked");
});

test("which end is followed by a restart", async ({ zinit }) => {
  const service = (name: string, restart: string, command: string, status = "start") =>
    zinit.service(name, `echo x >> ${zinit.box.path(name)}; ${command}`, {
      service: { status },
      lifecycle: { ...FAST, restart },
    });
  service("always", "always", "exit 0");
  service("failure", "on-failure", "exit 1");
  service("signal", "on-failure", "kill -KILL $$");
  service("success", "on-failure", "exit 0");
  service("never", "never", "exit 1");
  await zinit.start();
  for (const name of ["always", "failure", "signal"]) {
    await zinit.until(`${name} twice`, () => starts(zinit, name) >= 2);
  }
  expect(await zinit.reaches("success", "exited")).toMatchObject({ exit_code: 0 });
  await zinit.reaches("never", "failed");
  expect([starts(zinit, "success"), starts(zinit, "never")]).toEqual([1, 1]);
});

test("a stop sends the stop signal to the group, and KILL when its time is over", async ({ zinit }) => {
  const out = zinit.box.path("out");
  const polite = `trap 'echo INT >> ${out}; exit 0' INT; while :; do sleep 0.05; done`;
  zinit.service("polite", polite, { lifecycle: { stop_signal: "int" } });
  zinit.service("stubborn", "trap '' TERM; while :; do sleep 0.05; done", {
    lifecycle: { stop_timeout_ms: 200 },
  });
  await zinit.start();
  for (const name of ["polite", "stubborn"]) {
    await zinit.reaches(name, "running");
    // Not before its trap is set.
    await zinit.until(`${name}'s sleep`, async () => {
      const found = await zinit.call("service.children", { name });
      return JSON.stringify(found).includes("sleep");
    });
    await zinit.call("service.stop", { name });
    await zinit.reaches(name, ["exited", "inactive"]);
  }
  expect(zinit.box.read("out")).toBe("INT\n");
});

ours("6: what is left of its group does not outlive the stop", async ({ zinit }) => {
  const pid = zinit.box.path("pid");
  const child = `sh -c 'trap "" TERM; echo $$ > ${pid}; while :; do sleep 0.05; done'`;
  zinit.service("web", `${child} & trap 'exit 0' TERM; while :; do sleep 0.05; done`, {
    lifecycle: { stop_timeout_ms: 200 },
  });
  await zinit.start();
  await zinit.until("its child", () => zinit.box.has("pid") && zinit.box.read("pid").endsWith("\n"));
  await zinit.call("service.stop", { name: "web" });
  await gone(zinit, Number(zinit.box.read("pid")));
});

test("what it requires is waited for and not started along", async ({ zinit }) => {
  zinit.service("db", "sleep 99", { service: { status: "stop" } });
  zinit.service("web", "sleep 99", { dependencies: { requires: ["db"] } });
  zinit.service("wanting", "sleep 99", { dependencies: { wants: ["db", "nobody"] } });
  zinit.service("early", "exit 1", { lifecycle: { restart: "never" } });
  zinit.service("late", "sleep 99", { dependencies: { after: ["early", "nobody"] } });
  await zinit.start();
  await zinit.reaches("wanting", "running");
  await zinit.reaches("early", "failed");
  await zinit.reaches("late", "running");
  await zinit.reaches("web", "blocked");
  expect(await zinit.status("db")).toMatchObject({ state: "inactive" });
  expect(await zinit.call("service.why", { name: "web" })).toMatchObject({
    blocked: true,
    waiting_on: ["db"],
  });
});

ours("5: started by hand it is there for those who wait, and is not restarted", async ({ zinit }) => {
  const log = zinit.box.path("log");
  zinit.service("db", `echo x >> ${log}; exec sleep 99`, {
    service: { status: "ignore" },
    lifecycle: { restart: "always", ...FAST },
  });
  zinit.service("web", "sleep 99", { dependencies: { requires: ["db"] } });
  await zinit.start();
  await zinit.call("service.start", { name: "db" });
  await zinit.reaches("web", "running");
  await zinit.call("service.kill", { name: "db", signal: "KILL" });
  await zinit.reaches("db", "failed");
  expect(starts(zinit, "log")).toBe(1);
});

test("what requires what is not there has failed, the others run", async ({ zinit }) => {
  zinit.service("web", "sleep 99", { dependencies: { requires: ["nobody"] } });
  zinit.service("other", "sleep 99");
  await zinit.start();
  await zinit.reaches("other", "running");
  expect((await zinit.reaches("web", "failed")).error).toMatch(/nobody/);
});

test("of two that conflict one runs and the other waits", async ({ zinit }) => {
  zinit.service("a", "sleep 99", { dependencies: { conflicts: ["b"] } });
  zinit.service("b", "sleep 99");
  await zinit.start();
  const states = await zinit.until("both to have settled", async () => {
    const found = [(await zinit.status("a")).state, (await zinit.status("b")).state].sort();
    return found.join() === "blocked,running" ? found : null;
  });
  expect(states).toEqual(["blocked", "running"]);
});

ours("12: when the one has gone the other comes", async ({ zinit }) => {
  zinit.service("a", "sleep 99", { dependencies: { conflicts: ["b"] } });
  zinit.service("b", "sleep 99");
  await zinit.start();
  const first = await zinit.until("one of them", async () => {
    for (const name of ["a", "b"]) if ((await zinit.status(name)).state === "running") return name;
    return null;
  });
  await zinit.call("service.stop", { name: first });
  await zinit.reaches(first === "a" ? "b" : "a", "running");
});

test("health makes it running; until then it is starting", async ({ zinit }) => {
  const ready = zinit.box.path("ready");
  zinit.service("web", "sleep 99", {
    health: { type: "exec", target: `test -e ${ready}`, interval_ms: 50, retries: 100_000 },
  });
  zinit.service("behind", "sleep 99", { dependencies: { requires: ["web"] } });
  await zinit.start();
  await zinit.reaches("web", "starting", ({ pid }) => pid > 0);
  await zinit.reaches("behind", "blocked");
  zinit.box.write("ready", "");
  await zinit.reaches("web", "running");
  await zinit.reaches("behind", "running");
});

test("so many failed checks before the first good one end it", async ({ zinit }) => {
  zinit.service("web", "sleep 99", {
    lifecycle: { restart: "never" },
    health: { type: "tcp", target: "127.0.0.1:1", interval_ms: 20, retries: 2 },
  });
  await zinit.start();
  expect(await zinit.reaches("web", "failed")).toMatchObject({ pid: 0 });
});

ours("8: and that is what it has failed for", async ({ zinit }) => {
  zinit.service("web", "sleep 99", {
    lifecycle: { restart: "never" },
    health: { type: "exec", target: "exit 1", interval_ms: 20, retries: 2 },
  });
  await zinit.start();
  expect((await zinit.reaches("web", "failed")).error).toMatch(/health check failed.*2/);
});

ours("45: the time to start has room for all checks, however short it is set", async ({ zinit }) => {
  const tries = zinit.box.path("tries");
  zinit.service("web", "sleep 99", {
    lifecycle: { restart: "never", start_timeout_ms: 1 },
    health: { type: "exec", target: `echo >> ${tries}; exit 1`, interval_ms: 100, retries: 4 },
  });
  await zinit.start();
  expect((await zinit.reaches("web", "failed")).error).toMatch(/health check failed.*4/);
  expect(zinit.box.read("tries")).toBe("\n\n\n\n");
});

ours("11: a start that fails wakes who comes after it", async ({ zinit }) => {
  zinit.service("broken", "sleep 99", { service: { dir: "/nowhere/at/all", status: "stop" } });
  zinit.service("late", "sleep 99", { dependencies: { after: ["broken"] } });
  await zinit.start();
  await zinit.reaches("late", "blocked");
  await zinit.call("service.start", { name: "broken" });
  expect((await zinit.reaches("broken", "failed")).error).toContain("spawn error");
  await zinit.reaches("late", "running");
});

ours("18: it is checked for as long as it runs, and restarted by its policy", async ({ zinit }) => {
  const well = zinit.box.write("well", "");
  zinit.service("web", "sleep 99", {
    lifecycle: { ...FAST, max_restarts: 0 },
    health: { type: "exec", target: `test -e ${well}`, interval_ms: 30, retries: 2 },
  });
  await zinit.start();
  const { pid } = await zinit.reaches("web", "running");
  rmSync(well);
  await zinit.reaches("web", ["failed", "starting"]);
  zinit.box.write("well", "");
  expect((await zinit.reaches("web", "running")).pid).not.toBe(pid);
});

ours("17: http asks and compares the status", async ({ zinit }) => {
  const script = zinit.box.write(
    "server.mjs",
    `import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
const server = createServer((request, answer) => {
  answer.statusCode = request.url === "/health?a=1" ? 204 : 500;
  answer.end();
});
server.listen(0, "127.0.0.1", () => writeFileSync(process.argv[2], String(server.address().port)));
`,
  );
  const port = zinit.box.path("port");
  zinit.box.start([process.execPath, script, port]);
  const number = await zinit.until("its port", () => zinit.box.has("port") && zinit.box.read("port"));
  const health = (path: string) => ({
    type: "http",
    target: `http://127.0.0.1:${number}${path}`,
    expect_status: 204,
    interval_ms: 20,
    retries: 2,
  });
  zinit.service("good", "sleep 99", { health: health("/health?a=1") });
  zinit.service("bad", "sleep 99", { lifecycle: { restart: "never" }, health: health("/") });
  await zinit.start();
  await zinit.reaches("good", "running");
  await zinit.reaches("bad", "failed");
});

ours("44: a check that takes too long is ended", async ({ zinit }) => {
  const pids = zinit.box.path("pids");
  zinit.service("web", "sleep 99", {
    lifecycle: { restart: "never" },
    health: {
      type: "exec",
      target: `echo $$ >> ${pids}; exec sleep 98`,
      timeout_ms: 100,
      interval_ms: 20,
      retries: 1,
    },
  });
  await zinit.start();
  await zinit.reaches("web", "failed");
  for (const pid of zinit.box.read("pids").trim().split("\n")) await gone(zinit, Number(pid));
});

ours("7: a shutdown stops each by its own signal and in its own time", async ({ zinit }) => {
  const out = zinit.box.path("out");
  zinit.service("web", `trap 'echo INT >> ${out}; exit 0' INT; while :; do sleep 0.05; done`, {
    lifecycle: { stop_signal: "SIGINT" },
  });
  await zinit.start();
  await zinit.until("its sleep", async () =>
    JSON.stringify(await zinit.call("service.children", { name: "web" })).includes("sleep"),
  );
  await zinit.shutdown();
  expect(zinit.box.read("out")).toBe("INT\n");
});
