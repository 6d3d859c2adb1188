/**
 * Another set of services, while they run.
 *
 * NEW DEFINITIONS. What has no run takes its new definition at once. A run keeps the one that it
 * has begun with to its very end, with its hooks and its stop settings (`Service.spec`); the new
 * one waits in `World.planned` and is taken before the end is judged. Edges and logs, which belong
 * to no run, are those of the new one at once.
 *
 * REMOVED SERVICES are doomed: they leave, what requires them first, and keep their name and their
 * edges until nothing of them is left. Then they are forgotten with log, record and edges.
 *
 * After a change all edges and counts are made anew, as in a fresh brain, so that no change of
 * edges is a case of its own. The configuration goes to the nucleus in the step that changes it,
 * with what runs at work have begun with; so a fresh brain finds it together with the records.
 */
import { withDefaults } from "../model/defaults.ts";
import type { Config, ServiceSpec, SparseSpec } from "../model/spec.ts";
import { dropFromBoot, growBoot } from "./boot.ts";
import { enter, publishChange } from "./causes.ts";
import { endDelay } from "./delay.ts";
import { linkAll } from "./edges.ts";
import { findFaults, judgeFaults } from "./faults.ts";
import { rankAgain } from "./gate.ts";
import { endLook } from "./guard.ts";
import { closeLogs, hasLog, logOptions, openLog } from "./logs.ts";
import { dropFds } from "./notify.ts";
import { resetCounts, settleFacts, unlink } from "./order.ts";
import { endSchedule, reschedule } from "./schedule.ts";
import { dropRecord } from "./slate.ts";
import {
  heldText,
  isLive,
  isTarget,
  mustLeave,
  type Named,
  pinnedUp,
  plannedSpec,
  pushFact,
  pushWork,
  remainsUp,
  Service,
  touch,
  type World,
  wantsUp,
} from "./world.ts";

/** Another set of services, at once and all together. */
export interface ChangeAsk {
  readonly type: "change";
  /** New names are added, and started if `autostart`. Known ones are defined anew. */
  readonly set: readonly SparseSpec[];
  /** Stopped, what requires them first, and forgotten. */
  readonly remove: readonly string[];
  /**
   * True: what is defined anew leaves and comes again (also what was down, if `autostart`); false:
   * the definition applies from its next start on. Logs and edges change at once.
   */
  readonly restart: boolean;
  readonly because: string;
}

/** A name that is both set and removed is set. */
export function takeChange(world: World, ask: ChangeAsk): void {
  if (world.shutdown.phase !== "running" || world.supervisor.single) return;
  const because = `change ${ask.because}`;
  const definitions = new Map(ask.set.map((sparse) => [sparse.name, sparse]));
  const removed = removedBy(world, ask, definitions);
  if (definitions.size + removed.length === 0) return;
  const added: Service[] = [];
  const changed: Service[] = [];
  for (const sparse of definitions.values()) {
    const known = world.byName.get(sparse.name);
    if (known === undefined) added.push(add(world, sparse));
    else (define(world, known, sparse) ? added : changed).push(known);
  }
  for (const service of removed) doom(world, service);
  for (const service of added) publishChange(world, service, "added", because);
  for (const service of changed) publishChange(world, service, "changed", because);
  growBoot(world);
  relink(world);
  judgeFaults(world, because);
  demandRemoval(world, removed, `removal ${ask.because}`);
  demandStarts(world, added, ask.restart ? changed : [], because);
  demandFit(world, [...added, ...changed]);
  world.configTouched = true;
}

function removedBy(
  { byName, doomed }: World,
  { remove }: ChangeAsk,
  definitions: ReadonlyMap<string, SparseSpec>,
): Service[] {
  const services = [...new Set(remove)].map((name) => (definitions.has(name) ? undefined : byName.get(name)));
  return services.filter((service) => service !== undefined && !doomed.has(service)) as Service[];
}

// ---- the set

function add(world: World, sparse: SparseSpec): Service {
  const service = new Service(withDefaults(sparse), world.services.length);
  world.services.push(service);
  world.byName.set(sparse.name, service);
  openLog(world, service);
  reschedule(world, service, null);
  touch(world, service);
  return service;
}

/** True if it was about to be forgotten, and so is as good as new. */
function define(world: World, service: Service, sparse: SparseSpec): boolean {
  const spec = withDefaults(sparse);
  const former = plannedSpec(world, service);
  const wasDoomed = world.doomed.delete(service);
  const hasRun = isLive(service) && !(isTarget(service) && spec.kind === "target");
  if (hasRun) world.planned.set(service, spec);
  else {
    world.planned.delete(service); // A target may have been about to become something else.
    takeSpec(world, service, spec);
  }
  if (JSON.stringify(logOptions(spec)) !== JSON.stringify(logOptions(former))) openLog(world, service);
  touch(world, service);
  return wasDoomed;
}

