/** What each operation does. A handler answers at once or says what it waits for. */

import type { HeldVerb, ServiceView } from "../engine/index.ts";
import type { EventQuery, LogQuery, Part } from "../generated/protocol.ts";
import { orNearest } from "../model/suggest.ts";
import { type Answer, type ProblemAnswer, problem, type Waiting } from "./answer.ts";
import { because, type Context } from "./context.ts";
import { metricsText, scheduleMetrics } from "./metrics.ts";
import type { Arguments } from "./parameters.ts";
import { awaitReload, awaitShutdown, awaitStart, awaitState, awaitStop } from "./waits.ts";

type Result = Answer | Waiting;

// --- looking ---

export function list(context: Context): Result {
  return json(allViews(context));
}

export function get(context: Context, args: Arguments): Result {
  return withService(context, args.name, (view) => json(view));
}

export function why(context: Context, args: Arguments): Result {
  return withService(context, args.name, () => json(context.services.why(args.name)));
}

export function runs(context: Context, args: Arguments): Result {
  return withService(context, args.name, () => json(context.services.runs(args.name)));
}

export function tree(context: Context): Result {
  return json(context.services.graph());
}

export function boot(context: Context): Result {
  return json(context.services.bootReport());
}

export function supervisor(context: Context): Result {
  const { supervisor: own, clock } = context.services;
  return json({
    pid: own.pid,
    state: context.services.phase() === "running" ? "running" : "stopping",
    started_at: new Date(own.wallStarted).toISOString(),
    uptime_ms: uptime(own.wallStarted, clock.wall),
  });
}

export function health(context: Context): Result {
  const found = context.services.health();
  if (found.ok) return json({ ok: true, reasons: [] });
  return problem("unhealthy", found.reasons.join("; "), { ok: false, reasons: found.reasons });
}

/** Asked often and by machines: written once for as long as nothing happens. */
export function status(context: Context): Result {
  const text = context.services.untilNextStep(() => {
    const views = allViews(context).filter((view) => view.kind !== "target");
    return JSON.stringify(views.map((view) => ({ name: view.name, running: view.pid !== null })));
  });
  return { status: 200, text };
}

export function metrics(context: Context): Result {
  const { supervisor: own, clock } = context.services;
  return {
    status: 200,
    plain: metricsText(allViews(context), scheduleMetrics(context.services), own.wallStarted, clock.wall),
    contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  };
}

export function openApi(): Result {
  return { status: 200, parts: [{ type: "openApi" }] };
}

export function processes(context: Context, args: Arguments): Result {
  return withService(context, args.name, () => {
    const id = context.services.setId(args.name);
    return id === null ? json([]) : { status: 200, parts: [{ type: "processes", id }] };
  });
}

/** Of all services at once: who shows them asks every other second. */
export function usage(context: Context): Result {
  const sets = context.services.names().flatMap((name) => {
    const id = context.services.setId(name);
    return id === null ? [] : [{ name, id }];
  });
  return { status: 200, parts: [{ type: "usage", sets }] };
}

// --- logs and events: the nucleus writes them ---

export function serviceLogs(context: Context, args: Arguments): Result {
  return withService(context, args.name, () => readLogs(context, [args.name], args));
}

export function logs(context: Context, args: Arguments): Result {
  return unknownAmong(context, args.service ?? []) ?? readLogs(context, args.service, args);
}

function readLogs(context: Context, names: readonly string[] | null, args: Arguments): Result {
  const query: LogQuery = {
    logs: names === null ? null : names.flatMap((name) => [...context.services.logNames(name)]),
    lines: args.lines,
    wallSince: args.since,
    wallUntil: args.until,
    stream: args.stream,
    grep: args.grep,
    follow: args.follow,
  };
  return stream(context, args.follow, (format) => ({ type: "logs", query, format }));
}

export function events(context: Context, args: Arguments): Result {
  const query: EventQuery = { lines: args.lines, afterSeq: args.after, follow: args.follow };
  return stream(context, args.follow, (format) => ({ type: "events", query, format }));
}

function stream(context: Context, follow: boolean, part: (format: "array" | "sse") => Part): Result {
  if (!follow) return { status: 200, parts: [part("array")] };
  if (context.transport === "jsonRpc") {
    return problem(
      "bad-request",
      '"follow" is a stream: use GET with follow=true over HTTP on the same socket',
      {
        parameter: "follow",
      },
    );
  }
  return { status: 200, parts: [part("sse")], contentType: "text/event-stream" };
}

// --- doing ---

export function startOne(context: Context, args: Arguments): Result {
  return start(context, [args.name], args, "start", (views) => views[0] ?? null);
}

export function startMany(context: Context, args: Arguments): Result {
  return start(context, args.names, args, "start", (views) => views);
}

export function restartOne(context: Context, args: Arguments): Result {
  return start(context, [args.name], args, "restart", (views) => views[0] ?? null);
}

export function restartMany(context: Context, args: Arguments): Result {
  return start(context, args.names, args, "restart", (views) => views);
}

function start(
  context: Context,
  given: readonly string[],
  args: Arguments,
  type: "start" | "restart",
  shape: (views: ServiceView[]) => unknown,
): Result {
  const names = unique(given);
  const refused =
    unknownAmong(context, names) ?? whileShuttingDown(context, type) ?? heldAmong(context, names, type);
  if (refused !== null) return refused;
  context.services.ask({ type, names, because: because(context) });
  if (!args.wait) return json(shape(viewsOf(context, names)), 202);
  return awaitStart(context.services, names, args.timeout, () => json(shape(viewsOf(context, names))));
}

export function stopOne(context: Context, args: Arguments): Result {
  return stop(context, [args.name], args);
}

