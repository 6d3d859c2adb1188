/** What only a definition says of a service, not its state. */
import type { Services } from "../../../api/services.ts";
import { documentOf, isTarget, type ServiceSection, type Status } from "../../../dialects/zinit/document.ts";
import type { ServiceView } from "../../../engine/index.ts";

function sectionOf(services: Services, name: string): ServiceSection | null {
  const origin = services.specOf(name)?.origin;
  if (origin === undefined) return null;
  const document = documentOf(origin);
  return isTarget(document) ? null : document.service;
}

/** A target is always meant to be reached. */
export function statusOf(services: Services, name: string): Status {
  return sectionOf(services, name)?.status ?? "start";
}

function isSystem(services: Services, name: string): boolean {
  return sectionOf(services, name)?.class === "system";
}

/** Not for requests about all services: those of class system, and what they need. */
function protectedNames(services: Services): ReadonlySet<string> {
  const requires = new Map(services.graph().services.map((node) => [node.name, node.requires]));
  const found = new Set(services.names().filter((name) => isSystem(services, name)));
  // What is added meanwhile is visited too.
  for (const name of found) for (const other of requires.get(name) ?? []) found.add(other);
  return found;
}

/** The named ones and, through `requires` alone, whatever depends on them; dependents come first. */
export function closureOf(services: Services, names: readonly string[]): string[] {
  return [...dependentsOf(services, names), ...names];
}

/** The farthest first. */
function dependentsOf(services: Services, names: readonly string[]): string[] {
  const nodes = services.graph().services;
  const found = new Set(names);
  for (const name of found) {
    for (const node of nodes) if (node.requires.includes(name)) found.add(node.name);
  }
  return [...found].filter((name) => !names.includes(name)).reverse();
}

/** Those that a request about all services is for. */
export function bulkNames(services: Services, isMeant: (view: ServiceView) => boolean): string[] {
  const spared = protectedNames(services);
  return services.names().filter((name) => {
    const view = services.view(name);
    return view !== null && !spared.has(name) && isMeant(view);
  });
}
