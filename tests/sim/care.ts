/**
 * The judge of what is asked of services and what they tell: readiness probes, health checks and
 * watchdogs. Like the other one it knows the rules, follows what goes over the boundary, and
 * throws when one is broken.
 */
import type { EngineEvent } from "../../src/engine/index.ts";
import { stretchFactor } from "../../src/engine/starvation.ts";
import { mustLeave } from "../../src/engine/world.ts";
import type { Command, SpawnSpec } from "../../src/generated/protocol.ts";
import type { ServiceSpec } from "../../src/model/spec.ts";
import { Configured } from "./configured.ts";
import type { Kernel } from "./kernel.ts";

/** A batch may last so long, and an answer comes 1 ms later. */
const SLACK_MS = 25;
/** With each lost brain a question may have to be put once more. */
const LOSS_SLACK_MS = 2_000;

interface Cared {
  readonly id: number;
  readonly spec: ServiceSpec;
  /** Since when it is ready; 0: it is not. */
  readySince: number;
  stopSent: boolean;
  /** Health probes at work, and those that were asked a second time in this check. */
  readonly flying: Set<number>;
  readonly again: Set<number>;
  /** Of those, what is still to be asked with the commands of this batch. */
  readonly owed: Set<number>;
  roundBegan: number;
  roundFailed: boolean;
  failures: number;
  /** The most of them at any time of this batch. */
  peak: number;
  verdicts: number;
  /** Of its watchdog, as heard so far, and before this batch. */
  watch: Watch;
  watchBefore: Watch;
  triggered: boolean;
  /** Its watchdog has given its verdict; until the `Stop` there may be hooks, and news from it. */
  bitten: boolean;
}

interface Watch {
  readonly intervalMs: number;
  readonly alive: number;
  /** By the last EXTEND_TIMEOUT_USEC, whatever deadline it was for. */
  readonly extendUntil: number;
  /** By the last one that came while it ran: before, it was for the deadline of its start. */
  readonly granted: number;
}

export class CareJudge {
  readonly #kernel: Kernel;
  readonly #configured: Configured;
  readonly #sets = new Map<number, Cared>();
  readonly #current = new Map<string, Cared>();
  #state = new Map<string, string>();
  #lastLoss = Number.NEGATIVE_INFINITY;

  constructor(kernel: Kernel, configured = new Configured(kernel.config.services)) {
    this.#kernel = kernel;
    this.#configured = configured;
  }

  // ---- what is heard

  begin(events: readonly EngineEvent[]): void {
    for (const cared of this.#sets.values()) {
      cared.watchBefore = cared.watch;
      cared.peak = cared.failures;
    }
    for (const event of events) {
      if (event.type === "probed") this.#answered(event);
      if (event.type === "notified") this.#told(event);
    }
  }

