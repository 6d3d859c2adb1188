/** `ready`, `health` and `watchdog`: what needs the machine or more than one key. */
import { absolutePath } from "../../config/paths.ts";
import { HEALTH_DEFAULTS, HTTP_DEFAULTS } from "../../model/defaults.ts";
import type { Node } from "../../model/node.ts";
import { type NotifyCondition, socketPathProblem } from "../../model/probes.ts";
import type { serviceFields } from "../../model/schema.ts";
import type { HealthSpec, HttpCondition, ProbeCondition, ReadyCondition } from "../../model/spec.ts";
import { formatDuration } from "../../model/units.ts";
import type { ReadContext } from "../dialect.ts";
import type { Read } from "./table.ts";

type ReadFields = Read<typeof serviceFields>;
type ReadyFields = NonNullable<ReadFields["ready"]>;
type HealthFields = NonNullable<ReadFields["health"]>;

/** One of the two tables, and what its messages need. */
interface Table {
  readonly name: "ready" | "health";
  readonly node: Node;
  readonly context: ReadContext;
}

// ---- ready

const READY_KEYS = ["tcp", "http", "exec", "file", "log", "notify", "listen", "delay", "health"];
/** Those of them that are tried again and again. */
const TRIED_KEYS = ["tcp", "http", "exec", "file", "listen"];

/** In the order of the file. */
export function readConditions(ready: ReadyFields, node: Node, context: ReadContext): ReadyCondition[] {
  const table: Table = { name: "ready", node, context };
  needsOneOf(table, READY_KEYS, "no condition in it", "write one, such as ready = { tcp = 8080 }");
  checkProbeKeys(table, ready);
  needsFor(table, "initial-delay", TRIED_KEYS, "is for what is tried: tcp, http, exec, file and listen");
  return node.entries().flatMap(([key]) => readCondition(key, ready, table) ?? []);
}

function readCondition(key: string, ready: ReadyFields, table: Table): ReadyCondition | undefined {
  switch (key) {
    case "log":
      checkPattern(table, "log", ready.log?.pattern);
      return ready.log;
    case "notify":
      return ready.notify && absoluteSocket(ready.notify, table);
    case "listen":
      return ready.listen;
    case "health":
      return ready.health;
    case "delay":
      return ready.delay;
    default:
      return readProbe(key, ready, table);
  }
}

function absoluteSocket(condition: NotifyCondition, table: Table): NotifyCondition {
  if (condition.way !== "socket" || condition.path === null) return condition;
  const path = absolutePath(condition.path, table.context.folder);
  const problem = socketPathProblem(path);
  if (problem !== undefined) complain(table, "notify", problem, "choose a shorter one");
  return { ...condition, path };
}

// ---- health

const PROBE_KEYS = ["tcp", "http", "exec", "file"];

export function readHealth(read: HealthFields, node: Node, context: ReadContext): HealthSpec {
  const table: Table = { name: "health", node, context };
  const example = 'write one, such as health = { http = "http://127.0.0.1:8080/health" }';
  needsOneOf(table, PROBE_KEYS, "no probe in it", example);
  checkProbeKeys(table, read);
  const { everyMs, timeoutMs, failures, successes, initialDelayMs, onFailure } = {
    ...HEALTH_DEFAULTS,
    ...read,
  };
  checkTimes(table, everyMs, timeoutMs);
  const probes = node.entries().flatMap(([key]) => readProbe(key, read, table) ?? []);
  return { probes, everyMs, timeoutMs, failures, successes, initialDelayMs, onFailure };
}

function checkTimes(table: Table, everyMs: number, timeoutMs: number): void {
  const places: (readonly ["every" | "timeout", number])[] = [
    ["every", everyMs],
    ["timeout", timeoutMs],
  ];
  for (const [key, ms] of places) {
    if (ms === 0) complain(table, key, "no time at all", "write 1ms or more");
  }
  if (everyMs >= timeoutMs || everyMs === 0) return;
  const [every, timeout] = [formatDuration(everyMs), formatDuration(timeoutMs)];
  const standard = table.node.get("timeout") === undefined ? ", the default" : "";
  const message = `an interval (${every}) shorter than its timeout (${timeout}${standard})`;
  // Without `every` it is the timeout that was written too long.
  const key = table.node.get("every") === undefined ? "timeout" : "every";
  complain(table, key, message, "raise every, or lower timeout");
}

/** `ready = { health = true }` needs something to go by. */
export function checkHealthCondition(service: Node, { issues }: ReadContext): void {
  const condition = service.get("ready")?.get("health");
  if (condition === undefined || service.get("health") !== undefined) return;
  const hint = "write health = { tcp = 8080 }, or another probe";
  issues.at(condition.place, "ready.health: there is no health to go by", hint);
}

