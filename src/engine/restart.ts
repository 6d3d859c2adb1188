/**
 * What follows from the end of a run that nobody asked for: exited, failed, or once more; and
 * when. The set is empty and forgotten by now.
 */
import type { Exit, SpawnFailure } from "../generated/protocol.ts";
import { signalNumber } from "../model/signals.ts";
import { assert } from "./assert.ts";
import { causeOf, enter, noteState, say, tell } from "./causes.ts";
import { armAgain } from "./delay.ts";
import { bar } from "./faults.ts";
import { failFellows } from "./fellows.ts";
import { markAutomatic } from "./gate.ts";
import { errnoText } from "./notify.ts";
import { endCall, runHandler } from "./rescue.ts";
import { admit } from "./runs.ts";
import { durationText, exitText, namesText } from "./text.ts";
import {
  type End,
  type Eviction,
  hasEnded,
  heldText,
  isTask,
  mustLeave,
  ownPast,
  pinnedUp,
  type Reason,
  remainsUp,
  type Service,
  touch,
  type World,
  wantsUp,
} from "./world.ts";

const LATE: Reason = { type: "start-timeout" };

type Verdict = "again" | "exited" | "failed";

const PINNED_DELAY_MS = 100;

/** The run came to its end by itself. */
export function exitEnd(service: Service): End {
  const { exit } = service.past;
  assert(exit !== null, "a run that ended has an exit");
  const code = "code" in exit ? exit.code : null;
  // What nobody can tell is no failure that anybody has seen.
  const { successCodes, successSignals } = service.spec;
  const ended = "signal" in exit ? successSignals.includes(exit.signal) : "unknown" in exit;
  const success = code === null ? ended : successCodes.includes(code);
  const text = `${exitText(exit)}${errnoText(service)}`;
  return { text, success, code, outward: outwardCode(exit), kind: "judged", reason: exitReason(exit) };
}

function exitReason(exit: Exit): Reason {
  if ("unknown" in exit) return { type: "lost" };
  return "code" in exit ? { type: "exit", code: exit.code } : { type: "signal", signal: exit.signal };
}

/** It has been stopped: a failed run, whatever its exit says, unless that is what is to be judged. */
export function expiredEnd(service: Service, eviction: Eviction | null): End {
  if (eviction?.action === "exit" && service.past.exit !== null) {
    const end = exitEnd(service);
    return { ...end, text: `${eviction.text}; ${end.text}`, trail: eviction.trail ?? [] };
  }
  const end = failedEnd(eviction?.text ?? lateText(service), eviction?.reason ?? LATE);
  return eviction?.action === "stop" ? { ...end, kind: "hopeless" } : end;
}

/** Said where a probe was the reason, with what it found last. */
export function lateEviction(service: Service): Eviction {
  const found = service.watch?.reason ?? "";
  const last = found === "" ? "" : `, last: ${found}`;
  return { text: `${lateText(service)}${last}`, action: "restart", abort: false, reason: LATE };
}

function lateText(service: Service): string {
  const what = isTask(service) ? "done" : "ready";
  return `not ${what} within ${durationText(service.spec.startTimeoutMs)}`;
}

/** Its before-start hook has failed: a failed run without a process, and so without an exit. */
export function hookEnd(service: Service, text: string): End {
  ownPast(service).exit = null;
  return failedEnd(text, { type: "hook", message: text });
}

/** The nucleus does not know of the process we had started, and nobody saw it end. */
export function vanishedEnd(service: Service): End {
  ownPast(service).exit = null;
  return failedEnd("its process was lost from sight", { type: "lost" });
}

function failedEnd(text: string, reason: Reason): End {
  return { text, success: false, code: null, outward: 1, kind: "judged", reason };
}

/** It could not even be started. What may pass by itself is tried again, the rest is not. */
export function refusalEnd(world: World, service: Service, failure: SpawnFailure, text: string): End {
  ownPast(service).exit = null;
  if (world.supervisor.single) say(world, text); // A command that never ran cannot say it itself.
  const kind = failure.transient || service.spec.restartUnstartable ? "judged" : "hopeless";
  const reason: Reason = { type: "spawn", message: text };
  return { text, success: false, code: null, outward: refusalCode(failure), kind, reason };
}

/** It could not be ended: it must not run again beside what is left of it, whatever is wanted. */
export function survivedEnd(text: string): End {
  return { ...failedEnd(text, { type: "survived" }), kind: "survived" };
}

export function surviveRun(world: World, service: Service, end: End): void {
  const wanted = wantsUp(service);
  service.wish = wanted ? "up" : "down";
  if (wanted) fail(world, service, end);
  else {
    ownPast(service).reason = end.reason;
    enter(world, service, "failed", end.text);
  }
  endCall(world, service, wanted);
}

