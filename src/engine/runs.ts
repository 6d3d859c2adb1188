/**
 * One run of a service, from `Spawn` to the empty set: the commands that go to the nucleus, and
 * what is kept in mind about the run.
 */
import type { Event, Exit, Receipt } from "../generated/protocol.ts";
import { assert } from "./assert.ts";
import {
  causeOf,
  enter,
  leavingCause,
  note,
  noteWaiting,
  publishReceipt,
  say,
  waitingCause,
} from "./causes.ts";
import { takePlanned } from "./change.ts";
import { delayedCause, endDelay, passDelay } from "./delay.ts";
import { bar } from "./faults.ts";
import { dropTurn, passGate } from "./gate.ts";
import { endLook, passGuard } from "./guard.ts";
import { forgetHealth, isHealthAwaited, startHealth, stopHealth } from "./health.ts";
import { afterStart, noteBegun, part, prepare } from "./hooks.ts";
import { fire } from "./lifecycle.ts";
import { dropFds, openNotify } from "./notify.ts";
import { mayStart, mayStop, spread } from "./order.ts";
import { dropWatch, openWatch, startWatch } from "./readiness.ts";
import { endReload } from "./reload.ts";
import { failureEnvironment, restCall } from "./rescue.ts";
import { noteExit } from "./schedule.ts";
import { cutSides } from "./sides.ts";
import { spawnSpec } from "./spawn.ts";
import { conditionText, durationText, processesText, receiptLine, survivorsText } from "./text.ts";
import { startWatchdog, stopWatchdog } from "./watchdog.ts";
import {
  isTarget,
  isTask,
  mustLeave,
  newChildId,
  ownPast,
  pinnedUp,
  pushWork,
  type Service,
  startsAlong,
  touch,
  type World,
  wantsUp,
} from "./world.ts";

type Spawned = Extract<Event, { type: "spawned" }>;
type Exited = Extract<Event, { type: "exited" }>;

// ---- start

/** Starts it if the order allows, else it waits. The counts must have settled. */
export function admit(world: World, service: Service, because: string): void {
  assert(wantsUp(service) && !mustLeave(service), "only what is wanted and free is started");
  assert(service.child === 0, "no second process set");
  const fault = world.faults.get(service);
  if (fault !== undefined) {
    bar(world, service, fault);
    return;
  }
  if (mayStart(world, service)) {
    if (
      passDelay(world, service, because) &&
      passGuard(world, service, because) &&
      passGate(world, service, because)
    ) {
      launch(world, service, because);
    }
    return;
  }
  endDelay(world, service);
  endLook(world, service);
  if (service.state !== "waiting") enter(world, service, "waiting", waitingCause(service));
  // What a person holds up comes back, and with it what it cannot do without.
  const lacks =
    pinnedUp(service) &&
    service.edges.requires.some((other) => !wantsUp(other) && startsAlong(world, service, other));
  if (lacks) world.demands.push({ type: "support", service });
}

/** Its turn has come, by the order and by the gate. */
export function launch(world: World, service: Service, because: string): void {
  endDelay(world, service);
  endLook(world, service);
  if (isTarget(service)) {
    enter(world, service, "running", because);
    return;
  }
  prepare(world, service, because);
}

/** After its before-start hook, if it has one. */
export function spawnMain(world: World, service: Service, because: string): void {
  service.child = newChildId(world);
  world.sets.set(service.child, service);
  openWatch(world, service);
  openNotify(service);
  world.out.push({
    type: "spawn",
    id: service.child,
    spec: spawnSpec(service.spec, "main", service.spec.argv, service.call && failureEnvironment(service)),
  });
  enter(world, service, "spawning", because);
}

/** The child runs its program. */
export function beginRun(world: World, service: Service, { id, pid, at }: Spawned): void {
  assert(service.child === id, "the answer belongs to this start");
  service.pid = pid;
  service.started = at;
  service.startedWall = world.wall - (world.now - at);
  if (service.past.reason !== null) ownPast(service).reason = null;
  noteBegun(service);
  forwardEarlySignals(world, service);
  if (isTask(service)) enter(world, service, "working", `runs as pid ${pid}`);
  else if (service.watch === null) enter(world, service, "running", `runs as pid ${pid}`);
  else enter(world, service, "starting", `runs as pid ${pid}, waits for ${missingText(service)}`);
  const { eviction } = service;
  service.eviction = null;
  if (mustLeave(service)) pushWork(world, service);
  else if (eviction !== null) fire(world, service, "fellow", eviction);
  else if (service.watch?.unmet === 0)
    becomeReady(world, service); // It told so before we heard of its start.
  else {
    watchRun(world, service);
    afterStart(world, service);
  }
}

