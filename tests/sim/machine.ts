/**
 * A random machine for property tests: a graph, what its services do, and a schedule of what
 * happens to them, all from one seed. And the judge, who knows the rules of the brief but nothing
 * of the engine's inside.
 */
import type { Ask, ChangeAsk, EngineEvent } from "../../src/engine/index.ts";
import { Random } from "../../src/engine/random.ts";
import type {
  BusyPort,
  Command,
  Exit,
  MatchedProcesses,
  Notice,
  QueryAnswer,
  SpawnFailure,
  SpawnSpec,
} from "../../src/generated/protocol.ts";
import type {
  Following,
  GuardSpec,
  ProbeCondition,
  ReadyCondition,
  Requirement,
  ServiceSpec,
  SparseSpec,
} from "../../src/model/spec.ts";
import { type Configured, stamp } from "./configured.ts";
import type { Behaviour, Kernel, KernelOptions, Script } from "./kernel.ts";

export class Dice {
  readonly #random: Random;
  constructor(seed: number) {
    this.#random = new Random(seed);
  }
  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }
  upTo(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }
  pick<Value>(values: readonly Value[]): Value {
    const value = values[this.upTo(values.length)];
    if (value === undefined) throw new Error("nothing to pick");
    return value;
  }
}

/** A hash, so that a service's nth run behaves the same whatever happened in between. */
export function mix(...parts: (number | string)[]): number {
  let hash = 2166136261;
  for (const part of parts) {
    for (const char of String(part)) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
    hash = Math.imul(hash ^ 0x1f, 16777619);
  }
  return hash >>> 0;
}

// ---- graph and specs

export interface GraphOptions {
  readonly conflicts: boolean;
  readonly endings: boolean;
}

type Draft = { -readonly [Key in keyof ServiceSpec]?: ServiceSpec[Key] } & { name: string };

export function randomServices(dice: Dice, options: GraphOptions): SparseSpec[] {
  const count = 1 + dice.upTo(8);
  const drafts: Draft[] = [];
  for (let index = 0; index < count; index++) drafts.push(randomService(dice, drafts, index, options));
  addHandlers(dice, drafts);
  addFellows(dice, drafts);
  if (options.conflicts && count > 2 && dice.chance(0.4)) addConflict(dice, drafts);
  return drafts;
}

function randomService(dice: Dice, former: Draft[], index: number, options: GraphOptions): Draft {
  const kind = dice.pick(["service", "service", "service", "task", "target"] as const);
  const draft: Draft = { name: `s${index}`, kind, argv: kind === "target" ? [] : [`s${index}`] };
  const requires: Requirement[] = [];
  const lists = { wants: [] as string[], after: [] as Following[] };
  for (const other of former) {
    const roll = dice.upTo(10);
    if (roll < 3) requires.push({ name: other.name, bind: dice.chance(0.3), start: dice.chance(0.8) });
    else if (roll < 4) lists.wants.push(other.name);
    else if (roll < 5)
      lists.after.push({ name: other.name, until: dice.pick(["ready", "begun", "up", "any"] as const) });
    else if (roll < 6) other.before = [...(other.before ?? []), draft.name];
  }
  Object.assign(draft, { requires, ...lists });
  if (dice.chance(0.25)) draft.autostart = false;
  if (kind !== "target") randomLife(dice, draft, kind, options);
  return draft;
}

function randomLife(dice: Dice, draft: Draft, kind: "service" | "task", options: GraphOptions): void {
  draft.restart =
    kind === "task"
      ? dice.pick(["never", "never", "on-failure"])
      : dice.pick(["always", "always", "on-failure", "never"]);
  draft.startTimeoutMs = kind === "task" ? dice.pick([0, 0, 300]) : dice.pick([200, 1000, 2500, 0]);
  draft.restartDelayMs = dice.pick([0, 50, 100]);
  draft.restartDelayMaxMs = dice.pick([100, 1000]);
  draft.restartResetMs = dice.pick([300, 2000]);
  draft.restartJitter = dice.pick([0, 0.1, 0.5]);
  draft.restartBackoff = dice.pick(["doubling", "doubling", "linear"]);
  if (dice.chance(0.2)) draft.restartResetFrom = "ready";
  if (dice.chance(0.2)) draft.restartUnstartable = true;
  if (dice.chance(0.2)) draft.startDelayMs = dice.pick([30, 200]);
  if (dice.chance(0.4)) {
    draft.restartLimit = 1 + dice.upTo(3);
    draft.restartWindowMs = dice.pick([500, 5000, 0]);
  } else if (draft.restartDelayMs === 0) {
    draft.restartLimit = 4; // Else a crash at once, restarted at once, would be a life without time.
    draft.restartWindowMs = 2000;
  }
  if (dice.chance(0.15)) draft.noRestartCodes = [3];
  if (dice.chance(0.1)) draft.successCodes = [0, 3];
  if (dice.chance(0.1)) draft.successSignals = ["TERM", "SEGV"];
  if (dice.chance(0.3)) draft.onFailureAt = "each";
  if (kind === "service" && dice.chance(0.4)) draft.ready = randomConditions(dice);
  if (kind === "service") randomCare(dice, draft);
  if (kind === "service" && dice.chance(0.2)) draft.remainAfterExit = true;
  if (draft.remainAfterExit && draft.restart !== "never") draft.endCounts = true;
  if (dice.chance(0.2)) draft.guard = randomGuard(dice);
  if (dice.chance(0.1)) draft.critical = true;
  draft.onFailure = dice.pick(["ignore", "ignore", "stop-dependents"]);
  draft.stop = {
    signal: "TERM",
    timeoutMs: dice.pick([100, 500, 0]),
    evict: dice.pick(["stop", "kill"]),
    tree: true,
  };
  randomHooks(dice, draft, kind);
  if (options.endings && dice.chance(0.06)) draft.onFailure = "shutdown";
  if (options.endings && dice.chance(0.06)) draft.main = true;
}

