/**
 * The ordered end of everything, and the signals that ask for it.
 *
 * All goals go down, services leave in order, then what belongs to no service is stopped, then the
 * supervisor leaves. A deadline, or a second request, ends all patience: KILL, in no order.
 */
import type { Event, Machine, Receipt } from "../generated/protocol.ts";
import { assert } from "./assert.ts";
import { publishReceipt, publishSupervisor, say } from "./causes.ts";
import { fire } from "./lifecycle.ts";
import { setWish } from "./order.ts";
import { endedCode, outwardCode } from "./restart.ts";
import { reportReceipt, shutdownLeftMs } from "./runs.ts";
import { endSchedules } from "./schedule.ts";
import { durationText, survivorsText } from "./text.ts";
import { type Demand, isLive, mustLeave, newChildId, type World, wantsUp } from "./world.ts";

/** What belongs to no service has at most so long. */
const REST_TIMEOUT_MS = 10_000;
const EARLY_SIGNALS_LIMIT = 64;

const CRASH_SIGNALS: ReadonlySet<string> = new Set(["SEGV", "BUS", "FPE", "ILL", "ABRT", "TRAP", "SYS"]);
const NEVER_FORWARDED: ReadonlySet<string> = new Set(["CHLD", "TTIN", "TTOU", ...CRASH_SIGNALS]);
const SHUTDOWN_SIGNALS: ReadonlySet<string> = new Set(["TERM", "INT", "QUIT"]);

type ShutdownDemand = Extract<Demand, { type: "shutdown" }>;

export function meetShutdown(world: World, demand: ShutdownDemand): void {
  if (world.shutdown.phase === "running") beginShutdown(world, demand);
  else if (demand.asked) askAgain(world, demand);
}

/** The first request of a person may meet a shutdown that a service's end began. */
function askAgain(world: World, demand: ShutdownDemand): void {
  world.shutdownTouched = true;
  if (demand.machine !== null) world.shutdown.machine = demand.machine;
  if (world.shutdown.asked) hurry(world, `${demand.because}, once more`);
  else world.shutdown.asked = true;
}

function beginShutdown(world: World, demand: ShutdownDemand): void {
  const { shutdown } = world;
  shutdown.phase = "stopping";
  shutdown.because = demand.because;
  // Asked for just now, it changes nothing about what main has ended with before.
  const main = world.services.find(({ spec }) => spec.main);
  shutdown.code = demand.code || (main === undefined ? 0 : endedCode(main));
  shutdown.asked = demand.asked;
  shutdown.machine = demand.machine;
  shutdown.deadline = world.now + world.supervisor.shutdownTimeoutMs;
  world.shutdownTouched = true;
  armShutdown(world);
  publishSupervisor(world, `shutting down: ${demand.because}`);
  if (!world.supervisor.single) say(world, `shutting down: ${demand.because}`);
  endSchedules(world);
  lowerAll(world);
}

export function armShutdown(world: World): void {
  world.out.push({ type: "arm", key: "shutdown", at: world.shutdown.deadline });
}

/** All goals go down. What failed or is done remains so, as a record. */
export function lowerAll(world: World): void {
  const { because: asked } = world.shutdown;
  const because = asked.startsWith("shutdown ") ? asked : `shutdown: ${asked}`;
  for (const service of world.services) {
    if (!wantsUp(service) && !mustLeave(service)) continue;
    setWish(world, service, isLive(service) ? "leave" : "down");
    fire(world, service, "halt", { because, named: false });
  }
}

/** The shutdown's timer. */
export function shutdownDue(world: World): void {
  const { phase, deadline } = world.shutdown;
  if (phase !== "stopping" && phase !== "resting") return;
  if (world.now < deadline) armShutdown(world);
  else hurry(world, `not done within ${durationText(world.supervisor.shutdownTimeoutMs)}`);
}

/** No more waiting, for nobody. */
function hurry(world: World, because: string): void {
  const { shutdown } = world;
  if (shutdown.hurried || shutdown.phase === "exiting") return;
  shutdown.hurried = true;
  world.shutdownTouched = true;
  world.out.push({ type: "cancel", key: "shutdown" });
  publishSupervisor(world, `shutdown hurried: ${because}`);
  if (!world.supervisor.single) say(world, `killing what is left: ${because}`);
  for (const service of world.services) {
    if (isLive(service)) fire(world, service, "hurry", null);
  }
  for (const [id, service] of world.sets) if (service === null) stopStray(world, id);
  if (shutdown.phase === "resting") stopRest(world);
}

/** A set that belongs to no service of the configuration. */
export function stopStray(world: World, id: number): void {
  const timeoutMs = Math.min(REST_TIMEOUT_MS, shutdownLeftMs(world));
  world.out.push({ type: "stop", id, signal: "TERM", timeoutMs, tree: true });
}

