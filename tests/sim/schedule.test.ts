/**
 * Property tests of schedules: random tasks, clocks that jump, brains that get lost. The judge sees
 * starts and states from outside; when a pattern comes he knows from the matcher, which has a
 * yardstick of its own (tests/unit/schedule).
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runs } from "../../src/engine/index.ts";
import type { SparseSpec } from "../../src/model/spec.ts";
import { parseCron } from "../../src/schedule/cron.ts";
import { nextAfter } from "../../src/schedule/match.ts";
import type { Schedule } from "../../src/schedule/schedule.ts";
import { checkWorld } from "./invariants.ts";
import { type Behaviour, Kernel } from "./kernel.ts";
import { Dice, mix } from "./machine.ts";

const RUNS = Math.ceil(Number(process.env.ONEUP_SIM_RUNS ?? 1000) / 10);
const SECOND = 1000;
const HOUR = 3600 * SECOND;
const LENGTH = 90;
/** So long after it was due a start is looked for: spawning and batches take their time. */
const SOON_MS = 60;
const GRACE_MS = 60 * SECOND;

interface Plan {
  readonly seed: number;
  readonly losses: boolean;
  readonly jumps: boolean;
  readonly asks: boolean;
}

const PATTERNS = [
  "* * * * * *",
  "*/2 * * * * *",
  "*/5 * * * * *",
  "3,4,17,40 * * * * *",
  "30 * * * * *",
  "* * * * *",
];

function randomTask(dice: Dice, index: number): SparseSpec {
  const pattern = dice.pick(PATTERNS);
  const read = parseCron(pattern);
  if (!("value" in read)) throw new Error(read.message);
  const every = dice.chance(0.4) ? dice.pick([1, 2, 3, 7]) * SECOND : 0;
  const schedule: Schedule = {
    text: every === 0 ? pattern : `every ${every}ms`,
    cron: every === 0 ? read.value : null,
    everyMs: every,
    overlap: dice.pick(["skip", "queue", "kill"]),
    missed: dice.pick(["skip", "once"]),
    zone: null,
  };
  return {
    name: `t${index}`,
    kind: "task",
    argv: ["x"],
    autostart: dice.chance(0.2),
    startTimeoutMs: dice.pick([0, 0, 2500]),
    restart: dice.pick(["never", "on-failure"]),
    restartDelayMs: dice.pick([0, 300, 4000]),
    restartLimit: 3,
    stop: { signal: "TERM", timeoutMs: dice.pick([0, 200]), evict: "stop" as const, tree: true },
    ...(dice.chance(0.3) ? { requires: [{ name: "db", bind: dice.chance(0.3), start: true }] } : {}),
    schedule,
  };
}

function randomRun(seed: number, service: string, run: number): Behaviour {
  const dice = new Dice(mix(seed, service, run));
  if (service === "db") return { spawnMs: dice.upTo(3) };
  const code = dice.chance(0.25) ? 1 : 0;
  return {
    spawnMs: dice.upTo(3),
    ends: { afterMs: dice.pick([0, 1, 400, 900, 1100, 3500, 8000]), exit: { code } },
    leaves: dice.pick([0, 20, 20, 150, "never" as const]),
    ...(dice.chance(0.2) ? { leftovers: 1, leftoversLeave: dice.upTo(100) } : {}),
  };
}

/** What the judge knows of one task. */
interface Watched {
  readonly spec: SparseSpec;
  readonly schedule: Schedule;
  starts: number;
  /** The newest of them was a further try, even if somebody asked for a start before it was at work. */
  retry: boolean;
  /** Wall times; when the clock was set far back, those count anew. */
  readonly occasions: Set<string>;
  /** Starts that have been looked at. */
  readonly seen: Set<string>;
  /** Was due while at work, and has to follow. */
  owed: boolean;
  idleSince: number;
  lastScheduled: number;
}

class Judge {
  readonly #kernel: Kernel;
  readonly #tasks: readonly Watched[];
  #epoch = 0;
  #jumped = false;
  /** What lies before has been seen already, and does not count again. */
  #highest: number;

