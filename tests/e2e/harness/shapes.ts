/**
 * The JSON documents of the contract (sections 4 to 6), as strict as it is: every answer a test
 * reads goes through one of these, so every test is a test of the shapes too.
 */
import * as z from "zod";

export const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

export const exit = z.union([
  z.strictObject({ code: z.int(), at: time }),
  z.strictObject({ signal: z.string().regex(/^[A-Z]/), at: time }),
]);

export const state = z.enum([
  "inactive",
  "waiting",
  "starting",
  "running",
  "stopping",
  "backoff",
  "exited",
  "failed",
]);
export type State = z.infer<typeof state>;

export const health = z.strictObject({
  healthy: z.boolean().nullable(),
  failures_in_row: z.int().nonnegative(),
  successes_in_row: z.int().nonnegative(),
  stretched: z.number().gt(1).max(10).nullable(),
  last: z
    .array(
      z.strictObject({
        time,
        ok: z.boolean(),
        took_ms: z.number().nonnegative(),
        reason: z.string(),
      }),
    )
    .max(10),
});

export const service = z.looseObject({
  name: z.string(),
  kind: z.enum(["service", "task", "target"]),
  state,
  ready: z.boolean(),
  healthy: z.boolean().nullable(),
  pid: z.int().positive().nullable(),
  started_at: time.nullable(),
  uptime_ms: z.number().nonnegative().nullable(),
  restarts: z.int().nonnegative(),
  exit: exit.nullable(),
  waiting_for: z.array(z.string()),
  next_start_at: time.nullable(),
  cause: z.string().nullable(),
  status: z.string().nullable(),
  reloading: z.boolean(),
  health: health.nullable(),
});
export type Service = z.infer<typeof service>;
export const services = z.array(service);

export const receiptProcess = z.strictObject({
  pid: z.int().positive(),
  command: z.string(),
  found: z.enum(["child", "group", "session", "cgroup", "adopted"]),
  signals: z.array(z.string().regex(/^(?!SIG)[A-Z]/)),
  left_ms: z.number().nonnegative().nullable(),
  exit: z.union([z.strictObject({ code: z.int() }), z.strictObject({ signal: z.string() })]).nullable(),
  killed: z.boolean(),
});
export type ReceiptProcess = z.infer<typeof receiptProcess>;
export const receipt = z.strictObject({
  service: z.string().nullable(),
  empty: z.boolean(),
  duration_ms: z.number().nonnegative(),
  processes: z.array(receiptProcess),
});
export type Receipt = z.infer<typeof receipt>;
export const receipts = z.array(receipt);

export const logLine = z.strictObject({
  time,
  service: z.string(),
  stream: z.enum(["out", "err"]),
  pid: z.int().positive(),
  line: z.string(),
  partial: z.literal(true).optional(),
});
export type LogLine = z.infer<typeof logLine>;
export const logLoss = z.strictObject({
  time,
  service: z.string(),
  lost_lines: z.int().nonnegative(),
  lost_bytes: z.int().nonnegative(),
});
export const logRecord = z.union([logLine, logLoss]);
export type LogRecord = z.infer<typeof logRecord>;
export const logs = z.array(logRecord);

export const event = z.looseObject({
  seq: z.int().nonnegative(),
  time,
  service: z.string().nullable(),
  event: z.enum(["state", "ready", "health", "reload", "hook", "pin", "schedule", "receipt", "supervisor"]),
  from: z.string().nullable(),
  to: z.string().nullable(),
  cause: z.string().nullable(),
  receipt: receipt.optional(),
});
export type Event = z.infer<typeof event>;
export const events = z.array(event);

export const runs = z.array(
  z.strictObject({
    scheduled_at: time.nullable(),
    started_at: time.nullable(),
    ended_at: time.nullable(),
    duration_ms: z.number().nonnegative().nullable(),
    exit: z.union([z.strictObject({ code: z.int() }), z.strictObject({ signal: z.string() })]).nullable(),
    success: z.boolean().nullable(),
    skipped: z.int().nonnegative(),
    cause: z.string(),
  }),
);
export type Runs = z.infer<typeof runs>;

export const why = z.strictObject({
  service: z.string(),
  state,
  answer: z.string(),
  chain: z.array(
    z.strictObject({ time, service: z.string(), what: z.string(), because: z.string().nullable() }),
  ),
  health: health.nullable(),
  runs,
});
export type Why = z.infer<typeof why>;

const bootService = z.strictObject({
  name: z.string(),
  kind: z.enum(["service", "task", "target"]),
  state,
  wanted_at: time,
  started_at: time.nullable(),
  ready_at: time.nullable(),
  waited_ms: z.number().nonnegative().nullable(),
  took_ms: z.number().nonnegative().nullable(),
  released_by: z.string().nullable(),
  cause: z.string(),
});

export const boot = z.strictObject({
  started_at: time,
  done: z.boolean(),
  took_ms: z.number().nonnegative().nullable(),
  chain: z.array(bootService),
  failed: z.array(bootService),
  waiting: z.array(bootService),
  services: z.array(bootService),
});

export const tree = z.strictObject({
  services: z.array(
    z.looseObject({
      name: z.string(),
      requires: z.array(z.string()),
      wants: z.array(z.string()),
      after: z.array(z.string()),
      conflicts: z.array(z.string()),
    }),
  ),
});

export const check = z.strictObject({
  ok: z.boolean(),
  services: z.array(z.string()),
  errors: z.array(
    z.strictObject({
      file: z.string(),
      line: z.int().nonnegative().nullable(),
      column: z.int().nonnegative().nullable(),
      message: z.string(),
      hint: z.string().nullable(),
    }),
  ),
});

/** RFC 9457. */
export const problem = z.looseObject({
  type: z.string().optional(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
});

export const brief = z.array(z.looseObject({ name: z.string(), running: z.boolean() }));

export const rpcAnswer = z.union([
  z.strictObject({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.number(), z.null()]),
    result: z.unknown(),
  }),
  z.strictObject({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.number(), z.null()]),
    error: z.looseObject({ code: z.int(), message: z.string() }),
  }),
]);
export type RpcAnswer = z.infer<typeof rpcAnswer>;

/** What the test program `imp state FILE` writes. */
export const inherited = z.strictObject({
  pid: z.int(),
  ppid: z.int(),
  pgid: z.int(),
  sid: z.int(),
  foreground: z.int(),
  blocked: z.array(z.string()),
  ignored: z.array(z.string()),
  fds: z.array(z.int()),
  types: z.array(z.string()),
  limits: z.record(z.string(), z.tuple([z.number(), z.number()])),
  umask: z.int(),
  nice: z.int(),
  cwd: z.string(),
  oom: z.string().nullable(),
  uids: z.array(z.int()),
  gids: z.array(z.int()),
  groups: z.array(z.int()),
  noNewPrivileges: z.int(),
  deathSignal: z.int(),
  environment: z.record(z.string(), z.string()),
});
export type Inherited = z.infer<typeof inherited>;
