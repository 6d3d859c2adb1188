/** A terminal interface without terminal and supervisor: messages in, text and requests out. */
import type { Text, Widget } from "../../../src/cli/screen.ts";
import type { Change } from "../../../src/tui/change.ts";
import {
  type Manner,
  type Message,
  type Model,
  newModel,
  type Request,
  type Service,
} from "../../../src/tui/model.ts";
import { update } from "../../../src/tui/update.ts";
import { view } from "../../../src/tui/view.ts";

export const LIST: Manner = {
  program: "zinit",
  title: "TUI",
  look: "list",
  actions: ["start", "stop", "restart", "kill", "remove", "halt+remove"],
  whyTitle: "Why Blocked?",
};

export const TABLE: Manner = {
  ...LIST,
  program: "oneup",
  title: "top",
  look: "table",
  actions: ["start", "stop", "restart", "kill"],
};

export const START = 1_000_000;

export class Bench {
  model: Model;
  requests: Request[] = [];

  constructor(manner: Manner = LIST, columns = 100, rows = 30) {
    this.model = newModel(manner, columns, rows, START);
  }

  send(message: Message): this {
    const change: Change = update(this.model, message);
    this.model = change.model;
    this.requests.push(...change.requests);
    return this;
  }

  key(...keys: readonly string[]): this {
    for (const key of keys) this.send({ type: "key", key, ctrl: false });
    return this;
  }

  type(text: string): this {
    return this.key(...text);
  }

  tick(ms: number): this {
    return this.send({ type: "tick", now: this.model.now + ms });
  }

  services(...services: readonly (Partial<Service> & { readonly name: string })[]): this {
    return this.send({ type: "services", services: services.map(service) });
  }

  logs(lines: readonly string[], name = this.model.selected ?? ""): this {
    return this.send({ type: "logs", name, lines });
  }

  /** The requests since the last look. */
  asked(): Request[] {
    const { requests } = this;
    this.requests = [];
    return requests;
  }

  get tree(): Widget {
    return view(this.model);
  }

  /** Every text of the picture, a line each. */
  get text(): string {
    return texts(this.tree).join("\n");
  }
}

export function service(given: Partial<Service> & { readonly name: string }): Service {
  return {
    state: "running",
    pid: 10,
    exitCode: null,
    error: null,
    uptimeMs: null,
    memoryBytes: null,
    cpuMs: null,
    restarts: null,
    ...given,
  };
}

export function plain(text: Text): string {
  if (typeof text === "string") return text;
  return text.map((piece) => (typeof piece === "string" ? piece : piece[0])).join("");
}

export function texts(widget: Widget): string[] {
  switch (widget.type) {
    case "rows":
    case "columns":
      return widget.parts.flatMap((part) => texts(part.of));
    case "overlay":
      return [...texts(widget.under), ...texts(widget.over)];
    case "text":
      return [...titles(widget.block), ...widget.lines.map(plain)];
    case "list":
      return [...titles(widget.block), ...widget.items.map(plain)];
    case "table":
      return [
        ...titles(widget.block),
        (widget.head ?? []).map(plain).join(" | "),
        ...widget.rows.map((row) => row.map(plain).join(" | ")),
      ];
  }
}

function titles(block: { readonly title: Text; readonly bottom?: Text } | undefined): string[] {
  if (block === undefined) return [];
  return [plain(block.title), ...(block.bottom === undefined ? [] : [plain(block.bottom)])];
}

/** All widgets of a kind. */
export function widgets(widget: Widget, type: Widget["type"]): Widget[] {
  const own = widget.type === type ? [widget] : [];
  if (widget.type === "rows" || widget.type === "columns") {
    return [...own, ...widget.parts.flatMap((part) => widgets(part.of, type))];
  }
  if (widget.type === "overlay")
    return [...own, ...widgets(widget.under, type), ...widgets(widget.over, type)];
  return own;
}
