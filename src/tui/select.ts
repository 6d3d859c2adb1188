/** Choosing a service, and what is asked about it then. Pure. */
import { type Change, same } from "./change.ts";
import type { Model, Request } from "./model.ts";

/** What the log pane has. */
export const PANE_LINES = 200;
/** For searching and reading at leisure. */
export const MANY_LINES = 1000;

export function logsOf(model: Model, name: string): Request {
  const many = model.zoomed || model.search !== null;
  return { type: "logs", name, lines: many ? MANY_LINES : PANE_LINES };
}

/** Another service: what was known about the former one goes. */
export function select(model: Model, name: string | null): Change {
  const next: Model = {
    ...model,
    selected: name,
    details: null,
    detailsTop: 0,
    log: { of: name, lines: [], top: null },
    search: model.search === null ? null : { ...model.search, at: null },
    logsAsked: model.now,
  };
  if (name === null) return same(next);
  return { model: next, requests: [logsOf(next, name), { type: "details", name }] };
}
