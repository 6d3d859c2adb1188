/** Methods that start, stop and signal services. */
import type { Services } from "../../../api/services.ts";
import type { ServiceView } from "../../../engine/index.ts";
import { when } from "./changes.ts";
import { conflictsOf } from "./dependencies.ts";
import { failure, noSuchService } from "./errors.ts";
import { type Call, OK, type Result, result } from "./method.ts";
import type { Arguments } from "./params.ts";
import { bulkNames, statusOf } from "./roles.ts";
import { signalNamed } from "./signals.ts";
import { isActive, waitsFor } from "./states.ts";

type Handler = (call: Call, args: Arguments) => Result;

/** One step without questions, in its turn. */
function inTurn(act: (call: Call, args: Arguments) => Result): Handler {
  return (call, args) => call.changes.enter(() => refusal(call.services) ?? act(call, args));
}

/** Whoever leaves takes no orders. */
export function refusal(services: Services): Result | null {
  return services.phase() === "running" ? null : failure("internal", "supervisor not available");
}

/** What a person has pinned or masked over the native API stays so. */
function ofService(verb: "start" | "stop" | "restart", act: (call: Call, name: string) => Result): Handler {
  return inTurn((call, { name }) => {
    if (call.services.view(name) === null) return noSuchService(name);
    const held = call.services.refusal(name, verb);
    return held === null ? act(call, name) : failure("internal", `cannot ${verb} '${name}': ${held}`);
  });
}

export const start = ofService("start", ({ services, because }, name) => {
  // Only a restart makes it count its failures anew.
  services.ask({ type: "start", names: [name], because, counting: true });
  return when(() => hasBegun(services, name), OK);
});

export const stop = ofService("stop", ({ services, because }, name) => {
  services.ask({ type: "stop", names: [name], because });
  return OK;
});

/** What is down is started, and has to show it; what is up is told to leave first. */
export const restart = ofService("restart", ({ services, because }, name) => {
  services.ask({ type: "restart", names: [name], because });
  return when(() => hasBegun(services, name), OK);
});

/**
 * Is it known what became of a start: a process, a failure, or something that it waits for? One
 * that leaves, to be started afterwards, has been heard.
 */
export function hasBegun(services: Services, name: string): boolean {
  const view = services.view(name);
  if (view === null || view.kind === "target") return true;
  if (view.state === "starting") return view.pid !== null;
  return view.state !== "waiting" || isHeldUp(services, view);
}

/** Something can be named that it waits for; otherwise ports and processes are being looked at. */
function isHeldUp(services: Services, view: ServiceView): boolean {
  if (view.obstacle !== null || view.waiting_for.length > 0) return true;
  return waitsFor(services, view.name).length > 0 || conflictsOf(services, view.name).some(isActive);
}

export const kill = inTurn(({ services, because }, { name, signal: given }) => {
  const view = services.view(name);
  if (view === null) return noSuchService(name);
  // A target has no process, and a signal to "none" must not become one to everybody.
  if (!isActive(view) || !services.canSignal(name, "group")) {
    return failure("internal", `service not running: ${name}`);
  }
  const signal = signalNamed(given);
  if ("wrong" in signal) {
    return failure("internal", `signal error for service '' (signal ${given}): ${signal.wrong}`);
  }
  services.ask({ type: "kill", name, signal: signal.name, scope: "group", because });
  return OK;
});

/** Those that are meant to run; what is kept stopped or left to people is not touched. */
export const startAll = inTurn(({ services, because }) => {
  const names = bulkNames(services, (view) => !isActive(view) && statusOf(services, view.name) === "start");
  if (names.length > 0) services.ask({ type: "start", names, because, counting: true });
  const answer = result({ started: names, count: names.length });
  return when(() => names.every((name) => hasBegun(services, name)), answer);
});

/** Those that run, or will as soon as they can. */
const STOPPABLE: readonly ServiceView["state"][] = ["starting", "running", "waiting", "backoff"];

export const stopAll = inTurn(({ services, because }) => {
  const names = bulkNames(services, ({ state }) => STOPPABLE.includes(state));
  if (names.length > 0) services.ask({ type: "stop", names, because });
  return result({ stopped: names, count: names.length });
});
