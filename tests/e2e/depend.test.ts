/** Dependencies: order, readiness, failure, conflicts, groups. */
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import { freePort } from "./harness/ports.ts";
import { pause, until } from "./harness/wait.ts";

const at = (box: Box, file: string, word = "run") =>
  box.marks(file).find((mark) => mark.word === word)?.at ?? Number.NaN;

describe("order", () => {
  test("requires, wants, after, before: each starts when the former is ready", async ({ box }) => {
    const service = (name: string, more: string) =>
      `[service.${name}]\ncommand = "imp mark run ${box.path(name)} sleep 50 mark ready ${box.path(name)} touch ${box.path(`${name}.ok`)} pause"\nready = { file = "${box.path(`${name}.ok`)}" }\n${more}`;
    const up = await box.supervise(
      [
        service("e", 'requires = ["d"]'),
        service("d", 'wants = ["c"]'),
        service("c", 'after = ["b"]'),
        service("a", 'before = ["b"]'),
        service("b", ""),
      ].join("\n"),
    );
    await up.ready("e");
    for (const [first, second] of [
      ["a", "b"],
      ["b", "c"],
      ["c", "d"],
      ["d", "e"],
    ] as const) {
      expect(at(box, second), `${second} after ${first}`).toBeGreaterThan(at(box, first, "ready"));
    }
  });

  test("what does not depend starts at the same time", async ({ box }) => {
    const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
    const up = await box.supervise(
      names
        .map(
          (name) =>
            `[service.${name}]\ncommand = "imp touch ${box.path(name)} ${names.map((other) => `until ${box.path(other)}`).join(" ")} touch ${box.path(`${name}.ok`)} pause"\nready = { file = "${box.path(`${name}.ok`)}" }`,
        )
        .join("\n"),
    );
    // Each waits for all others: one after another would never come to an end.
    for (const name of names) await up.ready(name);
  });

  test("a diamond starts each once", async ({ box }) => {
    const service = (name: string, more = "") =>
      `[service.${name}]\ncommand = "imp mark run ${box.path(name)} pause"\n${more}`;
    const up = await box.supervise(
      [
        service("top", 'requires = ["left", "right"]'),
        service("left", 'requires = ["base"]'),
        service("right", 'requires = ["base"]'),
        service("base"),
      ].join("\n"),
    );
    await up.reaches("top", "running");
    for (const name of ["top", "left", "right", "base"]) expect(await box.wordsOf(name, 1)).toEqual(["run"]);
  });

  test("a long chain", async ({ box }) => {
    const length = 200;
    const up = await box.supervise(
      Array.from(
        { length },
        (_, n) => `[service.s${n}]\ncommand = "imp pause"\n${n > 0 ? `requires = ["s${n - 1}"]` : ""}`,
      ).join("\n"),
    );
    await up.reaches(`s${length - 1}`, "running");
    const receipts = await up.stop("s0");
    expect(receipts).toHaveLength(length);
    expect(receipts.at(-1)?.service).toBe("s0");
  });
});

