/**
 * What a field has when nobody sets it. The brain bundles this file, so it imports no schema
 * library; the schema (`src/model/schema.ts`) and the reference page read the same constants.
 */
import type { ServiceSpec, SparseSpec } from "./spec.ts";

/** The default of every field but the name. */
export const DEFAULTS: Omit<ServiceSpec, "name"> = freeze({
  kind: "service",
  argv: [],

  requires: [],
  wants: [],
  after: [],
  before: [],
  conflicts: [],
  autostart: true,
  main: false,
  critical: false,
  guard: null,

  directory: null,
  user: null,
  group: null,
  groups: null,
  umask: null,
  environment: {},
  cleanEnvironment: false,
  nice: null,
  oomScoreAdjust: null,
  limits: {},
  resources: null,
  noNewPrivileges: false,
  stdin: "null",
  stdout: { type: "log" },
  stderr: { type: "log" },

  startDelayMs: 0,
  restart: "always",
  restartDelayMs: 100,
  restartDelayMaxMs: 30_000,
  restartBackoff: "doubling",
  restartJitter: 0.1,
  restartResetMs: 10_000,
  restartResetFrom: "start",
  restartUnstartable: false,
  restartLimit: 0,
  restartLimitMeans: "failure",
  restartWindowMs: 60_000,
  remainAfterExit: false,
  endCounts: false,
  successCodes: [0],
  successSignals: [],
  failWith: [],
  noRestartCodes: [],
  onFailure: "ignore",
  onFailureAt: "end",

  ready: [],
  hooks: null,
  stopCommand: null,
  reload: null,
  readyDelayMs: 0,
  startTimeoutMs: 30_000,
  health: null,
  watchdogMs: 0,
  stop: { signal: "TERM", timeoutMs: 10_000, evict: "stop", tree: true },
  log: {
    file: null,
    maxSize: 10 * 1024 * 1024,
    keep: 5,
    split: false,
    stamp: false,
    format: "text",
    console: true,
    lines: 1000,
  },
  schedule: null,
  labels: {},

  stdio: "log",
});

/** What a `guard` that says nothing else has. */
export const GUARD_DEFAULTS = freeze({ ports: [], processes: [], kill: false, services: false });

/** How long a hook may take for which nothing is set. */
export const HOOK_TIMEOUT_MS = 30_000;

/** What a `health` that says nothing else has. */
export const HEALTH_DEFAULTS = freeze({
  everyMs: 10_000,
  timeoutMs: 2_000,
  failures: 3,
  successes: 1,
  initialDelayMs: 0,
  onFailure: "restart",
} as const);

/** What an answer to an HTTP probe has to be like, where nothing is said. */
export const HTTP_DEFAULTS = freeze({
  status: [[200, 399]] as readonly (readonly [number, number])[],
  body: null,
  method: "GET",
  redirects: 0,
  headers: {},
  caFile: null,
  insecure: false,
} as const);

/** What a task has instead; the config program writes it out, so that the engine need not know. */
export const TASK_DEFAULTS = freeze({ restart: "never", startTimeoutMs: 0 } as const);

/** What the `main` service or task has instead; written out too. */
export const MAIN_DEFAULTS = freeze({ restart: "never" } as const);

export const SUPERVISOR_DEFAULTS = freeze({
  shutdownTimeoutMs: 60_000,
  startConcurrency: 0,
  restartBudget: { restarts: 0, windowMs: 60_000 },
  leaveWhenDone: false,
  failedExitCode: null,
  apiListen: "",
  apiTokenFile: "",
  logFormat: "text",
} as const);

/**
 * A whole service out of a sparse one. The defaults stand behind it as its prototype and cost no
 * memory; `JSON.stringify`, `Object.keys` and spreading see only what differs from them.
 */
export function withDefaults(sparse: SparseSpec): ServiceSpec {
  // Not by assignment, which a frozen prototype refuses; not by changing the prototype of an
  // object that exists, which gives each its own hidden shape and so costs memory.
  return Object.create(DEFAULTS, Object.getOwnPropertyDescriptors(sparse));
}

function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null) freeze(part);
  }
  return Object.freeze(value);
}
