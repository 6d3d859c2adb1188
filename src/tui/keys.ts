/** What keys do. Pure. */
import { type Change, same } from "./change.ts";
import { lastTop, logArea } from "./layout.ts";
import type { Action, Focus, Model, Overlay } from "./model.ts";
import { find } from "./search.ts";
import { logsOf, select } from "./select.ts";

const PAGE = 10;

export function keyPressed(model: Model, key: string, ctrl: boolean): Change {
  if (ctrl) return ctrlPressed(model, key);
  if (model.search?.typing === true) return typed(model, key);
  if (model.overlay !== null) return same({ ...model, overlay: afterKey(model, model.overlay, key) });
  return (
    scrolled(model, key) ??
    acted(model, key) ??
    asked(model, key) ??
    searched(model, key) ??
    same(elsewhere(model, key))
  );
}

function ctrlPressed(model: Model, key: string): Change {
  if (key === "c") return same({ ...model, over: true });
  return same(model);
}

// --- what covers the rest

/** Any key closes help and why; Escape and Enter close the details; a tree can be scrolled first. */
function afterKey(model: Model, overlay: Overlay, key: string): Overlay | null {
  if (overlay.kind === "details") return key === "Escape" || key === "Enter" ? null : overlay;
  if (overlay.kind !== "tree") return null;
  const step = stepOf(key);
  if (step === null) return null;
  const most = Math.max(0, overlay.lines.length - Math.max(1, model.rows - 4));
  return { ...overlay, top: clamp(overlay.top + step, most) };
}

function stepOf(key: string): number | null {
  switch (key) {
    case "Up":
    case "k":
      return -1;
    case "Down":
    case "j":
      return 1;
    case "PageUp":
      return -PAGE;
    case "PageDown":
      return PAGE;
    case "g":
    case "Home":
      return Number.NEGATIVE_INFINITY;
    case "G":
    case "End":
      return Number.POSITIVE_INFINITY;
    default:
      return null;
  }
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(value, most));
}

// --- moving and scrolling

function scrolled(model: Model, key: string): Change | null {
  const step = stepOf(key);
  if (step === null) return null;
  // By one line: what has the focus. By more: the log, wherever the focus is.
  if (Math.abs(step) > 1 || model.focus === "logs" || model.zoomed) {
    return same(scrollLog(model, step));
  }
  if (model.focus === "services") return moved(model, step);
  return same({ ...model, detailsTop: clamp(model.detailsTop + step, infoLines(model)) });
}

/** No more than there can be lines of it. */
function infoLines(model: Model): number {
  return (model.details?.children.length ?? 0) + (model.details?.needs.length ?? 0) + 10;
}

function moved(model: Model, step: number): Change {
  const count = model.services.length;
  if (count === 0) return same(model);
  const index = model.services.findIndex(({ name }) => name === model.selected);
  const next = model.services[(Math.max(0, index) + step + count) % count];
  return select(model, next?.name ?? null);
}

function scrollLog(model: Model, step: number): Model {
  const last = lastTop(model.log.lines, logArea(model));
  const from = model.log.top ?? last;
  // Forwards from the end there is nothing but to follow.
  if (step > 0 && from + step >= last) return { ...model, log: { ...model.log, top: null } };
  return { ...model, log: { ...model.log, top: clamp(from + step, last) } };
}

// --- what is done to services

const ACTIONS: Readonly<Record<string, Action>> = {
  s: "start",
  S: "stop",
  r: "restart",
  K: "kill",
  d: "remove",
  D: "halt+remove",
};

function acted(model: Model, key: string): Change | null {
  const action = ACTIONS[key];
  if (action === undefined) return null;
  const name = model.selected;
  if (name === null) return same(model);
  if (!model.manner.actions.includes(action)) {
    const text = `${model.manner.program} has no "${action}"`;
    return same({ ...model, notice: { text, level: "warning", at: model.now } });
  }
  const known = model.pending.some((one) => one.action === action && one.name === name);
  if (known) return same(model);
  return {
    model: { ...model, pending: [...model.pending, { action, name, since: model.now }] },
    requests: [{ type: "act", action, name }],
  };
}

