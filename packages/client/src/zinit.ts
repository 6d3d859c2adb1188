import { existsSync } from "node:fs";
import { join } from "node:path";
import { Lines } from "./lines.ts";

export type FailureReason =
  | { readonly type: "exit_code"; readonly code: number }
  | { readonly type: "signal"; readonly signal: number }
  | { readonly type: "start_timeout" }
  | { readonly type: "stop_timeout" }
  | { readonly type: "health_check_failed"; readonly attempts: number }
  | { readonly type: "dependency_failed"; readonly service: string }
  | { readonly type: "spawn_error"; readonly message: string }
  | { readonly type: "missing_dependency"; readonly dependency: string };

export type ServiceState =
  | { readonly state: "inactive" }
  | { readonly state: "blocked"; readonly waiting_on: readonly string[] }
  | { readonly state: "starting" | "running" | "stopping"; readonly pid: number }
  | { readonly state: "exited"; readonly exit_code: number | null }
  | { readonly state: "failed"; readonly reason: FailureReason };

export interface ServiceInfo {
  readonly name: string;
  readonly state: ServiceState;
  readonly is_target: boolean;
}

export interface ServiceStatus {
  readonly name: string;
  readonly state: ServiceState["state"];
  readonly pid: number;
  readonly exit_code?: number;
  readonly error?: string;
}

export interface ServiceStatusFull extends ServiceInfo {
  readonly dependencies: readonly {
    readonly name: string;
    readonly dep_type: "requires" | "after" | "wants";
    readonly state: ServiceState;
    readonly satisfied: boolean;
  }[];
  readonly uptime_secs: number | null;
}

export interface ServiceStats {
  readonly pid: number;
  readonly memory_bytes: number;
  readonly cpu_percent: number;
}

export interface ChildProcess {
  readonly pid: number;
  readonly name: string;
  readonly memory_bytes: number;
}

export interface WhyBlocked {
  readonly name: string;
  readonly blocked: boolean;
  readonly waiting_on: readonly string[];
  readonly conflicts_with: readonly string[];
  readonly port_conflict?: string;
  readonly process_conflict?: {
    readonly filter: string;
    readonly processes: readonly { readonly pid: number; readonly name: string; readonly cmdline?: string }[];
  };
  readonly ascii: string;
}

export interface LogLine {
  readonly timestamp_ms: number;
  readonly service: string;
  readonly stream: "stdout" | "stderr" | "syslog";
  readonly content: string;
}

/** A service file as JSON; what is left out has its default. */
export interface ServiceConfig {
  readonly service: {
    readonly name: string;
    readonly exec: string;
    readonly dir?: string | null;
    readonly oneshot?: boolean;
    readonly env?: Readonly<Record<string, string>>;
    readonly status?: "start" | "stop" | "ignore";
    readonly class?: "user" | "system";
    readonly critical?: boolean;
    readonly ports?: readonly number[];
    readonly kill_others?: boolean;
    readonly process_filters?: readonly string[];
  };
  readonly dependencies?: {
    readonly after?: readonly string[];
    readonly requires?: readonly string[];
    readonly wants?: readonly string[];
    readonly conflicts?: readonly string[];
  };
  readonly lifecycle?: {
    readonly restart?: "always" | "on-failure" | "never";
    readonly restart_delay_ms?: number;
    readonly restart_delay_max_ms?: number;
    readonly max_restarts?: number;
    readonly stability_period_ms?: number;
    readonly start_timeout_ms?: number;
    readonly stop_timeout_ms?: number;
    readonly stop_signal?: string;
  };
  readonly health?: {
    readonly type: "tcp" | "http" | "exec";
    readonly target: string;
    readonly expect_status?: number;
    readonly interval_ms?: number;
    readonly timeout_ms?: number;
    readonly retries?: number;
    readonly start_period_ms?: number;
  } | null;
  readonly logging?: {
    readonly buffer_lines?: number;
    readonly file?: string | null;
    readonly forward?: string | null;
  };
}

export interface XinetConfig {
  readonly name: string;
  /** `unix:/path`, `/path`, `tcp:host:port`, `host:port` or `:port`. */
  readonly listen: readonly string[];
  readonly backend: string;
  readonly service: string;
  /** Seconds to wait for the backend. Default: 30. */
  readonly connect_timeout?: number;
  /** Seconds without a connection after which the service is stopped. Default: 0, never. */
  readonly idle_timeout?: number;
  readonly single_connection?: boolean;
}

export interface XinetStatus {
  readonly name: string;
  readonly running: boolean;
  readonly connections: number;
}

export interface XinetStatusFull {
  readonly name: string;
  readonly listen: string;
  readonly backend: string;
  readonly service: string;
  readonly total_connections: number;
  readonly active_connections: number;
  readonly bytes_to_backend: number;
  readonly bytes_from_backend: number;
  readonly running: boolean;
}

export interface ZinitOptions {
  /** Default: the socket that `ZINIT_SOCKET` names, else `/run/zinit.sock` if there is one, else `$HOME/hero/var/zinit.sock`. */
  readonly socket?: string;
  /** How long a call may take, in ms. Default: 5000. */
  readonly timeoutMs?: number;
}

