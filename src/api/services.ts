/**
 * What the API needs of the engine: the world it looks at and the one thing it may do to it.
 * `src/brain/brain.ts` binds it to the engine; tests put a small stand-in here.
 */
import type {
  Ask,
  BootReport,
  Clock,
  Graph,
  Health,
  HeldVerb,
  Outcome,
  Phase,
  RunView,
  ServiceView,
  Why,
} from "../engine/index.ts";
import type { Query, QueryAnswer, Scope } from "../generated/protocol.ts";
import type { ProxySpec, ServiceSpec } from "../model/spec.ts";

/** A question to the nucleus. */
export interface Ticket {
  /** The answer, once there is one. */
  poll(): QueryAnswer | null;
}

export interface Services {
  readonly clock: Clock;
  /** The supervisor's own process. */
  readonly supervisor: { readonly pid: number; readonly pidOne: boolean; readonly wallStarted: number };
  /** What the configuration holds for the personality alone. */
  readonly personality: unknown;
  names(): readonly string[];
  view(name: string): ServiceView | null;
  /** What is configured under a name; `null`: nothing (any more). */
  specOf(name: string): ServiceSpec | null;
  /** Listeners that start a service, in the order they were set. */
  proxies(): readonly ProxySpec[];
  why(name: string): Why | null;
  /** Newest first; `null`: no such service. */
  runs(name: string): readonly RunView[] | null;
  graph(): Graph;
  health(): Health;
  bootReport(): BootReport;
  outcome(name: string, want: "up" | "down"): Outcome;
  /** Is there a process that a signal of this scope reaches? */
  canSignal(name: string, scope: Scope): boolean;
  /** The process set to look at: a hook's, where the service itself has none. */
  setId(name: string): number | null;
  /** Its log, and those of its hooks and commands. */
  logNames(name: string): readonly string[];
  /** Why a pin or a mask forbids what is asked, with the next step; `null`: it does not. */
  refusal(name: string, verb: HeldVerb): string | null;
  reloadProblem(name: string): "not-running" | "not-configured" | null;
  /** After a reload was asked for: the number by which its outcome is known. */
  reloadNumber(name: string): number;
  reloadOutcome(name: string, number: number): Outcome;
  phase(): Phase;
  ask(ask: Ask): void;
  /** Asks the nucleus what only it can see, or lets the config program work. */
  query(query: Query): Ticket;
  /** A line of the supervisor's own, for the person at the console. */
  say(text: string): void;
  /** What `make` makes, made again only after the world has changed. There is one such text. */
  untilNextStep(make: () => string): string;
}
