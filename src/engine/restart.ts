/**
 * What follows from the end of a run that nobody asked for: exited, failed, or once more; and
 * when. The set is empty and forgotten by now.
 */
import type { Exit, SpawnFailure } from "../generated/protocol.ts";
import { assert } from "./assert.ts";
import { causeOf, enter, say, tell } from "./causes.ts";
import { markAutomatic } from "./gate.ts";
import { errnoText } from "./notify.ts";
import { admit } from "./runs.ts";
import { durationText, exitText } from "./text.ts";
import {
  type Eviction,
  isTask,
  mustLeave,
  ownPast,
  type Service,
  touch,
  type World,
  wantsUp,
} from "./world.ts";

/** How a run ended. */
interface End {
  /** As a cause: `exited with code 1`. */
  readonly text: string;
  readonly success: boolean;
  /** Its exit code, `null` where it has none. */
  readonly code: number | null;
  /** What the supervisor leaves with, if this was `main` and is not started again. */
  readonly outward: number;
}

type Verdict = "again" | "exited" | "failed";

const SIGNALS =
  " HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );
const RTMIN = 34;
const RTMAX = 64;

/** The run came to its end by itself. */
export function judgeExit(world: World, service: Service): void {
  const { exit } = service.past;
  assert(exit !== null, "a run that ended has an exit");
  const code = "code" in exit ? exit.code : null;
  const success = code !== null && service.spec.successCodes.includes(code);
  const text = `${exitText(exit)}${errnoText(service)}`;
  conclude(world, service, { text, success, code, outward: outwardCode(exit) });
}

/** It was not ready in time, or sick, and has been stopped: a failed run, whatever its exit says. */
export function judgeExpired(world: World, service: Service, eviction: Eviction | null): void {
  const text = eviction?.text ?? lateText(service);
  if (eviction?.action === "stop") fail(world, service, text, 1);
  else conclude(world, service, { text, success: false, code: null, outward: 1 });
}

/** Said where a probe was the reason, with what it found last. */
export function lateEviction(service: Service): Eviction {
  const found = service.watch?.reason ?? "";
  const last = found === "" ? "" : `, last: ${found}`;
  return { text: `${lateText(service)}${last}`, action: "restart", abort: false };
}

function lateText(service: Service): string {
  const what = isTask(service) ? "done" : "ready";
  return `not ${what} within ${durationText(service.spec.startTimeoutMs)}`;
}

/** It could not even be started. What may pass by itself is tried again, the rest is not. */
export function judgeRefusal(world: World, service: Service, failure: SpawnFailure, text: string): void {
  ownPast(service).exit = null;
  if (world.supervisor.single) say(world, text); // A command that never ran cannot say it itself.
  const end: End = { text, success: false, code: null, outward: refusalCode(failure) };
  if (failure.transient) conclude(world, service, end);
  else fail(world, service, end.text, end.outward);
}

/** The nucleus does not know of the process we had started, and nobody saw it end. */
export function judgeVanished(world: World, service: Service): void {
  ownPast(service).exit = null;
  conclude(world, service, {
    text: "its process was lost from sight",
    success: false,
    code: null,
    outward: 1,
  });
}

function conclude(world: World, service: Service, end: End): void {
  assert(service.child === 0, "a run is judged when its set is empty");
  assert(wantsUp(service) && !mustLeave(service), "what had to leave is not judged");
  switch (verdictOf(service, end)) {
    case "again":
      startAgain(world, service, end);
      break;
    case "exited":
      enter(world, service, "exited", end.text);
      endMain(world, service, end.outward);
      break;
    case "failed":
      fail(world, service, end.text, end.outward);
      break;
  }
}

function verdictOf(service: Service, end: End): Verdict {
  const { restart, noRestartCodes } = service.spec;
  const forbidden = end.code !== null && noRestartCodes.includes(end.code);
  const again = restart === "always" || (restart === "on-failure" && !end.success);
  if (again && !forbidden) return "again";
  return end.success ? "exited" : "failed";
}

function startAgain(world: World, service: Service, end: End): void {
  if (!takeFromWindow(world, service)) {
    const { restartLimit, restartWindowMs } = service.spec;
    const limit = `more than ${restartLimit} ${restartLimit === 1 ? "restart" : "restarts"} within ${durationText(restartWindowMs)}`;
    fail(world, service, `${limit}, last: ${end.text}`, end.outward);
    return;
  }
  const delay = backoffMs(world, service);
  const past = ownPast(service);
  past.streak++;
  past.restarts++;
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

export function armAgain(world: World, service: Service): void {
  world.out.push({ type: "arm", key: `again ${service.spec.name}`, at: service.deadline });
}

/** Counts this restart; false if the window holds as many as are allowed. */
function takeFromWindow(world: World, service: Service): boolean {
  const { restartLimit, restartWindowMs } = service.spec;
  if (restartLimit === 0) return true;
  const recent = service.past.times.filter((time) => time > world.now - restartWindowMs);
  if (recent.length >= restartLimit) return false;
  recent.push(world.now);
  ownPast(service).times = recent;
  return true;
}

/** restart-delay × 2^streak with 10 % jitter, never above its maximum. */
function backoffMs(world: World, service: Service): number {
  const { restartDelayMs, restartDelayMaxMs } = service.spec;
  if (restartDelayMs === 0) return 0;
  const plain = Math.min(restartDelayMs * 2 ** service.past.streak, restartDelayMaxMs);
  return Math.min(plain * (0.9 + 0.2 * world.random.next()), restartDelayMaxMs);
}

/** The backoff is over. */
export function restartCause(service: Service): string {
  const { exit, restarts } = service.past;
  return `restart ${restarts}: ${exit === null ? "it could not be started" : exitText(exit)}`;
}

/** Failed for good: its state, and what its on-failure demands. */
export function fail(world: World, service: Service, because: string, outward: number): void {
  const { name, onFailure, main } = service.spec;
  enter(world, service, "failed", because);
  tell(world, service, `failed: ${because}`);
  if (main) endMain(world, service, outward);
  else if (onFailure === "shutdown") {
    world.demands.push({ type: "shutdown", because: `${name} failed: ${because}`, code: 1, asked: false });
  } else if (onFailure === "stop-dependents") {
    world.demands.push({ type: "abandon", service, because: `requires ${name}, which failed: ${because}` });
  }
}

function endMain(world: World, service: Service, code: number): void {
  const { name, main } = service.spec;
  if (!main) return;
  const because = `main service ${name} has ended: ${causeOf(service)}`;
  world.demands.push({ type: "shutdown", because, code, asked: false });
}

/** As a shell puts it: 128+n for a signal. */
export function outwardCode(exit: Exit): number {
  return "code" in exit ? exit.code : 128 + signalNumber(exit.signal);
}

function signalNumber(name: string): number {
  const plain = SIGNALS.indexOf(name);
  if (plain > 0) return plain;
  const realtime = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime === null) return 0;
  const base = realtime[1] === "IN" ? RTMIN : RTMAX;
  const offset = Number(realtime[3] ?? 0);
  return realtime[2] === "-" ? base - offset : base + offset;
}

/** As a shell puts it: 127 for no such program, 126 for one that cannot be run. */
function refusalCode(failure: SpawnFailure): number {
  if (failure.step !== "exec") return 1;
  return failure.error === "ENOENT" ? 127 : 126;
}
