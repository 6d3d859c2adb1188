/** Logs: console, ring, file, followers; and output that misbehaves. */
import { readdirSync, statSync } from "node:fs";
import { describe } from "vitest";
import { type Box, expect, rootTest, test } from "./harness/box.ts";
import type { Raw } from "./harness/http.ts";
import type { LogRecord } from "./harness/shapes.ts";
import { event, logLine, logRecord } from "./harness/shapes.ts";
import type { Supervisor } from "./harness/supervisor.ts";
import { until } from "./harness/wait.ts";

const lost = (records: readonly LogRecord[]) =>
  records.reduce((sum, record) => sum + ("lost_lines" in record ? record.lost_lines : 0), 0);

const texts = (records: readonly LogRecord[]) =>
  records.flatMap((record) => ("line" in record ? [record.line] : []));

describe("console", () => {
  test("`name | line`, both streams, whole lines", async ({ box }) => {
    const up = await box.supervise(`[task.a]\ncommand = "imp say one err two say three"`);
    await up.reaches("a", "exited");
    await up.until("all lines", () => up.lines().length >= 3);
    expect([...up.lines()].sort()).toEqual(["a | one", "a | three", "a | two"]);
  });

  test("its own messages go to stderr as `oneup | text`", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "/no/such/program"`);
    await up.reaches("a", "failed");
    await up.until("a message", () => up.err.length > 0);
    for (const line of up.err.split("\n").slice(0, -1)) expect(line).toMatch(/^oneup \| \S/);
    expect(up.out).toBe("");
  });

  test("`console = false` keeps a service off it, not out of the ring", async ({ box }) => {
    const up = await box.supervise(
      `[task.quiet]\ncommand = "imp say hidden"\nlog = { console = false }\n[task.loud]\ncommand = "imp say shown"\nrequires = ["quiet"]`,
    );
    await up.until("the loud one", () => up.lines().includes("loud | shown"));
    expect(up.out).not.toContain("hidden");
    expect(await up.logText("quiet")).toEqual(["hidden"]);
  });

  test("a last line without a line break is a line", async ({ box }) => {
    const up = await box.supervise(`[task.a]\ncommand = "imp long 10"`);
    await up.reaches("a", "exited");
    await up.until("the line", () => up.lines().includes("a | yyyyyyyyyy"));
    expect(await up.logText("a")).toEqual(["yyyyyyyyyy"]);
  });

  test('`log-format = "json"` writes records', async ({ box }) => {
    const up = await box.supervise(`[supervisor]\nlog-format = "json"\n[task.a]\ncommand = "imp say hello"`);
    await up.until("a record", () => up.lines().length > 0);
    const record = logLine.parse(JSON.parse(up.lines()[0] ?? ""));
    expect(record).toMatchObject({ service: "a", stream: "out", line: "hello" });
  });

  test("nobody reads the supervisor's stdout: services and requests go on, loss is counted", async ({
    box,
  }) => {
    const up = await box.supervise(`[task.a]\ncommand = "imp spew 20000000 say end"\nlog = { lines = 100 }`, {
      noWait: true,
    });
    up.running.child.stdout?.pause();
    await up.answers();
    await up.reaches("a", "exited");
    const records = await up.logs("a");
    expect(texts(records).at(-1)).toBe("end");
    up.running.child.stdout?.resume();
    expect((await up.terminate()).code).toBe(0);
    const shown = up.lines().filter((line) => line.startsWith("a | ")).length;
    const missed = [...(up.out + up.err).matchAll(/(\d+) lines/g)].reduce(
      (sum, match) => sum + Number(match[1]),
      0,
    );
    expect(shown + missed).toBeGreaterThanOrEqual(200_001);
  });

  test("stdout is closed by its reader: no more console, everything else goes on", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp count 2"`);
    await up.until("a line", () => up.lines().length > 3);
    up.running.child.stdout?.destroy();
    const before = (await up.logText("a")).length;
    await up.until("more lines", async () => (await up.logText("a")).length > before + 20);
    expect((await up.service("a")).restarts).toBe(0);
    expect((await up.terminate()).code).toBe(0);
  });

  rootTest("stdout is a full disk", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp count 2"`, { prelude: "exec >/dev/full" });
    await up.until("lines in the ring", async () => (await up.logText("a")).length > 20);
    expect((await up.terminate()).code).toBe(0);
  });
});

