/** What must hold in every world between two steps, computed from scratch. */

import { behind } from "../../src/engine/edges.ts";
import { isHealthAwaited } from "../../src/engine/health.ts";
import { LIFECYCLE } from "../../src/engine/lifecycle.ts";
import { isBroken, isReady } from "../../src/engine/order.ts";
import { sidesOf } from "../../src/engine/sides.ts";
import {
  heldText,
  isLive,
  isTarget,
  mustLeave,
  PUBLIC,
  pinnedUp,
  type Service,
  startsAlong,
  type World,
  wantsUp,
  yieldsTo,
} from "../../src/engine/world.ts";

export function checkWorld(world: World): void {
  const fail = (service: Service, what: string): never => {
    throw new Error(`${service.spec.name} (${service.state}, ${service.wish}): ${what}`);
  };
  checkGate(world);
  checkSet(world);
  for (const service of world.services) {
    const { state, wish, edges } = service;
    if (!Object.hasOwn(LIFECYCLE, state)) fail(service, "a state outside the table");
    if (service.nextFact !== null || service.nextWork !== null) fail(service, "still queued");
    if (isLive(service) && wish === "down") fail(service, "lives without a wish");
    if (!isLive(service) && mustLeave(service)) fail(service, "has to leave and is not there");
    const hasMain = isLive(service) && !isTarget(service) && state !== "preparing" && state !== "finishing";
    if (hasMain !== (service.child !== 0)) fail(service, "life and set differ");
    checkSides(world, service, fail);
    if (service.child !== 0 && world.sets.get(service.child) !== service)
      fail(service, "its set is not its own");
    if (!isLive(service) && service.child !== 0) fail(service, "a set without a life");
    if (state === "inactive" && wish === "up") fail(service, "wanted and forgotten");
    if ((state === "waiting" || state === "backoff") && wish !== "up") fail(service, "waits for nothing");
    if ((service.deadline !== 0) !== hasDeadline(service)) fail(service, `deadline ${service.deadline}`);
    if (service.watch !== null && state !== "spawning" && state !== "starting") fail(service, "is watched");

    const mayBeEvicted = state === "expiring" || state === "parting" || state === "spawning";
    const hindered = service.look !== null && service.look.obstacle !== null;
    if (service.look !== null && state !== "waiting") fail(service, "is looked for");
    if (hindered !== world.hindered.has(service)) fail(service, "something is in its way, and nothing is");
    if (service.eviction !== null && !mayBeEvicted) fail(service, "evicted for nothing");
    if (service.eviction === null && state === "expiring") fail(service, "expires for nothing");
    const mayBeChecked = state === "running" || (state === "starting" && isHealthAwaited(service));
    if ((service.health?.first ?? 0) > 0 && !mayBeChecked) fail(service, "is checked");
    if (service.health?.round && !mayBeChecked) fail(service, "has a check at work");
    if (service.health?.healthy === false && !isLive(service)) fail(service, "unhealthy without a run");
    if ((service.told?.aliveAt ?? 0) > 0 && state !== "running") fail(service, "its watchdog is awake");

    const standsReady = (other: Service) =>
      (isReady(other) && !(other.state === "running" && mustLeave(other))) || endOf(other) === "good";
    const clear = (other: Service) =>
      !wantsUp(other) ||
      standsReady(other) ||
      isBroken(other) ||
      other.state === "backoff" ||
      other.state === "exited" ||
      other.past.streak > 0;
    const blockers =
      edges.requires.filter((other) => !standsReady(other)).length +
      edges.order.filter((other) => !clear(other)).length +
      edges.awaited.filter((other) => !standsReady(other)).length +
      edges.begun.filter((other) => other.state === "waiting" || isUnbegun(other)).length +
      edges.conflicts.filter(isLive).length;
    if (blockers !== service.blockers)
      fail(service, `${service.blockers} blockers counted, ${blockers} found`);
    const broken = [...edges.requires, ...edges.awaited].filter(isBroken).length;
    if (broken !== service.broken) fail(service, `${service.broken} broken counted, ${broken} found`);
    if (service.holds > 0 !== followersLeave(world, service)) fail(service, `${service.holds} holds counted`);
    if (
      state === "waiting" &&
      blockers === 0 &&
      world.shutdown.phase === "running" &&
      heldText(service) === null &&
      !isHeld(world, service)
    )
      fail(service, "could start");
    if (
      mustLeave(service) &&
      service.holds === 0 &&
      ["preparing", "running", "starting", "working"].includes(state)
    ) {
      fail(service, "could stop");
    }
    if (wish === "up" && world.shutdown.phase !== "running") fail(service, "wanted in a shutdown");
    if (wantsUp(service)) {
      for (const other of edges.requires)
        if (
          !wantsUp(other) &&
          !pinnedUp(service) &&
          !world.doomed.has(other) &&
          startsAlong(world, service, other)
        )
          fail(service, `requires ${other.spec.name}, unwanted`);
      for (const other of edges.conflicts)
        if (
          wantsUp(other) &&
          !(pinnedUp(service) && pinnedUp(other)) &&
          !mayStayBeside(world, service, other)
        )
          fail(service, `clashes with ${other.spec.name}`);
    }
  }
}