function randomGuard(dice: Dice): GuardSpec {
  const ports = dice.pick([[], [80], [81], [80, 81]]);
  const processes = ports.length === 0 || dice.chance(0.5) ? ["rival"] : [];
  return { ports, processes, kill: dice.chance(0.3), services: ports.length === 2 };
}

function randomHooks(dice: Dice, draft: Draft, kind: "service" | "task"): void {
  const roles = ["before-start", "after-start", "before-stop", "after-exit"] as const;
  if (dice.chance(0.4)) {
    const chosen = roles.filter((role) => dice.chance(0.5) && (kind === "service" || role !== "after-start"));
    const timeoutMs = () => dice.pick([50, 300, 2000]);
    const hooks = chosen.map((role) => [role, { argv: [role], timeoutMs: timeoutMs() }] as const);
    if (hooks.length > 0) draft.hooks = Object.fromEntries(hooks);
  }
  if (dice.chance(0.2)) draft.stopCommand = ["stop"];
  if (dice.chance(0.1)) draft.reload = { type: "command", argv: ["reload"], timeoutMs: 200 };
  if (dice.chance(0.1)) draft.reload = { type: "signal", signal: "USR1" };
}

/** Some hand their failures to a task, itself perhaps with a handler. */
function addHandlers(dice: Dice, drafts: readonly Draft[]): void {
  const tasks = drafts.filter(({ kind }) => kind === "task");
  if (tasks.length === 0) return;
  for (const draft of drafts) {
    const handler = dice.pick(tasks);
    if (draft.kind !== "target" && handler !== draft && dice.chance(0.3))
      draft.onFailure = { run: handler.name };
  }
}

/** Some fail with others, perhaps with each other. */
function addFellows(dice: Dice, drafts: readonly Draft[]): void {
  for (const draft of drafts) {
    const other = dice.pick(drafts);
    if (draft.kind !== "target" && other !== draft && dice.chance(0.2)) draft.failWith = [other.name];
  }
}

/** Health checks and a watchdog, in all their forms. */
function randomCare(dice: Dice, draft: Draft): void {
  if (dice.chance(0.3)) {
    const probes: ProbeCondition[] = [TCP, { type: "exec", argv: ["check"], outside: false }];
    draft.health = {
      probes: dice.chance(0.5) ? probes : [TCP],
      everyMs: dice.pick([50, 200]),
      timeoutMs: dice.pick([20, 50]),
      failures: 1 + dice.upTo(3),
      successes: 1 + dice.upTo(2),
      initialDelayMs: dice.pick([0, 0, 100]),
      onFailure: dice.pick(["restart", "restart", "stop", "mark"]),
    };
  }
  if (draft.health && dice.chance(0.4)) draft.ready = [...(draft.ready ?? []), { type: "health" }];
  if (dice.chance(0.15)) draft.watchdogMs = dice.pick([100, 300]);
  const pipe = draft.ready?.some((one) => one.type === "notify" && one.way === "descriptor");
  if (pipe) delete draft.watchdogMs;
  if (dice.chance(0.1)) draft.readyDelayMs = 40;
}

const TCP = { type: "tcp", host: "127.0.0.1", port: 1 } as const;

function randomConditions(dice: Dice): ReadyCondition[] {
  const all: ReadyCondition[] = [
    TCP,
    { type: "file", path: "/f", fresh: dice.chance(0.5) },
    { type: "exec", argv: ["check"], outside: false },
    { type: "log", pattern: "ready" },
    { type: "delay", ms: 120 },
    { type: "listen" },
  ];
  const some = all.filter(() => dice.chance(0.35));
  const sd = { type: "notify", way: "socket", path: null } as const;
  const fd = { type: "notify", way: "descriptor", fd: 3 } as const;
  return dice.chance(0.3) ? [...some, dice.pick([sd, fd])] : some;
}

