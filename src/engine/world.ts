/**
 * What the engine knows: the world and its services. Data and its small helpers, no rule.
 *
 * A service costs memory even when nothing happens to it, so its object has one shape and few
 * fields: what can be derived is not kept, what most services never have (edges, a past, a watch)
 * is one shared object until it is needed.
 */
import type { Command, Exit, Machine } from "../generated/protocol.ts";
import type { Config, HookName, ServiceSpec } from "../model/spec.ts";
import type { Zone } from "../schedule/zone.ts";
import { assert } from "./assert.ts";
import type { BootLog } from "./boot.ts";
import type { Gate, Turn } from "./gate.ts";
import type { Look } from "./guard.ts";
import { newOccasions, type Occasions } from "./occasions.ts";
import type { Random } from "./random.ts";

/** Internal states; `PUBLIC` says which of the eight public ones each of them is. */
export type State =
  | "inactive" /** Nothing runs, nothing is planned. */
  | "waiting" /** To be started as soon as the order allows. */
  | "preparing" /** Its before-start hook is at work. */
  | "spawning" /** `Spawn` sent, no answer yet. */
  | "starting" /** Its process runs, its readiness conditions do not all hold yet. */
  | "working" /** A task's process runs. */
  | "running" /** A service is ready; a target is reached. */
  | "parting" /** It has to leave: its before-stop hook, its stop command or the wait after it. */
  | "stopping" /** `Stop` sent because it has to leave; nothing is judged afterwards. */
  | "clearing" /** It ended by itself and left processes; `Stop` sent, its exit is judged afterwards. */
  | "expiring" /** Not ready in time, or sick; `Stop` sent, counts as a failed run afterwards. */
  | "finishing" /** Its run is over: its after-exit hook, or what is left of other hooks. */
  | "backoff" /** Starts again when its timer is due. */
  | "exited" /** Ended for good, with success. */
  | "failed"; /** Ended for good, without. */

export type PublicState =
  | "inactive"
  | "waiting"
  | "starting"
  | "running"
  | "stopping"
  | "backoff"
  | "exited"
  | "failed";

export const PUBLIC: Readonly<Record<State, PublicState>> = {
  inactive: "inactive",
  waiting: "waiting",
  preparing: "starting",
  spawning: "starting",
  starting: "starting",
  working: "running",
  running: "running",
  parting: "stopping",
  stopping: "stopping",
  clearing: "stopping",
  expiring: "stopping",
  finishing: "stopping",
  backoff: "backoff",
  exited: "exited",
  failed: "failed",
};

/**
 * The goal, and whether the present run has to end first.
 * `up`, `down`: the goal. `leave`: has to stop, then stays down. `again`: has to stop, then goes up.
 */
export type Wish = "down" | "up" | "leave" | "again";

/**
 * Neighbours, each list without doubles. What is in one of those that order starts and stops is not in
 * those after it, but for `begun`, which `order` does not imply, and for `awaited`, which stands beside them all.
 */
export interface Edges {
  /** Must be ready before this one starts. */
  requires: Service[];
  /** Must be ready or settled before this one starts: wants, after, reverse before. */
  order: Service[];
  /** Must have begun before this one starts. */
  begun: Service[];
  /** Must be up before this one starts; they stop without each other. */
  awaited: Service[];
  /** No obstacle to its start; it only stops before them. */
  loose: Service[];
  /** Reverse of `requires`. */
  dependents: Service[];
  /** Reverse of `order`. */
  successors: Service[];
  /** Reverse of `begun`. */
  begunFor: Service[];
  /** Reverse of `awaited`. */
  awaitedBy: Service[];
  /** Reverse of `loose`. */
  looseFor: Service[];
  /** Both directions. */
  conflicts: Service[];
  /** Whose failures end its run. */
  failWith: Service[];
  /** Reverse of `failWith`. */
  failFor: Service[];
}

