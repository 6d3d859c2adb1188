/** A brain on a stand-in for the engine: tests set its world, and see what it was asked. */

import { createBrain, type Engine, type Personality } from "../../../src/brain/brain.ts";
import type {
  Ask,
  Graph,
  Health,
  Outcome,
  Phase,
  RunView,
  ServiceView,
  Why,
} from "../../../src/engine/index.ts";
import type { Batch, Boot, Call, Command, Event, Part, Receipt } from "../../../src/generated/protocol.ts";
import type { ServiceSpec } from "../../../src/model/spec.ts";

export const WALL = Date.parse("2026-01-31T12:00:00.000Z");

export interface World {
  readonly views: Map<string, ServiceView>;
  readonly edges: Map<string, Partial<Graph["services"][number]>>;
  readonly outcomes: Map<string, Outcome>;
  readonly ids: Map<string, number>;
  readonly specs: Map<string, ServiceSpec>;
  /** By name and verb: `web stop`. */
  readonly refusals: Map<string, string>;
  readonly reloads: Map<string, "not-running" | "not-configured">;
  readonly reloadOutcomes: Map<string, Outcome>;
  /** Sets that are no service's main one. */
  readonly sides: Set<number>;
  readonly runs: Map<string, readonly RunView[]>;
  readonly asks: Ask[];
  /** What reached the engine beside asks. */
  readonly events: string[];
  health: Health;
  phase: Phase;
  onStep: (event: Event | Ask) => Command[];
}

export function view(name: string, more: Partial<ServiceView> = {}): ServiceView {
  return {
    name,
    kind: "service",
    state: "running",
    ready: true,
    healthy: null,
    pid: 100,
    started_at: "2026-01-31T11:57:00.000Z",
    uptime_ms: 180_000,
    restarts: 0,
    exit: null,
    waiting_for: [],
    next_start_at: null,
    goal: "up",
    pinned: null,
    masked: false,
    cause: "started at boot",
    obstacle: null,
    reason: null,
    status: null,
    reloading: false,
    health: null,
    labels: {},
    ...more,
  };
}

export const DOWN = {
  state: "inactive",
  ready: false,
  pid: null,
  started_at: null,
  uptime_ms: null,
} as const;

type Reply = Extract<Command, { type: "reply" }>;

export interface Answered {
  readonly status: number;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: readonly Part[];
  readonly json: unknown;
}

/** A booted brain; requests are numbered by themselves. */
export class Bench {
  readonly world: World = {
    views: new Map([
      ["web", view("web")],
      ["db", view("db", { pid: 101 })],
      [
        "migrate",
        view("migrate", {
          kind: "task",
          ...DOWN,
          state: "exited",
          exit: { code: 0, at: "2026-01-31T11:58:00.000Z" },
        }),
      ],
      ["all", view("all", { kind: "target", pid: null, started_at: null, uptime_ms: null })],
    ]),
    edges: new Map([
      ["web", { requires: ["db"] }],
      ["all", { requires: ["web"], wants: ["db"] }],
    ]),
    outcomes: new Map(),
    ids: new Map([
      ["web", 1],
      ["db", 2],
    ]),
    specs: new Map(),
    refusals: new Map(),
    reloads: new Map(),
    reloadOutcomes: new Map(),
    sides: new Set(),
    runs: new Map(),
    asks: [],
    events: [],
    health: { ok: true, reasons: [] },
    phase: "running",
    onStep: () => [],
  };
  now = 1000;
  readonly #batch: (text: string) => string;
  #requests = 0;

  /** Another personality finds `own` in the configuration. */
  constructor(personality?: () => Personality, own: unknown = undefined, more: Partial<Boot> = {}) {
    this.#batch = createBrain(engineOf(this.world), personality);
    this.send({ type: "boot", ...BOOT, config: { ...CONFIG, personality: own }, ...more });
  }

