/** The logs that the nucleus keeps: one of each service, and one of each hook or command beside it. */
import type { LogOptions } from "../generated/protocol.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { plannedSpec, ROLES, type Role, type Service, type World } from "./world.ts";

/** Of what runs beside a service. */
const SIDE_LINES = 100;

export function hasLog({ kind, stdio }: ServiceSpec): boolean {
  return kind !== "target" && stdio === "log";
}

/** Making a log that is there already changes its options. */
export function openLog(world: World, service: Service): void {
  const spec = plannedSpec(world, service);
  if (!hasLog(spec)) return;
  world.out.push({ type: "openLog", log: spec.name, options: logOptions(spec) });
}

export function logOptions({ log }: ServiceSpec): LogOptions {
  const { file: path, maxSize: maxBytes, keep, format, console, lines, split, stamp } = log;
  const pieces = split ? { split: { stamp } } : {};
  return { lines, console, file: path === null ? null : { path, maxBytes, keep, format, ...pieces } };
}

/** In memory alone, whatever the service's own log is. */
export function openSideLog(world: World, { spec }: Service, role: Role): void {
  const options = { lines: SIDE_LINES, console: spec.log.console, file: null };
  world.out.push({ type: "openLog", log: sideLog(spec, role), options });
}

export function sideLog({ name }: ServiceSpec, role: Role): string {
  return `${name}/${role}`;
}

/** Also those of hooks that it had long ago; what is not open is not closed. */
export function closeLogs(world: World, { spec }: Service): void {
  for (const log of [spec.name, ...ROLES.map((role) => sideLog(spec, role))]) {
    world.out.push({ type: "closeLog", log });
  }
}

/** Its log and those of its hooks and commands. */
export function logsOf({ spec }: Service): string[] {
  return [spec.name, ...ROLES.filter((role) => runsBeside(spec, role)).map((role) => sideLog(spec, role))];
}

function runsBeside({ hooks, stopCommand, reload }: ServiceSpec, role: Role): boolean {
  if (role === "stop") return stopCommand !== null;
  if (role === "reload") return reload?.type === "command";
  return hooks?.[role] !== undefined;
}