/** Why a service is in `failed` or `backoff`, for programs; the cause has it for people. */
export type Reason =
  | { readonly type: "exit"; readonly code: number }
  | { readonly type: "signal"; readonly signal: string }
  | { readonly type: "start-timeout" }
  /** So many checks in a row have failed. */
  | { readonly type: "unhealthy"; readonly failures: number }
  | { readonly type: "watchdog" }
  /** It could not be started. */
  | { readonly type: "spawn"; readonly message: string }
  /** One that it fails with has failed. */
  | { readonly type: "fail-with"; readonly name: string }
  /** One of its hooks has failed. */
  | { readonly type: "hook"; readonly message: string }
  /** Its process was lost from sight. */
  | { readonly type: "lost" }
  /** It could not be ended. */
  | { readonly type: "survived" }
  /** It requires a service that is not configured. */
  | { readonly type: "missing"; readonly name: string }
  /** It waits for itself: the names along the way, the first one not once more at the end. */
  | { readonly type: "cycle"; readonly path: readonly string[] }
  /** It has been restarted as often as is allowed; `last`: why it would have been once more. */
  | { readonly type: "limit"; readonly restarts: number; readonly last: Reason | null };

/** What its former runs left behind. */
export interface Past {
  /** Restarts in a row, without a run that lasted. -1: the next one does not count, nor wait. */
  streak: number;
  /** Restarts the supervisor made by itself, ever. */
  restarts: number;
  /** When the restarts within the window were decided, monotonic ms. Kept only under a limit. */
  times: readonly number[];
  exit: Exit | null;
  exitWall: number;
  /** Why it came into `failed` or `backoff`, and had no run since. */
  reason: Reason | null;
}

/** Readiness conditions at work. Bit n stands for condition n of the spec. */
export interface Watch {
  unmet: number;
  /** Probes without an answer yet. */
  flying: number;
  /** Failed tries of each condition. */
  tries: number[];
  /** On a starved machine a try gets so many times as long; 1: as long as ever. */
  stretch: number;
  /** Why the last try failed. */
  reason: string;
}

/** What a run has told of itself over its socket (`notify.ts`). */
export interface Told {
  status: string | null;
  errno: number | null;
  reloading: boolean;
  stopping: boolean;
  /** How long it asked for last (`EXTEND_TIMEOUT_USEC`), and until when that makes it for the watchdog. */
  extendMs: number;
  extendUntil: number;
  /** Descriptors the nucleus keeps for the service, whatever run they came from. */
  storedFds: number;
  /** The watchdog's interval; 0: none. */
  watchdogMs: number;
  /** Its last sign of life, monotonic ms. 0: it is not watched now. */
  aliveAt: number;
  /** It was late on a starved machine and given so many times as long; 1: it was not. */
  stretched: number;
  /** It is late, and the machine is being asked whether that is its own fault. */
  asking: boolean;
}

/** Health checks (`health.ts`): of the present run, and the last results of any. */
export interface HealthState {
  healthy: boolean | null;
  /** In a row, one of them 0. */
  failures: number;
  successes: number;
  /** When the first check of this run was due; later ones keep its phase. 0: no checks now. */
  first: number;
  round: Round | null;
  /** How much longer the last check was given; 1: not at all. */
  stretched: number;
  /** Oldest first. */
  last: HealthCheck[];
}

/** A check at work. Bit n stands for probe n of the spec. */
export interface Round {
  readonly began: number;
  /** Probes without an answer yet. */
  flying: number;
  /** Probes that are asked once more because the machine is starved. */
  again: number;
  ok: boolean;
  /** What the probes found that held. */
  found: string[];
  /** Why others did not, and what was made of it. */
  reasons: string[];
}

export interface HealthCheck {
  readonly wall: number;
  readonly ok: boolean;
  readonly tookMs: number;
  readonly reason: string;
}

/** Why a run is ended that did not end by itself, and what becomes of the service. */
export interface Eviction {
  readonly text: string;
  /** `restart`: it counts as a failed run. `stop`: it has failed for good. `exit`: as its exit says. */
  readonly action: "restart" | "stop" | "exit";
  /** ABRT is its first signal, so that it leaves a core. */
  readonly abort: boolean;
  readonly reason: Reason;
  /** Whose failures led to it, the first one first: they are not ended because of its end. */
  readonly trail?: readonly string[];
}

