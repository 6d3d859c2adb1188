/**
 * The life of a service: one table, state × input → handler.
 *
 * GOALS. A person, a dependency or the configuration wants a service up or down; that is its
 * `wish`, which outlives states. `up` and `down` are the plain goals. A service that has to stop
 * first is in `leave` (then stays down) or `again` (then goes up: a restart asked for, or the loss
 * of something it is bound to). A present run with `leave` or `again` is never judged when it
 * ends, so no restart rule can override a stop.
 *
 * PHASES OF A STEP. One event of the nucleus, or one ask, enters here as an input of the service
 * it concerns. What follows from it spreads in this order, each phase until nothing of it is left:
 *   1. demands: goals change, along requirements and dependents (`goals.ts`, `shutdown.ts`);
 *   2. facts:   what changed about a service changes its neighbours' counts (`order.ts`);
 *   3. turns:   services whose counts allow something now do it, one at a time, then back to 1;
 *   4. the gate: what may start by the order, and stands in line for its start, passes (`gate.ts`).
 * What has a guard is looked for before it comes to the gate, which takes a question (`guard.ts`).
 * Nothing recurses over the graph, and nothing is decided while counts are in motion: handlers
 * that start something (`admit`) run on an event or a turn, never while goals change.
 *
 * ORDER. A service starts when everything it requires is ready and everything it follows is ready
 * or settled; it stops when everything that follows it, and has to stop too, has stopped.
 *
 * A RUN
 *
 *    inactive ─► waiting ─► preparing ─► spawning ─► starting ─► running ──────┐
 *        ▲          ▲         │  │           │  └──► working (a task) ─────────┤ ended by itself
 *        │          │         │  │           │           │ not ready in time   ▼
 *        │       backoff ◄─┐  │  │ hook      │ refused   ▼              clearing (processes were left)
 *        │                 │  │  │ failed    │       expiring               │
 *        │                 │  │  └───────────┴───────────┴───► finishing ◄──┘
 *        │                 │  │                                    │
 *        │                 └──┴──────────────────────────────── judged ─► exited, failed
 *        │
 *        └── finishing ◄── stopping ◄── parting ◄── from any live state
 *
 * An eviction (`sick`) leaves by `parting` as well, then by `expiring`: it is judged.
 *
 * `preparing`, `parting` and `finishing` are passed through only where hooks or a stop command are
 * configured, or where something that ran beside the service is still there (`hooks.ts`).
 *
 * INPUTS. `start`: asked for by name. `need`: something that goes up needs it. `halt`: its wish
 * changed to down, leave or again. `turn`: counts changed in its favour. `hurry`: no more waiting.
 * `spawned`, `refused`, `exited`, `stopped`: the nucleus's events for its process set. `due`: its
 * timer. `met`: its last readiness condition holds. `sick`: its health checks or its watchdog say so.
 * `fellow`: one that it fails with has failed (`fellows.ts`).
 * `hooked`: a process set beside the main one (a hook, the stop command, the reload command) is over
 * and its set is empty (`sides.ts`). `barred`, `freed`: as it is configured now, it cannot be started,
 * or can again (`faults.ts`).
 *
 * Events carry the id of a process set or the name of a timer; those that find nothing are dropped
 * before they come here. What is left and has no meaning in a state is `ignore` (it can come late)
 * or `never` (it cannot come; if it does, this brain is wrong about the world and must go).
 */
import type { Event } from "../generated/protocol.ts";
import { assert } from "./assert.ts";
import { note, tell } from "./causes.ts";
import { armAgain, delayDue, endDelay } from "./delay.ts";
import { bar, free } from "./faults.ts";
import { unbegunEnd } from "./fellows.ts";
import { dropTurn } from "./gate.ts";
import { endLook, lookAgain } from "./guard.ts";
import {
  afterRun,
  endParting,
  finished,
  leavePreparing,
  leftWhileParting,
  lingerDue,
  noteGoal,
  noteSide,
  part,
  parted,
  prepared,
  wholeReceipt,
} from "./hooks.ts";
import { errnoText } from "./notify.ts";
import { isReady, mayStop, setWish } from "./order.ts";
import { restCall } from "./rescue.ts";
import {
  conclude,
  exitEnd,
  expiredEnd,
  isOver,
  lateEviction,
  refusalEnd,
  restartCause,
  survivedEnd,
  willRemain,
} from "./restart.ts";
import {
  admit,
  armRun,
  becomeReady,
  beginRun,
  clearLeftovers,
  comeToRest,
  endRun,
  forgetRun,
  giveUp,
  leaveInTurn,
  rest,
  sendStop,
  stopRun,
  takeExit,
  takeReceipt,
  tryStart,
  wake,
} from "./runs.ts";
import { cutSides } from "./sides.ts";
import { exitText, failureText, survivorsText } from "./text.ts";
import {
  type Eviction,
  isTarget,
  mustLeave,
  pushWork,
  type Reason,
  remainsUp,
  type Service,
  type Side,
  type State,
  touch,
  type World,
  wantsUp,
} from "./world.ts";