/** Its run is over, or it has none: from here on it is what is configured. */
export function takePlanned(world: World, service: Service): void {
  const spec = world.planned.get(service);
  if (spec === undefined) return;
  world.planned.delete(service);
  takeSpec(world, service, spec);
}

function takeSpec(world: World, service: Service, spec: ServiceSpec): void {
  const former = service.spec;
  service.spec = spec;
  endDelay(world, service);
  endLook(world, service); // For what was in the way of the former one.
  reschedule(world, service, former.schedule);
  touch(world, service);
  if (former.kind === spec.kind) {
    if (service.state === "exited" && pinnedUp(service) && !remainsUp(service)) {
      enter(world, service, "waiting", "is pinned up, and does not remain after its exit any more");
    }
    return;
  }
  if (hasLog(former) && !hasLog(spec)) closeLogs(world, service);
  if (!hasLog(former)) openLog(world, service);
  // What it has done is not what it is to do now.
  if (service.state === "exited") {
    enter(world, service, wantsUp(service) ? "waiting" : "inactive", `is a ${spec.kind} now`);
  }
}

function doom(world: World, service: Service): void {
  world.planned.delete(service);
  world.doomed.add(service);
  service.pin = null;
  endSchedule(world, service);
  touch(world, service);
}

/** Forgets what has been removed and has left. False if there was nothing to forget. */
export function dropGone(world: World): boolean {
  if (world.doomed.size === 0) return false;
  const gone = [...world.doomed].filter((service) => !isLive(service));
  for (const service of gone) drop(world, service);
  return gone.length > 0;
}

function drop(world: World, service: Service): void {
  unlink(world, service);
  world.doomed.delete(service);
  world.byName.delete(service.spec.name);
  world.services.splice(service.index, 1);
  for (let index = service.index; index < world.services.length; index++) {
    const other = world.services[index];
    if (other !== undefined) other.index = index;
  }
  dropFromBoot(world, service.index);
  service.turn = null;
  rankAgain(world);
  dropFds(world, service);
  closeLogs(world, service);
  publishChange(world, service, "removed", "nothing of it is left");
  dropRecord(world, service);
}

// ---- edges

/** All edges and counts anew. */
function relink(world: World): void {
  linkAll(world);
  findFaults(world);
  rankAgain(world);
  for (const service of world.services) {
    resetCounts(service);
    pushFact(world, service);
    if (service.state === "waiting" || mustLeave(service)) pushWork(world, service);
  }
  settleFacts(world);
}

// ---- goals

function demandRemoval(world: World, removed: readonly Service[], because: string): void {
  if (removed.length === 0) return;
  world.demands.push({ type: "remove", named: removed.map((service) => ({ service, because })) });
}

function demandStarts(
  world: World,
  added: readonly Service[],
  renewed: readonly Service[],
  because: string,
): void {
  const named: Named[] = [];
  for (const service of added) {
    if (plannedSpec(world, service).autostart) named.push({ service, because });
  }
  for (const service of renewed) {
    if (wantsUp(service) || plannedSpec(world, service).autostart) named.push({ service, because });
  }
  // What a person does not let start would not come again.
  const free = named.filter(({ service }) => heldText(service) === null);
  for (const { service } of free.filter((entry) => isLive(entry.service))) {
    world.demands.push({ type: "renew", service, because });
  }
  const starts = free.filter(({ service }) => !isLive(service));
  if (starts.length > 0) world.demands.push({ type: "start", named: starts });
}

/** What is up has to have what it requires, and nothing that it conflicts with beside it. */
function demandFit(world: World, defined: readonly Service[]): void {
  const fit = new Set(defined);
  for (const service of world.services) {
    if (service.edges.requires.some((other) => !wantsUp(other))) fit.add(service);
  }
  for (const service of fit) world.demands.push({ type: "refit", service });
}

// ---- what the nucleus keeps

/** Once at the end of a step that changed it. */
export function keepConfig(world: World): void {
  if (!world.configTouched) return;
  world.configTouched = false;
  world.out.push({ type: "keepConfig", config: configOf(world) });
}

/** Specs are written as they came: what has its default is not their own (`withDefaults`). */
function configOf(world: World): Config {
  const configured = world.services.filter((service) => !world.doomed.has(service));
  const former = [...world.planned.keys(), ...world.doomed].filter(isLive);
  return {
    ...world.settings,
    services: configured.map((service) => plannedSpec(world, service)),
    ...(former.length > 0 ? { former: former.map(({ spec }) => spec) } : {}),
  };
}