/** The run is over, with all that goes with it. */
export function conclude(world: World, service: Service, end: End): void {
  assert(service.child === 0, "a run is judged when its set is empty");
  assert(wantsUp(service) && !mustLeave(service), "what had to leave is not judged");
  const verdict = verdictOf(service, end);
  if ((verdict === "again" || isKept(service, end)) && !endsAll(service, end)) {
    startAgain(world, service, end, verdict === "again");
    return;
  }
  if (verdict === "exited") {
    enter(world, service, "exited", end.text);
    endMain(world, service, end.outward);
  } else fail(world, service, end);
  endCall(world, service, true);
}

/** Nothing is started again once this has failed. */
function endsAll(service: Service, end: End): boolean {
  const { onFailure, onFailureAt } = service.spec;
  return !end.success && !pinnedUp(service) && onFailureAt === "each" && onFailure === "shutdown";
}

/** No further run follows from this end. */
export function isOver(service: Service, end: End): boolean {
  return verdictOf(service, end) !== "again" && !isKept(service, end);
}

/** Pinned up, it comes back from any end; a task that has succeeded is up. */
function isKept(service: Service, end: End): boolean {
  return pinnedUp(service) && !(remainsUp(service) && end.success);
}

/** Its leader has ended, and what it ends with is as good as being up. */
export function willRemain(service: Service): boolean {
  const { remainAfterExit, endCounts } = service.spec;
  if (!remainAfterExit) return false;
  const end = exitEnd(service);
  const verdict = verdictOf(service, end);
  return verdict === "exited" || (verdict === "again" && endCounts && end.success);
}

function verdictOf(service: Service, end: End): Verdict {
  const { restart, noRestartCodes } = service.spec;
  if (end.kind === "hopeless") return "failed";
  const forbidden = end.code !== null && noRestartCodes.includes(end.code);
  const again = restart === "always" || (restart === "on-failure" && !end.success);
  if (again && !forbidden) return "again";
  return end.success ? "exited" : "failed";
}

/** `allowed`: by its own rules, as opposed to a pin alone. */
function startAgain(world: World, service: Service, end: End, allowed: boolean): void {
  const kept = isKept(service, end);
  const fault = world.faults.get(service);
  if (fault !== undefined) {
    noteState(world, service, end.text);
    bar(world, service, fault);
    return;
  }
  const room = allowed && takeFromWindow(world, service);
  if (!room && !kept) {
    endByLimit(world, service, end);
    return;
  }
  if (!end.success) followFailure(world, service, end, "each");
  const held = heldText(service);
  if (held !== null) {
    tell(world, service, `${end.text}, not started again: it ${held}`);
    enter(world, service, "waiting", `${end.text}, not started again: it ${held}`);
    return;
  }
  restartLater(world, service, end, room);
}

/** It has been restarted as often as is allowed. */
function endByLimit(world: World, service: Service, end: End): void {
  const { restartLimit, restartLimitMeans } = service.spec;
  const text = `${limitText(service)}, last: ${end.text}`;
  if (end.success && restartLimitMeans === "end") {
    enter(world, service, "exited", text);
    endMain(world, service, end.outward);
  } else {
    const reason: Reason = { type: "limit", restarts: restartLimit, last: end.reason };
    fail(world, service, { ...end, text, reason });
  }
  endCall(world, service, true);
}

/** At once, or after its delay. `room`: its own rules allow it, as opposed to a pin alone. */
function restartLater(world: World, service: Service, end: End, room: boolean): void {
  // Where its own rules would have put an end to it, a pin alone must not make it spin.
  const delay = Math.max(backoffMs(world, service), room ? 0 : PINNED_DELAY_MS);
  const past = ownPast(service);
  past.streak++;
  past.restarts++;
  past.reason = end.reason;
  touch(world, service);
  markAutomatic(world, service);
  if (delay === 0) {
    tell(world, service, `${end.text}, starts again`);
    admit(world, service, `${end.text}, started again`);
    return;
  }
  service.deadline = world.now + delay;
  enter(world, service, "backoff", `${end.text}, starts again in ${durationText(delay)}`);
  tell(world, service, causeOf(service));
  armAgain(world, service);
}

function limitText({ spec }: Service): string {
  const { restartLimit: limit, restartWindowMs } = spec;
  const restarts = `more than ${limit} ${limit === 1 ? "restart" : "restarts"}`;
  return `${restarts} ${restartWindowMs === 0 ? "in a row" : `within ${durationText(restartWindowMs)}`}`;
}

