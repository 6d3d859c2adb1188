/** The builder of services. Each method returns another builder; what there was stays as it is. */

import { text } from "../../../cli/documents.ts";
import type { ServiceDocument, ServiceSection } from "../../../dialects/zinit/document.ts";
import { writeToml } from "../../../dialects/zinit/toml.ts";
import { attempt, type Context } from "./context.ts";
import { setService, statusOf } from "./handle.ts";
import { ScriptError } from "./server.ts";

const POLL_MS = 100;
const ERRORS_MOST = 10;

type Dependencies = ServiceDocument["dependencies"];
type Lifecycle = ServiceDocument["lifecycle"];
type Logging = ServiceDocument["logging"];

/** Health as it is put together: a check may be set up before its kind is said. */
interface Health {
  readonly type: "tcp" | "http" | "exec" | null;
  readonly target: string;
  readonly expect_status: number;
  readonly interval_ms: number;
  readonly timeout_ms: number;
  readonly retries: number;
  readonly start_period_ms: number;
}

interface Parts {
  readonly service: ServiceSection;
  readonly dependencies: Dependencies;
  readonly lifecycle: Lifecycle;
  readonly health: Health;
  readonly logging: Logging;
  /** What there is by this name is deleted first. */
  readonly reset: boolean;
}

const NEW: Parts = {
  service: {
    name: "",
    exec: "",
    dir: null,
    oneshot: false,
    env: {},
    status: "start",
    class: "user",
    critical: false,
    ports: [],
    kill_others: false,
    process_filters: [],
  },
  dependencies: { after: [], requires: [], wants: [], conflicts: [] },
  lifecycle: {
    restart: "on-failure",
    restart_delay_ms: 1000,
    restart_delay_max_ms: 300_000,
    max_restarts: 10,
    stability_period_ms: 30_000,
    start_timeout_ms: 30_000,
    stop_timeout_ms: 10_000,
    stop_signal: "SIGTERM",
  },
  health: {
    type: null,
    target: "",
    expect_status: 200,
    interval_ms: 10_000,
    timeout_ms: 5000,
    retries: 3,
    start_period_ms: 0,
  },
  logging: { buffer_lines: 1000, file: null, forward: null },
  reset: false,
};

export class ServiceBuilder {
  readonly #parts: Parts;

