/**
 * What the start of the supervisor was like: when each service was started and ready for the first
 * time, and which neighbour it had waited for last. Numbers alone, side by side in three arrays,
 * because most services never have more to tell.
 *
 * A service's part is over with its first readiness, or when it came to rest without: what a
 * person starts an hour later is no part of the start. What was up only after such a one had come
 * back is none either.
 */
import type { Kind } from "../model/spec.ts";
import { causeOf, isoText } from "./causes.ts";
import { isReady } from "./order.ts";
import { isTarget, PUBLIC, type PublicState, type Service, touch, type World, wantsUp } from "./world.ts";

export interface BootLog {
  /** When it began, monotonic and wall clock, ms; 0: nobody knows any more. */
  began: number;
  beganWall: number;
  /** By a service's index, in tenths of ms from then on, 0: not yet. */
  started: Uint32Array;
  /** The same; `OVER`: it has no part in the start (any more). */
  ready: Uint32Array;
  /** The neighbour that released it last: its index + 1, 0: none. */
  releasers: Uint32Array;
}

const OVER = 0xffff_ffff;

/** One service's part. */
export interface BootService {
  readonly name: string;
  readonly kind: Kind;
  readonly state: PublicState;
  readonly wanted_at: string;
  readonly started_at: string | null;
  readonly ready_at: string | null;
  /** From the beginning to its start. */
  readonly waited_ms: number | null;
  /** From its start to its readiness. */
  readonly took_ms: number | null;
  /** Which one it had waited for when it could start; `null`: for none. */
  readonly released_by: string | null;
  readonly cause: string;
}

export interface BootReport {
  readonly started_at: string;
  /** Nobody who was to start is on the way any more. */
  readonly done: boolean;
  /** From the beginning to the last readiness. */
  readonly took_ms: number | null;
  /** The service that was ready last, the one that released it, and so on. */
  readonly chain: readonly BootService[];
  readonly failed: readonly BootService[];
  readonly waiting: readonly BootService[];
  readonly services: readonly BootService[];
}

export function makeBootLog(count: number): BootLog {
  return {
    began: 0,
    beganWall: 0,
    started: new Uint32Array(count),
    ready: new Uint32Array(count).fill(OVER),
    releasers: new Uint32Array(count),
  };
}

/** Services were added: they have no part. */
export function growBoot({ boot, services }: World): void {
  const former = boot.ready.length;
  if (services.length === former) return;
  const { started, ready, releasers } = makeBootLog(services.length);
  started.set(boot.started);
  ready.set(boot.ready);
  releasers.set(boot.releasers);
  Object.assign(boot, { started, ready, releasers });
}

/** The service of this index is gone, and those after it have moved up. */
export function dropFromBoot({ boot }: World, index: number): void {
  boot.started = withoutOne(boot.started, index);
  boot.ready = withoutOne(boot.ready, index);
  boot.releasers = withoutOne(boot.releasers, index).map((releaser) => {
    if (releaser === index + 1) return 0;
    return releaser > index + 1 ? releaser - 1 : releaser;
  });
}

function withoutOne(numbers: Uint32Array, index: number): Uint32Array {
  const fewer = numbers.slice(0, -1);
  fewer.set(numbers.subarray(index + 1), index);
  return fewer;
}

// ---- writing

/** The first brain begins: everybody may have a part. */
export function beginBoot(world: World): void {
  world.boot.began = world.now;
  world.boot.beganWall = world.wall;
  world.boot.ready.fill(0);
}

/** Goals stand: who is not wanted has no part. */
export function limitBoot(world: World): void {
  for (const service of world.services) {
    if (!wantsUp(service)) world.boot.ready[service.index] = OVER;
  }
}

function tenths(world: World): number {
  const passed = Math.round((world.now - world.boot.began) * 10);
  return Math.min(Math.max(passed, 0) + 1, OVER - 1);
}

/** A service has come into a state. */
export function noteBoot(world: World, service: Service): void {
  const { started, ready } = world.boot;
  const { index } = service;
  if (ready[index] !== 0) return;
  if (isReady(service)) {
    ready[index] = tenths(world);
    if (started[index] === 0) started[index] = tenths(world); // A target.
  } else if (PUBLIC[service.state] === "starting") {
    if (started[index] === 0) started[index] = tenths(world);
  } else if (service.state === "failed" || service.state === "exited" || service.state === "inactive") {
    ready[index] = OVER;
  }
}