/** Counts this restart; false if the window holds as many as are allowed. */
function takeFromWindow(world: World, service: Service): boolean {
  const { restartLimit, restartWindowMs } = service.spec;
  if (restartLimit === 0) return true;
  if (restartWindowMs === 0) return service.past.streak < restartLimit;
  const recent = service.past.times.filter((time) => time > world.now - restartWindowMs);
  if (recent.length >= restartLimit) return false;
  recent.push(world.now);
  ownPast(service).times = recent;
  return true;
}

/** restart-delay × 2^streak, or × 1, 2, 3, …, with its jitter, never above its maximum. */
function backoffMs(world: World, service: Service): number {
  const { restartDelayMs, restartDelayMaxMs, restartBackoff, restartJitter } = service.spec;
  if (restartDelayMs === 0) return 0;
  const { streak } = service.past;
  const times = restartBackoff === "linear" ? streak + 1 : 2 ** streak;
  const plain = Math.min(restartDelayMs * times, restartDelayMaxMs);
  const factor = 1 + restartJitter * (2 * world.random.next() - 1);
  return Math.min(plain * factor, restartDelayMaxMs);
}

/** The backoff is over. */
export function restartCause(service: Service): string {
  const { exit, restarts } = service.past;
  // What led to the backoff is its cause, unless somebody has had a say since.
  const told = /^(.*), starts again in \S+$/.exec(causeOf(service))?.[1];
  if (told !== undefined) return `restart ${restarts}: ${told}`;
  return `restart ${restarts}: ${exit === null ? "it could not be started" : exitText(exit)}`;
}

/** Failed for good: its state, and what its on-failure demands. */
function fail(world: World, service: Service, end: Pick<End, "text" | "outward" | "reason" | "trail">): void {
  const { text: because, outward, reason } = end;
  ownPast(service).reason = reason;
  enter(world, service, "failed", because);
  tell(world, service, `failed: ${because}`);
  if (service.spec.critical) alarm(world, service, because);
  if (service.spec.main) endMain(world, service, outward);
  followFailure(world, service, end, "end");
}

/** What a failed run demands of others: now that it is the last one (`end`), or in any case. */
function followFailure(
  world: World,
  service: Service,
  { text: because, trail = [] }: Pick<End, "text" | "trail">,
  at: "end" | "each",
): void {
  const { name, onFailure, onFailureAt, main } = service.spec;
  failFellows(world, service, because, trail);
  if (main && at === "end") return; // Everything ends with it.
  if (at === "each" && onFailureAt === "end") return;
  if (onFailure === "shutdown") {
    const { failedExitCode = 1 } = world.supervisor;
    demandShutdown(world, `${name} failed: ${because}`, failedExitCode);
  } else if (onFailure === "stop-dependents") {
    world.demands.push({ type: "abandon", service, because: `requires ${name}, which failed: ${because}` });
  } else if (onFailure !== "ignore") {
    runHandler(world, service, onFailure.run, because, service.past.exit);
  }
}

/** The machine is of no use without it: whoever looks at the console should not have to search. */
function alarm(world: World, service: Service, because: string): void {
  const { name } = service.spec;
  const waiting = service.edges.dependents.filter(wantsUp).map((other) => other.spec.name);
  const title = `---- critical: ${name} has failed ----`;
  const lines = [
    title,
    `reason: ${because}`,
    ...(waiting.length > 0 ? [`without it: ${namesText(waiting)}`] : []),
    `look at its output (logs ${name}) and at what led to it (why ${name}); then: start ${name}`,
    "-".repeat(title.length),
  ];
  for (const line of lines) say(world, line, "error");
}

/** What main has ended with for good, while its end is still being seen to; 0: it has not. */
export function endedCode(service: Service): number {
  if (!service.spec.main || !hasEnded(service) || mustLeave(service)) return 0;
  const end = service.around?.end ?? exitEnd(service);
  return verdictOf(service, end) === "again" || isKept(service, end) ? 0 : end.outward;
}

function endMain(world: World, service: Service, code: number): void {
  const { name, main } = service.spec;
  if (!main) return;
  demandShutdown(world, `main service ${name} has ended: ${causeOf(service)}`, code);
}

function demandShutdown(world: World, because: string, code: number): void {
  world.demands.push({ type: "shutdown", because, code, asked: false, machine: null });
}

/** As a shell puts it: 128+n for a signal. */
export function outwardCode(exit: Exit): number {
  if ("unknown" in exit) return 0;
  return "code" in exit ? exit.code : 128 + signalNumber(exit.signal);
}

/** As a shell puts it: 127 for no such program, 126 for one that cannot be run. */
function refusalCode(failure: SpawnFailure): number {
  if (failure.step !== "exec") return 1;
  return failure.error === "ENOENT" ? 127 : 126;
}