export function stopMany(context: Context, args: Arguments): Result {
  return stop(context, args.names, args);
}

function stop(context: Context, given: readonly string[], args: Arguments): Result {
  const names = unique(given);
  const refused = unknownAmong(context, names) ?? heldAmong(context, names, "stop");
  if (refused !== null) return refused;
  context.services.ask({ type: "stop", names, because: because(context) });
  return args.wait ? awaitStop(context.services, names, args.timeout) : json([], 202);
}

export function reloadOne(context: Context, args: Arguments): Result {
  return reload(context, [args.name], args, (views) => views[0] ?? null);
}

export function reloadMany(context: Context, args: Arguments): Result {
  return reload(context, args.names, args, (views) => views);
}

/** All of them, or none: who asks for several wants them to agree. */
function reload(
  context: Context,
  given: readonly string[],
  args: Arguments,
  shape: (views: ServiceView[]) => unknown,
): Result {
  const names = unique(given);
  const refused =
    unknownAmong(context, names) ??
    whileShuttingDown(context, "reload") ??
    names.map((name) => reloadProblem(context, name)).find((found) => found !== null);
  if (refused) return refused;
  context.services.ask({ type: "reload", names, because: because(context) });
  if (!args.wait) return json(shape(viewsOf(context, names)), 202);
  const asked = names.map((name) => [name, context.services.reloadNumber(name)] as const);
  return awaitReload(context.services, asked, args.timeout, () => json(shape(viewsOf(context, names))));
}

function reloadProblem(context: Context, name: string): ProblemAnswer | null {
  const found = context.services.reloadProblem(name);
  if (found === "not-configured") {
    const next = `set reload = { signal = "HUP" } or { command = "…" }, or restart it: oneup restart ${name}`;
    return problem("no-reload", `"${name}" has no reload: ${next}`, { service: name });
  }
  if (found === null) return null;
  const { state, cause } = context.services.view(name) ?? { state: "gone", cause: "" };
  return problem("not-running", `"${name}" is not running, so it cannot reload: it is ${state} (${cause})`, {
    service: name,
  });
}

export function pin(context: Context, args: Arguments): Result {
  return hold(context, args.name, { type: "pin", state: args.state });
}

export function unpin(context: Context, args: Arguments): Result {
  return hold(context, args.name, { type: "unpin" });
}

export function mask(context: Context, args: Arguments): Result {
  return hold(context, args.name, { type: "mask" });
}

export function unmask(context: Context, args: Arguments): Result {
  return hold(context, args.name, { type: "unmask" });
}

type Hold =
  | { readonly type: "pin"; readonly state: "up" | "down" }
  | { readonly type: "unpin" | "mask" | "unmask" };

/** Answers at once; what follows from it is a matter of time. */
function hold(context: Context, name: string, what: Hold): Result {
  return withService(context, name, () => {
    const verb = what.type === "pin" ? (`pin ${what.state}` as const) : what.type;
    const refused = whileShuttingDown(context, verb) ?? heldAmong(context, [name], verb);
    if (refused !== null) return refused;
    context.services.ask({ ...what, name, because: because(context) });
    return json(context.services.view(name));
  });
}

export function shutdown(context: Context, args: Arguments): Result {
  context.services.ask({ type: "shutdown", because: because(context) });
  return args.wait ? awaitShutdown(context.services, args.timeout) : json([], 202);
}

export function kill(context: Context, args: Arguments): Result {
  return withService(context, args.name, () => {
    const { name, signal, scope } = args;
    if (!context.services.canSignal(name, scope)) {
      return problem("not-running", `"${name}" has no process to send ${signal} to`, { service: name });
    }
    context.services.ask({ type: "kill", name, signal, scope, because: because(context) });
    return json(context.services.view(name));
  });
}

export function waitFor(context: Context, args: Arguments): Result {
  return withService(context, args.name, () =>
    awaitState(context.services, args.name, args.for, args.timeout, json),
  );
}

export function notYet(id: string): Answer {
  return problem("not-supported-yet", `"${id}" is not supported yet`, { operation: id });
}

// --- helpers ---

function json(document: unknown, status = 200): Answer {
  return { status, json: document };
}

function withService(context: Context, name: string, answer: (view: ServiceView) => Result): Result {
  const view = context.services.view(name);
  return view === null ? noSuchService(context, name) : answer(view);
}

function noSuchService(context: Context, name: string): ProblemAnswer {
  const guess = orNearest(name, context.services.names());
  return problem("no-such-service", `there is no service "${name}"${guess}`, { service: name });
}

function unknownAmong(context: Context, names: readonly string[]): ProblemAnswer | null {
  const unknown = names.find((name) => context.services.view(name) === null);
  return unknown === undefined ? null : noSuchService(context, unknown);
}

/** A pin or a mask that stands in the way of any of them stands in the way of all. */
function heldAmong(context: Context, names: readonly string[], verb: HeldVerb): ProblemAnswer | null {
  for (const name of names) {
    const why = context.services.refusal(name, verb);
    if (why !== null) return problem("held", `"${name}": cannot ${verb}: ${why}`, { service: name });
  }
  return null;
}

function whileShuttingDown(context: Context, verb: string): ProblemAnswer | null {
  if (context.services.phase() === "running") return null;
  return problem("shutting-down", `the supervisor is shutting down: it will ${verb} nothing any more`);
}

function allViews(context: Context): ServiceView[] {
  return viewsOf(context, context.services.names());
}

function viewsOf(context: Context, names: readonly string[]): ServiceView[] {
  return names.map((name) => context.services.view(name)).filter((view) => view !== null);
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

function uptime(started: number, wall: number): number {
  // A wall clock that was set back must not make a negative age.
  return Math.max(0, Math.round(wall - started));
}
