/** Tasks that run by themselves, with real processes and the real clock. */
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import { oneupFaults } from "./harness/paths.ts";
import * as shapes from "./harness/shapes.ts";
import type { Supervisor } from "./harness/supervisor.ts";
import { until } from "./harness/wait.ts";

function task(box: Box, schedule: string, words: string, more = ""): string {
  return `[task.job]\ncommand = "imp mark start ${box.path("runs")} ${words}"\nschedule = { ${schedule} }\n${more}`;
}

async function runs(up: Supervisor): Promise<shapes.Runs> {
  return shapes.runs.parse(await up.ok("GET", "/v1/services/job/runs"));
}

/** Starts, ms. */
function starts(box: Box): number[] {
  return marks(box, "start").map(({ at }) => at / 1000);
}

function marks(box: Box, word: string) {
  return box.marks("runs").filter((mark) => mark.word === word);
}

async function untilStarts(box: Box, count: number): Promise<void> {
  await until(`${count} starts`, () => starts(box).length >= count);
}

describe("a task runs by itself", () => {
  test("every second, and not at boot", async ({ box }) => {
    const up = await box.supervise(task(box, 'every = "1s"', "exit 3"));
    const first = await up.service("job");
    expect(first.next_start_at).not.toBeNull();
    await untilStarts(box, 4);
    const at = starts(box);
    const gaps = at.slice(1).map((each, index) => each - (at[index] ?? 0));
    // A machine that is slow makes a run late, and the one after it may keep its own time.
    for (const gap of gaps) expect(gap).toBeGreaterThan(500);
    const history = await runs(up);
    const over = history.filter((run) => run.ended_at !== null);
    expect(over.length).toBeGreaterThanOrEqual(3);
    for (const run of over) {
      expect(run).toMatchObject({ exit: { code: 3 }, success: false, cause: "exited with code 3" });
      expect(run.scheduled_at).not.toBeNull();
    }
    expect((await up.service("job")).next_start_at).not.toBeNull();
  });

  test("by a pattern with seconds, on the second", async ({ box }) => {
    const up = await box.supervise(
      task(box, 'cron = "*/2 * * * * *", time-zone = "Europe/Berlin"', "exit 0"),
    );
    await untilStarts(box, 2);
    const history = (await runs(up)).filter((run) => run.started_at !== null);
    for (const { scheduled_at, started_at } of history) {
      const [scheduled, started] = [Date.parse(scheduled_at ?? ""), Date.parse(started_at ?? "")];
      expect(scheduled % 2000).toBe(0);
      expect(started).toBeGreaterThanOrEqual(scheduled);
    }
    expect(new Set(history.map((run) => run.scheduled_at)).size).toBe(history.length);
    await up.until("its metrics", async () => {
      const { text } = await up.get("/metrics");
      return /oneup_task_last_run_success\{service="job"\} 1\n/.test(text);
    });
  });

  test("at start as well, if asked for; and when it is asked for", async ({ box }) => {
    const up = await box.supervise(task(box, 'cron = "0 0 29 2 *", at-start = true', "exit 0"));
    await up.reaches("job", "exited");
    expect(starts(box)).toHaveLength(1);
    await up.start("job");
    expect(starts(box)).toHaveLength(2);
    const service = await up.service("job");
    expect(service.next_start_at).toMatch(/^20\d\d-02-(28|29)T/);
    expect((await runs(up)).map((run) => [run.scheduled_at, run.success])).toEqual([
      [null, true],
      [null, true],
    ]);
    const status = await up.cli(["status"]);
    expect(status.out).toMatch(/job +exited .* exit 0; next in \d+ d/);
    const why = await up.cli(["why", "job"]);
    expect(why.out).toMatch(/last runs\n {2}RUN +TOOK +END +BECAUSE\n(.* exit 0 +exited with code 0\n){2}/);
  });
});

