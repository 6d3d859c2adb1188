/** The world as people and programs see it: nothing here changes anything. */
import type { Exit } from "../generated/protocol.ts";
import type { Kind } from "../model/spec.ts";
import { answerOf } from "./answer.ts";
import { causeOf, chainOf, isoText } from "./causes.ts";
import { isDelayed } from "./delay.ts";
import { budgetTime } from "./gate.ts";
import { isHindered, type Obstacle } from "./guard.ts";
import { newHealth, UNHEALTHY } from "./health.ts";
import { isBroken, isReady, waitsFor } from "./order.ts";
import { type RunView, runsOf } from "./schedule.ts";
import { NOT_ENDED } from "./text.ts";
import {
  mustLeave,
  PUBLIC,
  type PublicState,
  plannedSpec,
  type Reason,
  type Service,
  type World,
  wantsUp,
} from "./world.ts";

export interface Clock {
  /** CLOCK_MONOTONIC, ms. Everything that is decided by time is decided by this one. */
  readonly now: number;
  /** Wall clock, ms since 1970. For display alone. */
  readonly wall: number;
}

/** A service as the API shows it (`Service` in `docs/json.md`). */
export interface ServiceView {
  readonly name: string;
  readonly kind: Kind;
  readonly state: PublicState;
  readonly ready: boolean;
  readonly healthy: boolean | null;
  readonly pid: number | null;
  readonly started_at: string | null;
  readonly uptime_ms: number | null;
  /** Restarts that the supervisor made by itself. */
  readonly restarts: number;
  /** How its last run ended. */
  readonly exit: (Exit & { readonly at: string }) | null;
  readonly waiting_for: readonly string[];
  readonly next_start_at: string | null;
  /** What it is meant to be. */
  readonly goal: "up" | "down";
  /** Held by a person, whatever the rules say. */
  readonly pinned: "up" | "down" | null;
  readonly masked: boolean;
  readonly cause: string;
  /** What its guard has found in the way; first the port, then the processes. */
  readonly obstacle: Obstacle | null;
  /** Of `failed` and `backoff`, and of what was stopped in them. */
  readonly reason: Reason | null;
  /** What it told of itself last (`STATUS=`). */
  readonly status: string | null;
  /** It told that it reads its configuration again. */
  readonly reloading: boolean;
  readonly health: HealthView | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** Its health checks; a check that no service makes is not there. */
export interface HealthView {
  readonly healthy: boolean | null;
  readonly failures_in_row: number;
  readonly successes_in_row: number;
  /** How many times as long the last check was given, because the machine was starved. */
  readonly stretched: number | null;
  /** Oldest first. */
  readonly last: readonly {
    readonly time: string;
    readonly ok: boolean;
    readonly took_ms: number;
    readonly reason: string;
  }[];
}

export interface WhyEntry {
  readonly time: string;
  readonly service: string;
  readonly what: string;
  readonly because: string;
}

export interface Why {
  readonly service: string;
  readonly state: PublicState;
  /** In one sentence that the service's name begins: what it does, because of what, how long. */
  readonly answer: string;
  /** From the effect to its causes: newest first, then the same of each service it waits for. */
  readonly chain: readonly WhyEntry[];
  /** Of a task with a schedule, newest first. */
  readonly runs: readonly RunView[];
  readonly health: HealthView | null;
}

export interface Graph {
  readonly services: readonly {
    readonly name: string;
    readonly requires: readonly string[];
    readonly wants: readonly string[];
    readonly after: readonly string[];
    readonly conflicts: readonly string[];
  }[];
}

export interface Health {
  readonly ok: boolean;
  readonly reasons: readonly string[];
}

export type Outcome = "pending" | "done" | { readonly failed: string };

/** How far `why` follows, and how much it tells of each service it comes by. */
const WHY_SERVICES = 32;
const WHY_ENTRIES = 3;

export function viewOf(world: World, service: Service, clock: Clock): ServiceView {
  const { spec, pid, past } = service;
  const runs = pid !== 0;
  return {
    name: spec.name,
    kind: spec.kind,
    state: PUBLIC[service.state],
    ready: isReady(service),
    healthy: service.health?.healthy ?? null,
    pid: runs ? pid : null,
    started_at: runs ? isoText(service.startedWall) : null,
    uptime_ms: runs ? Math.max(0, Math.round(clock.now - service.started)) : null,
    restarts: past.restarts,
    exit: past.exit === null ? null : { ...past.exit, at: isoText(past.exitWall) },
    waiting_for: waitsFor(service).map((other) => other.spec.name),
    next_start_at: nextStart(world, service, clock),
    goal: wantsUp(service) ? "up" : "down",
    pinned: service.pin?.state ?? null,
    masked: service.pin?.masked ?? false,
    cause: causeOf(service),
    obstacle: service.look?.obstacle ?? null,
    reason: reasonOf(service),
    status: service.state === "inactive" ? null : (service.told?.status ?? null),
    reloading: runs && (service.told?.reloading ?? false),
    health: healthView(service),
    labels: plannedSpec(world, service).labels,
  };
}

function reasonOf({ state, past }: Service): Reason | null {
  return state === "failed" || state === "backoff" || state === "inactive" ? past.reason : null;
}

function nextStart(world: World, service: Service, clock: Clock): string | null {
  // Whatever comes due, it is not started.
  if (service.pin?.masked || service.pin?.state === "down") return null;
  const isTimed = service.state === "backoff" || isDelayed(service);
  const at = isTimed ? service.deadline : budgetTime(world, service);
  if (at !== null) return isoText(clock.wall + Math.max(0, at - clock.now));
  return service.occasions?.next ? isoText(service.occasions.next) : null;
}

function healthView({ spec, health }: Service): HealthView | null {
  if (spec.health === null) return null;
  const { healthy, failures, successes, stretched, last } = health ?? newHealth();
  return {
    healthy,
    failures_in_row: failures,
    successes_in_row: successes,
    stretched: stretched > 1 ? stretched : null,
    last: last.map(({ wall, ok, tookMs, reason }) => ({
      time: isoText(wall),
      ok,
      took_ms: Math.round(tookMs),
      reason,
    })),
  };
}

/** Breadth first over what it waits for, each service once. */
export function whyOf(world: World, service: Service, clock: Clock): Why {
  const chain: WhyEntry[] = [];
  const reached = [service];
  const seen = new Set(reached);
  for (let index = 0; index < reached.length && index < WHY_SERVICES; index++) {
    const other = reached[index];
    if (other === undefined) break;
    chain.push(...entriesOf(other, index === 0 ? Number.POSITIVE_INFINITY : WHY_ENTRIES));
    for (const next of waitsFor(other)) {
      if (seen.has(next)) continue;
      seen.add(next);
      reached.push(next);
    }
  }
  const answer = answerOf(world, service, clock);
  return {
    service: service.spec.name,
    state: PUBLIC[service.state],
    answer,
    chain,
    health: healthView(service),
    runs: runsOf(service),
  };
}

/** Newest first. */
function entriesOf(service: Service, limit: number): WhyEntry[] {
  const entries = chainOf(service).reverse().slice(0, limit);
  return entries.map(({ wall, what, because }) => ({
    time: isoText(wall),
    service: service.spec.name,
    what,
    because,
  }));
}

export function graphOf(world: World): Graph {
  return {
    services: world.services.map((service) => {
      const { name, requires, wants, conflicts } = plannedSpec(world, service);
      const after = afterOf(world, service);
      return {
        name,
        requires: requires.map((other) => other.name),
        wants,
        after,
        conflicts: conflicts.map((other) => other.name),
      };
    }),
  };
}

/** Its own `after` and the `before` of others. */
function afterOf(world: World, service: Service): string[] {
  const { name, wants, after: followings } = plannedSpec(world, service);
  const after = followings.map((following) => following.name);
  const reverse = service.edges.order
    .filter((other) => plannedSpec(world, other).before.includes(name))
    .map((other) => other.spec.name);
  return [...new Set([...after, ...reverse])].filter(
    (other) => after.includes(other) || !wants.includes(other),
  );
}

/** What should run and has failed, or can never run as things are. */
export function healthOf(world: World): Health {
  const reasons: string[] = [];
  if (world.shutdown.phase !== "running") reasons.push("the supervisor is shutting down");
  for (const service of world.services) {
    if (!wantsUp(service)) continue;
    if (service.health?.healthy === false) reasons.push(`${service.spec.name} ${unhealthyText(service)}`);
    if (!isBroken(service)) continue;
    if (service.state === "exited") continue; // Ended with success, and is not meant to come again.
    reasons.push(`${service.spec.name} ${service.state === "failed" ? "failed: " : ""}${causeOf(service)}`);
  }
  return { ok: reasons.length === 0, reasons };
}

/** Others may have had a say since its checks had theirs. */
function unhealthyText(service: Service): string {
  return chainOf(service).findLast(({ because }) => because.startsWith(UNHEALTHY))?.because ?? UNHEALTHY;
}

/** Has an ask come to its end? */
export function outcomeOf(world: World, service: Service, want: "up" | "down"): Outcome {
  return want === "up" ? upOutcome(world, service) : downOutcome(service);
}

function upOutcome(world: World, service: Service): Outcome {
  const cause = causeOf(service);
  if (world.shutdown.phase !== "running") return { failed: "the supervisor is shutting down" };
  if (!wantsUp(service)) return { failed: cause };
  if (mustLeave(service)) return "pending";
  if (isReady(service)) return "done";
  switch (service.state) {
    case "exited":
      // It ran and ended with success; that it was ready meanwhile is certain only without conditions.
      return service.spec.ready.length === 0 ? "done" : { failed: cause };
    case "failed":
    case "backoff":
      return { failed: cause };
    case "waiting":
      return isBroken(service) || isHindered(service) ? { failed: cause } : "pending";
    default:
      return isCrashing(service) ? { failed: cause } : "pending";
  }
}

/** Without a restart-delay there is no backoff to see: it failed, and is on its next try. */
function isCrashing(service: Service): boolean {
  return service.past.streak > 0;
}

function downOutcome(service: Service): Outcome {
  const cause = causeOf(service);
  if (mustLeave(service)) return "pending";
  if (wantsUp(service)) return { failed: `wanted again: ${cause}` };
  return service.state === "failed" && cause.startsWith(NOT_ENDED) ? { failed: cause } : "done";
}
