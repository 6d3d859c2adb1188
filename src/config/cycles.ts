/** Cycles among names that wait for each other. */

/** From each name to those it waits for. */
export type Edges = ReadonlyMap<string, readonly string[]>;

/** One cycle of each knot, as the names along it. */
export function cyclesOf(edges: Edges): readonly (readonly string[])[] {
  const cycles: (readonly string[])[] = [];
  const inKnot = new Set<string>();
  for (const name of unordered(edges)) {
    if (inKnot.has(name)) continue;
    const cycle = cycleThrough(name, edges);
    if (cycle === null) continue;
    cycles.push(cycle);
    for (const member of knotOf(name, edges)) inKnot.add(member);
  }
  return cycles;
}

/** The shortest way from `start` back to it, breadth first. */
export function cycleThrough(start: string, edges: Edges): readonly string[] | null {
  const from = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    for (const next of edges.get(name) ?? []) {
      if (next === start) return wayTo(name, start, from);
      if (from.has(next)) continue;
      from.set(next, name);
      queue.push(next);
    }
  }
  return null;
}

function wayTo(end: string, start: string, from: ReadonlyMap<string, string>): readonly string[] {
  const way = [end];
  for (let name = end; name !== start; ) {
    name = from.get(name) ?? start;
    way.unshift(name);
  }
  return way;
}

/** All that `start` waits for and that wait for it. */
export function knotOf(start: string, edges: Edges): ReadonlySet<string> {
  const reverse = new Map<string, string[]>();
  for (const [name, others] of edges) {
    for (const other of others) reverse.set(other, [...(reverse.get(other) ?? []), name]);
  }
  const up = reachable(start, reverse);
  return new Set([...reachable(start, edges)].filter((name) => up.has(name)));
}

function reachable(start: string, edges: Edges): ReadonlySet<string> {
  const seen = new Set([start]);
  for (const name of seen) for (const next of edges.get(name) ?? []) seen.add(next);
  return seen;
}

/**
 * What is left when all that waits for nothing is taken away, again and again: the knots and what
 * waits for them. Mostly that is nothing, at the price of one walk.
 */
function unordered(edges: Edges): readonly string[] {
  const waiting = new Map<string, string[]>();
  const open = new Map<string, number>();
  for (const [name, others] of edges) {
    open.set(name, others.filter((other) => edges.has(other)).length);
    for (const other of others) {
      const list = waiting.get(other);
      if (list) list.push(name);
      else waiting.set(other, [name]);
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
