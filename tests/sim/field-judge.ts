/**
 * Watches start delays, those that fail with others, and the end when nothing is left to do; throws
 * when one of them comes too early, too late or not at all.
 */
import type { EngineEvent } from "../../src/engine/index.ts";
import { hasEnded, mustLeave, pinnedUp, type Service, wantsUp } from "../../src/engine/world.ts";
import type { Command } from "../../src/generated/protocol.ts";
import type { Configured } from "./configured.ts";
import type { Kernel } from "./kernel.ts";

const BY_A_FELLOW = "fails with ";

export class FieldJudge {
  readonly #kernel: Kernel;
  readonly #configured: Configured;
  readonly #leaves: boolean;
  /** Since when each waits, as was published. */
  readonly #waits = new Map<string, number>();
  /** Those of this batch that have failed for good, by an end of their own. */
  #failed: string[] = [];
  #shuttingDown = false;
  /** How many were ended because of another, or need not begin. */
  ended = 0;

  constructor(kernel: Kernel, configured: Configured, leaves: boolean) {
    this.#kernel = kernel;
    this.#configured = configured;
    this.#leaves = leaves;
  }

  begin(_events: readonly EngineEvent[]): void {
    this.#failed = [];
  }

  judge(command: Command): void {
    if (command.type === "publish") this.#note(JSON.parse(command.text));
    if (command.type !== "spawn") return;
    const { service, role } = command.spec;
    const spec = this.#configured.of(command.spec);
    const first = spec.hooks?.["before-start"] === undefined ? "main" : "before-start";
    if (role !== first || spec.startDelayMs === 0) return;
    const since = this.#waits.get(service);
    const waited = since === undefined ? 0 : this.#kernel.now - since;
    if (waited < spec.startDelayMs - 1e-6) throw new Error(`${service} is started after ${waited} ms`);
  }

  #note(event: { service: string | null; event: string; to: string | null; cause: string }): void {
    const { service, to, cause } = event;
    if (event.event === "supervisor" && cause.startsWith("shutting down")) {
      this.#shuttingDown = true;
      if (cause.endsWith("nothing is left to do")) this.#judgeDone();
    }
    if (event.event !== "state" || service === null) return;
    if (to === "waiting") this.#waits.set(service, this.#kernel.now);
    if (cause.startsWith(BY_A_FELLOW) && (to === "stopping" || to === "exited")) this.ended++;
    if (to === "failed" && !cause.includes(BY_A_FELLOW)) this.#failed.push(service);
  }

  /** After each batch: whoever fails with what has failed does not go on as if nothing had been. */
  end(): void {
    const { world } = this.#kernel;
    for (const service of world.services) {
      const { failWith } = world.planned.get(service) ?? service.spec;
      const failed = failWith.find((name) => this.#failed.includes(name));
      if (failed !== undefined && this.#goesOn(service, failed)) {
        throw new Error(`${service.spec.name} goes on (${service.state}), ${failed} has failed`);
      }
    }
    if (this.#leaves && !this.#shuttingDown && this.#isSilent()) throw new Error("nothing is left to do");
  }

  /** Begun before the other failed; what has come since has a life of its own. */
  #goesOn(service: Service, failed: string): boolean {
    if (!wantsUp(service) || mustLeave(service) || pinnedUp(service) || hasEnded(service)) return false;
    if (this.#shuttingDown || service.started >= this.#kernel.now) return false;
    const reason = this.#kernel.world.byName.get(failed)?.past.reason?.type;
    if (reason === "missing" || reason === "cycle") return false; // That is no run that failed.
    return ["starting", "working", "running"].includes(service.state);
  }

  /** No process, and nothing that would bring one about. */
  #isSilent(): boolean {
    const { world } = this.#kernel;
    if (!this.#kernel.isIdle() || world.sets.size > 0) return false;
    return world.services.every(({ look, turn }) => look === null && turn === null);
  }

  #judgeDone(): void {
    if (this.#kernel.world.sets.size > 0) throw new Error("it leaves while something runs");
    for (const { state, spec } of this.#kernel.world.services) {
      if (state === "backoff") throw new Error(`it leaves before ${spec.name} starts again`);
    }
  }
}
