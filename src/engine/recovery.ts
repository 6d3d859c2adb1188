/**
 * The start of a brain: a first one, or the successor of one that was lost.
 *
 * A successor has the configuration, the slate and the nucleus's table of process sets. It puts
 * the records back, compares each with the table, and lets what the former brain never digested
 * (a start, an exit, a stop that ended) enter by the same door as if it happened now. Timers,
 * probes and log matches are gone with the former brain; they are armed anew.
 */
import type { Boot, ChildRecord } from "../generated/protocol.ts";
import { withDefaults } from "../model/defaults.ts";
import type { Config, ServiceSpec, SparseSpec } from "../model/spec.ts";
import { assert } from "./assert.ts";
import { beginBoot, limitBoot, makeBootLog } from "./boot.ts";
import { enter, note, publishSupervisor, say } from "./causes.ts";
import { takePlanned } from "./change.ts";
import { armAgain, isDelayed } from "./delay.ts";
import { linkAll } from "./edges.ts";
import { findFaults, judgeFaults } from "./faults.ts";
import { makeGate } from "./gate.ts";
import { isHealthAwaited, resumeHealth } from "./health.ts";
import { afterRun, armLinger } from "./hooks.ts";
import { fire } from "./lifecycle.ts";
import { openLog } from "./logs.ts";
import { newTold, takeNotice } from "./notify.ts";
import { newOccasions } from "./occasions.ts";
import { resetCounts } from "./order.ts";
import { resumeProxies } from "./proxies.ts";
import { Random } from "./random.ts";
import { newWatch, reopenWatch } from "./readiness.ts";
import { armReload } from "./reload.ts";
import { vanishedEnd } from "./restart.ts";
import { forgetRun, sendStop, watchRun } from "./runs.ts";
import { startSchedules } from "./schedule.ts";
import { armShutdown, lowerAll, restStopped, stopRest, stopStray } from "./shutdown.ts";
import { armSide, hasSides, refuseSide, sendSideStop, sideOf, sidesOf, takeSideEvent } from "./sides.ts";
import {
  hasRecord,
  isOfFormer,
  readBootRecord,
  readGateRecord,
  readServiceRecord,
  readSupervisorRecord,
  writeBootRecord,
} from "./slate.ts";
import { resumeWatchdog } from "./watchdog.ts";
import {
  isLive,
  isTarget,
  isTask,
  mustLeave,
  type Named,
  newChildId,
  PUBLIC,
  pinnedUp,
  pushFact,
  pushWork,
  Service,
  type State,
  startsAlong,
  type World,
  wantsUp,
} from "./world.ts";

export type BootInput = Omit<Boot, "config"> & { readonly config: Config };

const FIRST_PROBE_ID = 0x8000_0000;

export function makeWorld(boot: BootInput, now: number, wall: number): World {
  const { services: configured, former = [], ...settings } = boot.config;
  const services = configured.map((sparse, index) => new Service(withDefaults(sparse), index));
  const byName = new Map(services.map((service) => [service.spec.name, service]));
  assert(byName.size === services.length, "names are unique");
  const doomed = addDoomed(
    services,
    byName,
    former.filter(({ name }) => isLeft(boot, name)),
  );
  const planned = new Map<Service, ServiceSpec>();
  linkAll({ services, byName, planned });
  const world: World = {
    supervisor: settings.supervisor,
    settings,
    services,
    byName,
    planned,
    doomed,
    faults: new Map(),
    zones: settings.zones ?? {},
    sets: new Map(),
    proxies: new Map(),
    shutdown: {
      phase: "running",
      because: "",
      code: 0,
      asked: false,
      hurried: false,
      unclean: false,
      deadline: 0,
      rest: 0,
      signals: [],
      machine: null,
    },
    random: new Random(boot.seed),
    gate: null,
    hindered: new Set(),
    starting: 0,
    boot: makeBootLog(services.length),
    nextId: boot.nextId,
    nextSeq: boot.nextSeq,
    now,
    wall,
    out: [],
    demands: [],
    facts: { first: null, last: null },
    work: { first: null, last: null },
    touched: new Set(),
    shutdownTouched: false,
    configTouched: false,
    timeText: "",
    timeWall: Number.NaN,
  };
  findFaults(world);
  world.gate = makeGate(settings.supervisor, services);
  return world;
}

// ---- first start and every later one