describe("ring", () => {
  test("records have all their fields", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp say out err err pause"`);
    const records = await up.until("two records", async () => {
      const found = await up.logs("a");
      return found.length === 2 ? found : null;
    });
    const { pid } = await up.service("a");
    const sorted = [...records].sort((a, b) =>
      "line" in a && "line" in b ? a.line.localeCompare(b.line) : 0,
    );
    expect(sorted).toMatchObject([
      { service: "a", stream: "err", line: "err", pid },
      { service: "a", stream: "out", line: "out", pid },
    ]);
    const age = Date.now() - Date.parse(records[0]?.time ?? "");
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(60_000);
  });

  test("the last `lines` of it; what was dropped is no secret", async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = "imp spew 100000 say end"\nlog = { lines = 50, console = false }`,
    );
    await up.reaches("a", "exited");
    const records = await up.logs("a");
    const kept = texts(records);
    expect(kept).toHaveLength(50);
    expect(kept.at(-1)).toBe("end");
    expect(kept.at(-2)).toMatch(/^999 x+$/);
    if (lost(records) > 0) expect(lost(records)).toBe(1_001 - 50);
  });

  test("it is there across restarts, in order, with the pids", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp hello exit 1"\nrestart-delay = "20ms"\nrestart-delay-max = "20ms"`,
    );
    await up.until("five runs", async () => (await up.service("a")).restarts >= 5);
    const records = (await up.logs("a")).slice(0, 5);
    for (const record of records) {
      if ("line" in record) expect(record.line).toBe(`hello ${record.pid}`);
    }
    expect(new Set(records.map((record) => ("pid" in record ? record.pid : 0))).size).toBe(5);
  });

  test("lines, stream, grep, since and until, alone and together", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp say apple err banana say cherry until ${box.path("go")} say date err elder pause"`,
    );
    await up.until("three lines", async () => (await up.logs("a")).length === 3);
    const last = (await up.logs("a")).at(-1)?.time ?? "";
    await until("the clock to move on", () => Date.now() > Date.parse(last) + 5);
    const middle = new Date().toISOString();
    await until("the clock to move on", () => Date.now() > Date.parse(middle) + 5);
    box.write("go", "");
    await up.until("five lines", async () => (await up.logs("a")).length === 5);
    const sorted = async (query: string) => (await up.logText("a", query)).sort();
    expect(await sorted("?stream=err")).toEqual(["banana", "elder"]);
    expect(await sorted("?stream=out")).toEqual(["apple", "cherry", "date"]);
    expect(await sorted("?grep=an")).toEqual(["banana"]);
    expect(await sorted("?grep=%5E%5Bab%5D")).toEqual(["apple", "banana"]);
    expect(await sorted(`?since=${middle}`)).toEqual(["date", "elder"]);
    expect(await sorted(`?until=${middle}`)).toEqual(["apple", "banana", "cherry"]);
    expect((await sorted("?lines=2")).length).toBe(2);
    expect(await sorted("?lines=1&stream=out")).toEqual(["date"]);
    expect(await sorted("?lines=0")).toEqual([]);
    expect((await sorted("?since=1h")).length).toBe(5);
    for (const bad of ["?lines=x", "?stream=both", "?since=yesterday", "?grep=%5B"]) {
      expect((await up.get(`/v1/services/a/logs${bad}`)).status, bad).toBe(400);
    }
  });

  test("all services together, in the order the lines came", async ({ box }) => {
    const up = await box.supervise(
      `[task.one]\ncommand = "imp say first"\n[task.two]\ncommand = "imp say second"\nrequires = ["one"]\n[task.three]\ncommand = "imp say third"\nrequires = ["two"]`,
    );
    await up.reaches("three", "exited");
    const records = (await up.ok("GET", "/v1/logs")) as unknown[];
    expect(records.map((record) => logLine.parse(record).line)).toEqual(["first", "second", "third"]);
  });
});