/** The watchdog speaks over the socket, and there is one way to speak for a service. */
export function checkWatchdog(
  ms: number,
  node: Node,
  ready: readonly ReadyCondition[],
  context: ReadContext,
) {
  if (ms === 0) {
    context.issues.at(node.place, "watchdog: no time at all", "write 1ms or more, or remove it");
  }
  const pipe = ready.find((condition) => condition.type === "notify" && condition.way === "descriptor");
  if (pipe === undefined) return;
  const message = 'watchdog: needs NOTIFY_SOCKET, which ready.notify = "fd:N" does without';
  context.issues.at(node.keyPlace, message, 'write ready = { notify = "sd" }, or remove watchdog');
}

// ---- probes of both

function readProbe(key: string, read: ReadyFields | HealthFields, table: Table): ProbeCondition | undefined {
  switch (key) {
    case "tcp":
      return read.tcp;
    case "exec":
      return read.exec;
    case "file":
      return (
        read.file && {
          ...read.file,
          path: absolutePath(read.file.path, table.context.folder),
          fresh: read.fresh ?? false,
        }
      );
    case "http":
      return read.http && readHttp(read.http, read, table);
    default:
      return undefined;
  }
}

function readHttp(
  target: NonNullable<ReadyFields["http"]>,
  { status, body, method, redirects, headers, caFile, insecure }: ReadyFields | HealthFields,
  table: Table,
): HttpCondition {
  checkPattern(table, "body", body);
  return {
    ...target,
    status: status ?? HTTP_DEFAULTS.status,
    body: body ?? HTTP_DEFAULTS.body,
    method: method ?? HTTP_DEFAULTS.method,
    redirects: redirects ?? HTTP_DEFAULTS.redirects,
    headers: headers ?? HTTP_DEFAULTS.headers,
    caFile: caFile === undefined ? null : readCaFile(caFile, table),
    insecure: insecure ?? HTTP_DEFAULTS.insecure,
  };
}

function readCaFile(written: string, table: Table): string {
  const { host, folder } = table.context;
  const path = absolutePath(written, folder);
  const status = host.stat(path);
  if ("error" in status) {
    complain(table, "ca-file", `cannot be read: ${status.message}`, "make the file, or correct its path");
  }
  return path;
}

const HTTP_KEYS = ["status", "body", "method", "redirects", "headers"];
const TLS_KEYS = ["ca-file", "insecure"];

function checkProbeKeys(table: Table, read: ReadyFields | HealthFields): void {
  for (const key of [...HTTP_KEYS, ...TLS_KEYS]) needsFor(table, key, ["http"], "goes with http");
  needsFor(table, "fresh", ["file"], "goes with file");
  if (read.method === "HEAD" && read.body !== undefined) {
    complain(table, "body", "an answer to HEAD has none", 'remove it, or method = "HEAD"');
  }
  if (read.http !== undefined && !read.http.tls) {
    for (const key of TLS_KEYS) {
      if (table.node.get(key) !== undefined) {
        complain(table, key, "goes with an address that begins with https://", "remove it");
      }
    }
  }
  if (read.insecure === true && table.node.get("ca-file") !== undefined) {
    complain(table, "insecure", "no certificate is looked at, so ca-file says nothing", "remove one of them");
  }
}

function needsOneOf({ name, node, context }: Table, keys: readonly string[], what: string, example: string) {
  if (keys.some((key) => node.get(key) !== undefined)) return;
  context.issues.at(node.place, `${name}: ${what}`, `${example}, or remove "${name}"`);
}

function needsFor(table: Table, key: string, others: readonly string[], what: string): void {
  if (table.node.get(key) === undefined || others.some((other) => table.node.get(other) !== undefined))
    return;
  // A table with nothing to ask at all has been told of already.
  const keys = table.name === "ready" ? READY_KEYS : PROBE_KEYS;
  if (keys.some((other) => table.node.get(other) !== undefined)) complain(table, key, what, "remove it");
}

function checkPattern(table: Table, key: string, pattern: string | undefined): void {
  const reason = pattern === undefined ? null : table.context.host.regexError(pattern);
  if (reason === null) return;
  const why = table.node.get(key)?.expanded ? "" : `: ${reason.split("\n").join(" ")}`;
  const hint = "a backslash before a character takes it as it is";
  complain(table, key, `not a regular expression${why}`, hint);
}

function complain({ name, node, context }: Table, key: string, message: string, hint: string): void {
  const found = node.get(key);
  context.issues.at(found?.place ?? node.place, `${name}.${key}: ${message}`, hint);
}
