/** A connection: what `connect()` returns. */

import { type Fields, number, object, objects, text, textOrNull } from "../../../cli/documents.ts";
import { isObject } from "../../../model/objects.ts";
import { attempt, type Context } from "./context.ts";
import { Fraction } from "./fraction.ts";
import type { ProxyBuilder } from "./proxy.ts";
import { ScriptError, type Server, ServerError } from "./server.ts";
import type { ServiceBuilder } from "./service.ts";

const POLL_MS = 100;
const NOT_FOUND = -32000;

export class Handle {
  readonly server: Server;

  constructor(server: Server) {
    this.server = server;
  }

  list(): unknown {
    return attempt("list failed: ", () => this.server.call("service.list"));
  }

  status(name: string): unknown {
    const status = attempt("status failed: ", () => statusOf(this.server, name));
    return { name: status.name, state: status.state, pid: status.pid };
  }

  start(context: Context, name: string): unknown {
    return this.#did(context, "start", name, "Started");
  }

  stop(context: Context, name: string): unknown {
    return this.#did(context, "stop", name, "Stopped");
  }

  restart(context: Context, name: string): unknown {
    return this.#did(context, "restart", name, "Restarted");
  }

  #did(context: Context, verb: string, name: string, done: string): unknown {
    attempt(`${verb} failed: `, () => this.server.call(`service.${verb}`, { name }));
    context.tell(`${done}: ${name}`);
    return { success: true, message: `${done} service: ${name}` };
  }

  kill(context: Context, name: string, signal: string): unknown {
    attempt("kill failed: ", () => this.server.call("service.kill", { name, signal }));
    context.tell(`Sent ${signal} to: ${name}`);
    return { success: true, message: `Sent ${signal} to service: ${name}` };
  }

  delete(context: Context, name: string): unknown {
    attempt("delete failed: ", () => this.server.call("service.delete", { name }));
    context.tell(`Deleted: ${name}`);
    return { success: true, message: `Deleted service: ${name}` };
  }

  logs(name: string | null, lines: number | null): unknown {
    return attempt("logs failed: ", () => logsOf(this.server, name, lines));
  }

  /** Lines that contain a text. */
  logsFilter(name: string, part: string): unknown {
    const lines = attempt("logs_filter failed: ", () => logsOf(this.server, name, null));
    return lines.filter((line) => line.includes(part));
  }

  tree(): string {
    return attempt("tree failed: ", () => treeOf(this.server));
  }

  why(name: string): unknown {
    return attempt("why failed: ", () => whyOf(this.server, name));
  }

  stats(name: string): unknown {
    return attempt("stats failed: ", () => statsOf(this.server, name));
  }

  children(name: string): unknown {
    return attempt("children failed: ", () =>
      objects(object(this.server.call("service.children", { name })).children),
    );
  }

  isRunning(name: string): boolean {
    return attempt("is_running failed: ", () => this.server.call("service.is_running", { name }) === true);
  }

  waitFor(context: Context, name: string, seconds: number): boolean {
    return waitFor(context, this.server, name, seconds);
  }

  ping(): unknown {
    return attempt("ping failed: ", () => object(this.server.call("system.ping")));
  }

  shutdown(): void {
    attempt("shutdown failed: ", () => this.server.call("system.shutdown"));
  }

  reboot(): void {
    attempt("reboot failed: ", () => this.server.call("system.reboot"));
  }

  debugState(): string {
    return attempt("debug_state failed: ", () => outputOf(this.server.call("debug.state")));
  }

  debugProcesses(name: string): string {
    return attempt("debug_process_tree failed: ", () =>
      outputOf(this.server.call("debug.process_tree", { name })),
    );
  }

  serviceGet(name: string): unknown {
    return attempt("service_get failed: ", () => object(this.server.call("service.get", { name })));
  }

  serviceSet(context: Context, config: unknown): unknown {
    return attempt("service_set failed: ", () => setService(context, this.server, config));
  }

  set(context: Context, builder: ServiceBuilder): unknown {
    return this.serviceSet(context, builder.document);
  }

  xinetSet(config: unknown): void {
    attempt("xinet_set failed: ", () => this.server.call("xinet.set", { config }));
  }

  setProxy(builder: ProxyBuilder): void {
    this.xinetSet(builder.config());
  }

  xinetDelete(name: string): void {
    attempt(`xinet_delete '${name}' failed: `, () => this.server.call("xinet.delete", { name }));
  }

  xinetList(): unknown {
    return attempt("xinet_list failed: ", () => this.server.call("xinet.list"));
  }

  xinetStatus(name: string): unknown {
    return attempt(`xinet_status '${name}' failed: `, () => proxyStatusOf(this.server, name));
  }

  xinetStatusAll(): unknown {
    return attempt("xinet_status_all failed: ", () => this.server.call("xinet.status_all"));
  }
}