/** The set of services, and what is known of each beside itself. */
function checkSet(world: World): void {
  const { services, byName, planned, doomed, faults, boot } = world;
  const fail = (service: Service, what: string): never => {
    throw new Error(`${service.spec.name} (${service.state}, ${service.wish}): ${what}`);
  };
  if (byName.size !== services.length) throw new Error("names and services differ");
  for (const numbers of [boot.started, boot.ready, boot.releasers]) {
    if (numbers.length !== services.length) throw new Error("the log of the start has another length");
  }
  for (const [index, service] of services.entries()) {
    if (service.index !== index) fail(service, "is not at its place");
    if (byName.get(service.spec.name) !== service) fail(service, "is not found by its name");
    for (const list of Object.values(service.edges)) {
      for (const other of list)
        if (byName.get(other.spec.name) !== other) fail(service, "has a ghost beside it");
    }
    const isFaulty = service.past.reason?.type === "missing" || service.past.reason?.type === "cycle";
    const rests = !isLive(service) && service.state !== "exited";
    if (faults.has(service) && rests && !(service.state === "failed" && isFaulty)) {
      fail(service, "cannot be started, and does not say so");
    }
    if (!faults.has(service) && service.state === "failed" && isFaulty) fail(service, "could be started");
  }
  for (const service of [...planned.keys(), ...doomed]) {
    if (services[service.index] !== service) fail(service, "is kept in mind and gone");
    if (!isLive(service)) fail(service, "has no run, and its former definition");
  }
  for (const service of doomed) {
    if (service.wish !== "leave") fail(service, "is removed, and does not leave");
    if (faults.has(service)) fail(service, "is removed, and cannot be started");
  }
}

/** What runs beside a service runs where it may, and what a state waits for is there. */
function checkSides(world: World, service: Service, fail: (service: Service, what: string) => never): void {
  const { state, around } = service;
  const sides = sidesOf(service);
  for (const side of sides) {
    if (world.sets.get(side.child) !== service) fail(service, `the set of its ${side.role} is not its own`);
  }
  const hook = around?.side?.role;
  if (state === "preparing" && hook !== "before-start") fail(service, "prepares without its hook");
  if (hook === "before-start" && state !== "preparing" && state !== "finishing")
    fail(service, "still prepares");
  if (state === "finishing" && sides.length === 0) fail(service, "finishes without a hook");
  if (state === "parting" && sides.length === 0 && (around?.linger ?? 0) === 0)
    fail(service, "parts for nothing");
  if (hook === "after-exit" && state !== "finishing") fail(service, "a run beside its after-exit hook");
  const mayHaveSides = isLive(service) && state !== "spawning" && state !== "starting";
  if (sides.length > 0 && !mayHaveSides) fail(service, "hooks of nobody");
}

