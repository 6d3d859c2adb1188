/**
 * What is in the way of a start (`guard`): a stage between "the order allows it" and the line
 * before the gate. First other services of this configuration that are up and have the same port in
 * their own guard, which is known here; then what only the nucleus can see, by a question.
 *
 * While something is in the way the service is `waiting`, and it is looked again when any service
 * changes its state, and otherwise by a timer that backs off. A service that waits for something
 * else is not looked for at all. Nothing of this is in the slate: a fresh brain asks anew.
 */
import type { Event, ProcessFacts, Query, QueryAnswer } from "../generated/protocol.ts";
import type { GuardSpec } from "../model/spec.ts";
import { causeOf, enter, noteWaiting, tell } from "./causes.ts";
import { isLive, pushWork, type Service, type World } from "./world.ts";

type Answered = Extract<Event, { type: "answered" }>;
type Found = Extract<QueryAnswer, { type: "obstacles" }>;

/** The first thing that was found in the way. */
export interface Obstacle {
  /** As a sentence. */
  readonly port: string | null;
  readonly process: {
    readonly filter: string;
    readonly processes: readonly { readonly pid: number; readonly name: string; readonly command: string }[];
  } | null;
}

export interface Look {
  /** When the question at work was asked, which its answer repeats; 0: none is. */
  asked: number;
  /** When the last one was asked. */
  last: number;
  /** When nothing was in the way; 0: something is, or nobody has looked yet. */
  cleared: number;
  obstacle: Obstacle | null;
  /** Why it starts when nothing is in the way. */
  because: string;
  /** There is a reason to look again. */
  ripe: boolean;
  /** When it is looked again whatever happens, and how long that was put off. */
  next: number;
  delayMs: number;
  /** What its timer is armed for; 0: it is not. */
  due: number;
}

const DELAY_FIRST_MS = 1_000;
const DELAY_MAX_MS = 30_000;
/** However much goes on among the services: not more often than this. */
const PAUSE_MS = 100;
/** Who had to stand in line for longer is looked for again. */
const FRESH_MS = 1_000;
const LOOKS = "looks for what is in its way";

function newLook(because: string): Look {
  return {
    asked: 0,
    last: Number.NEGATIVE_INFINITY,
    cleared: 0,
    obstacle: null,
    because,
    ripe: true,
    next: 0,
    delayMs: DELAY_FIRST_MS,
    due: 0,
  };
}

// ---- passing

/** Nothing is in its way, as far as anybody knows just now. Otherwise it waits. The order allows its start. */
export function passGuard(world: World, service: Service, because: string): boolean {
  const { guard } = service.spec;
  if (guard === null) return true;
  service.look ??= newLook(because);
  const { look } = service;
  const port = clashText(world, service, guard);
  if (port !== null) {
    hinder(world, service, look, { port, process: null });
    look.ripe = true; // It is known at once when that has gone.
    armLook(world, service, look, 0);
    return false;
  }
  if (isFresh(world, look)) return true;
  if (look.asked === 0 && look.ripe) ask(world, service, look, guard);
  return false;
}

function isFresh(world: World, { cleared }: Look): boolean {
  return cleared > 0 && world.now - cleared <= FRESH_MS;
}

/** Who stood in line is asked once more when its turn has come: others may have come first. */
export function isCleared(world: World, service: Service): boolean {
  const { guard } = service.spec;
  if (guard === null) return true;
  return service.look !== null && isFresh(world, service.look) && clashText(world, service, guard) === null;
}

/** It starts, or is not to start now. */
export function endLook(world: World, service: Service): void {
  const { look } = service;
  if (look === null) return;
  armLook(world, service, look, 0);
  world.hindered.delete(service);
  service.look = null;
}

/** The ports that other services which are up have in their guards, too. */
function clashText(world: World, service: Service, { ports }: GuardSpec): string | null {
  const taken = new Set<number>();
  const holders: string[] = [];
  for (const other of world.services) {
    if (other === service || other.spec.guard === null || !isLive(other)) continue;
    const common = other.spec.guard.ports.filter((port) => ports.includes(port));
    for (const port of common) taken.add(port);
    if (common.length > 0) holders.push(other.spec.name);
  }
  if (holders.length === 0) return null;
  return `port ${[...taken].join(", ")} in use by service ${holders.join(", ")}`;
}

/** Something is in its way, as far as is known: nobody is looking just now. */
export function isHindered({ look }: Service): boolean {
  return look !== null && look.obstacle !== null && look.asked === 0;
}

// ---- asking

function ask(world: World, service: Service, look: Look, guard: GuardSpec): void {
  const { ports, processes, kill } = guard;
  look.asked = world.now;
  look.last = world.now;
  look.cleared = 0;
  look.ripe = false;
  if (service.state !== "waiting") enter(world, service, "waiting", LOOKS);
  else if (look.obstacle === null) noteWaiting(world, service, LOOKS);
  const own = sparedSets(world, service, guard);
  const query: Query = { type: "obstacles", ports: [...ports], processes: [...processes], own, kill };
  world.out.push({ type: "query", key: `guard ${look.asked} ${service.spec.name}`, query });
}

