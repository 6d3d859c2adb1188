/**
 * From a document to the native model. Whatever is particular about zinit's services is said here
 * by fields that every service has; the engine knows nothing of it.
 */
import { DEFAULTS, HTTP_DEFAULTS } from "../../model/defaults.ts";
import type {
  Conflict,
  Following,
  GuardSpec,
  HealthSpec,
  ReadyCondition,
  Requirement,
  SparseSpec,
} from "../../model/spec.ts";
import { type Draft, sparse } from "../sparse.ts";
import {
  type DependencySection,
  type HealthSection,
  isTarget,
  type LifecycleSection,
  type ServiceDocument,
  type TargetDocument,
  type ZinitDocument,
} from "./document.ts";
import { signalName } from "./signal.ts";
import { httpTarget, tcpTarget } from "./target.ts";

/** What is beside a definition. */
export interface Surroundings {
  /** Where it stands; `null`: nowhere. */
  readonly file: string | null;
  /** The supervisor is a machine's init: only there `critical` means something. */
  readonly machine: boolean;
  /** Whether the console shows what its services write. */
  readonly console: boolean;
}

/** Ten years: longer than any wait that is meant as one. */
const LONGEST_MS = 315_360_000_000;
/** No more are kept, whatever is asked for (as in the native configuration). */
const LOG_LINES_MAX = 100_000;
/** What the time to get healthy has on top of all the checks that may fail. */
const START_MARGIN_MS = 5000;

export const BUILTIN = "@builtin:";

export function specOf(document: ZinitDocument, surroundings: Surroundings): SparseSpec {
  const { file, machine } = surroundings;
  const origin = { file, document: JSON.stringify(document) };
  if (isTarget(document)) {
    const critical = machine && document.target.critical;
    return sparse(document.target.name, { ...targetFields(document), critical, origin });
  }
  const { name, status, exec } = document.service;
  const critical = machine && document.service.critical;
  const common = { autostart: status === "start", critical, origin };
  // Nothing runs: whatever waits for it goes on as soon as its turn has come.
  if (exec.startsWith(BUILTIN)) {
    return sparse(name, { kind: "target", ...relations(document.dependencies, false), ...common });
  }
  const { oneshot } = document.service;
  const own = oneshot ? taskFields() : serviceFields(document);
  return sparse(name, { ...runFields(document, surroundings.console), ...own, ...common });
}

function targetFields({ dependencies }: TargetDocument): Draft {
  // A target has nothing of its own: with what it requires it comes and goes.
  return { kind: "target", ...relations(dependencies, true) };
}

/** zinit starts nothing along and stops nothing in favour of something else: it waits. */
function relations({ requires, after, wants, conflicts }: DependencySection, bind: boolean): Draft {
  const requirements = unique(requires).map((name): Requirement => ({ name, bind, start: false }));
  const begun = unique(after).map((name): Following => ({ name, until: "begun" }));
  const wanted = unique(wants)
    .filter((name) => !after.includes(name))
    .map((name): Following => ({ name, until: "any" }));
  return {
    requires: requirements,
    after: [...begun, ...wanted],
    conflicts: unique(conflicts).map((name): Conflict => ({ name, wait: true })),
  };
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

/** What everything has that runs a command. */
function runFields({ service, dependencies, lifecycle, logging }: ServiceDocument, console: boolean): Draft {
  const { conflicts, ...edges } = relations(dependencies, false);
  const others = conflicts?.filter(({ name }) => name !== service.name) ?? [];
  return {
    ...edges,
    conflicts: others,
    argv: ["/bin/sh", "-c", service.exec],
    directory: service.dir,
    environment: service.env,
    guard: guardOf(service),
    // Who has exited with 0 is as good as up, whoever made it exit, and has been tried in any case.
    endCounts: true,
    stop: {
      signal: signalName(lifecycle.stop_signal) ?? "TERM",
      timeoutMs: bounded(lifecycle.stop_timeout_ms),
      evict: "kill",
      // What has left its process group is a daemon of its own, and goes on.
      tree: false,
    },
    log: {
      ...DEFAULTS.log,
      file: logging.file,
      console,
      lines: Math.min(logging.buffer_lines, LOG_LINES_MAX),
    },
  };
}

/** Done once, and never again by itself. */
function taskFields(): Draft {
  return { kind: "task", restart: "never", startTimeoutMs: 0 };
}

function serviceFields({ service, lifecycle, health }: ServiceDocument): Draft {
  const { restart, restart_delay_ms, restart_delay_max_ms, max_restarts, stability_period_ms } = lifecycle;
  return {
    // `stop` and `ignore`: it starts when somebody says so, each time.
    restart: service.status === "start" ? restart : "never",
    restartDelayMs: bounded(restart_delay_ms),
    restartDelayMaxMs: bounded(restart_delay_max_ms),
    restartJitter: 0,
    restartResetMs: bounded(stability_period_ms),
    restartLimit: max_restarts,
    restartLimitMeans: "end",
    restartWindowMs: 0,
    remainAfterExit: true,
    ...healthFields(lifecycle, health),
  };
}

/** Without checks it is up as soon as it runs, so there is nothing to wait for. */
function healthFields(lifecycle: LifecycleSection, health: HealthSection | null): Draft {
  if (health === null) return { startTimeoutMs: 0 };
  const { interval_ms, timeout_ms, retries, start_period_ms } = health;
  const needed = start_period_ms + retries * (interval_ms + timeout_ms) + START_MARGIN_MS;
  const ready: readonly ReadyCondition[] = [{ type: "health" }];
  const spec: HealthSpec = {
    probes: [probeOf(health)],
    everyMs: bounded(interval_ms),
    timeoutMs: bounded(timeout_ms),
    failures: retries,
    successes: 1,
    initialDelayMs: bounded(start_period_ms),
    onFailure: "restart",
  };
  return { startTimeoutMs: bounded(Math.max(lifecycle.start_timeout_ms, needed)), ready, health: spec };
}

function probeOf(health: HealthSection): HealthSpec["probes"][number] {
  switch (health.type) {
    case "tcp":
      return { type: "tcp", ...tcpTarget(health.target) };
    case "exec":
      return { type: "exec", argv: ["/bin/sh", "-c", health.target], outside: true };
    case "http": {
      const status = [[health.expect_status, health.expect_status]] as const;
      // Whose certificate it is was never looked at, and it is mostly the machine's own.
      return { type: "http", ...HTTP_DEFAULTS, ...httpTarget(health.target), status, insecure: true };
    }
  }
}

function guardOf({ ports, process_filters, kill_others }: ServiceDocument["service"]): GuardSpec | null {
  // Nobody can listen on port 0, and an empty text is in every name.
  const real = [...new Set(ports)].filter((port) => port > 0);
  const processes = unique(process_filters).filter((filter) => filter !== "");
  if (real.length === 0 && processes.length === 0) return null;
  return { ports: real, processes, kill: kill_others, services: !kill_others };
}

function bounded(ms: number): number {
  return Math.min(ms, LONGEST_MS);
}