describe("due while it is at work", () => {
  test("skip: it is left alone", async ({ box }) => {
    const up = await box.supervise(
      task(box, 'every = "1s"', `sleep 2500 mark end ${box.path("runs")} exit 0`),
    );
    await untilStarts(box, 2);
    const [begun, ended, again] = box.marks("runs");
    expect([begun?.word, ended?.word, again?.word]).toEqual(["start", "end", "start"]);
    const first = (await runs(up)).find((run) => run.success === true);
    expect(first?.skipped).toBeGreaterThanOrEqual(1);
    const events = await up.events();
    expect(events.some(({ event, cause }) => event === "schedule" && /skipped/.test(cause ?? ""))).toBe(true);
  });

  test("queue: one follows at once", async ({ box }) => {
    const up = await box.supervise(
      task(box, 'every = "1s", overlap = "queue"', `sleep 2500 mark end ${box.path("runs")} exit 0`),
    );
    await untilStarts(box, 3);
    const words = box.marks("runs").map(({ word }) => word);
    expect(words.slice(0, 5)).toEqual(["start", "end", "start", "end", "start"]);
    const waited = (await runs(up)).filter((run) => run.started_at !== null && run.scheduled_at !== null);
    // It was due long before the run before it had ended.
    const late = waited.map((run) => Date.parse(run.started_at ?? "") - Date.parse(run.scheduled_at ?? ""));
    expect(Math.max(...late)).toBeGreaterThan(1000);
  });

  test("kill: the former leaves, with all its processes, before the next begins", async ({ box }) => {
    const file = box.path("words");
    // Each run looks whether anything of the former is still there, then leaves a slow process behind.
    const script = [
      "trap 'sleep 0.4; exit 0' TERM",
      `for p in $(cat ${file}.pids 2>/dev/null); do kill -0 $p && echo overlap >> ${file}; done`,
      `sleep 1000 & echo $$$$ $! > ${file}.pids`,
      `echo start >> ${file}`,
      "while :; do wait; done",
    ].join("\n");
    const up = await box.supervise(
      `[task.job]\ncommand = ["/bin/sh", "-c", ${JSON.stringify(script)}]\nschedule = { every = "2s", overlap = "kill" }\n`,
    );
    const words = () => (box.has("words") ? box.read("words").trim().split("\n") : []);
    await until("three starts", () => words().length >= 3);
    expect(new Set(words())).toEqual(new Set(["start"]));
    const receipts = (await up.events()).filter(
      ({ event, service }) => event === "receipt" && service === "job",
    );
    expect(receipts.length).toBeGreaterThanOrEqual(2);
    const over = (await runs(up)).filter((run) => run.ended_at !== null);
    for (const run of over) expect(run.cause).toMatch(/^scheduled \(every 2s\) for .*, in its place$/);
    await up.stop("job");
  });
});

test("lost brains lose no run and make none twice", async ({ box }) => {
  const up = await box.supervise(task(box, 'cron = "* * * * * *"', "exit 0"), { bin: oneupFaults() });
  up.patient = true;
  for (let lost = 0; lost < 5; lost++) {
    const before = starts(box).length;
    await up.post("/v1/debug/brain", { fault: "throw" }, { deadlineMs: 60_000 });
    await untilStarts(box, before + 1);
  }
  const history = await runs(up);
  const due = history.map((run) => run.scheduled_at);
  expect(new Set(due).size).toBe(due.length);
  const seconds = due.map((time) => Date.parse(time ?? "") / 1000).sort();
  // On a slow machine several may have been due at once, which is one run; none is out of order.
  expect(seconds).toEqual([...new Set(seconds)]);
});

test("a shutdown is not held up by what is due next", async ({ box }) => {
  const up = await box.supervise(task(box, 'every = "1s", overlap = "queue"', "sleep 60000"));
  await untilStarts(box, 1);
  const end = await up.terminate();
  expect(end.code).toBe(0);
  expect(starts(box)).toHaveLength(1);
});

test("check refuses what is no schedule, with its place", async ({ box }) => {
  box.write("oneup.toml", task(box, 'cron = "60 * * * *", time-zone = "Europe/Berln"', "exit 0"));
  const { code, out, err } = await box.oneup(["check"]);
  expect(code).toBe(2);
  const text = out + err;
  expect(text).toMatch(/oneup\.toml:3:22: schedule\.cron: "60" is not a minute/);
  expect(text).toMatch(/oneup\.toml:3:47: schedule\.time-zone: unknown time zone "Europe\/Berln"/);
  expect(text).toContain('did you mean "Europe/Berlin"?');
});
