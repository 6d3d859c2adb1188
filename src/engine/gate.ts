/**
 * The gate between "may start, as far as the order goes" and the start: `start-concurrency` bounds
 * how many services are `starting` at a time, `restart-budget` how many automatic restarts there
 * are, of all services together. Without either of them there is no gate.
 *
 * Who cannot pass stands in line: what others depend on first (lowest rank), then who came first.
 * There are two lines, so that a restart that waits for the budget holds up nobody whose start
 * costs nothing. Places are not handed out but counted, from the states themselves: none can get
 * lost with a brain. The budget is a bucket whose tokens grow back evenly, kept as one number, the
 * time at which it is full again.
 */
import { causeOf, enter, noteWaiting, tell } from "./causes.ts";
import { isCleared } from "./guard.ts";
import { mayStart } from "./order.ts";
import { durationText } from "./text.ts";
import { isTarget, mustLeave, pushWork, type Service, touch, type World, wantsUp } from "./world.ts";

/** A service's place in line, or that its next start is one of the budget's. */
export interface Turn {
  readonly service: Service;
  /** The start to come is a restart that nobody asked for. */
  readonly automatic: boolean;
  /** Who came first; 0: does not stand in line. */
  ticket: number;
  /** It is in a line of this brain. */
  queued: boolean;
  /** Why it starts, if it passes in the step in which it came; empty: it was told to wait. */
  because: string;
}

export interface Gate {
  /** How many may be `starting`; 0: no limit. */
  readonly places: number;
  /** How many tokens the bucket holds; 0: no limit. */
  readonly tokens: number;
  readonly windowMs: number;
  /** By a service's index: how many others, one after the other, have to be up before it. */
  ranks: Uint16Array;
  /** When the bucket is full again, monotonic ms. */
  full: number;
  lastTicket: number;
  readonly starts: Turn[];
  /** Those that cost a token. */
  readonly restarts: Turn[];
  /** Who came in this step, and has not been told yet that it has to wait. */
  fresh: Turn[];
  /** What the timer `gate` is armed for; 0: it is not. */
  armed: number;
  /** Its slate record is out of date. */
  touched: boolean;
}

export function makeGate(supervisor: World["supervisor"], services: readonly Service[]): Gate | null {
  const { startConcurrency = 0, restartBudget = { restarts: 0, windowMs: 1 } } = supervisor;
  if (startConcurrency === 0 && restartBudget.restarts === 0) return null;
  return {
    places: startConcurrency,
    tokens: restartBudget.restarts,
    windowMs: restartBudget.windowMs,
    ranks: ranksOf(services),
    full: Number.NEGATIVE_INFINITY,
    lastTicket: 0,
    starts: [],
    restarts: [],
    fresh: [],
    armed: 0,
    touched: false,
  };
}

/** Takes away what waits for nothing, again and again. */
function ranksOf(services: readonly Service[]): Uint16Array {
  const ranks = new Uint16Array(services.length);
  const open = services.map(
    ({ edges }) => edges.requires.length + edges.order.length + edges.begun.length + edges.awaited.length,
  );
  const free = services.filter((_, index) => open[index] === 0);
  for (const { edges, index } of free) {
    for (const other of [...edges.dependents, ...edges.successors, ...edges.begunFor, ...edges.awaitedBy]) {
      ranks[other.index] = Math.max(ranks[other.index] ?? 0, (ranks[index] ?? 0) + 1);
      const left = (open[other.index] ?? 0) - 1;
      open[other.index] = left;
      if (left === 0) free.push(other);
    }
  }
  return ranks;
}

/** The graph is another one. */
export function rankAgain({ gate, services }: World): void {
  if (gate === null) return;
  gate.ranks = ranksOf(services);
  for (const line of [gate.starts, gate.restarts]) {
    const standing = line.filter((turn) => turn.service.turn === turn);
    line.splice(0, line.length, ...standing.sort((a, b) => (precedes(gate, a, b) ? -1 : 1)));
  }
}

// ---- whose next start costs a token

/** The start to come is a restart that nobody asked for. */
export function markAutomatic(world: World, service: Service): void {
  if (world.gate === null || world.gate.tokens === 0 || service.turn?.automatic) return;
  service.turn = { service, automatic: true, ticket: 0, queued: false, because: "" };
  touch(world, service);
}

/** Its next start is asked for, or is not to come: what stood in line for it does not count. */
export function dropTurn(world: World, service: Service): void {
  if (service.turn === null) return;
  service.turn = null;
  touch(world, service);
  pushWork(world, service); // It may be free to pass now.
}

// ---- passing

/** It passes at once, or stands in line. The order allows its start. */
export function passGate(world: World, service: Service, because: string): boolean {
  const { gate } = world;
  if (gate === null || isTarget(service)) return true;
  const first = nobodyElse(world, gate) && hasRoom(world, gate);
  if (first && (!service.turn?.automatic || hasToken(world, gate))) {
    pass(world, gate, service);
    return true;
  }
  standInLine(world, gate, service, because);
  return false;
}

/** Neither in line nor about to come to it in this step. */
function nobodyElse(world: World, gate: Gate): boolean {
  const settled = world.demands.length === 0 && world.facts.first === null && world.work.first === null;
  return settled && gate.starts.length === 0 && gate.restarts.length === 0;
}

function hasRoom(world: World, { places }: Gate): boolean {
  return places === 0 || world.starting < places;
}

function hasToken(world: World, gate: Gate): boolean {
  return world.now >= tokenAt(gate, 1);
}

/** When the nth token from now on is there. */
function tokenAt({ full, windowMs, tokens }: Gate, nth: number): number {
  return full - windowMs + (nth * windowMs) / tokens;
}

