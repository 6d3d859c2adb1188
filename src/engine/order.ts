/**
 * The order of starts and stops: may it start, may it stop, and what does it wait for?
 *
 * Each service tells its neighbours a few facts about itself; each service counts those of its
 * neighbours that keep it from starting (`blockers`), that will never be ready (`broken`) and that
 * have to leave before it may (`holds`). When a fact changes, only the neighbours' counts change,
 * through a queue: no recursion, no search over the graph.
 */
import { assert } from "./assert.ts";
import { noteRelease } from "./boot.ts";
import { isDelayed } from "./delay.ts";
import { ahead, behind, dropEdges } from "./edges.ts";
import {
  heldText,
  isLive,
  mustLeave,
  pushFact,
  pushWork,
  remainsUp,
  type Service,
  type State,
  takeFact,
  touch,
  type Wish,
  type World,
  wantsUp,
} from "./world.ts";

/** It is what its dependents need: a service or target that is up, a task that succeeded. */
export const FACT_READY = 1;
/** It will not become ready by itself. */
export const FACT_BROKEN = 2;
/** It is no obstacle to what only comes after it: ready, or settled, or not wanted. */
export const FACT_CLEAR = 4;
/** It, or something that comes after it, is on its way out: what it follows has to hold out. */
export const FACT_LEAVING = 8;
/** It has a process set: what conflicts with it cannot start. */
export const FACT_LIVE = 16;

/** It is neither inactive nor waiting: what starts once it has begun may do so. */
export const FACT_BEGUN = 32;

/** Ready and meant to stay so. The view's flag is `isReady`; the order does not build on leavers. */
function standsReady(service: Service): boolean {
  if (hasEndThatCounts(service) && endedWell(service)) return true;
  return isReady(service) && !(service.state === "running" && mustLeave(service));
}

export function isReady(service: Service): boolean {
  return service.state === "running" || (service.state === "exited" && remainsUp(service));
}

/** It is down, and the end of its last run is what it counts as (`end-counts`). */
function hasEndThatCounts({ spec, state, past }: Service): boolean {
  if (!spec.endCounts || past.exit === null) return false;
  if (state === "backoff") return past.reason?.type === "exit";
  return (
    state === "inactive" && (past.reason === null || (past.reason.type === "exit" && spec.kind === "task"))
  );
}

function endedWell({ spec, past }: Service): boolean {
  return past.exit !== null && "code" in past.exit && spec.successCodes.includes(past.exit.code);
}

/** Failed for good, or waits for something that did. */
export function isBroken(service: Service): boolean {
  switch (service.state) {
    case "failed":
      return true;
    case "exited":
      return !remainsUp(service);
    case "waiting":
      return service.broken > 0 || heldText(service) !== null;
    default:
      return false;
  }
}

/** Ready, or has failed at least once, or ended for good, or nobody wants it. */
function isClear(service: Service): boolean {
  if (!wantsUp(service) || standsReady(service) || isBroken(service)) return true;
  if (service.state === "backoff" || service.state === "exited") return true;
  return service.past.streak > 0;
}

function hasBegun(service: Service): boolean {
  if (service.state === "waiting") return false;
  return service.state !== "inactive" || hasEndThatCounts(service);
}

function factsOf(service: Service): number {
  const live = isLive(service);
  let facts = 0;
  if (standsReady(service)) facts |= FACT_READY;
  if (isBroken(service)) facts |= FACT_BROKEN;
  if (isClear(service)) facts |= FACT_CLEAR;
  if ((live && mustLeave(service)) || service.holds > 0) facts |= FACT_LEAVING;
  if (live) facts |= FACT_LIVE;
  if (hasBegun(service)) facts |= FACT_BEGUN;
  return facts;
}

/** Tells the neighbours what has changed about a service. Returns the facts that changed. */
export function spread(world: World, service: Service): number {
  return tellFacts(world, service, factsOf(service));
}

