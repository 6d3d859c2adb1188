/**
 * `leave-when-done`: nothing is left to do when nothing runs and nothing will start by itself. What
 * waits then waits for what will not come: all that it could wait for is at rest, too.
 */
import { isDelayed } from "./delay.ts";
import type { Service, World } from "./world.ts";

export function isDone(world: World): boolean {
  if (world.supervisor.leaveWhenDone !== true || world.shutdown.phase !== "running") return false;
  if (world.sets.size > 0 || world.proxies.size > 0) return false;
  return world.services.every((service) => isAtRest(service));
}

/** No event of its own will ever come to it. */
function isAtRest(service: Service): boolean {
  if (service.occasions !== null && service.occasions.next > 0) return false;
  switch (service.state) {
    case "inactive":
    case "exited":
    case "failed":
      return true;
    case "waiting":
      return service.look === null && service.turn === null && !isDelayed(service);
    case "running":
      return service.spec.kind === "target";
    default:
      return false;
  }
}
