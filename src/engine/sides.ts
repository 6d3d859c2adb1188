/**
 * Process sets beside the main one: hooks, the stop command, the reload command. Each is spawned
 * once, has a deadline, and is over when its set is empty; what it leaves behind is stopped.
 *
 * What its end means is the life cycle's affair: it comes as the input `hooked`.
 */
import type { Event, Exit } from "../generated/protocol.ts";
import { assert } from "./assert.ts";
import { noteHook, publishHook, publishReceipt, say } from "./causes.ts";
import { fire } from "./lifecycle.ts";
import { openSideLog } from "./logs.ts";
import { overReload } from "./reload.ts";
import { reportReceipt, shutdownLeftMs } from "./runs.ts";
import { spawnSpec } from "./spawn.ts";
import { durationText, exitText, failureText, survivorsText } from "./text.ts";
import { newChildId, type Role, type Service, type Side, touch, type World } from "./world.ts";

export type SideEvent = Extract<Event, { type: "spawned" | "spawnFailed" | "exited" | "stopped" }>;

/** As a person would call it: `before-start hook`. */
export function roleText(role: Role): string {
  return role === "stop" || role === "reload" ? `${role} command` : `${role} hook`;
}

export interface SideCommand {
  readonly argv: readonly string[];
  readonly timeoutMs: number;
}

export function openSide(
  world: World,
  service: Service,
  role: Role,
  { argv, timeoutMs }: SideCommand,
  because: string,
): Side {
  const { spec } = service;
  const child = newChildId(world);
  world.sets.set(child, service);
  openSideLog(world, service, role);
  const environment = sideEnvironment(service, role, because);
  world.out.push({ type: "spawn", id: child, spec: spawnSpec(spec, role, argv, environment) });
  const deadline = world.now + timeoutMs;
  const side = { role, child, deadline, pid: 0, ended: false, stopping: false, cut: false, failure: null };
  armSide(world, side);
  touch(world, service);
  return side;
}

function sideEnvironment(service: Service, role: Role, because: string): Record<string, string> {
  const { spec, past, pid, around } = service;
  return {
    ONEUP_SERVICE: spec.name,
    ONEUP_HOOK: role,
    ONEUP_CAUSE: because,
    ONEUP_RESTARTS: String(past.restarts),
    ...(pid === 0 ? {} : { ONEUP_PID: String(pid) }),
    ...(role === "after-exit" && around?.ran !== false ? exitEnvironment(past.exit) : {}),
  };
}

export function exitEnvironment(exit: Exit | null): Record<string, string> {
  if (exit === null || "unknown" in exit) return {};
  return "code" in exit ? { ONEUP_EXIT_CODE: String(exit.code) } : { ONEUP_EXIT_SIGNAL: exit.signal };
}

export function sidesOf({ around, reload }: Service): Side[] {
  const sides: Side[] = [];
  if (around !== null && around.side !== null) sides.push(around.side);
  if (reload !== null && reload.side !== null) sides.push(reload.side);
  return sides;
}

export function hasSides({ around, reload }: Service): boolean {
  return (around !== null && around.side !== null) || (reload !== null && reload.side !== null);
}

/** The side that a process set is; `null`: it is the main one. */
export function sideOf(service: Service, id: number): Side | null {
  return service.child === id ? null : (sidesOf(service).find((side) => side.child === id) ?? null);
}

/** Nobody needs them any more: they are asked to go, and are waited for. */
export function cutSides(world: World, service: Service): void {
  for (const side of sidesOf(service)) {
    if (side.stopping && !world.shutdown.hurried) continue;
    if (!side.ended) side.cut = true;
    stopSide(world, service, side);
  }
}

function stopSide(world: World, service: Service, side: Side): void {
  side.stopping = true;
  touch(world, service);
  if (side.pid !== 0 || side.ended) sendSideStop(world, service, side);
}

/** Also sent again: by a fresh brain, or to bring the deadline forward. */
export function sendSideStop(world: World, service: Service, side: Side): void {
  const late = world.now >= side.deadline;
  const timeoutMs = late ? 0 : Math.min(service.spec.stop.timeoutMs, shutdownLeftMs(world));
  world.out.push({ type: "stop", id: side.child, signal: "TERM", timeoutMs, tree: true });
}