/** `start-concurrency` and `restart-budget`, by their numbers alone. */
function checkGate(world: World): void {
  const { gate, supervisor } = world;
  const starting = world.services.filter(({ state }) => PUBLIC[state] === "starting").length;
  if (starting !== world.starting) throw new Error(`${world.starting} starting counted, ${starting} found`);
  const { startConcurrency = 0 } = supervisor;
  if (startConcurrency > 0 && starting > startConcurrency) throw new Error(`${starting} start at a time`);
  if (gate === null) return;
  if (gate.fresh.length > 0) throw new Error("somebody came to the gate and was not told");
  for (const line of [gate.starts, gate.restarts]) {
    if (new Set(line).size !== line.length) throw new Error("twice in line");
  }
}

/** One of the two waits for the other to stop. */
function mayStayBeside(world: World, one: Service, other: Service): boolean {
  return yieldsTo(world, one, other) || yieldsTo(world, other, one);
}

/** Something other than the order keeps it. */
function isHeld(world: World, service: Service): boolean {
  // Its delay; the timer that is due just now may be heard of next.
  if (service.deadline >= world.now) return true;
  const { look } = service;
  if (look !== null && (look.asked > 0 || look.obstacle !== null)) return true;
  const { startConcurrency = 0 } = world.supervisor;
  if (startConcurrency > 0 && world.starting >= startConcurrency) return true;
  const { gate } = world;
  if (gate === null || service.turn?.automatic !== true || gate.tokens === 0) return false;
  return gate.full - world.now > gate.windowMs - gate.windowMs / gate.tokens - 1e-6;
}

function hasDeadline(service: Service): boolean {
  if (service.state === "backoff") return true;
  const limited = ["starting", "working", "waiting"].includes(service.state);
  return limited && service.deadline !== 0;
}

/** Does anything that comes after it, at whatever distance, have to leave? */
function followersLeave(world: World, service: Service): boolean {
  return followersOf(world, service).some((other) => isLive(other) && mustLeave(other));
}

interface Graph {
  readonly services: readonly Service[];
  readonly edges: readonly Service["edges"][];
  readonly followers: Map<Service, readonly Service[]>;
}

const graphs = new WeakMap<World, Graph>();

/** Whenever the graph changes, services or their edges are others. */
function graphOf(world: World): Graph {
  const known = graphs.get(world);
  const { services } = world;
  const same =
    known?.services.length === services.length &&
    services.every(
      (service, index) => known.services[index] === service && known.edges[index] === service.edges,
    );
  if (known !== undefined && same) return known;
  const edges = services.map((service) => service.edges);
  const graph = { services: [...services], edges, followers: new Map() };
  graphs.set(world, graph);
  return graph;
}

function followersOf(world: World, service: Service): readonly Service[] {
  const { followers } = graphOf(world);
  const known = followers.get(service) ?? findFollowers(service);
  followers.set(service, known);
  return known;
}

function findFollowers(service: Service): Service[] {
  const found: Service[] = [];
  const seen = new Set<Service>([service]);
  const open = [service];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const other of behind(next).flat()) {
      if (seen.has(other)) continue;
      seen.add(other);
      found.push(other);
      open.push(other);
    }
  }
  return found;
}

/** What counts of a service that is down, if its end does. */
function endOf({ spec, state, past: { exit, reason } }: Service): "good" | "bad" | "none" {
  const fell = state === "inactive" ? reason !== null && spec.kind !== "task" : state !== "backoff";
  const judged = reason === null ? state === "inactive" : reason.type === "exit";
  if (!spec.endCounts || exit === null || fell || !judged) return "none";
  return "code" in exit && spec.successCodes.includes(exit.code) ? "good" : "bad";
}

function isUnbegun(service: Service): boolean {
  return service.state === "inactive" && endOf(service) === "none";
}