function pass(world: World, gate: Gate, service: Service): void {
  const { turn } = service;
  if (turn === null) return;
  service.turn = null;
  touch(world, service);
  if (!turn.automatic) return;
  gate.full = Math.max(gate.full, world.now) + gate.windowMs / gate.tokens;
  gate.touched = true;
}

function standInLine(world: World, gate: Gate, service: Service, because: string): void {
  // Who stands in line rests; what was never touched can go straight on to its start.
  if (service.state !== "inactive" && service.state !== "waiting") enter(world, service, "waiting", because);
  service.turn ??= { service, automatic: false, ticket: 0, queued: false, because: "" };
  const { turn } = service;
  turn.because = because;
  gate.fresh.push(turn);
  if (turn.queued) return;
  if (turn.ticket === 0) {
    turn.ticket = ++gate.lastTicket;
    gate.touched = true;
    touch(world, service);
  }
  turn.queued = true;
  insert(gate, turn.automatic ? gate.restarts : gate.starts, turn);
}

/** Lines are in order; most come last. */
function insert(gate: Gate, line: Turn[], turn: Turn): void {
  let low = 0;
  let high = line.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = line[middle];
    if (other !== undefined && precedes(gate, turn, other)) high = middle;
    else low = middle + 1;
  }
  line.splice(low, 0, turn);
}

function precedes({ ranks }: Gate, turn: Turn, other: Turn): boolean {
  const [own = 0, others = 0] = [ranks[turn.service.index], ranks[other.service.index]];
  return own === others ? turn.ticket < other.ticket : own < others;
}

/** The next one that may start, when nothing else is left to do; the caller starts it. */
export function nextThroughGate(world: World): Turn | null {
  const { gate } = world;
  if (gate === null) return null;
  const start = headOf(world, gate.starts);
  const restart = headOf(world, gate.restarts);
  if (!hasRoom(world, gate)) return null;
  const free = restart !== null && hasToken(world, gate) ? restart : null;
  const next = start === null || (free !== null && precedes(gate, free, start)) ? free : start;
  if (next === null) return null;
  (next.automatic ? gate.restarts : gate.starts).shift();
  if (!isCleared(world, next.service)) {
    next.queued = false; // Its ticket takes it back to its place.
    pushWork(world, next.service);
    return null;
  }
  pass(world, gate, next.service);
  return next;
}

/** Who cannot start any more leaves the line here. */
function headOf(world: World, line: Turn[]): Turn | null {
  for (let turn = line[0]; turn !== undefined; turn = line[0]) {
    const { service } = turn;
    const stands = service.turn === turn;
    if (stands && wantsUp(service) && !mustLeave(service) && mayStart(world, service)) return turn;
    line.shift();
    turn.queued = false;
    if (!stands) continue;
    turn.ticket = 0;
    if (!turn.automatic || !wantsUp(service)) service.turn = null;
    touch(world, service);
    // Comes back when the order allows it; what nobody has told that it waits is told now.
    if (service.state === "inactive") pushWork(world, service);
  }
  return null;
}

/** Nobody can pass any more in this step: who came in it is told to wait. False if nobody did. */
export function closeGate(world: World): boolean {
  const { gate } = world;
  if (gate === null) return false;
  const fresh = gate.fresh;
  gate.fresh = [];
  for (const turn of fresh) if (turn.service.turn === turn && turn.queued) tellToWait(world, gate, turn);
  const [head] = gate.restarts;
  if (head !== undefined && head.because === "" && !hasToken(world, gate)) tellToWait(world, gate, head);
  armGate(world, gate);
  return fresh.length > 0;
}

function tellToWait(world: World, gate: Gate, turn: Turn): void {
  const { service } = turn;
  turn.because = "";
  const cause = gateCause(world, gate, turn);
  const told = causeOf(service).split(":")[0] === cause.split(":")[0];
  if (service.state === "inactive") enter(world, service, "waiting", cause);
  else if (!told) noteWaiting(world, service, cause);
  if (!told && isShort(world, gate, turn)) tell(world, service, cause);
}

function gateCause(world: World, gate: Gate, turn: Turn): string {
  const at = restartAt(gate, turn);
  if (at <= world.now) return `waits for its turn: ${gate.places} start at a time`;
  const budget = `${gate.tokens} in ${durationText(gate.windowMs)}`;
  return `waits for the restart budget (${budget}): next in ${durationText(at - world.now)}`;
}

/** Is it the budget that it waits for? */
function isShort(world: World, gate: Gate, turn: Turn): boolean {
  return restartAt(gate, turn) > world.now;
}

/** When its token is there, if nobody more important comes. */
function restartAt(gate: Gate, turn: Turn): number {
  return turn.automatic ? tokenAt(gate, gate.restarts.indexOf(turn) + 1) : Number.NEGATIVE_INFINITY;
}

/** When the budget lets it start; `null`: it does not wait for the budget. */
export function budgetTime(world: World, service: Service): number | null {
  const { gate } = world;
  const { turn } = service;
  if (gate === null || turn === null || !turn.queued || !isShort(world, gate, turn)) return null;
  return restartAt(gate, turn);
}

// ---- the timer

/** Armed only while somebody who could start otherwise waits for a token. */
function armGate(world: World, gate: Gate): void {
  const waits = gate.restarts.length > 0 && hasRoom(world, gate) && !hasToken(world, gate);
  const at = waits ? tokenAt(gate, 1) : 0;
  if (at === gate.armed) return;
  gate.armed = at;
  world.out.push(at === 0 ? { type: "cancel", key: "gate" } : { type: "arm", key: "gate", at });
}

/** What follows from it follows at the end of the step. */
export function gateDue(world: World): void {
  if (world.gate !== null) world.gate.armed = 0;
}