describe("readiness", () => {
  test("tcp", async ({ box }) => {
    const port = await freePort();
    const up = await box.supervise(`
[service.a]
command = "imp until ${box.path("go")} listen ${port} pause"
ready = { tcp = ${port} }
[service.b]
command = "imp touch ${box.path("b")} pause"
requires = ["a"]`);
    await up.reaches("a", "starting", (one) => one.pid !== null && !one.ready);
    await up.reaches("b", "waiting", (one) => one.waiting_for.join() === "a");
    box.write("go", "");
    await up.reaches("b", "running");
    expect(await up.service("a")).toMatchObject({ state: "running", ready: true });
  });

  test("exec", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp pause"
ready = { exec = "test -e ${box.path("go")}" }`);
    await up.reaches("a", "starting", (one) => one.pid !== null);
    box.write("go", "");
    await up.ready("a");
    // Nobody asks again once it is ready.
    const before = (await up.descendants()).length;
    expect(before).toBe(1);
  });

  test("exec that hangs or cannot be started is not ready, and says why when time is out", async ({
    box,
  }) => {
    const up = await box.supervise(`
[service.a]
command = "imp pause"
ready = { exec = "/no/such/check" }
start-timeout = "400ms"
restart = "never"`);
    const failed = await up.reaches("a", "failed");
    expect(failed.cause).toMatch(/not ready within 400ms/);
  });

  test("log, on either stream, from this run only", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp say starting until ${box.path("go")} err 'ready to serve 42' remove ${box.path("go")} pause"
ready = { log = "ready to serve [0-9]+" }`);
    await up.reaches("a", "starting", (one) => one.pid !== null && !one.ready);
    box.write("go", "");
    await up.ready("a");
    const before = await up.service("a");
    await up.strike("a");
    await up.reaches("a", "starting", (one) => one.pid !== null && one.pid !== before.pid && !one.ready);
    box.write("go", "");
    await up.ready("a");
  });

  test("delay", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp mark run ${box.path("a")} pause"
ready = { delay = "400ms" }
[service.b]
command = "imp mark run ${box.path("b")} pause"
requires = ["a"]`);
    await up.reaches("b", "running");
    await box.wordsOf("b", 1);
    expect((at(box, "b") - at(box, "a")) / 1_000).toBeGreaterThanOrEqual(395);
  });

  test("several: all must hold", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp until ${box.path("one")} say up pause"
ready = { log = "^up$", file = "${box.path("two")}" }`);
    box.write("one", "");
    await up.until("the line", async () => (await up.logText("a")).length === 1);
    expect((await up.service("a")).ready).toBe(false);
    box.write("two", "");
    await up.ready("a");
  });

  test("a service that ends before it is ready has failed a run", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp exit 0"
ready = { file = "${box.path("never")}" }
restart = "never"
[service.b]
command = "imp pause"
requires = ["a"]`);
    await up.reaches("a", ["failed", "exited"]);
    await up.reaches("b", "waiting");
  });
});

describe("failure", () => {
  test("wants: its failure is no obstacle", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp pause"
wants = ["broken", "crashing"]
[service.broken]
command = "/no/such/program"
[service.crashing]
command = "imp exit 1"
restart-delay = "10m"
restart-delay-max = "10m"`);
    await up.reaches("a", "running");
    expect(await up.state("broken")).toBe("failed");
  });

  test("a requirement that crashes and comes back leaves its dependents up", async ({ box }) => {
    const up = await box.supervise(`
[service.db]
command = "imp pause"
[service.a]
command = "imp pause"
requires = ["db"]`);
    const former = await up.reaches("a", "running");
    const db = await up.service("db");
    await up.strike("db");
    await up.succeeded("db", db.pid ?? 0);
    expect(await up.service("a")).toMatchObject({ state: "running", pid: former.pid, restarts: 0 });
  });

  test("bind = true takes the dependent along and brings it back", async ({ box }) => {
    const up = await box.supervise(`
[service.db]
command = "imp pause"
restart-delay = "300ms"
[service.a]
command = "imp leave TERM ${box.path("marks")} 0 0 pause"
requires = [{ service = "db", bind = true }]`);
    const former = await up.reaches("a", "running");
    await up.strike("db");
    await up.reaches("a", "waiting");
    await up.succeeded("a", former.pid ?? 0);
    expect(await up.state("db")).toBe("running");
    expect((await up.why("a")).chain.length).toBeGreaterThan(0);
  });

  test('on-failure = "stop-dependents"', async ({ box }) => {
    const up = await box.supervise(`
[service.db]
command = "imp until ${box.path("die")} exit 1"
restart = "never"
on-failure = "stop-dependents"
[service.a]
command = "imp pause"
requires = ["db"]
[service.b]
command = "imp pause"
requires = ["a"]
[service.free]
command = "imp pause"`);
    await up.reaches("b", "running");
    box.write("die", "");
    await up.reaches("db", "failed");
    for (const name of ["a", "b"]) expect((await up.reaches(name, "waiting")).cause).not.toBeNull();
    expect(await up.state("free")).toBe("running");
    await up.until("one process", async () => (await up.descendants()).length === 1);
  });

  test('on-failure = "ignore", the default, leaves dependents up', async ({ box }) => {
    const up = await box.supervise(`
[service.db]
command = "imp until ${box.path("die")} exit 1"
restart = "never"
[service.a]
command = "imp pause"
requires = ["db"]`);
    await up.reaches("a", "running");
    box.write("die", "");
    await up.reaches("db", "failed");
    await pause(200);
    expect(await up.state("a")).toBe("running");
  });

  test("why: the chain leads to the root of it", async ({ box }) => {
    const up = await box.supervise(`
[service.root]
command = "/no/such/program"
[service.middle]
command = "imp pause"
requires = ["root"]
[service.leaf]
command = "imp pause"
requires = ["middle"]`);
    await up.reaches("leaf", "waiting");
    await up.reaches("root", "failed");
    const { service, state, chain } = await up.why("leaf");
    expect({ service, state }).toEqual({ service: "leaf", state: "waiting" });
    const text = JSON.stringify(chain);
    expect(text).toMatch(/middle/);
    expect(text).toMatch(/root/);
    expect(text).toMatch(/ENOENT|no such/i);
  });
});

