/**
 * The slate: what a brain leaves for its successor. One record per service that was ever touched,
 * one for the supervisor, written at the end of the step that changed them, applied by the nucleus
 * together with the step's other commands or not at all.
 *
 * A record is a JSON array without names, because a thousand of them are kept. It is read with
 * care: the former brain may have been lost to the very fault that spoiled it.
 */
import { isObject } from "../model/objects.ts";
import { type BootLog, loadBoot, saveBoot } from "./boot.ts";
import type { Gate } from "./gate.ts";
import { isHealthAwaited, newHealth } from "./health.ts";
import { newTold } from "./notify.ts";
import type { Run } from "./occasions.ts";
import { newWatch } from "./readiness.ts";
import {
  isExit,
  isId,
  isReason,
  isTime,
  isTrail,
  loadAround,
  loadCall,
  loadPin,
  loadReload,
  saveAround,
  saveCall,
  savePin,
  saveReload,
} from "./saved.ts";
import { RUNS_LIMIT } from "./schedule.ts";
import { hasSides } from "./sides.ts";
import {
  isLiveState,
  NO_PAST,
  PUBLIC,
  Service,
  type Shutdown,
  type ShutdownPhase,
  type State,
  type Wish,
  type World,
} from "./world.ts";

const SUPERVISOR = "supervisor";
const GATE = "gate";
const BOOT = "boot";
const WISHES: readonly string[] = ["down", "up", "leave", "again"] satisfies Wish[];
const PHASES: readonly string[] = ["running", "stopping", "resting", "exiting"] satisfies ShutdownPhase[];
const CHAIN_MAX = 16_384;

function slateKey(name: string): string {
  return `service ${name}`;
}

export function hasRecord(slate: Slate, name: string): boolean {
  return slate[slateKey(name)] !== undefined;
}

/** Has the run of this record begun with another definition than the configured one? */
export function isOfFormer(slate: Slate, service: Service): boolean {
  const parts = parseArray(slate[slateKey(service.spec.name)])?.[8];
  return isObject(parts) && parts.former === 1;
}

/** Its service is gone. */
export function dropRecord(world: World, service: Service): void {
  world.touched.delete(service);
  world.out.push({ type: "slate", key: slateKey(service.spec.name), value: null });
}

/** The records that the step has changed. */
export function writeSlate(world: World): void {
  for (const service of world.touched) {
    world.out.push({ type: "slate", key: slateKey(service.spec.name), value: serviceRecord(world, service) });
  }
  world.touched.clear();
  if (world.gate?.touched) {
    world.out.push({ type: "slate", key: GATE, value: gateRecord(world.gate) });
    world.gate.touched = false;
  }
  if (!world.shutdownTouched) return;
  world.out.push({ type: "slate", key: SUPERVISOR, value: supervisorRecord(world.shutdown) });
  world.shutdownTouched = false;
}

function serviceRecord(world: World, service: Service): string {
  const { state, wish, child, pid, started, startedWall, deadline, chain } = service;
  const record: unknown[] = [state, wish, child, pid, started, startedWall, deadline, chain];
  const parts: Record<string, unknown> = {};
  for (const { key, save } of PARTS) {
    const value = save(service, world);
    if (value !== undefined) parts[key] = value;
  }
  if (Object.keys(parts).length > 0) record.push(parts);
  return JSON.stringify(record);
}

function supervisorRecord(shutdown: Shutdown): string {
  const { phase, because, code, asked, hurried, unclean, deadline, rest, signals, machine } = shutdown;
  return JSON.stringify([phase, because, code, asked, hurried, unclean, deadline, rest, signals, machine]);
}

// ---- reading

type Slate = Readonly<Record<string, string | undefined>>;

