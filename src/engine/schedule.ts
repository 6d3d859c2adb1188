/**
 * Tasks that run by themselves: when one is due, what happens if it is at work already, what
 * happens when clocks jump, and what is remembered of its runs.
 *
 * A schedule only ever asks for a start, as a person would; the life cycle does the rest. It goes
 * on whatever becomes of a run: a stop asked for ends the run at work, and the one in the queue.
 *
 * CLOCKS. What was dealt with is kept as a wall time. A clock that is set back by less than three
 * hours has to pass it again before anything is due, so nothing runs twice; set back further, the
 * new time counts. What is late by more than a minute was missed: the machine slept, or its clock
 * was put forward. An interval is not moved by a clock that is set back.
 */
import type { Exit } from "../generated/protocol.ts";
import { nextAfter } from "../schedule/match.ts";
import type { Schedule } from "../schedule/schedule.ts";
import { causeOf, isoText, publishSchedule, tell } from "./causes.ts";
import { fire } from "./lifecycle.ts";
import { newOccasions, type Occasions, type Run } from "./occasions.ts";
import { setWish } from "./order.ts";
import { refusalOf } from "./pins.ts";
import { isLive, mustLeave, type Service, touch, type World } from "./world.ts";

/** How many runs are remembered. */
export const RUNS_LIMIT = 10;
const GRACE_MS = 60_000;
const SET_BACK_MS = 3 * 3_600_000;
/** Clocks that are steered drift apart by less. */
const JUMP_MS = 1000;
/** A start that is late by less than this part of its interval does not move the next one. */
const ON_TIME = 0.1;
/** So many characters of its cause are remembered of a run. */
const RUN_CAUSE_LIMIT = 200;

interface Scheduled {
  readonly service: Service;
  readonly schedule: Schedule;
  readonly occasions: Occasions;
}

function scheduledOf(service: Service): Scheduled | null {
  const { occasions, spec } = service;
  return occasions === null || spec.schedule === null
    ? null
    : { service, schedule: spec.schedule, occasions };
}

// ---- clock

/** A brain's first look: at tasks that are new to it, and at those that a former one left. */
export function startSchedules(world: World): void {
  for (const service of world.services) {
    const scheduled = scheduledOf(service);
    if (scheduled === null || world.shutdown.phase !== "running") continue;
    if (scheduled.occasions.dealt === 0) begin(world, scheduled);
    look(world, scheduled);
  }
}

function begin(world: World, { service, schedule, occasions }: Scheduled): void {
  occasions.dealt = world.wall;
  occasions.offset = world.wall - world.now;
  occasions.next =
    schedule.cron === null ? world.wall + schedule.everyMs : afterwards(world, schedule, world.wall);
  touch(world, service);
}

/** It is defined anew, or for the first time. What is remembered of its runs remains. */
export function reschedule(world: World, service: Service, former: Schedule | null): void {
  const { occasions } = service;
  const { schedule } = service.spec;
  const same = JSON.stringify(former) === JSON.stringify(schedule);
  if (same && (occasions === null) === (schedule === null)) return;
  const { runs, open } = occasions ?? newOccasions();
  endSchedule(world, service);
  if (schedule !== null) service.occasions = { ...newOccasions(), runs, open };
  const scheduled = scheduledOf(service);
  if (scheduled === null) return;
  begin(world, scheduled);
  if (world.shutdown.phase === "running") arm(world, scheduled);
  else scheduled.occasions.next = 0;
}

/** It has none any more. */
export function endSchedule(world: World, service: Service): void {
  if (service.occasions === null) return;
  if (service.occasions.next !== 0) world.out.push({ type: "cancel", key: timerKey(service) });
  service.occasions = null;
  touch(world, service);
}

/** The clock was set, or the machine woke up. */
export function clockSet(world: World): void {
  for (const service of world.services) lookAt(world, service);
}

