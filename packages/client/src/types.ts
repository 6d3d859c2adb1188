// Made from docs/openapi.json by `npm run docs`; nobody edits it.

/** A service, task or target as it is now. */
export interface Service {
  /** A service's name. */
  readonly name: string;
  readonly kind: "service" | "task" | "target";
  readonly state: "inactive" | "waiting" | "starting" | "running" | "stopping" | "backoff" | "exited" | "failed";
  /** Others that require it may start. */
  readonly ready: boolean;
  /** `null` without a health probe, and until there have been enough checks. */
  readonly healthy: boolean | null;
  /** The main process. */
  readonly pid: number | null;
  /** When the main process was started. */
  readonly started_at: string | null;
  readonly uptime_ms: number | null;
  /** Restarts that the supervisor made by itself. */
  readonly restarts: number;
  /** How the last run ended. */
  readonly exit: {
    readonly code: number;
    /** RFC 3339 in UTC, with milliseconds. */
    readonly at: string;
  } | {
    /** Without SIG. */
    readonly signal: string;
    /** RFC 3339 in UTC, with milliseconds. */
    readonly at: string;
  } | {
    readonly unknown: null;
    /** RFC 3339 in UTC, with milliseconds. */
    readonly at: string;
  } | null;
  /** What it waits for before it can start. */
  readonly waiting_for: readonly string[];
  /** In `backoff`: when it is started again. With a schedule: when it is due next. */
  readonly next_start_at: string | null;
  /** What it is meant to be. */
  readonly goal: "up" | "down";
  /** Held by a person, whatever the rules say; `null`: not. */
  readonly pinned: "up" | "down" | null;
  /** A person does not let it start. */
  readonly masked: boolean;
  /** Why it is in this state. */
  readonly cause: string;
  readonly obstacle: {
    /** A port that is in use, and by whom. */
    readonly port: string | null;
    readonly process: {
      /** What their names have in them. */
      readonly filter: string;
      readonly processes: readonly {
        readonly pid: number;
        readonly name: string;
        readonly command: string;
      }[];
    } | null;
  } | null;
  /** The same for programs, of `failed` and `backoff`. */
  readonly reason: Reason | null;
  /** What it told of itself last (`STATUS=` of sd_notify). */
  readonly status: string | null;
  /** It told that it reads its configuration again. */
  readonly reloading: boolean;
  /** `null` where nothing is checked. */
  readonly health: ServiceHealth | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** Why a service has failed, or would have. */
export type Reason = {
  readonly type: "exit";
  readonly code: number;
} | {
  readonly type: "signal";
  /** Without SIG. */
  readonly signal: string;
} | {
  readonly type: "start-timeout";
} | {
  readonly type: "unhealthy";
  /** Checks that failed in a row. */
  readonly failures: number;
} | {
  readonly type: "watchdog";
} | {
  readonly type: "spawn";
  /** Why it could not be started. */
  readonly message: string;
} | {
  readonly type: "hook";
  /** Why one of its hooks has failed. */
  readonly message: string;
} | {
  readonly type: "lost";
} | {
  readonly type: "survived";
} | {
  readonly type: "fail-with";
  /** What it fails with, and has failed. */
  readonly name: string;
} | {
  readonly type: "missing";
  /** What it requires and is not configured. */
  readonly name: string;
} | {
  readonly type: "cycle";
  /** Who waits for whom, and the last for the first. */
  readonly path: readonly string[];
} | {
  readonly type: "limit";
  /** How many are allowed. */
  readonly restarts: number;
  /** Why it would have been restarted once more. */
  readonly last: Reason | null;
};

/** The health checks of a service. */
export interface ServiceHealth {
  /** `null` until there have been enough checks of the present run. */
  readonly healthy: boolean | null;
  readonly failures_in_row: number;
  readonly successes_in_row: number;
  /** How many times as long the last check was given, because the machine was starved. */
  readonly stretched: number | null;
  /** The last ten checks, oldest first. */
  readonly last: readonly {
    /** RFC 3339 in UTC, with milliseconds. */
    readonly time: string;
    readonly ok: boolean;
    /** Milliseconds. */
    readonly took_ms: number;
    /** What was found. */
    readonly reason: string;
  }[];
}

/** Services, in the order of the configuration or of the request. */
export type Services = readonly Service[];

/** Proof of one stop: every process of the set, and how it left. */
export interface Receipt {
  /** `null` for processes that belonged to no service. */
  readonly service: string | null;
  /** The set was seen to be empty. False: something could not be ended. */
  readonly empty: boolean;
  /** Milliseconds. */
  readonly duration_ms: number;
  readonly processes: readonly ReceiptProcess[];
}

/** One process of a stopped set. */
export interface ReceiptProcess {
  readonly pid: number;
  readonly command: string;
  /** How it was found to belong to the set. */
  readonly found: "child" | "group" | "session" | "cgroup" | "adopted";
  /** Which signals it got, in order, without SIG. */
  readonly signals: readonly string[];
  /** When it left, counted from the start of the stop. For one whose end only its own parent was told of: when that was noticed, at the latest when the parent had left too. */
  readonly left_ms: number | null;
  /** `null` where nobody can know. */
  readonly exit: {
    readonly code: number;
  } | {
    /** Without SIG. */
    readonly signal: string;
  } | {
    readonly unknown: null;
  } | null;
  /** It needed KILL. */
  readonly killed: boolean;
}

/** A receipt per process set that was stopped, in the order in which they ended. */
export type Receipts = readonly Receipt[];

/** The causal chain of a service's state, nearest cause first. */
export interface Why {
  /** A service's name. */
  readonly service: string;
  readonly state: "inactive" | "waiting" | "starting" | "running" | "stopping" | "backoff" | "exited" | "failed";
  /** In one sentence that the name begins: what it does, because of what, how long. */
  readonly answer: string;
  readonly chain: readonly {
    /** RFC 3339 in UTC, with milliseconds. */
    readonly time: string;
    /** A service's name. */
    readonly service: string;
    readonly what: string;
    readonly because: string;
  }[];
  /** The last runs of a task with a schedule. */
  readonly runs: Runs;
  /** Its own health checks. */
  readonly health: ServiceHealth | null;
}

/** A run of a task with a schedule, or one that was missed. */
export interface Run {
  /** When it was due; `null`: somebody asked for it, or needed it. */
  readonly scheduled_at: string | null;
  /** `null`: it was missed, and not made up for. */
  readonly started_at: string | null;
  /** `null` while it is at work, and if it was missed. */
  readonly ended_at: string | null;
  readonly duration_ms: number | null;
  /** How it ended; `null` as well if it could not be started. */
  readonly exit: {
    readonly code: number;
  } | {
    /** Without SIG. */
    readonly signal: string;
  } | {
    readonly unknown: null;
  } | null;
  /** `null` while nobody knows. */
  readonly success: boolean | null;
  /** How often it was due once more meanwhile, in vain. */
  readonly skipped: number;
  /** Why it ended as it did, or began, or was missed. */
  readonly cause: string;
}

/** Runs, newest first: at most ten. */
export type Runs = readonly Run[];

/** The dependency graph. */
export interface Tree {
  readonly services: readonly {
    /** A service's name. */
    readonly name: string;
    readonly requires: readonly string[];
    readonly wants: readonly string[];
    readonly after: readonly string[];
    readonly conflicts: readonly string[];
  }[];
}

/** What the supervisor's start was like. */
export interface Boot {
  /** RFC 3339 in UTC, with milliseconds. */
  readonly started_at: string;
  /** Nobody who was to start is on the way any more. */
  readonly done: boolean;
  /** From the beginning to the last readiness. */
  readonly took_ms: number | null;
  /** The service that was ready last, the one that released it, and so on. */
  readonly chain: readonly BootService[];
  /** Those that have failed for good by now. */
  readonly failed: readonly BootService[];
  /** Those that are still on the way. */
  readonly waiting: readonly BootService[];
  /** All that have a part in the start. */
  readonly services: readonly BootService[];
}

/** One service's part in the start: until its first readiness. */
export interface BootService {
  /** A service's name. */
  readonly name: string;
  readonly kind: "service" | "task" | "target";
  readonly state: "inactive" | "waiting" | "starting" | "running" | "stopping" | "backoff" | "exited" | "failed";
  /** RFC 3339 in UTC, with milliseconds. */
  readonly wanted_at: string;
  readonly started_at: string | null;
  readonly ready_at: string | null;
  /** From the beginning to its start. */
  readonly waited_ms: number | null;
  /** From its start to its readiness. */
  readonly took_ms: number | null;
  /** Which one it had waited for when it could start. */
  readonly released_by: string | null;
  /** Why it is in its state now. */
  readonly cause: string;
}

/** A process that belongs to a service now. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly found: "child" | "group" | "session" | "cgroup" | "adopted";
  readonly started_at: string | null;
  /** Resident memory. */
  readonly memory_bytes: number | null;
  /** Processor time used so far, user and system. */
  readonly cpu_ms: number | null;
}

