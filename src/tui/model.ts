/** What the terminal interface knows, and what can happen to it. */

export interface Service {
  readonly name: string;
  readonly state: string;
  readonly pid: number | null;
  readonly exitCode: number | null;
  readonly error: string | null;
  readonly uptimeMs: number | null;
  readonly memoryBytes: number | null;
  /** Processor time that its processes have used; `null` where nobody tells. */
  readonly cpuMs: number | null;
  readonly restarts: number | null;
}

export interface Child {
  readonly pid: number;
  readonly name: string;
  readonly memoryBytes: number | null;
}

/** More about one service. */
export interface Details {
  readonly name: string;
  readonly error: string | null;
  readonly uptimeMs: number | null;
  readonly memoryBytes: number | null;
  readonly cpuPercent: number | null;
  readonly children: readonly Child[];
  readonly needs: readonly Need[];
}

export interface Need {
  readonly name: string;
  readonly how: string;
  readonly satisfied: boolean | null;
}

export type Action = "start" | "stop" | "restart" | "kill" | "remove" | "halt+remove";

/** What is asked of the supervisor. */
export type Request =
  | { readonly type: "services" }
  | { readonly type: "details"; readonly name: string }
  | { readonly type: "logs"; readonly name: string; readonly lines: number }
  | { readonly type: "why"; readonly name: string }
  | { readonly type: "tree" }
  | { readonly type: "act"; readonly action: Action; readonly name: string };

export type Message =
  | { readonly type: "key"; readonly key: string; readonly ctrl: boolean }
  | { readonly type: "resize"; readonly columns: number; readonly rows: number }
  | { readonly type: "tick"; readonly now: number }
  | { readonly type: "services"; readonly services: readonly Service[] }
  | { readonly type: "details"; readonly details: Details }
  | { readonly type: "logs"; readonly name: string; readonly lines: readonly string[] }
  | { readonly type: "why"; readonly name: string; readonly why: Why }
  | { readonly type: "tree"; readonly lines: readonly string[] }
  | { readonly type: "done"; readonly action: Action; readonly name: string }
  /** `gone`: there is nobody at the other end, or nobody who answers. */
  | { readonly type: "failed"; readonly request: Request; readonly text: string; readonly gone: boolean };

export interface Why {
  /** Shown if nothing holds it back. */
  readonly calm: string | null;
  readonly lines: readonly string[];
  /** `[label, text, colour of the label]`. */
  readonly facts: readonly (readonly [string, string, "yellow" | "red"])[];
}

export type Focus = "services" | "deps" | "logs";

export type Overlay =
  | { readonly kind: "help" }
  | { readonly kind: "details" }
  | { readonly kind: "why"; readonly name: string; readonly why: Why }
  | { readonly kind: "tree"; readonly lines: readonly string[]; readonly top: number };

export interface Log {
  readonly of: string | null;
  /** Oldest first. */
  readonly lines: readonly string[];
  /** The first line shown; `null`: the last ones, whatever comes. */
  readonly top: number | null;
}

export interface Search {
  readonly text: string;
  /** The person is still writing it. */
  readonly typing: boolean;
  /** The line found last. */
  readonly at: number | null;
}

export interface Pending {
  readonly action: Action;
  readonly name: string;
  readonly since: number;
}

export interface Notice {
  readonly text: string;
  readonly level: "info" | "success" | "warning" | "error";
  readonly at: number;
}

/** What a service's processes had used when, to tell how much that is per second. */
export interface Sample {
  readonly cpuMs: number;
  readonly at: number;
  readonly percent: number | null;
}

/** What the interface looks like, and what may be asked for. */
export interface Manner {
  /** Before "TUI" or "top" in the title. */
  readonly program: string;
  readonly title: string;
  /** `list`: names in a column beside the other panes; `table`: a table with figures above them. */
  readonly look: "list" | "table";
  readonly actions: readonly Action[];
  /** Whether an answer to "why" is about being blocked alone. */
  readonly whyTitle: string;
}

export interface Model {
  readonly manner: Manner;
  readonly columns: number;
  readonly rows: number;
  readonly now: number;
  readonly connected: boolean;
  /** By name. */
  readonly services: readonly Service[];
  readonly selected: string | null;
  readonly samples: ReadonlyMap<string, Sample>;
  readonly details: Details | null;
  /** How far the information about the service is scrolled. */
  readonly detailsTop: number;
  readonly log: Log;
  readonly zoomed: boolean;
  readonly search: Search | null;
  readonly focus: Focus;
  readonly overlay: Overlay | null;
  readonly pending: readonly Pending[];
  readonly notice: Notice | null;
  readonly refreshed: number | null;
  readonly logsAsked: number | null;
  readonly over: boolean;
}

export function newModel(manner: Manner, columns: number, rows: number, now: number): Model {
  return {
    manner,
    columns,
    rows,
    now,
    connected: false,
    services: [],
    selected: null,
    samples: new Map(),
    details: null,
    detailsTop: 0,
    log: { of: null, lines: [], top: null },
    zoomed: false,
    search: null,
    focus: "services",
    overlay: null,
    pending: [],
    notice: null,
    refreshed: null,
    logsAsked: null,
    over: false,
  };
}

export function selectedService(model: Model): Service | null {
  return model.services.find((service) => service.name === model.selected) ?? null;
}
