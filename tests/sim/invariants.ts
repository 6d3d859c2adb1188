/** What must hold in every world between two steps, computed from scratch. */

import { LIFECYCLE } from "../../src/engine/lifecycle.ts";
import { isBroken, isReady } from "../../src/engine/order.ts";
import { sidesOf } from "../../src/engine/sides.ts";
import {
  heldText,
  isLive,
  isTarget,
  mustLeave,
  pinnedUp,
  type Service,
  type World,
  wantsUp,
} from "../../src/engine/world.ts";

export function checkWorld(world: World): void {
  const fail = (service: Service, what: string): never => {
    throw new Error(`${service.spec.name} (${service.state}, ${service.wish}): ${what}`);
  };
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

    const standsReady = (other: Service) =>
      isReady(other) && !(other.state === "running" && mustLeave(other));
    const clear = (other: Service) =>
      !wantsUp(other) ||
      standsReady(other) ||
      isBroken(other) ||
      other.state === "backoff" ||
      other.state === "exited" ||
      other.past.streak > 0;
    const isHeld = heldText(service) !== null;
    const blockers =
      edges.requires.filter((other) => !standsReady(other)).length +
      edges.order.filter((other) => !clear(other)).length +
      edges.conflicts.filter(isLive).length;
    if (blockers !== service.blockers)
      fail(service, `${service.blockers} blockers counted, ${blockers} found`);
    const broken = edges.requires.filter(isBroken).length;
    if (broken !== service.broken) fail(service, `${service.broken} broken counted, ${broken} found`);
    if (service.holds > 0 !== followersLeave(service)) fail(service, `${service.holds} holds counted`);
    if (state === "waiting" && blockers === 0 && !isHeld && world.shutdown.phase === "running")
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
        if (!wantsUp(other) && !pinnedUp(service)) fail(service, `requires ${other.spec.name}, unwanted`);
      for (const other of edges.conflicts)
        if (wantsUp(other)) fail(service, `clashes with ${other.spec.name}`);
    }
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

function hasDeadline(service: Service): boolean {
  if (service.state === "backoff") return true;
  const limited = service.state === "starting" || service.state === "working";
  return limited && service.deadline !== 0;
}

/** Does anything that comes after it, at whatever distance, have to leave? */
export function followersLeave(service: Service): boolean {
  return followersOf(service).some((other) => isLive(other) && mustLeave(other));
}

export function followersOf(service: Service): Service[] {
  const found: Service[] = [];
  const seen = new Set<Service>([service]);
  const open = [service];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const other of [...next.edges.dependents, ...next.edges.successors]) {
      if (seen.has(other)) continue;
      seen.add(other);
      found.push(other);
      open.push(other);
    }
  }
  return found;
}