describe("awkward output", () => {
  test("1 MB without a line break: all of it, in marked pieces", async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = "imp long 1000000"\nlog = { console = false, file = "a.log" }`,
    );
    await up.reaches("a", "exited");
    await up.until("the file", () => box.has("a.log") && statSync(box.path("a.log")).size >= 1_000_000);
    const records = await up.logs("a");
    const pieces = records.flatMap((record) => ("line" in record ? [record] : []));
    expect(pieces.slice(0, -1).every((piece) => piece.partial === true)).toBe(true);
    expect(pieces.at(-1)?.partial).toBeUndefined();
    const kept = pieces.reduce((sum, piece) => sum + piece.line.length, 0);
    const dropped = records.reduce(
      (sum, record) => sum + ("lost_bytes" in record ? record.lost_bytes : 0),
      0,
    );
    expect(kept + dropped).toBeGreaterThanOrEqual(1_000_000);
    expect(box.read("a.log").replaceAll("\n", "")).toBe("y".repeat(1_000_000));
  });

  test("binary: every request still gets valid JSON, the file gets the very bytes", async ({ box }) => {
    const direct = box.start(["imp", "binary", "100000"], { as: "bare" });
    await direct.outcome();
    const up = await box.supervise(`[task.a]\ncommand = "imp binary 100000"\nlog = { file = "a.log" }`);
    await up.reaches("a", "exited");
    expect((await up.logs("a")).length).toBeGreaterThan(100);
    await up.until("the file", () => box.has("a.log") && statSync(box.path("a.log")).size >= 100_000);
    const { readFileSync } = await import("node:fs");
    expect(readFileSync(box.path("a.log")).subarray(0, 100_000).equals(direct.outBytes)).toBe(true);
    expect((await up.cli(["logs", "a"])).code).toBe(0);
  });

  test("control characters in JSON and in names of fields do no harm", async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = ["imp", "say", "\\u001b[31mred\\u0007 \\"quoted\\" \\\\ \\u007f \\ufffd \\t end"]`,
    );
    await up.reaches("a", "exited");
    expect(await up.logText("a")).toEqual(['\u001b[31mred\u0007 "quoted" \\ \u007f \ufffd \t end']);
  });

  test("a service closes its stdout and lives on (and its stderr still counts)", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp say before close 1 err after until ${box.path("go")} err later pause"
[service.b]\ncommand = "imp count 5"`,
    );
    await up.until("the closing", async () => (await up.logText("a")).includes("after"));
    // Its descriptor is free; new ones will take the number.
    for (let n = 0; n < 5; n++) await up.restart("b");
    box.write("go", "");
    await up.until("stderr", async () => (await up.logText("a")).includes("later"));
    expect((await up.service("a")).restarts).toBe(0);
    expect((await up.logText("a")).sort()).toEqual(["after", "before", "later"]);
    const others = await up.logText("b");
    expect(others.every((line) => /^\d+ \d+$/.test(line))).toBe(true);
  });

  test("closing both and living on is no end", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp close 1 close 2 touch ${box.path("closed")} pause"`,
    );
    await until("the closing", () => box.has("closed"));
    expect((await up.service("a")).state).toBe("running");
    expect((await up.terminate()).code).toBe(0);
  });

  test("an orphan that holds the pipe does not hold up the end of its service", async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = "imp orphan { setsid ignore TERM say held touch ${box.path("up")} pause } until ${box.path("up")} say main exit 0"\nstop = { timeout = "200ms" }`,
    );
    await up.reaches("a", "exited");
    await up.until("no process", async () => (await up.descendants()).length === 0);
    expect((await up.logText("a")).sort()).toEqual(["held", "main"]);
  });

  test("output of a burst at the end of a life is complete", async ({ box }) => {
    const up = await box.supervise(
      Array.from(
        { length: 10 },
        (_, n) => `[task.t${n}]\ncommand = "imp spew 60000 say end"\nlog = { console = false }`,
      ).join("\n"),
    );
    for (let n = 0; n < 10; n++) {
      await up.reaches(`t${n}`, "exited");
      const lines = await up.logText(`t${n}`);
      expect(lines).toHaveLength(601);
      expect(lines.slice(0, -1).every((line, at) => line.startsWith(`${at} x`) && line.length === 99)).toBe(
        true,
      );
      expect(lines.at(-1)).toBe("end");
    }
  });

  test("twenty chatterers at once: every line in its file, none torn, none twice", async ({ box }) => {
    const up = await box.supervise(
      Array.from(
        { length: 20 },
        (_, n) =>
          `[task.t${n}]\ncommand = "imp spew 1000000"\nlog = { console = false, file = "t${n}.log", max-size = "10MiB" }`,
      ).join("\n"),
    );
    for (let n = 0; n < 20; n++) {
      await up.reaches(`t${n}`, "exited");
      await up.until(`t${n}.log`, () => statSync(box.path(`t${n}.log`)).size === 1_000_000);
      const lines = box.read(`t${n}.log`).split("\n").slice(0, -1);
      expect(lines).toHaveLength(10_000);
      expect(lines.every((line, at) => line.startsWith(`${at} x`))).toBe(true);
    }
  });

  test("memory does not grow with output", async ({ box }) => {
    const up = await box.supervise(`[task.a]\ncommand = "imp spew 300000000"\nlog = { console = false }`);
    await up.reaches("a", "exited");
    const { statusField } = await import("./harness/proc.ts");
    const peakKib = Number(/\d+/.exec(statusField(await up.pid(), "VmHWM") ?? "")?.[0]);
    expect(peakKib).toBeLessThan(40 * 1024);
  });
});

describe("file", () => {
  const files = (box: Box) => readdirSync(box.path("logs")).sort();

  test("rotation by size: whole lines, none lost, `keep` files", async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = "imp spew 1000000"\nlog = { file = "logs/a.log", max-size = "150KiB", keep = 9, console = false }`,
    );
    await up.reaches("a", "exited");
    await up.until(
      "all of it",
      () => files(box).reduce((sum, name) => sum + statSync(box.path("logs", name)).size, 0) >= 1_000_000,
    );
    const names = files(box);
    expect(names.length).toBeGreaterThanOrEqual(7);
    expect(names.every((name) => /^a\.log(\.\d)?$/.test(name))).toBe(true);
    const ordered = [...names].sort((a, b) => Number(b.slice(6) || 0) - Number(a.slice(6) || 0));
    const lines = ordered.flatMap((name) => box.read(`logs/${name}`).split("\n").slice(0, -1));
    expect(lines).toHaveLength(10_000);
    expect(lines.every((line, at) => line.startsWith(`${at} x`) && line.length === 99)).toBe(true);
    for (const name of names) expect(statSync(box.path("logs", name)).size).toBeLessThanOrEqual(150 * 1024);
  });

  test("no more than `keep` rotated files", async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = "imp spew 1000000 say end"\nlog = { file = "logs/a.log", max-size = "100KiB", keep = 2, console = false }`,
    );
    await up.reaches("a", "exited");
    await up.until("the end", () => box.has("logs/a.log") && box.read("logs/a.log").endsWith("end\n"));
    expect(files(box)).toEqual(["a.log", "a.log.1", "a.log.2"]);
  });

  test("it is appended to by the next run and the next supervisor", async ({ box }) => {
    const config = `[task.a]\ncommand = "imp say line"\nlog = { file = "logs/a.log" }`;
    for (let round = 1; round <= 3; round++) {
      const up = await box.supervise(config);
      await up.reaches("a", "exited");
      await up.shutdown();
      expect(box.read("logs/a.log")).toBe("line\n".repeat(round));
    }
  });

  test('`format = "json"` holds records', async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = "imp say hello err there"\nlog = { file = "a.json", format = "json" }`,
    );
    await up.reaches("a", "exited");
    await up.until("two records", () => box.has("a.json") && box.read("a.json").split("\n").length === 3);
    const records = box
      .read("a.json")
      .split("\n")
      .slice(0, -1)
      .map((line) => logLine.parse(JSON.parse(line)));
    expect(records.map((record) => `${record.stream} ${record.line}`).sort()).toEqual([
      "err there",
      "out hello",
    ]);
  });

  rootTest(
    "a full disk: the service goes on, the loss is told, it writes again when there is room",
    async ({ box }) => {
      box.write("small/keep", "");
      const up = await box.supervise(
        `[service.a]\ncommand = "imp count 1"\nlog = { file = "small/a.log", console = false }`,
        { prelude: `mount -t tmpfs -o size=64k none ${box.path("small")}` },
      );
      const size = async () => Number((await up.inside(["stat", "-c", "%s", box.path("small/a.log")])).out);
      const last = async () => Number((await up.logText("a", "?lines=1"))[0]?.split(" ")[1]);
      await up.until("the disk to be full", async () => (await size()) > 60_000);
      const then = await last();
      await up.until("the ring to go on", async () => (await last()) > then + 500);
      await up.until("a message", () => /ENOSPC|space/i.test(up.err));
      expect((await up.service("a")).restarts).toBe(0);
      const complaints = up.err.split("\n").filter((line) => /ENOSPC|space/i.test(line)).length;
      expect(complaints).toBeLessThan(10);
      // Somebody makes room.
      await up.inside(["truncate", "-s", "0", box.path("small/a.log")]);
      await up.until("it to write again", async () => (await size()) > 1_000);
      expect((await up.terminate()).code).toBe(0);
    },
  );

  test("a folder that cannot be made costs the file, not the service", async ({ box }) => {
    box.write("plain", "");
    const up = await box.supervise(
      `[service.a]\ncommand = "imp say hello pause"\nlog = { file = "plain/a.log" }`,
    );
    await up.reaches("a", "running");
    await up.until("the ring", async () => (await up.logText("a")).length === 1);
    await up.until("a message", () => /ENOTDIR|plain/.test(up.err));
  });

  rootTest("the folder of its file becomes read-only, then comes back", async ({ box }) => {
    box.write("ro/keep", "");
    const up = await box.supervise(
      `[service.a]\ncommand = "imp count 2"\nlog = { file = "ro/a.log", max-size = "1KiB", console = false }`,
      {
        prelude: `mount -t tmpfs none ${box.path("ro")} && mount -o remount,ro ${box.path("ro")}`,
      },
    );
    await up.until("the ring", async () => (await up.logText("a")).length > 10);
    expect((await up.service("a")).state).toBe("running");
    expect((await up.terminate()).code).toBe(0);
  });
});

