/**
 * Hooks and the stop command: what runs before a start, once ready, before a stop and after a run,
 * in the states `preparing`, `parting` and `finishing` and beside `running`.
 *
 *    preparing   before-start; when it has failed, the run has failed, without a main process
 *    running     after-start, beside it
 *    parting     what ran beside it leaves, then before-stop, then the stop command, then the wait
 *                for the set to leave by itself
 *    finishing   what ran beside it leaves, then after-exit, then the verdict
 *
 * Each is begun in the step that notes it in the slate, and its bit in `done` is never taken back
 * for the same run: so it runs once, whatever happens to the brain. Only its own service waits.
 */
import type { Event, Receipt } from "../generated/protocol.ts";
import type { HookName } from "../model/spec.ts";
import { assert } from "./assert.ts";
import { causeOf, enter, note, noteHook, tell } from "./causes.ts";
import { takePlanned } from "./change.ts";
import { markAutomatic } from "./gate.ts";
import { fire } from "./lifecycle.ts";
import { restCall } from "./rescue.ts";
import { conclude, hookEnd, surviveRun } from "./restart.ts";
import { admit, isKilled, leaveAlone, rest, spawnMain, stopRun } from "./runs.ts";
import { cutSides, hasSides, openSide, roleText } from "./sides.ts";
import { type Around, type End, mustLeave, type Service, type Side, touch, type World } from "./world.ts";

/** Bits of `Around.done`. */
const BEFORE_STOP = 1;
const STOP_COMMAND = 2;
const AFTER_EXIT = 4;

function newAround(ran: boolean): Around {
  return { side: null, ran, done: 0, because: "", end: null, linger: 0, began: 0, left: null };
}

/** Lazily, too: a run that was found without a record has had its beginning. */
function aroundOf(service: Service): Around {
  service.around ??= newAround(true);
  return service.around;
}

function has({ spec }: Service, hook: HookName): boolean {
  return spec.hooks !== null && spec.hooks[hook] !== undefined;
}

function runHook(world: World, service: Service, hook: HookName, because: string): void {
  const command = service.spec.hooks?.[hook];
  assert(command !== undefined, "only what is configured runs");
  const around = aroundOf(service);
  assert(around.side === null, "one hook at a time");
  around.side = openSide(world, service, hook, command, because);
}

// ---- before the start

/** The order allows the start. */
export function prepare(world: World, service: Service, because: string): void {
  assert(!hasSides(service), "nothing of a former run is left");
  const { hooks, stopCommand } = service.spec;
  service.around = hooks === null && stopCommand === null ? null : newAround(false);
  if (!has(service, "before-start")) {
    spawnMain(world, service, because);
    return;
  }
  enter(world, service, "preparing", because);
  aroundOf(service).because = because;
  runHook(world, service, "before-start", because);
}

/** The before-start hook is over by itself. */
export function prepared(world: World, service: Service, side: Side): void {
  if (mustLeave(service)) afterRun(world, service, null);
  else if (side.failure === null) spawnMain(world, service, aroundOf(service).because);
  else afterRun(world, service, hookEnd(service, failedText(side)));
}

/** It has to leave, and may: the hook is not waited for. */
export function leavePreparing(world: World, service: Service): void {
  afterRun(world, service, null);
}

function failedText({ role, failure }: Side): string {
  return `its ${roleText(role)} failed: ${failure}`;
}

/** The main process is there. */
export function noteBegun(service: Service): void {
  if (service.around !== null) service.around.ran = true;
}

// ---- once it is ready

export function afterStart(world: World, service: Service): void {
  if (service.state !== "running" || mustLeave(service) || !has(service, "after-start")) return;
  runHook(world, service, "after-start", causeOf(service));
}

/** What ran beside it is over. */
export function noteSide(world: World, service: Service, side: Side): void {
  if (side.failure === null || side.role === "reload") return; // A reload speaks for itself.
  noteHook(world, service, side.role, failedText(side));
  tell(world, service, failedText(side));
}

// ---- before the stop

/** It is to be stopped: at once, or after its before-stop hook and by its stop command. */
export function part(world: World, service: Service, because: string): void {
  const plain = !has(service, "before-stop") && service.spec.stopCommand === null && !hasSides(service);
  if (plain || world.shutdown.hurried || isKilled(service)) {
    stopRun(world, service, stopState(service), because);
    return;
  }
  leaveAlone(world, service);
  const around = aroundOf(service);
  Object.assign(around, { because, began: world.now, linger: 0, left: null });
  cutSides(world, service);
  enter(world, service, "parting", because);
  partOn(world, service);
}

function stopState(service: Service): "stopping" | "expiring" {
  return mustLeave(service) ? "stopping" : "expiring";
}

/** The next thing to do before the `Stop`, or that itself. */
function partOn(world: World, service: Service): void {
  if (hasSides(service)) return;
  const around = aroundOf(service);
  const { stop, stopCommand: argv } = service.spec;
  touch(world, service);
  if (service.pid === 0) endParting(world, service);
  else if (has(service, "before-stop") && !(around.done & BEFORE_STOP)) {
    around.done |= BEFORE_STOP;
    runHook(world, service, "before-stop", around.because);
  } else if (argv !== null && !(around.done & STOP_COMMAND) && service.eviction?.abort !== true) {
    around.done |= STOP_COMMAND;
    around.side = openSide(world, service, "stop", { argv, timeoutMs: stop.timeoutMs }, around.because);
  } else if (around.linger > world.now) armLinger(world, service);
  else endParting(world, service);
}