/** Not between those that need each other, and, unless one waits, not of two that both start by themselves. */
function addConflict(dice: Dice, drafts: Draft[]): void {
  const one = dice.pick(drafts);
  const other = dice.pick(drafts);
  if (one === other || reaches(drafts, one, other) || reaches(drafts, other, one)) return;
  const wait = dice.chance(0.5);
  one.conflicts = [{ name: other.name, wait }];
  if (!wait) one.autostart = false;
}

function reaches(drafts: readonly Draft[], from: Draft, to: Draft): boolean {
  if (from === to) return true;
  const names = [
    ...(from.requires ?? []).map(({ name }) => name),
    ...(from.wants ?? []),
    ...(from.after ?? []).map(({ name }) => name),
  ];
  return drafts.some((draft) => names.includes(draft.name) && reaches(drafts, draft, to));
}

// ---- behaviour

const FAILURES: readonly SpawnFailure[] = [
  { step: "fork", errno: 11, error: "EAGAIN", message: "no more processes", transient: true },
  { step: "exec", errno: 2, error: "ENOENT", message: "no such program", transient: false },
];

/** How rough the machine is; calm: everybody does what is expected. */
export function randomScript(seed: number, isCalm: () => boolean): Script {
  return (service, run) => {
    const dice = new Dice(mix(seed, service, run));
    const calm = isCalm();
    if (service.includes("/")) return randomSide(dice, calm);
    const behaviour: { -readonly [Key in keyof Behaviour]: Behaviour[Key] } = { spawnMs: dice.upTo(3) };
    if (service.startsWith("task")) behaviour.ends = { afterMs: 5, exit: { code: 0 } };
    if (dice.chance(0.5)) behaviour.leaves = dice.upTo(80);
    if (dice.chance(0.3)) behaviour.stopExit = { code: 0 };
    behaviour.readyAfterMs = [0, 1, 2, 3, 4, 5, 6].map(() => dice.upTo(100));
    behaviour.alive = { everyMs: dice.pick([40, 90]), untilMs: Number.POSITIVE_INFINITY };
    const notices = [{ afterMs: dice.upTo(100), notice: { ready: true } }];
    behaviour.notices = notices;
    if (calm) return behaviour;
    if (dice.chance(0.1)) return { spawnMs: dice.upTo(3), failure: dice.pick(FAILURES) };
    if (dice.chance(0.4)) behaviour.ends = { afterMs: dice.upTo(700), exit: randomExit(dice) };
    if (dice.chance(0.2)) behaviour.leaves = "never";
    if (dice.chance(0.2)) behaviour.leftovers = 1 + dice.upTo(3);
    if (dice.chance(0.5)) behaviour.leftoversLeave = dice.chance(0.3) ? "never" : dice.upTo(100);
    if (dice.chance(0.1)) behaviour.readyAfterMs = [0, 1, 2, 3, 4, 5, 6].map(() => Number.POSITIVE_INFINITY);
    if (dice.chance(0.1)) behaviour.notices = [];
    else behaviour.notices = [...notices, ...randomNotices(dice)];
    if (dice.chance(0.3)) behaviour.alive = { ...behaviour.alive, untilMs: dice.upTo(600) };
    if (dice.chance(0.5)) behaviour.check = randomChecks(mix(seed, service, run, "check"), isCalm);
    return behaviour;
  };
}

/** What a hook or a command does. */
function randomSide(dice: Dice, calm: boolean): Behaviour {
  const spawnMs = dice.upTo(3);
  if (calm) return { spawnMs, ends: { afterMs: dice.upTo(20), exit: { code: 0 } } };
  if (dice.chance(0.1)) return { spawnMs, failure: dice.pick(FAILURES) };
  const leaves = dice.chance(0.3) ? "never" : dice.upTo(60);
  if (dice.chance(0.15)) return { spawnMs, hangs: true, leaves };
  const leftovers = dice.chance(0.2) ? 1 + dice.upTo(2) : 0;
  const exit = dice.chance(0.3) ? randomExit(dice) : { code: 0 };
  return { spawnMs, ends: { afterMs: dice.upTo(120), exit }, leaves, leftovers, leftoversLeave: leaves };
}

/** What else a service may tell, at any time. */
function randomNotices(dice: Dice): { afterMs: number; notice: Partial<Notice> }[] {
  const all: Partial<Notice>[] = [
    { status: "at work" },
    { reloading: true },
    { ready: true },
    { mainPid: 9999 },
    { extendMs: 150 },
    { watchdogMs: 200 },
    { watchdogTrigger: true },
    { errno: 5 },
    { storedFds: 1 },
    { stopping: true },
  ];
  const some = all.filter(() => dice.chance(0.08));
  return some.map((notice) => ({ afterMs: dice.upTo(800), notice }));
}