/** Its timer is due. */
export function lookAt(world: World, service: Service): void {
  const scheduled = scheduledOf(service);
  if (scheduled !== null && world.shutdown.phase === "running") look(world, scheduled);
}

/** What is due is dealt with, what comes next is armed. */
function look(world: World, scheduled: Scheduled): void {
  const { occasions } = scheduled;
  takeJump(world, scheduled);
  if (occasions.next !== 0 && world.wall >= occasions.next) takeDue(world, scheduled);
  arm(world, scheduled);
}

function arm(world: World, { service, occasions }: Scheduled): void {
  if (occasions.next === 0) return;
  world.out.push({ type: "armWall", key: timerKey(service), wall: occasions.next });
}

function timerKey(service: Service): string {
  return `schedule ${service.spec.name}`;
}

/** A shutdown: nothing is due any more. */
export function endSchedules(world: World): void {
  for (const service of world.services) {
    const { occasions } = service;
    if (occasions === null) continue;
    if (occasions.next !== 0) world.out.push({ type: "cancel", key: timerKey(service) });
    occasions.next = 0;
    occasions.queued = 0;
    touch(world, service);
  }
}

/** Has the wall clock jumped since the last look? Forward shows by itself: something is late. */
function takeJump(world: World, { service, schedule, occasions }: Scheduled): void {
  const offset = world.wall - world.now;
  const jump = offset - occasions.offset;
  occasions.offset = offset;
  if (jump > -JUMP_MS) return;
  touch(world, service);
  if (schedule.cron === null) {
    occasions.next += jump;
    return;
  }
  const far = Math.max(-jump, occasions.dealt - world.wall) >= SET_BACK_MS;
  if (far) occasions.dealt = world.wall;
  occasions.next = afterwards(world, schedule, Math.max(world.wall, occasions.dealt));
}

/** When its pattern comes next; 0: never. */
function afterwards(world: World, { cron, zone }: Schedule, wall: number): number {
  if (cron === null) return 0;
  return nextAfter(cron, zone === null ? null : (world.zones[zone] ?? null), wall) ?? 0;
}

// ---- due

function takeDue(world: World, scheduled: Scheduled): void {
  const { service, schedule, occasions } = scheduled;
  const first = occasions.next;
  const recent = recentOccasion(world, scheduled);
  occasions.dealt = world.wall;
  occasions.next =
    schedule.cron === null
      ? nextOfInterval(schedule, first, world.wall)
      : afterwards(world, schedule, world.wall);
  touch(world, service);
  if (recent !== 0) run(world, scheduled, recent, dueText(schedule, recent));
  else if (schedule.missed === "once")
    run(world, scheduled, first, `${dueText(schedule, first)}, missed and made up for`);
  else miss(world, scheduled, first);
}

/** Of all that is due now the last one; 0: even that is too long ago. */
function recentOccasion(world: World, { schedule, occasions }: Scheduled): number {
  const limit = world.wall - GRACE_MS;
  if (schedule.cron === null) return occasions.next >= limit ? occasions.next : 0;
  let recent = 0;
  // At most one a second of the last minute.
  let next = afterwards(world, schedule, Math.max(occasions.next, limit) - 1);
  while (next !== 0 && next <= world.wall) {
    recent = next;
    next = afterwards(world, schedule, next);
  }
  return recent;
}

/** The first of its steps that is still to come. */
function nextOfInterval({ everyMs }: Schedule, due: number, wall: number): number {
  return due + everyMs * (Math.floor((wall - due) / everyMs) + 1);
}

function dueText({ text }: Schedule, occasion: number): string {
  return `scheduled (${text}) for ${isoText(occasion).replace(".000Z", "Z")}`;
}

function miss(world: World, { service, schedule, occasions }: Scheduled, occasion: number): void {
  const cause = `${dueText(schedule, occasion)}, missed: the machine slept, or its clock was put forward`;
  const missed = { scheduled: occasion, started: 0, ended: 0, durationMs: 0, exit: null, success: false };
  // Before the one at work, which is always the newest.
  const at = occasions.open ? occasions.runs.length - 1 : occasions.runs.length;
  keepRuns(occasions, occasions.runs.toSpliced(at, 0, { ...missed, skipped: 0, cause }));
  announce(world, service, cause);
}