describe("followers", () => {
  const follow = (box: Box, up: Supervisor, args: string[] = []) =>
    box.background(["logs", "-f", "a", ...args], { as: "bare", env: { ONEUP_SOCKET: up.socket } });

  test("`logs -f` shows what was and what comes, also across a restart", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp hello until ${box.path("go")} say goodbye pause"`,
    );
    await up.until("the first line", async () => (await up.logText("a")).length === 1);
    const follower = follow(box, up);
    await until("the first line", () => /^hello \d+\n$/.test(follower.out));
    box.write("go", "");
    await until("the second", () => follower.out.includes("goodbye"));
    await up.restart("a");
    await until("the next run", () => (follower.out.match(/hello \d+\n/g) ?? []).length === 2);
    await up.shutdown();
    const end = await follower.outcome();
    expect(end.out.split("\n").filter((line) => line.startsWith("hello"))).toHaveLength(2);
  });

  test("the JSON form is one record a line", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp count 5"`);
    const follower = follow(box, up, ["--json"]);
    await until("ten records", () => follower.out.split("\n").length > 10);
    const records = follower.out
      .split("\n")
      .slice(0, 10)
      .map((line) => logRecord.parse(JSON.parse(line)));
    const numbers = records.map((record) => ("line" in record ? Number(record.line.split(" ")[1]) : -1));
    expect(numbers).toEqual(Array.from({ length: 10 }, (_, n) => (numbers[0] ?? 0) + n));
  });

  test("Server-Sent Events", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp count 5"`);
    const raw = await up.raw();
    raw.send("GET /v1/services/a/logs?follow=true HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("ten events", () => (raw.text.match(/data: \{/g) ?? []).length > 10);
    expect(raw.text).toMatch(/^HTTP\/1\.1 200/);
    expect(raw.text).toMatch(/content-type: text\/event-stream/i);
    const first = /data: (\{.*\})\r?\n\r?\n/.exec(raw.text)?.[1] ?? "";
    expect(logRecord.parse(JSON.parse(first))).toMatchObject({ service: "a" });
    raw.drop();
  });

  test("a follower that does not read: nobody else waits, memory stays, it is told what it missed", async ({
    box,
  }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp until ${box.path("go")} spew 50000000 say end count 5"\nlog = { console = false, lines = 1000 }`,
    );
    const raw = await up.raw();
    raw.send("GET /v1/services/a/logs?follow=true HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("the head", () => raw.text.includes("200"));
    raw.stall();
    box.write("go", "");
    await up.until(
      "the writer to be through",
      async () => (await up.logText("a", "?grep=%5Eend%24")).length === 1,
    );
    expect((await up.services()).length).toBe(1);
    raw.resume();
    await until("the stream to catch up", () => /"line":"\d+ \d+"/.test(raw.text), { deadlineMs: 60_000 });
    const records = [...raw.text.matchAll(/data: (\{.*?\})\r?\n/g)].map((match) =>
      logRecord.parse(JSON.parse(match[1] ?? "")),
    );
    const spewed = records.filter((record) => "line" in record && / x+$/.test(record.line)).length;
    const counted = records.reduce(
      (sum, record) => sum + ("lost_lines" in record ? record.lost_lines : 0),
      0,
    );
    expect(counted).toBeGreaterThan(0);
    expect(Math.abs(spewed + counted - 500_000)).toBeLessThanOrEqual(5);
    raw.drop();
  });

  test("a follower that vanishes leaves no descriptor behind", async ({ box }) => {
    const { descriptorsOf } = await import("./harness/proc.ts");
    const up = await box.supervise(`[service.a]\ncommand = "imp count 1"\nlog = { console = false }`);
    const pid = await up.pid();
    await up.reaches("a", "running");
    const before = descriptorsOf(pid).size;
    const raws: Raw[] = [];
    for (let n = 0; n < 20; n++) {
      const raw = await up.raw();
      raw.send("GET /v1/services/a/logs?follow=true HTTP/1.1\r\nhost: x\r\n\r\n");
      raws.push(raw);
    }
    await until("their streams", () => raws.every((raw) => raw.text.includes("data:")));
    for (const raw of raws) raw.drop();
    await up.until("their descriptors to be closed", () => descriptorsOf(pid).size <= before);
    expect((await up.service("a")).restarts).toBe(0);
  });

  test("`events -f` and the event stream", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"\nautostart = false`);
    const follower = box.background(["events", "-f", "--json"], {
      as: "bare",
      env: { ONEUP_SOCKET: up.socket },
    });
    await up.start("a");
    await until("running", () => /"to":"running"/.test(follower.out));
    await up.stop("a");
    await until("inactive", () => /"to":"inactive"/.test(follower.out));
    const events = follower.out
      .split("\n")
      .slice(0, -1)
      .map((line) => event.parse(JSON.parse(line)));
    const seqs = events.map((each) => each.seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(new Set(seqs).size).toBe(seqs.length);
    expect((await up.events()).filter((each) => each.service === "a").map((each) => each.seq)).toEqual(
      events.filter((each) => each.service === "a").map((each) => each.seq),
    );
  });
});

