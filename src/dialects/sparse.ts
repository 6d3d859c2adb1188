/** What a reader makes of a definition, on its way to the brain. */
import { DEFAULTS } from "../model/defaults.ts";
import type { ServiceSpec, SparseSpec } from "../model/spec.ts";

export type Draft = { -readonly [K in keyof ServiceSpec]?: ServiceSpec[K] };

const DEFAULT_TEXTS = new Map<string, string>(
  Object.entries(DEFAULTS).flatMap(([key, value]) => (isPlain(value) ? [] : [[key, JSON.stringify(value)]])),
);

function isPlain(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** Without what has its default anyway. */
export function sparse(name: string, draft: Draft): SparseSpec {
  const defaults: Readonly<Record<string, unknown>> = DEFAULTS;
  const different = Object.entries(draft).filter(([key, value]) =>
    isPlain(value) ? value !== defaults[key] : JSON.stringify(value) !== DEFAULT_TEXTS.get(key),
  );
  return { name, ...Object.fromEntries(different) };
}
