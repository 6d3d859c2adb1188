/** Who depends on whom, in the words and in the order of zinit's own graph. */
import type { Services } from "../../../api/services.ts";
import { type DependencySection, documentOf } from "../../../dialects/zinit/document.ts";
import type { ServiceView } from "../../../engine/index.ts";
import type { ServiceSpec } from "../../../model/spec.ts";

/** Conflicts are no dependencies: they are asked for by `conflictsOf`. */
export type DependencyKind = "after" | "requires" | "wants";

export interface Dependency {
  readonly view: ServiceView;
  readonly kind: DependencyKind;
}

const KINDS: readonly DependencyKind[] = ["after", "requires", "wants"];

/** Of those that are there, the last one that was written first. */
export function dependenciesOf(services: Services, name: string): Dependency[] {
  const spec = services.specOf(name);
  if (spec === null) return [];
  const section = sectionOf(spec);
  const found: Dependency[] = [];
  for (const kind of KINDS) {
    for (const other of new Set(section[kind])) {
      const view = services.view(other);
      if (view !== null) found.push({ view, kind });
    }
  }
  return found.reverse();
}

function sectionOf(spec: ServiceSpec): DependencySection {
  if (spec.origin !== undefined) return documentOf(spec.origin).dependencies;
  const after = (until: string) =>
    spec.after.filter((edge) => (edge.until === "any") === (until === "any")).map(({ name }) => name);
  return {
    after: after("begun"),
    requires: spec.requires.map(({ name }) => name),
    wants: [...spec.wants, ...after("any")],
    conflicts: spec.conflicts.map(({ name }) => name),
  };
}

/** Whose definitions speak of a conflict of the two, on either side. */
export function conflictsOf(services: Services, name: string): ServiceView[] {
  const found = new Set<string>();
  for (const other of services.names()) {
    const named = conflictNames(services, other);
    if (other === name) for (const one of named) found.add(one);
    else if (named.includes(name)) found.add(other);
  }
  return [...found].map((other) => services.view(other)).filter((view) => view !== null);
}

function conflictNames(services: Services, name: string): string[] {
  return services.specOf(name)?.conflicts.map((conflict) => conflict.name) ?? [];
}

/** All services with their dependencies, for what is told of all of them. */
export class DependencyGraph {
  readonly names: readonly string[];
  readonly #dependencies = new Map<string, readonly Dependency[]>();
  /** A dependent stands there once for each of its dependencies; the newest first. */
  readonly #dependents = new Map<string, string[]>();

  constructor(services: Services) {
    this.names = services.names();
    for (const name of this.names) {
      const dependencies = dependenciesOf(services, name);
      this.#dependencies.set(name, dependencies);
      // The oldest first, so that the lists below begin with the newest.
      for (const { view } of dependencies.toReversed()) {
        const dependents = this.#dependents.get(view.name);
        if (dependents === undefined) this.#dependents.set(view.name, [name]);
        else dependents.unshift(name);
      }
    }
  }

  dependencies(name: string): readonly Dependency[] {
    return this.#dependencies.get(name) ?? [];
  }

  dependents(name: string): readonly string[] {
    return this.#dependents.get(name) ?? [];
  }

  /**
   * Dependencies before their dependents. Depth first from each service, backwards, which is the
   * order that zinit's clients see. In a cycle any order is as good as another.
   */
  startOrder(): string[] {
    const entered = new Set<string>();
    const finished = new Set<string>();
    for (const root of this.names) {
      const stack = entered.has(root) ? [] : [root];
      for (let name = stack.at(-1); name !== undefined; name = stack.at(-1)) {
        if (entered.has(name)) {
          stack.pop();
          finished.add(name);
        } else {
          entered.add(name);
          stack.push(...this.dependents(name).filter((next) => !entered.has(next)));
        }
      }
    }
    return [...finished].reverse();
  }
}
