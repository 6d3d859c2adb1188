/**
 * The native model: what a service is, as the engine reads it. The fields come from the schema
 * (`src/model/schema.ts`), where each stands with what it means.
 *
 * The config program writes it (`src/config/`), the brain reads it. On the way it is sparse:
 * a field that has its default is left out, and `withDefaults` (`src/model/defaults.ts`) puts the
 * defaults behind it as a prototype, so that a thousand plain services cost the brain next to
 * nothing.
 */

import type { Proxy as PassingOn } from "../generated/protocol.ts";
import type { Schedule } from "../schedule/schedule.ts";
import type { Zone } from "../schedule/zone.ts";
import type { DeepReadonly, Outputs } from "./fields.ts";
import type { HttpTarget, StatusRange } from "./probes.ts";
import type { serviceFields, supervisorFields } from "./schema.ts";

export type Kind = "service" | "task" | "target";

type Fields = Outputs<typeof serviceFields>;
type ReadyFields = Fields["ready"];
type HealthFields = Fields["health"];

/**
 * `bind`: a crash of the requirement, even one that is restarted, takes this service along.
 * `start`: it is started along; otherwise it is only waited for.
 */
export type Requirement = Fields["requires"][number];

/**
 * Whom it starts after. `ready`: is ready, or settled, or not meant to start. `begun`: is neither
 * `inactive` nor `waiting`, meant to start or not. `up`: is what its dependents would need; stops know nothing of
 * it. `any`: whatever it does; the order of stops remains.
 */
export type Following = Fields["after"][number];

/** `wait`: neither stops the other, the second waits. */
export type Conflict = Fields["conflicts"][number];

/** A request, and what the answer must be like. */
export interface HttpCondition extends DeepReadonly<HttpTarget> {
  readonly type: "http";
  readonly status: readonly StatusRange[];
  readonly body: string | null;
  readonly method: "GET" | "HEAD";
  /** How many are followed. */
  readonly redirects: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly caFile: string | null;
  readonly insecure: boolean;
}

/** `fresh`: one that is there before a start is removed. */
export type FileCondition = ReadyFields["file"] & { readonly fresh?: boolean };

/** What is asked of a service from outside, again and again if need be. */
export type ProbeCondition = ReadyFields["tcp" | "exec"] | FileCondition | HttpCondition;

/** One condition of readiness; all of a service's conditions must hold. */
export type ReadyCondition = ProbeCondition | ReadyFields["log" | "notify" | "listen" | "delay" | "health"];

export type HealthAction = HealthFields["onFailure"];

/** How its health is checked while it is ready. */
export interface HealthSpec {
  /** All must hold in a round. */
  readonly probes: readonly ProbeCondition[];
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly failures: number;
  readonly successes: number;
  readonly initialDelayMs: number;
  readonly onFailure: HealthAction;
}

/** One hook. `timeoutMs` is its own, or that of all hooks. */
export interface HookSpec {
  readonly argv: readonly string[];
  readonly timeoutMs: number;
}

/** What must not be there when it starts. */
export type GuardSpec = Fields["guard"];

export type HookName = "before-start" | "after-start" | "before-stop" | "after-exit";

/** Those that are configured. */
export type HookSpecs = { readonly [K in HookName]?: HookSpec };

/** Where a definition comes from, for the dialect that made it. */
export interface Origin {
  /** The file it stands in; `null`: it is in none and goes with the supervisor. */
  readonly file: string | null;
  /** The dialect's own text of the definition, as JSON. The engine only hands it on. */
  readonly document: string;
}

export interface ServiceSpec extends Omit<Fields, "ready" | "health" | "hooks" | "stop" | "guard"> {
  readonly name: string;
  readonly kind: Kind;
  /** Empty for a target. `shell = true` has become `["/bin/sh", "-c", text]`. */
  readonly argv: readonly string[];
  /** Empty: running is ready. */
  readonly ready: readonly ReadyCondition[];
  /** When a task runs by itself. */
  readonly schedule: Schedule | null;
  /** No probe of `ready` before it has run for so long. */
  readonly readyDelayMs: number;
  readonly health: HealthSpec | null;
  readonly guard: GuardSpec | null;
  readonly stop: Omit<Fields["stop"], "command">;
  readonly stopCommand: readonly string[] | null;
  /** `null`: none at all, as most have it. */
  readonly hooks: HookSpecs | null;
  /** `inherit`, over `stdin` and the others: the supervisor's own stdin, stdout and stderr (single-command mode only). */
  readonly stdio: "log" | "inherit";
  readonly origin?: Origin;
}

/** As it travels: the name and what differs from the default. */
export type SparseSpec = Partial<ServiceSpec> & { readonly name: string };

/** The settings of `[supervisor]`. */
export type SupervisorSettings = Outputs<typeof supervisorFields>;

/** What a signal to the supervisor does. `renew`: the supervisor takes its own place. */
export type SignalAction = "shutdown" | "poweroff" | "reboot" | "renew" | "ignore";

/** A listener that passes bytes on to a service. */
export interface ProxySpec {
  readonly name: string;
  readonly service: string;
  readonly proxy: PassingOn;
  /** It is to be there after the next start, too. The engine only hands this on. */
  readonly persist?: boolean;
}

export interface Config {
  readonly services: readonly SparseSpec[];
  /**
   * Written by the brain alone: what runs at work have begun with, where that is not (any more)
   * what stands in `services`.
   */
  readonly former?: readonly SparseSpec[];
  /** The time zones that schedules go by. */
  readonly zones?: Readonly<Record<string, Zone>>;
  /** What only the personality understands; the engine hands it on. */
  readonly personality?: unknown;
  readonly proxies?: readonly ProxySpec[];
  /** What is optional is left out where it has its default. */
  readonly supervisor: Pick<SupervisorSettings, "shutdownTimeoutMs"> &
    Partial<Pick<SupervisorSettings, "startConcurrency" | "restartBudget" | "leaveWhenDone">> & {
      readonly failedExitCode?: number;
      /** Single-command mode (`oneup -- CMD`): signals go to the one service. */
      readonly single: boolean;
      /** What a signal does, by its name without SIG, where that is not the usual. */
      readonly signals?: Readonly<Record<string, SignalAction>>;
    };
}
