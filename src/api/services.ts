/**
 * What the API needs of the engine: the world it looks at and the one thing it may do to it.
 * `src/brain/brain.ts` binds it to the engine; tests put a small stand-in here.
 */
import type { Scope } from "../generated/protocol.ts";

export interface Clock {
  /** CLOCK_MONOTONIC, ms. */
  readonly now: number;
  /** Milliseconds since 1970. */
  readonly wall: number;
}

/** What a person (or a program on their behalf) wants done. */
export type Ask =
  | { type: "start" | "stop" | "restart"; names: string[]; because: string }
  | { type: "kill"; name: string; signal: string; scope: Scope; because: string }
  | { type: "shutdown"; because: string };

export type State =
  | "inactive"
  | "waiting"
  | "starting"
  | "running"
  | "stopping"
  | "backoff"
  | "exited"
  | "failed";

/** A service as the API shows it. It never carries environments. */
export interface ServiceView {
  readonly name: string;
  readonly kind: "service" | "task" | "target";
  readonly state: State;
  readonly ready: boolean;
  readonly healthy: boolean | null;
  readonly pid: number | null;
  readonly started_at: string | null;
  readonly uptime_ms: number | null;
  readonly restarts: number;
  readonly exit: { readonly code?: number; readonly signal?: string; readonly at: string } | null;
  readonly waiting_for: readonly string[];
  readonly next_start_at: string | null;
  /** What it is meant to be. */
  readonly goal: "up" | "down";
  readonly cause: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Why {
  readonly service: string;
  readonly state: State;
  readonly chain: readonly {
    readonly time: string;
    readonly service: string;
    readonly what: string;
    readonly because: string;
  }[];
}

export interface Graph {
  readonly services: readonly {
    readonly name: string;
    readonly requires: readonly string[];
    readonly wants: readonly string[];
    readonly after: readonly string[];
    readonly conflicts: readonly string[];
  }[];
}

export interface Health {
  readonly ok: boolean;
  readonly reasons: readonly string[];
}

/** How far a service is on the way to what was asked of it. */
export type Outcome = "pending" | "done" | { readonly failed: string };

export interface Services {
  readonly clock: Clock;
  /** The supervisor's own process. */
  readonly supervisor: { readonly pid: number; readonly wallStarted: number };
  names(): readonly string[];
  view(name: string): ServiceView | null;
  why(name: string): Why | null;
  graph(): Graph;
  health(): Health;
  outcome(name: string, want: "up" | "down"): Outcome;
  /** The process set of a service, or `null` if it has none now. */
  childId(name: string): number | null;
  phase(): "running" | "stopping" | "exiting";
  ask(ask: Ask): void;
  /** What `make` makes, made again only after the world has changed. There is one such text. */
  untilNextStep(make: () => string): string;
}
