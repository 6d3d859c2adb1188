/**
 * `start-delay`: a stage between "the order allows it" and the guard. The service is `waiting`
 * with a deadline meanwhile, which stands in its record, so that a fresh brain does not begin anew.
 * When the order does not allow its start any more, the delay is over, and the next one is whole.
 */
import { causeOf, enter } from "./causes.ts";
import { durationText } from "./text.ts";
import { pushWork, type Service, touch, type World } from "./world.ts";

/** It has waited for its `start-delay`. Otherwise it waits from now on. The order allows its start. */
export function passDelay(world: World, service: Service, because: string): boolean {
  const { startDelayMs } = service.spec;
  if (startDelayMs === 0) return true;
  if (isDelayed(service)) return world.now >= service.deadline;
  enter(world, service, "waiting", `${because}, starts in ${durationText(startDelayMs)}`);
  service.deadline = world.now + startDelayMs;
  armAgain(world, service);
  return false;
}

/** Its delay is at work, or has passed while something else keeps it from its start. */
export function isDelayed({ state, deadline }: Service): boolean {
  return state === "waiting" && deadline > 0;
}

/** It starts, or is not to start now. */
export function endDelay(world: World, service: Service): void {
  if (!isDelayed(service)) return;
  if (service.deadline >= world.now) {
    world.out.push({ type: "cancel", key: `again ${service.spec.name}` });
  }
  service.deadline = 0;
  touch(world, service);
}

/** Its timer. */
export function delayDue(world: World, service: Service): void {
  if (!isDelayed(service)) return;
  if (world.now < service.deadline) armAgain(world, service);
  else pushWork(world, service);
}

/** The timer of a delay, and of a backoff: at its deadline it starts. */
export function armAgain(world: World, service: Service): void {
  world.out.push({ type: "arm", key: `again ${service.spec.name}`, at: service.deadline });
}

/** Why it starts after its delay; `null`: something else was said of it since. */
export function delayedCause(service: Service): string | null {
  return /^(.*), starts in \S+$/.exec(causeOf(service))?.[1] ?? null;
}
