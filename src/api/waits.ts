/** Operations that answer when something has come true: what each waits for, and what it then says. */

import type { ServiceView } from "../engine/index.ts";
import { durationText } from "../engine/text.ts";
import type { Receipt } from "../generated/protocol.ts";
import { type Answer, problem, type Waiting } from "./answer.ts";
import type { Services } from "./services.ts";

/** Until all are up. The first that cannot come up ends the wait. */
export function awaitStart(
  services: Services,
  names: readonly string[],
  timeoutMs: number | null,
  done: () => Answer,
): Waiting {
  return {
    timeoutMs,
    poll: () => {
      let pending = false;
      for (const name of names) {
        const outcome = services.outcome(name, "up");
        if (outcome === "pending") pending = true;
        else if (outcome !== "done") return missed(services, name, "up", outcome.failed);
      }
      return pending ? gaveUp(services) : done();
    },
    expired: () => timedOut(services, names, timeoutMs, (view) => view.ready),
  };
}

/** Until all are down; answers with the receipts of what went down with them. */
export function awaitStop(services: Services, asked: readonly string[], timeoutMs: number | null): Waiting {
  // A member of a target that a person holds up is not stopped with it.
  const isHeldUp = (name: string) => services.view(name)?.pinned === "up" && !asked.includes(name);
  const names = withMembers(services, asked).filter((name) => !isHeldUp(name));
  const involved = withDependents(services, names);
  const receipts: Receipt[] = [];
  const left = new Set<string>();
  return {
    timeoutMs,
    stopped: (receipt, main) => {
      if (receipt.service === null || !involved.has(receipt.service)) return;
      receipts.push(receipt);
      if (main && receipt.empty) left.add(receipt.service);
    },
    poll: () => {
      let pending = false;
      for (const name of names) {
        const outcome = services.outcome(name, "down");
        if (outcome === "pending") pending = true;
        // It has been stopped, as was asked; that somebody wants it again is another matter.
        else if (outcome !== "done" && !left.has(name))
          return missed(services, name, "down", outcome.failed, { receipts });
      }
      return pending ? gaveUp(services) : { status: 200, json: receipts };
    },
    expired: () => timedOut(services, names, timeoutMs, (view) => view.pid === null),
  };
}

/** Until all have reloaded. A number for each name says which reload of it is meant. */
export function awaitReload(
  services: Services,
  asked: readonly (readonly [name: string, number: number])[],
  timeoutMs: number | null,
  done: () => Answer,
): Waiting {
  const outcomes = () =>
    asked.map(([name, number]) => ({ name, outcome: services.reloadOutcome(name, number) }));
  return {
    timeoutMs,
    poll: () => {
      let pending = false;
      for (const { name, outcome } of outcomes()) {
        if (outcome === "pending") pending = true;
        else if (outcome !== "done") return failed(name, `reload failed: ${outcome.failed}`);
      }
      return pending ? gaveUp(services) : done();
    },
    expired: () => {
      const late = new Set(outcomes().flatMap(({ name, outcome }) => (outcome === "pending" ? [name] : [])));
      return timedOut(services, [...late], timeoutMs, () => false);
    },
  };
}

/** Until the supervisor is about to leave. */
export function awaitShutdown(services: Services, timeoutMs: number | null): Waiting {
  const receipts: Receipt[] = [];
  return {
    timeoutMs,
    stopped: (receipt) => {
      receipts.push(receipt);
    },
    poll: () => (services.phase() === "exiting" ? { status: 200, json: receipts } : null),
    expired: () => timedOut(services, services.names(), timeoutMs, (view) => view.pid === null),
  };
}

/** Until one service is in a state, whoever brings it there. */
export function awaitState(
  services: Services,
  name: string,
  wanted: "ready" | "stopped" | "succeeded",
  timeoutMs: number | null,
  done: (view: ServiceView) => Answer,
): Waiting {
  return {
    timeoutMs,
    poll: () => {
      const view = services.view(name);
      // Gone from the configuration meanwhile.
      if (view === null) return failed(name, `there is no service "${name}" any more`);
      if (reached(view, wanted)) return done(view);
      return wanted !== "stopped" && isHopeless(services, view) ? failed(name, view.cause) : gaveUp(services);
    },
    expired: () => timedOut(services, [name], timeoutMs, (view) => reached(view, wanted)),
  };
}

/** It will not come by itself: it is over, or waits for something that is. */
function isHopeless(services: Services, view: ServiceView): boolean {
  if (view.state === "failed" || view.state === "exited") return true;
  const outcome = view.state === "waiting" ? services.outcome(view.name, "up") : "pending";
  return typeof outcome === "object";
}

function reached(view: ServiceView, wanted: "ready" | "stopped" | "succeeded"): boolean {
  if (wanted === "succeeded") return view.state === "exited";
  // A task that succeeded is ready for whoever needs it.
  if (wanted === "ready") return view.ready || (view.kind === "task" && view.state === "exited");
  return ["inactive", "exited", "failed"].includes(view.state);
}

/** A supervisor that leaves takes every hope with it. */
function gaveUp(services: Services): Answer | null {
  return services.phase() === "exiting" ? problem("shutting-down", "the supervisor has shut down") : null;
}

/** What was asked for will not come: it was tried and failed, or something else is wanted by now. */
function missed(
  services: Services,
  name: string,
  goal: "up" | "down",
  cause: string,
  more: Readonly<Record<string, unknown>> = {},
): Answer {
  if (services.view(name)?.goal === goal) return failed(name, cause, more);
  return problem("overtaken", `"${name}": ${cause}`, { service: name, cause, ...more });
}

function failed(name: string, cause: string, more: Readonly<Record<string, unknown>> = {}): Answer {
  return problem("failed", `"${name}": ${cause}`, { service: name, cause, ...more });
}

function timedOut(
  services: Services,
  names: readonly string[],
  timeoutMs: number | null,
  arrived: (view: ServiceView) => boolean,
): Answer {
  const views = names.map((name) => services.view(name)).filter((view) => view !== null);
  const late = views.filter((view) => !arrived(view));
  const shown = late.slice(0, 5).map((view) => `"${view.name}" is ${view.state} (${view.cause})`);
  if (late.length > shown.length) shown.push(`and ${late.length - shown.length} more`);
  const detail = `not done within ${durationText(timeoutMs ?? 0)}${shown.length > 0 ? `: ${shown.join(", ")}` : ""}`;
  return problem("timed-out", detail, { services: late.map((view) => view.name) });
}

/** A target that is asked to stop stands for its members, all the way down. */
function withMembers(services: Services, names: readonly string[]): string[] {
  const edges = new Map(services.graph().services.map((node) => [node.name, node]));
  return spread(names, (name) => {
    const node = services.view(name)?.kind === "target" ? edges.get(name) : undefined;
    return node === undefined ? [] : [...node.requires, ...node.wants];
  });
}

/** What requires any of them, all the way up: it goes down first. */
function withDependents(services: Services, names: readonly string[]): Set<string> {
  const nodes = services.graph().services;
  return new Set(
    spread(names, (name) => nodes.filter((node) => node.requires.includes(name)).map((node) => node.name)),
  );
}

/** Everything that can be reached; the queue is the result. */
function spread(from: readonly string[], next: (name: string) => readonly string[]): string[] {
  const found = new Set(from);
  for (const name of found) {
    for (const further of next(name)) found.add(further);
  }
  return [...found];
}
