/** What can only be said about all definitions together. */
import type { Definition, Relation } from "../dialects/dialect.ts";
import { didYouMean } from "../model/suggest.ts";
import { type Issues, showPlace } from "./issues.ts";

type ByName = ReadonlyMap<string, Definition>;

export function checkGraph(definitions: readonly Definition[], issues: Issues): void {
  const byName = new Map<string, Definition>();
  for (const definition of definitions) {
    const first = byName.get(definition.name);
    if (!first) byName.set(definition.name, definition);
    else reportTwice(definition, first, issues);
  }
  for (const definition of byName.values()) checkNames(definition, byName, issues);
  for (const definition of byName.values()) checkHandler(definition, byName, issues);
  checkMain(definitions, issues);
  checkCycles(byName, issues);
  checkConflicts(byName, issues);
}

function reportTwice(again: Definition, first: Definition, issues: Issues): void {
  const kinds = again.kind === first.kind ? "" : ` as a ${first.kind}`;
  const message = `${again.kind} "${again.name}" is defined twice, first${kinds} at ${showPlace(first.node.keyPlace)}`;
  issues.at(
    again.node.keyPlace,
    message,
    "services, tasks and targets share their names: rename one of them",
  );
}

function checkNames(definition: Definition, byName: ByName, issues: Issues): void {
  for (const relation of definition.relations) {
    const { field, name, kind, node } = relation;
    const found = byName.get(name);
    if (field === "fail-with" && found === definition) {
      issues.at(node.place, `fail-with: "${name}" cannot fail with itself`, "remove it");
    }
    if (!found) {
      if (relation.optional) continue;
      const hint = didYouMean(name, [...byName.keys()]) ?? `define it, or remove it from ${field}`;
      issues.at(node.place, `${field}: unknown ${kind ?? "service"} "${name}"`, hint);
    } else if (kind !== null && found.kind !== kind) {
      const message = `${field}: "${name}" is a ${found.kind}, not a ${kind}`;
      issues.at(
        node.place,
        message,
        `write { ${found.kind} = "${name}" }; it is defined at ${showPlace(found.node.keyPlace)}`,
      );
    }
  }
}

/** The task of `on-failure = { run = … }`. */
function checkHandler({ name, handler }: Definition, byName: ByName, issues: Issues): void {
  if (handler === null) return;
  const { node, name: wanted } = handler;
  const found = byName.get(wanted);
  if (!found) {
    const tasks = [...byName.values()].filter(({ kind }) => kind === "task");
    const names = tasks.map((definition) => definition.name);
    const hint = didYouMean(wanted, names) ?? `define it: [task.${wanted}]`;
    issues.at(node.place, `on-failure: unknown task "${wanted}"`, hint);
  } else if (found.kind !== "task") {
    const message = `on-failure: "${wanted}" is a ${found.kind}, not a task`;
    issues.at(node.place, message, `it is defined at ${showPlace(found.node.keyPlace)}`);
  } else if (wanted === name) {
    issues.at(node.place, `on-failure: "${name}" cannot handle its own failure`, "name another task");
  } else if (pulledBy(wanted, byName).has(name)) {
    const message = `on-failure: "${wanted}" requires "${name}", so it cannot run when that has failed`;
    issues.at(node.place, message, "name a task that does without it");
  }
}

function checkMain(definitions: readonly Definition[], issues: Issues): void {
  const [first, ...more] = definitions.filter((definition) => definition.main !== null);
  for (const definition of more) {
    if (!definition.main || !first?.main) continue;
    const message = `main: "${first.name}" is the main service already, at ${showPlace(first.main.keyPlace)}`;
    issues.at(definition.main.keyPlace, message, "only one can have main = true");
  }
}

const ORDERING: ReadonlySet<Relation["field"]> = new Set(["requires", "wants", "after", "before"]);

/** `from` waits for `to`, because `relation` says so. */
interface Edge {
  readonly from: string;
  readonly to: string;
  readonly relation: Relation;
}

function edgesOf(byName: ByName): Map<string, Edge[]> {
  const edges = new Map<string, Edge[]>([...byName.keys()].map((name) => [name, []]));
  for (const definition of byName.values()) {
    for (const relation of definition.relations) {
      if (!ORDERING.has(relation.field) || !byName.has(relation.name)) continue;
      const turned = relation.field === "before";
      const from = turned ? relation.name : definition.name;
      const to = turned ? definition.name : relation.name;
      edges.get(from)?.push({ from, to, relation });
    }
  }
  return edges;
}

/** One cycle of each knot; whoever undoes it is told of the next. */
function checkCycles(byName: ByName, issues: Issues): void {
  const edges = edgesOf(byName);
  const inKnot = new Set<string>();
  for (const name of unordered(edges)) {
    if (inKnot.has(name)) continue;
    const cycle = shortestCycle(name, edges);
    if (!cycle) continue;
    for (const member of knot(name, edges)) inKnot.add(member);
    reportCycle(cycle, issues);
  }
}

/**
 * What is left when all that waits for nothing is taken away, again and again: the knots and what
 * waits for them. In a configuration in order that is nothing, at the price of one walk.
 */
function unordered(edges: ReadonlyMap<string, readonly Edge[]>): string[] {
  const waiting = new Map<string, string[]>();
  const open = new Map<string, number>();
  for (const [name, list] of edges) {
    open.set(name, list.length);
    for (const { from, to } of list) {
      const others = waiting.get(to);
      if (others) others.push(from);
      else waiting.set(to, [from]);
    }
  }
  const free = [...open].flatMap(([name, left]) => (left === 0 ? [name] : []));
  for (const name of free) {
    for (const other of waiting.get(name) ?? []) {
      const left = (open.get(other) ?? 0) - 1;
      open.set(other, left);
      if (left === 0) free.push(other);
    }
  }
  return [...open].flatMap(([name, left]) => (left > 0 ? [name] : []));
}

