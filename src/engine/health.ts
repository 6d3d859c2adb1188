/**
 * Health: while a service is ready (or from its start on, where its readiness waits for it) it is
 * asked again and again whether it is well. A check asks all its probes and waits for all their
 * answers; the next one is armed only then, so two are never at work at once. The first one comes
 * at a random part of the interval, so that services that became ready together are not checked
 * together; the others keep that phase.
 *
 * So many failed checks in a row, and it is unhealthy: the input `sick` of the life cycle, or only
 * a mark. An answer that did not come in time on a starved machine is asked for once more, with
 * more time (`starvation.ts`).
 *
 * Keys name the run: timer `health SET`, probes `health SET PROBE`.
 */
import type { Event } from "../generated/protocol.ts";
import type { HealthSpec, ServiceSpec } from "../model/spec.ts";
import { noteState, publishHealth, tell } from "./causes.ts";
import { fire } from "./lifecycle.ts";
import { meet, protocolProbe } from "./readiness.ts";
import { starvedText, stretchFactor } from "./starvation.ts";
import { durationText, probeText } from "./text.ts";
import { type HealthState, mustLeave, type Round, type Service, touch, type World } from "./world.ts";

type Answer = Extract<Event, { type: "probed" }>;

const HISTORY = 10;

/** How the cause begins of what its checks have found so. */
export const UNHEALTHY = "unhealthy";

export type HealthWord = "unknown" | "healthy" | "unhealthy";

export function newHealth(): HealthState {
  return { healthy: null, failures: 0, successes: 0, first: 0, round: null, stretched: 1, last: [] };
}

// ---- when

/** Its readiness waits for its first good check. */
export function isHealthAwaited({ spec }: Service): boolean {
  return conditionOf(spec) !== -1;
}

function conditionOf({ ready }: ServiceSpec): number {
  return ready.findIndex(({ type }) => type === "health");
}

/** It is ready; or it runs, and its readiness waits for this. Checks that are at work go on. */
export function startHealth(world: World, service: Service): void {
  const { health: spec } = service.spec;
  if (spec === null) return;
  service.health ??= newHealth();
  const { health } = service;
  if (health.first > 0) return;
  // Who waits for the first check has nothing of its coming at random.
  const part = isHealthAwaited(service) ? 0 : world.random.next();
  health.first = world.now + spec.initialDelayMs + spec.everyMs * part;
  touch(world, service);
  arm(world, service, health.first);
}

/** In a fresh brain: a check that was at work is gone with the former one. */
export function resumeHealth(world: World, service: Service): void {
  const { spec, health, told } = service;
  if (told?.stopping) return;
  if (health === null) startHealth(world, service);
  else if (spec.health !== null && health.first > 0) armNext(world, service, health, spec.health);
}

/** No more checks of this run. What is known of it remains. */
export function stopHealth(world: World, service: Service): void {
  const { health } = service;
  if (health === null || health.first === 0) return;
  if (health.round === null) world.out.push({ type: "cancel", key: `health ${service.child}` });
  else cancelRound(world, service, health.round);
  health.round = null;
  health.first = 0;
  touch(world, service);
}

function cancelRound(world: World, service: Service, round: Round): void {
  for (let index = 0; round.flying >> index > 0; index++) {
    if (round.flying & (1 << index)) world.out.push({ type: "cancelProbe", key: probeKey(service, index) });
  }
}

/** The run is over. */
export function forgetHealth(world: World, service: Service): void {
  const { health } = service;
  if (health === null) return;
  stopHealth(world, service);
  setHealthy(world, service, health, null, "its run has ended");
  health.failures = 0;
  health.successes = 0;
  health.stretched = 1;
}

function armNext(world: World, service: Service, { first }: HealthState, { everyMs }: HealthSpec): void {
  const passed = Math.max(0, Math.floor((world.now - first) / everyMs) + 1);
  arm(world, service, first + passed * everyMs);
}

function arm(world: World, service: Service, at: number): void {
  world.out.push({ type: "arm", key: `health ${service.child}`, at });
}

// ---- a check

/** Its timer. */
export function healthDue(world: World, service: Service): void {
  const { spec, health } = service;
  if (spec.health === null || health === null || health.first === 0 || health.round !== null) return;
  if (mustLeave(service)) return; // It only waits for its turn to stop.
  const flying = 2 ** spec.health.probes.length - 1;
  health.round = { began: world.now, flying, again: 0, ok: true, found: [], reasons: [] };
  health.stretched = 1;
  for (let index = 0; index < spec.health.probes.length; index++) {
    ask(world, service, spec.health, index, spec.health.timeoutMs);
  }
}

function ask(world: World, service: Service, spec: HealthSpec, index: number, timeoutMs: number): void {
  const condition = spec.probes[index];
  if (condition === undefined) return;
  const probe = protocolProbe(service, condition);
  world.out.push({ type: "probe", key: probeKey(service, index), probe, timeoutMs });
}