/** Good, bad, or slow: within the time, beyond it, beyond any. */
function randomChecks(seed: number, isCalm: () => boolean): NonNullable<Behaviour["check"]> {
  const dice = new Dice(seed);
  const rate = dice.pick([0.1, 0.5, 1]);
  return () => {
    const ok = isCalm() || !dice.chance(rate);
    return { ok: ok || dice.chance(0.5), takesMs: ok ? 1 : dice.pick([1, 15, 60, 400, 5000]) };
  };
}

/** Somebody in the way of a start, every now and then. */
export function randomObstacles(
  seed: number,
  isCalm: () => boolean,
): NonNullable<KernelOptions["obstacles"]> {
  const dice = new Dice(mix(seed, "obstacles"));
  const rival = { pid: 7, parent: 1, name: "rival", command: "rival", state: "S", memoryBytes: 0, cpuMs: 0 };
  return ({ ports, processes }) => {
    const takesMs = dice.upTo(30);
    const found = { ports: [] as BusyPort[], processes: [] as MatchedProcesses[] };
    if (isCalm()) return { takesMs, answer: { type: "obstacles", ...found } };
    if (dice.chance(0.05)) return { takesMs, answer: { type: "failed", message: "no /proc" } };
    const [port] = ports;
    const [part] = processes;
    if (port !== undefined && dice.chance(0.4)) found.ports.push({ port, owners: dice.pick([[rival], []]) });
    if (part !== undefined && dice.chance(0.3)) found.processes.push({ part, found: [rival] });
    return { takesMs, answer: { type: "obstacles", ...found } };
  };
}

export function randomExit(dice: Dice): Exit {
  return dice.pick<Exit>([{ code: 0 }, { code: 1 }, { code: 3 }, { signal: "SEGV" }, { signal: "KILL" }]);
}

/** Tasks end; a script by name alone does not know which they are. */
export function endTasks(configured: Configured, script: Script): Script {
  return (service, run, spec) => {
    const behaviour = script(service, run, spec);
    const isTask = spec.role === "main" && configured.of(spec).kind === "task";
    if (!isTask || behaviour.ends !== undefined) return behaviour;
    return { ...behaviour, ends: { afterMs: mix(service, run) % 200, exit: { code: 0 } } };
  };
}

// ---- the judge

function conflictsWith(spec: ServiceSpec, name: string): boolean {
  return spec.conflicts.some((conflict) => conflict.name === name);
}

/** Follows the goals by the brief's rules, in the plainest way, from the asks alone. */
class Goals {
  readonly up = new Set<string>();
  readonly pinned = new Set<string>();
  readonly #configured: Configured;
  readonly #specs: ReadonlyMap<string, ServiceSpec>;

  /** What a process was started by, as long as it is there: a target stands for others, a process does not. */
  readonly #running: (name: string) => ServiceSpec | null;