/** The processes of a service's set. */
export type Processes = readonly Process[];

/** What the processes of a service that has any use together. */
export interface Usage {
  /** A service's name. */
  readonly name: string;
  readonly processes: number;
  /** Resident memory; what processes share counts for each. */
  readonly memory_bytes: number;
  /** Processor time used so far by those that are there. */
  readonly cpu_ms: number;
}

/** What services use. Those without a process are left out. */
export type Usages = readonly Usage[];

/** A line, or a gap of lines that were lost. */
export type LogRecord = {
  /** RFC 3339 in UTC, with milliseconds. */
  readonly time: string;
  /** A service's name. */
  readonly service: string;
  readonly stream: "out" | "err";
  readonly pid: number | null;
  readonly line: string;
  /** The line is longer; the next record goes on with it. */
  readonly partial?: true;
} | {
  /** RFC 3339 in UTC, with milliseconds. */
  readonly time: string;
  /** A service's name. */
  readonly service: string;
  readonly lost_lines: number;
  readonly lost_bytes: number;
};

/** Log records, oldest first. */
export type LogRecords = readonly LogRecord[];

/** Something that happened. */
export interface Event {
  /** Grows by one with each event. */
  readonly seq: number;
  /** RFC 3339 in UTC, with milliseconds. */
  readonly time: string;
  /** `null` for the supervisor itself. */
  readonly service: string | null;
  /** `state`, `ready`, `health`, `reload`, `hook`, `pin`, `receipt`, `schedule`, `change` or `supervisor`. */
  readonly event: string;
  /** The state before; of `health`: `unknown`, `healthy` or `unhealthy`; of `pin`: what held it. */
  readonly from: string | null;
  /** The state after; of `change`: `added`, `changed` or `removed`. */
  readonly to: string | null;
  readonly cause: string | null;
  /** With `receipt` events. */
  readonly receipt?: Receipt;
}

/** Events, oldest first. The supervisor keeps the last 1,000. */
export type Events = readonly Event[];

/** 200 with `ok` true, or 503 with a problem that has the same two members. */
export interface Health {
  readonly ok: boolean;
  readonly reasons: readonly string[];
}

/** Services and tasks: whether each has a running process. */
export type Status = readonly {
  /** A service's name. */
  readonly name: string;
  readonly running: boolean;
}[];

/** The supervisor itself. */
export interface Supervisor {
  readonly pid: number;
  readonly state: "running" | "stopping";
  /** RFC 3339 in UTC, with milliseconds. */
  readonly started_at: string;
  /** Milliseconds. */
  readonly uptime_ms: number;
}

/** OpenMetrics 1.0 text. */
export type Metrics = string;

/** This document. */
export type OpenApi = Readonly<Record<string, unknown>>;

/** RFC 9457. `type` ends in the kind of problem; some kinds have further members. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status?: number;
  /** What went wrong, and what to do. */
  readonly detail: string;
  readonly [member: string]: unknown;
}
