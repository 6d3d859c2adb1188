/**
 * From what is asked to goals: who goes up with it, who goes down with it.
 *
 * Up: what it requires and wants, transitively. Down: what requires it, transitively. Each walk
 * sets the wishes of all it reaches and tells them by an input of the table; what they do about it
 * comes afterwards, when all goals stand.
 */
import { note } from "./causes.ts";
import { endFellows } from "./fellows.ts";
import { dropTurn, markAutomatic } from "./gate.ts";
import { fire } from "./lifecycle.ts";
import { setWish, spread } from "./order.ts";
import {
  type Demand,
  hasEnded,
  heldText,
  isDoomed,
  isLive,
  isTarget,
  mustLeave,
  type Named,
  ownPast,
  pinnedUp,
  plannedSpec,
  type Service,
  startsAlong,
  touch,
  type World,
  wantsUp,
  yieldsTo,
} from "./world.ts";

/** The services of an ask. A name that is not configured is the API's business. */
export function namedServices(world: World, names: readonly string[], because: string): Named[] {
  const named: Named[] = [];
  for (const name of new Set(names)) {
    const service = world.byName.get(name);
    if (service !== undefined) named.push({ service, because });
  }
  return named;
}

/** A target that is asked to stop or restart stands for its members, and they for theirs. */
function withMembers(world: World, named: readonly Named[]): Named[] {
  const all = [...named];
  const seen = new Set(all.map(({ service }) => service));
  for (let index = 0; index < all.length; index++) {
    const entry = all[index];
    if (entry === undefined || !isTarget(entry.service)) continue;
    for (const service of neededBy(world, entry.service)) {
      if (seen.has(service)) continue;
      seen.add(service);
      all.push({ service, because: `part of ${entry.service.spec.name}: ${entry.because}` });
    }
  }
  return all;
}

/** What it starts along: what it requires, but for what it only waits for, and what it wants. */
function neededBy(world: World, service: Service): Service[] {
  const { requires, wants } = plannedSpec(world, service);
  const all = requires.every(({ start }) => start);
  const along = all
    ? service.edges.requires
    : service.edges.requires.filter((other) => startsAlong(world, service, other));
  if (wants.length === 0) return along;
  const wanted = wants.map((name) => world.byName.get(name));
  return [...along, ...wanted.filter((other) => other !== undefined)];
}

export function meetDemand(world: World, demand: Exclude<Demand, { type: "shutdown" }>): void {
  if (world.shutdown.phase !== "running") return; // Everything is down or on its way already.
  switch (demand.type) {
    case "start":
      raise(world, demand.named, "asked");
      break;
    case "go on":
      raise(world, demand.named, "asked on");
      break;
    case "handle":
      raise(world, demand.named, "handler");
      break;
    case "stop":
      lower(world, withMembers(world, demand.named), "down");
      break;
    case "restart": {
      // What a person does not let start would not come again.
      const named = withMembers(world, demand.named).filter(({ service, because }) =>
        mayBeNamed(world, service, because),
      );
      lower(world, named, "again");
      raise(world, named, "asked");
      break;
    }
    case "lost":
      takeAlong(world, demand.service, demand.because, true);
      break;
    case "abandon":
      takeAlong(world, demand.service, demand.because, false);
      break;
    case "failed":
      endFellows(world, demand);
      break;
    case "support":
      support(world, demand.service);
      break;
    case "remove":
      remove(world, demand.named);
      break;
    case "renew":
      renew(world, demand.service, demand.because);
      break;
    case "refit":
      refit(world, demand.service);
      break;
    case "unpinned":
      dropUnmet(world, demand.service, "is down");
      break;
  }
}

/**
 * For whose sake something is needed. What is asked for comes up with all it needs, at once, by a
 * new chance unless it was asked to go on with what it had. For a
 * failure's handler what has failed remains so; and neither a handler nor a pin, which nobody speaks
 * for just now, lets what it needs past the restart budget.
 */
type Sake = "asked" | "asked on" | "handler" | "pin";

/** Sets goals up: the named ones, and all that they need. */
function raise(world: World, asked: readonly Named[], sake: Sake): void {
  const named = asked.filter(({ service, because }) => mayBeNamed(world, service, because));
  raiseAll(world, named, named.length, sake);
}