  constructor(configured: Configured, running: (name: string) => ServiceSpec | null) {
    this.#configured = configured;
    this.#running = running;
    this.#specs = configured.now;
    for (const spec of this.#specs.values()) if (spec.autostart) this.start(spec.name);
  }

  /** What is configured has changed already. */
  change({ set, remove, restart }: ChangeAsk, former: ReadonlySet<string>): void {
    for (const name of remove) {
      if (this.#configured.has(name)) continue;
      this.up.delete(name);
      this.pinned.delete(name);
    }
    for (const { name } of set) {
      const comes = this.#specs.get(name)?.autostart === true;
      const known = former.has(name);
      if (known ? restart && (comes || this.up.has(name)) : comes) this.start(name);
    }
    // Who is up needs more, or less, than before.
    for (const name of [...this.up]) {
      for (const requirement of this.#specs.get(name)?.requires ?? []) {
        if (this.#configured.inOneCircle(name, requirement.name)) continue;
        if (!this.up.has(requirement.name)) this.start(requirement.name);
      }
    }
  }

  start(name: string, seen = new Set<string>()): void {
    const spec = this.#specs.get(name);
    if (spec === undefined || seen.has(name) || !this.#configured.has(name)) return;
    seen.add(name);
    this.up.add(name);
    for (const requirement of spec.requires) if (requirement.start) this.start(requirement.name, seen);
    for (const wanted of spec.wants) this.start(wanted, seen);
  }

  stop(name: string): void {
    if (!this.#specs.has(name)) return;
    for (const member of this.#members(name)) this.#lower(member);
  }

  members(name: string): string[] {
    return this.#members(name);
  }

  #members(name: string, seen = new Set<string>()): string[] {
    if (seen.has(name)) return [];
    seen.add(name);
    const spec = this.#specs.get(name);
    if (spec?.kind !== "target" || this.#running(name) !== null) return [name];
    const along = spec.requires.filter(({ start }) => start).map((requirement) => requirement.name);
    const members = [...along, ...spec.wants];
    return [name, ...members.flatMap((member) => this.#members(member, seen))];
  }

  #lower(name: string): void {
    if (this.pinned.has(name)) return;
    this.up.delete(name);
    for (const spec of this.#specs.values()) {
      // What is not started along may go on waiting for it.
      const requires = spec.requires.some((requirement) => requirement.start && requirement.name === name);
      if (!requires || this.#configured.inOneCircle(name, spec.name)) continue;
      if (this.up.has(spec.name)) this.#lower(spec.name);
    }
  }
}

/** How the causes of evictions begin; that of a watchdog is none of them. */
const EVICTED = /^(?:not (?:ready|done) within|unhealthy)/;

const GOAL_ASKS: readonly string[] = ["start", "stop", "restart", "pin", "unpin", "mask", "unmask"];

/** Another set of services: others come, some leave, some are defined anew. */
export function randomChange(dice: Dice, number: number, options: GraphOptions): ChangeAsk {
  const set = new Map<string, SparseSpec>();
  for (let count = dice.upTo(3); count > 0; count--) {
    const draft = dice.chance(0.2) && options.conflicts ? randomRival(dice) : randomNewcomer(dice, options);
    set.set(draft.name, stamp(draft, number));
  }
  const remove = [0, 1].filter(() => dice.chance(0.4)).map(() => `s${dice.upTo(POOL)}`);
  const restart = dice.chance(0.5);
  return { type: "change", set: [...set.values()], remove, restart, because: "asked by uid 0" };
}

const POOL = 10;

/** It needs any of those that are, or are not, before it; now and then one after it, which may make a circle. */
function randomNewcomer(dice: Dice, options: GraphOptions): Draft {
  const index = dice.upTo(POOL);
  const former = Array.from({ length: index }, (_, other): Draft => ({ name: `s${other}` }));
  const draft = randomService(dice, former, index, options);
  if (dice.chance(0.15) && index + 1 < POOL) {
    const name = `s${index + 1 + dice.upTo(POOL - index - 1)}`;
    draft.requires = [...(draft.requires ?? []), { name, bind: false, start: true }];
  }
  return draft;
}

/** Nobody needs it. */
function randomRival(dice: Dice): Draft {
  const name = dice.pick(["x0", "x1"]);
  const other = dice.pick(["s0", "s2", "s4", name === "x0" ? "x1" : "x0"]);
  const stop = { signal: "TERM", timeoutMs: 100, evict: "stop", tree: true } as const;
  return { name, argv: [name], conflicts: [{ name: other, wait: false }], autostart: dice.chance(0.5), stop };
}

function isAsk(event: EngineEvent): event is Ask {
  return GOAL_ASKS.includes(event.type);
}

interface Run {
  readonly id: number;
  readonly service: string;
  /** What it was defined by. */
  readonly spec: ServiceSpec;
  gone: boolean;
  /** It was on its way out before the shutdown. */
  parts: boolean;
  readonly met: Set<number>;
  spawned: boolean;
  ended: Exit | null;
  stopSent: boolean;
  /** Of its last stop. */
  stopSignal: string;
  /** Probes of its health whose last answer was good. */
  readonly well: Set<number>;
}

function hasExitedWell({ ended }: Run, { successCodes }: ServiceSpec): boolean {
  return ended !== null && "code" in ended && successCodes.includes(ended.code);
}

/**
 * Watches what goes over the boundary and throws when a rule is broken. It believes what has been
 * delivered, since nobody can act on what he has not heard.
 */
export class Judge {
  readonly #kernel: Kernel;
  readonly #configured: Configured;
  readonly #specs: ReadonlyMap<string, ServiceSpec>;
  readonly #handlers = new Set<string>();
  readonly #runs = new Map<string, Run>();
  readonly #byId = new Map<number, Run>();
  readonly #state = new Map<string, string>();
  /** Whom each conflicted with when its start was admitted. */
  readonly #rivals = new Map<string, readonly string[]>();
  readonly #spawnTimes = new Map<string, number[]>();
  /** Absent when conflicts make the plain rules of goals depend on the order of a walk. */
  goals: Goals | null;
  shuttingDown = false;
  hurried = false;
  exits = 0;
  #heard: EngineEvent[] = [];
  #upDuring = new Set<string>();
  /** What was configured before this batch. */
  #former: ReadonlySet<string>;
  /** Exits that a successor learns from the table. */
  readonly #news = new Set<number>();
  /** The last question of each guard. */
  readonly #asked = new Map<string, string>();
  /** Guards that have found nothing in the way, since their services were started last. */
  readonly #cleared = new Set<string>();

  constructor(kernel: Kernel, configured: Configured, withGoals: boolean) {
    this.#kernel = kernel;
    this.#configured = configured;
    this.#specs = configured.now;
    for (const { onFailure } of this.#specs.values()) {
      if (typeof onFailure === "object") this.#handlers.add(onFailure.run);
    }
    this.#former = new Set(this.#specs.keys());
    this.goals = withGoals ? new Goals(configured, (name) => this.#running(name)) : null;
  }

  #running(service: string): ServiceSpec | null {
    const run = this.#runs.get(service);
    return run === undefined || run.gone ? null : run.spec;
  }

  #take(event: EngineEvent): void {
    switch (event.type) {
      case "spawned": {
        const run = this.#byId.get(event.id);
        if (run) run.spawned = true;
        break;
      }
      case "spawnFailed": {
        const run = this.#byId.get(event.id);
        if (run) run.gone = true;
        break;
      }
      case "exited": {
        const run = this.#byId.get(event.id);
        if (run) run.ended = event.exit;
        break;
      }
      case "probed":
        if (event.ok && event.key.startsWith("probe ")) this.#meet(event.key);
        if (event.key.startsWith("health ")) this.#check(event.key, event.ok);
        break;
      case "answered":
        this.#look(event.key, event.answer);
        break;
      case "notified":
        this.#hear(event.id, event.notice);
        break;
      case "logMatched":
        this.#meet(event.key);
        break;
      case "timer":
        if (event.key.startsWith("delay ")) this.#meet(event.key);
        if (event.key === "shutdown") this.hurried = true;
        break;
      default:
        break;
    }
  }

  #hear(id: number, { ready }: Notice): void {
    const run = this.#byId.get(id);
    if (run === undefined || !ready) return;
    const index = run.spec.ready.findIndex(({ type }) => type === "notify");
    if (index !== -1) run.met.add(index);
  }

  /** Its readiness may wait for a check in which all is well. */
  #check(key: string, ok: boolean): void {
    const [, id, index] = key.split(" ");
    const run = this.#byId.get(Number(id));
    if (run === undefined) return;
    const { spec } = run;
    if (ok) run.well.add(Number(index));
    else run.well.delete(Number(index));
    const condition = spec.ready.findIndex(({ type }) => type === "health");
    if (condition !== -1 && run.well.size === spec.health?.probes.length) run.met.add(condition);
  }

  #look(key: string, answer: QueryAnswer): void {
    const service = key.split(" ")[2] ?? "";
    if (this.#asked.get(service) !== key) return;
    this.#asked.delete(service); // What else comes was asked by a brain that was lost.
    // What nobody can find out is no obstacle.
    const found =
      answer.type === "obstacles" &&
      (answer.processes.length > 0 || answer.ports.some(({ owners }) => owners.length > 0));
    if (!found || this.#specs.get(service)?.guard?.kill) this.#cleared.add(service);
    else this.#cleared.delete(service);
  }

  /** Before each start it was looked for what is in the way, and nothing was. */
  #judgeGuard({ name: service, guard }: ServiceSpec): void {
    if (guard === null) return;
    if (!this.#cleared.delete(service)) throw new Error(`${service} is started with something in its way`);
    for (const { spec } of this.#kernel.sets.values()) {
      const other = this.#configured.of(spec);
      const shared = other.guard?.ports.some((port) => guard.ports.includes(port)) ?? false;
      if (other.name !== service && shared)
        throw new Error(`${service} is started, ${other.name} has its port`);
    }
  }

  #meet(key: string): void {
    const [, id, index] = key.split(" ");
    this.#byId.get(Number(id))?.met.add(Number(index));
  }

  #ask(ask: Ask): void {
    this.#hold(ask);
    if (ask.type === "start") for (const name of ask.names) this.goals?.start(name);
    if (ask.type === "stop") for (const name of ask.names) this.goals?.stop(name);
    if (ask.type === "restart") {
      for (const name of ask.names)
        for (const member of this.goals?.members(name) ?? []) this.goals?.start(member);
    }
  }

  /** A command, before it is applied. */
  judge(command: Command): void {
    if (command.type === "spawn") this.#judgeOrder(command.spec);
    if (command.type === "spawn" && ["before-stop", "stop"].includes(command.spec.role)) {
      const run = this.#runs.get(command.spec.service);
      if (run !== undefined) run.parts = !this.shuttingDown;
    }
    if (command.type === "spawn" && command.spec.role === "main") this.#judgeSpawn(command.id, command.spec);
    if (command.type === "forget") {
      const run = this.#byId.get(command.id);
      if (run !== undefined) run.gone = true;
    }
    if (command.type === "query") this.#asked.set(command.key.split(" ")[2] ?? "", command.key);
    if (command.type === "stop") this.#judgeStop(command.id, command.signal);
    if (command.type === "publish") this.#note(JSON.parse(command.text));
    if (command.type === "exit") this.exits++;
  }

  #note(event: { service: string | null; event: string; to: string | null; cause: string }): void {
    if (event.event === "supervisor" && event.cause.startsWith("shutting down")) this.shuttingDown = true;
    if (event.event === "supervisor" && event.cause.startsWith("shutdown hurried")) this.hurried = true;
    if (event.event === "state" && event.service !== null && event.to !== null) {
      this.#state.set(event.service, event.to);
      if (event.to === "stopping" && EVICTED.test(event.cause)) this.#judgeEviction(event.service);
      const spec = this.#specs.get(event.service);
      // Who handles the failure is wanted from here on.
      const isOver = event.to === "failed" || spec?.onFailureAt === "each";
      if (isOver && spec !== undefined && typeof spec.onFailure === "object") {
        this.goals?.start(spec.onFailure.run);
        for (const name of this.goals?.up ?? []) this.#upDuring.add(name);
      }
      // A failure met while its handler was at work starts it once more, with all it needs.
      if (event.to === "waiting" && this.#handlers.has(event.service)) {
        this.goals?.start(event.service);
        for (const name of this.goals?.up ?? []) this.#upDuring.add(name);
      }
    }
  }

  /** Where an eviction kills, it does so at once. */
  #judgeEviction(service: string): void {
    const { spec, stopSignal: signal } = this.#runs.get(service) ?? {};
    if (spec?.stop.evict === "kill" && signal !== "KILL")
      throw new Error(`${service} is evicted by ${signal}`);
  }

  #hold(ask: Ask): void {
    if (ask.type === "pin") {
      if (ask.state === "up") this.goals?.pinned.add(ask.name);
      else this.goals?.pinned.delete(ask.name);
      if (ask.state === "up") this.goals?.start(ask.name);
      else this.goals?.stop(ask.name);
    }
    // What a pin has kept from being taken along may have been wanted down for long.
    if (ask.type === "unpin" && this.goals?.pinned.delete(ask.name)) this.goals?.start(ask.name);
  }

  /** A service that is pinned up brings what it needs back with it. */
  #isForPinned(service: string): boolean {
    const needs = (name: string, seen: Set<string>): boolean => {
      const spec = this.#specs.get(name);
      if (spec === undefined || seen.has(name)) return false;
      seen.add(name);
      return (
        name === service ||
        [...spec.requires.map((one) => one.name), ...spec.wants].some((one) => needs(one, seen))
      );
    };
    return [...(this.goals?.pinned ?? [])].some((name) => needs(name, new Set()));
  }