describe("oneup logs", () => {
  test("one service: bare lines; several: with the name; -n, --stream, --grep, --since", async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = "imp say a1 say a2 err a3"\n[task.b]\ncommand = "imp say b1"\nrequires = ["a"]`,
    );
    await up.reaches("b", "exited");
    const out = async (...args: string[]) => {
      const end = await up.cli(["logs", ...args]);
      expect(end.code, end.err).toBe(0);
      return end.out.split("\n").slice(0, -1);
    };
    expect((await out("a")).sort()).toEqual(["a1", "a2", "a3"]);
    expect(await out("b")).toEqual(["b1"]);
    expect((await out()).sort()).toEqual(["a | a1", "a | a2", "a | a3", "b | b1"]);
    expect((await out("a", "b")).sort()).toEqual(["a | a1", "a | a2", "a | a3", "b | b1"]);
    expect(await out("a", "--stream", "err")).toEqual(["a3"]);
    expect(await out("-n", "1", "b")).toEqual(["b1"]);
    expect(await out("a", "--grep", "2$")).toEqual(["a2"]);
    expect((await out("a", "--since", "1h")).length).toBe(3);
    expect(await out("a", "-n", "0")).toEqual([]);
    expect((await up.cli(["logs", "nobody"])).code).toBe(4);
    expect((await up.cli(["logs", "a", "--grep", "["])).code).toBe(2);
  });
});
