/**
 * `fail-with`: whenever a run of one service has failed, the runs of those that fail with it are
 * ended, and judged by how they ended; so their own restart rules say what follows. What waits to
 * start is done without having run, unless it would be started again from any end.
 *
 * An end that came about like this may fail others in turn. Whose failures led to it stand on its
 * trail, and none of those is ended because of it: two that fail with each other come to rest.
 */
import { fire } from "./lifecycle.ts";
import {
  type Demand,
  type End,
  type Eviction,
  isTask,
  mustLeave,
  pinnedUp,
  type Service,
  type World,
  wantsUp,
} from "./world.ts";

type Failed = Extract<Demand, { type: "failed" }>;

/** A run of it has failed, whether or not it is started again. */
export function failFellows(world: World, service: Service, because: string, trail: readonly string[]): void {
  if (service.edges.failFor.length === 0) return;
  world.demands.push({ type: "failed", service, because, trail });
}

export function endFellows(world: World, { service: failed, because, trail: led }: Failed): void {
  const { name } = failed.spec;
  const trail = [...led, name];
  for (const service of failed.edges.failFor) {
    if (!wantsUp(service) || mustLeave(service) || pinnedUp(service)) continue;
    if (trail.includes(service.spec.name)) continue;
    const text = `fails with ${name}: ${because}`;
    const reason = { type: "fail-with" as const, name };
    fire(world, service, "fellow", { text, action: "exit", abort: false, reason, trail });
  }
}

/** Of a run that was never begun. A task has not done what it is there for. */
export function unbegunEnd(service: Service, { text, reason }: Eviction): End {
  const success = !isTask(service);
  return { text, success, code: null, outward: success ? 0 : 1, kind: "judged", reason };
}
