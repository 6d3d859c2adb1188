/**
 * What comes into the engine, and whom it concerns: asks of people, and the events of the protocol,
 * which name a process set or carry a key that the engine gave out.
 */
import type { Event, Machine, Scope } from "../generated/protocol.ts";
import { note, publishReceipt } from "./causes.ts";
import { type ChangeAsk, takeChange } from "./change.ts";
import { gateDue } from "./gate.ts";
import { namedServices } from "./goals.ts";
import { guardDue, takeLook } from "./guard.ts";
import { healthDue, takeHealthAnswer } from "./health.ts";
import { fire } from "./lifecycle.ts";
import { takeNotice } from "./notify.ts";
import { type PinAsk, takePin } from "./pins.ts";
import { type ProxyAsk, takeProxyAsk, takeProxyFailed, takeProxyIdle, takeProxyWanted } from "./proxies.ts";
import { meet, missProbe, retryProbe } from "./readiness.ts";
import { forgetStray } from "./recovery.ts";
import { askReload, reloadDue } from "./reload.ts";
import { reportReceipt } from "./runs.ts";
import { clockSet, lookAt } from "./schedule.ts";
import { renew, restStopped, shutdownDue, takeSignal } from "./shutdown.ts";
import { sideDue, sideOf, takeSideEvent } from "./sides.ts";
import { takePressure, watchdogDue } from "./watchdog.ts";
import type { Service, Side, World } from "./world.ts";

/** What a person asks. `because` says who, as the end of a sentence: `asked by uid 0`. */
export type Ask =
  | {
      readonly type: "start" | "stop" | "restart" | "reload";
      readonly names: readonly string[];
      readonly because: string;
      /** Of a start: former failures go on counting. Else whoever asks gives a new chance. */
      readonly counting?: boolean;
    }
  | {
      readonly type: "kill";
      readonly name: string;
      readonly signal: string;
      readonly scope: Scope;
      readonly because: string;
    }
  | PinAsk
  | ChangeAsk
  | ProxyAsk
  /** The supervisor is to take its own place; services do not notice. */
  | { readonly type: "renew"; readonly because: string }
  /** `machine`: what becomes of the machine, where we are its PID 1. */
  | { readonly type: "shutdown"; readonly because: string; readonly machine?: Machine };

export type EngineEvent = Exclude<Event, { type: "boot" | "request" | "gone" }> | Ask;

export function take(world: World, event: EngineEvent): void {
  switch (event.type) {
    case "start":
    case "stop":
    case "restart": {
      const because = `${event.type} ${event.because}`;
      const named = namedServices(world, event.names, because);
      if (event.type === "start" && event.counting) world.demands.push({ type: "go on", named });
      else world.demands.push({ type: event.type, named });
      break;
    }
    case "kill":
      kill(world, event);
      break;
    case "renew":
      renew(world, event.because);
      break;
    case "pin":
    case "unpin":
    case "mask":
    case "unmask":
      takePin(world, event);
      break;
    case "reload":
      for (const { service, because } of namedServices(world, event.names, `reload ${event.because}`)) {
        askReload(world, service, because);
      }
      break;
    case "change":
      takeChange(world, event);
      break;
    case "shutdown": {
      const { machine = null } = event;
      const because = `shutdown ${event.because}`;
      world.demands.push({ type: "shutdown", because, code: 0, asked: true, machine });
      break;
    }
    case "signal":
      takeSignal(world, event);
      break;
    case "timer":
      takeTimer(world, event.key);
      break;
    case "clockSet":
      clockSet(world);
      break;
    case "answered":
      if (event.key.startsWith("guard ")) takeLook(world, event);
      break;
    case "probed":
      takeAnswer(world, event);
      break;
    case "logMatched":
      takeMet(world, event.key);
      break;
    case "notified":
      ofSet(world, event.id, (service) => takeNotice(world, service, event));
      break;
    case "proxy":
      takeProxyAsk(world, event);
      break;
    case "proxyWanted":
      takeProxyWanted(world, event.name);
      break;
    case "proxyIdle":
      takeProxyIdle(world, event.name);
      break;
    case "proxyFailed":
      takeProxyFailed(world, event);
      break;
    case "spawned":
    case "spawnFailed":
    case "exited":
      takeRunEvent(world, event);
      break;
    case "stopped":
      takeStopped(world, event);
      break;
  }
}