function announce(world: World, service: Service, cause: string): void {
  publishSchedule(world, service.spec.name, cause);
  tell(world, service, cause);
}

/** Asks for the start of a run that is due, unless one is at work. */
function run(world: World, scheduled: Scheduled, occasion: number, because: string): void {
  const { service, schedule, occasions } = scheduled;
  const atWork = isLive(service) && !mustLeave(service);
  if (refusalOf(world, service, "start") !== null) {
    passOver(occasions);
    return;
  }
  if (atWork && schedule.overlap === "skip")
    skip(world, scheduled, because, "the run before it is still at work");
  else if (atWork && schedule.overlap === "queue") enqueue(world, scheduled, occasion, because);
  else {
    occasions.occasion = occasion;
    if (!atWork) occasions.queued = 0; // It is being stopped, and what was to follow with it.
    if (atWork) replace(world, service, because);
    else world.demands.push({ type: "start", named: [{ service, because }] });
  }
}

/** Somebody holds it down; that is told where it was asked for, and in its status. */
function passOver(occasions: Occasions): void {
  changeNewest(occasions, { skipped: (newest(occasions)?.skipped ?? 0) + 1 });
  occasions.queued = 0;
}

/** Told once for each run: a task that is due every second would talk of nothing else. */
function skip(world: World, { service, occasions }: Scheduled, because: string, why: string): void {
  const skipped = newest(occasions)?.skipped ?? 0;
  changeNewest(occasions, { skipped: skipped + 1 });
  if (skipped === 0) announce(world, service, `${because}, skipped: ${why}`);
}

function enqueue(world: World, scheduled: Scheduled, occasion: number, because: string): void {
  const { service, occasions } = scheduled;
  if (occasions.queued !== 0) {
    skip(world, scheduled, because, "one waits already for the run before it");
    return;
  }
  occasions.queued = occasion;
  publishSchedule(world, service.spec.name, `${because}, waits for the run before it`);
}

/** The run at work leaves, all of it, and the next one takes its place. */
function replace(world: World, service: Service, because: string): void {
  setWish(world, service, "again");
  fire(world, service, "halt", { because: `${because}, in its place`, named: false });
}

function takeQueued(world: World, { service, schedule, occasions }: Scheduled): void {
  if (occasions.queued === 0) return;
  if (refusalOf(world, service, "start") !== null) {
    passOver(occasions);
    return;
  }
  const because = `${dueText(schedule, occasions.queued)}, had to wait for the run before it`;
  occasions.occasion = occasions.queued;
  occasions.queued = 0;
  world.demands.push({ type: "start", named: [{ service, because }] });
}

// ---- runs

/** The service has come into another state. */
export function followState(world: World, service: Service): void {
  const scheduled = scheduledOf(service);
  if (scheduled === null) return;
  const { occasions } = scheduled;
  switch (service.state) {
    case "preparing":
    case "spawning":
      // What comes before its process is a part of it.
      if (occasions.open && newest(occasions)?.started === 0) break;
      closeRun(world, scheduled);
      openRun(world, scheduled);
      break;
    case "working":
      if (occasions.open) changeNewest(occasions, { started: service.startedWall });
      break;
    case "waiting":
      closeRun(world, scheduled);
      break;
    case "backoff":
      closeRun(world, scheduled);
      takeQueued(world, scheduled);
      break;
    case "inactive":
      closeRun(world, scheduled);
      occasions.occasion = 0;
      occasions.queued = 0; // It was stopped, and what was to follow with it.
      break;
    case "exited":
    case "failed":
      closeRun(world, scheduled);
      occasions.occasion = 0;
      takeQueued(world, scheduled);
      break;
  }
}

