/**
 * The watchdog: a service that has to tell, again and again, that it is alive. It is watched from
 * when it is ready on. What is late on a starved machine is put off once (`starvation.ts`).
 *
 * Timer `watchdog SET`, probe `pressure SET`. The timer is not moved by each sign of life; when it
 * is due, it is armed again for what is left.
 */
import type { Event } from "../generated/protocol.ts";
import { noteState } from "./causes.ts";
import { fire } from "./lifecycle.ts";
import { starvedText, stretchFactor } from "./starvation.ts";
import { durationText } from "./text.ts";
import { type Service, type Told, touch, type World } from "./world.ts";

/** How long the nucleus may take to tell of the machine. */
const PRESSURE_TIMEOUT_MS = 1_000;

/** It is ready. */
export function startWatchdog(world: World, service: Service): void {
  const { told } = service;
  if (told === null || told.watchdogMs === 0) return;
  told.aliveAt = world.now;
  touch(world, service);
  arm(world, service, told);
}

/** In a fresh brain. The table knows of signs of life that no record tells of. */
export function resumeWatchdog(world: World, service: Service, aliveAt: number): void {
  const { told } = service;
  if (told === null || told.watchdogMs === 0) return;
  if (told.aliveAt === 0) told.aliveAt = world.now;
  takeKeepAlive(world, service, aliveAt);
  arm(world, service, told);
}

/** The run is ended, or over. */
export function stopWatchdog(world: World, service: Service): void {
  const { told } = service;
  if (told === null || told.aliveAt === 0) return;
  if (told.asking) world.out.push({ type: "cancelProbe", key: `pressure ${service.child}` });
  else world.out.push({ type: "cancel", key: `watchdog ${service.child}` });
  told.aliveAt = 0;
  told.stretched = 1;
  told.asking = false;
}

function dueAt({ aliveAt, watchdogMs, stretched, extendUntil }: Told): number {
  return Math.max(aliveAt + watchdogMs * stretched, extendUntil);
}

function arm(world: World, service: Service, told: Told): void {
  world.out.push({ type: "arm", key: `watchdog ${service.child}`, at: dueAt(told) });
}

// ---- signs of life

/** `WATCHDOG=1`. No record is written: the table of the nucleus knows when it came. */
export function takeKeepAlive(world: World, service: Service, at: number): void {
  const { told } = service;
  if (told === null || told.aliveAt === 0 || at < told.aliveAt) return;
  told.aliveAt = at;
  if (told.stretched === 1) return;
  told.stretched = 1;
  touch(world, service);
  if (!told.asking) arm(world, service, told); // The timer stands at the time it was put off to.
}

/** `WATCHDOG_USEC=`: another interval from now on; 0: none. */
export function setWatchdog(world: World, service: Service, ms: number, at: number): void {
  const { told } = service;
  if (told === null) return;
  stopWatchdog(world, service);
  told.watchdogMs = ms;
  touch(world, service);
  if (ms === 0 || service.state !== "running") return;
  told.aliveAt = at;
  arm(world, service, told);
}

/** `WATCHDOG=trigger`: it knows by itself that it is in trouble. */
export function takeTrigger(world: World, service: Service): void {
  const text = "it told that it has failed (WATCHDOG=trigger)";
  fire(world, service, "sick", { text, action: "restart", abort: true, reason: { type: "watchdog" } });
}

// ---- none

/** Its timer. */
export function watchdogDue(world: World, service: Service): void {
  const { told } = service;
  if (told === null || told.aliveAt === 0 || told.asking) return;
  if (world.now < dueAt(told)) arm(world, service, told);
  else if (told.stretched > 1) overdue(world, service, told);
  else askPressure(world, service, told);
}

function askPressure(world: World, service: Service, told: Told): void {
  told.asking = true;
  const probe = { type: "pressure" as const, set: service.child };
  const key = `pressure ${service.child}`;
  world.out.push({ type: "probe", key, probe, timeoutMs: PRESSURE_TIMEOUT_MS });
}

export function takePressure(
  world: World,
  service: Service,
  { pressure }: Extract<Event, { type: "probed" }>,
): void {
  const { told } = service;
  if (told === null || !told.asking) return;
  told.asking = false;
  const factor = stretchFactor(pressure);
  // It may have shown a sign of life meanwhile.
  if (world.now < dueAt(told)) arm(world, service, told);
  else if (factor > 1) putOff(world, service, told, factor, pressure);
  else overdue(world, service, told);
}

function putOff(world: World, service: Service, told: Told, factor: number, pressure: number | null): void {
  told.stretched = factor;
  const given = durationText(told.watchdogMs * factor);
  noteState(world, service, `${lateText(told)}, ${starvedText(pressure)}: given ${given}`);
  touch(world, service);
  arm(world, service, told);
}

function overdue(world: World, service: Service, told: Told): void {
  const given = told.stretched > 1 ? `, nor within ${durationText(told.watchdogMs * told.stretched)}` : "";
  const text = `watchdog: ${lateText(told)}${given}`;
  fire(world, service, "sick", { text, action: "restart", abort: true, reason: { type: "watchdog" } });
}

function lateText({ watchdogMs }: Told): string {
  return `no WATCHDOG=1 within ${durationText(watchdogMs)}`;
}