// --- what is asked

function asked(model: Model, key: string): Change | null {
  switch (key) {
    case "R":
      return {
        model: {
          ...model,
          notice: { text: "Refreshing...", level: "info", at: model.now },
          refreshed: model.now,
        },
        requests: [{ type: "services" }],
      };
    case "w":
      if (model.selected === null) return same(model);
      return { model, requests: [{ type: "why", name: model.selected }] };
    case "t":
      return { model, requests: [{ type: "tree" }] };
    case "l":
      return withManyLines({ ...model, zoomed: !model.zoomed, focus: model.zoomed ? model.focus : "logs" });
    default:
      return null;
  }
}

function withManyLines(model: Model): Change {
  return { model, requests: model.selected === null ? [] : [logsOf(model, model.selected)] };
}

// --- searching

function searched(model: Model, key: string): Change | null {
  if (key === "/") {
    return withManyLines({ ...model, search: { text: "", typing: true, at: null } });
  }
  if (model.search === null) return null;
  if (key === "n") return same(found(model, -1));
  if (key === "N") return same(found(model, 1));
  // The first one takes leave of the search, the next one of the program.
  if (key === "Escape") return same({ ...model, search: null });
  return null;
}

function typed(model: Model, key: string): Change {
  const search = model.search ?? { text: "", typing: true, at: null };
  switch (key) {
    case "Escape":
      return same({ ...model, search: null });
    case "Enter":
      return same({ ...model, search: search.text === "" ? null : { ...search, typing: false } });
    case "Backspace":
      return same(searchFor(model, [...search.text].slice(0, -1).join("")));
    default:
      return same([...key].length === 1 ? searchFor(model, search.text + key) : model);
  }
}

/** The newest line that has it. */
function searchFor(model: Model, text: string): Model {
  const { lines } = model.log;
  const at = text === "" ? null : find(lines, text, lines.length - 1, -1);
  return shown({ ...model, search: { text, typing: true, at } }, at);
}

/** The next older (-1) or newer one. */
function found(model: Model, direction: 1 | -1): Model {
  const { search, log } = model;
  if (search === null) return model;
  const from = search.at === null ? log.lines.length - 1 : search.at + direction;
  const at = find(log.lines, search.text, from, direction);
  if (at === null) {
    const where = direction < 0 ? "further up" : "further down";
    const text = `"${search.text}" is not found ${where}`;
    return { ...model, notice: { text, level: "warning", at: model.now } };
  }
  return shown({ ...model, search: { ...search, at } }, at);
}

/** Scrolled so that a line is seen. */
function shown(model: Model, line: number | null): Model {
  if (line === null) return model;
  const area = logArea(model);
  const last = lastTop(model.log.lines, area);
  const top = model.log.top ?? last;
  const upTo = model.log.lines.slice(0, line + 1);
  const lowest = lastTop(upTo, area);
  // It is seen where it stands.
  if (line >= top && top >= lowest) return model;
  const wanted = Math.max(0, line - Math.floor(area.height / 2));
  return { ...model, log: { ...model.log, top: Math.min(wanted, last) } };
}

// --- the rest

const NEXT: Readonly<Record<Focus, Focus>> = { services: "deps", deps: "logs", logs: "services" };
const FORMER: Readonly<Record<Focus, Focus>> = { services: "logs", deps: "services", logs: "deps" };

function elsewhere(model: Model, key: string): Model {
  switch (key) {
    case "Tab":
      return { ...model, focus: NEXT[model.focus] };
    case "BackTab":
      return { ...model, focus: FORMER[model.focus] };
    case "?":
      return { ...model, overlay: { kind: "help" } };
    case "Enter":
      return model.selected === null ? model : { ...model, overlay: { kind: "details" } };
    case "Escape":
      if (model.zoomed) return { ...model, zoomed: false };
      return { ...model, over: true };
    case "Q":
      return { ...model, over: true };
    default:
      return model;
  }
}
