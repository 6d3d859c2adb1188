/** Shapes that methods take and answer, for `rpc.discover`. */
import type { Schema } from "./params.ts";

const TEXT: Schema = { type: "string" };
const COUNT: Schema = { type: "integer", minimum: 0 };
const FLAG: Schema = { type: "boolean" };
const TEXTS: Schema = { type: "array", items: TEXT };

/** All of `required` and none but what is named; what is not required may be absent. */
function object(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return { type: "object", properties: { ...required, ...optional }, required: Object.keys(required) };
}

function withDefault(schema: Schema, value: unknown): Schema {
  return { ...schema, default: value };
}

function oneOf(...values: readonly string[]): Schema {
  return { type: "string", enum: values };
}

const STATE = oneOf("inactive", "blocked", "starting", "running", "stopping", "exited", "failed");

const NAMES = withDefault(TEXTS, []);

export const SCHEMAS: Readonly<Record<string, Schema>> = {
  ServiceDef: object(
    {
      service: object(
        { name: TEXT, exec: TEXT },
        {
          dir: { type: ["string", "null"] },
          oneshot: withDefault(FLAG, false),
          env: { type: "object", additionalProperties: TEXT, default: {} },
          status: withDefault(oneOf("start", "stop", "ignore"), "start"),
          class: withDefault(oneOf("user", "system"), "user"),
          critical: withDefault(FLAG, false),
          ports: withDefault({ type: "array", items: { type: "integer", minimum: 0, maximum: 65535 } }, []),
          kill_others: withDefault(FLAG, false),
          process_filters: NAMES,
        },
      ),
    },
    {
      dependencies: object({}, { after: NAMES, requires: NAMES, wants: NAMES, conflicts: NAMES }),
      lifecycle: object(
        {},
        {
          restart: withDefault(oneOf("always", "on-failure", "never"), "on-failure"),
          restart_delay_ms: withDefault(COUNT, 1000),
          restart_delay_max_ms: withDefault(COUNT, 300_000),
          max_restarts: withDefault(COUNT, 10),
          stability_period_ms: withDefault(COUNT, 30_000),
          start_timeout_ms: withDefault(COUNT, 30_000),
          stop_timeout_ms: withDefault(COUNT, 10_000),
          stop_signal: withDefault(TEXT, "SIGTERM"),
        },
      ),
      health: {
        ...object(
          { type: oneOf("tcp", "http", "exec"), target: TEXT },
          {
            expect_status: withDefault(COUNT, 200),
            interval_ms: withDefault(COUNT, 10_000),
            timeout_ms: withDefault(COUNT, 5000),
            retries: withDefault(COUNT, 3),
            start_period_ms: withDefault(COUNT, 0),
          },
        ),
        type: ["object", "null"],
      },
      logging: object(
        {},
        {
          buffer_lines: withDefault(COUNT, 1000),
          file: { type: ["string", "null"] },
          forward: { type: ["string", "null"] },
        },
      ),
    },
  ),
  OkResponse: object({ ok: FLAG }),
  PingResponse: object({ version: TEXT }),
  OutputResponse: object({ output: TEXT }),
  TreeResponse: object({ ascii: TEXT }),
  PrepareRestartResult: object({ state_path: TEXT, ready: FLAG }),
  SetResult: object({ name: TEXT, warnings: TEXTS }, { path: TEXT }),
  ServiceState: {
    description: "One of seven; the members beside `state` depend on it.",
    ...object(
      { state: STATE },
      {
        pid: COUNT,
        waiting_on: TEXTS,
        exit_code: { type: ["integer", "null"] },
        reason: { type: "object", properties: { type: TEXT }, required: ["type"] },
      },
    ),
  },
  ServiceStatus: object(
    { name: TEXT, state: STATE, pid: COUNT },
    { exit_code: { type: "integer" }, error: TEXT },
  ),
  ServiceInfo: object({ name: TEXT, state: ref("ServiceState"), is_target: FLAG }),
  ServiceStatusFull: object({
    name: TEXT,
    state: ref("ServiceState"),
    is_target: FLAG,
    dependencies: {
      type: "array",
      items: object({
        name: TEXT,
        dep_type: oneOf("after", "requires", "wants"),
        state: ref("ServiceState"),
        satisfied: FLAG,
      }),
    },
    uptime_secs: { type: ["integer", "null"] },
  }),
  ServiceStats: object({ pid: COUNT, memory_bytes: COUNT, cpu_percent: { type: "number", minimum: 0 } }),
  ChildrenResponse: object({
    children: { type: "array", items: object({ pid: COUNT, name: TEXT, memory_bytes: COUNT }) },
  }),
  WhyBlocked: object(
    { name: TEXT, blocked: FLAG, waiting_on: TEXTS, conflicts_with: TEXTS, ascii: TEXT },
    {
      port_conflict: TEXT,
      process_conflict: object({
        filter: TEXT,
        processes: { type: "array", items: object({ pid: COUNT, name: TEXT }, { cmdline: TEXT }) },
      }),
    },
  ),
  LogLine: object({
    timestamp_ms: COUNT,
    service: TEXT,
    stream: oneOf("stdout", "stderr", "syslog"),
    content: TEXT,
  }),
  ReloadResult: object({
    added: TEXTS,
    removed: TEXTS,
    changed: TEXTS,
    config_errors: { type: "array", items: TEXTS },
  }),
  XinetDef: object(
    { name: TEXT, listen: { anyOf: [TEXT, TEXTS] }, backend: TEXT, service: TEXT },
    {
      connect_timeout: { ...COUNT, default: 30 },
      idle_timeout: { ...COUNT, default: 0 },
      single_connection: { ...FLAG, default: false },
    },
  ),
  XinetStatus: object({ name: TEXT, running: FLAG, connections: COUNT, active_connections: COUNT }),
  XinetStatusFull: object({
    name: TEXT,
    listen: TEXT,
    backend: TEXT,
    service: TEXT,
    total_connections: COUNT,
    active_connections: COUNT,
    bytes_to_backend: COUNT,
    bytes_from_backend: COUNT,
    running: FLAG,
  }),
};

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
