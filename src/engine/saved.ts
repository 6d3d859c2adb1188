/**
 * How hooks, reloads, holds and handled failures stand in the slate: arrays without names, read
 * with care. `undefined`: nothing to keep; `null`: not to be understood.
 */
import type { Exit } from "../generated/protocol.ts";
import { PATH_MAX } from "./faults.ts";
import { TRAIL_MAX } from "./rescue.ts";
import {
  type Around,
  type Call,
  type End,
  type Failure,
  type Pin,
  type Reason,
  type Reload,
  ROLES,
  type Role,
  type Side,
} from "./world.ts";

const KINDS: readonly string[] = ["judged", "hopeless", "survived"] satisfies End["kind"][];
const TEXT_MAX = 16_384;
/** As many services as may fail one after the other. */
const FELLOWS_MAX = 10_000;

export function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

export function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

export function isExit(value: unknown): value is Exit {
  if (typeof value !== "object" || value === null) return false;
  if ("code" in value) return Number.isInteger(value.code);
  if ("unknown" in value) return value.unknown === null;
  return "signal" in value && typeof value.signal === "string";
}

/** What `limit` gives as its last one is no `limit` itself. */
export function isReason(value: unknown, inner = false): value is Reason {
  if (typeof value !== "object" || value === null || !("type" in value)) return false;
  const reason: Readonly<Record<string, unknown>> = { ...value };
  switch (reason.type) {
    case "start-timeout":
    case "watchdog":
    case "lost":
    case "survived":
      return true;
    case "exit":
      return Number.isInteger(reason.code);
    case "signal":
      return isText(reason.signal);
    case "unhealthy":
      return isId(reason.failures);
    case "spawn":
    case "hook":
      return isText(reason.message);
    case "missing":
    case "fail-with":
      return isText(reason.name);
    case "cycle":
      return Array.isArray(reason.path) && reason.path.length <= PATH_MAX && reason.path.every(isText);
    case "limit":
      return !inner && isId(reason.restarts) && (reason.last === null || isReason(reason.last, true));
    default:
      return false;
  }
}

/** Names of services, one after the other. */
export function isTrail(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= FELLOWS_MAX && value.every(isText);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= TEXT_MAX;
}

function isFlag(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

function isKind(value: unknown): value is End["kind"] {
  return typeof value === "string" && KINDS.includes(value);
}

function saveSide(side: Side | null): unknown {
  if (side === null) return null;
  const { role, child, deadline, pid, ended, stopping, cut, failure } = side;
  return [role, child, deadline, pid, ended, stopping, cut, failure];
}

/** `undefined`: not to be understood. */
function loadSide(value: unknown): Side | null | undefined {
  if (value === null) return null;
  if (!Array.isArray(value)) return undefined;
  const [role, child, deadline, pid, ended, stopping, cut, failure]: unknown[] = value;
  if (!isRole(role) || !isId(child) || child === 0 || !isTime(deadline) || !isId(pid)) return undefined;
  if (!isFlag(ended) || !isFlag(stopping) || !isFlag(cut)) return undefined;
  if (failure !== null && !isText(failure)) return undefined;
  return { role, child, deadline, pid, ended, stopping, cut, failure };
}

export function saveAround(around: Around | null): unknown {
  if (around === null) return undefined;
  const { side, ran, done, because, end, linger, began, left } = around;
  return [saveSide(side), ran, done, because, saveEnd(end), linger, began, left && [left.pid, left.at]];
}

export function loadAround(value: unknown): Around | null {
  if (!Array.isArray(value)) return null;
  const [given, ran, done, because, over, linger, began, gone]: unknown[] = value;
  const side = loadSide(given);
  const end = loadEnd(over);
  const left = loadLeft(gone);
  if (side === undefined || end === undefined || left === undefined || side?.role === "reload") return null;
  if (!isFlag(ran) || !isId(done) || !isText(because) || !isTime(linger) || !isTime(began)) return null;
  return { side, ran, done, because, end, linger, began, left };
}

function saveEnd(end: End | null): unknown {
  return end && [end.text, end.success, end.code, end.outward, end.kind, end.reason, end.trail ?? []];
}

function loadEnd(value: unknown): End | null | undefined {
  if (value === null) return null;
  if (!Array.isArray(value)) return undefined;
  const [text, success, code, outward, kind, reason, trail]: unknown[] = value;
  if (!isText(text) || !isFlag(success) || !isTime(outward) || !isKind(kind)) return undefined;
  if ((code !== null && !isTime(code)) || !isReason(reason) || !isTrail(trail)) return undefined;
  return { text, success, code, outward, kind, reason, trail };
}

function loadLeft(value: unknown): Around["left"] | undefined {
  if (value === null) return null;
  if (!Array.isArray(value)) return undefined;
  const [pid, at]: unknown[] = value;
  return isId(pid) && isTime(at) ? { pid, at } : undefined;
}

/** Only what is at work: nobody who asked a former brain is still there to be answered. */
export function saveReload(reload: Reload | null): unknown {
  if (reload === null || reload.begun === reload.over) return undefined;
  const { again, side, deadline, told } = reload;
  return [again, saveSide(side), deadline, told];
}

export function loadReload(value: unknown): Reload | null {
  if (!Array.isArray(value)) return null;
  const [again, given, deadline, told]: unknown[] = value;
  const side = loadSide(given);
  if (side === undefined || !isFlag(again) || !isTime(deadline) || !isFlag(told)) return null;
  if (side === null ? deadline <= 0 : side.role !== "reload") return null;
  return { begun: 1, over: 0, failure: null, again, side, deadline, told };
}

export function savePin(pin: Pin | null): unknown {
  return pin === null ? undefined : [pin.state, pin.masked];
}

export function loadPin(value: unknown): Pin | null {
  if (!Array.isArray(value)) return null;
  const [state, masked]: unknown[] = value;
  if (state !== null && state !== "up" && state !== "down") return null;
  return isFlag(masked) ? { state, masked } : null;
}

export function saveCall(call: Call | null): unknown {
  return call === null ? undefined : [saveFailure(call.now), saveFailure(call.next)];
}

export function loadCall(value: unknown): Call | null {
  if (!Array.isArray(value)) return null;
  const now = loadFailure(value[0]);
  const next = loadFailure(value[1]);
  return now === undefined || next === undefined ? null : { now, next };
}

function saveFailure(failure: Failure | null): unknown {
  return failure && [failure.service, failure.cause, failure.exit, failure.trail];
}

function loadFailure(value: unknown): Failure | null | undefined {
  if (value === null) return null;
  if (!Array.isArray(value)) return undefined;
  const [service, cause, exit, trail]: unknown[] = value;
  if (!isText(service) || !isText(cause) || (exit !== null && !isExit(exit))) return undefined;
  if (!Array.isArray(trail) || trail.length > TRAIL_MAX || !trail.every(isText)) return undefined;
  return { service, cause, exit, trail };
}
