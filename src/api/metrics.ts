/** `GET /metrics`: OpenMetrics 1.0 text. */
import type { PublicState, ServiceView } from "../engine/index.ts";
import type { Services } from "./services.ts";

const STATES: readonly PublicState[] = [
  "inactive",
  "waiting",
  "starting",
  "running",
  "stopping",
  "backoff",
  "exited",
  "failed",
];

/** Families about tasks with a schedule; none where there is no such task. */
export function scheduleMetrics(services: Services): string[] {
  const [last, success, next]: [string[], string[], string[]] = [[], [], []];
  for (const name of services.names()) {
    const view = services.view(name);
    const over = services.runs(name)?.find((run) => run.ended_at !== null);
    if (view === null || (over === undefined && (view.kind !== "task" || view.next_start_at === null)))
      continue;
    if (over?.started_at) last.push(line(LAST, view, Date.parse(over.started_at) / 1000));
    if (over !== undefined) success.push(line(SUCCESS, view, Number(over.success)));
    if (view.next_start_at !== null) next.push(line(NEXT, view, Date.parse(view.next_start_at) / 1000));
  }
  const families: string[] = [];
  if (last.length > 0) {
    families.push(...family(LAST, "gauge", "When the last run that has ended was started.", last, "seconds"));
    families.push(...family(SUCCESS, "gauge", "1 if the last run that has ended was a success.", success));
  }
  if (next.length > 0) families.push(...family(NEXT, "gauge", "When it is started next.", next, "seconds"));
  return families;
}

const LAST = "oneup_task_last_run_time_seconds";
const SUCCESS = "oneup_task_last_run_success";
const NEXT = "oneup_task_next_run_time_seconds";

export function metricsText(
  views: readonly ServiceView[],
  more: readonly string[],
  wallStarted: number,
  wall: number,
): string {
  return [
    ...family("oneup_service_state", "stateset", "The state a service is in.", views.flatMap(stateLines)),
    ...family(
      "oneup_service_ready",
      "gauge",
      "1 if the service is ready.",
      views.map((view) => line("oneup_service_ready", view, Number(view.ready))),
    ),
    ...family(
      "oneup_service_healthy",
      "gauge",
      "1 if the service's health checks hold. Absent without checks, and until there have been enough.",
      views.flatMap((view) =>
        view.healthy === null ? [] : [line("oneup_service_healthy", view, Number(view.healthy))],
      ),
    ),
    ...family(
      "oneup_service_restarts",
      "counter",
      "Restarts since the supervisor started.",
      views.map((view) => line("oneup_service_restarts_total", view, view.restarts)),
    ),
    ...family(
      "oneup_service_uptime_seconds",
      "gauge",
      "How long the service's process has been running.",
      views.flatMap((view) =>
        view.uptime_ms === null ? [] : [line("oneup_service_uptime_seconds", view, view.uptime_ms / 1000)],
      ),
      "seconds",
    ),
    ...family(
      "oneup_service_start_time_seconds",
      "gauge",
      "When the service's process was started, as seconds since 1970.",
      views.flatMap((view) =>
        view.started_at === null
          ? []
          : [line("oneup_service_start_time_seconds", view, Date.parse(view.started_at) / 1000)],
      ),
      "seconds",
    ),
    ...more,
    ...family(
      "oneup_start_time_seconds",
      "gauge",
      "When the supervisor was started, as seconds since 1970.",
      [`oneup_start_time_seconds ${seconds(wallStarted)}`],
      "seconds",
    ),
    ...family(
      "oneup_uptime_seconds",
      "gauge",
      "How long the supervisor has been running.",
      [`oneup_uptime_seconds ${seconds(Math.max(0, wall - wallStarted))}`],
      "seconds",
    ),
    "# EOF\n",
  ].join("\n");
}

/** To the millisecond. */
function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}

function family(
  name: string,
  type: string,
  help: string,
  samples: readonly string[],
  unit?: string,
): string[] {
  const head = [`# TYPE ${name} ${type}`];
  if (unit !== undefined) head.push(`# UNIT ${name} ${unit}`);
  head.push(`# HELP ${name} ${help}`);
  return [...head, ...samples];
}

/** A state set has one sample per state, named by a label of the family's own name. */
function stateLines(view: ServiceView): string[] {
  const service = label(view.name);
  return STATES.map(
    (state) =>
      `oneup_service_state{service="${service}",oneup_service_state="${state}"} ${Number(view.state === state)}`,
  );
}

function line(name: string, view: ServiceView, value: number): string {
  return `${name}{service="${label(view.name)}"} ${value}`;
}

function label(text: string): string {
  return text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");
}