/** Fills the world; the caller lets the queues run after each part. */
export function recover(world: World, boot: BootInput, settle: () => void): void {
  const isFormer = boot.lost !== null || boot.renewed === true;
  const isFirst = !isFormer || (boot.children.length === 0 && Object.keys(boot.slate).length === 0);
  if (isFirst) beginBoot(world);
  for (const service of world.services) openLog(world, service);
  readSupervisorRecord(world.shutdown, boot.slate);
  takeUpFormer(world, boot);
  const known = world.services.filter((service) => readServiceRecord(world, service, boot.slate));
  letGoFormer(world, known);
  if (!isFirst) readBootRecord(world.boot, boot.slate);
  if (world.gate !== null) readGateRecord(world.gate, boot.slate, world.now);
  const children = boot.children.filter(({ id }) => id < FIRST_PROBE_ID && id !== world.shutdown.rest);
  const matched = matchChildren(world, children);
  world.starting = world.services.filter(isStarting).length;
  announce(world, boot);
  for (const service of world.services) {
    resetCounts(service);
    pushFact(world, service);
    pushWork(world, service);
  }
  rearm(world, matched);
  settle();
  judgeFaults(world, "it can be started as it is configured now");
  settle();
  for (const child of children) {
    replay(world, child);
    settle();
  }
  findVanished(world, matched, settle);
  startAutomatic(world, known);
  startSchedules(world);
  settle();
  resumeProxies(world, boot.proxies ?? []);
  settle();
  if (isFirst) {
    limitBoot(world);
    writeBootRecord(world);
  }
  resumeShutdown(world, boot);
  settle();
}

function announce(world: World, boot: BootInput): void {
  if (boot.renewed === true) {
    const text = "goes on with what the supervisor before it had";
    publishSupervisor(world, text);
    say(world, text);
    return;
  }
  if (boot.lost === null) {
    publishSupervisor(world, "started");
    return;
  }
  const text = `a fresh brain took over, the former was lost: ${boot.lost}`;
  publishSupervisor(world, text);
  say(world, text);
}

function isStarting({ state }: Service): boolean {
  return PUBLIC[state] === "starting";
}

// ---- runs that have begun with another definition than the configured one

/** Is there anything left of a service? */
function isLeft({ slate, children }: BootInput, name: string): boolean {
  return hasRecord(slate, name) || children.some(({ service }) => service === name);
}

/** Those that are not configured any more, and still have to leave. */
function addDoomed(
  services: Service[],
  byName: Map<string, Service>,
  former: readonly SparseSpec[],
): Set<Service> {
  const doomed = new Set<Service>();
  for (const sparse of former) {
    if (byName.has(sparse.name)) continue;
    const service = new Service(withDefaults(sparse), services.length);
    services.push(service);
    byName.set(sparse.name, service);
    doomed.add(service);
  }
  return doomed;
}

/** Before the records are read, which tell of the run. */
function takeUpFormer(world: World, { config, slate }: BootInput): void {
  for (const sparse of config.former ?? []) {
    const service = world.byName.get(sparse.name);
    if (service === undefined || world.doomed.has(service) || !isOfFormer(slate, service)) continue;
    world.planned.set(service, service.spec);
    service.spec = withDefaults(sparse);
    service.occasions = service.spec.schedule === null ? null : newOccasions();
  }
}

/** A record that is not believed tells of no run. */
function letGoFormer(world: World, known: readonly Service[]): void {
  for (const service of world.planned.keys()) {
    if (!known.includes(service) || !isLive(service)) takePlanned(world, service);
  }
  for (const service of world.doomed) {
    service.occasions = null;
    service.pin = null;
    if (isLive(service)) service.wish = "leave";
    else service.wish = "down";
  }
}

/** What the configuration starts by itself, unless a record knows better; and what a lost record had kept up. */
function startAutomatic(world: World, known: readonly Service[]): void {
  const recorded = new Set(known);
  const named: Named[] = [];
  for (const service of world.services) {
    if (!wantsUp(service)) {
      const starts = service.spec.autostart && !recorded.has(service);
      if (starts) named.push({ service, because: "starts with the supervisor" });
      continue;
    }
    if (pinnedUp(service)) continue; // Up, whatever has become of what it requires.
    for (const other of service.edges.requires) {
      if (wantsUp(other) || !startsAlong(world, service, other)) continue;
      named.push({ service: other, because: `needed by ${service.spec.name}` });
    }
  }
  if (named.length > 0) world.demands.push({ type: "start", named });
}

// ---- records and table