function probeKey(service: Service, index: number): string {
  return `health ${service.child} ${index}`;
}

export function takeHealthAnswer(world: World, service: Service, index: number, answer: Answer): void {
  const { spec, health } = service;
  const bit = 1 << index;
  if (spec.health === null || health === null) return;
  const { round } = health;
  if (round === null || !(round.flying & bit)) return; // Late: nobody asks any more.
  const factor = answer.timedOut && !(round.again & bit) ? stretchFactor(answer.pressure) : 1;
  if (factor > 1) {
    askAgain(world, service, health, round, index, factor, answer.pressure);
    return;
  }
  round.flying &= ~bit;
  if (!answer.ok) round.ok = false;
  (answer.ok ? round.found : round.reasons).push(reasonText(spec.health, index, answer));
  if (round.flying === 0) endRound(world, service, spec.health, health, round);
}

function reasonText(spec: HealthSpec, index: number, { ok, reason }: Answer): string {
  const condition = spec.probes[index];
  const named = condition !== undefined && (!ok || (spec.probes.length > 1 && reason !== ""));
  return named ? `${probeText(condition)}: ${reason}` : reason;
}

function askAgain(
  world: World,
  service: Service,
  health: HealthState,
  round: Round,
  index: number,
  factor: number,
  pressure: number | null,
): void {
  const { health: spec } = service.spec;
  if (spec === null) return;
  const timeoutMs = spec.timeoutMs * factor;
  const given = `${starvedText(pressure)}: given ${durationText(timeoutMs)}`;
  round.again |= 1 << index;
  round.reasons.push(`no answer within ${durationText(spec.timeoutMs)}, ${given}`);
  health.stretched = Math.max(health.stretched, factor);
  ask(world, service, spec, index, timeoutMs);
}

/** All probes have answered. */
function endRound(
  world: World,
  service: Service,
  spec: HealthSpec,
  health: HealthState,
  { began, ok, found, reasons }: Round,
): void {
  health.round = null;
  const told = ok ? [...reasons, ...found] : reasons;
  const reason = told.filter((text) => text !== "").join("; ");
  health.last.push({ wall: world.wall, ok, tookMs: world.now - began, reason });
  if (health.last.length > HISTORY) health.last.shift();
  count(world, service, spec, health, ok);
  armNext(world, service, health, spec);
  if (service.watch !== null && !ok) service.watch.reason = reason;
  if (ok && health.healthy !== true && health.successes >= spec.successes) recovered(world, service, reason);
  if (!ok && health.healthy !== false && health.failures >= spec.failures) sickened(world, service, reason);
  // One good check is what its readiness waits for.
  if (ok && isHealthAwaited(service)) meet(world, service, conditionOf(service.spec));
}

/** What no rule asks for any more is not worth a record. */
function count(world: World, service: Service, spec: HealthSpec, health: HealthState, ok: boolean): void {
  const changes = ok
    ? health.failures > 0 || health.successes < spec.successes
    : health.successes > 0 || health.failures < spec.failures;
  health.successes = ok ? health.successes + 1 : 0;
  health.failures = ok ? 0 : health.failures + 1;
  if (changes) touch(world, service);
}

// ---- what follows

function recovered(world: World, service: Service, reason: string): void {
  const { health } = service;
  if (health === null) return;
  const again = health.healthy === false;
  const found = reason === "" ? "" : `: ${reason}`;
  setHealthy(world, service, health, true, `${again ? "healthy again" : "healthy"}${found}`);
  if (!again) return;
  noteState(world, service, `healthy again${found}`);
  tell(world, service, `healthy again${found}`);
}

function sickened(world: World, service: Service, reason: string): void {
  const { spec, health } = service;
  if (spec.health === null || health === null) return;
  const times = health.failures === 1 ? "a check failed" : `${health.failures} checks in a row failed, last`;
  const text = `${UNHEALTHY}: ${times}: ${reason}`;
  setHealthy(world, service, health, false, text);
  const action = spec.health.onFailure;
  if (action !== "mark") {
    const reason = { type: "unhealthy" as const, failures: health.failures };
    fire(world, service, "sick", { text, action, abort: false, reason });
    return;
  }
  noteState(world, service, text);
  tell(world, service, text);
}

function setHealthy(
  world: World,
  service: Service,
  health: HealthState,
  healthy: boolean | null,
  cause: string,
): void {
  if (health.healthy === healthy) return;
  publishHealth(world, service, healthWord(health.healthy), healthWord(healthy), cause);
  health.healthy = healthy;
  touch(world, service);
}

function healthWord(healthy: boolean | null): HealthWord {
  if (healthy === null) return "unknown";
  return healthy ? "healthy" : "unhealthy";
}