/** Puts a former brain's record back. False if there is none, or none that can be understood. */
export function readServiceRecord(world: World, service: Service, slate: Slate): boolean {
  const record = parseArray(slate[slateKey(service.spec.name)]);
  if (record === null) return false;
  const [state, wish, child, pid, started, startedWall, deadline, chain, parts = {}] = record;
  if (!isState(state) || !isWish(wish) || !isId(child) || !isId(pid)) return false;
  if (!isTime(started) || !isTime(startedWall) || !isTime(deadline)) return false;
  if (typeof chain !== "string" || chain.length > CHAIN_MAX || !isObject(parts)) return false;
  // On a copy: a record that is wrong in one place is not believed in any.
  const found = Object.assign(new Service(service.spec, service.index), {
    state,
    wish,
    child,
    pid,
    started,
    startedWall,
    deadline,
    chain,
  });
  if (!PARTS.every(({ key, load }) => parts[key] === undefined || load(found, parts[key], world)))
    return false;
  if (!agrees(found)) return false;
  const { edges } = service;
  const turn = found.turn === null ? null : { ...found.turn, service };
  Object.assign(service, found, { edges, turn });
  const watched = state === "spawning" || state === "starting";
  if (watched && service.spec.ready.length > 0) service.watch ??= newWatch(service.spec);
  else service.watch = null;
  return true;
}

/** A part of the record that most services never have. */
interface Part {
  readonly key: string;
  /** `undefined`: nothing to keep. */
  readonly save: (service: Service, world: World) => unknown;
  /** Puts it back; false if it cannot be understood. */
  readonly load: (service: Service, value: unknown, world: World) => boolean;
}

const PARTS: readonly Part[] = [
  {
    key: "unmet",
    save: ({ watch }) => watch?.unmet,
    load: (service, unmet) => {
      if (!isId(unmet)) return false;
      service.watch = newWatch(service.spec);
      service.watch.unmet &= unmet;
      return true;
    },
  },
  { key: "past", save: savePast, load: loadPast },
  {
    key: "around",
    save: ({ around }) => saveAround(around),
    load: (service, value) => {
      service.around = loadAround(value);
      return service.around !== null;
    },
  },
  {
    key: "reload",
    save: ({ reload }) => saveReload(reload),
    load: (service, value) => {
      service.reload = loadReload(value);
      return service.reload !== null;
    },
  },
  {
    key: "pin",
    save: ({ pin }) => savePin(pin),
    load: (service, value) => {
      service.pin = loadPin(value);
      return service.pin !== null;
    },
  },
  {
    key: "call",
    save: ({ call }) => saveCall(call),
    load: (service, value) => {
      service.call = loadCall(value);
      return service.call !== null;
    },
  },
  { key: "schedule", save: saveOccasions, load: loadOccasions },
  {
    key: "turn",
    save: ({ turn }) => (turn === null ? undefined : [turn.automatic, turn.ticket]),
    load: loadTurn,
  },
  {
    key: "former",
    // What it has begun with stands in the configuration that goes out with this record.
    save: (service, { planned }) => (planned.has(service) ? 1 : undefined),
    load: () => true,
  },
  { key: "boot", save: saveBoot, load: loadBoot },
  { key: "told", save: saveTold, load: loadTold },
  { key: "health", save: saveHealth, load: loadHealth },
  {
    key: "readied",
    save: ({ readied }) => (readied === 0 ? undefined : readied),
    load: (service, readied) => {
      if (!isTime(readied)) return false;
      service.readied = readied;
      return true;
    },
  },
  { key: "eviction", save: ({ eviction }) => eviction ?? undefined, load: loadEviction },
];

const ALIVE: readonly Wish[] = ["up", "leave", "again"];

/** The wishes that go with each state between two steps. */
const WISHES_OF: { readonly [S in State]: readonly Wish[] } = {
  inactive: ["down"],
  waiting: ["up"],
  preparing: ALIVE,
  spawning: ALIVE,
  starting: ALIVE,
  working: ALIVE,
  running: ALIVE,
  parting: ALIVE,
  stopping: ["leave", "again"],
  clearing: ALIVE,
  expiring: ALIVE,
  finishing: ALIVE,
  backoff: ["up"],
  exited: ["up", "down"],
  failed: ["up", "down"],
};

/** States that may have a deadline; `backoff` has one always. */
const TIMED: readonly State[] = ["waiting", "starting", "working"];