type EventOf<Type extends Event["type"]> = Extract<Event, { type: Type }>;

export interface Halt {
  readonly because: string;
  /** Asked for by name, not taken along. */
  readonly named: boolean;
}

/** What each input brings along. */
export interface Inputs {
  /** Because of what. */
  start: string;
  need: string;
  halt: Halt;
  turn: null;
  hurry: null;
  spawned: EventOf<"spawned">;
  refused: EventOf<"spawnFailed">;
  exited: EventOf<"exited">;
  stopped: EventOf<"stopped">;
  due: null;
  met: null;
  hooked: Side;
  sick: Eviction;
  fellow: Eviction;
  barred: Reason;
  /** Because of what. */
  freed: string;
}

export type Input = keyof Inputs;
type Handler<I extends Input> = (world: World, service: Service, input: Inputs[I]) => void;
type Row = { readonly [I in Input]: Handler<I> };

/** The table. Rows: states. Columns: inputs. */
export const LIFECYCLE: { readonly [S in State]: Row } = {
  inactive: {
    start: wake,
    need: wake,
    halt: stayDown,
    turn: tryStart,
    hurry: ignore,
    spawned: never,
    refused: never,
    exited: never,
    stopped: never,
    due: ignore,
    met: never,
    hooked: never,
    sick: never,
    fellow: ignore,
    barred: bar,
    freed: never,
  },
  waiting: {
    start: lookAgain,
    need: ignore,
    halt: giveUpNow,
    turn: tryStart,
    hurry: ignore,
    spawned: never,
    refused: never,
    exited: never,
    stopped: never,
    due: delayDue,
    met: never,
    hooked: never,
    sick: never,
    fellow: endUnbegun,
    barred: bar,
    freed: never,
  },
  preparing: {
    start: ignore,
    need: ignore,
    halt: leaveUnbegun,
    turn: leavePrepared,
    hurry: leavePreparing,
    spawned: never,
    refused: never,
    exited: never,
    stopped: never,
    due: ignore,
    met: never,
    hooked: prepared,
    sick: ignore,
    fellow: endUnbegun,
    barred: ignore,
    freed: never,
  },
  spawning: {
    start: ignore,
    need: ignore,
    halt: leaveLater, // A set is stopped once it is known to exist.
    turn: ignore,
    hurry: ignore,
    spawned: beginRun,
    refused: refuse,
    exited: never,
    stopped: never,
    due: ignore,
    met: never,
    hooked: never,
    sick: ignore,
    fellow: evictSoon,
    barred: ignore,
    freed: never,
  },
  starting: {
    start: ignore,
    need: ignore,
    halt: leaveSoon,
    turn: leaveInTurn,
    hurry: stopNow,
    spawned: ignore,
    refused: never,
    exited: end,
    stopped: never,
    due: expire,
    met: becomeReady,
    hooked: never,
    sick: evict,
    fellow: evict,
    barred: ignore,
    freed: never,
  },
  working: {
    start: ignore,
    need: ignore,
    halt: leaveSoon,
    turn: leaveInTurn,
    hurry: stopNow,
    spawned: ignore,
    refused: never,
    exited: end,
    stopped: never,
    due: expire,
    met: never,
    hooked: noteSide,
    sick: ignore,
    fellow: evict,
    barred: ignore,
    freed: never,
  },
  running: {
    start: ignore,
    need: ignore,
    halt: leaveSoon,
    turn: leaveInTurn,
    hurry: stopNow,
    spawned: ignore,
    refused: never,
    exited: end,
    stopped: never,
    due: ignore,
    met: never,
    hooked: noteSide,
    sick: evict,
    fellow: evict,
    barred: ignore,
    freed: never,
  },
  parting: {
    start: startAfterParting,
    need: ignore,
    halt: noteGoalOf,
    turn: ignore,
    hurry: endParting,
    spawned: ignore,
    refused: never,
    exited: keepPartingExit,
    stopped: never,
    due: lingerDue,
    met: never,
    hooked: parted,
    sick: ignore,
    fellow: ignore,
    barred: ignore,
    freed: never,
  },
  stopping: {
    start: ignore, // Its wish says what happens afterwards.
    need: ignore,
    halt: takeNote,
    turn: ignore,
    hurry: stopFaster,
    spawned: ignore,
    refused: never,
    exited: keepExit,
    stopped: leftAsAsked,
    due: ignore,
    met: never,
    hooked: ignore, // What runs on beside it is waited for when it has left.
    sick: ignore,
    fellow: ignore,
    barred: ignore,
    freed: never,
  },
  clearing: {
    start: startAfterwards,
    need: ignore,
    halt: takeNote,
    turn: ignore,
    hurry: stopFaster,
    spawned: ignore,
    refused: never,
    exited: ignore,
    stopped: cleared,
    due: ignore,
    met: never,
    hooked: ignore,
    sick: ignore,
    fellow: ignore,
    barred: ignore,
    freed: never,
  },
  expiring: {
    start: startAfterwards,
    need: ignore,
    halt: takeNote,
    turn: ignore,
    hurry: stopFaster,
    spawned: ignore,
    refused: never,
    exited: keepExit,
    stopped: expired,
    due: ignore,
    met: never,
    hooked: ignore,
    sick: ignore,
    fellow: ignore,
    barred: ignore,
    freed: never,
  },
  finishing: {
    start: startAfterParting,
    need: ignore,
    halt: noteGoalOf,
    turn: ignore,
    hurry: cutSides,
    spawned: never,
    refused: never,
    exited: never,
    stopped: never,
    due: ignore,
    met: never,
    hooked: finished,
    sick: ignore,
    fellow: ignore,
    barred: ignore,
    freed: never,
  },
  backoff: {
    start: wake,
    need: ignore,
    halt: giveUpNow,
    turn: ignore,
    hurry: ignore,
    spawned: never,
    refused: never,
    exited: never,
    stopped: never,
    due: startOver,
    met: never,
    hooked: never,
    sick: never,
    fellow: ignore, // Its restart rules have had their say already.
    barred: bar,
    freed: never,
  },
  exited: {
    start: wake,
    need: wakeService,
    halt: clearState,
    turn: ignore,
    hurry: ignore,
    spawned: never,
    refused: never,
    exited: never,
    stopped: never,
    due: ignore,
    met: never,
    hooked: never,
    sick: never,
    fellow: ignore,
    barred: ignore, // What has been done is done.
    freed: never,
  },
  failed: {
    start: wake,
    need: wake,
    halt: clearState,
    turn: ignore,
    hurry: ignore,
    spawned: never,
    refused: never,
    exited: never,
    stopped: never,
    due: ignore,
    met: never,
    hooked: never,
    sick: never,
    fellow: ignore,
    barred: bar,
    freed: free,
  },
};

