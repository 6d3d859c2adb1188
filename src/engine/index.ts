/**
 * The engine: decides, and does nothing else. `step(world, event, clock)` takes one event, changes
 * the world and returns the commands that follow from it. No I/O, no clock, no random source but
 * the seeded one in the world. How services live is told in `lifecycle.ts`.
 *
 * `Exit`, when it comes, is the last command of its step: replies that are owed go before it.
 */
import type { Command, Event, Machine, Receipt, Scope } from "../generated/protocol.ts";
import type { ProxySpec, ServiceSpec } from "../model/spec.ts";
import { assert } from "./assert.ts";
import { note, publishReceipt } from "./causes.ts";
import { type ChangeAsk, dropGone, keepConfig, takeChange } from "./change.ts";
import { isDone } from "./done.ts";
import { closeGate, gateDue, nextThroughGate } from "./gate.ts";
import { meetDemand, namedServices } from "./goals.ts";
import { guardDue, takeLook } from "./guard.ts";
import { healthDue, takeHealthAnswer } from "./health.ts";
import { sideRoles, wholeReceipt } from "./hooks.ts";
import { fire } from "./lifecycle.ts";
import { takeNotice } from "./notify.ts";
import { spread } from "./order.ts";
import { type HeldVerb, type PinAsk, refusalOf, takePin } from "./pins.ts";
import {
  type ProxyAsk,
  proxySpecs,
  takeProxyAsk,
  takeProxyFailed,
  takeProxyIdle,
  takeProxyWanted,
  tellProxies,
} from "./proxies.ts";
import { meet, missProbe, retryProbe } from "./readiness.ts";
import { type BootInput, forgetStray, makeWorld, recover } from "./recovery.ts";
import {
  askReload,
  mayReload,
  reloadNumber as numberOf,
  reloadOutcome as outcomeOfReload,
  reloadDue,
} from "./reload.ts";
import { launch, reportReceipt, wokenBy } from "./runs.ts";
import { clockSet, lookAt, type RunView, runsOf } from "./schedule.ts";
import { advanceShutdown, meetShutdown, renew, restStopped, shutdownDue, takeSignal } from "./shutdown.ts";
import { logOf, sideDue, sideOf, sidesOf, takeSideEvent } from "./sides.ts";
import { writeSlate } from "./slate.ts";
import {
  type Clock,
  type Graph,
  graphOf,
  type Health,
  healthOf,
  type Outcome,
  outcomeOf,
  type ServiceView,
  viewOf,
  type Why,
  whyOf,
} from "./view.ts";
import { takePressure, watchdogDue } from "./watchdog.ts";
import { isDoomed, plannedSpec, type Service, type Side, takeFact, takeWork, type World } from "./world.ts";

export { type BootReport, bootReport } from "./boot.ts";
export type { ChangeAsk } from "./change.ts";
export type { Obstacle } from "./guard.ts";
export type { HeldVerb } from "./pins.ts";
export type { BootInput } from "./recovery.ts";
export type { RunView } from "./schedule.ts";
export type { Clock, Graph, Health, HealthView, Outcome, ServiceView, Why, WhyEntry } from "./view.ts";
export type { PublicState, Reason, World } from "./world.ts";

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

export type Phase = "running" | "stopping" | "exiting";

// ---- deciding

export function boot(input: BootInput, clock: Clock): { world: World; commands: Command[] } {
  const world = makeWorld(input, clock.now, clock.wall);
  recover(world, input, () => settle(world));
  return { world, commands: finish(world) };
}

export function step(world: World, event: EngineEvent, clock: Clock): Command[] {
  assert(world.out.length === 0 && world.demands.length === 0, "the former step was finished");
  if (world.shutdown.phase === "exiting") return [];
  world.now = clock.now;
  world.wall = clock.wall;
  take(world, event);
  settle(world);
  return finish(world);
}

/** Lets demands, facts, turns and the gate run, in this order, until nothing is left to do. */
function settle(world: World): void {
  for (;;) {
    const demand = world.demands.shift();
    if (demand !== undefined) {
      if (demand.type === "shutdown") meetShutdown(world, demand);
      else meetDemand(world, demand);
      continue;
    }
    const changed = takeFact(world);
    if (changed !== null) {
      spread(world, changed);
      continue;
    }
    const next = takeWork(world);
    if (next !== null) {
      fire(world, next, "turn", null);
      continue;
    }
    const passed = nextThroughGate(world);
    if (passed !== null) launch(world, passed.service, passed.because || wokenBy(passed.service));
    else if (world.work.first === null && !dropGone(world) && !closeGate(world)) break;
  }
}

function finish(world: World): Command[] {
  if (isDone(world)) {
    const because = "nothing is left to do";
    world.demands.push({ type: "shutdown", because, code: 0, asked: false, machine: null });
    settle(world);
  }
  advanceShutdown(world);
  tellProxies(world);
  writeSlate(world);
  keepConfig(world);
  if (world.shutdown.phase === "exiting") {
    const { code, machine } = world.shutdown;
    world.out.push({ type: "exit", code, ...(machine === null ? {} : { machine }) });
  }
  const commands = world.out;
  world.out = [];
  return commands;
}

// ---- events: whom do they concern?

function take(world: World, event: EngineEvent): void {
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
      ofSet(world, event.id, (service, side) => {
        if (side !== null) takeSideEvent(world, service, side, event);
        else fire(world, service, "spawned", event);
      });
      break;
    case "spawnFailed":
      ofSet(world, event.id, (service, side) => {
        if (side !== null) takeSideEvent(world, service, side, event);
        else fire(world, service, "refused", event);
      });
      break;
    case "exited":
      ofSet(world, event.id, (service, side) => {
        if (side !== null) takeSideEvent(world, service, side, event);
        else fire(world, service, "exited", event);
      });
      break;
    case "stopped":
      takeStopped(world, event);
      break;
  }
}

