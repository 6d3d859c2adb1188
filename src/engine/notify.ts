/**
 * What a service tells of itself: sd_notify(3), or a line on a descriptor. The nucleus hands on
 * what came from a process of its set; here is what follows from it. `READY=1` meets a condition
 * of readiness, the watchdog has a file of its own (`watchdog.ts`), the rest is shown to people.
 */
import type { Event, Notice, Notify } from "../generated/protocol.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { noteState, publishReload } from "./causes.ts";
import { stopHealth } from "./health.ts";
import { extendLinger } from "./hooks.ts";
import { meet } from "./readiness.ts";
import { noticeReload } from "./reload.ts";
import { armRun, shutdownLeftMs } from "./runs.ts";
import { durationText } from "./text.ts";
import { setWatchdog, takeKeepAlive, takeTrigger } from "./watchdog.ts";
import { type Service, type Told, touch, type World } from "./world.ts";

type Notified = Extract<Event, { type: "notified" }>;

/** How a process of the service can tell something; `null`: not at all. */
export function notifyOf({ ready, watchdogMs }: ServiceSpec): Notify | null {
  const condition = ready.find((one) => one.type === "notify");
  if (condition?.way === "descriptor") return { type: "descriptor", fd: condition.fd };
  if (condition === undefined && watchdogMs === 0) return null;
  return { type: "socket", path: condition?.path ?? null, watchdogMs: watchdogMs || null };
}

/** A run begins: nothing of it is known, whatever its predecessor said. */
export function openNotify(service: Service): void {
  service.told = newTold(service.spec, service.told?.storedFds ?? 0);
}

/** Of a service that has a socket. */
export function newTold(spec: ServiceSpec, storedFds = 0): Told | null {
  if (notifyOf(spec)?.type !== "socket") return null;
  return {
    status: null,
    errno: null,
    reloading: false,
    stopping: false,
    extendMs: 0,
    extendUntil: 0,
    storedFds,
    watchdogMs: spec.watchdogMs,
    aliveAt: 0,
    stretched: 1,
    asking: false,
  };
}

/** Also what a fresh brain finds in the table, of which its predecessor may have heard before. */
export function takeNotice(world: World, service: Service, { id, at, notice }: Notified): void {
  if (service.child !== id) return;
  const { told } = service;
  if (told !== null) learn(world, service, told, notice, at);
  if (notice.ready) meetNotify(world, service);
  noticeReload(world, service, notice);
  if (told === null) return;
  if (notice.watchdog) takeKeepAlive(world, service, at);
  if (notice.watchdogTrigger) takeTrigger(world, service);
}

function learn(world: World, service: Service, told: Told, notice: Notice, at: number): void {
  // It is shown on terminals.
  if (notice.status !== null) told.status = notice.status.replace(/\p{Cc}/gu, " ").trim() || null;
  if (notice.errno !== null) told.errno = notice.errno;
  if (notice.storedFds !== told.storedFds) {
    told.storedFds = notice.storedFds;
    touch(world, service);
  }
  if (notice.mainPid !== null) followMain(world, service, notice.mainPid);
  if (notice.watchdogMs !== null && notice.watchdogMs !== told.watchdogMs) {
    setWatchdog(world, service, notice.watchdogMs, at);
  }
  if (notice.stopping && !told.stopping) beginStopping(world, service, told);
  if (notice.reloading) setReloading(world, service, told, true);
  else if (notice.ready) setReloading(world, service, told, false);
  if (notice.extendMs !== null) extend(world, service, told, notice.extendMs, at);
}

function meetNotify(world: World, service: Service): void {
  const index = service.spec.ready.findIndex(({ type }) => type === "notify");
  if (index !== -1) meet(world, service, index);
}

/** Another process of the set is the main one. */
function followMain(world: World, service: Service, pid: number): void {
  if (service.pid === 0 || service.pid === pid) return;
  service.pid = pid;
  noteState(world, service, `its main process is now ${pid}, as it told`);
  touch(world, service);
}

function beginStopping(world: World, service: Service, told: Told): void {
  told.stopping = true;
  stopHealth(world, service); // It need not answer any more.
  noteState(world, service, "it stops by itself, as it told");
  touch(world, service);
}

function setReloading(world: World, service: Service, told: Told, reloading: boolean): void {
  if (told.reloading === reloading) return;
  told.reloading = reloading;
  publishReload(world, service, reloading);
  touch(world, service);
}

/** It needs more time for what it is doing: at least so long from when it said so. */
function extend(world: World, service: Service, told: Told, ms: number, at: number): void {
  told.extendMs = ms;
  touch(world, service);
  switch (service.state) {
    case "starting":
    case "working":
      extendStart(world, service, at + ms);
      break;
    case "running":
      told.extendUntil = at + ms;
      break;
    case "parting":
      extendLinger(world, service, at + ms);
      break;
    case "stopping":
    case "clearing":
    case "expiring":
      extendStop(world, service, ms);
      break;
    default:
      break;
  }
}

function extendStart(world: World, service: Service, deadline: number): void {
  if (service.deadline === 0 || deadline <= service.deadline) return;
  service.deadline = deadline;
  noteState(world, service, `asks for more time: ${durationText(deadline - world.now)}`);
  armRun(world, service);
}

/** Never beyond what the shutdown may take. */
function extendStop(world: World, service: Service, ms: number): void {
  const timeoutMs = Math.min(ms, shutdownLeftMs(world));
  if (timeoutMs > 0) world.out.push({ type: "extendStop", id: service.child, timeoutMs });
}

/** It is down because somebody asked: what was kept for its next run has no purpose any more. */
export function dropFds(world: World, service: Service): void {
  const { told } = service;
  if (told === null || told.storedFds === 0) return;
  told.storedFds = 0;
  world.out.push({ type: "dropFds", service: service.spec.name });
  touch(world, service);
}

/** As an addition to how it ended. */
export function errnoText(service: Service): string {
  const errno = service.told?.errno ?? null;
  return errno === null ? "" : ` (it told of errno ${errno})`;
}
