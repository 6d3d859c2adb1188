/**
 * Services that cannot be started as they are configured: they require one that is not there, or
 * wait for themselves in a circle. They are `failed` while they have no run, whatever is wanted;
 * all others live on without a difference. When the fault is gone they are what they were meant
 * to be.
 */
import { enter, tell } from "./causes.ts";
import { cyclesOf } from "./cycles.ts";
import { endDelay } from "./delay.ts";
import { AHEAD, ahead, BEHIND } from "./edges.ts";
import { dropTurn } from "./gate.ts";
import { endLook } from "./guard.ts";
import { fire } from "./lifecycle.ts";
import { restCall } from "./rescue.ts";
import { cancelBackoff, comeToRest, wake } from "./runs.ts";
import {
  type Edges,
  isDoomed,
  ownPast,
  plannedSpec,
  type Reason,
  type Service,
  type World,
  wantsUp,
} from "./world.ts";

/** How many names of a circle stand in a cause. */
const CAUSE_NAMES = 8;
/** How many names of a circle are told. */
export const PATH_MAX = 64;

// ---- finding

/** After the edges were made. What stands in a circle loses the edges that make it one. */
export function findFaults(world: World): void {
  world.faults.clear();
  if (hasDoomed(world)) openDoomed(world);
  for (const circle of cyclesOf(world.services)) {
    const members = new Set(circle);
    const paths = circle.map((service) => pathBack(service, members));
    for (const [index, service] of circle.entries()) {
      const path = (paths[index] ?? []).slice(0, PATH_MAX);
      world.faults.set(service, { type: "cycle", path });
      cutEdges(service, members, [...AHEAD, ...BEHIND]);
    }
  }
  for (const service of world.services) {
    if (service.edges.requires.length === plannedSpec(world, service).requires.length && !hasDoomed(world))
      continue; // As most are.
    const missing = plannedSpec(world, service).requires.find(({ name }) => isMissing(world, service, name));
    if (missing !== undefined) world.faults.set(service, { type: "missing", name: missing.name });
  }
  for (const service of world.doomed) world.faults.delete(service);
}

/**
 * A circle that what is removed closes is none of the configuration. It still leaves after what
 * follows it, but does not follow the others in the circle, so that they keep their own order.
 */
function openDoomed(world: World): void {
  for (const circle of cyclesOf(world.services)) {
    const doomed = new Set(circle.filter((service) => isDoomed(world, service)));
    if (doomed.size === 0) continue;
    const members = new Set(circle);
    for (const service of circle) {
      if (doomed.has(service)) cutEdges(service, members, AHEAD);
      cutEdges(service, doomed, BEHIND);
    }
  }
}

function hasDoomed({ doomed }: World): boolean {
  return doomed.size > 0;
}

function isMissing(world: World, service: Service, name: string): boolean {
  const other = world.byName.get(name);
  return other === undefined || (other !== service && isDoomed(world, other));
}

/** The shortest way from a service back to itself: who waits for whom. */
function pathBack(from: Service, members: ReadonlySet<Service>): string[] {
  const before = new Map<Service, Service>();
  const reached = [from];
  for (const service of reached) {
    for (const other of ahead(service).flat()) {
      if (other === from) return wayTo(service, before);
      if (!members.has(other) || before.has(other)) continue;
      before.set(other, service);
      reached.push(other);
    }
  }
  return [from.spec.name];
}

function wayTo(last: Service, before: ReadonlyMap<Service, Service>): string[] {
  const path: string[] = [];
  for (let next: Service | undefined = last; next !== undefined; next = before.get(next)) {
    path.push(next.spec.name);
  }
  return path.reverse();
}

/** In a circle nobody could leave before the others. */
function cutEdges({ edges }: Service, members: ReadonlySet<Service>, lists: readonly (keyof Edges)[]): void {
  for (const list of lists) edges[list] = edges[list].filter((other) => !members.has(other));
}

// ---- what follows

/** After a change: who cannot be started any more, and who can again. */
export function judgeFaults(world: World, because: string): void {
  for (const service of world.services) {
    if (isDoomed(world, service)) continue;
    const fault = world.faults.get(service);
    if (fault !== undefined) fire(world, service, "barred", fault);
    else if (service.state === "failed" && isFault(service.past.reason))
      fire(world, service, "freed", because);
  }
}

function isFault(reason: Reason | null): boolean {
  return reason !== null && (reason.type === "missing" || reason.type === "cycle");
}

/** It has no run and cannot get one. */
export function bar(world: World, service: Service, fault: Reason): void {
  const known = JSON.stringify(service.past.reason) === JSON.stringify(fault);
  if (service.state === "failed" && known) return;
  cancelBackoff(world, service);
  dropTurn(world, service);
  endDelay(world, service);
  endLook(world, service);
  restCall(service, false);
  ownPast(service).reason = fault;
  enter(world, service, "failed", faultText(fault));
  tell(world, service, `failed: ${faultText(fault)}`);
}

/** What kept it from starting is gone. */
export function free(world: World, service: Service, because: string): void {
  ownPast(service).reason = null;
  if (wantsUp(service)) wake(world, service, because);
  else comeToRest(world, service, because);
}

function faultText(fault: Reason): string {
  if (fault.type === "missing") return `requires ${fault.name}, which is not configured`;
  const path = fault.type === "cycle" ? fault.path : [];
  const shown = path.slice(0, CAUSE_NAMES).join(" -> ");
  return `waits for itself: ${shown} -> ${path.length > CAUSE_NAMES ? "…" : (path[0] ?? "")}`;
}