/** What a brain would have written, as opposed to what merely has the right types. */
function agrees(service: Service): boolean {
  const { spec, state, wish, child, pid, deadline, past } = service;
  if (!WISHES_OF[state].includes(wish)) return false;
  if (!evictionAgrees(service)) return false;
  const mayBeChecked = state === "running" || (state === "starting" && isHealthAwaited(service));
  if ((service.health?.first ?? 0) > 0 && !mayBeChecked) return false;
  if ((service.told?.aliveAt ?? 0) > 0 && state !== "running") return false;
  const target = spec.kind === "target";
  const live = isLiveState(state);
  if (live && target && state !== "running") return false;
  const hasSet = live && !target && state !== "preparing" && state !== "finishing";
  if (hasSet ? child === 0 : child !== 0) return false;
  if (!sidesAgree(service)) return false;
  if (state === "clearing" && (pid !== 0 || past.exit === null)) return false;
  if (state === "backoff") return deadline > 0;
  return deadline === 0 || (deadline > 0 && TIMED.includes(state));
}

/** What parts without having been asked is evicted; asked to leave meanwhile, it may still say so. */
function evictionAgrees({ state, wish, eviction }: Service): boolean {
  if (state === "parting") return eviction !== null || wish !== "up";
  if (state === "spawning") return eviction === null || eviction.action === "exit";
  return (eviction !== null) === (state === "expiring");
}

/** Where something has to run beside it, something does; where nothing can, nothing does. */
function sidesAgree(service: Service): boolean {
  const { state, wish, around } = service;
  switch (state) {
    case "preparing":
      return around?.side?.role === "before-start";
    case "parting":
      return around !== null && (hasSides(service) || around.linger > 0);
    case "finishing":
      return around !== null && hasSides(service) && (wish !== "up" || around.end !== null);
    default:
      return isLiveState(state) || !hasSides(service);
  }
}

function savePast({ past }: Service): unknown {
  if (past === NO_PAST) return undefined;
  const { streak, restarts, times, exit, exitWall, reason } = past;
  return [streak, restarts, times, exit, exitWall, reason];
}

function loadPast(service: Service, value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [streak, restarts, times, exit, exitWall, reason]: unknown[] = value;
  if (!(isId(streak) || streak === -1) || !isId(restarts) || !isTime(exitWall)) return false;
  if (!Array.isArray(times) || !times.every(isTime)) return false;
  if ((exit !== null && !isExit(exit)) || (reason !== null && !isReason(reason))) return false;
  service.past = { streak, restarts, times, exit, exitWall, reason };
  return true;
}

function saveOccasions({ occasions }: Service): unknown {
  if (occasions === null) return undefined;
  const { next, dealt, offset, occasion, queued, open, runs } = occasions;
  return [next, dealt, offset, occasion, queued, open, runs.map(saveRun)];
}

function saveRun({ scheduled, started, ended, durationMs, exit, success, skipped, cause }: Run): unknown {
  return [scheduled, started, ended, durationMs, exit, success, skipped, cause];
}

function loadOccasions(service: Service, value: unknown): boolean {
  if (service.occasions === null || !Array.isArray(value)) return false;
  const [next, dealt, offset, occasion, queued, open, saved]: unknown[] = value;
  if (!isTime(next) || !isTime(dealt) || !isTime(offset) || !isTime(occasion) || !isTime(queued))
    return false;
  if (typeof open !== "boolean" || !Array.isArray(saved) || saved.length > RUNS_LIMIT) return false;
  const runs = saved.map(loadRun).filter((run) => run !== null);
  if (runs.length < saved.length || (open && runs.length === 0)) return false;
  service.occasions = { next, dealt, offset, occasion, queued, open, runs };
  return true;
}

function loadRun(value: unknown): Run | null {
  if (!Array.isArray(value)) return null;
  const [scheduled, started, ended, durationMs, exit, success, skipped, cause]: unknown[] = value;
  if (!isTime(scheduled) || !isTime(started) || !isTime(ended) || !isTime(durationMs)) return null;
  if ((exit !== null && !isExit(exit)) || typeof success !== "boolean") return null;
  if (!isId(skipped) || typeof cause !== "string") return null;
  return { scheduled, started, ended, durationMs, exit, success, skipped, cause };
}

function loadTurn(service: Service, value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [automatic, ticket]: unknown[] = value;
  if (typeof automatic !== "boolean" || !isId(ticket)) return false;
  service.turn = { service, automatic, ticket, queued: false, because: "" };
  return true;
}

/** Written once, by the first brain. */
export function writeBootRecord(world: World): void {
  const { began, beganWall } = world.boot;
  world.out.push({ type: "slate", key: BOOT, value: JSON.stringify([began, beganWall]) });
}

