/** The gate before the starts, what `oneup boot` tells of them, and `why` in front of real processes. */
import { rmSync } from "node:fs";
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import { oneupFaults } from "./harness/paths.ts";
import * as shapes from "./harness/shapes.ts";
import type { Supervisor } from "./harness/supervisor.ts";
import { pause } from "./harness/wait.ts";

/** The states that were told, as they came. */
async function stateEvents(up: Supervisor): Promise<{ service: string; to: string; at: number }[]> {
  const events = await up.events("?lines=1000");
  return events.flatMap(({ event, service, to, time }) =>
    event === "state" && service !== null && to !== null ? [{ service, to, at: Date.parse(time) }] : [],
  );
}

/** How many were `starting` at a time, at most. */
async function mostStarting(up: Supervisor): Promise<number> {
  const starting = new Set<string>();
  let most = 0;
  for (const { service, to } of await stateEvents(up)) {
    if (to === "starting") starting.add(service);
    else starting.delete(service);
    most = Math.max(most, starting.size);
  }
  return most;
}

const slow = (box: Box, name: string, ms: number, more = "") =>
  `[service.${name}]
command = "imp sleep ${ms} touch ${box.path(`${name}.ok`)} pause"
ready = { file = "${box.path(`${name}.ok`)}" }
${more}
`;

describe("start-concurrency", () => {
  test("never more at a time, all of them in the end", async ({ box }) => {
    const names = Array.from({ length: 12 }, (_, n) => `s${n}`);
    const services = names.map((name) => slow(box, name, 30)).join("");
    const up = await box.supervise(`${services}[supervisor]\nstart-concurrency = 3\n`);
    for (const name of names) await up.ready(name);
    expect(await mostStarting(up)).toBe(3);
  });

  test("goes on after a brain is lost", async ({ box }) => {
    const names = Array.from({ length: 8 }, (_, n) => `s${n}`);
    const services = names.map((name) => slow(box, name, 60)).join("");
    const up = await box.supervise(`${services}[supervisor]\nstart-concurrency = 2\n`, {
      bin: oneupFaults(),
    });
    up.patient = true;
    for (let losses = 0; losses < 4; losses++) {
      await up.post("/v1/debug/brain", { fault: "throw" });
      await pause(50);
    }
    for (const name of names) await up.ready(name);
    expect(await mostStarting(up)).toBe(2);
  });
});

describe("restart-budget", () => {
  const config = (box: Box) =>
    `[service.db]
command = "imp pause"
restart-delay = "10ms"
${Array.from({ length: 10 }, (_, n) => `[service.s${n}]\ncommand = "imp until ${box.path("die")} exit 1"\nrequires = ["db"]\nrestart-delay = "10ms"\n`).join("")}
[supervisor]
restart-budget = "3/1h"
`;

  test("ten services that die do not all come back at once; an asked-for start is free", async ({ box }) => {
    const up = await box.supervise(config(box));
    for (let n = 0; n < 10; n++) await up.reaches(`s${n}`, "running");
    box.write("die", "");
    const waiting = await up.until("seven to wait for the budget", async () => {
      const all = await up.services();
      const found = all.filter(({ cause }) => /^waits for the restart budget \(3 in 1h\)/.test(cause ?? ""));
      return found.length === 10 ? found : null;
    });
    const restarts = (await stateEvents(up)).filter(({ to }) => to === "starting").length - 11;
    expect(restarts).toBe(3);
    const times = waiting.map(({ next_start_at }) => Date.parse(next_start_at ?? "")).sort((a, b) => a - b);
    expect(new Set(times).size).toBe(10);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeCloseTo(1_200_000, -2);
    expect((await up.why("s0")).answer).toMatch(/^waits for the restart budget \(3 in 1h\): next in /);

    rmSync(box.path("die"));
    expect((await up.start("s4")).state).toBe("running");
    expect(await up.state("s5")).toBe("waiting");
  });

  test("a brain that is lost forgets nothing of it", async ({ box }) => {
    const up = await box.supervise(config(box), { bin: oneupFaults() });
    up.patient = true;
    for (let n = 0; n < 10; n++) await up.reaches(`s${n}`, "running");
    box.write("die", "");
    const all = () =>
      up.until("ten to wait", async () => {
        const found = (await up.services()).filter(({ state }) => state === "waiting");
        return found.length === 10 ? found.map(({ name }) => name) : null;
      });
    await all();
    for (let losses = 0; losses < 3; losses++) {
      await up.post("/v1/debug/brain", { fault: "throw" });
      await all();
    }
    expect((await stateEvents(up)).filter(({ to }) => to === "starting").length).toBe(14);
  });
});

