/**
 * What a running server has, put against what its folders say. Pure, and free of the readers: the
 * brain bundles it.
 */
import type { ZinitKnown, ZinitLoadOutput } from "../../config/contract.ts";
import type { Origin, SparseSpec } from "../../model/spec.ts";
import { cycleText } from "./cycles.ts";
import { documentOf, waitsFor } from "./document.ts";

/** A spec of this dialect, sparse or whole. */
export type Running = Pick<SparseSpec, "name" | "origin">;

/** For `ZinitSetInput.known`. */
export function knownServices(running: Iterable<Running>): readonly ZinitKnown[] {
  return [...running].map(({ name, origin }) => ({
    name,
    file: origin?.file ?? null,
    waitsFor: origin === undefined ? [] : waitsFor(documentOf(origin)),
  }));
}

export interface Reload {
  /** As `service.reload` answers it. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  /** A name, and a name in its `requires` that nobody defines. */
  readonly config_errors: readonly (readonly [service: string, dependency: string])[];
  /**
   * For `Ask change`, with `remove` from above and `restart: false`: what was added or changed, and
   * what only stands in another file now.
   */
  readonly set: readonly SparseSpec[];
}

/** `refused`: why everything stays as it is. */
export function reload(
  running: Iterable<Running>,
  loaded: ZinitLoadOutput,
): Reload | { readonly refused: string } {
  const [cycle] = loaded.cycles;
  if (cycle !== undefined) return { refused: cycleText(cycle) };
  const present = new Map([...running].map(({ name, origin }) => [name, origin]));
  const found = new Map(loaded.services.map((spec) => [spec.name, spec]));
  // What somebody set without a file stays as it was set, whatever a file says under its name.
  const isEphemeral = (name: string) => present.has(name) && (present.get(name)?.file ?? null) === null;
  const kept = loaded.services.filter(({ name }) => present.has(name) && !isEphemeral(name));
  const added = loaded.services.filter(({ name }) => !present.has(name));
  const changed = kept.filter((spec) => differs(spec.origin, present.get(spec.name)));
  const moved = kept.filter((spec) => spec.origin?.file !== present.get(spec.name)?.file);
  const names = (list: readonly SparseSpec[]) => list.map(({ name }) => name).sort();
  return {
    added: names(added),
    removed: [...present.keys()].filter((name) => !found.has(name) && !isEphemeral(name)).sort(),
    changed: names(changed),
    config_errors: loaded.missing.filter(([, dependency]) => !isEphemeral(dependency)),
    set: [...new Set([...added, ...changed, ...moved])],
  };
}

function differs(one: Origin | undefined, other: Origin | undefined): boolean {
  return one?.document !== other?.document;
}
