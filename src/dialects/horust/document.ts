/** What a Horust service file says, every default in its place. */

export type Strategy = "always" | "on-failure" | "never";
export type FailureStrategy = "ignore" | "kill-dependents" | "shutdown";

/** `STDOUT`, `STDERR`, or a path. */
export type Target = string;

export interface Limits {
  /** Processors; 0.5 is half of one. */
  readonly cpu: number | null;
  readonly memory: number | null;
  readonly pids: number | null;
}

export interface HorustService {
  readonly name: string;
  readonly command: string;
  /** `null`: the supervisor's own. A number is a user id, a text a name. */
  readonly user: number | string | null;
  readonly workingDirectory: string | null;
  readonly stdout: Target;
  readonly stderr: Target;
  /** 0: stdout is one file. */
  readonly rotateSize: number;
  readonly stamp: boolean;
  readonly startDelayMs: number;
  readonly startAfter: readonly string[];
  readonly shutdownAfter: readonly string[];
  readonly restart: {
    readonly strategy: Strategy;
    readonly backoffMs: number;
    readonly attempts: number;
  };
  readonly healthiness: {
    readonly http: string | null;
    readonly file: string | null;
    readonly command: string | null;
    readonly maxFailed: number;
    readonly afterMs: number;
  };
  readonly failure: {
    readonly successCodes: readonly number[];
    readonly strategy: FailureStrategy;
  };
  readonly environment: {
    readonly keep: boolean;
    readonly reExport: readonly string[];
    readonly additional: Readonly<Record<string, string>>;
  };
  readonly termination: {
    readonly signal: string;
    readonly waitMs: number;
    readonly dieIfFailed: readonly string[];
  };
  readonly limits: Limits;
}

export const STDOUT = "STDOUT";
export const STDERR = "STDERR";

/** A file that has a command and says nothing else. */
export function plainService(name: string, command: string): HorustService {
  return {
    name,
    command,
    user: null,
    workingDirectory: null,
    stdout: STDOUT,
    stderr: STDERR,
    rotateSize: 0,
    stamp: false,
    startDelayMs: 0,
    startAfter: [],
    shutdownAfter: [],
    restart: { strategy: "never", backoffMs: 0, attempts: 0 },
    healthiness: { http: null, file: null, command: null, maxFailed: 3, afterMs: 0 },
    failure: { successCodes: [0], strategy: "ignore" },
    environment: { keep: false, reExport: [], additional: {} },
    termination: { signal: "TERM", waitMs: 5000, dieIfFailed: [] },
    limits: { cpu: null, memory: null, pids: null },
  };
}