/** Gives each process set of the table to its service. Those that belong to none are ended. */
function matchChildren(world: World, children: readonly ChildRecord[]): Map<Service, ChildRecord> {
  const matched = new Map<Service, ChildRecord>();
  for (const child of children) {
    const service = world.byName.get(child.service);
    if (service !== undefined && service.child === child.id) matched.set(service, child);
  }
  for (const child of children) {
    const service = world.byName.get(child.service);
    if (service !== undefined && matched.get(service) === child) continue;
    if (service === undefined || matched.has(service) || isTarget(service)) continue;
    if (child.role !== "main" || isSideOf(service, child.id)) continue;
    // A run that has not begun, or is over, has no main process: this one is somebody's mistake.
    if (service.state === "preparing" || service.state === "finishing") continue;
    adopt(world, service, child);
    matched.set(service, child);
  }
  for (const child of children) {
    const service = world.byName.get(child.service);
    const owned = service !== undefined && (matched.get(service) === child || isSideOf(service, child.id));
    world.sets.set(child.id, owned ? service : null);
    if (!owned) endStray(world, child);
  }
  return matched;
}

function isSideOf(service: Service, id: number): boolean {
  return sideOf(service, id) !== null;
}

/** A set without a record that names it: the table decides what its service is doing. */
function adopt(world: World, service: Service, child: ChildRecord): void {
  const unwanted = (service.chain !== "" && !wantsUp(service)) || world.doomed.has(service);
  service.state = adoptedState(service, child);
  service.wish = unwanted ? "leave" : "up";
  if (service.state === "stopping") service.wish = unwanted || !service.spec.autostart ? "leave" : "again";
  service.child = child.id;
  service.pid = child.pid;
  service.started = child.started;
  service.startedWall = world.wall - (world.now - child.started);
  service.watch = service.state === "starting" ? newWatch(service.spec) : null;
  const limited = service.state === "starting" || service.state === "working";
  // Nobody knows how long it was tried, so its time starts now.
  service.deadline = limited && service.spec.startTimeoutMs > 0 ? world.now + service.spec.startTimeoutMs : 0;
  note(world, service, "found running, without a record of it");
}

function adoptedState(service: Service, child: ChildRecord): State {
  if (child.stopping || child.receipt !== null) return "stopping";
  if (isTask(service)) return "working";
  return service.spec.ready.length === 0 ? "running" : "starting";
}

/** Timers, probes and log matches of the state each service is in. */
function rearm(world: World, matched: ReadonlyMap<Service, ChildRecord>): void {
  if (world.shutdown.phase !== "running" && !world.shutdown.hurried) armShutdown(world);
  for (const service of world.services) {
    if (service.state === "backoff") armAgain(world, service);
    // What has waited long enough starts in its turn.
    if (isDelayed(service) && service.deadline > world.now) armAgain(world, service);
    rearmSides(world, service);
    const child = matched.get(service);
    if (child === undefined) continue;
    if (service.state === "spawning") reopenWatch(world, service);
    if (isStopState(service) && !child.stopping && child.receipt === null) sendStop(world, service);
    if (mustLeave(service)) continue;
    if (service.state === "running") resumeCare(world, service, child);
    if (service.state !== "starting" && service.state !== "working") continue;
    reopenWatch(world, service);
    if (service.state === "starting" && isHealthAwaited(service)) resumeHealth(world, service);
    watchRun(world, service);
  }
}

/** Hooks and commands at work, and what is waited for after them. */
function rearmSides(world: World, service: Service): void {
  for (const side of sidesOf(service)) {
    if (!world.sets.has(side.child)) continue; // It has vanished; that is seen to later.
    if (world.now < side.deadline || !side.stopping) armSide(world, side);
  }
  if (service.state === "parting" && !hasSides(service)) armLinger(world, service);
  armReload(world, service);
}

/** Its health checks and its watchdog. */
function resumeCare(world: World, service: Service, child: ChildRecord): void {
  service.told ??= newTold(service.spec);
  resumeHealth(world, service);
  resumeWatchdog(world, service, child.watchdogAt);
}

function isStopState({ state }: Service): boolean {
  return state === "stopping" || state === "clearing" || state === "expiring";
}