describe("boot", () => {
  const config = (box: Box) =>
    [
      slow(box, "db", 150),
      `[task.migrate]\ncommand = "imp sleep 100 exit 0"\nrequires = ["db"]\n`,
      slow(box, "api", 200, 'requires = ["db", "migrate"]\nwants = ["cache"]'),
      slow(box, "cache", 10),
      `[service.bad]\ncommand = "/no/such/program"\n[service.worker]\ncommand = "imp pause"\nrequires = ["bad"]\n`,
    ].join("");

  test("the chain, what failed and who waits for it", async ({ box }) => {
    const up = await box.supervise(config(box));
    await up.ready("api");
    const report = shapes.boot.parse(await up.json(["boot"]));
    expect(report.chain.map(({ name }) => name)).toEqual(["api", "migrate", "db"]);
    const [api, migrate, db] = report.chain;
    expect(db?.took_ms).toBeGreaterThanOrEqual(150);
    expect(migrate?.waited_ms).toBeGreaterThanOrEqual(150);
    expect(migrate?.took_ms).toBeGreaterThanOrEqual(100);
    expect(api?.waited_ms).toBeGreaterThanOrEqual(250);
    expect(api?.released_by).toBe("migrate");
    expect(report.failed.map(({ name }) => name)).toEqual(["bad"]);
    expect(report.waiting.map(({ name }) => name)).toEqual(["worker"]);
    const { out } = await up.cli(["boot"]);
    expect(out).toMatch(/^4 of 6 services were up after [\d.]+ m?s, api as the last one\n/);
    expect(out).toMatch(/\napi .*\n└─ migrate .*\n {3}└─ db /);
    expect(out).toMatch(
      /\nfailed:\n {2}bad .*\n\nstill on the way:\n {2}worker .*waits for bad, which failed/,
    );
    const rpc = await up.rpc();
    expect(shapes.boot.parse(await rpc.result("boot", {}))).toMatchObject({ started_at: report.started_at });
  });

  test("is the same after a brain was lost", async ({ box }) => {
    const up = await box.supervise(config(box), { bin: oneupFaults() });
    up.patient = true;
    await up.ready("db");
    await up.post("/v1/debug/brain", { fault: "throw" });
    await up.ready("api");
    const before = shapes.boot.parse(await up.ok("GET", "/v1/boot"));
    expect(before.chain.map(({ name }) => name)).toEqual(["api", "migrate", "db"]);
    await up.post("/v1/debug/brain", { fault: "throw" });
    expect(shapes.boot.parse(await up.ok("GET", "/v1/boot"))).toEqual(before);
  });
});

describe("why and wait", () => {
  test("a wait for what waits for a failure ends at once, with the cause", async ({ box }) => {
    const up = await box.supervise(
      `[service.db]\ncommand = "imp exit 7"\nrestart = "never"\nready = { file = "${box.path("never")}" }\n[service.api]\ncommand = "imp pause"\nrequires = ["db"]\n`,
    );
    const end = await up.cli(["wait", "api", "--for", "ready", "--timeout", "60s"]);
    expect(end.code).toBe(1);
    expect(end.err).toContain("waits for db, which failed: exited with code 7");
    const text = await up.cli(["why", "api"]);
    expect(text.out.split("\n")[0]).toBe("api waits for db, which failed: exited with code 7");
    expect(text.out).toMatch(/\d\d:\d\d:\d\d {2}db {3}failed {4}exited with code 7\n.*api {2}waiting/);
  });

  test("a stop that takes long says until when, and who waits for it", async ({ box }) => {
    const up = await box.supervise(
      `[service.db]\ncommand = "imp pause"\n[service.api]\ncommand = "imp ignore TERM say up pause"\nrequires = ["db"]\nready = { log = "up" }\nstop = { timeout = "20s" }\n`,
    );
    await up.ready("api");
    await up.cli(["stop", "db", "--no-wait"]);
    await up.reaches("api", "stopping");
    expect((await up.why("api")).answer).toMatch(
      /^is stopping: requires db: stop asked .*; KILL in (19|20)(\.\d)?s$/,
    );
    expect((await up.why("db")).answer).toMatch(
      /^has to stop, but waits for api to stop, which is stopping: /,
    );
    // Asked for anew meanwhile: that is what the next start comes from.
    await up.cli(["start", "db", "--no-wait"]);
    await up.post("/v1/services/api/kill", { signal: "KILL" });
    await up.until("db to come again", async () =>
      /start asked .*, after its stop/.test((await up.why("db")).answer),
    );
  });
});

test("a record that ends every brain costs the notes, not the services", async ({ box }) => {
  const up = await box.supervise(
    `[service.poison]\ncommand = "imp pause"\n[service.web]\ncommand = "imp pause"\n[service.off]\ncommand = "imp pause"\nautostart = false\n`,
    { bin: oneupFaults() },
  );
  up.patient = true;
  const pids = [await up.servicePid("poison"), await up.servicePid("web")];
  await up.post("/v1/debug/brain", { fault: "throw" });
  await up.until("the slate to be dropped", () => up.err.includes("starts from the running services alone"));
  expect([await up.servicePid("poison"), await up.servicePid("web")]).toEqual(pids);
  expect(await up.states()).toEqual({ poison: "running", web: "running", off: "inactive" });
  expect((up.err.match(/the brain was lost/g) ?? []).length).toBe(6);
});