/** A part of the parting is over. */
export function parted(world: World, service: Service, side: Side): void {
  if (side.role === "stop" && side.failure === null && !side.cut) aroundOf(service).linger = side.deadline;
  else noteSide(world, service, side);
  partOn(world, service);
}

/** The leader has left, by the stop command as it should, or by itself. */
export function leftWhileParting(
  world: World,
  service: Service,
  event: Extract<Event, { type: "exited" }>,
  pid: number,
): void {
  aroundOf(service).left = { pid, at: event.at };
  partOn(world, service);
}

export function armLinger(world: World, service: Service): void {
  world.out.push({ type: "arm", key: `linger ${service.child}`, at: aroundOf(service).linger });
}

/** It asks for more time to leave by itself; the shutdown's end comes all the same. */
export function extendLinger(world: World, service: Service, until: number): void {
  const around = aroundOf(service);
  if (around.linger === 0 || until <= around.linger) return;
  around.linger = until;
  touch(world, service);
  armLinger(world, service);
}

/** The time for leaving by itself is over. */
export function lingerDue(world: World, service: Service): void {
  partOn(world, service);
}

/** No more waiting: the `Stop`, now. */
export function endParting(world: World, service: Service): void {
  const around = aroundOf(service);
  if (around.linger > 0) world.out.push({ type: "cancel", key: `linger ${service.child}` });
  around.linger = 0;
  if (mustLeave(service)) service.eviction = null; // Asked for meanwhile: a stop like any other.
  stopRun(world, service, stopState(service), around.because);
}

/** Its goal changed while it parts or finishes: that is the cause to go on with. */
export function noteGoal(world: World, service: Service, because: string): void {
  aroundOf(service).because = because;
  note(world, service, because);
}

/** A stop began with its parting, and what left by the stop command belongs to its receipt. */
export function wholeReceipt(service: Service, receipt: Receipt, at: number): Receipt {
  const { around, spec, past } = service;
  if (around === null || around.began === 0) return receipt;
  const before = Math.max(0, at - receipt.duration_ms - around.began);
  const later = receipt.processes.map((process) => ({
    ...process,
    left_ms: process.left_ms === null ? null : process.left_ms + before,
  }));
  const duration_ms = receipt.duration_ms + before;
  const { left } = around;
  if (left === null || later.some(({ pid }) => pid === left.pid))
    return { ...receipt, duration_ms, processes: later };
  const leader = {
    pid: left.pid,
    command: spec.argv.join(" "),
    found: "child" as const,
    signals: [],
    left_ms: Math.max(0, left.at - around.began),
    exit: past.exit,
    killed: false,
  };
  return { ...receipt, duration_ms, processes: [leader, ...later] };
}

// ---- after the run

/** The set is empty and forgotten. `end`: how it is to be judged; `null`: it had to leave. */
export function afterRun(world: World, service: Service, end: End | null): void {
  assert(service.child === 0, "the set is empty");
  assert(end !== null || mustLeave(service), "what did not have to leave is judged");
  if (!hasSides(service) && !owesAfterExit(world, service, end)) {
    settleRun(world, service, end, end?.text ?? causeOf(service));
    return;
  }
  const around = aroundOf(service);
  // While preparing, the cause tells of the hook; what led to the end was noted by `noteGoal`.
  const because = end?.text ?? (service.state === "preparing" ? around.because : causeOf(service));
  Object.assign(around, { end, because, linger: 0, began: 0, left: null });
  cutSides(world, service);
  enter(world, service, "finishing", because);
  finishOn(world, service);
}

function owesAfterExit(world: World, service: Service, end: End | null): boolean {
  if (!has(service, "after-exit") || world.shutdown.hurried || end?.kind === "survived") return false;
  return service.around === null || !(service.around.done & AFTER_EXIT);
}

function finishOn(world: World, service: Service): void {
  if (hasSides(service)) return;
  const around = aroundOf(service);
  if (owesAfterExit(world, service, around.end)) {
    around.done |= AFTER_EXIT;
    runHook(world, service, "after-exit", around.because);
  } else settleRun(world, service, around.end, around.because);
}

/** A hook of the finish is over. */
export function finished(world: World, service: Service, side: Side): void {
  if (side.role === "after-exit") noteSide(world, service, side);
  finishOn(world, service);
}

function settleRun(world: World, service: Service, end: End | null, because: string): void {
  service.around = null;
  const former = service.spec.kind;
  takePlanned(world, service);
  touch(world, service);
  if (end !== null && end.kind === "survived") surviveRun(world, service, end);
  else if (mustLeave(service)) rest(world, service, because);
  else if (service.spec.kind !== former) startAsOther(world, service, because);
  else {
    assert(end !== null, "what did not have to leave is judged");
    conclude(world, service, end);
  }
  const fault = world.faults.get(service);
  if (fault !== undefined) fire(world, service, "barred", fault);
}

/** What a service has ended with says nothing of the task that it is now. */
function startAsOther(world: World, service: Service, because: string): void {
  restCall(service, true);
  markAutomatic(world, service);
  admit(world, service, `${because}, is a ${service.spec.kind} now`);
}
