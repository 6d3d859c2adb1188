/** What becomes of the model when something happens, and what is to be asked then. Pure. */
import { clean } from "./cells.ts";
import { type Change, same } from "./change.ts";
import { keyPressed } from "./keys.ts";
import { merge } from "./log.ts";
import {
  type Details,
  type Message,
  type Model,
  type Notice,
  type Request,
  type Sample,
  type Service,
  selectedService,
} from "./model.ts";
import { logsOf, MANY_LINES, PANE_LINES, select } from "./select.ts";

const REFRESH_MS = 2000;
/** Lines come oftener: somebody watches them. */
const LOGS_MS = 500;
const NOTICE_MS = 5000;
/** An operation of which nothing was heard so long is not waited for any more. */
const PENDING_MS = 120_000;

export function update(model: Model, message: Message): Change {
  switch (message.type) {
    case "key":
      return keyPressed(model, message.key, message.ctrl);
    case "resize":
      return same({ ...model, columns: message.columns, rows: message.rows });
    case "tick":
      return ticked(model, message.now);
    case "services":
      return gotServices(model, message.services);
    case "details":
      return same(message.details.name === model.selected ? withDetails(model, message.details) : model);
    case "logs":
      return same(message.name === model.selected ? withLines(model, message.name, message.lines) : model);
    case "why":
      return same({ ...model, overlay: { kind: "why", name: message.name, why: message.why } });
    case "tree":
      return same({ ...model, overlay: { kind: "tree", lines: message.lines.map(clean), top: 0 } });
    case "done":
      return acted(model, message, {
        text: `${message.action} ${message.name}: success`,
        level: "success",
        at: model.now,
      });
    case "failed":
      return failed(model, message);
  }
}

function ticked(model: Model, now: number): Change {
  const pending = model.pending.filter(({ since }) => now - since < PENDING_MS);
  const notice = model.notice !== null && now - model.notice.at < NOTICE_MS ? model.notice : null;
  let next: Model = { ...model, now, pending, notice };
  const requests: Request[] = [];
  if (model.refreshed === null || now - model.refreshed >= REFRESH_MS) {
    next = { ...next, refreshed: now };
    requests.push({ type: "services" });
    if (next.selected !== null && next.connected) requests.push({ type: "details", name: next.selected });
  }
  const { selected } = next;
  const due = model.logsAsked === null || now - model.logsAsked >= LOGS_MS;
  if (selected !== null && next.connected && due) {
    next = { ...next, logsAsked: now };
    requests.push(logsOf(next, selected));
  }
  return { model: next, requests };
}

function gotServices(model: Model, given: readonly Service[]): Change {
  const services = [...given].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const next: Model = {
    ...model,
    services,
    samples: samplesOf(model, services),
    connected: true,
    notice: model.notice?.text.startsWith(GONE) ? reconnected(model) : model.notice,
  };
  if (services.some(({ name }) => name === model.selected)) return same(next);
  // The one that was selected is gone: whoever stands in its place now.
  const index = model.services.findIndex(({ name }) => name === model.selected);
  const at = Math.max(0, Math.min(index, services.length - 1));
  return select(next, services[at]?.name ?? null);
}

function reconnected(model: Model): Notice {
  return { text: `Reconnected to ${model.manner.program}`, level: "success", at: model.now };
}

function samplesOf(model: Model, services: readonly Service[]): ReadonlyMap<string, Sample> {
  const samples = new Map<string, Sample>();
  for (const { name, cpuMs } of services) {
    if (cpuMs === null) continue;
    const former = model.samples.get(name);
    const span = former === undefined ? 0 : model.now - former.at;
    // A refresh right after another one would divide by next to nothing.
    if (former !== undefined && span < REFRESH_MS / 4) {
      samples.set(name, former);
      continue;
    }
    const used = former === undefined ? 0 : Math.max(0, cpuMs - former.cpuMs);
    samples.set(name, { cpuMs, at: model.now, percent: span > 0 ? (used / span) * 100 : null });
  }
  return samples;
}

function withDetails(model: Model, details: Details): Model {
  return { ...model, details };
}

function withLines(model: Model, name: string, given: readonly string[]): Model {
  const lines = given.map(clean);
  const former = model.log.of === name ? model.log.lines : [];
  const top = model.log.of === name ? model.log.top : null;
  const keep = top === null && !model.zoomed && model.search === null ? PANE_LINES : MANY_LINES;
  const merged = merge(former, lines, keep);
  const at = model.search?.at ?? null;
  return {
    ...model,
    log: {
      of: name,
      lines: merged.lines,
      top: top === null ? null : Math.max(0, top + merged.shift),
    },
    search:
      model.search === null || at === null
        ? model.search
        : { ...model.search, at: at + merged.shift < 0 ? null : at + merged.shift },
  };
}

function acted(
  model: Model,
  { action, name }: { readonly action: string; readonly name: string },
  notice: Notice,
): Change {
  const pending = model.pending.filter((one) => one.action !== action || one.name !== name);
  return {
    model: { ...model, pending, notice, refreshed: model.now },
    requests: [{ type: "services" }],
  };
}

const GONE = "Disconnected: ";

function failed(model: Model, message: Message & { readonly type: "failed" }): Change {
  const { request, text } = message;
  const error = (words: string): Notice => ({ text: clean(words), level: "error", at: model.now });
  if (request.type === "act") {
    return acted(
      model,
      { action: request.action, name: request.name },
      error(`${request.action} ${request.name} failed: ${text}`),
    );
  }
  if (message.gone) {
    // Told once; what became of an operation is not to be covered by it again and again.
    const told = !model.connected && model.notice !== null;
    return same({ ...model, connected: false, notice: told ? model.notice : error(GONE + text) });
  }
  switch (request.type) {
    case "services":
      return same({ ...model, notice: error(`Failed to fetch services: ${text}`) });
    case "logs": {
      const known = selectedService(model) !== null && request.name === model.selected;
      const notice = error(`Failed to fetch logs for ${request.name}: ${text}`);
      return same(known ? { ...model, notice: { ...notice, level: "warning" } } : model);
    }
    case "why":
      return same({ ...model, notice: error(`Failed to get why for ${request.name}: ${text}`) });
    case "tree":
      return same({ ...model, notice: error(`Failed to get the tree: ${text}`) });
    case "details":
      return same(request.name === model.selected ? { ...model, details: null } : model);
  }
}