/** What runs beside a service: its hooks, the stop command, the reload command. */
export const ROLES = [
  "before-start",
  "after-start",
  "before-stop",
  "after-exit",
  "stop",
  "reload",
] as const satisfies readonly (HookName | "stop" | "reload")[];
export type Role = (typeof ROLES)[number];

/** A process set beside the main one: a hook's, the stop command's or the reload command's. */
export interface Side {
  readonly role: Role;
  readonly child: number;
  /** When its time is over, monotonic ms. */
  readonly deadline: number;
  /** Its leader, 0: not told yet, or ended. */
  pid: number;
  ended: boolean;
  /** It has to go: a `Stop` is at work, or is sent as soon as the set is known to exist. */
  stopping: boolean;
  /** It has to go because nobody needs it any more. */
  cut: boolean;
  /** Why it has failed. */
  failure: string | null;
}

/** How a run ended, to be judged. */
export interface End {
  /** As a cause: `exited with code 1`. */
  readonly text: string;
  readonly success: boolean;
  /** Its exit code, `null` where it has none. */
  readonly code: number | null;
  /** What the supervisor leaves with, if this was `main` and is not started again. */
  readonly outward: number;
  /** `hopeless`: no restart would help. `survived`: something of it is still there. */
  readonly kind: "judged" | "hopeless" | "survived";
  readonly reason: Reason;
  /** As in `Eviction`. */
  readonly trail?: readonly string[];
}

export interface Around {
  /** The hook, or the stop command, that is at work. */
  side: Side | null;
  /** The main process of this run was there, so the exit that is known is this run's. */
  ran: boolean;
  /** Which of them this run has had, bits of `hooks.ts`. */
  done: number;
  /** Why it parts or has ended: the cause to go on with. */
  because: string;
  end: End | null;
  /** While parting: until when the set may leave by itself, monotonic ms. */
  linger: number;
  /** When the parting began, 0: it did not. */
  began: number;
  /** The leader that left while it parted, and when. */
  left: { readonly pid: number; readonly at: number } | null;
}

export interface Reload {
  /** The number of the last one that was begun, and of the last one that is over. */
  begun: number;
  over: number;
  /** Why the last one that is over has failed. */
  failure: string | null;
  /** Once more afterwards. */
  again: boolean;
  side: Side | null;
  /** Until when RELOADING=1 is hoped for, or READY=1 may come after it. 0: not waited for. */
  deadline: number;
  /** RELOADING=1 came. */
  told: boolean;
}

export interface Pin {
  state: "up" | "down" | null;
  masked: boolean;
}

/** What a task that handles failures finds in its environment. */
export interface Failure {
  readonly service: string;
  readonly cause: string;
  readonly exit: Exit | null;
  /** Whose failures have led here, the first one first. */
  readonly trail: readonly string[];
}

export interface Call {
  /** Of the present run, or the next one if none is at work. */
  now: Failure | null;
  /** Once more afterwards, for this one. */
  next: Failure | null;
}

const NONE: Service[] = [];
Object.freeze(NONE);
export const NO_EDGES: Edges = Object.freeze({
  requires: NONE,
  order: NONE,
  begun: NONE,
  awaited: NONE,
  loose: NONE,
  dependents: NONE,
  successors: NONE,
  begunFor: NONE,
  awaitedBy: NONE,
  looseFor: NONE,
  conflicts: NONE,
  failWith: NONE,
  failFor: NONE,
});
export const NO_PAST: Past = Object.freeze({
  streak: 0,
  restarts: 0,
  times: Object.freeze([]),
  exit: null,
  exitWall: 0,
  reason: null,
});

