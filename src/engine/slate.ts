/**
 * The slate: what a brain leaves for its successor. One record per service that was ever touched,
 * one for the supervisor, written at the end of the step that changed them, applied by the nucleus
 * together with the step's other commands or not at all.
 *
 * A record is a JSON array without names, because a thousand of them are kept. It is read with
 * care: the former brain may have been lost to the very fault that spoiled it.
 */
import { newWatch } from "./readiness.ts";
import {
  isExit,
  isId,
  isTime,
  loadAround,
  loadCall,
  loadPin,
  loadReload,
  saveAround,
  saveCall,
  savePin,
  saveReload,
} from "./saved.ts";
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
const WISHES: readonly string[] = ["down", "up", "leave", "again"] satisfies Wish[];
const PHASES: readonly string[] = ["running", "stopping", "resting", "exiting"] satisfies ShutdownPhase[];
const CHAIN_MAX = 16_384;

function slateKey(service: Service): string {
  return `service ${service.spec.name}`;
}

/** The records that the step has changed. */
export function writeSlate(world: World): void {
  for (const service of world.touched) {
    world.out.push({ type: "slate", key: slateKey(service), value: serviceRecord(service) });
  }
  world.touched.clear();
  if (!world.shutdownTouched) return;
  world.out.push({ type: "slate", key: SUPERVISOR, value: supervisorRecord(world.shutdown) });
  world.shutdownTouched = false;
}

function serviceRecord(service: Service): string {
  const { state, wish, child, pid, started, startedWall, deadline, chain } = service;
  const record: unknown[] = [state, wish, child, pid, started, startedWall, deadline, chain];
  const parts: Record<string, unknown> = {};
  for (const { key, save } of PARTS) {
    const value = save(service);
    if (value !== undefined) parts[key] = value;
  }
  if (Object.keys(parts).length > 0) record.push(parts);
  return JSON.stringify(record);
}

function supervisorRecord(shutdown: Shutdown): string {
  const { phase, because, code, asked, hurried, unclean, deadline, rest, signals } = shutdown;
  return JSON.stringify([phase, because, code, asked, hurried, unclean, deadline, rest, signals]);
}

// ---- reading

type Slate = Readonly<Record<string, string | undefined>>;

/** Puts a former brain's record back. False if there is none, or none that can be understood. */
export function readServiceRecord(service: Service, slate: Slate): boolean {
  const record = parseArray(slate[slateKey(service)]);
  if (record === null) return false;
  const [state, wish, child, pid, started, startedWall, deadline, chain, parts = {}] = record;
  if (!isState(state) || !isWish(wish) || !isId(child) || !isId(pid)) return false;
  if (!isTime(started) || !isTime(startedWall) || !isTime(deadline)) return false;
  if (typeof chain !== "string" || chain.length > CHAIN_MAX || !isObject(parts)) return false;
  // On a copy: a record that is wrong in one place is not believed in any.
  const found = Object.assign(new Service(service.spec), {
    state,
    wish,
    child,
    pid,
    started,
    startedWall,
    deadline,
    chain,
  });
  if (!PARTS.every(({ key, load }) => parts[key] === undefined || load(found, parts[key]))) return false;
  if (!agrees(found)) return false;
  const { edges } = service;
  Object.assign(service, found, { edges });
  const watched = state === "spawning" || state === "starting";
  if (watched && service.spec.ready.length > 0) service.watch ??= newWatch(service.spec);
  else service.watch = null;
  return true;
}

/** A part of the record that most services never have. */
interface Part {
  readonly key: string;
  /** `undefined`: nothing to keep. */
  readonly save: (service: Service) => unknown;
  /** Puts it back; false if it cannot be understood. */
  readonly load: (service: Service, value: unknown) => boolean;
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

/** What a brain would have written, as opposed to what merely has the right types. */
function agrees(service: Service): boolean {
  const { spec, state, wish, child, pid, deadline, past } = service;
  if (!WISHES_OF[state].includes(wish)) return false;
  const target = spec.kind === "target";
  const live = isLiveState(state);
  if (live && target && state !== "running") return false;
  const hasSet = live && !target && state !== "preparing" && state !== "finishing";
  if (hasSet ? child === 0 : child !== 0) return false;
  if (!sidesAgree(service)) return false;
  if (state === "clearing" && (pid !== 0 || past.exit === null)) return false;
  if (state === "backoff") return deadline > 0;
  return deadline === 0 || (deadline > 0 && (state === "starting" || state === "working"));
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
  return [past.streak, past.restarts, past.times, past.exit, past.exitWall];
}

function loadPast(service: Service, value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [streak, restarts, times, exit, exitWall]: unknown[] = value;
  if (!isId(streak) || !isId(restarts) || !isTime(exitWall)) return false;
  if (!Array.isArray(times) || !times.every(isTime)) return false;
  if (exit !== null && !isExit(exit)) return false;
  service.past = { streak, restarts, times, exit, exitWall };
  return true;
}

export function readSupervisorRecord(shutdown: Shutdown, slate: Slate): void {
  const record = parseArray(slate[SUPERVISOR]);
  if (record === null) return;
  const [phase, because, code, asked, hurried, unclean, deadline, rest, signals] = record;
  if (!isPhase(phase) || typeof because !== "string" || !Number.isInteger(code)) return;
  if (typeof asked !== "boolean" || typeof hurried !== "boolean" || typeof unclean !== "boolean") return;
  if (!isTime(deadline) || !isId(rest) || !Array.isArray(signals)) return;
  if (!signals.every((signal) => typeof signal === "string")) return;
  Object.assign(shutdown, { phase, because, code, asked, hurried, unclean, deadline, rest, signals });
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
