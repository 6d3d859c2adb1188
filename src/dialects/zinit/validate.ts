/** What a document of the right shape can have wrong: all of it, in the words zinit's users know. */
import type { Path } from "./decode.ts";
import {
  type DependencySection,
  type HealthSection,
  isTarget,
  type LifecycleSection,
  nameOf,
  type ServiceDocument,
  type ZinitDocument,
} from "./document.ts";
import { signalNumber } from "./signal.ts";

export interface Invalid {
  readonly message: string;
  readonly path: Path;
}

const NAME = /^[A-Za-z0-9._-]+$/;
const KINDS = ["requires", "after", "wants", "conflicts"] as const;

/** In the order in which zinit tells them. */
export function validate(document: ZinitDocument): readonly Invalid[] {
  const invalid: Invalid[] = [];
  const found = (path: Path, message: string) => invalid.push({ path, message });
  if (isTarget(document)) checkName("target", document.target.name, found);
  else checkService(document, found);
  checkDependencies(nameOf(document), document.dependencies, found);
  return invalid;
}

type Found = (path: Path, message: string) => void;

function checkName(section: "service" | "target", name: string, found: Found): void {
  const path = [section, "name"];
  if (name === "") found(path, `${section}.name cannot be empty`);
  else if (!NAME.test(name)) {
    const allowed = "(use alphanumeric, dash, underscore)";
    found(path, `${section}.name '${name}' contains invalid characters ${allowed}`);
  }
}

function checkService({ service, lifecycle, health, logging }: ServiceDocument, found: Found): void {
  checkName("service", service.name, found);
  if (service.exec === "") found(["service", "exec"], "service.exec cannot be empty");
  checkLifecycle(lifecycle, found);
  if (health !== null) checkHealth(health, found);
  positive("logging", "buffer_lines", logging.buffer_lines, found);
}

function checkLifecycle(lifecycle: LifecycleSection, found: Found): void {
  positive("lifecycle", "restart_delay_ms", lifecycle.restart_delay_ms, found);
  positive("lifecycle", "restart_delay_max_ms", lifecycle.restart_delay_max_ms, found);
  if (lifecycle.restart_delay_max_ms < lifecycle.restart_delay_ms) {
    const path = ["lifecycle", "restart_delay_max_ms"];
    found(path, "lifecycle.restart_delay_max_ms must be >= restart_delay_ms");
  }
  positive("lifecycle", "start_timeout_ms", lifecycle.start_timeout_ms, found);
  positive("lifecycle", "stop_timeout_ms", lifecycle.stop_timeout_ms, found);
  if (signalNumber(lifecycle.stop_signal) === null) {
    const message = `lifecycle.stop_signal '${lifecycle.stop_signal}' is not a valid signal`;
    found(["lifecycle", "stop_signal"], message);
  }
}

function checkHealth(health: HealthSection, found: Found): void {
  positive("health", "retries", health.retries, found);
  positive("health", "interval_ms", health.interval_ms, found);
  positive("health", "timeout_ms", health.timeout_ms, found);
  if (health.target === "") found(["health", "target"], "health.target cannot be empty");
  if (health.type === "http") positive("health", "expect_status", health.expect_status, found);
}

function positive(section: string, key: string, value: number, found: Found): void {
  if (value === 0) found([section, key], `${section}.${key} must be > 0`);
}

function checkDependencies(name: string, dependencies: DependencySection, found: Found): void {
  for (const kind of KINDS) {
    for (const [index, other] of dependencies[kind].entries()) {
      const path = ["dependencies", kind, index];
      if (!NAME.test(other)) found(path, `dependencies.${kind} contains invalid name '${other}'`);
      // A conflict with oneself is none.
      else if (other === name && kind !== "conflicts")
        found(path, `dependencies.${kind} contains the service itself '${other}'`);
    }
  }
}
