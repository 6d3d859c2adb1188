/**
 * The engine: decides, and does nothing else. `step(world, event, clock)` takes one event, changes
 * the world and returns the commands that follow from it. No I/O, no clock, no random source but
 * the seeded one in the world. How services live is told in `lifecycle.ts`.
 *
 * `Exit`, when it comes, is the last command of its step: replies that are owed go before it.
 */
import type { Command, Event, Receipt, Scope } from "../generated/protocol.ts";
import type { ProxySpec, ServiceSpec } from "../model/spec.ts";
import { assert } from "./assert.ts";
import { dropGone, keepConfig } from "./change.ts";
import { type EngineEvent, isReached, take } from "./dispatch.ts";
import { isDone } from "./done.ts";
import { closeGate, nextThroughGate } from "./gate.ts";
import { meetDemand } from "./goals.ts";
import { wholeReceipt } from "./hooks.ts";
import { fire } from "./lifecycle.ts";
import { logsOf } from "./logs.ts";
import { spread } from "./order.ts";
import { type HeldVerb, refusalOf } from "./pins.ts";
import { proxySpecs, tellProxies } from "./proxies.ts";
import { type BootInput, makeWorld, recover } from "./recovery.ts";
import { mayReload, reloadNumber as numberOf, reloadOutcome as outcomeOfReload } from "./reload.ts";
import { launch, wokenBy } from "./runs.ts";
import { type RunView, runsOf } from "./schedule.ts";
import { advanceShutdown, meetShutdown } from "./shutdown.ts";
import { sidesOf } from "./sides.ts";
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
import { isDoomed, plannedSpec, takeFact, takeWork, type World } from "./world.ts";

export { type BootReport, bootReport } from "./boot.ts";
export type { ChangeAsk } from "./change.ts";
export type { Ask, EngineEvent } from "./dispatch.ts";
export type { Obstacle } from "./guard.ts";
export type { HeldVerb } from "./pins.ts";
export type { BootInput } from "./recovery.ts";
export type { RunView } from "./schedule.ts";
export type { Clock, Graph, Health, HealthView, Outcome, ServiceView, Why, WhyEntry } from "./view.ts";
export type { PublicState, Reason, World } from "./world.ts";

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

/** May a `kill` be asked for? */
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
  return service === undefined ? [name] : logsOf(service);
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