/** What only few services have, or only for a while. */
export interface Rare {
  /** Of a run that is not ready yet and has conditions. */
  watch: Watch | null;
  /** When the present run became ready. Kept only where `restartResetFrom` asks for it. */
  readied: number;
  /** Of hooks and the stop command; `null` while nothing of them concerns the present run. */
  around: Around | null;
  reload: Reload | null;
  /** `null`: neither pinned nor masked. */
  pin: Pin | null;
  /** Of a task: the failures that it is to handle. */
  call: Call | null;
  /** Of a task with a schedule. */
  occasions: Occasions | null;
  /** Only under `start-concurrency` or `restart-budget`. */
  turn: Turn | null;
  /** Only under `guard`, while it is to start and does not run. */
  look: Look | null;
  /** Until the next run begins: the last words of one that has ended are worth knowing. */
  told: Told | null;
  health: HealthState | null;
  /** Set while its run is ended because of it (`expiring`). */
  eviction: Eviction | null;
}

const NOTHING_RARE: Readonly<Rare> = Object.freeze({
  watch: null,
  readied: 0,
  around: null,
  reload: null,
  pin: null,
  call: null,
  occasions: null,
  turn: null,
  look: null,
  told: null,
  health: null,
  eviction: null,
});

/**
 * A field costs each of thousands of services 16 bytes; those of `Rare` cost them one field, until
 * the first of them is set.
 */
export class Service implements Rare {
  private rare: Rare = NOTHING_RARE;
  declare watch: Rare["watch"];
  declare readied: Rare["readied"];
  declare around: Rare["around"];
  declare reload: Rare["reload"];
  declare pin: Rare["pin"];
  declare call: Rare["call"];
  declare occasions: Rare["occasions"];
  declare turn: Rare["turn"];
  declare look: Rare["look"];
  declare told: Rare["told"];
  declare health: Rare["health"];
  declare eviction: Rare["eviction"];
  /** What the present run has begun with; what it begins with next is `plannedSpec`. */
  spec: ServiceSpec;
  /** Its place in `World.services`. */
  index: number;
  state: State = "inactive";
  wish: Wish = "down";
  /** What its neighbours have been told about it: bits of `order.ts`. */
  facts = 0;
  /** Its process set, 0: none. */
  child = 0;
  /** The leader, 0: not running (any more). */
  pid = 0;
  started = 0;
  startedWall = 0;
  /** When its timer is due (start-timeout, or end of the backoff or start-delay), monotonic ms. 0: none. */
  deadline = 0;
  past: Past = NO_PAST;
  /** Its last causes, one a line (`causes.ts`). */
  chain = "";
  edges: Edges = NO_EDGES;
  /** What keeps it from starting: requirements not ready, order not clear, conflicts alive. */
  blockers = 0;
  /** Requirements that will not become ready by themselves. */
  broken = 0;
  /** Neighbours that have to leave before this one may. */
  holds = 0;
  /** Links of the two queues; `null`: not queued. */
  nextFact: Service | null = null;
  nextWork: Service | null = null;

  constructor(spec: ServiceSpec, index: number) {
    this.spec = spec;
    this.index = index;
    if (spec.schedule !== null) this.occasions = newOccasions();
  }

  static {
    for (const key of Object.keys(NOTHING_RARE)) Service.#share(key as keyof Rare);
  }

  static #share<K extends keyof Rare>(key: K): void {
    Object.defineProperty(Service.prototype, key, {
      get(this: Service): Rare[K] {
        return this.rare[key];
      },
      set(this: Service, value: Rare[K]) {
        if (this.rare === NOTHING_RARE) {
          if (value === NOTHING_RARE[key]) return;
          this.rare = { ...NOTHING_RARE };
        }
        this.rare[key] = value;
      },
    });
  }
}

/** A queue through a field of its members: no allocation, nobody in it twice. */
export interface Queue {
  first: Service | null;
  last: Service | null;
}

