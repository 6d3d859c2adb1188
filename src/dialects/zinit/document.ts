/**
 * A zinit file as data, with every default spelled out: what `service.get` shows, what is written
 * to files, and what `origin.document` of a spec holds as JSON. The keys are those of the files.
 */

export type RestartPolicy = "always" | "on-failure" | "never";
export type Status = "start" | "stop" | "ignore";
export type ServiceClass = "user" | "system";

export interface ServiceSection {
  readonly name: string;
  readonly exec: string;
  readonly dir: string | null;
  readonly oneshot: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly status: Status;
  readonly class: ServiceClass;
  readonly critical: boolean;
  readonly ports: readonly number[];
  readonly kill_others: boolean;
  readonly process_filters: readonly string[];
}

export interface DependencySection {
  readonly after: readonly string[];
  readonly requires: readonly string[];
  readonly wants: readonly string[];
  readonly conflicts: readonly string[];
}

export interface LifecycleSection {
  readonly restart: RestartPolicy;
  readonly restart_delay_ms: number;
  readonly restart_delay_max_ms: number;
  readonly max_restarts: number;
  readonly stability_period_ms: number;
  readonly start_timeout_ms: number;
  readonly stop_timeout_ms: number;
  readonly stop_signal: string;
}

interface HealthTimes {
  readonly target: string;
  readonly interval_ms: number;
  readonly timeout_ms: number;
  readonly retries: number;
  readonly start_period_ms: number;
}

export type HealthSection =
  | ({ readonly type: "tcp" | "exec" } & HealthTimes)
  | ({ readonly type: "http"; readonly expect_status: number } & HealthTimes);

export interface LoggingSection {
  readonly buffer_lines: number;
  readonly file: string | null;
  readonly forward: string | null;
}

export interface ServiceDocument {
  readonly service: ServiceSection;
  readonly dependencies: DependencySection;
  readonly lifecycle: LifecycleSection;
  readonly health: HealthSection | null;
  readonly logging: LoggingSection;
}

export interface TargetDocument {
  readonly target: { readonly name: string; readonly critical: boolean };
  readonly dependencies: DependencySection;
}

export type ZinitDocument = ServiceDocument | TargetDocument;

export function isTarget(document: ZinitDocument): document is TargetDocument {
  return "target" in document;
}

export function nameOf(document: ZinitDocument): string {
  return isTarget(document) ? document.target.name : document.service.name;
}

/** Everything that a definition is ordered after, in whatever sense. */
export function waitsFor({ dependencies }: ZinitDocument): readonly string[] {
  const { requires, after, wants } = dependencies;
  return [...new Set([...requires, ...after, ...wants])];
}

/** Of a spec that this dialect made. */
export function documentOf(origin: { readonly document: string }): ZinitDocument {
  // Nobody but this dialect writes it.
  const document: ZinitDocument = JSON.parse(origin.document);
  return document;
}