/** What a person does not let start is left alone; who needs it waits. */
function mayBeNamed(world: World, service: Service, because: string): boolean {
  const held = isDoomed(world, service) ? "is being removed" : heldText(service);
  if (held !== null) note(world, service, `${because}, but it ${held}`);
  return held === null;
}

/** What it needs goes up, whether or not it can be started itself. */
function support(world: World, service: Service): void {
  const because = `needed by ${service.spec.name}`;
  const needs = neededBy(world, service).map((other) => ({ service: other, because }));
  raiseAll(world, needs, 0, "pin");
}

/** The first so many of `first` were named. */
function raiseAll(world: World, first: readonly Named[], count: number, sake: Sake): void {
  const reached = [...first];
  const seen = new Set(reached.map(({ service }) => service));
  let beaten = false;
  for (let index = 0; index < reached.length; index++) {
    const entry = reached[index];
    if (entry === undefined) break;
    const { service, because } = entry;
    if (isDoomed(world, service)) continue;
    const named = index < count;
    if (sake === "handler" && !named && service.state === "failed") setWish(world, service, "up");
    else {
      if (named && sake !== "asked on") startAfresh(world, service);
      raiseOne(world, service, because, named, named || sake === "asked" || sake === "asked on");
    }
    if (stopConflicting(world, service)) beaten = true;
    for (const other of neededBy(world, service)) {
      if (seen.has(other)) continue;
      seen.add(other);
      reached.push({ service: other, because: `needed by ${service.spec.name}` });
    }
  }
  if (!beaten) return;
  for (const { service } of reached) dropUnmet(world, service, "something conflicts with");
}

/** What was reached after its requirement had been beaten by a conflict does not stay up without it. */
function dropUnmet(world: World, service: Service, why: string): void {
  const unmet = service.edges.requires.find(
    (other) => !wantsUp(other) && !isDoomed(world, other) && !mayLack(world, service, other),
  );
  if (!wantsUp(service) || unmet === undefined || pinnedUp(service)) return;
  const because = `requires ${unmet.spec.name}, which ${why}`;
  lower(world, [{ service, because }], "down");
}

/** It waits, or is about to, for what it does not start along, wanted or not. */
function mayLack(world: World, service: Service, other: Service): boolean {
  const waits = service.state === "waiting" || service.wish === "again";
  return waits && !startsAlong(world, service, other);
}

/** `free`: somebody asks for it, so it need not stand in line for the budget. */
function raiseOne(world: World, service: Service, because: string, named: boolean, free: boolean): void {
  if (service.wish === "leave") note(world, service, `${because}, after its stop`);
  if (free && isPaidFor(service, named)) {
    note(world, service, because);
    dropTurn(world, service);
  }
  setWish(world, service, mustLeave(service) ? "again" : "up");
  if (named) fire(world, service, "start", because);
  else fire(world, service, "need", because);
}

/**
 * What somebody asks for costs no restart of the budget. A backoff that goes on because it is only
 * needed still ends in one, and who waits for its turn to start keeps its place.
 */
function isPaidFor({ turn, state }: Service, named: boolean): boolean {
  return turn?.automatic === true && (named || state !== "backoff");
}

/** Who asks for a start by name gives it a new chance: former failures do not count. */
function startAfresh(world: World, service: Service): void {
  if (service.past.streak === 0 && service.past.times.length === 0) return;
  const past = ownPast(service);
  past.streak = 0;
  past.times = [];
  touch(world, service);
  spread(world, service);
}

/** Starting one stops the other, or is given up if that one is held up. True if there was one. */
function stopConflicting(world: World, service: Service): boolean {
  const rivals = service.edges.conflicts.filter(
    (other) => wantsUp(other) && !yieldsTo(world, service, other),
  );
  const strong = rivals.find(pinnedUp);
  if (strong !== undefined && wantsUp(service)) {
    const because = `conflicts with ${strong.spec.name}, which is pinned up`;
    lower(world, [{ service, because }], "down");
    return true;
  }
  let found = false;
  for (const other of rivals) {
    if (!wantsUp(other)) continue; // Gone with one before it.
    lower(world, [{ service: other, because: `conflicts with ${service.spec.name}` }], "down");
    found = true;
  }
  return found;
}