  constructor(kernel: Kernel, specs: readonly SparseSpec[]) {
    this.#kernel = kernel;
    this.#highest = kernel.clock.wall;
    this.#tasks = specs.flatMap((spec) =>
      spec.schedule
        ? [
            {
              spec,
              schedule: spec.schedule,
              starts: 0,
              retry: false,
              occasions: new Set<string>(),
              seen: new Set<string>(),
              owed: false,
              idleSince: kernel.now,
              lastScheduled: Number.NEGATIVE_INFINITY,
            },
          ]
        : [],
    );
  }

  #of(name: string) {
    const service = this.#kernel.world.byName.get(name);
    if (service === undefined) throw new Error(`no ${name}`);
    return service;
  }

  #isIdle({ spec }: Watched): boolean {
    return ["inactive", "exited", "failed", "backoff"].includes(this.#of(spec.name).state);
  }

  /** A process is about to be started: never beside another, never twice for one occasion. */
  spawned(name: string): void {
    const task = this.#tasks.find(({ spec }) => spec.name === name);
    if (task === undefined) return;
    if (this.#kernel.liveSets(name).length > 0) throw new Error(`${name} runs beside itself`);
    task.starts++;
    task.retry = this.#of(name).past.streak > 0;
    task.owed = false;
    task.idleSince = this.#kernel.now;
  }

  /** A start was applied: what is it due to? Further tries are left out. */
  noted(): void {
    for (const task of this.#tasks) {
      const newest = runs(this.#kernel.world, task.spec.name)?.[0];
      const service = this.#of(task.spec.name);
      if (newest?.started_at == null || newest.scheduled_at === null) continue;
      if (service.state !== "working") continue;
      const { started_at, scheduled_at } = newest;
      if (task.seen.has(started_at)) continue;
      task.seen.add(started_at);
      if (task.retry) continue;
      const key = `${this.#epoch} ${scheduled_at}`;
      if (task.schedule.cron !== null && task.occasions.has(key))
        throw new Error(`${task.spec.name}: ${scheduled_at} twice`);
      task.occasions.add(key);
      const gap = this.#kernel.now - task.lastScheduled;
      // By a clock that was put forward an interval may well be over sooner.
      const burst = !this.#jumped && gap < task.schedule.everyMs * 0.9 - SOON_MS;
      if (burst) throw new Error(`${task.spec.name}: a burst, ${gap} ms`);
      task.lastScheduled = this.#kernel.now;
    }
  }

  /** Time passes, and with it perhaps occasions. */
  step(): void {
    const { wallOffset } = this.#kernel;
    const idle = this.#tasks.map((task) => this.#isIdle(task));
    const starts = this.#tasks.map((task) => task.starts);
    const wall = this.#kernel.clock.wall;
    const target = Math.floor(wall / SECOND) * SECOND + SECOND;
    this.#kernel.run(target - 0.5 - wallOffset);
    const before = this.#tasks.map((task) => ({ idle: this.#isIdle(task), starts: task.starts }));
    this.#kernel.run(target + SOON_MS - wallOffset);
    for (const [index, task] of this.#tasks.entries()) {
      const was = before[index];
      if (was === undefined || idle[index] === undefined || starts[index] === undefined) continue;
      const due = task.schedule.cron !== null && nextAfter(task.schedule.cron, null, target - 1) === target;
      if (due && target > this.#highest) this.#due(task, was.idle, was.starts);
      this.#check(task);
    }
    this.#highest = Math.max(this.#highest, target);
  }

  #due(task: Watched, idle: boolean, starts: number): void {
    const started = task.starts > starts;
    if (started) return;
    if (idle && this.#isIdle(task)) throw new Error(`${task.spec.name}: idle, due, and not started`);
    if (!idle && task.schedule.overlap !== "skip") task.owed = true;
  }

  #check(task: Watched): void {
    const { name } = task.spec;
    const idle = this.#isIdle(task);
    if (task.owed && idle) throw new Error(`${name}: forgotten after ${task.schedule.overlap}`);
    if (!idle) task.idleSince = this.#kernel.now;
    const longest = task.schedule.everyMs + 2 * SECOND;
    if (task.schedule.everyMs > 0 && this.#kernel.now - task.idleSince > longest)
      throw new Error(`${name}: idle for too long`);
    if ((runs(this.#kernel.world, name)?.length ?? 0) > 10)
      throw new Error(`${name}: history without bounds`);
  }

  /** A stop takes back what was to follow. */
  stopped(name: string): void {
    const task = this.#tasks.find(({ spec }) => spec.name === name);
    if (task) task.owed = false;
  }

  jump(ms: number): void {
    const wall = this.#kernel.clock.wall;
    if (Math.max(-ms, this.#highest - (wall + ms)) >= 3 * HOUR) {
      this.#epoch++;
      this.#highest = wall + ms;
    }
    const before = this.#tasks.map((task) => ({
      idle: this.#isIdle(task),
      starts: task.starts,
      owed: task.owed,
    }));
    this.#jumped = true;
    for (const task of this.#tasks) task.idleSince = this.#kernel.now;
    this.#kernel.moveClock(ms);
    this.#kernel.run(this.#kernel.now + SOON_MS);
    for (const [index, task] of this.#tasks.entries()) {
      const was = before[index];
      const { cron, missed } = task.schedule;
      if (was === undefined || cron === null || ms < 2 * GRACE_MS) continue;
      const first = nextAfter(cron, null, Math.max(wall, this.#highest)) ?? Number.POSITIVE_INFINITY;
      const passed = first <= wall + ms;
      if (missed === "once" && passed) this.#due(task, was.idle, was.starts);
    }
    this.#highest = Math.max(this.#highest, Math.floor(this.#kernel.clock.wall / SECOND) * SECOND);
  }
}

function play(plan: Plan): Kernel {
  const dice = new Dice(mix(plan.seed, "schedule"));
  const db: SparseSpec = { name: "db", argv: ["db"], restartDelayMs: 50 };
  const tasks = Array.from({ length: 1 + dice.upTo(3) }, (_, index) => randomTask(dice, index));
  const specs = [db, ...tasks];
  const lossChance = plan.losses ? dice.pick([0.02, 0.2, 0.5]) : 0;
  let calm = false;
  const kernel = new Kernel({
    services: specs,
    seed: plan.seed,
    script: (service, run) => randomRun(plan.seed, service, run),
    loses: () => !calm && dice.chance(lossChance),
  });
  const judge = new Judge(kernel, specs);
  kernel.onCommand = (command) => {
    if (command.type === "spawn") judge.spawned(command.spec.service);
  };
  kernel.onBatch = () => {
    checkWorld(kernel.world);
    judge.noted();
  };
  kernel.start();
  kernel.run(kernel.now + SOON_MS);
  for (let second = 0; second < LENGTH; second++) {
    const name = dice.pick(tasks).name;
    if (plan.asks && dice.chance(0.05)) {
      const type = dice.pick(["start", "stop"] as const);
      kernel.ask({ type, names: [name], because: "asked by uid 0" });
      if (type === "stop") judge.stopped(name);
    }
    if (plan.asks && dice.chance(0.02)) kernel.crash("db");
    if (plan.losses && dice.chance(0.05)) kernel.loseBrain();
    if (plan.jumps && dice.chance(0.05)) {
      judge.jump(dice.pick([-86_400, -8000, -1500, -5, -0.7, 5, 130, 3600, 86_400]) * SECOND);
    }
    judge.step();
    if (plan.asks)
      for (const { name } of tasks) if (kernel.world.byName.get(name)?.wish === "leave") judge.stopped(name);
  }
  calm = true;
  kernel.ask({ type: "shutdown", because: "asked by uid 0" });
  kernel.run(kernel.now + 60 * SECOND);
  if (kernel.exitCode === null) throw new Error("it never leaves");
  expect(kernel.timers.size).toBe(0);
  return kernel;
}

function check(fixed: Omit<Plan, "seed">): void {
  const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(seeds, (seed) => void play({ seed, ...fixed })),
    { numRuns: RUNS, endOnFailure: true },
  );
}

describe("whatever is due runs, once, alone", () => {
  test("with runs of any length and end", () => check({ losses: false, jumps: false, asks: false }));
  test("with starts and stops asked for", () => check({ losses: false, jumps: false, asks: true }));
  test("with clocks that jump", () => check({ losses: false, jumps: true, asks: false }));
  test("with brains lost", () => check({ losses: true, jumps: false, asks: false }));
  test("with all of it", () => check({ losses: true, jumps: true, asks: true }));
});
