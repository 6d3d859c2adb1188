import type { Model, Request } from "./model.ts";

/** The model afterwards, and what is to be asked. */
export interface Change {
  readonly model: Model;
  readonly requests: readonly Request[];
}

export function same(model: Model): Change {
  return { model, requests: [] };
}
