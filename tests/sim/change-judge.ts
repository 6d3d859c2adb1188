/**
 * The judge of changes: what is removed leaves for good, what is defined anew begins with what it
 * is now and ends with what it began with, and nobody else is disturbed.
 */
import type { ChangeAsk, EngineEvent } from "../../src/engine/index.ts";
import { heldText, mustLeave } from "../../src/engine/world.ts";
import type { Command } from "../../src/generated/protocol.ts";
import type { ServiceSpec } from "../../src/model/spec.ts";
import { type Configured, changesOf } from "./configured.ts";
import type { Kernel } from "./kernel.ts";

export class ChangeJudge {
  readonly #kernel: Kernel;
  readonly #configured: Configured;
  /** Whom a change may stop at once; `null`: no change is at work, or conflicts confuse it. */
  #allowed: ReadonlySet<string> | null = null;
  readonly #conflicts: boolean;
  /** Who had to leave before the change. */
  #leaving: ReadonlySet<string> = new Set();
  /** What has to run what is configured now. */
  readonly #renewed = new Set<string>();

  constructor(kernel: Kernel, configured: Configured, conflicts: boolean) {
    this.#kernel = kernel;
    this.#configured = configured;
    this.#conflicts = conflicts;
  }

  /** A change is about to be asked for. */
  prepare(): void {
    const leaving = this.#kernel.world.services.filter(mustLeave);
    this.#leaving = new Set(leaving.map(({ spec }) => spec.name));
  }

  begin(events: readonly EngineEvent[]): void {
    this.#allowed = null;
    const asks = this.#kernel.world.shutdown.phase === "running" ? changesOf(events) : [];
    for (const ask of asks) {
      if (events.length > 1) throw new Error("a change comes by itself, or nobody can judge it");
      const before = new Map(this.#configured.now);
      this.#configured.take(ask);
      if (!this.#conflicts) this.#allowed = this.#allowedBy(ask, before);
      this.#noteRenewed(ask);
    }
  }

  #noteRenewed(ask: ChangeAsk): void {
    for (const { name } of ask.set) {
      const service = this.#kernel.world.byName.get(name);
      const held = service === undefined || heldText(service) !== null;
      if (ask.restart && !held) this.#renewed.add(name);
      else this.#renewed.delete(name);
    }
  }

  #allowedBy(ask: ChangeAsk, before: ReadonlyMap<string, ServiceSpec>): Set<string> {
    const set = new Set(ask.set.map(({ name }) => name));
    const allowed = new Set([...this.#leaving, ...ask.remove.filter((name) => !set.has(name))]);
    const specs = [...before.values(), ...this.#configured.now.values()];
    for (const name of allowed) {
      for (const spec of specs) {
        if (spec.requires.some((requirement) => requirement.name === name)) allowed.add(spec.name);
      }
    }
    if (ask.restart) for (const name of set) allowed.add(name);
    return allowed;
  }

  judge(command: Command): void {
    if (command.type === "publish") this.#published(JSON.parse(command.text));
    if (command.type === "stop") this.#stopped(command.id);
    if (command.type === "spawn" && command.spec.role === "main") {
      const { service } = command.spec;
      if (!this.#configured.has(service)) throw new Error(`${service} is started, and was removed`);
    }
  }

  #published({ event, service, to }: { event: string; service: string | null; to: string | null }): void {
    if (event === "change" && to === "removed" && service !== null) this.#forgotten(service);
  }

  #forgotten(service: string): void {
    this.#configured.forget(service);
    this.#renewed.delete(service);
    const left = this.#kernel.liveSets(service).filter((id) => !this.#kernel.isEmpty(id));
    if (left.length > 0) throw new Error(`${service} is forgotten, and its set ${left[0]} is there`);
  }

  #stopped(id: number): void {
    const service = this.#kernel.sets.get(id)?.record.service;
    if (service === undefined || this.#allowed === null || this.#allowed.has(service)) return;
    throw new Error(`${service} is stopped by a change that has nothing to do with it`);
  }

  /** No more trouble: everything is as the last change wanted it. */
  settled(): void {
    const { kernel, names } = { kernel: this.#kernel, names: [...this.#configured.now.keys()].sort() };
    const same = (what: string, found: readonly string[]) => {
      const sorted = [...found].sort();
      if (JSON.stringify(sorted) !== JSON.stringify(names))
        throw new Error(`${what}: ${sorted.join()}, not ${names.join()}`);
    };
    if (this.#configured.leaving.size > 0) throw new Error("what was removed is still there");
    same(
      "services",
      kernel.world.services.map(({ spec }) => spec.name),
    );
    same(
      "what the nucleus keeps",
      kernel.config.services.map(({ name }) => name),
    );
    this.#nothingOfOthers(names);
    this.#rightDefinitions();
  }

  #nothingOfOthers(names: readonly string[]): void {
    const mine = (name: string) => names.includes(name.replace(/\/.*/, ""));
    const records = Object.keys(this.#kernel.slate).filter((key) => key.startsWith("service "));
    const found = [
      ...records.map((key) => key.slice("service ".length)),
      ...this.#kernel.logs,
      ...[...this.#kernel.sets.values()].map(({ record }) => record.service),
    ];
    for (const name of found) if (!mine(name)) throw new Error(`something of ${name} is left`);
  }

  #rightDefinitions(): void {
    for (const sparse of this.#kernel.config.services) {
      const spec = this.#configured.now.get(sparse.name);
      if (JSON.stringify(sparse.argv) !== JSON.stringify(spec?.argv)) {
        throw new Error(`${sparse.name}: kept as ${sparse.argv?.join(" ")}, not as ${spec?.argv.join(" ")}`);
      }
    }
    for (const { record, spec } of this.#kernel.sets.values()) {
      if (record.role !== "main" || !this.#renewed.has(record.service)) continue;
      if (!this.#configured.isPresent(spec)) throw new Error(`${record.service} runs as it was long ago`);
    }
  }
}
