/**
 * The native model: what a service is, as the engine reads it.
 *
 * The config program writes it (`src/config/`), the brain reads it. On the way it is sparse:
 * a field that has its default is left out, and `withDefaults` puts the defaults behind it as a
 * prototype, so that a thousand plain services cost the brain next to nothing.
 */

export type Kind = "service" | "task" | "target";

export interface Requirement {
  readonly name: string;
  /** A crash of the requirement, even one that is restarted, takes this service along. */
  readonly bind: boolean;
}

/** One condition of readiness; all of a service's conditions must hold. */
export type ReadyCondition =
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | { readonly type: "exec"; readonly argv: readonly string[] }
  | { readonly type: "file"; readonly path: string }
  | { readonly type: "log"; readonly pattern: string }
  | { readonly type: "delay"; readonly ms: number };

export interface ServiceSpec {
  readonly name: string;
  readonly kind: Kind;
  /** Empty for a target. `shell = true` has become `["/bin/sh", "-c", text]`. */
  readonly argv: readonly string[];

  readonly requires: readonly Requirement[];
  readonly wants: readonly string[];
  readonly after: readonly string[];
  readonly before: readonly string[];
  readonly conflicts: readonly string[];
  readonly autostart: boolean;
  readonly main: boolean;

  readonly directory: string | null;
  readonly user: string | null;
  readonly group: string | null;
  readonly groups: readonly string[] | null;
  readonly umask: number | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly cleanEnvironment: boolean;
  readonly nice: number | null;
  readonly oomScoreAdjust: number | null;
  readonly limits: Readonly<Record<string, { readonly soft: number | null; readonly hard: number | null }>>;
  readonly noNewPrivileges: boolean;

  readonly restart: "always" | "on-failure" | "never";
  readonly restartDelayMs: number;
  readonly restartDelayMaxMs: number;
  /** An uptime from which the delay starts over. */
  readonly restartResetMs: number;
  /** More restarts than this within the window: failed. 0: no limit. */
  readonly restartLimit: number;
  readonly restartWindowMs: number;
  readonly successCodes: readonly number[];
  readonly noRestartCodes: readonly number[];
  readonly onFailure: "ignore" | "stop-dependents" | "shutdown";

  /** Empty: running is ready. */
  readonly ready: readonly ReadyCondition[];
  /** 0: no limit. */
  readonly startTimeoutMs: number;
  readonly stop: { readonly signal: string; readonly timeoutMs: number; readonly tree: boolean };
  readonly log: {
    /** Absolute path. */
    readonly file: string | null;
    /** Bytes. */
    readonly maxSize: number;
    readonly keep: number;
    readonly format: "text" | "json";
    readonly console: boolean;
    readonly lines: number;
  };
  readonly labels: Readonly<Record<string, string>>;

  /** `inherit`: the supervisor's own stdin, stdout and stderr (single-command mode only). */
  readonly stdio: "log" | "inherit";
}

/** As it travels: the name and what differs from the default. */
export type SparseSpec = Partial<ServiceSpec> & { readonly name: string };

export interface Config {
  readonly services: readonly SparseSpec[];
  readonly supervisor: {
    readonly shutdownTimeoutMs: number;
    /** Single-command mode (`oneup -- CMD`): signals go to the one service. */
    readonly single: boolean;
  };
}