/** The one door into the table. */
export function fire<I extends Input>(world: World, service: Service, input: I, value: Inputs[I]): void {
  const row: Row = LIFECYCLE[service.state];
  row[input](world, service, value);
}

function ignore(): void {}

function never(_world: World, service: Service): void {
  assert(false, `${service.spec.name}: an event that cannot come in state ${service.state}`);
}

// ---- goals

function giveUpNow(world: World, service: Service, { because }: Halt): void {
  if (wantsUp(service)) return;
  note(world, service, because);
  giveUp(world, service);
}

/** What it was to start for is over before it began. */
function stayDown(world: World, service: Service, { because }: Halt): void {
  note(world, service, because);
  if (!wantsUp(service)) restCall(service, false);
}

function takeNote(world: World, service: Service, { because }: Halt): void {
  note(world, service, because);
}

function leaveLater(world: World, service: Service, { because }: Halt): void {
  assert(mustLeave(service), "a live service that is halted has to leave");
  note(world, service, because);
}

function leaveSoon(world: World, service: Service, halt: Halt): void {
  leaveLater(world, service, halt);
  pushWork(world, service);
}

function noteGoalOf(world: World, service: Service, { because }: Halt): void {
  noteGoal(world, service, because);
}

/** What its before-start hook was at work for is over: that is the cause to end with. */
function leaveUnbegun(world: World, service: Service, halt: Halt): void {
  noteGoalOf(world, service, halt);
  leaveSoon(world, service, halt);
}

function leavePrepared(world: World, service: Service): void {
  if (mustLeave(service) && mayStop(world, service)) leavePreparing(world, service);
}

function startAfterParting(world: World, service: Service, because: string): void {
  setWish(world, service, "again");
  noteGoal(world, service, because);
}

/** Its run is as good as over: asked for anew, it is not judged but started again. */
function startAfterwards(world: World, service: Service, because: string): void {
  setWish(world, service, "again");
  note(world, service, because);
}

/** A stop asked for by name takes back "exited" and "failed"; for others they remain as the record of what was. */
function clearState(world: World, service: Service, { because, named }: Halt): void {
  if (named && !wantsUp(service)) comeToRest(world, service, because);
}

