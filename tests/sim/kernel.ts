/**
 * A simulated nucleus and machine for the engine: virtual time, children that follow a script,
 * the nucleus's table, timers, probes and log matches, and brains that get lost. It executes
 * commands, produces events, and complains about every command that a nucleus could not obey.
 */
import { type Ask, boot, type Clock, type EngineEvent, step, type World } from "../../src/engine/index.ts";
import { Random } from "../../src/engine/random.ts";
import type {
  ChildRecord,
  Command,
  Exit,
  Machine,
  Notice,
  Probe,
  Query,
  QueryAnswer,
  Receipt,
  ReceiptProcess,
  SpawnFailure,
  SpawnSpec,
} from "../../src/generated/protocol.ts";
import type { Config, SparseSpec } from "../../src/model/spec.ts";
import { SimProxies } from "./proxies.ts";

/** What one run of a service does. Times are ms after its start. */
export interface Behaviour {
  /** Never comes to run. */
  readonly failure?: SpawnFailure;
  /** From `Spawn` to `Spawned` or `SpawnFailed`. */
  readonly spawnMs?: number;
  /** Ends by itself. */
  readonly ends?: { readonly afterMs: number; readonly exit: Exit };
  /** How long it takes to leave when asked; `never`: until KILL. */
  readonly leaves?: number | "never";
  /** Its exit when asked to leave; none: killed by the signal. */
  readonly stopExit?: Exit;
  /** Processes that outlive the leader, and how long they take when asked. */
  readonly leftovers?: number;
  readonly leftoversLeave?: number | "never";
  /** When each readiness condition begins to hold; absent: at once. */
  readonly readyAfterMs?: readonly number[];
  /** Of a hook or a command, which otherwise is done at once: goes on until it is stopped. */
  readonly hangs?: boolean;
  /** What it tells over its socket or descriptor. */
  readonly notices?: readonly { readonly afterMs: number; readonly notice: Partial<Notice> }[];
  /** `WATCHDOG=1` so often, until so long after its start; with `readyAfterMs` for `READY=1`. */
  readonly alive?: { readonly everyMs: number; readonly untilMs: number };
  /** How it answers a health check so long after its start; absent: well, after 1 ms. */
  readonly check?: (sinceMs: number, index: number) => Check;
  /** Not even KILL helps. */
  readonly immortal?: boolean;
}

/** An answer that takes longer than the probe's time is none. */
export interface Check {
  readonly ok: boolean;
  readonly takesMs?: number;
}

/** Of a hook, `service` is `NAME/HOOK`. */
export type Script = (service: string, run: number, spec: SpawnSpec) => Behaviour;

export interface KernelOptions {
  readonly services: readonly SparseSpec[];
  readonly single?: boolean;
  readonly shutdownTimeoutMs?: number;
  readonly startConcurrency?: number;
  readonly leaveWhenDone?: boolean;
  readonly failedExitCode?: number;
  readonly restartBudget?: { readonly restarts: number; readonly windowMs: number };
  readonly seed?: number;
  readonly script?: Script;
  /** Events of so many ms come in one batch. */
  readonly batchMs?: () => number;
  /** Is the brain lost with this batch? */
  readonly loses?: (batch: number) => boolean;
  /** What belongs to no service at the end. */
  readonly strays?: number;
  readonly zones?: Config["zones"];
  /** Who is in the way of a start, as the nucleus tells it after a while; absent: nobody, at once. */
  readonly obstacles?: (query: Extract<Query, { type: "obstacles" }>) => {
    readonly takesMs: number;
    readonly answer: QueryAnswer;
  };
  /** What signals do, where that is not the usual. */
  readonly signals?: Config["supervisor"]["signals"];
}

/** A notice in which nothing is told. */
export const NOTHING_TOLD: Notice = {
  ready: false,
  reloading: false,
  stopping: false,
  status: null,
  errno: null,
  mainPid: null,
  watchdog: false,
  watchdogTrigger: false,
  watchdogMs: null,
  extendMs: null,
  storedFds: 0,
};

