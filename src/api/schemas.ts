/**
 * JSON Schemas (2020-12) of everything that the socket and `--json` write. For documents and tests
 * only: nothing that runs in the supervisor imports this.
 */

export type Schema = { readonly [keyword: string]: unknown };

const text: Schema = { type: "string" };
const name = { type: "string", description: "A service's name." };
const flag: Schema = { type: "boolean" };
const count: Schema = { type: "integer", minimum: 0 };
const milliseconds = { type: "number", minimum: 0, description: "Milliseconds." };
const time = {
  type: "string",
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$",
  description: "RFC 3339 in UTC, with milliseconds.",
};
const state: Schema = {
  enum: ["inactive", "waiting", "starting", "running", "stopping", "backoff", "exited", "failed"],
};
const names: Schema = { type: "array", items: name };

/** A closed object all of whose members are always there; what is absent is `null`. */
function object(description: string, properties: Readonly<Record<string, Schema>>): Schema {
  return {
    type: "object",
    description,
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
}

function array(of: string, description: string): Schema {
  return { type: "array", description, items: ref(of) };
}

function orNull(schema: Schema, description?: string): Schema {
  const either = { anyOf: [schema, { type: "null" }] };
  return description === undefined ? either : { ...either, description };
}

export function ref(schema: string): Schema {
  return { $ref: `#/components/schemas/${schema}` };
}

/** `{"code":…}`, `{"signal":…}` or `{"unknown":null}`, with more beside it. */
function exit(more: Readonly<Record<string, Schema>>): Schema {
  return {
    anyOf: [
      object("It left with a code.", { code: { type: "integer" }, ...more }),
      object("A signal ended it.", { signal: { type: "string", description: "Without SIG." }, ...more }),
      object("It was the child of a supervisor before this one, and nobody can tell.", {
        unknown: { type: "null" },
        ...more,
      }),
    ],
  };
}

function reason(type: string, more: Readonly<Record<string, Schema>>): Schema {
  return {
    type: "object",
    properties: { type: { const: type }, ...more },
    required: ["type", ...Object.keys(more)],
    additionalProperties: false,
  };
}

export const SCHEMAS: Readonly<Record<string, Schema>> = {
  Service: object("A service, task or target as it is now.", {
    name,
    kind: { enum: ["service", "task", "target"] },
    state,
    ready: { type: "boolean", description: "Others that require it may start." },
    healthy: orNull(flag, "`null` without a health probe, and until there have been enough checks."),
    pid: orNull({ type: "integer", minimum: 1 }, "The main process."),
    started_at: orNull(time, "When the main process was started."),
    uptime_ms: orNull(milliseconds),
    restarts: { ...count, description: "Restarts that the supervisor made by itself." },
    exit: orNull(exit({ at: time }), "How the last run ended."),
    waiting_for: { ...names, description: "What it waits for before it can start." },
    next_start_at: orNull(
      time,
      "In `backoff`: when it is started again. With a schedule: when it is due next.",
    ),
    goal: { enum: ["up", "down"], description: "What it is meant to be." },
    pinned: orNull({ enum: ["up", "down"] }, "Held by a person, whatever the rules say; `null`: not."),
    masked: { type: "boolean", description: "A person does not let it start." },
    cause: { type: "string", description: "Why it is in this state." },
    obstacle: orNull(
      object("What its guard has found in the way of its start.", {
        port: orNull(text, "A port that is in use, and by whom."),
        process: orNull(
          object("Processes that must not be there.", {
            filter: { type: "string", description: "What their names have in them." },
            processes: {
              type: "array",
              items: object("Such a process.", { pid: count, name: text, command: text }),
            },
          }),
        ),
      }),
    ),
    reason: orNull(ref("Reason"), "The same for programs, of `failed` and `backoff`."),
    status: orNull(text, "What it told of itself last (`STATUS=` of sd_notify)."),
    reloading: { type: "boolean", description: "It told that it reads its configuration again." },
    health: orNull(ref("ServiceHealth"), "`null` where nothing is checked."),
    labels: { type: "object", additionalProperties: text },
  }),
  Reason: {
    description: "Why a service has failed, or would have.",
    anyOf: [
      reason("exit", { code: { type: "integer" } }),
      reason("signal", { signal: { type: "string", description: "Without SIG." } }),
      reason("start-timeout", {}),
      reason("unhealthy", { failures: { ...count, description: "Checks that failed in a row." } }),
      reason("watchdog", {}),
      reason("spawn", { message: { type: "string", description: "Why it could not be started." } }),
      reason("hook", { message: { type: "string", description: "Why one of its hooks has failed." } }),
      reason("lost", {}),
      reason("survived", {}),
      reason("fail-with", { name: { ...name, description: "What it fails with, and has failed." } }),
      reason("missing", { name: { ...name, description: "What it requires and is not configured." } }),
      reason("cycle", { path: { ...names, description: "Who waits for whom, and the last for the first." } }),
      reason("limit", {
        restarts: { ...count, description: "How many are allowed." },
        last: orNull(ref("Reason"), "Why it would have been restarted once more."),
      }),
    ],
  },
  ServiceHealth: object("The health checks of a service.", {
    healthy: orNull(flag, "`null` until there have been enough checks of the present run."),
    failures_in_row: count,
    successes_in_row: count,
    stretched: orNull(
      { type: "number", minimum: 1 },
      "How many times as long the last check was given, because the machine was starved.",
    ),
    last: {
      type: "array",
      description: "The last ten checks, oldest first.",
      items: object("A check: one answer of each probe.", {
        time,
        ok: flag,
        took_ms: milliseconds,
        reason: { type: "string", description: "What was found." },
      }),
    },
  }),
  Services: array("Service", "Services, in the order of the configuration or of the request."),
  Receipt: object("Proof of one stop: every process of the set, and how it left.", {
    service: orNull(name, "`null` for processes that belonged to no service."),
    empty: {
      type: "boolean",
      description: "The set was seen to be empty. False: something could not be ended.",
    },
    duration_ms: milliseconds,
    processes: { type: "array", items: ref("ReceiptProcess") },
  }),
  ReceiptProcess: object("One process of a stopped set.", {
    pid: { type: "integer", minimum: 1 },
    command: text,
    found: {
      enum: ["child", "group", "session", "cgroup", "adopted"],
      description: "How it was found to belong to the set.",
    },
    signals: { type: "array", items: text, description: "Which signals it got, in order, without SIG." },
    left_ms: orNull(
      milliseconds,
      "When it left, counted from the start of the stop. For one whose end only its own parent was told of: when that was noticed, at the latest when the parent had left too.",
    ),
    exit: orNull(exit({}), "`null` where nobody can know."),
    killed: { type: "boolean", description: "It needed KILL." },
  }),
  Receipts: array("Receipt", "A receipt per process set that was stopped, in the order in which they ended."),
  Why: object("The causal chain of a service's state, nearest cause first.", {
    service: name,
    state,
    answer: {
      type: "string",
      description: "In one sentence that the name begins: what it does, because of what, how long.",
    },
    chain: {
      type: "array",
      items: object("What happened, and because of what.", {
        time,
        service: name,
        what: text,
        because: text,
      }),
    },
    runs: { ...ref("Runs"), description: "The last runs of a task with a schedule." },
    health: orNull(ref("ServiceHealth"), "Its own health checks."),
  }),
  Run: object("A run of a task with a schedule, or one that was missed.", {
    scheduled_at: orNull(time, "When it was due; `null`: somebody asked for it, or needed it."),
    started_at: orNull(time, "`null`: it was missed, and not made up for."),
    ended_at: orNull(time, "`null` while it is at work, and if it was missed."),
    duration_ms: orNull(milliseconds),
    exit: orNull(exit({}), "How it ended; `null` as well if it could not be started."),
    success: orNull(flag, "`null` while nobody knows."),
    skipped: { ...count, description: "How often it was due once more meanwhile, in vain." },
    cause: { type: "string", description: "Why it ended as it did, or began, or was missed." },
  }),
  Runs: array("Run", "Runs, newest first: at most ten."),
  Tree: object("The dependency graph.", {
    services: {
      type: "array",
      items: object("One service's edges.", {
        name,
        requires: names,
        wants: names,
        after: names,
        conflicts: names,
      }),
    },
  }),
  Boot: object("What the supervisor's start was like.", {
    started_at: time,
    done: { type: "boolean", description: "Nobody who was to start is on the way any more." },
    took_ms: orNull(milliseconds, "From the beginning to the last readiness."),
    chain: array("BootService", "The service that was ready last, the one that released it, and so on."),
    failed: array("BootService", "Those that have failed for good by now."),
    waiting: array("BootService", "Those that are still on the way."),
    services: array("BootService", "All that have a part in the start."),
  }),
  BootService: object("One service's part in the start: until its first readiness.", {
    name,
    kind: { enum: ["service", "task", "target"] },
    state,
    wanted_at: time,
    started_at: orNull(time),
    ready_at: orNull(time),
    waited_ms: orNull(milliseconds, "From the beginning to its start."),
    took_ms: orNull(milliseconds, "From its start to its readiness."),
    released_by: orNull(name, "Which one it had waited for when it could start."),
    cause: { type: "string", description: "Why it is in its state now." },
  }),
  Process: object("A process that belongs to a service now.", {
    pid: { type: "integer", minimum: 1 },
    parent: { type: "integer", minimum: 0 },
    command: text,
    found: { enum: ["child", "group", "session", "cgroup", "adopted"] },
    started_at: orNull(time),
    memory_bytes: orNull(count, "Resident memory."),
    cpu_ms: orNull(milliseconds, "Processor time used so far, user and system."),
  }),
  Processes: array("Process", "The processes of a service's set."),
  Usage: object("What the processes of a service that has any use together.", {
    name,
    processes: count,
    memory_bytes: { ...count, description: "Resident memory; what processes share counts for each." },
    cpu_ms: { ...milliseconds, description: "Processor time used so far by those that are there." },
  }),
  Usages: array("Usage", "What services use. Those without a process are left out."),
  LogRecord: {
    description: "A line, or a gap of lines that were lost.",
    anyOf: [
      {
        ...object("A line.", {
          time,
          service: name,
          stream: { enum: ["out", "err"] },
          pid: orNull(count),
          line: text,
          partial: { const: true, description: "The line is longer; the next record goes on with it." },
        }),
        required: ["time", "service", "stream", "pid", "line"],
      },
      object("A gap.", { time, service: name, lost_lines: count, lost_bytes: count }),
    ],
  },
  LogRecords: array("LogRecord", "Log records, oldest first."),
  Event: {
    ...object("Something that happened.", {
      seq: { ...count, description: "Grows by one with each event." },
      time,
      service: orNull(name, "`null` for the supervisor itself."),
      event: {
        type: "string",
        description:
          "`state`, `ready`, `health`, `reload`, `hook`, `pin`, `receipt`, `schedule`, `change` or `supervisor`.",
      },
      from: orNull(
        text,
        "The state before; of `health`: `unknown`, `healthy` or `unhealthy`; of `pin`: what held it.",
      ),
      to: orNull(text, "The state after; of `change`: `added`, `changed` or `removed`."),
      cause: orNull(text),
      receipt: { ...ref("Receipt"), description: "With `receipt` events." },
    }),
    required: ["seq", "time", "service", "event", "from", "to", "cause"],
  },
  Events: array("Event", "Events, oldest first. The supervisor keeps the last 1,000."),
  Health: object("200 with `ok` true, or 503 with a problem that has the same two members.", {
    ok: flag,
    reasons: { type: "array", items: text },
  }),
  Status: {
    type: "array",
    description: "Services and tasks: whether each has a running process.",
    items: object("A service.", { name, running: flag }),
  },
  Supervisor: object("The supervisor itself.", {
    pid: { type: "integer", minimum: 1 },
    state: { enum: ["running", "stopping"] },
    started_at: time,
    uptime_ms: milliseconds,
  }),
  Metrics: { type: "string", description: "OpenMetrics 1.0 text." },
  OpenApi: { type: "object", description: "This document.", additionalProperties: true },
  Problem: {
    type: "object",
    description: "RFC 9457. `type` ends in the kind of problem; some kinds have further members.",
    properties: {
      type: text,
      title: text,
      status: { type: "integer" },
      detail: { type: "string", description: "What went wrong, and what to do." },
    },
    required: ["type", "title", "detail"],
    additionalProperties: true,
  },
};