function tellFacts(world: World, service: Service, facts: number): number {
  const changed = facts ^ service.facts;
  if (changed === 0) return 0;
  service.facts = facts;
  const { dependents, successors, begunFor, awaitedBy, conflicts } = service.edges;
  if (changed & FACT_READY) {
    block(world, service, dependents, !(facts & FACT_READY));
    block(world, service, awaitedBy, !(facts & FACT_READY));
  }
  if (changed & FACT_CLEAR) block(world, service, successors, !(facts & FACT_CLEAR));
  if (changed & FACT_BEGUN) block(world, service, begunFor, !(facts & FACT_BEGUN));
  if (changed & FACT_LIVE) block(world, service, conflicts, (facts & FACT_LIVE) !== 0);
  if (changed & FACT_BROKEN) {
    breakNeighbours(world, dependents, (facts & FACT_BROKEN) !== 0);
    breakNeighbours(world, awaitedBy, (facts & FACT_BROKEN) !== 0);
  }
  if (changed & FACT_LEAVING) {
    for (const others of ahead(service)) hold(world, others, (facts & FACT_LEAVING) !== 0);
  }
  return changed;
}

/** After the counts were reset: all that services have to tell one another. */
export function settleFacts(world: World): void {
  for (let next = takeFact(world); next !== null; next = takeFact(world)) spread(world, next);
}

/** It is no neighbour of anybody any more. It has no run, and nobody counts it once it is in nobody's way. */
export function unlink(world: World, service: Service): void {
  tellFacts(world, service, FACT_READY | FACT_CLEAR | FACT_BEGUN);
  dropEdges(service);
}

function block(world: World, by: Service, neighbours: readonly Service[], blocks: boolean): void {
  for (const neighbour of neighbours) {
    neighbour.blockers += blocks ? 1 : -1;
    assert(neighbour.blockers >= 0, "no more blockers leave than came");
    if (neighbour.blockers === 0) noteRelease(world, neighbour, by);
    // Who stands in line for its start, looks what is in its way, or is delayed, is so no longer.
    const isAbout = neighbour.turn !== null || neighbour.look !== null || isDelayed(neighbour);
    if (neighbour.blockers === 0 || isAbout) pushWork(world, neighbour);
  }
}

function breakNeighbours(world: World, neighbours: readonly Service[], broken: boolean): void {
  for (const neighbour of neighbours) {
    neighbour.broken += broken ? 1 : -1;
    assert(neighbour.broken >= 0, "no more requirements are mended than broke");
    pushFact(world, neighbour);
    pushWork(world, neighbour);
  }
}

function hold(world: World, neighbours: readonly Service[], holds: boolean): void {
  for (const neighbour of neighbours) {
    neighbour.holds += holds ? 1 : -1;
    assert(neighbour.holds >= 0, "no more holds are released than were taken");
    pushFact(world, neighbour);
    if (neighbour.holds === 0) pushWork(world, neighbour);
  }
}

/** Changes its goal; what it does about it is the table's business. */
export function setWish(world: World, service: Service, wish: Wish): void {
  assert(isLive(service) || wish === "up" || wish === "down", "only what lives has to leave");
  if (service.wish === wish) return;
  service.wish = wish;
  touch(world, service);
  spread(world, service);
}

/** Counts of a service none of whose neighbours has told anything yet. */
export function resetCounts(service: Service): void {
  service.facts = 0;
  const { requires, order, begun, awaited } = service.edges;
  service.blockers = requires.length + order.length + begun.length + awaited.length;
  service.broken = 0;
  service.holds = 0;
}

export function mayStart(world: World, service: Service): boolean {
  if (world.shutdown.phase !== "running" || service.blockers > 0) return false;
  return heldText(service) === null;
}

export function mayStop(world: World, service: Service): boolean {
  return service.holds === 0 || world.shutdown.hurried;
}

/** It has begun to leave: it waits for nobody any more. */
function isLeaving(state: State): boolean {
  return state === "parting" || state === "stopping" || state === "finishing";
}

/** Whom it waits for: to start, or to leave before it. */
export function waitsFor(service: Service): Service[] {
  const { requires, order, begun, awaited, conflicts } = service.edges;
  if (service.state === "waiting") {
    const others = [
      ...requires.filter((other) => !(other.facts & FACT_READY)),
      ...awaited.filter((other) => !(other.facts & FACT_READY)),
      ...order.filter((other) => !(other.facts & FACT_CLEAR)),
      ...begun.filter((other) => !(other.facts & FACT_BEGUN)),
      ...conflicts.filter((other) => other.facts & FACT_LIVE),
    ];
    return [...new Set(others)]; // One may be waited for in two ways.
  }
  if (mustLeave(service) && !isLeaving(service.state) && service.holds > 0) {
    return behind(service)
      .flat()
      .filter((other) => other.facts & FACT_LEAVING);
  }
  return [];
}