interface ProcessSet {
  readonly record: ChildRecord;
  readonly behaviour: Behaviour;
  readonly run: number;
  readonly spec: SpawnSpec;
  leaderLives: boolean;
  left: number;
  stopDeadline: number;
  stopBegan: number;
  receiptProcesses: ReceiptProcess[];
}

interface Happening {
  readonly at: number;
  readonly order: number;
  readonly what: () => void;
}

export interface Logged {
  readonly at: number;
  readonly command: Command;
}

const FIRST_PID = 100;

export class Kernel {
  now = 1000;
  /** Wall clock minus monotonic clock. */
  wallOffset = 1_700_000_000_000;
  world: World;
  /** As a fresh brain would find it. */
  config: Config;
  readonly random: Random;
  readonly sets = new Map<number, ProcessSet>();
  readonly timers = new Map<string, number>();
  /** Those of `timers` that go by the wall clock, and when each is due. */
  readonly wallTimers = new Map<string, number>();
  readonly probes = new Map<string, number>();
  readonly matches = new Map<string, { readonly log: string; readonly token: number }>();
  readonly logs = new Set<string>();
  readonly proxies = new SimProxies();
  readonly slate: Record<string, string> = {};
  /** How each leader ended, by its set. */
  readonly ends = new Map<number, Exit>();
  /** Every command that was applied. */
  readonly log: Logged[] = [];
  readonly published: { readonly seq: number; readonly [key: string]: unknown }[] = [];
  readonly said: string[] = [];
  /** The first signal of each stop. */
  readonly signals: { readonly id: number; readonly service: string; readonly signal: string }[] = [];
  /** Services whose kept descriptors were dropped. */
  readonly dropped: string[] = [];
  /** How starved the machine is, in percent; `null`: it does not tell. */
  pressure: number | null = null;
  exitCode: number | null = null;
  /** What becomes of the machine, as the last command said. */
  machine: Machine | null = null;
  /** How often the supervisor was to take its own place. */
  renewals = 0;
  batches = 0;
  losses = 0;
  /** Sees each batch after it was applied: the checks of the tests. */
  onBatch: ((events: readonly EngineEvent[], commands: readonly Command[]) => void) | null = null;
  /** Sees a batch that was decided on, before its commands are applied. */
  onBegin: ((events: readonly EngineEvent[]) => void) | null = null;
  /** Sees each command before it is applied. */
  onCommand: ((command: Command) => void) | null = null;
  onLoss: (() => void) | null = null;
  /** Asks that were lost with a batch are asked again, as a client would. */
  retryAsks = true;

  readonly #options: KernelOptions;
  readonly #agenda: Happening[] = [];
  #order = 0;
  #pending: EngineEvent[] = [];
  #nextId = 1;
  #nextSeq = 1;
  #nextPid = FIRST_PID;
  #tokens = 0;
  readonly #runs = new Map<string, number>();
  /** Descriptors kept, by service. */
  readonly #stored = new Map<string, number>();
  #spawning = new Map<number, { readonly spec: SpawnSpec; readonly behaviour: Behaviour }>();
  #rest: { readonly id: number; deadline: number; left: number; began: number; over: boolean } | null = null;
  readonly #used = new Set<number>();

  constructor(options: KernelOptions) {
    this.#options = options;
    this.config = {
      services: options.services,
      supervisor: {
        shutdownTimeoutMs: options.shutdownTimeoutMs ?? 60_000,
        ...(options.startConcurrency === undefined ? {} : { startConcurrency: options.startConcurrency }),
        ...(options.restartBudget === undefined ? {} : { restartBudget: options.restartBudget }),
        ...(options.signals === undefined ? {} : { signals: options.signals }),
        ...(options.leaveWhenDone === undefined ? {} : { leaveWhenDone: options.leaveWhenDone }),
        ...(options.failedExitCode === undefined ? {} : { failedExitCode: options.failedExitCode }),
        single: options.single ?? false,
      },
      ...(options.zones === undefined ? {} : { zones: options.zones }),
    };
    this.random = new Random(options.seed ?? 1);
    this.world = makeNothing();
  }