/** A start or an end: of a side, or of the main set, for which the table has a column of each. */
function takeRunEvent(
  world: World,
  event: Extract<Event, { type: "spawned" | "spawnFailed" | "exited" }>,
): void {
  ofSet(world, event.id, (service, side) => {
    if (side !== null) takeSideEvent(world, service, side, event);
    else if (event.type === "spawned") fire(world, service, "spawned", event);
    else if (event.type === "spawnFailed") fire(world, service, "refused", event);
    else fire(world, service, "exited", event);
  });
}

/** A set that nobody knows has been dealt with already. */
function ofSet(world: World, id: number, visit: (service: Service, side: Side | null) => void): void {
  const service = world.sets.get(id) ?? null;
  if (service !== null) visit(service, sideOf(service, id));
}

/** Of a key `WHAT NAME`. A service that is gone has nothing due any more. */
function ofName(world: World, key: string, visit: (service: Service) => void): void {
  const service = world.byName.get(key.slice(key.indexOf(" ") + 1));
  if (service !== undefined) visit(service);
}

function takeStopped(world: World, event: Extract<Event, { type: "stopped" }>): void {
  if (event.id === world.shutdown.rest) {
    if (world.shutdown.phase === "resting") restStopped(world, event.receipt);
    return;
  }
  const service = world.sets.get(event.id);
  const side = service ? sideOf(service, event.id) : null;
  if (service && side !== null) takeSideEvent(world, service, side, event);
  else if (service) fire(world, service, "stopped", event);
  else if (service === null) {
    publishReceipt(world, event.receipt, "it belonged to no service of the configuration");
    reportReceipt(world, event.receipt.service, event.receipt);
    forgetStray(world, event.id);
  }
}

/**
 * Keys: `shutdown`, `gate`, `again NAME`, `guard NAME`, `schedule NAME`, `start SET`, `linger SET`, `reload SET`,
 * `hook SET` (the hook's own set), `probe SET CONDITION`, `delay SET CONDITION`, `health SET`,
 * `watchdog SET`.
 */
function takeTimer(world: World, key: string): void {
  const [what, set, condition] = key.split(" ");
  switch (what) {
    case "shutdown":
      shutdownDue(world);
      break;
    case "gate":
      gateDue(world);
      break;
    case "again":
      ofName(world, key, (service) => fire(world, service, "due", null));
      break;
    case "guard":
      ofName(world, key, (service) => guardDue(world, service));
      break;
    case "schedule":
      ofName(world, key, (service) => lookAt(world, service));
      break;
    case "start":
    case "linger":
      ofSet(world, Number(set), (service) => fire(world, service, "due", null));
      break;
    case "hook":
      ofSet(world, Number(set), (service, side) => {
        if (side !== null) sideDue(world, service, side);
      });
      break;
    case "reload":
      ofSet(world, Number(set), (service) => reloadDue(world, service));
      break;
    case "probe":
      ofSet(world, Number(set), (service) => retryProbe(world, service, Number(condition)));
      break;
    case "delay":
      takeMet(world, key);
      break;
    case "health":
      ofSet(world, Number(set), (service) => healthDue(world, service));
      break;
    case "watchdog":
      ofSet(world, Number(set), (service) => watchdogDue(world, service));
      break;
  }
}

/** Keys: `probe SET CONDITION`, `health SET PROBE`, `pressure SET`. */
function takeAnswer(world: World, event: Extract<Event, { type: "probed" }>): void {
  const [what, set, number] = event.key.split(" ");
  const index = Number(number);
  ofSet(world, Number(set), (service) => {
    if (what === "health") takeHealthAnswer(world, service, index, event);
    else if (what === "pressure") takePressure(world, service, event);
    else if (event.ok) takeMet(world, event.key);
    else missProbe(world, service, index, event);
  });
}

/** Keys: `KIND SET CONDITION`. */
function takeMet(world: World, key: string): void {
  const [, set, condition] = key.split(" ");
  ofSet(world, Number(set), (service) => meet(world, service, Number(condition)));
}

/** Is there a process that a signal of this scope reaches? What a leader has left behind has no main process. */
export function isReached({ child, pid, state }: Service, scope: Scope): boolean {
  if (child === 0 || state === "spawning") return false;
  return pid !== 0 || scope === "tree";
}

function kill(world: World, ask: Extract<Ask, { type: "kill" }>): void {
  const service = world.byName.get(ask.name);
  if (service === undefined || !isReached(service, ask.scope)) return;
  note(world, service, `signal ${ask.signal} ${ask.because}`);
  world.out.push({ type: "signal", id: service.child, signal: ask.signal, scope: ask.scope });
}
