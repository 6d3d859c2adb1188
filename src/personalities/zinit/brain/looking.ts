/** Methods that change nothing: services as they are, and why. */
import type { Services } from "../../../api/services.ts";
import type { ServiceView } from "../../../engine/index.ts";
import type { ProcessFacts, QueryAnswer } from "../../../generated/protocol.ts";
import { conflictsOf, dependenciesOf } from "./dependencies.ts";
import { failure, SERVICE_NOT_FOUND } from "./errors.ts";
import { type Call, later, type Result, result } from "./method.ts";
import type { Arguments } from "./params.ts";
import { detailsOf, isActive, isAttempted, isSatisfied, isZinitTarget, stateOf, waitsFor } from "./states.ts";
import { processText, stateText, treeText, whyText } from "./texts.ts";

type Handler = (call: Call, args: Arguments) => Result;

/** For methods about one service. */
function ofService(answer: (call: Call, view: ServiceView) => Result): Handler {
  return (call, { name }) => {
    const view = call.services.view(name);
    return view === null ? SERVICE_NOT_FOUND : answer(call, view);
  };
}

export function list({ services }: Call): Result {
  return result(services.names());
}

export function listFull({ services }: Call): Result {
  return result(viewsOf(services).map((view) => infoOf(services, view)));
}

function infoOf(services: Services, view: ServiceView) {
  return { name: view.name, state: stateOf(services, view), is_target: isZinitTarget(services, view) };
}

export const status = ofService(({ services }, view) => {
  const state = stateOf(services, view);
  return result({
    name: view.name,
    state: state.state,
    pid: "pid" in state ? state.pid : 0,
    ...detailsOf(state),
  });
});

export const statusFull = ofService(({ services }, view) =>
  result({
    ...infoOf(services, view),
    dependencies: dependenciesOf(services, view.name).map(({ view: other, kind }) => ({
      name: other.name,
      dep_type: kind,
      state: stateOf(services, other),
      satisfied:
        kind === "wants" || (kind === "after" ? isAttempted(services, other) : isSatisfied(services, other)),
    })),
    uptime_secs: view.uptime_ms === null ? null : Math.floor(view.uptime_ms / 1000),
  }),
);

export const get = ofService(({ services }, view) => {
  const { name } = view;
  if (isZinitTarget(services, view)) return result({ name, is_target: true });
  const origin = services.specOf(name)?.origin;
  if (origin !== undefined) return { status: 200, text: origin.document };
  return failure("internal", `'${name}' is not defined by a file of zinit's: see GET /v1/services/${name}`);
});

export function isRunning({ services }: Call, { name }: Arguments): Result {
  const view = services.view(name);
  return result(view !== null && stateOf(services, view).state === "running");
}

export const stats = ofService((call, view) =>
  withProcesses(call, view, (processes) => {
    const { services, usage } = call;
    const main = processes.find(({ pid }) => pid === view.pid);
    if (main === undefined) return { pid: view.pid ?? 0, memory_bytes: 0, cpu_percent: 0 };
    const { pid, memoryBytes, cpuMs } = main;
    // The process has grown older meanwhile: now is not when it was asked for.
    const uptime = services.view(view.name)?.uptime_ms ?? view.uptime_ms ?? 0;
    const percent = usage.percent(view.name, pid, cpuMs, uptime, services.clock.now);
    return { pid, memory_bytes: memoryBytes, cpu_percent: percent };
  }),
);

export const children = ofService((call, view) =>
  withProcesses(call, view, (processes) => ({
    children: processes
      .filter(({ pid }) => pid !== view.pid)
      .sort((a, b) => b.pid - a.pid)
      .map(({ pid, name, memoryBytes }) => ({ pid, name, memory_bytes: memoryBytes })),
  })),
);

export const why = ofService(({ services }, view) => {
  const { name, obstacle } = view;
  // What is in the way is told before what it waits for, as it is looked at before.
  const waitingOn = obstacle === null ? waitsFor(services, name) : [];
  const conflictsWith =
    obstacle === null
      ? conflictsOf(services, name)
          .filter(isActive)
          .map((other) => other.name)
      : [];
  return result({
    name,
    blocked: view.state === "waiting",
    waiting_on: waitingOn,
    conflicts_with: conflictsWith,
    ...(obstacle?.port ? { port_conflict: obstacle.port } : {}),
    ...(obstacle?.process ? { process_conflict: processConflict(obstacle.process) } : {}),
    ascii: whyText(services, view, waitingOn, conflictsWith),
  });
});

function processConflict({
  filter,
  processes,
}: NonNullable<NonNullable<ServiceView["obstacle"]>["process"]>) {
  return {
    filter,
    processes: processes.map(({ pid, name, command }) => ({ pid, name, cmdline: command })),
  };
}

export function tree({ services }: Call): Result {
  return result({ ascii: treeText(services) });
}

export function debugState({ services }: Call): Result {
  const sets = viewsOf(services).flatMap(({ name, pid }) => {
    const id = pid === null ? null : services.setId(name);
    return id === null ? [] : [{ name, id }];
  });
  const ticket = services.query({ type: "processes", ids: sets.map(({ id }) => id) });
  return later(ticket, (answer) => {
    const found = processSets(answer);
    const processes = new Map(sets.map(({ name }, index) => [name, found[index] ?? []]));
    return result({ output: stateText(services, processes) });
  });
}

export const debugProcessTree = ofService((call, view) => {
  const { name, pid } = view;
  if (pid === null) return result({ output: `${name} is not running` });
  return withProcesses(call, view, (processes) => ({ output: processText(name, pid, processes) }));
});

/** What the processes of a service's set make; nothing is asked where there are none. */
function withProcesses(
  { services }: Call,
  view: ServiceView,
  make: (processes: readonly ProcessFacts[]) => unknown,
): Result {
  const id = view.pid === null ? null : services.setId(view.name);
  if (id === null) return result(make([]));
  return later(services.query({ type: "processes", ids: [id] }), (answer) =>
    result(make(processSets(answer)[0] ?? [])),
  );
}

function processSets(answer: QueryAnswer): readonly (readonly ProcessFacts[])[] {
  return answer.type === "processes" ? answer.sets : [];
}

function viewsOf(services: Services): ServiceView[] {
  return services
    .names()
    .map((name) => services.view(name))
    .filter((view) => view !== null);
}