/** `by` was the last that kept it from starting. */
export function noteRelease(world: World, service: Service, by: Service): void {
  const { started, ready, releasers } = world.boot;
  const { index } = service;
  if (ready[index] !== 0 || started[index] !== 0) return;
  releasers[index] = by.index + 1;
  if (ready[by.index] === OVER && isReady(by)) ready[index] = OVER;
  touch(world, service);
}

/** For the slate, with the releaser's name, since its index may be another then; `undefined`: it has no part. */
export function saveBoot({ index }: Service, { boot, services }: World): unknown {
  if (boot.ready[index] === OVER && boot.started[index] === 0) return undefined;
  const releaser = services[(boot.releasers[index] ?? 0) - 1];
  return [boot.started[index], boot.ready[index], releaser?.spec.name ?? 0];
}

export function loadBoot({ index }: Service, value: unknown, { boot, byName }: World): boolean {
  if (!Array.isArray(value)) return false;
  const [started, ready, releaser]: unknown[] = value;
  if (!isCount(started) || !isCount(ready)) return false;
  if (typeof releaser !== "string" && releaser !== 0) return false;
  boot.started[index] = started;
  boot.ready[index] = ready;
  // It may be gone from the configuration.
  const found = releaser === 0 ? undefined : byName.get(releaser);
  boot.releasers[index] = found === undefined ? 0 : found.index + 1;
  return true;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= OVER;
}

// ---- reading

export function bootReport(world: World): BootReport {
  const { boot } = world;
  const part = (service: Service) => bootService(world, service);
  const members = world.services.filter(({ index }) => boot.started[index] !== 0 || boot.ready[index] === 0);
  const last = lastReady(world);
  const waiting = members.filter(({ index }) => boot.ready[index] === 0);
  const failed = world.services.filter(({ index, state }) => state === "failed" && boot.started[index] !== 0);
  return {
    started_at: isoText(boot.beganWall),
    done: waiting.length === 0,
    took_ms: last === null ? null : since(boot.ready[last.index]),
    chain: last === null ? [] : chainFrom(world, last).map(part),
    failed: failed.map(part),
    waiting: waiting.map(part),
    services: members.map(part),
  };
}

function bootService(world: World, service: Service): BootService {
  const { boot } = world;
  const { spec, index } = service;
  const waited = since(boot.started[index]);
  const upAfter = since(boot.ready[index]);
  return {
    name: spec.name,
    kind: spec.kind,
    state: PUBLIC[service.state],
    wanted_at: isoText(boot.beganWall),
    started_at: waited === null ? null : isoText(boot.beganWall + waited),
    ready_at: upAfter === null ? null : isoText(boot.beganWall + upAfter),
    waited_ms: waited,
    took_ms: upAfter === null || waited === null ? null : Math.round((upAfter - waited) * 10) / 10,
    released_by: releaserOf(world, service)?.spec.name ?? null,
    cause: causeOf(service),
  };
}

/** Milliseconds, if it has happened. */
function since(tenths = 0): number | null {
  return tenths === 0 || tenths === OVER ? null : (tenths - 1) / 10;
}

function lastReady({ boot, services }: World): Service | null {
  let last: Service | null = null;
  for (const service of services) {
    const ready = boot.ready[service.index] ?? OVER;
    // A target is up with its last member, which says more.
    if (ready === 0 || ready === OVER || isTarget(service)) continue;
    if (last === null || ready > (boot.ready[last.index] ?? 0)) last = service;
  }
  return last;
}

/** Who never started released nobody: it was not wanted. */
function releaserOf({ boot, services }: World, { index }: Service): Service | null {
  const releaser = services[(boot.releasers[index] ?? 0) - 1];
  return releaser === undefined || boot.started[releaser.index] === 0 ? null : releaser;
}

function chainFrom(world: World, last: Service): Service[] {
  const chain = new Set<Service>();
  for (let next: Service | null = last; next !== null && !chain.has(next); next = releaserOf(world, next)) {
    chain.add(next);
  }
  return [...chain];
}