export function readBootRecord(boot: BootLog, slate: Slate): void {
  const [began, beganWall] = parseArray(slate[BOOT]) ?? [];
  if (isTime(began)) boot.began = began;
  if (isTime(beganWall)) boot.beganWall = beganWall;
}

function gateRecord({ full, lastTicket }: Gate): string {
  return JSON.stringify([full, lastTicket]);
}

/** However long ago it was written: the bucket is never emptier than empty. */
export function readGateRecord(gate: Gate, slate: Slate, now: number): void {
  const [full, lastTicket] = parseArray(slate[GATE]) ?? [];
  if (isTime(full)) gate.full = Math.min(full, now + gate.windowMs);
  if (isId(lastTicket)) gate.lastTicket = lastTicket;
}

/** What the table of the nucleus knows (`ChildRecord.notice`) is not kept twice. */
function saveTold({ told }: Service): unknown {
  if (told === null) return undefined;
  const { reloading, stopping, extendMs, extendUntil, storedFds, watchdogMs, aliveAt, stretched } = told;
  return [reloading, stopping, extendMs, extendUntil, storedFds, watchdogMs, aliveAt, stretched];
}

function loadTold(service: Service, value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [reloading, stopping, ...numbers]: unknown[] = value;
  if (typeof reloading !== "boolean" || typeof stopping !== "boolean" || !numbers.every(isTime)) return false;
  const [extendMs, extendUntil, storedFds, watchdogMs, aliveAt, stretched] = numbers;
  if (extendMs === undefined || extendUntil === undefined || !isId(storedFds)) return false;
  if (watchdogMs === undefined || aliveAt === undefined || stretched === undefined) return false;
  const told = newTold(service.spec, storedFds);
  if (told === null) return true; // Its configuration says otherwise now.
  service.told = Object.assign(told, {
    reloading,
    stopping,
    extendMs,
    extendUntil,
    watchdogMs,
    aliveAt,
    stretched,
  });
  return true;
}

function saveHealth({ health }: Service): unknown {
  if (health === null) return undefined;
  return [health.healthy, health.failures, health.successes, health.first];
}

function loadHealth(service: Service, value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [healthy, failures, successes, first]: unknown[] = value;
  if (healthy !== null && typeof healthy !== "boolean") return false;
  if (!isId(failures) || !isId(successes) || !isTime(first)) return false;
  if (service.spec.health !== null) {
    service.health = Object.assign(newHealth(), { healthy, failures, successes, first });
  }
  return true;
}

function loadEviction(service: Service, value: unknown): boolean {
  if (!isObject(value)) return false;
  const { text, action, abort, reason, trail = [] } = value;
  if (typeof text !== "string" || typeof abort !== "boolean") return false;
  if (action !== "restart" && action !== "stop" && action !== "exit") return false;
  if (!isReason(reason) || !isTrail(trail)) return false;
  service.eviction = { text, action, abort, reason, trail };
  return true;
}

export function readSupervisorRecord(shutdown: Shutdown, slate: Slate): void {
  const record = parseArray(slate[SUPERVISOR]);
  if (record === null) return;
  const [phase, because, code, asked, hurried, unclean, deadline, rest, signals, machine] = record;
  if (!isPhase(phase) || typeof because !== "string" || !Number.isInteger(code)) return;
  if (typeof asked !== "boolean" || typeof hurried !== "boolean" || typeof unclean !== "boolean") return;
  if (!isTime(deadline) || !isId(rest) || !Array.isArray(signals)) return;
  if (!signals.every((signal) => typeof signal === "string")) return;
  if (machine !== null && machine !== "poweroff" && machine !== "reboot") return;
  const given = { phase, because, code, asked, hurried, unclean, deadline, rest, signals, machine };
  Object.assign(shutdown, given);
}

function parseArray(text: string | undefined): unknown[] | null {
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function isState(value: unknown): value is State {
  return typeof value === "string" && Object.hasOwn(PUBLIC, value);
}

function isWish(value: unknown): value is Wish {
  return typeof value === "string" && WISHES.includes(value);
}

function isPhase(value: unknown): value is ShutdownPhase {
  return typeof value === "string" && PHASES.includes(value);
}
