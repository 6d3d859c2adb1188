/** What people read: the trees and the lists that the command line shows as they come. */
import type { Services } from "../../../api/services.ts";
import { documentOf, isTarget } from "../../../dialects/zinit/document.ts";
import type { ServiceView } from "../../../engine/index.ts";
import type { ProcessFacts } from "../../../generated/protocol.ts";
import { DependencyGraph } from "./dependencies.ts";
import { isSatisfied, reasonText, stateOf, symbolOf, type ZinitState } from "./states.ts";

function nameOfState(services: Services, view: ServiceView): string {
  return stateOf(services, view).state;
}

/** The dependency tree, in the order of the start. */
export function treeText(services: Services): string {
  const graph = new DependencyGraph(services);
  const views = viewsOf(services, graph.startOrder());
  const lines = views.flatMap((view, index) => {
    const isLast = index === views.length - 1;
    const state = stateOf(services, view);
    const head = `${isLast ? "└─" : "├─"} ${symbolOf(state)} ${view.name} (${state.state})`;
    const dependencies = graph.dependencies(view.name);
    const below = dependencies.map(({ view: other, kind }, position) => {
      const branch = position === dependencies.length - 1 ? "└─" : "├─";
      return `${isLast ? " " : "│"}    ${branch} ${kind} ${other.name} (${nameOfState(services, other)})`;
    });
    return [head, ...below];
  });
  return lines.join("\n");
}

/** Why a service cannot start now; of a port or a process in the way the answer has its own fields. */
export function whyText(
  services: Services,
  view: ServiceView,
  waitingOn: readonly string[],
  conflictsWith: readonly string[],
): string {
  const state = stateOf(services, view);
  const lines = [`${symbolOf(state)} ${view.name} (${state.state})`];
  for (const other of viewsOf(services, waitingOn)) {
    lines.push(`  -> waiting on ${other.name} (${nameOfState(services, other)})`);
  }
  for (const other of viewsOf(services, conflictsWith)) {
    lines.push(`  !> conflicts with ${other.name} (${nameOfState(services, other)})`);
  }
  const isFree = waitingOn.length === 0 && conflictsWith.length === 0 && view.obstacle === null;
  if (isFree) lines.push("  Can start: all dependencies satisfied");
  return lines.join("\n");
}

/** Everything about every service. `processes` are those of its set. */
export function stateText(
  services: Services,
  processes: ReadonlyMap<string, readonly ProcessFacts[]>,
): string {
  const graph = new DependencyGraph(services);
  const blocks = viewsOf(services, graph.startOrder()).map((view) => [
    headLine(services, view),
    ...restartLine(services, view),
    ...dependencyLines(services, graph, view),
    ...dependentLine(graph, view),
    ...childLines(view, processes.get(view.name) ?? []),
    "",
  ]);
  return ["=== Service Graph State ===", "", ...blocks.flat()].join("\n");
}

function headLine(services: Services, view: ServiceView): string {
  const state = stateOf(services, view);
  return `${symbolOf(state)} ${view.name} - ${describe(state, view)}`;
}

function describe(state: ZinitState, view: ServiceView): string {
  switch (state.state) {
    case "inactive":
      return "Inactive";
    case "blocked":
      return `Blocked (waiting on: ${state.waiting_on.join(", ")})`;
    case "starting":
      return `Starting (pid=${state.pid})`;
    case "running":
      return `Running (pid=${state.pid}, uptime=${uptimeText(view.uptime_ms)})`;
    case "stopping":
      return `Stopping (pid=${state.pid})`;
    case "exited":
      return `Exited (code=${state.exit_code === null ? "None" : `Some(${state.exit_code})`})`;
    case "failed":
      return `Failed (${reasonText(state.reason)})`;
  }
}

/** `45s`, `1m30s`, `1h1m`; `?` without a process. */
function uptimeText(ms: number | null): string {
  if (ms === null) return "?";
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60}s`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

function restartLine(services: Services, view: ServiceView): string[] {
  const origin = services.specOf(view.name)?.origin;
  if (view.restarts === 0 || origin === undefined) return [];
  const document = documentOf(origin);
  if (isTarget(document)) return [];
  const { restart_delay_ms: first, restart_delay_max_ms: most } = document.lifecycle;
  const next = Math.min(first * 2 ** view.restarts, most);
  return [`    restart_count: ${view.restarts}, next_delay: ${next}ms`];
}

function dependencyLines(services: Services, graph: DependencyGraph, view: ServiceView): string[] {
  const lines = graph.dependencies(view.name).map(({ view: other, kind }) => {
    const mark = isSatisfied(services, other) ? "✓" : "✗";
    return `      ${mark} ${kind} ${other.name} (${nameOfState(services, other)})`;
  });
  return lines.length === 0 ? [] : ["    ← depends on:", ...lines];
}

function dependentLine(graph: DependencyGraph, view: ServiceView): string[] {
  const dependents = graph.dependents(view.name);
  return dependents.length === 0 ? [] : [`    → required by: ${dependents.join(", ")}`];
}

function childLines(view: ServiceView, processes: readonly ProcessFacts[]): string[] {
  const children = processes.filter(({ parent }) => parent === view.pid).sort((a, b) => a.pid - b.pid);
  if (children.length === 0) return [];
  return [
    "    └─ child processes:",
    ...children.map(({ name, pid, state }) => `       └─ ${name} (pid=${pid}, state=${state || "?"})`),
  ];
}

const ACTIVITIES: Readonly<Record<string, string>> = {
  R: "running",
  S: "sleeping",
  D: "disk sleep",
  Z: "zombie",
  T: "stopped",
  X: "dead",
};

/** A service's processes, the main one at the head. */
export function processText(name: string, pid: number, processes: readonly ProcessFacts[]): string {
  const below = inTreeOrder(
    pid,
    processes.filter((process) => process.pid !== pid),
  );
  const lines = below.map((process, index) => {
    const branch = index === below.length - 1 ? "└─" : "├─";
    const activity = ACTIVITIES[process.state] ?? "unknown";
    return `  ${branch} ${process.name} (pid=${process.pid}, ppid=${process.parent}, ${activity})`;
  });
  if (lines.length === 0) lines.push("  └─ (no child processes)");
  return [`${name} (pid=${pid})`, ...lines].join("\n");
}

/** All children of one process together, then those of its last child; those that left it come last. */
function inTreeOrder(root: number, processes: readonly ProcessFacts[]): ProcessFacts[] {
  const sorted = [...processes].sort((a, b) => a.pid - b.pid);
  const found = new Set<ProcessFacts>();
  const stack = [root];
  for (let pid = stack.pop(); pid !== undefined; pid = stack.pop()) {
    const parent = pid;
    const children = sorted.filter((process) => process.parent === parent && !found.has(process));
    for (const child of children) {
      found.add(child);
      stack.push(child.pid);
    }
  }
  return [...found, ...sorted.filter((process) => !found.has(process))];
}

function viewsOf(services: Services, names: readonly string[]): ServiceView[] {
  return names.map((name) => services.view(name)).filter((view) => view !== null);
}