// --- what the connection's methods and the plain functions share

export interface Status {
  readonly name: string;
  readonly state: string;
  readonly pid: number;
  readonly exitCode: number | null;
  readonly error: string | null;
}

export function statusOf(server: Server, name: string): Status {
  const status = object(server.call("service.status", { name }));
  return {
    name: text(status, "name"),
    state: text(status, "state"),
    pid: number(status, "pid") ?? 0,
    exitCode: number(status, "exit_code"),
    error: textOrNull(status, "error"),
  };
}

export function setService(context: Context, server: Server, config: unknown): Fields {
  const result = object(server.call("service.set", { config }));
  context.tell(`Created: ${text(result, "name")}`);
  return result;
}

export function logsOf(server: Server, name: string | null, lines: number | null): string[] {
  const answer = server.call("logs.get", {
    ...(name === null ? {} : { name }),
    ...(lines === null ? {} : { lines: Math.max(1, lines) }),
  });
  return Array.isArray(answer) ? answer.filter((line) => typeof line === "string") : [];
}

export function treeOf(server: Server): string {
  return text(object(server.call("service.tree")), "ascii");
}

export function whyOf(server: Server, name: string): unknown {
  const {
    name: own,
    blocked,
    waiting_on,
    conflicts_with,
    port_conflict,
    process_conflict,
    ascii,
  } = object(server.call("service.why", { name }));
  return {
    name: own,
    blocked,
    waiting_on,
    conflicts_with,
    ...(port_conflict === undefined || port_conflict === null ? {} : { port_conflict }),
    ...(isObject(process_conflict) ? { process_conflict } : {}),
    ascii,
  };
}

export function statsOf(server: Server, name: string) {
  const stats = object(server.call("service.stats", { name }));
  return {
    pid: number(stats, "pid") ?? 0,
    memory_bytes: number(stats, "memory_bytes") ?? 0,
    cpu_percent: new Fraction(number(stats, "cpu_percent") ?? 0),
  };
}

export function proxyStatusOf(server: Server, name: string): unknown {
  const status = object(server.call("xinet.status", { name }));
  return {
    name: text(status, "name"),
    running: status.running === true,
    active_connections: number(status, "active_connections") ?? number(status, "connections") ?? 0,
  };
}

function outputOf(answer: unknown): string {
  return text(object(answer), "output");
}

/** True when it runs; false when it has ended, or time is over. */
export function waitFor(context: Context, server: Server, name: string, seconds: number): boolean {
  const end = context.host.now() + Math.max(1, seconds) * 1000;
  while (context.host.now() < end) {
    const state = stateOrNull(server, name);
    if (state === "running") return true;
    if (state === "failed" || state === "exited") return false;
    context.sleep(POLL_MS);
  }
  return false;
}

function stateOrNull(server: Server, name: string): string | null {
  try {
    return statusOf(server, name).state;
  } catch (error) {
    if (error instanceof ScriptError) return null;
    throw error;
  }
}

/**
 * Plain functions take names in any spelling: as it is if there is such a service, otherwise with
 * `_` for `-` and in small letters.
 */
export function knownName(server: Server, given: string): string {
  const normal = given.replaceAll("-", "_").toLowerCase();
  if (normal === given) return given;
  try {
    statusOf(server, given);
    return given;
  } catch (error) {
    if (error instanceof ServerError && error.code === NOT_FOUND) return normal;
    throw error;
  }
}