/** A set that nobody knows has been dealt with already. */
function ofSet(world: World, id: number, visit: (service: Service, side: Side | null) => void): void {
  const service = world.sets.get(id) ?? null;
  if (service !== null) visit(service, sideOf(service, id));
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
    case "again": {
      const service = world.byName.get(key.slice("again ".length));
      if (service !== undefined) fire(world, service, "due", null);
      break;
    }
    case "guard": {
      const service = world.byName.get(key.slice("guard ".length));
      if (service !== undefined) guardDue(world, service);
      break;
    }
    case "schedule": {
      const service = world.byName.get(key.slice("schedule ".length));
      if (service !== undefined) lookAt(world, service);
      break;
    }
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
  ofSet(world, Number(set), (service) => {
    const ready = meet(world, service, Number(condition));
    if (ready && service.state === "starting") fire(world, service, "met", null);
  });
}

/** What its leader has left behind has no main process. */
function isReached({ child, pid, state }: Service, scope: Scope): boolean {
  if (child === 0 || state === "spawning") return false;
  return pid !== 0 || scope === "tree";
}

function kill(world: World, ask: Extract<Ask, { type: "kill" }>): void {
  const service = world.byName.get(ask.name);
  if (service === undefined || !isReached(service, ask.scope)) return;
  note(world, service, `signal ${ask.signal} ${ask.because}`);
  world.out.push({ type: "signal", id: service.child, signal: ask.signal, scope: ask.scope });
}

// ---- looking

/** All kinds, in the order of the configuration. */
export function serviceNames(world: World): string[] {
  return world.services.map(({ spec }) => spec.name);
}

export function serviceView(world: World, name: string, clock: Clock): ServiceView | null {
  const service = world.byName.get(name);
  return service === undefined ? null : viewOf(world, service, clock);
}

/** What is configured under a name, from its next start on; `null`: nothing (any more). */
export function specOf(world: World, name: string): ServiceSpec | null {
  const service = world.byName.get(name);
  return service === undefined || isDoomed(world, service) ? null : plannedSpec(world, service);
}

export function why(world: World, name: string, clock: Clock): Why | null {
  const service = world.byName.get(name);
  return service === undefined ? null : whyOf(world, service, clock);
}

/** The last runs of a task with a schedule, newest first; `null`: no such service. */
export function runs(world: World, name: string): readonly RunView[] | null {
  const service = world.byName.get(name);
  return service === undefined ? null : runsOf(service);
}

/** In the order they were set. */
export function proxies(world: World): readonly ProxySpec[] {
  return proxySpecs(world);
}

export function graph(world: World): Graph {
  return graphOf(world);
}

export function health(world: World): Health {
  return healthOf(world);
}

export function outcome(world: World, name: string, want: "up" | "down"): Outcome {
  const service = world.byName.get(name);
  if (service !== undefined) return outcomeOf(world, service, want);
  return want === "down" ? "done" : { failed: "no such service" }; // It may have been removed meanwhile.
}

/** Is there a process that a signal of this scope reaches? */
export function canSignal(world: World, name: string, scope: Scope): boolean {
  const service = world.byName.get(name);
  return service !== undefined && isReached(service, scope);
}

/** Of the set to look at: the main one, or that of a hook that runs instead. */
export function setIdOf(world: World, name: string): number | null {
  const service = world.byName.get(name);
  if (service === undefined) return null;
  return service.child || (sidesOf(service)[0]?.child ?? null);
}

/** Its log and those of its hooks and commands. */
export function logNamesOf(world: World, name: string): string[] {
  const service = world.byName.get(name);
  if (service === undefined) return [name];
  return [name, ...sideRoles(service).map((role) => logOf(service, role))];
}

/** Why a pin or a mask forbids what a person asks; `null`: it does not. */
export function refusal(world: World, name: string, verb: HeldVerb): string | null {
  const service = world.byName.get(name);
  return service === undefined ? null : refusalOf(world, service, verb);
}

/** Why it cannot be reloaded now; `null`: it can. */
export function reloadProblem(world: World, name: string): "not-running" | "not-configured" | null {
  const service = world.byName.get(name);
  if (service === undefined || service.spec.reload === null) return "not-configured";
  return service.pid === 0 || !mayReload(service) ? "not-running" : null;
}

/** The number of the reload that answers what was asked now. */
export function reloadNumber(world: World, name: string): number {
  const service = world.byName.get(name);
  return service === undefined ? 0 : numberOf(service);
}

export function reloadOutcome(world: World, name: string, number: number): Outcome {
  const service = world.byName.get(name);
  return service === undefined ? { failed: "no such service" } : outcomeOfReload(service, number);
}

/** The receipt of a stop as a whole, before the step that takes it; `main`: of a service itself. */
export function receiptOf(
  world: World,
  event: Extract<Event, { type: "stopped" }>,
): { readonly receipt: Receipt; readonly main: boolean } {
  const service = world.sets.get(event.id) ?? null;
  if (service === null) return { receipt: event.receipt, main: true };
  const main = service.child === event.id;
  return { receipt: main ? wholeReceipt(service, event.receipt, event.at) : event.receipt, main };
}

export function phase(world: World): Phase {
  const { phase } = world.shutdown;
  return phase === "resting" ? "stopping" : phase;
}