/** What changes goals. Demands are met first and one by one, before anything else is decided. */
export type Demand =
  | { readonly type: "start" | "stop" | "restart"; readonly named: readonly Named[] }
  /** Started by name, with all the failures that it had. */
  | { readonly type: "go on"; readonly named: readonly Named[] }
  /** Started because something failed: what has failed is not tried again for it. */
  | { readonly type: "handle"; readonly named: readonly Named[] }
  /** Left readiness unasked: what is bound to it leaves too. */
  | { readonly type: "lost"; readonly service: Service; readonly because: string }
  /** Failed for good under `stop-dependents`. */
  | { readonly type: "abandon"; readonly service: Service; readonly because: string }
  /** What it needs goes up, itself left as it is. */
  | { readonly type: "support"; readonly service: Service }
  /** No longer pinned up: does it still have what it requires? */
  | { readonly type: "unpinned"; readonly service: Service }
  /** A run of it has failed: what fails with it is ended. `trail`: whose failures led to that. */
  | {
      readonly type: "failed";
      readonly service: Service;
      readonly because: string;
      readonly trail: readonly string[];
    }
  /** Gone from the configuration; what requires them leaves too, and comes again if they do. */
  | { readonly type: "remove"; readonly named: readonly Named[] }
  /** Defined anew: leaves, and comes again; what requires it stays as it is. */
  | { readonly type: "renew"; readonly service: Service; readonly because: string }
  /** Up, and its neighbours are others now: what it needs goes up, what it conflicts with goes down. */
  | { readonly type: "refit"; readonly service: Service }
  | {
      readonly type: "shutdown";
      readonly because: string;
      readonly code: number;
      /** By a person or a signal, as opposed to a service's end. */
      readonly asked: boolean;
      readonly machine: Machine | null;
    };

export interface Named {
  readonly service: Service;
  readonly because: string;
}

/**
 * `running`: everything is allowed. `stopping`: services leave in order. `resting`: what belongs
 * to no service is stopped. `exiting`: `Exit` was sent.
 */
export type ShutdownPhase = "running" | "stopping" | "resting" | "exiting";

export interface Shutdown {
  phase: ShutdownPhase;
  because: string;
  code: number;
  /** Somebody asked; asked again, it is hurried. */
  asked: boolean;
  /** No more waiting: KILL at once, in no order. */
  hurried: boolean;
  /** Something could not be ended. */
  unclean: boolean;
  deadline: number;
  /** The id of `StopRest`, 0: not sent. */
  rest: number;
  /** Single-command mode: signals that came before the command ran. */
  signals: string[];
  /** What becomes of the machine at the end. */
  machine: Machine | null;
}

/** What the nucleus was told of a proxy's service. */
export interface ProxyState {
  readonly service: string;
  up: boolean;
}

/** The configuration beside its services, as it came. */
export type Settings = Omit<Config, "services" | "former">;

export interface World {
  readonly supervisor: Config["supervisor"];
  settings: Settings;
  readonly services: Service[];
  readonly byName: Map<string, Service>;
  /** What services that run begin with next, where that is not what they run with. */
  readonly planned: Map<Service, ServiceSpec>;
  /** Gone from the configuration, and forgotten as soon as nothing of them is left. */
  readonly doomed: Set<Service>;
  /** Those that cannot be started as they are configured. */
  readonly faults: Map<Service, Reason>;
  /** That schedules go by. */
  readonly zones: Readonly<Record<string, Zone>>;
  /** Every process set not forgotten; `null`: it belongs to no service and is being stopped. */
  readonly sets: Map<number, Service | null>;
  /** Those that are open, by their names. */
  readonly proxies: Map<string, ProxyState>;
  readonly shutdown: Shutdown;
  readonly random: Random;
  /** `null`: nothing bounds starts. */
  gate: Gate | null;
  /** Those whose guard has found something in the way. */
  readonly hindered: Set<Service>;
  /** How many services are `starting`, as the public state goes. */
  starting: number;
  readonly boot: BootLog;
  nextId: number;
  nextSeq: number;

  // Of the step at work.
  now: number;
  wall: number;
  out: Command[];
  demands: Demand[];
  readonly facts: Queue;
  readonly work: Queue;
  /** Services whose slate record is out of date. */
  touched: Set<Service>;
  shutdownTouched: boolean;
  /** The configuration is not what the nucleus keeps. */
  configTouched: boolean;
  /** `wall` as text, made once. */
  timeText: string;
  timeWall: number;
}

export function pushFact(world: World, service: Service): void {
  if (service.nextFact !== null) return;
  const queue = world.facts;
  if (queue.last === null) queue.first = service;
  else queue.last.nextFact = service;
  queue.last = service;
  service.nextFact = service; // The last one links to itself, so that "queued" is "not null".
}