  /** The first brain. */
  start(): this {
    this.#boot(null);
    return this;
  }

  get clock(): Clock {
    return { now: this.now, wall: this.now + this.wallOffset };
  }

  // ---- what tests do

  ask(ask: Ask): void {
    this.#pending.push(ask);
  }

  askNow(ask: Ask): void {
    this.ask(ask);
    this.deliver();
  }

  /** An event as it stands, at its place among the others. */
  give(event: EngineEvent): void {
    this.#pending.push(event);
    this.deliver();
  }

  signal(signal: string, sender = 7): void {
    this.#pending.push({ type: "signal", signal, sender, at: this.now });
  }

  /** Something happens at a time to come. */
  at(at: number, what: () => void): void {
    const happening = { at: Math.max(at, this.now), order: this.#order++, what };
    // Insertion from the end: most come in order.
    let index = this.#agenda.length;
    while (index > 0 && later(this.#agenda[index - 1], happening)) index--;
    this.#agenda.splice(index, 0, happening);
  }

  /** The leader of a service's newest living set gets a deadly signal from outside. */
  crash(service: string, exit: Exit = { signal: "KILL" }): boolean {
    for (const [id, set] of this.sets) {
      if (set.record.service !== service || set.record.role !== "main" || !set.leaderLives) continue;
      this.#leaderEnds(id, exit);
      return true;
    }
    return false;
  }

  /** Runs until nothing is left that could happen, or until this time. */
  run(until = Number.POSITIVE_INFINITY, maxHappenings = 200_000): void {
    this.deliver();
    for (let count = 0; this.exitCode === null; count++) {
      if (count > maxHappenings) throw new Error("it never comes to rest");
      const next = this.#agenda[0];
      if (next === undefined || next.at > until) break;
      this.now = Math.max(this.now, next.at);
      const batchEnd = this.now + (this.#options.batchMs?.() ?? 0);
      for (
        let due = this.#agenda[0];
        due !== undefined && due.at <= Math.min(batchEnd, until);
        due = this.#agenda[0]
      ) {
        this.now = Math.max(this.now, due.at);
        this.#agenda.shift();
        due.what();
      }
      this.deliver();
    }
    if (until !== Number.POSITIVE_INFINITY && this.exitCode === null) this.now = Math.max(this.now, until);
  }

  /** Hands the brain what has come together. */
  deliver(): void {
    for (let rounds = 0; this.#pending.length > 0 && this.exitCode === null; rounds++) {
      if (rounds > 100_000) throw new Error("events without end");
      // A change comes by itself: it is judged by what its batch brings.
      const change = this.#pending.findIndex(({ type }) => type === "change");
      this.#give(this.#pending.splice(0, change === -1 ? this.#pending.length : Math.max(change, 1)));
    }
  }

  /** The brain ends here and now, between two batches. */
  loseBrain(): void {
    this.#lose([]);
  }

  /** What runs, or is about to, beside a service's main process. */
  liveSides(service: string): string[] {
    const alive = [...this.sets].filter(([id]) => !this.isEmpty(id)).map(([, { record }]) => record);
    const all = [...alive, ...[...this.#spawning.values()].map(({ spec }) => spec)];
    return all.filter((one) => one.service === service && one.role !== "main").map(({ role }) => role);
  }

  /** The same of its main process. */
  hasMain(service: string): boolean {
    const records = [...this.sets.values()].map(({ record }) => record);
    const all = [...records, ...[...this.#spawning.values()].map(({ spec }) => spec)];
    return all.some((one) => one.service === service && one.role === "main");
  }

  /** No process, no timer, nothing to come. */
  isIdle(): boolean {
    return this.timers.size === 0 && this.probes.size === 0 && this.matches.size === 0;
  }

  liveSets(service: string): number[] {
    return [...this.sets].filter(([, set]) => set.record.service === service).map(([id]) => id);
  }

  isEmpty(id: number): boolean {
    const set = this.sets.get(id);
    return set === undefined || (!set.leaderLives && set.left === 0);
  }

  runsOf(service: string): number {
    return this.#runs.get(service) ?? 0;
  }

  commands<Type extends Command["type"]>(type: Type): Extract<Command, { type: Type }>[] {
    return this.log
      .map(({ command }) => command)
      .filter((command): command is Extract<Command, { type: Type }> => command.type === type);
  }

  /** Time of each applied command of a type. */
  times(type: Command["type"], matches: (command: Command) => boolean = () => true): number[] {
    return this.log.filter(({ command }) => command.type === type && matches(command)).map(({ at }) => at);
  }

  // ---- the brain

  #give(batch: EngineEvent[]): void {
    const number = this.batches++;
    const commands: Command[] = [];
    for (const event of batch) commands.push(...step(this.world, event, this.clock));
    if (this.#options.loses?.(number)) this.#lose(batch);
    else this.#apply(batch, commands);
  }

  #apply(batch: readonly EngineEvent[], commands: readonly Command[]): void {
    this.onBegin?.(batch);
    for (const command of commands) {
      if (this.exitCode !== null) throw new Error(`a command after Exit: ${command.type}`);
      this.onCommand?.(command);
      this.log.push({ at: this.now, command });
      this.#obey(command);
    }
    this.onBatch?.(batch, commands);
  }

  #lose(batch: readonly EngineEvent[]): void {
    this.losses++;
    for (const id of [...this.#spawning.keys()]) this.#spawnEnds(id);
    this.timers.clear();
    this.wallTimers.clear();
    this.probes.clear();
    this.matches.clear();
    const undelivered = [...batch, ...this.#pending];
    this.#pending = undelivered.filter((event) => this.#survives(event));
    this.onLoss?.();
    this.#boot("a test wanted it");
  }

  /** Signals are delivered again, asks come again; facts of the table may come twice. */
  #survives(event: EngineEvent): boolean {
    switch (event.type) {
      case "signal":
        return true;
      case "start":
      case "stop":
      case "restart":
      case "kill":
      case "reload":
      case "pin":
      case "unpin":
      case "mask":
      case "unmask":
      case "change":
      case "proxy":
      case "shutdown":
        return this.retryAsks;
      case "spawned":
      case "exited":
      case "stopped":
        return this.random.next() < 0.3;
      default:
        return false;
    }
  }

  #boot(lost: string | null): void {
    const { world, commands } = boot(
      {
        lost,
        config: structuredClone(this.config),
        seed: Math.floor(this.random.next() * 2 ** 32),
        nextId: this.#nextId,
        nextSeq: this.#nextSeq,
        children: [...this.sets.values()].map((set) => structuredClone(this.#recordOf(set))),
        slate: { ...this.slate },
        proxies: this.proxies.records(),
        pid: 1,
        pidOne: true,
        wallStarted: this.wallOffset,
      },
      this.clock,
    );
    this.world = world;
    this.#apply([], commands);
  }

  #recordOf(set: ProcessSet): ChildRecord {
    const { record } = set;
    record.leftovers = set.left;
    return record;
  }

  // ---- commands

  #obey(command: Command): void {
    switch (command.type) {
      case "spawn":
        this.#spawn(command);
        break;
      case "signal":
        this.#signalSet(command.id, command.signal);
        break;
      case "stop":
        this.#stop(command.id, command.signal, command.timeoutMs);
        break;
      case "stopRest":
        this.#stopRest(command.id, command.timeoutMs);
        break;
      case "forget":
        this.#forget(command.id);
        break;
      case "arm":
        this.#arm(command.key, command.at);
        break;
      case "armWall":
        this.#armWall(command.key, command.wall);
        break;
      case "cancel":
        this.timers.delete(command.key);
        this.wallTimers.delete(command.key);
        break;
      case "probe":
        this.#probe(command.key, command.probe, command.timeoutMs);
        break;
      case "query":
        this.#query(command.key, command.query);
        break;
      case "dropFds":
        this.dropped.push(command.service);
        this.#stored.delete(command.service);
        break;
      case "extendStop":
        this.#extendStop(command.id, command.timeoutMs);
        break;
      case "cancelProbe":
        this.probes.delete(command.key);
        break;
      case "matchLog":
        this.#matchLog(command);
        break;
      case "unmatchLog":
        this.matches.delete(command.key);
        break;
      case "openLog":
        this.logs.add(command.log);
        break;
      case "closeLog":
        this.logs.delete(command.log);
        break;
      case "keepConfig":
        // As text, like everything that crosses.
        this.config = JSON.parse(JSON.stringify(command.config));
        break;
      case "openProxy":
      case "closeProxy":
      case "proxyUp":
      case "proxyRefuse":
        this.proxies.obey(command);
        break;
      case "publish":
        if (command.seq < this.#nextSeq) throw new Error(`event number ${command.seq} again`);
        this.#nextSeq = command.seq + 1;
        this.published.push(JSON.parse(command.text));
        break;
      case "slate":
        if (command.value === null) delete this.slate[command.key];
        else this.slate[command.key] = command.value;
        break;
      case "say":
        this.said.push(command.text);
        break;
      case "renew":
        this.renewals++;
        break;
      case "exit":
        this.exitCode = command.code;
        this.machine = command.machine ?? null;
        break;
      default:
        throw new Error(`the engine has no business with ${command.type}`);
    }
  }

  #useId(id: number): void {
    if (this.#used.has(id) || id < this.#nextId || id >= 0x8000_0000) throw new Error(`id ${id} was used`);
    this.#used.add(id);
    this.#nextId = id + 1;
  }

  #spawn({ id, spec }: Extract<Command, { type: "spawn" }>): void {
    this.#useId(id);
    if (spec.log !== null && !this.logs.has(spec.log)) throw new Error(`log ${spec.log} is not open`);
    const name = spec.role === "main" ? spec.service : `${spec.service}/${spec.role}`;
    const run = (this.#runs.get(name) ?? 0) + 1;
    this.#runs.set(name, run);
    const behaviour = this.#options.script?.(name, run, spec) ?? {};
    this.#spawning.set(id, { spec, behaviour });
    this.at(this.now + (behaviour.spawnMs ?? 0), () => this.#spawnEnds(id));
  }

  #spawnEnds(id: number): void {
    const spawn = this.#spawning.get(id);
    if (spawn === undefined) return;
    this.#spawning.delete(id);
    const { spec, behaviour } = spawn;
    const { service, role } = spec;
    if (behaviour.failure !== undefined) {
      this.#pending.push({ type: "spawnFailed", id, at: this.now, failure: behaviour.failure });
      return;
    }
    const pid = this.#nextPid++;
    this.sets.set(id, {
      record: {
        id,
        service,
        role,
        pid,
        started: this.now,
        exit: null,
        exited: null,
        leftovers: 0,
        stopping: false,
        receipt: null,
        notice: null,
        watchdogAt: 0,
      },
      behaviour,
      spec,
      run: this.runsOf(service),
      leaderLives: true,
      left: 0,
      stopDeadline: Number.POSITIVE_INFINITY,
      stopBegan: 0,
      receiptProcesses: [],
    });
    this.#pending.push({ type: "spawned", id, pid, at: this.now });
    for (const key of this.matches.keys()) {
      if (key.startsWith(`log ${id} `))
        this.#scheduleLine(key, this.#holdsAt(key) ?? Number.POSITIVE_INFINITY);
    }
    this.#scheduleNotices(id, spec, behaviour);
    const short = spec.role !== "main" && !behaviour.hangs ? { afterMs: 0, exit: { code: 0 } } : undefined;
    const ends = behaviour.ends ?? short;
    if (ends !== undefined) this.at(this.now + ends.afterMs, () => this.#leaderEnds(id, ends.exit));
  }

  /** Without a script it tells that it is ready when its conditions hold. */
  #scheduleNotices(id: number, { notify }: SpawnSpec, behaviour: Behaviour): void {
    if (notify === null) return;
    const began = this.now;
    const isSocket = notify.type === "socket"; // A descriptor has one thing to tell.
    for (const { afterMs, notice } of behaviour.notices ?? []) {
      if (isSocket || notice.ready) this.at(began + afterMs, () => this.tell(id, notice));
    }
    const { alive } = behaviour;
    if (alive === undefined || !isSocket) return;
    const beat = (afterMs: number) => {
      if (afterMs > alive.untilMs || !this.tell(id, { watchdog: true })) return;
      this.at(began + afterMs + alive.everyMs, () => beat(afterMs + alive.everyMs));
    };
    this.at(began + alive.everyMs, () => beat(alive.everyMs));
  }

  /** A process of the set tells something. False if none is left that could. */
  tell(id: number, told: Partial<Notice>): boolean {
    const set = this.sets.get(id);
    if (set === undefined || set.spec.notify === null || (!set.leaderLives && set.left === 0)) return false;
    const { record } = set;
    const former = record.notice ?? NOTHING_TOLD;
    const { service } = record;
    if (told.storedFds !== undefined) this.#stored.set(service, told.storedFds);
    const storedFds = this.#stored.get(service) ?? 0;
    const notice: Notice = { ...NOTHING_TOLD, ...told, storedFds };
    const given = Object.entries(told).filter(([, value]) => value !== null && value !== false);
    record.notice = { ...former, ...Object.fromEntries(given), storedFds };
    if (notice.ready && !notice.reloading) record.notice.reloading = false;
    if (notice.watchdog) record.watchdogAt = this.now;
    if (notice.mainPid !== null) record.pid = notice.mainPid;
    this.#pending.push({ type: "notified", id, at: this.now, notice });
    return true;
  }

  #leaderEnds(id: number, exit: Exit): void {
    const set = this.sets.get(id);
    if (set === undefined || !set.leaderLives) return;
    set.leaderLives = false;
    this.ends.set(id, exit);
    set.left = exit !== null && set.stopDeadline <= this.now ? 0 : (set.behaviour.leftovers ?? 0);
    set.record.exit = exit;
    set.record.exited = this.now;
    // What has left before the stop is not in its receipt.
    if (set.record.stopping) set.receiptProcesses.push(this.#processOf(set, exit));
    this.#pending.push({ type: "exited", id, at: this.now, exit, leftovers: set.left });
    if (set.record.stopping) this.#leftoversLeave(id, set);
  }

  #processOf(set: ProcessSet, exit: Exit | null): ReceiptProcess {
    return {
      pid: set.record.pid,
      command: set.record.service,
      found: "child",
      signals: [],
      left_ms: exit === null ? null : this.now - set.stopBegan,
      exit,
      killed: exit !== null && "signal" in exit && exit.signal === "KILL",
    };
  }

  #leftoversLeave(id: number, set: ProcessSet): void {
    const takes = set.behaviour.leftoversLeave ?? 0;
    if (set.left === 0) this.#setEmpty(id, set);
    else if (takes !== "never") this.at(this.now + takes, () => this.#leftoversGone(id));
  }

  #leftoversGone(id: number): void {
    const set = this.sets.get(id);
    if (set === undefined || set.left === 0) return;
    set.left = 0;
    this.#setEmpty(id, set);
  }

  #setEmpty(id: number, set: ProcessSet): void {
    if (!set.record.stopping) return;
    set.record.stopping = false;
    this.#stopEnds(id, set, true);
  }

  #stopEnds(id: number, set: ProcessSet, empty: boolean): void {
    const receipt: Receipt = {
      service: set.record.service,
      empty,
      duration_ms: this.now - set.stopBegan,
      processes: empty ? set.receiptProcesses : [this.#processOf(set, null)],
    };
    set.record.receipt = receipt;
    this.#pending.push({ type: "stopped", id, at: this.now, receipt });
  }

  #signalSet(id: number, signal: string): void {
    const set = this.sets.get(id);
    if (set === undefined) throw new Error(`signal to unknown set ${id}`);
    const deadly = ["KILL", "TERM", "INT", "QUIT", "HUP"].includes(signal);
    if (deadly && (signal === "KILL" || set.behaviour.leaves !== "never")) {
      this.#leaderEnds(id, set.behaviour.stopExit ?? { signal });
    }
  }

  #stop(id: number, signal: string, timeoutMs: number): void {
    const set = this.sets.get(id);
    if (set === undefined) throw new Error(`stop of unknown set ${id}`);
    if (set.record.receipt !== null) return; // It has ended; the news of it is on its way.
    const deadline = this.now + timeoutMs;
    const first = !set.record.stopping;
    if (!first && deadline >= set.stopDeadline) return;
    set.stopDeadline = deadline;
    if (Number.isFinite(deadline)) this.at(deadline, () => this.#killSet(id, deadline));
    if (!first) return;
    set.record.stopping = true;
    set.stopBegan = this.now;
    const { leaves, stopExit } = set.behaviour;
    this.signals.push({ id, service: set.record.service, signal });
    if (!set.leaderLives) this.#leftoversLeave(id, set);
    else if (leaves !== "never") {
      this.at(this.now + (leaves ?? 0), () => this.#leaderEnds(id, stopExit ?? { signal }));
    }
  }

  #extendStop(id: number, timeoutMs: number): void {
    const set = this.sets.get(id);
    if (set === undefined) throw new Error(`more time for unknown set ${id}`);
    const deadline = this.now + timeoutMs;
    if (!set.record.stopping || deadline <= set.stopDeadline) return;
    set.stopDeadline = deadline;
    if (Number.isFinite(deadline)) this.at(deadline, () => this.#killSet(id, deadline));
  }

  #killSet(id: number, deadline: number): void {
    const set = this.sets.get(id);
    if (set === undefined || !set.record.stopping || set.stopDeadline !== deadline) return;
    if (set.behaviour.immortal) {
      set.record.stopping = false;
      this.#stopEnds(id, set, false);
      return;
    }
    if (set.leaderLives) this.#leaderEnds(id, { signal: "KILL" });
    else this.#leftoversGone(id);
  }

  #stopRest(id: number, timeoutMs: number): void {
    if (this.#rest?.id !== id) {
      this.#useId(id);
      this.#rest = { id, deadline: 0, left: this.#options.strays ?? 0, began: this.now, over: false };
    }
    const rest = this.#rest;
    rest.deadline = this.now + timeoutMs;
    this.at(rest.left === 0 ? this.now : rest.deadline, () => {
      if (rest.over || this.#rest !== rest) return;
      rest.over = true;
      const receipt = { service: null, empty: true, duration_ms: this.now - rest.began, processes: [] };
      this.#pending.push({ type: "stopped", id, at: this.now, receipt });
    });
  }

  #forget(id: number): void {
    if (id === this.#rest?.id) return;
    const set = this.sets.get(id);
    if (set === undefined) throw new Error(`forget of unknown set ${id}`);
    const proven = set.record.receipt !== null && !set.record.receipt.empty;
    if (!proven && (set.leaderLives || set.left > 0)) throw new Error(`set ${id} is forgotten alive`);
    this.sets.delete(id);
  }

  #armWall(key: string, wall: number): void {
    this.#arm(key, wall - this.wallOffset);
    this.wallTimers.set(key, wall);
  }

  /** Somebody sets the clock; or the machine slept, and its monotonic clock stood still. */
  moveClock(ms: number): void {
    this.wallOffset += ms;
    this.#pending.push({ type: "clockSet", at: this.now });
    for (const [key, wall] of [...this.wallTimers]) this.#armWall(key, wall);
  }

  /** Nothing is done for a while, by nobody. */
  oversleep(ms: number): void {
    this.now += ms;
  }

  #arm(key: string, at: number): void {
    if (!Number.isFinite(at)) throw new Error(`timer ${key} is never due`);
    const token = ++this.#tokens;
    this.timers.set(key, token);
    this.wallTimers.delete(key);
    this.at(at, () => {
      if (this.timers.get(key) !== token) return;
      this.timers.delete(key);
      this.wallTimers.delete(key);
      this.#pending.push({ type: "timer", key, at: this.now });
    });
  }

  /** When the condition that a key names begins to hold, or has begun; `null`: nobody can know. */
  #holdsAt(key: string): number | null {
    const [, id, index] = key.split(" ");
    const set = this.sets.get(Number(id));
    if (set === undefined) return null;
    return set.record.started + (set.behaviour.readyAfterMs?.[Number(index)] ?? 0);
  }

  #probe(key: string, probe: Probe, timeoutMs: number): void {
    if (this.probes.has(key)) throw new Error(`probe ${key} is at work already`);
    const token = ++this.#tokens;
    this.probes.set(key, token);
    const { ok, takesMs = 1 } = this.#answerTo(key, probe);
    const timedOut = takesMs > timeoutMs;
    const holds = ok && !timedOut;
    const reason = timedOut ? "no answer in time" : ok ? "" : "refused";
    this.at(this.now + Math.min(takesMs, timeoutMs), () => {
      if (this.probes.get(key) !== token) return;
      this.probes.delete(key);
      const at = this.now;
      const pressure = timedOut || probe.type === "pressure" ? this.pressure : null;
      const tookMs = Math.min(takesMs, timeoutMs);
      this.#pending.push({ type: "probed", key, at, ok: holds, reason, tookMs, timedOut, pressure });
    });
  }