function openRun(world: World, scheduled: Scheduled): void {
  const { service, schedule, occasions } = scheduled;
  const retry = service.past.streak > 0;
  // What is tried again is still due to what it was due to at first.
  const due = occasions.occasion === 0 && retry ? (newest(occasions)?.scheduled ?? 0) : occasions.occasion;
  const times = { scheduled: due, started: 0, ended: 0, durationMs: 0 };
  const cause = causeOf(service).slice(0, RUN_CAUSE_LIMIT);
  keepRuns(occasions, [...occasions.runs, { ...times, exit: null, success: false, skipped: 0, cause }]);
  occasions.open = true;
  // An interval counts from the last start; a further try is none.
  if (schedule.cron === null && !retry) restartInterval(world, scheduled);
  occasions.occasion = 0;
}

function restartInterval(world: World, scheduled: Scheduled): void {
  const { schedule, occasions } = scheduled;
  if (occasions.next === 0) return; // A shutdown.
  const late = world.wall - occasions.occasion;
  const from = late >= 0 && late <= schedule.everyMs * ON_TIME ? occasions.occasion : world.wall;
  if (occasions.next === from + schedule.everyMs) return;
  occasions.next = from + schedule.everyMs;
  arm(world, scheduled);
}

/** Its leader has ended; the run goes on until the set is empty. */
export function noteExit(service: Service, exit: Exit, durationMs: number, wall: number): void {
  const { occasions } = service;
  if (occasions?.open) changeNewest(occasions, { exit, durationMs, ended: wall });
}

function closeRun(world: World, { service, occasions }: Scheduled): void {
  const run = newest(occasions);
  if (!occasions.open || run === undefined) return;
  occasions.open = false;
  if (service.state === "waiting" && run.started === 0) {
    // Its start was not seen through and will be made once more: that was no run.
    occasions.runs = occasions.runs.slice(0, -1);
    occasions.occasion = run.scheduled;
    return;
  }
  const started = run.started || world.wall;
  const unseen = { ended: world.wall, durationMs: Math.max(0, world.wall - started) };
  const success = service.state === "exited";
  const cause = causeOf(service).slice(0, RUN_CAUSE_LIMIT);
  changeNewest(occasions, { started, success, cause, ...(run.ended === 0 ? unseen : {}) });
}

function newest({ runs }: Occasions): Run | undefined {
  return runs[runs.length - 1];
}

function changeNewest(occasions: Occasions, change: Partial<Run>): void {
  const run = newest(occasions);
  if (run !== undefined) occasions.runs = [...occasions.runs.slice(0, -1), { ...run, ...change }];
}

function keepRuns(occasions: Occasions, runs: readonly Run[]): void {
  occasions.runs = runs.slice(-RUNS_LIMIT);
}

// ---- looking

/** One run as the API shows it. */
export interface RunView {
  /** `null`: somebody asked for it, or needed it. */
  readonly scheduled_at: string | null;
  /** `null`: it was missed. */
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly duration_ms: number | null;
  readonly exit: Exit | null;
  readonly success: boolean | null;
  readonly skipped: number;
  readonly cause: string;
}

/** Newest first. */
export function runsOf({ occasions }: Service): RunView[] {
  if (occasions === null) return [];
  const { runs, open } = occasions;
  const views = runs.map((run, index) => viewOfRun(run, open && index === runs.length - 1)).reverse();
  return open && newest(occasions)?.started === 0 ? views.slice(1) : views;
}

function viewOfRun(run: Run, open: boolean): RunView {
  const over = run.started !== 0 && !open;
  return {
    scheduled_at: timeOrNull(run.scheduled),
    started_at: timeOrNull(run.started),
    ended_at: over ? isoText(run.ended) : null,
    duration_ms: over ? Math.round(run.durationMs) : null,
    exit: run.exit,
    success: over ? run.success : null,
    skipped: run.skipped,
    cause: run.cause,
  };
}

function timeOrNull(wall: number): string | null {
  return wall === 0 ? null : isoText(wall);
}
