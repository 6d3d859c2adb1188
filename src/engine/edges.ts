/**
 * The graph: who has to be up, or to have begun, before whom, as the definitions say it. All edges
 * are made anew after each change of them; what they count for is told in `order.ts`.
 */
import type { Following } from "../model/spec.ts";
import { type Edges, NO_EDGES, plannedSpec, type Service, type World } from "./world.ts";

/** Lists of those whom it follows and stops before. */
export const AHEAD = ["requires", "order", "begun", "loose"] as const satisfies readonly (keyof Edges)[];
/** Lists of those who follow it and stop before it. */
export const BEHIND = [
  "dependents",
  "successors",
  "begunFor",
  "looseFor",
] as const satisfies readonly (keyof Edges)[];

export function ahead({ edges }: Service): readonly (readonly Service[])[] {
  return AHEAD.map((list) => edges[list]);
}

export function behind({ edges }: Service): readonly (readonly Service[])[] {
  return BEHIND.map((list) => edges[list]);
}

// ---- making

/** Each pair once, whatever it is named by; a requirement says more than an order. */
export function linkAll(world: Pick<World, "services" | "byName" | "planned">): void {
  const { services, byName } = world;
  const follows = reverseBefore(world);
  for (const service of services) service.edges = NO_EDGES;
  for (const service of services) {
    const { name, requires, wants, after, conflicts, failWith } = plannedSpec(world, service);
    const reverse = follows.get(name) ?? NONE;
    const lists = [requires, wants, after, reverse, conflicts, failWith];
    if (lists.every((list) => list.length === 0)) continue; // As most are: no set is made for them.
    const following = (until: Following["until"]) =>
      after.filter((one) => one.until === until).map((one) => one.name);
    const required = requires.map((requirement) => requirement.name);
    const ordered = [...wants, ...following("ready"), ...reverse];
    const begun = following("begun");
    const linkEach = (
      names: readonly string[],
      but: readonly string[],
      forth: keyof Edges,
      back: keyof Edges,
    ) => {
      for (const other of new Set(names)) {
        if (!but.includes(other)) link(service, byName.get(other), forth, back);
      }
    };
    linkEach(required, [], "requires", "dependents");
    linkEach(ordered, required, "order", "successors");
    // Beside "ready": that lets pass what nobody wants up, this does not.
    linkEach(begun, required, "begun", "begunFor");
    linkEach(following("up"), required, "awaited", "awaitedBy");
    linkEach(following("any"), [...required, ...ordered, ...begun], "loose", "looseFor");
    for (const conflict of conflicts) linkConflict(service, byName.get(conflict.name));
    linkEach(failWith, [], "failWith", "failFor");
  }
}

const NONE: readonly string[] = Object.freeze([]);

/** Who names whom in `before`, the other way round. */
function reverseBefore(world: Pick<World, "services" | "planned">): Map<string, string[]> {
  const follows = new Map<string, string[]>();
  for (const service of world.services) {
    const spec = plannedSpec(world, service);
    for (const name of spec.before) {
      const followers = follows.get(name);
      if (followers === undefined) follows.set(name, [spec.name]);
      else followers.push(spec.name);
    }
  }
  return follows;
}

function link(from: Service, to: Service | undefined, forth: keyof Edges, back: keyof Edges): void {
  if (to === undefined || to === from) return;
  addNeighbour(from, forth, to);
  addNeighbour(to, back, from);
}

/** Both may name each other. */
function linkConflict(service: Service, other: Service | undefined): void {
  if (other === undefined || service.edges.conflicts.includes(other)) return;
  link(service, other, "conflicts", "conflicts");
}

/** Lists that stay empty stay shared. */
function addNeighbour(service: Service, list: keyof Edges, other: Service): void {
  if (service.edges === NO_EDGES) service.edges = { ...NO_EDGES };
  if (service.edges[list] === NO_EDGES[list]) service.edges[list] = [other];
  else service.edges[list].push(other);
}

// ---- taking away

/** It is no neighbour of anybody any more. */
export function dropEdges(service: Service): void {
  const { edges } = service;
  service.edges = NO_EDGES;
  for (const [forth, back] of MIRRORED) {
    for (const other of edges[forth]) other.edges[back] = without(other.edges[back], service);
  }
}

/** Each list of edges, and where its members have the same edge. */
const MIRRORED: readonly (readonly [keyof Edges, keyof Edges])[] = [
  ["requires", "dependents"],
  ["order", "successors"],
  ["begun", "begunFor"],
  ["awaited", "awaitedBy"],
  ["loose", "looseFor"],
  ["dependents", "requires"],
  ["successors", "order"],
  ["begunFor", "begun"],
  ["awaitedBy", "awaited"],
  ["looseFor", "loose"],
  ["conflicts", "conflicts"],
  ["failWith", "failFor"],
  ["failFor", "failWith"],
];

function without(services: readonly Service[], one: Service): Service[] {
  return services.filter((service) => service !== one);
}
