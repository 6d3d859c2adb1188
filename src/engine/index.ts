/**
 * The engine: decides, and does nothing else. `step(world, event, clock)` takes one event, changes
 * the world and returns the commands that follow from it. No I/O, no clock, no random source but
 * the seeded one in the world.
 */
import type { Boot, Command, Event, Exit, Scope } from "../generated/protocol.ts";
import type { Config, Kind } from "../model/spec.ts";

export interface Clock {
  /** CLOCK_MONOTONIC, ms. Everything that is decided by time is decided by this one. */
  readonly now: number;
  /** Wall clock, ms since 1970. For display alone. */
  readonly wall: number;
}

/** What a person asks. `because` says who, as the end of a sentence: `asked by uid 0`. */
export type Ask =
  | {
      readonly type: "start" | "stop" | "restart";
      readonly names: readonly string[];
      readonly because: string;
    }
  | {
      readonly type: "kill";
      readonly name: string;
      readonly signal: string;
      readonly scope: Scope;
      readonly because: string;
    }
  | { readonly type: "shutdown"; readonly because: string };

export type EngineEvent = Exclude<Event, { type: "boot" | "request" | "gone" }> | Ask;

export type BootInput = Omit<Boot, "config"> & { readonly config: Config };

export type PublicState =
  | "inactive"
  | "waiting"
  | "starting"
  | "running"
  | "stopping"
  | "backoff"
  | "exited"
  | "failed";

/** A service as the API shows it (CONTRACT §4). */
export interface ServiceView {
  readonly name: string;
  readonly kind: Kind;
  readonly state: PublicState;
  readonly ready: boolean;
  readonly healthy: boolean | null;
  readonly pid: number | null;
  readonly started_at: string | null;
  readonly uptime_ms: number | null;
  /** Restarts that the supervisor made by itself. */
  readonly restarts: number;
  readonly exit: (Exit & { readonly at: string }) | null;
  readonly waiting_for: readonly string[];
  readonly next_start_at: string | null;
  /** What it is meant to be. */
  readonly goal: "up" | "down";
  readonly cause: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface WhyEntry {
  readonly time: string;
  readonly service: string;
  readonly what: string;
  readonly because: string;
}

export interface Why {
  readonly service: string;
  readonly state: PublicState;
  readonly chain: readonly WhyEntry[];
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

export type Outcome = "pending" | "done" | { readonly failed: string };
export type Phase = "running" | "stopping" | "exiting";

/** Opaque to everybody but the engine. */
export interface World {
  readonly config: Config;
}

export function boot(_boot: BootInput, _clock: Clock): { world: World; commands: Command[] } {
  throw new Error("not there yet");
}
export function step(_world: World, _event: EngineEvent, _clock: Clock): Command[] {
  throw new Error("not there yet");
}
export function serviceNames(_world: World): string[] {
  throw new Error("not there yet");
}
export function serviceView(_world: World, _name: string, _clock: Clock): ServiceView | null {
  throw new Error("not there yet");
}
export function why(_world: World, _name: string, _clock: Clock): Why | null {
  throw new Error("not there yet");
}
export function graph(_world: World): Graph {
  throw new Error("not there yet");
}
export function health(_world: World): Health {
  throw new Error("not there yet");
}
export function outcome(_world: World, _name: string, _want: "up" | "down"): Outcome {
  throw new Error("not there yet");
}
export function childIdOf(_world: World, _name: string): number | null {
  throw new Error("not there yet");
}
export function phase(_world: World): Phase {
  throw new Error("not there yet");
}