  send(...events: Event[]): Command[] {
    const batch: Batch = { now: this.now, wall: WALL + this.now, events };
    return JSON.parse(this.#batch(JSON.stringify(batch))) as Command[];
  }

  /** The commands that a request leads to, and its number. */
  request(call: Call, from = { uid: 1000, pid: 77 }): { request: number; commands: Command[] } {
    this.#requests += 1;
    const request = this.#requests;
    return { request, commands: this.send({ type: "request", request, ...from, call }) };
  }

  http(method: string, target: string, body = ""): { request: number; commands: Command[] } {
    const [path = "", query = ""] = target.split("?");
    return this.request({ type: "http", method, path, query, body });
  }

  /** A request that is answered at once. */
  ask(method: string, target: string, body: unknown = undefined): Answered {
    const { commands } = this.http(method, target, body === undefined ? "" : JSON.stringify(body));
    return answered(commands);
  }

  line(value: unknown): { request: number; commands: Command[] } {
    return this.request({ type: "jsonRpc", text: typeof value === "string" ? value : JSON.stringify(value) });
  }

  /** The answer to one line of JSON-RPC; `undefined` if nothing is to be sent. */
  rpc(value: unknown): unknown {
    const { parts, json } = answered(this.line(value).commands);
    return parts.length === 0 ? undefined : json;
  }

  set(name: string, more: Partial<ServiceView>): void {
    this.world.views.set(name, view(name, more));
  }

  stopped(id: number, receipt: Receipt): Command[] {
    return this.send({ type: "stopped", id, at: this.now, receipt });
  }

  /** Any event, to have waiting requests looked at. */
  nudge(): Command[] {
    return this.send({ type: "signal", signal: "WINCH", sender: 0, at: this.now });
  }
}

export function replies(commands: readonly Command[]): Reply[] {
  return commands.filter((command) => command.type === "reply");
}

export function answered(commands: readonly Command[]): Answered {
  const found = replies(commands);
  if (found.length !== 1) throw new Error(`expected one reply, got ${JSON.stringify(commands)}`);
  const [reply] = found as [Reply];
  const text = reply.parts.map((part) => (part.type === "text" ? part.text : JSON.stringify(part))).join("");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = text;
  }
  return {
    status: reply.status,
    contentType: reply.contentType,
    headers: reply.headers,
    parts: reply.parts,
    json,
  };
}

export function receipt(service: string | null, more: Partial<Receipt> = {}): Receipt {
  return {
    service,
    empty: true,
    duration_ms: 12.5,
    processes: [
      {
        pid: 100,
        command: "node server.js",
        found: "child",
        signals: ["TERM", "CONT"],
        left_ms: 12,
        exit: { code: 0 },
        killed: false,
      },
    ],
    ...more,
  };
}

const CONFIG = { services: [], supervisor: { shutdownTimeoutMs: 60_000, single: false } };

const BOOT: Boot = {
  lost: null,
  config: CONFIG,
  seed: 1,
  nextId: 1,
  nextSeq: 1,
  children: [],
  slate: {},
  pid: 4242,
  pidOne: false,
  wallStarted: WALL - 60_000,
};

const ASKS = [
  "start",
  "stop",
  "restart",
  "reload",
  "kill",
  "pin",
  "unpin",
  "mask",
  "unmask",
  "change",
  "shutdown",
];

function engineOf(world: World): Engine<World> {
  return {
    boot: () => ({ world, commands: [] }),
    step: (_world, event) => {
      const isAsk = ASKS.includes(event.type);
      if (isAsk) world.asks.push(event as Ask);
      else world.events.push(event.type);
      return world.onStep(event as Event | Ask);
    },
    serviceNames: () => [...world.views.keys()],
    serviceView: (_world, name) => world.views.get(name) ?? null,
    specOf: (_world, name) => world.specs.get(name) ?? null,
    proxies: () => [],
    why: (_world, name): Why => ({
      service: name,
      state: "running",
      answer: "is running: as it should",
      chain: [],
      health: null,
      runs: [],
    }),
    runs: (_world, name) => (world.views.has(name) ? (world.runs.get(name) ?? []) : null),
    graph: () => ({
      services: [...world.views.keys()].map((name) => ({
        name,
        requires: [],
        wants: [],
        after: [],
        conflicts: [],
        ...world.edges.get(name),
      })),
    }),
    health: () => world.health,
    bootReport: () => ({
      started_at: "2026-01-31T11:59:00.000Z",
      done: true,
      took_ms: null,
      chain: [],
      failed: [],
      waiting: [],
      services: [],
    }),
    outcome: (_world, name) => world.outcomes.get(name) ?? "done",
    canSignal: (_world, name) => world.ids.has(name),
    setIdOf: (_world, name) => world.ids.get(name) ?? null,
    logNamesOf: (_world, name) => (name === "migrate" ? [name, `${name}/before-start`] : [name]),
    refusal: (_world, name, verb) => world.refusals.get(`${name} ${verb}`) ?? null,
    reloadProblem: (_world, name) => world.reloads.get(name) ?? null,
    reloadNumber: () => 1,
    reloadOutcome: (_world, name) => world.reloadOutcomes.get(name) ?? "done",
    receiptOf: (_world, { id, receipt }) => ({ receipt, main: !world.sides.has(id) }),
    phase: () => world.phase,
  };
}