/** At the end of each step: has the last service left? */
export function advanceShutdown(world: World): void {
  const { shutdown } = world;
  if (shutdown.phase !== "stopping" || world.sets.size > 0) return;
  assert(
    world.services.every((service) => !isLive(service)),
    "no set, no life",
  );
  shutdown.phase = "resting";
  shutdown.rest = newChildId(world);
  world.shutdownTouched = true;
  stopRest(world);
}

/** Also sent again, to bring its deadline forward. */
export function stopRest(world: World): void {
  assert(world.shutdown.rest !== 0, "the rest has an id");
  const patience = world.supervisor.single
    ? (world.services[0]?.spec.stop.timeoutMs ?? REST_TIMEOUT_MS)
    : REST_TIMEOUT_MS;
  const timeoutMs = Math.min(patience, shutdownLeftMs(world));
  world.out.push({ type: "stopRest", id: world.shutdown.rest, signal: "TERM", timeoutMs });
}

/** Nothing is left: the end. */
export function restStopped(world: World, receipt: Receipt): void {
  const { shutdown } = world;
  assert(shutdown.phase === "resting", "the rest is stopped last");
  if (receipt.processes.length > 0) publishReceipt(world, receipt, `shutdown: ${shutdown.because}`);
  reportReceipt(world, null, receipt);
  if (!receipt.empty) {
    shutdown.unclean = true;
    say(world, survivorsText(receipt));
  }
  shutdown.code ||= failedCode(world);
  if (shutdown.unclean && shutdown.code === 0) shutdown.code = 1;
  shutdown.phase = "exiting";
  world.shutdownTouched = true;
  if (!shutdown.hurried) world.out.push({ type: "cancel", key: "shutdown" });
  world.out.push({ type: "forget", id: shutdown.rest });
  publishSupervisor(world, `leaves with ${shutdown.code}`);
}

/** What is still `failed` has failed by itself: what a stop ends is `inactive`. */
function failedCode({ supervisor: { failedExitCode = 0 }, services }: World): number {
  return failedExitCode !== 0 && services.some(({ state }) => state === "failed") ? failedExitCode : 0;
}

// ---- signals to the supervisor

export function takeSignal(world: World, event: Extract<Event, { type: "signal" }>): void {
  if (world.supervisor.single) {
    forward(world, event);
    return;
  }
  const usual = SHUTDOWN_SIGNALS.has(event.signal) ? "shutdown" : null;
  switch (world.supervisor.signals?.[event.signal] ?? usual) {
    case "shutdown":
      requestShutdown(world, event, null);
      break;
    case "poweroff":
      requestShutdown(world, event, "poweroff");
      break;
    case "reboot":
      requestShutdown(world, event, "reboot");
      break;
    case "renew":
      renew(world, `signal ${event.signal}`);
      break;
    case "ignore":
      say(world, `got ${event.signal}: ignored`);
      break;
    case null:
      if (event.signal === "HUP") say(world, "got HUP: reading the configuration again is not supported yet");
  }
}

function requestShutdown(
  world: World,
  { signal, sender }: Extract<Event, { type: "signal" }>,
  machine: Machine | null,
): void {
  const because = sender === 0 ? `signal ${signal}` : `signal ${signal} from process ${sender}`;
  world.demands.push({ type: "shutdown", because, code: askedCode(world), asked: true, machine });
}

/** The supervisor is to take its own place. Not while it is about to leave. */
export function renew(world: World, because: string): void {
  if (world.shutdown.phase !== "running") {
    say(world, `${because}: a supervisor that is stopping everything is not renewed`);
    return;
  }
  publishSupervisor(world, `is renewed: ${because}`);
  world.out.push({ type: "renew" });
}

/** 0, as asked for; but a single command that has ended already has set the code. */
function askedCode(world: World): number {
  const exit = world.services[0]?.past.exit ?? null;
  return world.supervisor.single && exit !== null ? outwardCode(exit) : 0;
}

/** Single-command mode: every signal belongs to the command, each time it comes. */
function forward(world: World, event: Extract<Event, { type: "signal" }>): void {
  const command = world.services[0];
  if (command === undefined || NEVER_FORWARDED.has(event.signal)) return;
  if (command.pid !== 0) {
    world.out.push({ type: "signal", id: command.child, signal: event.signal, scope: "main" });
  } else if (command.state === "spawning" || command.state === "waiting") {
    // It shall not be lost because it came early.
    if (world.shutdown.signals.length < EARLY_SIGNALS_LIMIT) world.shutdown.signals.push(event.signal);
    world.shutdownTouched = true;
  } else if (SHUTDOWN_SIGNALS.has(event.signal)) {
    requestShutdown(world, event, null); // The command has ended: patience with what it left can end too.
  }
}
