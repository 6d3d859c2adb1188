/**
 * What a person holds fast, whatever the rules say: pinned up, pinned down, masked.
 *
 * Pinned up: started now and after every end; nothing but a shutdown takes it down. Pinned down:
 * stopped now; whatever needs it waits. Masked: goes on if it runs, and is not started. A hold
 * lives in the slate and goes with the supervisor. Where holds take effect: `goals.ts` (who is
 * taken along), `order.ts` (who may start), `restart.ts` (what follows from an end).
 */
import { noteHook, publishPin, tell } from "./causes.ts";
import { isReady, spread } from "./order.ts";
import {
  isDoomed,
  mustLeave,
  pinnedUp,
  pushWork,
  type Service,
  touch,
  type World,
  yieldsTo,
} from "./world.ts";

export type PinAsk =
  | { readonly type: "pin"; readonly name: string; readonly state: "up" | "down"; readonly because: string }
  | { readonly type: "unpin" | "mask" | "unmask"; readonly name: string; readonly because: string };

/** `up`, `down`, `masked`, `down, masked`; `null`: free. */
function pinText({ pin }: Service): string | null {
  if (pin === null) return null;
  const parts = [pin.state, pin.masked ? "masked" : null].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.join(", ");
}

export function takePin(world: World, ask: PinAsk): void {
  const service = world.byName.get(ask.name);
  if (service === undefined || isDoomed(world, service) || world.shutdown.phase !== "running") return;
  if (refusalOf(world, service, ask.type === "pin" ? `pin ${ask.state}` : ask.type) !== null) return;
  const before = pinText(service);
  const { state, masked } = service.pin ?? { state: null, masked: false };
  const wasUp = state === "up";
  if (ask.type === "pin") hold(service, ask.state, masked);
  else if (ask.type === "unpin") hold(service, null, masked);
  else hold(service, state, ask.type === "mask");
  const after = pinText(service);
  const words = ask.type === "pin" ? `pin ${ask.state}` : ask.type;
  const because = `${words} ${ask.because}`;
  if (before !== after) {
    noteHook(world, service, ask.type, because);
    publishPin(world, service, before, after, because);
    tell(world, service, because);
  }
  touch(world, service);
  spread(world, service);
  pushWork(world, service);
  if (ask.type === "pin") demand(world, service, ask.state, because);
  else if (ask.type === "unpin" && wasUp) world.demands.push({ type: "unpinned", service });
}

function hold(service: Service, state: "up" | "down" | null, masked: boolean): void {
  service.pin = state === null && !masked ? null : { state, masked };
}

function demand(world: World, service: Service, state: "up" | "down", because: string): void {
  const named = [{ service, because }];
  if (state === "down") world.demands.push({ type: "stop", named });
  else if (!isReady(service) || mustLeave(service)) world.demands.push({ type: "start", named });
}

export type HeldVerb = "start" | "stop" | "restart" | "pin up" | "pin down" | "unpin" | "mask" | "unmask";

/** Why a hold forbids what a person asks, with the next step; `null`: it does not. */
export function refusalOf(world: World, service: Service, verb: HeldVerb): string | null {
  const { pin, edges } = service;
  const { name } = service.spec;
  if (verb === "stop" || verb === "mask") {
    return pinnedUp(service) ? `it is pinned up; first: oneup unpin ${name}` : null;
  }
  if (verb === "pin up") {
    const other = edges.conflicts.find((one) => pinnedUp(one) && !yieldsTo(world, service, one));
    if (other !== undefined) return `it conflicts with ${other.spec.name}, which is pinned up`;
    return pin?.masked ? `it is masked; first: oneup unmask ${name}` : null;
  }
  if (verb !== "start" && verb !== "restart") return null;
  if (pin?.state === "down") return `it is pinned down; first: oneup unpin ${name}`;
  return pin?.masked ? `it is masked; first: oneup unmask ${name}` : null;
}
