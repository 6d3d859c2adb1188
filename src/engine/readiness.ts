/**
 * Readiness: all conditions of a service have to hold once. Probes are tried at once, then again
 * and again by the engine's own timers; log lines, delays and notices come by themselves. Nothing is asked
 * any more once the service is ready or its run is over.
 *
 * Keys of timers, probes and matches name the run (`probe 12 0`: process set 12, condition 0), so
 * an answer that comes late finds nothing.
 */
import type { Event, Probe } from "../generated/protocol.ts";
import type { ProbeCondition, ReadyCondition, ServiceSpec } from "../model/spec.ts";
import { assert } from "./assert.ts";
import { fire } from "./lifecycle.ts";
import { outsideSpec, probeSpec } from "./spawn.ts";
import { stretchFactor } from "./starvation.ts";
import { probeText } from "./text.ts";
import { type Service, touch, type Watch, type World } from "./world.ts";

type Answer = Extract<Event, { type: "probed" }>;

const TRY_FIRST_MS = 10;
const TRY_MAX_MS = 250;
const TRY_DOUBLINGS = 4;
/** How long one try may take. */
const PROBE_TIMEOUT_MS = 2_000;
const EXEC_TIMEOUT_MS = 10_000;

/** Before `Spawn`: the first line may come before we hear that the child runs. */
export function openWatch(world: World, service: Service): void {
  const { ready } = service.spec;
  if (ready.length === 0) return;
  service.watch = newWatch(service.spec);
  for (const [index, condition] of ready.entries()) {
    if (condition.type === "log") matchLog(world, service, index, condition.pattern, null);
  }
}

export function newWatch({ ready }: ServiceSpec): Watch {
  assert(ready.length <= 30, "the conditions fit into one number");
  const tries = ready.map(() => 0);
  return { unmet: 2 ** ready.length - 1, flying: 0, tries, stretch: 1, reason: "" };
}

/** When the child runs. */
export function startWatch(world: World, service: Service): void {
  const first = service.started + service.spec.readyDelayMs;
  forUnmet(service, (condition, index) => {
    if (condition.type === "delay") armDelay(world, service, index, condition.ms);
    else if (!isTried(condition))
      return; // It comes by itself.
    else if (world.now < first) armProbe(world, service, index, first);
    else tryProbe(world, service, index, condition);
  });
}

/** They come by themselves, or are asked for elsewhere. */
const UNTRIED: readonly ReadyCondition["type"][] = ["log", "notify", "delay", "health"];

type TriedCondition = ProbeCondition | Extract<ReadyCondition, { type: "listen" }>;

function isTried(condition: ReadyCondition): condition is TriedCondition {
  return !UNTRIED.includes(condition.type);
}

/** In a fresh brain: the log matches, too, are gone. A line may have come meanwhile. */
export function reopenWatch(world: World, service: Service): void {
  forUnmet(service, (condition, index) => {
    if (condition.type === "log") matchLog(world, service, index, condition.pattern, service.pid || null);
  });
}

export function dropWatch(world: World, service: Service): void {
  if (service.watch === null) return;
  const { flying } = service.watch;
  forUnmet(service, (condition, index) => {
    const run = `${service.child} ${index}`;
    if (condition.type === "log") world.out.push({ type: "unmatchLog", key: `log ${run}` });
    else if (condition.type === "notify" || condition.type === "health") return;
    else if (condition.type === "delay") world.out.push({ type: "cancel", key: `delay ${run}` });
    else if (flying & (1 << index)) world.out.push({ type: "cancelProbe", key: `probe ${run}` });
    else world.out.push({ type: "cancel", key: `probe ${run}` });
  });
  service.watch = null;
}

/** A condition holds. A service that is not known to run yet becomes ready with the news of its start. */
export function meet(world: World, service: Service, index: number): void {
  const watch = service.watch;
  if (watch === null || !(watch.unmet & (1 << index))) return; // Late: nobody asks any more.
  watch.unmet &= ~(1 << index);
  watch.flying &= ~(1 << index);
  touch(world, service);
  if (watch.unmet === 0 && service.state === "starting") fire(world, service, "met", null);
}

/** A probe said no: it is tried again a little later. */
export function missProbe(world: World, service: Service, index: number, answer: Answer): void {
  const watch = service.watch;
  const condition = service.spec.ready[index];
  if (watch === null || condition === undefined || !(watch.flying & (1 << index))) return;
  watch.flying &= ~(1 << index);
  watch.reason = isTried(condition) ? `${triedText(condition)}: ${answer.reason}` : "";
  watch.stretch = answer.timedOut ? stretchFactor(answer.pressure) : 1;
  const tries = watch.tries[index] ?? 0;
  watch.tries[index] = tries + 1;
  const delay = tries > TRY_DOUBLINGS ? TRY_MAX_MS : TRY_FIRST_MS * 2 ** tries;
  armProbe(world, service, index, world.now + delay);
}

function triedText(condition: TriedCondition): string {
  return condition.type === "listen" ? "listen" : probeText(condition);
}

function armProbe(world: World, service: Service, index: number, at: number): void {
  world.out.push({ type: "arm", key: `probe ${service.child} ${index}`, at });
}

export function retryProbe(world: World, service: Service, index: number): void {
  const condition = service.spec.ready[index];
  const watch = service.watch;
  if (watch === null || condition === undefined || !(watch.unmet & (1 << index))) return;
  if (!(watch.flying & (1 << index)) && isTried(condition)) tryProbe(world, service, index, condition);
}

function tryProbe(world: World, service: Service, index: number, condition: TriedCondition): void {
  const { watch } = service;
  assert(watch !== null, "only a watched run is probed");
  watch.flying |= 1 << index;
  const timeoutMs = condition.type === "exec" ? EXEC_TIMEOUT_MS : PROBE_TIMEOUT_MS;
  world.out.push({
    type: "probe",
    key: `probe ${service.child} ${index}`,
    probe:
      condition.type === "listen"
        ? { type: "listen", set: service.child }
        : protocolProbe(service, condition),
    timeoutMs: timeoutMs * watch.stretch,
  });
}

function execSpec(
  spec: ServiceSpec,
  { argv, outside, searchPath }: Extract<ProbeCondition, { type: "exec" }>,
) {
  return outside ? outsideSpec(spec, argv, searchPath) : probeSpec(spec, argv);
}

/** As the nucleus needs it. */
export function protocolProbe({ spec, child: set }: Service, condition: ProbeCondition): Probe {
  switch (condition.type) {
    case "tcp":
      return { type: "tcp", host: condition.host, port: condition.port, set };
    case "file":
      return { type: "file", path: condition.path };
    case "exec":
      return { type: "exec", spec: execSpec(spec, condition) };
    case "http":
      return { ...condition, set, status: condition.status.map(([low, high]) => [low, high]) };
  }
}

function armDelay(world: World, service: Service, index: number, ms: number): void {
  world.out.push({ type: "arm", key: `delay ${service.child} ${index}`, at: service.started + ms });
}

function matchLog(
  world: World,
  service: Service,
  index: number,
  pattern: string,
  sincePid: number | null,
): void {
  const key = `log ${service.child} ${index}`;
  world.out.push({ type: "matchLog", key, log: service.spec.name, pattern, sincePid });
}

function forUnmet(service: Service, visit: (condition: ReadyCondition, index: number) => void): void {
  const { ready } = service.spec;
  for (let index = 0; index < ready.length; index++) {
    const condition = ready[index];
    const unmet = service.watch !== null && service.watch.unmet & (1 << index);
    if (unmet && condition !== undefined) visit(condition, index);
  }
}