/** What the table knows and the record does not, as the events it came from. */
function replay(world: World, child: ChildRecord): void {
  const service = world.sets.get(child.id) ?? null;
  if (service === null) return;
  if (service.child !== child.id) {
    replaySide(world, service, child);
    return;
  }
  const { id, pid, started, exit, exited, leftovers, receipt } = child;
  if (service.state === "spawning")
    fire(world, service, "spawned", { type: "spawned", id, pid, at: started });
  replayNotice(world, service, child);
  const exitIsNews = service.child === id && service.pid !== 0 && exit !== null;
  if (exitIsNews) {
    fire(world, service, "exited", { type: "exited", id, at: exited ?? world.now, exit, leftovers });
  }
  if (receipt !== null && service.child === id && isStopState(service)) {
    fire(world, service, "stopped", { type: "stopped", id, at: world.now, receipt });
  }
}

/** The same of a hook or a command. */
function replaySide(world: World, service: Service, child: ChildRecord): void {
  const { id, pid, started, exit, exited, leftovers, receipt } = child;
  const side = sideOf(service, id);
  if (side === null) return;
  const begun = side.pid !== 0 || side.ended;
  if (!begun) takeSideEvent(world, service, side, { type: "spawned", id, pid, at: started });
  else if (side.stopping && !child.stopping && receipt === null) sendSideStop(world, service, side);
  if (exit !== null && !side.ended) {
    takeSideEvent(world, service, side, { type: "exited", id, at: exited ?? world.now, exit, leftovers });
  }
  if (receipt !== null && sideOf(service, id) === side) {
    takeSideEvent(world, service, side, { type: "stopped", id, at: world.now, receipt });
  }
}

/** All that its processes have told so far; what the former brain knew already changes nothing. */
function replayNotice(world: World, service: Service, { id, notice }: ChildRecord): void {
  if (notice === null || service.child !== id) return;
  service.told ??= newTold(service.spec);
  // When the last WATCHDOG=1 came is told by itself; time that was granted is not granted again.
  const [watchdog, watchdogTrigger] = [false, false];
  const extendMs = notice.extendMs === service.told?.extendMs ? null : notice.extendMs;
  takeNotice(world, service, {
    type: "notified",
    id,
    at: world.now,
    notice: { ...notice, watchdog, watchdogTrigger, extendMs },
  });
}

function endStray(world: World, child: ChildRecord): void {
  const over = child.receipt !== null || (child.exit !== null && child.leftovers === 0);
  if (over) forgetStray(world, child.id);
  else if (!child.stopping) stopStray(world, child.id);
}

export function forgetStray(world: World, id: number): void {
  world.out.push({ type: "forget", id });
  world.sets.delete(id);
}

/** Started by a record, unknown to the table. */
function findVanished(world: World, matched: ReadonlyMap<Service, ChildRecord>, settle: () => void): void {
  for (const service of world.services) {
    if (!isLive(service) || isTarget(service) || service.child === 0 || world.sets.has(service.child))
      continue;
    assert(!matched.has(service), "what the table knows has not vanished");
    vanish(world, service);
    settle();
  }
  for (const service of world.services) {
    for (const side of sidesOf(service)) {
      if (world.sets.has(side.child)) continue;
      // A start that failed leaves no entry, and the news of it went down with the former brain.
      const begun = side.pid !== 0 || side.ended;
      const why = begun ? "it was lost from sight" : "its start was not seen through";
      refuseSide(world, service, side, why);
      settle();
    }
  }
}

function vanish(world: World, service: Service): void {
  // A start that failed leaves no entry, and the news of it went down with the former brain.
  const neverBegan = service.state === "spawning";
  forgetRun(world, service);
  const { hooks } = service.spec;
  // A start that has had its before-start hook is a run, and one is owed its after-exit hook.
  const hooked = hooks?.["before-start"] !== undefined || hooks?.["after-exit"] !== undefined;
  if (neverBegan && !hooked && !mustLeave(service)) {
    service.around = null;
    takePlanned(world, service);
    enter(world, service, "waiting", "its start was not seen through, it is tried again");
    pushWork(world, service);
    const fault = world.faults.get(service);
    if (fault !== undefined) fire(world, service, "barred", fault);
  } else afterRun(world, service, mustLeave(service) ? null : vanishedEnd(service));
}

/** A shutdown goes on where it was. */
function resumeShutdown(world: World, boot: BootInput): void {
  const { shutdown } = world;
  if (shutdown.phase === "running") return;
  lowerAll(world);
  if (shutdown.phase === "exiting") shutdown.phase = "resting";
  if (shutdown.phase !== "resting") return;
  const record = boot.children.find(({ id }) => id === shutdown.rest);
  if (record === undefined) {
    shutdown.rest = newChildId(world);
    world.shutdownTouched = true;
    stopRest(world);
  } else if (record.receipt !== null) restStopped(world, record.receipt);
}
