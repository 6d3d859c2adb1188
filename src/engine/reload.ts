/**
 * A service's own reload: a signal to its main process, or a command beside it. One at a time;
 * asked for meanwhile, it runs once more afterwards, for whoever asked may have changed something.
 *
 * A signal is all there is to it, but for a service that tells by RELOADING=1 that it has begun:
 * it is done when READY=1 comes.
 */
import type { Notice } from "../generated/protocol.ts";
import { assert } from "./assert.ts";
import { causeOf, note, publishReloadNews, tell } from "./causes.ts";
import { notifyOf } from "./notify.ts";
import { openSide } from "./sides.ts";
import { durationText } from "./text.ts";
import { mustLeave, type Reload, type Service, type Side, touch, type World } from "./world.ts";

/** How long a service that could tell something may take to tell it. */
const HOPE_MS = 500;
const READY_AGAIN_MS = 30_000;

export function mayReload({ state }: Service): boolean {
  return state === "running" || state === "working";
}

function isAtWork({ begun, over }: Reload): boolean {
  return begun > over;
}

export function askReload(world: World, service: Service, because: string): void {
  if (service.spec.reload === null || service.pid === 0 || !mayReload(service)) return;
  service.reload ??= newReload();
  note(world, service, because);
  touch(world, service);
  if (isAtWork(service.reload)) service.reload.again = true;
  else begin(world, service, service.reload, because);
}

function newReload(): Reload {
  return { begun: 0, over: 0, failure: null, again: false, side: null, deadline: 0, told: false };
}

function begin(world: World, service: Service, reload: Reload, because: string): void {
  const how = service.spec.reload;
  assert(how !== null, "only what can be reloaded is");
  reload.begun++;
  publishReloadNews(world, service, because);
  if (how.type === "command") {
    reload.side = openSide(world, service, "reload", how, because);
    return;
  }
  world.out.push({ type: "signal", id: service.child, signal: how.signal, scope: "main" });
  if (canTell(service)) waitForNotice(world, service, reload, HOPE_MS);
  else over(world, service, reload, null);
}

/** Has it a way to say RELOADING=1? */
function canTell({ spec }: Service): boolean {
  return notifyOf(spec)?.type === "socket";
}

/** Of what it does about its reload, for so long. */
function waitForNotice(world: World, service: Service, reload: Reload, ms: number): void {
  reload.deadline = world.now + ms;
  armReload(world, service);
}

export function armReload(world: World, service: Service): void {
  const deadline = service.reload?.deadline ?? 0;
  if (deadline > 0) world.out.push({ type: "arm", key: `reload ${service.child}`, at: deadline });
}

/** The service told something of itself. */
export function noticeReload(
  world: World,
  service: Service,
  notice: Pick<Notice, "ready" | "reloading">,
): void {
  const { reload } = service;
  if (reload === null || !isAtWork(reload) || reload.deadline === 0) return;
  touch(world, service);
  if (notice.reloading) {
    reload.told = true;
    waitForNotice(world, service, reload, service.spec.startTimeoutMs || READY_AGAIN_MS);
  } else if (notice.ready) over(world, service, reload, null);
}

/** Its timer. */
export function reloadDue(world: World, service: Service): void {
  const { reload } = service;
  if (reload === null || reload.deadline === 0) return;
  if (world.now < reload.deadline) {
    armReload(world, service);
    return;
  }
  const limit = durationText(service.spec.startTimeoutMs || READY_AGAIN_MS);
  over(world, service, reload, reload.told ? `not ready again within ${limit}` : null);
}

/** Its command is over. */
export function overReload(world: World, service: Service, side: Side): void {
  const { reload } = service;
  assert(reload !== null, "a command without its reload");
  over(world, service, reload, side.failure ?? (side.cut ? "the service ended meanwhile" : null));
}

/** The run ends or is to end: what was hoped for will not come. */
export function endReload(world: World, service: Service): void {
  const { reload } = service;
  if (reload === null) return;
  reload.again = false;
  if (isAtWork(reload) && reload.side === null) over(world, service, reload, "the service ended meanwhile");
}

function over(world: World, service: Service, reload: Reload, failure: string | null): void {
  if (reload.deadline > 0) world.out.push({ type: "cancel", key: `reload ${service.child}` });
  const { again } = reload;
  Object.assign(reload, { over: reload.begun, failure, again: false, deadline: 0, told: false });
  touch(world, service);
  publishReloadNews(world, service, failure === null ? "reloaded" : `reload failed: ${failure}`);
  if (failure !== null) tell(world, service, `reload failed: ${failure}`);
  if (again && mayReload(service) && !mustLeave(service)) begin(world, service, reload, causeOf(service));
}

/** The number of the reload that answers what was asked now. */
export function reloadNumber({ reload }: Service): number {
  return reload === null ? 0 : reload.begun + (reload.again ? 1 : 0);
}

export function reloadOutcome({ reload }: Service, number: number): "pending" | "done" | { failed: string } {
  if (reload === null) return { failed: "the service ended meanwhile" };
  if (reload.over < number) {
    return reload.begun >= number || reload.again ? "pending" : { failed: "the service ended meanwhile" };
  }
  return reload.over === number && reload.failure !== null ? { failed: reload.failure } : "done";
}