/** Whose processes are not in the way. Those of services are never killed. */
function sparedSets(world: World, service: Service, { services, kill }: GuardSpec): number[] {
  const all = [...world.sets];
  return all.filter(([, owner]) => kill || !services || owner === service).map(([id]) => id);
}

/** Key: `guard TIME NAME`. */
export function takeLook(world: World, { key, answer }: Answered): void {
  const [, asked, name = ""] = key.split(" ");
  const service = world.byName.get(name);
  const look = service?.look ?? null;
  // Late: it has been stopped, and perhaps started again, meanwhile.
  if (service === undefined || look === null || look.asked === 0 || look.asked !== Number(asked)) return;
  look.asked = 0;
  const obstacle = judge(world, service, answer);
  if (obstacle === null) {
    if (look.obstacle !== null) look.because = "nothing is in its way any more";
    look.obstacle = null;
    look.cleared = world.now;
    look.ripe = true; // Who does not pass soon asks once more.
    world.hindered.delete(service);
    armLook(world, service, look, 0);
    pushWork(world, service);
    return;
  }
  hinder(world, service, look, obstacle);
  if (look.next <= world.now) look.next = world.now + look.delayMs;
  armLook(world, service, look, look.ripe ? soon(look) : look.next);
  look.ripe = false;
}

/** Who killed what was in the way starts in any case. */
function judge(world: World, service: Service, answer: QueryAnswer): Obstacle | null {
  if (answer.type === "failed") tell(world, service, `cannot look for what is in its way: ${answer.message}`);
  if (answer.type !== "obstacles") return null;
  const found = firstOf(answer);
  if (found === null || service.spec.guard?.kill !== true) return found;
  tell(world, service, `could not be cleared away: ${obstacleText(found)}`);
  return null;
}

/** A listener that nobody can name is no obstacle. */
function firstOf({ ports, processes }: Found): Obstacle | null {
  for (const { port, owners } of ports) {
    const [owner] = owners;
    if (owner !== undefined)
      return { port: `port ${port} in use by external process: ${processText(owner)}`, process: null };
  }
  for (const { part, found } of processes) {
    if (found.length === 0) continue;
    const all = found.map(({ pid, name, command }) => ({ pid, name, command }));
    return { port: null, process: { filter: part, processes: all } };
  }
  return null;
}

function processText({ name, pid }: Pick<ProcessFacts, "name" | "pid">): string {
  return `${name} (PID ${pid})`;
}

function obstacleText({ port, process }: Obstacle): string {
  if (port !== null) return port;
  if (process === null) return "nothing";
  const names = process.processes.map(processText);
  return `process filter '${process.filter}' matched ${names.length} running process(es): ${names.join(", ")}`;
}

function hinder(world: World, service: Service, look: Look, obstacle: Obstacle): void {
  const cause = obstacleText(obstacle);
  look.obstacle = obstacle;
  look.cleared = 0;
  world.hindered.add(service);
  const news = causeOf(service) !== cause;
  if (service.state === "waiting") noteWaiting(world, service, cause);
  else enter(world, service, "waiting", cause);
  if (news) tell(world, service, `waits: ${cause}`);
}

// ---- again

/** Some service has changed its state: that may have made room. */
export function wakeHindered(world: World, changed: Service): void {
  for (const service of world.hindered) {
    if (service !== changed && service.look !== null) again(world, service, service.look);
  }
}

/** A person asks for a start that is on its way already. */
export function lookAgain(world: World, service: Service): void {
  if (service.look?.obstacle) again(world, service, service.look);
}

function again(world: World, service: Service, look: Look): void {
  const early = world.now < look.last + PAUSE_MS;
  if (look.asked > 0) look.ripe = true;
  else if (look.ripe || !early) {
    look.ripe = true;
    pushWork(world, service);
  } else armLook(world, service, look, soon(look));
}

function soon(look: Look): number {
  return Math.min(look.next, look.last + PAUSE_MS);
}

/** Its timer, `guard NAME`. */
export function guardDue(world: World, service: Service): void {
  const { look } = service;
  if (look === null || look.obstacle === null || look.asked > 0) return;
  look.due = 0;
  if (world.now >= look.next) look.delayMs = Math.min(2 * look.delayMs, DELAY_MAX_MS);
  look.ripe = true;
  pushWork(world, service);
}

/** 0: not any more. */
function armLook(world: World, service: Service, look: Look, at: number): void {
  if (at === look.due) return;
  look.due = at;
  const key = `guard ${service.spec.name}`;
  world.out.push(at === 0 ? { type: "cancel", key } : { type: "arm", key, at });
}