/**
 * A zinit server (oneup as `zinit-server` or `zinit-pid1`, or zinit 0.3.9 itself), with the calls
 * of zinit's Rust library under the same names in this language's spelling.
 */
export class Zinit implements AsyncDisposable {
  readonly #lines: Lines;

  constructor({ socket, timeoutMs = 5000 }: ZinitOptions = {}) {
    this.#lines = new Lines(socket ?? defaultSocket(), timeoutMs);
  }

  // --- the server

  /** The OpenRPC document. */
  discover(): Promise<Readonly<Record<string, unknown>>> {
    return this.#call("rpc.discover");
  }

  ping(): Promise<{ readonly version: string }> {
    return this.#call("system.ping");
  }

  /** Answers before anything is stopped. */
  async shutdown(): Promise<void> {
    await this.#call("system.shutdown");
  }

  async reboot(): Promise<void> {
    await this.#call("system.reboot");
  }

  prepareRestart(): Promise<{ readonly state_path: string; readonly ready: boolean }> {
    return this.#call("system.prepare_restart");
  }

  // --- services

  serviceSet(
    config: ServiceConfig,
  ): Promise<{ readonly name: string; readonly path: string; readonly warnings: readonly string[] }> {
    return this.#call("service.set", { config });
  }

  serviceGet(name: string): Promise<ServiceConfig> {
    return this.#call("service.get", { name });
  }

  async serviceDelete(name: string): Promise<void> {
    await this.#call("service.delete", { name });
  }

  list(): Promise<readonly string[]> {
    return this.#call("service.list");
  }

  listFull(): Promise<readonly ServiceInfo[]> {
    return this.#call("service.list_full");
  }

  async start(name: string): Promise<void> {
    await this.#call("service.start", { name });
  }

  async stop(name: string): Promise<void> {
    await this.#call("service.stop", { name });
  }

  async restart(name: string): Promise<void> {
    await this.#call("service.restart", { name });
  }

  async kill(name: string, signal: string | number = "SIGTERM"): Promise<void> {
    await this.#call("service.kill", { name, signal });
  }

  status(name: string): Promise<ServiceStatus> {
    return this.#call("service.status", { name });
  }

  statusFull(name: string): Promise<ServiceStatusFull> {
    return this.#call("service.status_full", { name });
  }

  stats(name: string): Promise<ServiceStats> {
    return this.#call("service.stats", { name });
  }

  async children(name: string): Promise<readonly ChildProcess[]> {
    const { children } = await this.#call<{ children: readonly ChildProcess[] }>("service.children", {
      name,
    });
    return children;
  }

  /** False, too, for a name that nobody knows. */
  isRunning(name: string): Promise<boolean> {
    return this.#call("service.is_running", { name });
  }

  why(name: string): Promise<WhyBlocked> {
    return this.#call("service.why", { name });
  }

  async tree(): Promise<string> {
    return (await this.#call<{ ascii: string }>("service.tree")).ascii;
  }

  // --- logs

  /** Texts `TIMESTAMP_MS [STREAM] CONTENT`, oldest first. Without a name: of all services. */
  logs(name?: string, lines?: number): Promise<readonly string[]> {
    return this.#call("logs.get", { name, lines });
  }

  logsTail(name: string, lines?: number): Promise<readonly LogLine[]> {
    return this.#call("logs.tail", { name, lines });
  }

  logsFilter(filter: {
    readonly name?: string;
    readonly stream?: LogLine["stream"];
    /** Milliseconds since 1970. */
    readonly since?: number;
    readonly lines?: number;
  }): Promise<readonly LogLine[]> {
    return this.#call("logs.filter", filter);
  }

  async debugState(): Promise<string> {
    return (await this.#call<{ output: string }>("debug.state")).output;
  }

  async debugProcessTree(name: string): Promise<string> {
    return (await this.#call<{ output: string }>("debug.process_tree", { name })).output;
  }

  // --- proxies

  async xinetSet(config: XinetConfig): Promise<void> {
    await this.#call("xinet.set", { config });
  }

  async xinetDelete(name: string): Promise<void> {
    await this.#call("xinet.delete", { name });
  }

  xinetList(): Promise<readonly string[]> {
    return this.#call("xinet.list");
  }

  xinetStatus(name: string): Promise<XinetStatus> {
    return this.#call("xinet.status", { name });
  }

  xinetStatusAll(): Promise<readonly XinetStatusFull[]> {
    return this.#call("xinet.status_all");
  }

  // --- end

  close(): void {
    this.#lines.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** The one place where the server's word is taken for the shape of what it answers. */
  async #call<T>(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<T> {
    return (await this.#lines.call(method, params)) as T;
  }
}

function defaultSocket(): string {
  const { ZINIT_SOCKET, HOME } = process.env;
  if (ZINIT_SOCKET) return ZINIT_SOCKET;
  const system = "/run/zinit.sock";
  if (existsSync(system)) return system;
  return HOME ? join(HOME, "hero/var/zinit.sock") : "/tmp/zinit.sock";
}
