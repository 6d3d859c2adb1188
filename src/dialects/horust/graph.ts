/** What can only be said about all services together. */

import { cyclesOf, type Edges, knotOf } from "../../config/cycles.ts";
import type { Node } from "../../model/node.ts";
import { didYouMean } from "../../model/suggest.ts";
import type { Reports } from "./decode.ts";
import type { HorustService } from "./document.ts";
import type { Found } from "./file.ts";
import type { Ties } from "./spec.ts";

type ByName = ReadonlyMap<string, Found>;

/** Reports all that is wrong, and not only the first of it. */
export function checkAll(all: readonly Found[], reports: Reports): void {
  const byName = new Map<string, Found>();
  for (const found of all) {
    const { name } = found.service;
    const first = byName.get(name);
    if (first === undefined) byName.set(name, found);
    else {
      const message = `service "${name}" is defined twice, first in ${first.file}`;
      reports.issues.at(nodeAt(found, ["name"]).place, message, "give one of them another name");
    }
  }
  for (const found of byName.values()) checkOne(found, byName, reports);
  checkCircles(byName, reports);
}

function checkOne(found: Found, byName: ByName, reports: Reports): void {
  const { issues } = reports;
  const { service } = found;
  const known = [...byName.keys()];
  if (service.command === "") {
    const hint = "write what is to run";
    issues.at(nodeAt(found, ["command"]).place, "Command is defined, but it is empty", hint);
  }
  const unknown = (names: readonly string[]) => [...names.entries()].filter(([, name]) => !byName.has(name));
  for (const [index, name] of unknown(service.startAfter)) {
    const message = `"${service.name}" should start after "${name}", but there is no such service`;
    issues.at(nodeAt(found, ["start-after", index]).place, message, didYouMean(name, known));
  }
  checkEnds(found, known, reports);
}

/** Whom it names for its end. */
function checkEnds(found: Found, known: readonly string[], { issues, warnings }: Reports): void {
  const { name: own, shutdownAfter, termination } = found.service;
  for (const [index, name] of shutdownAfter.entries()) {
    if (known.includes(name)) continue;
    const message = `"${own}" has shutdown-after "${name}", but there is no such service`;
    issues.at(nodeAt(found, ["shutdown-after", index]).place, message, didYouMean(name, known));
  }
  for (const [index, name] of termination.dieIfFailed.entries()) {
    if (known.includes(name)) continue;
    const message = `die-if-failed: there is no service "${name}", so nothing follows from it`;
    const { place } = nodeAt(found, ["termination", "die-if-failed", index]);
    warnings.at(place, message, didYouMean(name, known));
  }
}

/** Beside what is checked of all dialects' services together. `names`: all there are. */
export function checkShutdownOrder(
  all: readonly Found[],
  names: ReadonlySet<string>,
  reports: Reports,
): void {
  const known = [...names];
  for (const found of all) checkEnds(found, known, reports);
  checkStops(new Map(all.map((found) => [found.service.name, found])), reports);
}

/** Nobody in a circle of starts would ever start; in one of stops, nobody waits. */
function checkCircles(byName: ByName, reports: Reports): void {
  for (const cycle of cyclesOf(edgesOf(byName, "startAfter"))) {
    const message = `none of these can start, as each is to start after the next: ${circleText(cycle)}`;
    reports.issues.at(firstNode(byName, cycle, "start-after").place, message, "remove one of the names");
  }
  checkStops(byName, reports);
}

function checkStops(byName: ByName, { warnings }: Reports): void {
  for (const cycle of cyclesOf(edgesOf(byName, "shutdownAfter"))) {
    const message = `these are stopped together, as each is to stop after the next: ${circleText(cycle)}`;
    warnings.at(firstNode(byName, cycle, "shutdown-after").place, message, "remove one of the names");
  }
}

function circleText(cycle: readonly string[]): string {
  return [...cycle, ...cycle.slice(0, 1)].map((name) => `"${name}"`).join(" -> ");
}

function edgesOf(byName: ByName, list: "startAfter" | "shutdownAfter"): Edges {
  return new Map([...byName].map(([name, { service }]) => [name, service[list]]));
}

function firstNode(byName: ByName, [first = ""]: readonly string[], key: string): Node {
  const found = byName.get(first);
  if (found === undefined) throw new Error(`"${first}" is in a circle and not there`);
  return nodeAt(found, [key]);
}

/** What stands there, or the file as a whole. */
export function nodeAt({ root }: Found, path: readonly (string | number)[]): Node {
  let node = root;
  for (const key of path) {
    const next = typeof key === "number" ? node.items()[key] : node.get(key);
    if (next === undefined) return node;
    node = next;
  }
  return node;
}

/** What the others say of each service. */
export function tiesOf(services: readonly HorustService[]): (service: HorustService) => Ties {
  const byName = new Map(services.map((service) => [service.name, service]));
  const stops = new Map(services.map((service) => [service.name, service.shutdownAfter]));
  const circles = cyclesOf(stops).map(([first = ""]) => knotOf(first, stops));
  const inCircle = (one: string, other: string) =>
    circles.some((circle) => circle.has(one) && circle.has(other));
  const stopsBefore = new Map<string, string[]>();
  for (const { name, shutdownAfter } of services) {
    for (const other of shutdownAfter) {
      if (inCircle(name, other)) continue;
      stopsBefore.set(other, [...(stopsBefore.get(other) ?? []), name]);
    }
  }
  return ({ name, startAfter }) => ({
    failWith: startAfter.filter((other) => byName.get(other)?.failure.strategy === "kill-dependents"),
    stopsBefore: stopsBefore.get(name) ?? [],
  });
}