  constructor(parts: Parts = NEW) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.service.name;
  }

  service(more: Partial<ServiceSection>): ServiceBuilder {
    return this.#with({ service: { ...this.#parts.service, ...more } });
  }

  env(key: string, value: string): ServiceBuilder {
    return this.service({ env: { ...this.#parts.service.env, [key]: value } });
  }

  /** A number that is none is left out. */
  port(port: number): ServiceBuilder {
    const { ports } = this.#parts.service;
    return port > 0 && port <= 65_535 ? this.service({ ports: [...ports, port] }) : this;
  }

  processFilter(filter: string): ServiceBuilder {
    return this.service({ process_filters: [...this.#parts.service.process_filters, filter] });
  }

  depends(kind: keyof Dependencies, name: string): ServiceBuilder {
    const { dependencies } = this.#parts;
    return this.#with({ dependencies: { ...dependencies, [kind]: [...dependencies[kind], name] } });
  }

  lifecycle(more: Partial<Lifecycle>): ServiceBuilder {
    return this.#with({ lifecycle: { ...this.#parts.lifecycle, ...more } });
  }

  health(more: Partial<Health>): ServiceBuilder {
    return this.#with({ health: { ...this.#parts.health, ...more } });
  }

  logging(more: Partial<Logging>): ServiceBuilder {
    return this.#with({ logging: { ...this.#parts.logging, ...more } });
  }

  reset(): ServiceBuilder {
    return this.#with({ reset: true });
  }

  #with(more: Partial<Parts>): ServiceBuilder {
    return new ServiceBuilder({ ...this.#parts, ...more });
  }

  // --- shown

  get document(): ServiceDocument {
    const { service, dependencies, lifecycle, health, logging } = this.#parts;
    return { service, dependencies, lifecycle, health: healthSection(health), logging };
  }

  toMap(): unknown {
    const { service, dependencies, lifecycle, health } = this.#parts;
    const { after, requires } = dependencies;
    return {
      name: service.name,
      exec: service.exec,
      oneshot: service.oneshot,
      restart: lifecycle.restart,
      ...(service.dir === null ? {} : { dir: service.dir }),
      ...(after.length === 0 ? {} : { after }),
      ...(requires.length === 0 ? {} : { requires }),
      ...(health.type === null ? {} : { health_type: health.type, health_target: health.target }),
    };
  }

  toToml(): string {
    return writeToml(this.document);
  }

  toMarkdown(): string {
    const { service, dependencies, lifecycle, health } = this.#parts;
    const sections = [
      tableOf("[service]", "Property", "Value", [
        ["exec", `\`${service.exec}\``],
        ["oneshot", String(service.oneshot)],
        ["status", words(service.status)],
        ["class", words(service.class)],
        ...(service.dir === null ? [] : [["dir", service.dir] as const]),
        ...(service.critical ? [["critical", "true"] as const] : []),
      ]),
      tableOf(
        "[dependencies]",
        "Type",
        "Services",
        (["after", "requires", "wants", "conflicts"] as const)
          .filter((kind) => dependencies[kind].length > 0)
          .map((kind) => [kind, dependencies[kind].join(", ")] as const),
      ),
      tableOf("[lifecycle]", "Property", "Value", [
        ["restart", words(lifecycle.restart)],
        ["restart_delay_ms", String(lifecycle.restart_delay_ms)],
        ["start_timeout_ms", String(lifecycle.start_timeout_ms)],
        ["stop_timeout_ms", String(lifecycle.stop_timeout_ms)],
        ["stop_signal", lifecycle.stop_signal],
      ]),
      tableOf("[health]", "Property", "Value", health.type === null ? [] : healthRows(health, health.type)),
    ];
    return `## Service: ${service.name || "(unnamed)"}\n\n${sections.filter((one) => one !== "").join("\n")}`;
  }

  // --- done

  register(context: Context): ServiceBuilder {
    this.#mustBeWhole("service creation");
    const { name, path } = attempt(`service '${this.name}' registration failed: `, () => this.#set(context));
    context.print(`Registered: ${name}${path === "" ? "" : ` (${path})`}`);
    return this;
  }

  /** Registers it and starts it, by one and the same name. */
  start(context: Context): string {
    this.#mustBeWhole("service start");
    const { name } = this;
    attempt(`failed to register service '${name}': `, () => this.#set(context));
    attempt(`failed to start service '${name}': `, () => context.server.call("service.start", { name }));
    context.tell(`Started: ${name}`);
    const said = `Registered and started service: ${name}`;
    context.print(said);
    return said;
  }

  #mustBeWhole(lead: string): void {
    if (this.name === "") throw new ScriptError(`${lead}: .name() is required`);
    if (this.#parts.service.exec === "") throw new ScriptError(`${lead}: .exec() is required`);
  }

  #set(context: Context): { readonly name: string; readonly path: string } {
    if (this.#parts.reset) deleteIfThere(context, "service.delete", this.name);
    const result = setService(context, context.server, this.document);
    return { name: text(result, "name"), path: text(result, "path") };
  }

  /** Until it runs. */
  wait(context: Context, seconds: number): void {
    const { name } = this;
    if (name === "") throw new ScriptError("wait: service name not set");
    if (seconds <= 0) return;
    const end = context.host.now() + seconds * 1000;
    let errors = 0;
    let state = "unknown";
    while (context.host.now() < end) {
      try {
        const status = statusOf(context.server, name);
        errors = 0;
        state = status.state;
        if (state === "running") return;
        if (state === "failed") {
          throw new Ended(`service '${name}' failed: ${status.error ?? "unknown"}`);
        }
      } catch (error) {
        if (error instanceof Ended || !(error instanceof ScriptError)) throw error;
        if (++errors >= ERRORS_MOST) {
          throw new ScriptError(`service '${name}' status check failed repeatedly: ${error.message}`);
        }
      }
      context.sleep(POLL_MS);
    }
    throw new ScriptError(`service '${name}' did not start within ${seconds} seconds (state: ${state})`);
  }
}

/** It will not run by itself any more. */
class Ended extends ScriptError {}

/** What is not there need not be deleted. */
export function deleteIfThere(context: Context, method: string, name: string): void {
  try {
    context.server.call(method, { name });
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
  }
}

function healthSection(health: Health): ServiceDocument["health"] {
  const { type, target, expect_status, interval_ms, timeout_ms, retries, start_period_ms } = health;
  const times = { target, interval_ms, timeout_ms, retries, start_period_ms };
  if (type === null) return null;
  return type === "http" ? { type, expect_status, ...times } : { type, ...times };
}

function healthRows(health: Health, type: string): (readonly [string, string])[] {
  return [
    ["type", type],
    ["target", health.target],
    ...(type === "http" ? [["expect_status", String(health.expect_status)] as const] : []),
    ["interval_ms", String(health.interval_ms)],
    ["timeout_ms", String(health.timeout_ms)],
    ["retries", String(health.retries)],
  ];
}

/** `on-failure` as `OnFailure`. */
function words(text: string): string {
  return text
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

function tableOf(
  title: string,
  left: string,
  right: string,
  rows: readonly (readonly [string, string])[],
): string {
  if (rows.length === 0) return "";
  return `### ${title}\n${markdownTable([left, right], rows)}`;
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  const rule = `|${head.map((cell) => "-".repeat(cell.length + 2)).join("|")}|\n`;
  return line(head) + rule + rows.map(line).join("");
}

export function clamped(value: number, least: number, most = Number.MAX_SAFE_INTEGER): number {
  return Math.max(least, Math.min(value, most));
}
