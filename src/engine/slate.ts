/**
 * The slate: what a brain leaves for its successor. One record per service that was ever touched,
 * one for the supervisor, written at the end of the step that changed them, applied by the nucleus
 * together with the step's other commands or not at all.
 *
 * A record is a JSON array without names, because a thousand of them are kept. It is read with
 * care: the former brain may have been lost to the very fault that spoiled it.
 */
import type { Exit } from "../generated/protocol.ts";
import { newWatch } from "./readiness.ts";
import {
  isLiveState,
  NO_PAST,
  type Past,
  PUBLIC,
  type Service,
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
  const { state, wish, child, pid, started, startedWall, deadline, chain, past, watch } = service;
  const record: unknown[] = [state, wish, child, pid, started, startedWall, deadline, chain];
  const hasPast = past !== NO_PAST;
  if (hasPast || watch !== null) record.push(watch?.unmet ?? 0);
  if (hasPast) record.push(past.streak, past.restarts, past.times, past.exit, past.exitWall);
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
  const [state, wish, child, pid, started, startedWall, deadline, chain, unmet = 0] = record;
  if (!isState(state) || !isWish(wish) || !isId(child) || !isId(pid)) return false;
  if (!isTime(started) || !isTime(startedWall) || !isTime(deadline)) return false;
  if (typeof chain !== "string" || chain.length > CHAIN_MAX || !isId(unmet)) return false;
  const past = readPast(record.slice(9));
  if (past === null) return false;
  const found = { state, wish, child, pid, started, startedWall, deadline, chain, past };
  if (!agrees(service, found)) return false;
  Object.assign(service, found);
  const { ready } = service.spec;
  if ((state === "spawning" || state === "starting") && ready.length > 0) {
    service.watch = newWatch(service.spec);
    service.watch.unmet &= unmet;
  }
  return true;
}

type Found = Pick<Service, "state" | "wish" | "child" | "pid" | "deadline" | "past">;

const ALIVE: readonly Wish[] = ["up", "leave", "again"];

/** The wishes that go with each state between two steps. */
const WISHES_OF: { readonly [S in State]: readonly Wish[] } = {
  inactive: ["down"],
  waiting: ["up"],
  spawning: ALIVE,
  starting: ALIVE,
  working: ALIVE,
  running: ALIVE,
  stopping: ["leave", "again"],
  clearing: ALIVE,
  expiring: ALIVE,
  backoff: ["up"],
  exited: ["up", "down"],
  failed: ["up", "down"],
};

/** What a brain would have written, as opposed to what merely has the right types. */
function agrees({ spec }: Service, { state, wish, child, pid, deadline, past }: Found): boolean {
  if (!WISHES_OF[state].includes(wish)) return false;
  const target = spec.kind === "target";
  const live = isLiveState(state);
  if (live && target && state !== "running") return false;
  if (live && !target ? child === 0 : child !== 0) return false;
  if (state === "clearing" && (pid !== 0 || past.exit === null)) return false;
  if (state === "backoff") return deadline > 0;
  return deadline === 0 || (deadline > 0 && (state === "starting" || state === "working"));
}

function readPast(record: unknown[]): Past | null {
  if (record.length === 0) return NO_PAST;
  const [streak, restarts, times, exit, exitWall] = record;
  if (!isId(streak) || !isId(restarts) || !isTime(exitWall)) return null;
  if (!Array.isArray(times) || !times.every(isTime)) return null;
  if (exit !== null && !isExit(exit)) return null;
  return { streak, restarts, times, exit, exitWall };
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

function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isExit(value: unknown): value is Exit {
  if (typeof value !== "object" || value === null) return false;
  if ("code" in value) return Number.isInteger(value.code);
  return "signal" in value && typeof value.signal === "string";
}