/** Its timer. */
export function sideDue(world: World, service: Service, side: Side): void {
  if (world.now < side.deadline) {
    armSide(world, side);
    return;
  }
  if (!side.ended && !side.cut) side.failure ??= lateText(service, side.role);
  stopSide(world, service, side);
}

export function armSide(world: World, side: Side): void {
  world.out.push({ type: "arm", key: `hook ${side.child}`, at: side.deadline });
}

function lateText({ spec }: Service, role: Role): string {
  const { reload, stop, hooks } = spec;
  if (role === "reload")
    return `not done within ${durationText(reload?.type === "command" ? reload.timeoutMs : 0)}`;
  if (role === "stop") return `not done within ${durationText(stop.timeoutMs)}`;
  return `not done within ${durationText(hooks?.[role]?.timeoutMs ?? 0)}`;
}

/** Events may come twice when a brain was lost. */
export function takeSideEvent(world: World, service: Service, side: Side, event: SideEvent): void {
  switch (event.type) {
    case "spawned":
      if (side.pid === 0 && !side.ended) beginSide(world, service, side, event.pid);
      break;
    case "spawnFailed":
      refuseSide(world, service, side, failureText(event.failure));
      break;
    case "exited":
      if (!side.ended) endSide(world, service, side, event.exit, event.leftovers);
      break;
    case "stopped":
      publishReceipt(world, event.receipt, `its ${roleText(side.role)} had to go`);
      reportReceipt(world, service.spec.name, event.receipt);
      if (!event.receipt.empty) surviveSide(world, service, side, survivorsText(event.receipt));
      forgetSide(world, service, side);
      break;
  }
}

function beginSide(world: World, service: Service, side: Side, pid: number): void {
  side.pid = pid;
  touch(world, service);
  publishHook(world, service, `${roleText(side.role)} runs as pid ${pid}`);
  // What only runs beside a service is no reason for its state.
  const holdsUp = side.role !== "after-start" && side.role !== "reload";
  if (holdsUp && !side.stopping) {
    noteHook(world, service, side.role, `its ${roleText(side.role)} runs as pid ${pid}`);
  }
  if (side.stopping) sendSideStop(world, service, side);
}

/** It never came to run: the nucleus has nothing to forget. */
export function refuseSide(world: World, service: Service, side: Side, why: string): void {
  side.failure ??= why;
  dropSide(world, service, side);
}

function endSide(world: World, service: Service, side: Side, exit: Exit, leftovers: number): void {
  side.ended = true;
  side.pid = 0;
  touch(world, service);
  const good = "code" in exit && exit.code === 0;
  if (!side.stopping && !good) side.failure = exitText(exit);
  if (side.stopping) return; // `Stopped` is still to come.
  if (leftovers > 0) stopSide(world, service, side);
  else forgetSide(world, service, side);
}

function surviveSide(world: World, service: Service, side: Side, text: string): void {
  side.failure ??= text;
  world.shutdown.unclean = true;
  world.shutdownTouched = true;
  say(world, `${service.spec.name}: its ${roleText(side.role)} ${text}`);
}

function forgetSide(world: World, service: Service, side: Side): void {
  world.out.push({ type: "forget", id: side.child });
  dropSide(world, service, side);
}

/** It is over. */
function dropSide(world: World, service: Service, side: Side): void {
  world.out.push({ type: "cancel", key: `hook ${side.child}` });
  world.sets.delete(side.child);
  touch(world, service);
  if (service.around?.side === side) service.around.side = null;
  else {
    assert(service.reload?.side === side, "a side belongs to its service");
    service.reload.side = null;
  }
  publishHook(world, service, `${roleText(side.role)} ${sideEnd(side)}`);
  if (side.role === "reload") overReload(world, service, side);
  fire(world, service, "hooked", side);
}

function sideEnd({ cut, failure }: Side): string {
  if (failure !== null) return `failed: ${failure}`;
  return cut ? "was cut short" : "is done";
}
