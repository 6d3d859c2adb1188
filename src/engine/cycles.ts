/**
 * Circles in what waits for what. Nothing is looked at twice where there is none: what waits for
 * nobody is taken away, again and again, until nothing is left.
 */
import { ahead, behind } from "./edges.ts";
import type { Service } from "./world.ts";

/** Each circle with all that belongs to it, in the order of the services. */
export function cyclesOf(services: readonly Service[]): Service[][] {
  const left = leftOver(services);
  if (left.size === 0) return [];
  const place = new Map([...left].map((service, index) => [service, index]));
  return components(left)
    .filter((component) => component.length > 1)
    .map((component) => component.sort((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0)));
}

/** What cannot be taken away: circles, and what comes after them. */
function leftOver(services: readonly Service[]): Set<Service> {
  const open = new Map<Service, number>();
  for (const service of services) {
    const count = ahead(service).reduce((sum, others) => sum + others.length, 0);
    if (count > 0) open.set(service, count);
  }
  const free = services.filter((service) => !open.has(service));
  for (const service of free) {
    for (const other of behind(service).flat()) {
      const count = (open.get(other) ?? 0) - 1;
      if (count > 0) open.set(other, count);
      else if (open.delete(other)) free.push(other);
    }
  }
  return new Set(open.keys());
}

interface Visit {
  readonly service: Service;
  readonly next: Iterator<Service>;
}

/** Strongly connected components, with a stack of its own instead of recursion. */
function components(among: ReadonlySet<Service>): Service[][] {
  const found: Service[][] = [];
  const number = new Map<Service, number>();
  const lowest = new Map<Service, number>();
  const path: Service[] = [];
  const onPath = new Set<Service>();
  for (const root of among) {
    if (number.has(root)) continue;
    const visits: Visit[] = [];
    const enter = (service: Service) => {
      number.set(service, number.size);
      lowest.set(service, number.size - 1);
      path.push(service);
      onPath.add(service);
      visits.push({ service, next: ahead(service).flat().values() });
    };
    const lower = (service: Service, to: number) =>
      lowest.set(service, Math.min(lowest.get(service) ?? to, to));
    enter(root);
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      const { service } = visit;
      const { value: other, done } = visit.next.next();
      if (done) {
        visits.pop();
        const low = lowest.get(service) ?? 0;
        const parent = visits.at(-1);
        if (parent !== undefined) lower(parent.service, low);
        if (low === number.get(service)) found.push(takeFrom(path, onPath, service));
      } else if (!among.has(other)) continue;
      else if (!number.has(other)) enter(other);
      else if (onPath.has(other)) lower(service, number.get(other) ?? 0);
    }
  }
  return found;
}

function takeFrom(path: Service[], onPath: Set<Service>, last: Service): Service[] {
  const component: Service[] = [];
  for (let service = path.pop(); service !== undefined; service = path.pop()) {
    component.push(service);
    onPath.delete(service);
    if (service === last) break;
  }
  return component;
}
