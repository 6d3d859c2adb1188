/** What can only be said about all definitions together. */
import type { Definition, Relation } from "../dialects/dialect.ts";
import { didYouMean } from "../model/suggest.ts";
import { cyclesOf } from "./cycles.ts";
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

/** Whoever undoes a cycle of a knot is told of the next one there. */
function checkCycles(byName: ByName, issues: Issues): void {
  const edges = edgesOf(byName);
  const names = new Map([...edges].map(([name, list]) => [name, list.map(({ to }) => to)]));
  for (const cycle of cyclesOf(names)) reportCycle(edgesAlong(cycle, edges), issues);
}

/** From each name of the cycle to the next, and from the last to the first. */
function edgesAlong(cycle: readonly string[], edges: ReadonlyMap<string, readonly Edge[]>): Edge[] {
  return cycle.flatMap((name, index) => {
    const next = cycle[(index + 1) % cycle.length];
    return edges.get(name)?.find(({ to }) => to === next) ?? [];
  });
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
