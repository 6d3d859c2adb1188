/**
 * What a field is when nobody sets it (CONTRACT §3), and how a sparse record gets it: by
 * prototype, so that a default costs a service no memory.
 */
import type { Kind, ServiceSpec, SparseSpec } from "./spec.ts";

const NONE: readonly never[] = Object.freeze([]);
const EMPTY: Readonly<Record<string, never>> = Object.freeze({});

/** Of a service. */
export const SERVICE_DEFAULTS: Omit<ServiceSpec, "name"> = Object.freeze({
  kind: "service",
  argv: NONE,
  requires: NONE,
  wants: NONE,
  after: NONE,
  before: NONE,
  conflicts: NONE,
  autostart: true,
  main: false,
  directory: null,
  user: null,
  group: null,
  groups: null,
  umask: null,
  environment: EMPTY,
  cleanEnvironment: false,
  nice: null,
  oomScoreAdjust: null,
  limits: EMPTY,
  noNewPrivileges: false,
  restart: "always",
  restartDelayMs: 100,
  restartDelayMaxMs: 30_000,
  restartResetMs: 10_000,
  restartLimit: 0,
  restartWindowMs: 60_000,
  successCodes: Object.freeze([0]),
  noRestartCodes: NONE,
  onFailure: "ignore",
  ready: NONE,
  startTimeoutMs: 30_000,
  stop: Object.freeze({ signal: "TERM", timeoutMs: 10_000, tree: true }),
  log: Object.freeze({
    file: null,
    maxSize: 10 * 1024 * 1024,
    keep: 5,
    format: "text",
    console: true,
    lines: 1000,
  }),
  labels: EMPTY,
  stdio: "log",
});

/** Puts the defaults behind a record. The record itself is used, not copied. */
export function withDefaults(sparse: SparseSpec): ServiceSpec {
  return Object.setPrototypeOf(sparse, SERVICE_DEFAULTS);
}

export type { Kind };
