/**
 * What is configured while it changes, as the judges know it: from the asks alone. Each definition
 * bears its number in what it runs, so that each process tells what it was defined by.
 */
import type { ChangeAsk, EngineEvent } from "../../src/engine/index.ts";
import type { SpawnSpec } from "../../src/generated/protocol.ts";
import { withDefaults } from "../../src/model/defaults.ts";
import type { HookSpec, ServiceSpec, SparseSpec } from "../../src/model/spec.ts";

/** Marks all that it runs. */
export function stamp(sparse: SparseSpec, number: number): SparseSpec {
  const mark = (argv: readonly string[]) => [...argv, `g${number}`];
  const { argv = [], hooks, stopCommand, reload } = sparse;
  const marked = Object.entries(hooks ?? {}).map(([name, hook]: [string, HookSpec]) => [
    name,
    { ...hook, argv: mark(hook.argv) },
  ]);
  return {
    ...sparse,
    argv: sparse.kind === "target" ? argv : mark(argv),
    ...(hooks ? { hooks: Object.fromEntries(marked) } : {}),
    ...(stopCommand ? { stopCommand: mark(stopCommand) } : {}),
    ...(reload?.type === "command" ? { reload: { ...reload, argv: mark(reload.argv) } } : {}),
  };
}

export class Configured {
  /** By name, also of those that are still to leave. */
  readonly now = new Map<string, ServiceSpec>();
  readonly leaving = new Set<string>();
  readonly #all = new Map<string, ServiceSpec>();

  constructor(services: readonly SparseSpec[]) {
    for (const sparse of services) this.#set(sparse);
  }

  #set(sparse: SparseSpec): void {
    const spec = withDefaults({ ...sparse });
    this.now.set(spec.name, spec);
    this.leaving.delete(spec.name);
    this.#all.set(keyOf(spec.name, spec.argv), spec);
  }

  take({ set, remove }: ChangeAsk): void {
    for (const name of remove) if (this.now.has(name)) this.leaving.add(name);
    for (const sparse of set) this.#set(sparse);
  }

  /** Nothing of it is left. */
  forget(name: string): void {
    if (!this.leaving.delete(name)) throw new Error(`${name} is forgotten, and nobody has asked for it`);
    this.now.delete(name);
  }

  has(name: string): boolean {
    return this.now.has(name) && !this.leaving.has(name);
  }

  /**
   * Does each of the two wait for the other? Edges within a circle count for nothing while it is
   * there (`src/engine/faults.ts`); what leaves closes none.
   */
  inOneCircle(one: string, other: string): boolean {
    if (!this.has(one) || !this.has(other)) return false;
    return this.#reaches(one, other) && this.#reaches(other, one);
  }

  #reaches(from: string, to: string): boolean {
    const reached = new Set([from]);
    for (const name of reached) {
      for (const next of this.#ahead(name)) {
        if (next === to) return true;
        if (this.has(next)) reached.add(next);
      }
    }
    return false;
  }

  #ahead(name: string): string[] {
    const spec = this.now.get(name);
    const following = spec?.after.filter(({ until }) => until !== "up").map((one) => one.name) ?? [];
    const required = spec?.requires.map((requirement) => requirement.name) ?? [];
    const before = [...this.now.values()].filter((other) => other.before.includes(name));
    return [...required, ...(spec?.wants ?? []), ...following, ...before.map((other) => other.name)];
  }

  /** What a process was defined by. */
  of({ service, argv }: SpawnSpec): ServiceSpec {
    const spec = this.#all.get(keyOf(service, argv)) ?? this.now.get(service);
    if (spec === undefined) throw new Error(`${service} is not configured`);
    return spec;
  }

  /** Does a process belong to the present definition? */
  isPresent(spawn: SpawnSpec): boolean {
    return this.of(spawn) === this.now.get(spawn.service);
  }
}

export function changesOf(events: readonly EngineEvent[]): ChangeAsk[] {
  return events.filter((event) => event.type === "change");
}

function keyOf(name: string, argv: readonly string[]): string {
  return `${name} ${/^g\d+$/.exec(argv.at(-1) ?? "")?.[0] ?? ""}`;
}
