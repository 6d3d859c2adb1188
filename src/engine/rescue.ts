/**
 * `on-failure = { run = "task" }`: a task that is told of a failure by its environment. At work
 * already, it runs once more afterwards, for the latest failure.
 *
 * Each failure carries the trail of those that led to it, and no task on that trail is run for it:
 * a handler that fails cannot, by whatever detour, come to handle itself. Nor is anything that has
 * failed started again because a handler needs it: the handler waits for it, or one failure would
 * lead to the next without end.
 */
import type { Exit } from "../generated/protocol.ts";
import { tell } from "./causes.ts";
import { exitEnvironment } from "./sides.ts";
import {
  type Failure,
  heldText,
  isDoomed,
  isLive,
  mustLeave,
  type Service,
  touch,
  type World,
} from "./world.ts";

/** How many failures may follow from one another. */
export const TRAIL_MAX = 16;

/** `failed` has failed for good. */
export function runHandler(
  world: World,
  failed: Service,
  name: string,
  cause: string,
  exit: Exit | null,
): void {
  const handler = world.byName.get(name);
  if (handler === undefined || isDoomed(world, handler) || world.shutdown.phase !== "running") return;
  const trail = [...(failed.call?.now?.trail ?? []), failed.spec.name];
  if (trail.includes(name) || trail.length > TRAIL_MAX) {
    tell(world, failed, `does not run ${name}: that is where this failure comes from (${trail.join(", ")})`);
    return;
  }
  const held = heldText(handler);
  if (held !== null) {
    tell(world, failed, `cannot run ${name}, which ${held}`);
    return;
  }
  hand(world, handler, { service: failed.spec.name, cause, exit, trail });
}

function hand(world: World, handler: Service, failure: Failure): void {
  touch(world, handler);
  if (isLive(handler) && !mustLeave(handler)) {
    handler.call = { now: handler.call?.now ?? null, next: failure };
    return;
  }
  handler.call = { now: failure, next: null };
  startFor(world, handler, failure);
}

function startFor(world: World, handler: Service, { service, cause }: Failure): void {
  const because = `${service} failed: ${cause}`;
  world.demands.push({ type: "handle", named: [{ service: handler, because }] });
}

/** Its run is over for good: the failure is dealt with, on to the next one. */
export function endCall(world: World, handler: Service, goesOn: boolean): void {
  const { call } = handler;
  if (call === null) return;
  touch(world, handler);
  handler.call = call.next === null || !goesOn ? null : { now: call.next, next: null };
  if (handler.call !== null && handler.call.now !== null) startFor(world, handler, handler.call.now);
}

/** It was stopped, or leaves to come again, then for the latest failure. */
export function restCall(handler: Service, again: boolean): void {
  const { call } = handler;
  if (call === null) return;
  if (!again) handler.call = null;
  else if (call.next !== null) handler.call = { now: call.next, next: null };
}

/** What its main process finds of it. */
export function failureEnvironment({ call }: Service): Record<string, string> {
  const failure = call?.now ?? null;
  if (failure === null) return {};
  return {
    ONEUP_FAILED_SERVICE: failure.service,
    ONEUP_FAILED_CAUSE: failure.cause,
    ...exitEnvironment(failure.exit),
  };
}