/**
 * Sets goals down, of the named ones and of all that require them; or lets those of them that are
 * up leave and come again. What is done (a task) or failed is passed through: it has nothing to
 * stop, but what requires it requires, through it, the named ones.
 */
function lower(world: World, named: readonly Named[], to: "down" | "again"): void {
  const reached = [...named];
  const seen = new Set(reached.map(({ service }) => service));
  for (let index = 0; index < reached.length; index++) {
    const entry = reached[index];
    if (entry === undefined) break;
    const { service, because } = entry;
    if (to === "down" && pinnedUp(service)) continue;
    const dependents = service.edges.dependents.filter(
      (other) => wantsUp(other) && !pinnedUp(other) && !seen.has(other) && !mayLack(world, other, service),
    );
    lowerOne(world, entry, to, index < named.length);
    for (const other of dependents) {
      seen.add(other);
      reached.push({ service: other, because: passedOn(service.spec.name, because) });
    }
  }
}

/** `requires db: stop asked …`, and further on `requires api, because of db: stop asked …`. */
function passedOn(name: string, because: string): string {
  const [, root, cause] = /^requires (?:\S+, because of )?(\S+): (.*)$/.exec(because) ?? [];
  return root === undefined
    ? `requires ${name}: ${because}`
    : `requires ${name}, because of ${root}: ${cause}`;
}

function lowerOne(world: World, { service, because }: Named, to: "down" | "again", named: boolean): void {
  // What has ended is judged by how it ended, unless it is the one that is asked for.
  if (to === "again" && (!wantsUp(service) || (!named && hasEnded(service)))) return;
  dropTurn(world, service);
  if (to === "down") setWish(world, service, isLive(service) ? "leave" : "down");
  else if (isLive(service)) setWish(world, service, "again");
  fire(world, service, "halt", { because, named });
}

/**
 * A service is gone without being asked. Its dependents that are up leave, and come again when it
 * is back: those that are bound to it, or all of them.
 */
function takeAlong(world: World, gone: Service, because: string, onlyBound: boolean): void {
  const reached = [gone];
  const seen = new Set(reached);
  for (let index = 0; index < reached.length; index++) {
    const service = reached[index];
    if (service === undefined) break;
    for (const other of service.edges.dependents) {
      if (seen.has(other) || !wantsUp(other) || pinnedUp(other)) continue;
      if (onlyBound && !isBound(world, other, service)) continue;
      seen.add(other);
      reached.push(other);
      if (!isLive(other) || mustLeave(other) || hasEnded(other)) continue;
      setWish(world, other, "again");
      markAutomatic(world, other);
      fire(world, other, "halt", { because, named: false });
    }
  }
}

function isBound(world: World, dependent: Service, requirement: Service): boolean {
  return plannedSpec(world, dependent).requires.some(
    ({ name, bind }) => bind && name === requirement.spec.name,
  );
}

// ---- another set of services

/** All of them go down before anybody else leaves because of it. */
function remove(world: World, named: readonly Named[]): void {
  for (const entry of named) lowerOne(world, entry, "down", true);
  for (const { service, because } of named) {
    takeAlong(world, service, passedOn(service.spec.name, because), false);
  }
}

/** Defined anew and wanted: its run leaves, and another comes. */
function renew(world: World, service: Service, because: string): void {
  if (!isLive(service) || isDoomed(world, service)) return;
  startAfresh(world, service);
  dropTurn(world, service);
  setWish(world, service, "again");
  fire(world, service, "halt", { because, named: true });
}

/** Its neighbours are others than when it went up. */
function refit(world: World, service: Service): void {
  if (!wantsUp(service)) return;
  stopConflicting(world, service);
  if (!wantsUp(service) || pinnedUp(service)) return;
  const because = `needed by ${service.spec.name}`;
  const unmet = service.edges.requires.filter(
    (other) => !wantsUp(other) && startsAlong(world, service, other),
  );
  raiseAll(
    world,
    unmet.map((other) => ({ service: other, because })),
    0,
    "asked",
  );
  if (unmet.some((other) => !wantsUp(other))) dropUnmet(world, service, "something conflicts with");
}