describe("asked-for stop, restart and start", () => {
  const stack = (box: Box) =>
    ["db", "api", "web"]
      .map(
        (name, n) =>
          `[service.${name}]\ncommand = "imp mark run ${box.path(name)} leave TERM ${box.path(name)} 50 0 touch ${box.path(`${name}.up`)} pause"\n${n > 0 ? `requires = ["${["db", "api"][n - 1]}"]` : ""}`,
      )
      .join("\n");
  const allUp = (box: Box) =>
    until("all handlers", () => ["db", "api", "web"].every((name) => box.has(`${name}.up`)));

  test("a stop takes dependents first, one after another", async ({ box }) => {
    const up = await box.supervise(stack(box));
    await allUp(box);
    const receipts = await up.stop("db");
    expect(receipts.map((receipt) => receipt.service)).toEqual(["web", "api", "db"]);
    expect(await up.states()).toEqual({ db: "inactive", api: "inactive", web: "inactive" });
    expect(at(box, "web", "done")).toBeLessThan(at(box, "api", "TERM"));
    expect(at(box, "api", "done")).toBeLessThan(at(box, "db", "TERM"));
    expect((await up.service("web")).cause).toMatch(/db/);
  });

  test("a stop of the dependent leaves its requirement up", async ({ box }) => {
    const up = await box.supervise(stack(box));
    await allUp(box);
    await up.stop("web");
    expect(await up.states()).toEqual({ db: "running", api: "running", web: "inactive" });
  });

  test("a restart brings the dependents that were up back, in order", async ({ box }) => {
    const up = await box.supervise(stack(box));
    await allUp(box);
    await up.stop("web");
    await up.restart("db");
    await up.reaches("api", "running");
    expect(await up.states()).toEqual({ db: "running", api: "running", web: "inactive" });
    const runs = (name: string) => box.words(name).filter((word) => word === "run").length;
    await until("their marks", () => runs("db") >= 2 && runs("api") >= 2);
    expect([runs("db"), runs("api"), runs("web")]).toEqual([2, 2, 1]);
  });

  test("a start pulls its requirements and wants up", async ({ box }) => {
    const up = await box.supervise(`
[service.db]
command = "imp pause"
autostart = false
[service.cache]
command = "imp pause"
autostart = false
[service.other]
command = "imp pause"
autostart = false
[service.web]
command = "imp pause"
requires = ["db"]
wants = ["cache"]
after = ["other"]
autostart = false`);
    expect(new Set(Object.values(await up.states()))).toEqual(new Set(["inactive"]));
    await up.start("web");
    expect(await up.states()).toEqual({ db: "running", cache: "running", other: "inactive", web: "running" });
  });

  test("autostart = false is still started when something needs it", async ({ box }) => {
    const up = await box.supervise(`
[service.db]
command = "imp pause"
autostart = false
[service.web]
command = "imp pause"
requires = ["db"]`);
    await up.reaches("web", "running");
    expect(await up.state("db")).toBe("running");
  });

  test("a target stands for its members", async ({ box }) => {
    const up = await box.supervise(`
[target.all]
requires = ["a"]
wants = ["b"]
autostart = false
[service.a]
command = "imp pause"
autostart = false
[service.b]
command = "imp pause"
autostart = false
[service.c]
command = "imp pause"
requires = ["all"]
autostart = false`);
    await up.start("all");
    expect(await up.states()).toMatchObject({ a: "running", b: "running", c: "inactive" });
    expect(await up.service("all")).toMatchObject({
      kind: "target",
      state: "running",
      ready: true,
      pid: null,
    });
    await up.start("c");
    await up.stop("all");
    expect(new Set(Object.values(await up.states()))).toEqual(new Set(["inactive"]));
  });

  test("conflicts: starting one stops the other", async ({ box }) => {
    const up = await box.supervise(`
[service.old]
command = "imp mark run ${box.path("old")} leave TERM ${box.path("old")} 100 0 touch ${box.path("old.up")} pause"
[service.new]
command = "imp mark run ${box.path("new")} pause"
conflicts = ["old"]
autostart = false`);
    await until("the old one", () => box.has("old.up"));
    await up.start("new");
    expect(await up.states()).toEqual({ old: "inactive", new: "running" });
    await until("its mark", () => box.marks("new").length > 0);
    expect(at(box, "old", "done")).toBeLessThan(at(box, "new"));
    // The other way round, too.
    await up.start("old");
    expect(await up.states()).toEqual({ old: "running", new: "inactive" });
  });

  test("start waits for readiness; a start of what runs is done at once", async ({ box }) => {
    const up = await box.supervise(`
[service.a]
command = "imp sleep 200 touch ${box.path("ok")} pause"
ready = { file = "${box.path("ok")}" }
autostart = false`);
    expect(await up.start("a")).toMatchObject({ state: "running", ready: true });
    const { pid } = await up.service("a");
    expect(await up.start("a")).toMatchObject({ pid, restarts: 0 });
  });

  test("a start that waits for something that failed does not wait for ever", async ({ box }) => {
    const up = await box.supervise(`
[service.db]
command = "/no/such/program"
autostart = false
[service.web]
command = "imp pause"
requires = ["db"]
autostart = false`);
    const end = await up.cli(["start", "web"]);
    expect(end.code).toBe(1);
    expect(end.err).toMatch(/db/);
    // It starts by itself once the requirement is there: the goal stays.
    expect(await up.state("web")).toBe("waiting");
  });
});

describe("requests in a heap", () => {
  test("a hundred commands at once leave one process for each that is up", async ({ box }) => {
    const names = ["a", "b", "c", "d"];
    const up = await box.supervise(
      names
        .map(
          (name, n) =>
            `[service.${name}]\ncommand = "imp mark run ${box.path("runs")} pause"\n${n > 0 ? `requires = ["${names[n - 1]}"]` : ""}`,
        )
        .join("\n"),
    );
    await up.reaches("d", "running");
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    await Promise.all(
      Array.from({ length: 100 }, () => {
        const verb = ["start", "stop", "restart"][random(3)];
        return up.post(`/v1/services/${names[random(4)]}/${verb}?timeout=20s`);
      }),
    );
    for (const name of names) await up.start(name);
    expect(await up.states()).toEqual({ a: "running", b: "running", c: "running", d: "running" });
    expect((await up.descendants()).length).toBe(4);
    await up.noZombies();
  });
});