/** What is done and counts as up is what its dependents need; a service that has ended is not. */
function wakeService(world: World, service: Service, because: string): void {
  if (!remainsUp(service)) wake(world, service, because);
}

// ---- time

function expire(world: World, service: Service): void {
  if (mustLeave(service)) return;
  if (world.now < service.deadline) armRun(world, service);
  else {
    service.eviction = lateEviction(service);
    stopRun(world, service, "expiring", service.eviction.text);
  }
}

/** An eviction of a run that is there. It is judged as a failed one when its set is empty. */
function evict(world: World, service: Service, eviction: Eviction): void {
  if (mustLeave(service)) return;
  if (isReady(service)) {
    const because = `bound to ${service.spec.name}, which is stopped: ${eviction.text}`;
    world.demands.push({ type: "lost", service, because });
  }
  tell(world, service, eviction.text);
  service.eviction = eviction;
  part(world, service, eviction.text);
}

/** The start is known to be on its way, and has to come to its end first. */
function evictSoon(world: World, service: Service, eviction: Eviction): void {
  if (mustLeave(service)) return;
  service.eviction = eviction;
  touch(world, service);
}

/** It has not begun: it need not, unless it would be started again from any end. */
function endUnbegun(world: World, service: Service, eviction: Eviction): void {
  if (mustLeave(service)) return;
  const end = unbegunEnd(service, eviction);
  if (service.state === "preparing") afterRun(world, service, end);
  else if (isOver(service, end)) {
    endDelay(world, service);
    endLook(world, service);
    dropTurn(world, service);
    conclude(world, service, end);
  }
}

function startOver(world: World, service: Service): void {
  if (world.now < service.deadline) {
    armAgain(world, service);
    return;
  }
  service.deadline = 0;
  admit(world, service, restartCause(service));
}

function stopNow(world: World, service: Service): void {
  if (isTarget(service)) rest(world, service);
  else stopRun(world, service, "stopping", world.shutdown.because);
}

function stopFaster(world: World, service: Service): void {
  cutSides(world, service);
  sendStop(world, service);
}

// ---- ends of a run

/** The child never came to run its program: there is no set, and none to forget. */
function refuse(world: World, service: Service, { failure }: EventOf<"spawnFailed">): void {
  forgetRun(world, service);
  const end = mustLeave(service) ? null : refusalEnd(world, service, failure, failureText(failure));
  afterRun(world, service, end);
}

/** The leader ended and nobody had sent it a stop. */
function end(world: World, service: Service, event: EventOf<"exited">): void {
  const wasReady = isReady(service);
  const cause = `${exitText(event.exit)}${errnoText(service)}`;
  takeExit(service, world, event.exit, event.at);
  if (wasReady && !mustLeave(service) && !willRemain(service)) {
    const because = `bound to ${service.spec.name}, which ended: ${cause}`;
    world.demands.push({ type: "lost", service, because });
  }
  if (event.leftovers > 0) {
    clearLeftovers(world, service, event, cause);
    return;
  }
  endRun(world, service);
  judgeOrRest(world, service);
}

/** The leader ended while hooks or the stop command are at work. */
function keepPartingExit(world: World, service: Service, event: EventOf<"exited">): void {
  const { pid } = service;
  if (pid === 0) return;
  takeExit(service, world, event.exit, event.at);
  leftWhileParting(world, service, event, pid);
}

/** The leader ended while a stop is at work: the set may not be empty yet. */
function keepExit(world: World, service: Service, event: EventOf<"exited">): void {
  if (service.pid !== 0) takeExit(service, world, event.exit, event.at);
}

function leftAsAsked(world: World, service: Service, event: EventOf<"stopped">): void {
  if (closeRun(world, service, event)) afterRun(world, service, null);
}

function cleared(world: World, service: Service, event: EventOf<"stopped">): void {
  if (closeRun(world, service, event)) judgeOrRest(world, service);
}

function expired(world: World, service: Service, event: EventOf<"stopped">): void {
  const { eviction } = service;
  if (!closeRun(world, service, event)) return;
  afterRun(world, service, mustLeave(service) ? null : expiredEnd(service, eviction));
}

/** The stop has ended. False if something of the set is still there: then it must not run again. */
function closeRun(world: World, service: Service, { receipt, at }: EventOf<"stopped">): boolean {
  takeReceipt(world, service, wholeReceipt(service, receipt, at));
  endRun(world, service);
  if (receipt.empty) return true;
  afterRun(world, service, survivedEnd(survivorsText(receipt)));
  return false;
}

function judgeOrRest(world: World, service: Service): void {
  afterRun(world, service, mustLeave(service) ? null : exitEnd(service));
}