/** What is still missing for readiness. */
function missingText(service: Service): string {
  const unmet = service.watch?.unmet ?? 0;
  const missing = service.spec.ready.filter((_, index) => unmet & (1 << index));
  return missing.length === 0 ? "nothing more" : missing.map(conditionText).join(" and ");
}

/** Its deadline and its readiness conditions, at the start and after the loss of a brain. */
export function watchRun(world: World, service: Service): void {
  const { startTimeoutMs } = service.spec;
  const limited = service.state === "starting" || service.state === "working";
  if (limited && startTimeoutMs > 0) {
    if (service.deadline === 0) service.deadline = service.started + startTimeoutMs;
    armRun(world, service);
  }
  if (service.state === "starting") {
    startWatch(world, service);
    if (isHealthAwaited(service)) startHealth(world, service);
  } else if (service.state === "running") lookAfter(world, service);
}

/** It is ready: from here on its health counts. */
function lookAfter(world: World, service: Service): void {
  if (service.spec.restartResetFrom === "ready" && service.readied === 0) service.readied = world.now;
  startHealth(world, service);
  startWatchdog(world, service);
}

export function armRun(world: World, service: Service): void {
  world.out.push({ type: "arm", key: `start ${service.child}`, at: service.deadline });
}

/** Nothing is asked of it any more. */
export function leaveAlone(world: World, service: Service): void {
  unwatchRun(world, service);
  endReload(world, service);
  stopHealth(world, service);
  stopWatchdog(world, service);
}

/** Neither deadline nor readiness probes from here on. */
function unwatchRun(world: World, service: Service): void {
  dropWatch(world, service);
  if (service.deadline === 0) return;
  world.out.push({ type: "cancel", key: `start ${service.child}` });
  service.deadline = 0;
}

function forwardEarlySignals(world: World, service: Service): void {
  const { signals } = world.shutdown;
  if (!world.supervisor.single || signals.length === 0) return;
  for (const signal of signals) {
    world.out.push({ type: "signal", id: service.child, signal, scope: "main" });
  }
  world.shutdown.signals = [];
  world.shutdownTouched = true;
}

/** All readiness conditions hold. */
export function becomeReady(world: World, service: Service): void {
  unwatchRun(world, service);
  enter(world, service, "running", `ready after ${durationText(world.now - service.started)}`);
  afterStart(world, service);
  lookAfter(world, service);
}

// ---- stop

/** Its goal took it: it leaves as soon as what comes after it has left. */
export function leaveInTurn(world: World, service: Service): void {
  if (!mustLeave(service) || !mayStop(world, service)) return;
  if (isTarget(service)) rest(world, service);
  else part(world, service, leavingCause(service));
}

/** Sends `Stop` and waits for `Stopped`. */
export function stopRun(
  world: World,
  service: Service,
  state: "stopping" | "clearing" | "expiring",
  because: string,
): void {
  assert(service.child !== 0, "only a process set is stopped");
  leaveAlone(world, service);
  cutSides(world, service);
  sendStop(world, service);
  enter(world, service, state, because);
}

/** Also sent again, to bring the deadline of a stop at work forward. */
export function sendStop(world: World, service: Service): void {
  const { signal, timeoutMs, tree } = service.spec.stop;
  const kills = isKilled(service);
  world.out.push({
    type: "stop",
    id: service.child,
    signal: kills ? "KILL" : service.eviction?.abort ? "ABRT" : signal,
    timeoutMs: kills ? 0 : Math.min(timeoutMs, shutdownLeftMs(world)),
    tree,
  });
}

/** Its eviction knows no patience; a core is worth the patience that ABRT needs. */
export function isKilled({ eviction, spec }: Service): boolean {
  if (eviction === null || eviction.abort || eviction.action === "exit") return false;
  return spec.stop.evict === "kill";
}

/** What a stop may take at most. The nucleus then keeps the shutdown's promise without a brain. */
export function shutdownLeftMs(world: World): number {
  const { phase, hurried, deadline } = world.shutdown;
  if (hurried) return 0;
  return phase === "running" ? Number.POSITIVE_INFINITY : Math.max(0, deadline - world.now);
}

// ---- end

/** The leader has ended; what it leaves behind is another matter. */
export function takeExit(service: Service, world: World, exit: Exit, at: number): void {
  const past = ownPast(service);
  past.exit = exit;
  past.exitWall = world.wall - (world.now - at);
  // With delays that grow by runs that did not last, the restart after one that did has none.
  if (hasLasted(service, at)) past.streak = service.spec.restartBackoff === "linear" ? -1 : 0;
  noteExit(service, exit, at - service.started, past.exitWall);
  service.pid = 0;
  touch(world, service);
  spread(world, service);
}

