/** `why` in one sentence: the state, what it comes from, and how long it will last as things are. */
import { causeOf, chainOf } from "./causes.ts";
import { isDelayed } from "./delay.ts";
import { budgetTime } from "./gate.ts";
import { isBroken, waitsFor } from "./order.ts";
import { durationText, leftText, namesText } from "./text.ts";
import type { Clock } from "./view.ts";
import { mustLeave, PUBLIC, type Service, type World } from "./world.ts";

const STATES: ReadonlySet<string> = new Set(Object.values(PUBLIC));

/** How far it follows those that wait for one another; the chain has the rest. */
const DEPTH = 4;

/** What the service does, as the rest of a sentence that its name begins. */
export function answerOf(world: World, service: Service, clock: Clock, depth = 0): string {
  const cause = causeOf(service);
  if (leavesLater(service)) {
    return `has to stop, but ${waitText(world, service, clock, depth)} (${cause})`;
  }
  switch (PUBLIC[service.state]) {
    case "inactive":
      return `is down: ${cause}${dueText(service, clock)}`;
    case "waiting":
      return waitText(world, service, clock, depth);
    case "starting":
      return `is starting: ${cause}${lasting(service.deadline - clock.now, "given up")}`;
    case "running":
      return `is running: ${runningText(service)}`;
    case "stopping":
      return `is stopping: ${cause}${lasting(killTime(world, service, clock), "KILL")}`;
    case "backoff":
      return withTime(cause, /starts again in \S+$/, "starts again", service.deadline - clock.now);
    case "exited":
      return `has ended: ${cause}${dueText(service, clock)}`;
    case "failed":
      return `failed: ${cause}${dueText(service, clock)}`;
  }
}

/** Of a task with a schedule. */
function dueText({ occasions }: Service, clock: Clock): string {
  if (occasions === null || occasions.next === 0) return "";
  return `; due in ${leftText(occasions.next - clock.wall)}`;
}

/** It is on its way out, but something has to leave before it. */
function leavesLater(service: Service): boolean {
  return mustLeave(service) && PUBLIC[service.state] !== "stopping" && service.holds > 0;
}

function waitText(world: World, service: Service, clock: Clock, depth: number): string {
  const others = waitsFor(service);
  const decisive = others.find(isBroken) ?? others.find(({ state }) => state === "backoff") ?? others[0];
  if (decisive === undefined) {
    const at = budgetTime(world, service);
    const cause = causeOf(service);
    if (isDelayed(service)) {
      return `waits: ${withTime(cause, /starts in \S+$/, "starts", service.deadline - clock.now)}`;
    }
    const text = at === null ? cause : withTime(cause, /next in \S+$/, "next", at - clock.now);
    return /^waits\b/.test(text) ? text : `waits: ${text}`;
  }
  const names = namesText(others.map(({ spec }) => spec.name));
  const which = others.length === 1 ? "which" : `of which ${decisive.spec.name}`;
  const rest = depth < DEPTH ? `, ${which} ${answerOf(world, decisive, clock, depth + 1)}` : "";
  return `waits for ${names}${isInTheWay(service, decisive) ? " to stop" : ""}${rest}`;
}

/** It is to leave, not to come. */
function isInTheWay(service: Service, other: Service): boolean {
  return mustLeave(service) || service.edges.conflicts.includes(other);
}

/** What led to this run, and what became of it. */
function runningText(service: Service): string {
  const cause = causeOf(service);
  const begun = chainOf(service).findLast(
    ({ what, because }) => what === "starting" && !/^runs as/.test(because),
  );
  return begun === undefined || begun.because === cause ? cause : `${cause} (${begun.because})`;
}

/** How long until what is left gets KILL, ms. */
function killTime(world: World, service: Service, clock: Clock): number {
  const begun = stopBegan(service);
  // After a parting nobody knows when the signal was sent, or will be.
  const parts = service.around !== null && service.around.began > 0;
  if (begun === null || service.child === 0 || parts) return 0;
  const left = begun + service.spec.stop.timeoutMs - clock.wall;
  const { phase, deadline } = world.shutdown;
  return phase === "running" ? left : Math.min(left, deadline - clock.now);
}

/** Wall time of the first entry since it has been stopping; notes may stand between them. */
function stopBegan(service: Service): number | null {
  let began: number | null = null;
  for (const { what, wall } of chainOf(service).reverse()) {
    if (what === "stopping") began = wall;
    else if (STATES.has(what)) break;
  }
  return began;
}

function lasting(ms: number, what: string): string {
  return ms > 0 ? `; ${what} in ${durationText(ms)}` : "";
}

/** The time that was told once, as it is now. */
function withTime(text: string, pattern: RegExp, what: string, ms: number): string {
  return text.replace(pattern, `${what} in ${durationText(Math.max(0, ms))}`);
}