  #answered(event: Extract<EngineEvent, { type: "probed" }>): void {
    const [what, id, index] = event.key.split(" ");
    const cared = this.#sets.get(Number(id));
    if (what !== "health" || cared === undefined || !cared.flying.delete(Number(index))) return;
    const excused = event.timedOut && stretchFactor(event.pressure) > 1 && !cared.again.has(Number(index));
    if (excused) {
      cared.again.add(Number(index));
      cared.owed.add(Number(index));
      return;
    }
    if (!event.ok) cared.roundFailed = true;
    if (cared.flying.size > 0 || cared.owed.size > 0) return;
    cared.failures = cared.roundFailed ? cared.failures + 1 : 0;
    cared.peak = Math.max(cared.peak, cared.failures);
  }

  #told({ id, at, notice }: Extract<EngineEvent, { type: "notified" }>): void {
    const cared = this.#sets.get(id);
    if (cared === undefined) return;
    const { watch, readySince } = cared;
    const extendUntil = notice.extendMs === null ? watch.extendUntil : at + notice.extendMs;
    cared.watch = {
      intervalMs: notice.watchdogMs ?? watch.intervalMs,
      alive: notice.watchdog || notice.watchdogMs !== null ? at : watch.alive,
      extendUntil,
      granted: notice.extendMs !== null && readySince > 0 ? extendUntil : watch.granted,
    };
    if (notice.watchdogTrigger) cared.triggered = true;
  }

  /** What was at work is forgotten; what the table tells is heard. */
  lose(): void {
    this.#lastLoss = this.#kernel.now;
    for (const cared of this.#sets.values()) {
      cared.flying.clear();
      cared.again.clear();
      cared.owed.clear();
      const record = this.#kernel.sets.get(cared.id)?.record;
      if (record === undefined) continue;
      const { watch } = cared;
      const alive = Math.max(watch.alive, record.watchdogAt);
      cared.watch = { ...watch, alive, intervalMs: record.notice?.watchdogMs ?? watch.intervalMs };
      cared.triggered ||= record.notice?.watchdogTrigger ?? false;
    }
  }

  // ---- what is decided

  judge(command: Command): void {
    if (command.type === "spawn" && command.spec.role === "main") this.#spawned(command.id, command.spec);
    if (command.type === "stop") this.#stopped(command.id, command.signal);
    if (command.type === "probe") this.#probed(command.key, command.timeoutMs);
    if (command.type === "cancelProbe") this.#cancelled(command.key);
    if (command.type === "publish") this.#published(JSON.parse(command.text));
  }

  #spawned(id: number, spawn: SpawnSpec): void {
    const spec = this.#configured.of(spawn);
    const watch = { intervalMs: spec.watchdogMs, alive: 0, extendUntil: 0, granted: 0 };
    const cared: Cared = {
      id,
      spec,
      readySince: 0,
      stopSent: false,
      flying: new Set(),
      again: new Set(),
      owed: new Set(),
      roundBegan: 0,
      roundFailed: false,
      failures: 0,
      peak: 0,
      verdicts: 0,
      watch,
      watchBefore: watch,
      triggered: false,
      bitten: false,
    };
    this.#sets.set(id, cared);
    this.#current.set(spec.name, cared);
  }

  #probed(key: string, timeoutMs: number): void {
    const [what, id, number] = key.split(" ");
    const cared = this.#sets.get(Number(id));
    if (cared === undefined) throw new Error(`${key}: nobody's probe`);
    const { name, health } = cared.spec;
    const state = this.#state.get(name);
    if (cared.stopSent) throw new Error(`${name} is asked (${key}) while it stops`);
    if (what === "probe" && state !== "starting") throw new Error(`${name} is probed (${key}), ${state}`);
    if (what !== "health") return;
    const awaited = state === "starting" && cared.spec.ready.some(({ type }) => type === "health");
    if ((state !== "running" && !awaited) || health === null) throw new Error(`${name} is checked, ${state}`);
    const index = Number(number);
    if (cared.flying.has(index)) throw new Error(`${name}: probe ${index} overlaps itself`);
    const second = cared.owed.delete(index);
    if (second && timeoutMs <= health.timeoutMs) throw new Error(`${name}: no more time is given`);
    if (!second) this.#roundBegins(cared);
    cared.flying.add(index);
  }

  /** All probes of a check are sent at once. */
  #roundBegins(cared: Cared): void {
    const sameRound = cared.roundBegan === this.#kernel.now && cared.flying.size > 0;
    if (sameRound) return;
    if (cared.flying.size + cared.owed.size > 0) throw new Error(`${cared.spec.name}: two checks at once`);
    cared.roundBegan = this.#kernel.now;
    cared.roundFailed = false;
    cared.again.clear();
  }

  #cancelled(key: string): void {
    const [what, id, index] = key.split(" ");
    if (what === "health") this.#sets.get(Number(id))?.flying.delete(Number(index));
  }

  #published(event: { service: string | null; event: string; to: string | null; cause: string }): void {
    if (event.service === null || event.to === null) return;
    const cared = this.#current.get(event.service);
    if (event.event === "state") this.#stateOf(event.service, event.to, event.cause, cared);
    if (event.event === "health" && event.to === "unhealthy" && cared !== undefined) this.#verdict(cared);
  }

  #stateOf(service: string, state: string, cause: string, cared: Cared | undefined): void {
    this.#state.set(service, state);
    if (cared === undefined) return;
    if (state === "stopping" && cause.startsWith("watchdog: ")) this.#bites(cared);
    cared.readySince = state === "running" ? this.#kernel.now : 0;
    const sick = state === "stopping" && cause.startsWith("unhealthy");
    if (sick && cared.verdicts !== 1)
      throw new Error(`${service} is stopped with ${cared.verdicts} verdicts`);
  }

  #verdict(cared: Cared): void {
    const { name, health } = cared.spec;
    if (health === null) throw new Error(`${name} has no checks`);
    // A brain that was lost has taken half a check along.
    if (cared.peak < health.failures && this.#kernel.losses === 0) {
      throw new Error(`${name}: unhealthy after ${cared.peak} failed checks`);
    }
    cared.verdicts++;
    if (health.onFailure !== "mark" && cared.verdicts > 1) throw new Error(`${name}: a second verdict`);
  }

  #stopped(id: number, signal: string): void {
    const cared = this.#sets.get(id);
    if (cared === undefined) return;
    const first = !cared.stopSent;
    cared.stopSent = true;
    if (first && signal === "ABRT" && !cared.triggered) this.#bites(cared);
  }

  /**
   * The watchdog's verdict, judged when it is told, since hooks may delay the `Stop`; and by what was
   * known before its batch, since what came with the batch may have come after the verdict.
   */
  #bites(cared: Cared): void {
    if (cared.bitten) return;
    cared.bitten = true;
    const { intervalMs, alive, granted } = cared.watchBefore;
    const since = Math.max(alive, cared.readySince);
    const allowed = intervalMs * stretchFactor(this.#kernel.pressure);
    const early = this.#kernel.now < Math.max(since + allowed, granted) - 1e-6;
    if (early) throw new Error(`${cared.spec.name}: the watchdog bites too early`);
  }

  // ---- what has not been decided

  end(): void {
    for (const service of this.#kernel.world.services) {
      const cared = this.#current.get(service.spec.name);
      if (cared === undefined || cared.id !== service.child) continue;
      if (service.state !== "running" || mustLeave(service)) continue;
      this.#judgeWatchdog(cared);
      const verdict = cared.verdicts > 0 && cared.spec.health?.onFailure !== "mark";
      if (verdict) throw new Error(`${cared.spec.name} runs on with a verdict`);
    }
  }

  #judgeWatchdog(cared: Cared): void {
    const { intervalMs, alive, extendUntil } = cared.watch;
    if (intervalMs === 0 || cared.readySince === 0) return;
    const { now, pressure } = this.#kernel;
    const allowed = intervalMs * stretchFactor(pressure) + SLACK_MS;
    const since = Math.max(alive, cared.readySince);
    const due = Math.max(since + allowed, extendUntil + SLACK_MS, this.#lastLoss + LOSS_SLACK_MS);
    if (now > due) throw new Error(`${cared.spec.name}: the watchdog sleeps`);
  }
}
