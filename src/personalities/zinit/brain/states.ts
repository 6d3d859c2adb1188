/** The seven states of zinit, made of the engine's. */
import type { Services } from "../../../api/services.ts";
import { cycleText } from "../../../dialects/zinit/cycles.ts";
import { documentOf, isTarget } from "../../../dialects/zinit/document.ts";
import type { Reason, ServiceView } from "../../../engine/index.ts";
import { dependenciesOf } from "./dependencies.ts";
import { signalNumber, signalText } from "./signals.ts";

export type FailureReason =
  | { readonly type: "exit_code"; readonly code: number }
  | { readonly type: "signal"; readonly signal: number }
  | { readonly type: "start_timeout" | "stop_timeout" }
  | { readonly type: "health_check_failed"; readonly attempts: number }
  | { readonly type: "spawn_error"; readonly message: string }
  | { readonly type: "missing_dependency"; readonly dependency: string };

/** As `service.list_full` and `service.status_full` show it. */
export type ZinitState =
  | { readonly state: "inactive" }
  | { readonly state: "blocked"; readonly waiting_on: readonly string[] }
  | { readonly state: "starting" | "running" | "stopping"; readonly pid: number }
  | { readonly state: "exited"; readonly exit_code: number | null }
  | { readonly state: "failed"; readonly reason: FailureReason };

export type StateName = ZinitState["state"];

const SYMBOLS: Readonly<Record<StateName, string>> = {
  inactive: "[-]",
  blocked: "[?]",
  starting: "[>]",
  running: "[+]",
  stopping: "[!]",
  exited: "[.]",
  failed: "[X]",
};

export function symbolOf({ state }: ZinitState): string {
  return SYMBOLS[state];
}

export function stateOf(services: Services, view: ServiceView): ZinitState {
  switch (view.state) {
    case "inactive":
      return resting(view);
    case "waiting":
      // What else is in the way is told before what it waits for.
      return { state: "blocked", waiting_on: view.obstacle === null ? waitsFor(services, view.name) : [] };
    case "starting":
    case "running":
    case "stopping":
      return { state: view.state, pid: view.pid ?? 0 };
    case "exited":
      return exited(view);
    case "backoff":
    case "failed":
      return ended(view, view.reason);
  }
}

/** How its run ended shows if it was stopped, or had ended well; not if it had failed, or never ran. */
function resting(view: ServiceView): ZinitState {
  if (view.exit === null || view.kind === "target") return { state: "inactive" };
  if (view.reason === null) return exited(view);
  const state = ended(view, view.reason);
  return state.state === "exited" ? state : { state: "inactive" };
}

function exited({ exit }: ServiceView): ZinitState {
  return { state: "exited", exit_code: exit !== null && "code" in exit ? exit.code : null };
}

/** Between two runs zinit shows how the last one ended. */
function ended(view: ServiceView, reason: Reason | null): ZinitState {
  switch (reason?.type) {
    case "exit":
      // Whatever code a oneshot ends with, it has done what it is there for.
      if (reason.code === 0 || view.kind === "task") return { state: "exited", exit_code: reason.code };
      return failed({ type: "exit_code", code: reason.code });
    case "signal":
      return failed({ type: "signal", signal: signalNumber(reason.signal) });
    case "start-timeout":
      return failed({ type: "start_timeout" });
    case "survived":
      return failed({ type: "stop_timeout" });
    case "unhealthy":
      return failed({ type: "health_check_failed", attempts: reason.failures });
    case "spawn":
      return failed({
        type: "spawn_error",
        message: `spawn error for service '${view.name}': ${reason.message}`,
      });
    case "missing":
      return failed({ type: "missing_dependency", dependency: reason.name });
    case "cycle":
      return failed({ type: "spawn_error", message: cycleText(reason.path) });
    case "limit":
      return ended(view, reason.last);
    default:
      return view.exit === null ? failed({ type: "spawn_error", message: view.cause }) : byExit(view);
  }
}

function byExit(view: ServiceView): ZinitState {
  const { exit } = view;
  if (exit === null) return { state: "inactive" };
  if ("unknown" in exit) return exited(view);
  return ended(
    view,
    "code" in exit ? { type: "exit", code: exit.code } : { type: "signal", signal: exit.signal },
  );
}

function failed(reason: FailureReason): ZinitState {
  return { state: "failed", reason };
}

/** Not only to the engine: a builtin has no process either, but its file defines a service. */
export function isZinitTarget(services: Services, view: ServiceView): boolean {
  if (view.kind !== "target") return false;
  const origin = services.specOf(view.name)?.origin;
  return origin === undefined || isTarget(documentOf(origin));
}

/** It has a process, or a target's place in the order. */
export function isActive(view: ServiceView): boolean {
  return view.state === "starting" || view.state === "running" || view.state === "stopping";
}

/** What requires it may start. */
export function isSatisfied(services: Services, view: ServiceView): boolean {
  if (view.ready) return true;
  const state = stateOf(services, view);
  return state.state === "exited" && state.exit_code === 0;
}

/** Somebody has tried to start it: enough for what comes after it. */
export function isAttempted(services: Services, view: ServiceView): boolean {
  const { state } = stateOf(services, view);
  return state !== "inactive" && state !== "blocked";
}

/** What keeps it from starting, whatever its state is now. */
export function waitsFor(services: Services, name: string): string[] {
  return dependenciesOf(services, name)
    .filter(({ view, kind }) => {
      if (kind === "requires") return !isSatisfied(services, view);
      return kind === "after" && !isAttempted(services, view);
    })
    .map(({ view }) => view.name);
}

/** `exit_code` and `error` of `service.status`. */
export function detailsOf(state: ZinitState): { readonly exit_code?: number; readonly error?: string } {
  switch (state.state) {
    case "blocked":
      return state.waiting_on.length === 0 ? {} : { error: `waiting on: ${state.waiting_on.join(", ")}` };
    case "exited":
      return state.exit_code === null ? {} : { exit_code: state.exit_code };
    case "failed":
      if (state.reason.type === "exit_code") return { exit_code: state.reason.code };
      if (state.reason.type === "signal") return { error: `killed by signal ${state.reason.signal}` };
      return { error: reasonText(state.reason) };
    default:
      return {};
  }
}

/** As a log or a person's screen has it. */
export function reasonText(reason: FailureReason): string {
  switch (reason.type) {
    case "exit_code":
      return `exited with code ${reason.code}`;
    case "signal":
      return `killed by ${signalText(reason.signal)} (${reason.signal})`;
    case "start_timeout":
      return "start timeout";
    case "stop_timeout":
      return "stop timeout";
    case "health_check_failed":
      return `health check failed after ${reason.attempts} attempts`;
    case "spawn_error":
      return `spawn error: ${reason.message}`;
    case "missing_dependency":
      return `missing dependency '${reason.dependency}'`;
  }
}