  /** A start is admitted before its before-start hook; what is lost meanwhile is like a crash later. */
  #judgeOrder(spawn: SpawnSpec): void {
    const { service, role } = spawn;
    const spec = this.#configured.of(spawn);
    const first = spec.hooks?.["before-start"] === undefined ? "main" : "before-start";
    if (role !== first) return;
    if (!this.#configured.isPresent(spawn)) throw new Error(`${service} is started as it was long ago`);
    for (const { name } of spec.requires) {
      if (!this.#isReady(name)) throw new Error(`${service} is started, ${name} is not ready`);
    }
    for (const { name, until } of spec.after) {
      if (!this.#configured.now.has(name)) continue; // Gone: nobody waits for it.
      const state = this.#state.get(name) ?? "inactive";
      const required = spec.requires.some((one) => one.name === name);
      const begun =
        required ||
        until !== "begun" ||
        (state === "inactive" ? this.#hasCountingEnd(name) : state !== "waiting");
      if (!begun) throw new Error(`${service} is started, ${name} has not begun`);
      if (until === "up" && !this.#isReady(name)) throw new Error(`${service} is started, ${name} is not up`);
    }
    this.#judgeGuard(spec);
    this.#rivals.set(service, this.#rivalsOf(service));
    this.#judgeRivals(service);
  }

  #rivalsOf(service: string): string[] {
    const own = this.#specs.get(service);
    return [...this.#specs.values()]
      .filter((other) => (own && conflictsWith(own, other.name)) || conflictsWith(other, service))
      .map(({ name }) => name);
  }

  /** Also between its hook and its process; but not those that a change has made its rivals meanwhile. */
  #judgeRivals(service: string): void {
    for (const name of this.#rivals.get(service) ?? []) {
      if (!this.#rivalsOf(service).includes(name)) continue;
      if (this.#kernel.liveSets(name).length > 0) throw new Error(`${service} is started beside ${name}`);
    }
  }

  #judgeSpawn(id: number, spawn: SpawnSpec): void {
    const { service } = spawn;
    const spec = this.#configured.of(spawn);
    if (this.shuttingDown) throw new Error(`${service} is started in a shutdown`);
    const live = this.#kernel.liveSets(service);
    if (live.length > 0) throw new Error(`${service} is started beside its set ${live[0]}`);
    // A later ask of the same batch may have taken it back.
    const wanted = this.goals === null || this.#upDuring.has(service) || this.#isForPinned(service);
    if (!wanted) throw new Error(`${service} is started, wanted down`);
    this.#judgeRivals(service);
    const state = { gone: false, parts: false, spawned: false, ended: null, stopSent: false, stopSignal: "" };
    const run: Run = { id, service, spec, met: new Set(), well: new Set(), ...state };
    this.#runs.set(service, run);
    this.#byId.set(id, run);
    this.#spawnTimes.set(service, [...(this.#spawnTimes.get(service) ?? []), this.#kernel.now]);
  }

  #isReady(service: string): boolean {
    const run = this.#runs.get(service);
    const state = this.#state.get(service) ?? "inactive";
    const configured = this.#specs.get(service);
    // What an end counts as is told by what is configured now, not by what it was started by.
    if (state === "exited") return configured?.kind === "task" || configured?.remainAfterExit === true;
    // What has no process and runs is a target.
    if (run === undefined || (run.gone && state === "running")) return state === "running";
    const { spec } = run;
    const isDown = state === "inactive" || state === "backoff";
    if (configured?.endCounts && isDown && hasExitedWell(run, configured)) return true;
    if (spec.kind === "task") return false;
    if (!run.spawned || run.stopSent) return false;
    // An exit of the same batch may have been heard after the decision.
    if (run.ended !== null && !this.#heardNow(run.id)) return false;
    return spec.ready.every((_, index) => run.met.has(index));
  }

  #hasCountingEnd(service: string): boolean {
    return this.#specs.get(service)?.endCounts === true && (this.#runs.get(service)?.ended ?? null) !== null;
  }

  #heardNow(id: number): boolean {
    return this.#news.has(id) || this.#heard.some((event) => event.type === "exited" && event.id === id);
  }

  /** A batch that is being applied. */
  begin(events: readonly EngineEvent[]): void {
    this.#heard = [...events];
    if (events.length > 0) this.#news.clear();
    this.#upDuring = new Set(this.goals?.up);
    for (const event of events) {
      if (event.type === "change" && !this.shuttingDown) this.goals?.change(event, this.#former);
      if (isAsk(event)) this.#ask(event);
      for (const name of this.goals?.up ?? []) this.#upDuring.add(name);
      this.#take(event);
    }
    this.#former = new Set([...this.#specs.keys()].filter((name) => this.#configured.has(name)));
  }

  /** A brain is lost: its successor knows what the table knows. */
  sync(): void {
    this.#news.clear();
    for (const [id, run] of this.#byId) {
      const set = this.#kernel.sets.get(id);
      if (set === undefined) {
        run.gone = true;
        continue;
      }
      run.spawned = true;
      if (set.record.notice !== null) this.#hear(id, set.record.notice);
      if (run.ended === null && set.record.exit !== null) this.#news.add(id);
      run.ended = set.record.exit;
    }
  }

  /** What comes after it, and has to stop too, has stopped before it. In a shutdown that is all. */
  #judgeStop(id: number, signal: string): void {
    const run = this.#byId.get(id);
    if (run === undefined) return;
    run.stopSignal = signal;
    const own = run.ended !== null || run.stopSent || run.parts; // It ended by itself, or its stop is repeated.
    run.stopSent = true;
    if (!this.shuttingDown || this.hurried || own) return;
    for (const follower of this.#followers(run.service)) {
      const alive = this.#kernel.liveSets(follower).some((set) => !this.#kernel.isEmpty(set));
      if (alive && !this.#mayLinger(follower)) {
        throw new Error(`${run.service} is stopped before ${follower}, which comes after it`);
      }
    }
  }

  /** Its end is heard of only in this batch. */
  #mayLinger(service: string): boolean {
    const run = this.#runs.get(service);
    return run === undefined || this.#heard.some((event) => event.type === "stopped" && event.id === run.id);
  }

  /** At whatever distance. What stands in a circle has no order among itself. */
  #followers(service: string): Set<string> {
    const found = this.#allFollowers([service]);
    const reached = new Set<string>();
    const open = [service];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const name of found) {
        const inCircle = this.#allFollowers([name]).has(next);
        if (reached.has(name) || !this.#follows(name, next) || inCircle) continue;
        reached.add(name);
        open.push(name);
      }
    }
    return reached;
  }

  #allFollowers(open: string[]): Set<string> {
    const found = new Set<string>();
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const name of this.#specs.keys()) {
        if (found.has(name) || !this.#follows(name, next)) continue;
        found.add(name);
        open.push(name);
      }
    }
    return found;
  }

  #follows(follower: string, service: string): boolean {
    const spec = this.#specs.get(follower);
    if (spec === undefined) return false;
    return (
      spec.requires.some(({ name }) => name === service) ||
      spec.wants.includes(service) ||
      spec.after.some(({ name, until }) => name === service && until !== "up") ||
      (this.#specs.get(service)?.before.includes(follower) ?? false)
    );
  }

  /** Never more restarts by itself than the limit within the window (only where no ask interferes). */
  judgeLimits(): void {
    for (const [service, times] of this.#spawnTimes) {
      const spec = this.#specs.get(service);
      if (spec === undefined || spec.restartLimit === 0 || spec.restartDelayMs !== 0) continue;
      const restarts = times.slice(1);
      for (const [index, time] of restarts.entries()) {
        const within = restarts.slice(0, index + 1).filter((other) => other > time - spec.restartWindowMs);
        if (within.length > spec.restartLimit)
          throw new Error(`${service}: ${within.length} restarts in a window`);
      }
    }
  }
}