  /** The answer comes also to a brain that has not asked. */
  #query(key: string, query: Query): void {
    if (query.type !== "obstacles") throw new Error(`the engine has no business with ${query.type}`);
    const nobody: QueryAnswer = { type: "obstacles", ports: [], processes: [] };
    const { takesMs, answer } = this.#options.obstacles?.(query) ?? { takesMs: 0, answer: nobody };
    this.at(this.now + takesMs, () => this.#pending.push({ type: "answered", key, at: this.now, answer }));
  }

  #answerTo(key: string, probe: Probe): Check {
    const [what, id, index] = key.split(" ");
    if (probe.type === "pressure") return { ok: true };
    const set = this.sets.get(Number(id));
    if (what === "health" && set !== undefined) {
      return set.behaviour.check?.(this.now - set.record.started, Number(index)) ?? { ok: true };
    }
    const holds = this.#holdsAt(key);
    return { ok: holds !== null && holds <= this.now };
  }

  #matchLog({ key, log, sincePid }: Extract<Command, { type: "matchLog" }>): void {
    this.matches.set(key, { log, token: ++this.#tokens });
    const holds = this.#holdsAt(key);
    if (holds === null) return; // Its process is still to come.
    if (holds < this.now && sincePid === null) return; // The line has gone by.
    this.#scheduleLine(key, holds);
  }

  #scheduleLine(key: string, at: number): void {
    const token = this.matches.get(key)?.token;
    if (token === undefined || !Number.isFinite(at)) return;
    this.at(at, () => {
      if (this.matches.get(key)?.token !== token) return;
      this.matches.delete(key);
      this.#pending.push({ type: "logMatched", key, at: this.now });
    });
  }
}

/** Before the first brain there is no world, and nobody asks for one. */
function makeNothing(): World {
  return Object.freeze({}) as World;
}

function later(a: Happening | undefined, b: Happening): boolean {
  return a !== undefined && (a.at > b.at || (a.at === b.at && a.order > b.order));
}