/** Breadth first from `start` until it is met again. */
function shortestCycle(start: string, edges: ReadonlyMap<string, readonly Edge[]>): Edge[] | null {
  const reachedBy = new Map<string, Edge>();
  const queue = [start];
  for (const name of queue) {
    for (const edge of edges.get(name) ?? []) {
      if (edge.to === start) return [...wayTo(name, start, reachedBy), edge];
      if (reachedBy.has(edge.to)) continue;
      reachedBy.set(edge.to, edge);
      queue.push(edge.to);
    }
  }
  return null;
}

function wayTo(name: string, start: string, reachedBy: ReadonlyMap<string, Edge>): Edge[] {
  const way: Edge[] = [];
  for (let edge = reachedBy.get(name); name !== start && edge; edge = reachedBy.get(edge.from)) {
    way.unshift(edge);
    if (edge.from === start) break;
  }
  return way;
}

/** All that `start` waits for and that wait for it. */
function knot(start: string, edges: ReadonlyMap<string, readonly Edge[]>): Set<string> {
  const reverse = new Map<string, Edge[]>();
  for (const list of edges.values()) {
    for (const edge of list) {
      const turned = { from: edge.to, to: edge.from, relation: edge.relation };
      reverse.set(edge.to, [...(reverse.get(edge.to) ?? []), turned]);
    }
  }
  const down = reachable(start, edges);
  const up = reachable(start, reverse);
  return new Set([...down].filter((name) => up.has(name)));
}

function reachable(start: string, edges: ReadonlyMap<string, readonly Edge[]>): Set<string> {
  const seen = new Set([start]);
  for (const name of seen) for (const edge of edges.get(name) ?? []) seen.add(edge.to);
  return seen;
}

function reportCycle(cycle: readonly Edge[], issues: Issues): void {
  const [first] = cycle;
  if (!first) return;
  const path = [first.from, ...cycle.map((edge) => edge.to)].join(" -> ");
  const reasons = cycle.map(({ from, to, relation }) => {
    const [subject, object] = relation.field === "before" ? [to, from] : [from, to];
    const verb = VERBS[relation.field];
    return `${subject} ${verb} ${object} (${showPlace(relation.node.place)})`;
  });
  issues.at(first.relation.node.place, `dependency cycle: ${path}`, `remove one of: ${reasons.join(", ")}`);
}

const VERBS: Readonly<Record<Relation["field"], string>> = {
  requires: "requires",
  wants: "wants",
  after: "is after",
  before: "is before",
  conflicts: "conflicts with",
  "fail-with": "fails with",
};

function checkConflicts(byName: ByName, issues: Issues): void {
  const atBoot = bootSet(byName);
  const told = new Set<string>();
  for (const { from, relation } of conflictsOf(byName)) {
    const { name, node, weak = false } = relation;
    const key = [from, name].sort().join(" ");
    if (told.has(key)) continue;
    told.add(key);
    const why = name === from ? "itself" : conflictReason(from, name, byName, weak ? null : atBoot);
    if (why === null) continue;
    const hint =
      why === "itself" ? "remove it" : "set autostart = false for one of them, or remove the conflict";
    const message = why === "itself" ? `"${name}" conflicts with itself` : why;
    issues.at(node.place, `conflicts: ${message}`, hint);
  }
}

/** Of a pair that names each other, what says more comes first: that one stops the other. */
function conflictsOf(byName: ByName): { readonly from: string; readonly relation: Relation }[] {
  const all = [...byName.values()].flatMap(({ name, relations }) =>
    relations
      .filter((relation) => relation.field === "conflicts" && byName.has(relation.name))
      .map((relation) => ({ from: name, relation })),
  );
  return all.sort((a, b) => Number(a.relation.weak ?? false) - Number(b.relation.weak ?? false));
}

function conflictReason(
  a: string,
  b: string,
  byName: ByName,
  atBoot: ReadonlyMap<string, string | null> | null,
): string | null {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    if (pulledBy(one, byName).has(other)) return `"${one}" needs "${other}" and conflicts with it`;
  }
  if (atBoot === null) return null;
  const [reasonA, reasonB] = [atBoot.get(a), atBoot.get(b)];
  if (reasonA === undefined || reasonB === undefined) return null;
  const because = [
    [a, reasonA],
    [b, reasonB],
  ].flatMap(([name, puller]) => (puller === null ? [] : [`"${name}" because "${puller}" needs it`]));
  const tail = because.length === 0 ? "" : ` (${because.join(", ")})`;
  return `"${a}" and "${b}" would both start at boot${tail}`;
}

/** Everything a start of `name` starts along, for whatever reason it needs it. */
function pulledBy(name: string, byName: ByName): Set<string> {
  const seen = new Set([name]);
  for (const one of seen)
    for (const { field, name: next } of byName.get(one)?.relations ?? []) {
      if (field === "requires" && byName.has(next)) seen.add(next);
    }
  return seen;
}

/** What starts at boot: by itself (`null`), or because another needs it. */
function bootSet(byName: ByName): Map<string, string | null> {
  const set = new Map<string, string | null>();
  for (const { name, spec } of byName.values()) if (spec.autostart !== false) set.set(name, null);
  for (const [name] of set) {
    for (const relation of byName.get(name)?.relations ?? []) {
      const pulls = relation.field === "requires" || relation.field === "wants";
      if (pulls && !relation.weak && byName.has(relation.name) && !set.has(relation.name))
        set.set(relation.name, name);
    }
  }
  return set;
}