export function takeFact(world: World): Service | null {
  const queue = world.facts;
  const service = queue.first;
  if (service === null) return null;
  assert(service.nextFact !== null, "a queued service has a link");
  queue.first = service.nextFact === service ? null : service.nextFact;
  if (queue.first === null) queue.last = null;
  service.nextFact = null;
  return service;
}

export function pushWork(world: World, service: Service): void {
  if (service.nextWork !== null) return;
  const queue = world.work;
  if (queue.last === null) queue.first = service;
  else queue.last.nextWork = service;
  queue.last = service;
  service.nextWork = service;
}

export function takeWork(world: World): Service | null {
  const queue = world.work;
  const service = queue.first;
  if (service === null) return null;
  assert(service.nextWork !== null, "a queued service has a link");
  queue.first = service.nextWork === service ? null : service.nextWork;
  if (queue.first === null) queue.last = null;
  service.nextWork = null;
  return service;
}

/** Its slate record is written at the end of the step. */
export function touch(world: World, service: Service): void {
  world.touched.add(service);
}

/** The past for writing: nobody writes the shared one. */
export function ownPast(service: Service): Past {
  if (service.past === NO_PAST) service.past = { ...NO_PAST };
  return service.past;
}

export function wantsUp(service: Service): boolean {
  return service.wish === "up" || service.wish === "again";
}

/** The present run has to end, whoever wants the service. */
export function mustLeave(service: Service): boolean {
  return service.wish === "leave" || service.wish === "again";
}

/** Held up by a person: no rule takes it down. */
export function pinnedUp({ pin }: Service): boolean {
  return pin !== null && pin.state === "up";
}

/** Why a person does not let it start; `null`: it may. */
export function heldText({ pin }: Service): string | null {
  if (pin === null) return null;
  if (pin.state === "down") return "is pinned down";
  return pin.masked ? "is masked" : null;
}

/** It has a process set, or stands in for one: a target that is reached, what has only its hooks yet or still. */
export function isLive(service: Service): boolean {
  return isLiveState(service.state);
}

export function isLiveState(state: State): boolean {
  switch (state) {
    case "preparing":
    case "spawning":
    case "starting":
    case "working":
    case "running":
    case "parting":
    case "stopping":
    case "clearing":
    case "expiring":
    case "finishing":
      return true;
    default:
      return false;
  }
}

/** Its run has come to its end by itself, and only what it left behind or its hooks are still there. */
export function hasEnded({ state, around }: Service): boolean {
  return state === "clearing" || (state === "finishing" && around !== null && around.end !== null);
}

/** What it begins with next: what is configured. */
export function plannedSpec(world: Pick<World, "planned">, service: Service): ServiceSpec {
  return world.planned.get(service) ?? service.spec;
}

/** Gone from the configuration: it only leaves. */
export function isDoomed({ doomed }: World, service: Service): boolean {
  return doomed.size > 0 && doomed.has(service);
}

export function isTarget(service: Service): boolean {
  return service.spec.kind === "target";
}

export function isTask(service: Service): boolean {
  return service.spec.kind === "task";
}

/** Having ended with success, it is as good as up: a task, or what remains after its exit. */
export function remainsUp({ spec }: Service): boolean {
  return spec.kind === "task" || spec.remainAfterExit;
}

/** This one waits until the other has no process instead of stopping it. What it says itself counts first. */
export function yieldsTo(world: World, service: Service, other: Service): boolean {
  const own = plannedSpec(world, service).conflicts.find(({ name }) => name === other.spec.name);
  const conflict = own ?? plannedSpec(world, other).conflicts.find(({ name }) => name === service.spec.name);
  return conflict?.wait ?? false;
}

/** What it requires and starts along; the others of `requires` it only waits for. */
export function startsAlong(world: World, service: Service, other: Service): boolean {
  return plannedSpec(world, service).requires.some(({ name, start }) => start && name === other.spec.name);
}

export function newChildId(world: World): number {
  const id = world.nextId++;
  assert(id >= 1 && id < 0x8000_0000, "child ids are the brain's half of the range");
  return id;
}