/** Its run was so long that restarts begin to count anew. */
function hasLasted({ spec, started, readied }: Service, at: number): boolean {
  if (spec.restartResetFrom === "start") return at - started >= spec.restartResetMs;
  return readied > 0 && at - readied >= spec.restartResetMs;
}

/** The leader ended by itself and left processes: they go before anything is decided. */
export function clearLeftovers(world: World, service: Service, event: Exited, exitCause: string): void {
  stopRun(world, service, "clearing", `${exitCause} and left ${processesText(event.leftovers)}`);
}

/** The set is empty and the nucleus may forget it. */
export function endRun(world: World, service: Service): void {
  world.out.push({ type: "forget", id: service.child });
  forgetRun(world, service);
}

/** The same without a table entry at the nucleus. */
export function forgetRun(world: World, service: Service): void {
  leaveAlone(world, service);
  forgetHealth(world, service);
  service.eviction = null;
  service.readied = 0;
  world.sets.delete(service.child);
  service.child = 0;
  service.pid = 0;
  touch(world, service);
}

export function takeReceipt(world: World, service: Service, receipt: Receipt): void {
  publishReceipt(world, receipt, causeOf(service));
  reportReceipt(world, service.spec.name, receipt);
  if (!receipt.empty) {
    world.shutdown.unclean = true;
    world.shutdownTouched = true;
    say(world, `${service.spec.name}: ${survivorsText(receipt)}`);
  }
}

/** At the end of all things the receipt goes to the console, a line per process. */
export function reportReceipt(world: World, name: string | null, receipt: Receipt): void {
  if (world.shutdown.phase === "running" || world.supervisor.single) return;
  for (const process of receipt.processes) say(world, `${name ?? "others"}: ${receiptLine(process)}`);
}

/** The run that had to end has ended: down, or up again. Nothing is judged. */
export function rest(world: World, service: Service, because = causeOf(service)): void {
  assert(mustLeave(service) && service.child === 0, "only what had to leave has left");
  takePlanned(world, service);
  const again = service.wish === "again";
  service.wish = again ? "up" : "down";
  touch(world, service);
  restCall(service, again);
  if (!again) dropTurn(world, service);
  if (again) admit(world, service, because);
  else comeToRest(world, service, because);
}

/** Down because somebody asked. */
export function comeToRest(world: World, service: Service, because: string): void {
  dropFds(world, service);
  const fault = world.faults.get(service);
  if (fault === undefined) enter(world, service, "inactive", because);
  else bar(world, service, fault);
}

/** It waited, or was in backoff, and is not wanted any more. */
export function giveUp(world: World, service: Service): void {
  if (wantsUp(service)) return;
  cancelBackoff(world, service);
  endDelay(world, service);
  endLook(world, service);
  restCall(service, false);
  dropTurn(world, service);
  comeToRest(world, service, causeOf(service));
}

export function cancelBackoff(world: World, service: Service): void {
  if (service.state !== "backoff") return;
  world.out.push({ type: "cancel", key: `again ${service.spec.name}` });
  service.deadline = 0;
}

/** From a state of rest to the queue: a person asked, or something needs it. */
export function wake(world: World, service: Service, because: string): void {
  const fault = world.faults.get(service);
  if (fault !== undefined) {
    bar(world, service, fault);
    return;
  }
  cancelBackoff(world, service);
  // What was never touched goes straight on to its start, if it can: one change, not two.
  if (service.state === "inactive") note(world, service, because);
  else enter(world, service, "waiting", because);
  pushWork(world, service);
}

/** The order may allow its start now, or what it waits for has changed for the worse. */
export function tryStart(world: World, service: Service): void {
  if (!wantsUp(service)) return;
  if (service.state === "inactive") admit(world, service, causeOf(service));
  else if (mayStart(world, service)) admit(world, service, service.look?.because || wokenBy(service));
  else {
    endDelay(world, service);
    endLook(world, service);
    noteWaiting(world, service, waitingCause(service));
  }
}

export function wokenBy(service: Service): string {
  const delayed = delayedCause(service);
  if (delayed !== null) return delayed;
  const waited = /^waits (?:for|until) ([^:]*?)(?:, which.*| has stopped)?$/.exec(
    causeOf(service).split(":")[0] ?? "",
  );
  return waited === null ? causeOf(service) : `its wait for ${waited[1]} is over`;
}
