/**
 * Watches hooks, the stop command and reloads go over the boundary, and throws when one of them
 * runs where it must not, twice for the same run, or not at all.
 */
import type { EngineEvent } from "../../src/engine/index.ts";
import type { Command } from "../../src/generated/protocol.ts";
import type { ServiceSpec } from "../../src/model/spec.ts";
import type { Configured } from "./configured.ts";
import type { Kernel } from "./kernel.ts";

/** From the first thing of a start to the next start. */
interface Life {
  /** What it was defined by when it began. */
  readonly spec: ServiceSpec;
  readonly had: Map<string, number>;
  /** The set of its before-start hook. */
  hook: number;
  main: boolean;
  stopSent: boolean;
}

export class HookJudge {
  readonly #kernel: Kernel;
  readonly #configured: Configured;
  readonly #lives = new Map<string, Life>();
  readonly #mains = new Map<number, string>();
  readonly #state = new Map<string, string>();
  /** Held at the beginning of the batch, and not spoken of in it. */
  readonly #held = new Map<string, "down" | "masked">();
  readonly #released = new Set<string>();
  shuttingDown = false;
  hurried = false;

  constructor(kernel: Kernel, configured: Configured) {
    this.#kernel = kernel;
    this.#configured = configured;
  }

  begin(events: readonly EngineEvent[]): void {
    this.#held.clear();
    this.#released.clear();
    for (const event of events) {
      if (
        event.type === "pin" ||
        event.type === "unpin" ||
        event.type === "mask" ||
        event.type === "unmask"
      ) {
        this.#released.add(event.name);
      }
    }
    for (const { spec, pin } of this.#kernel.world.services) {
      if (pin === null || this.#released.has(spec.name)) continue;
      if (pin.state === "down") this.#held.set(spec.name, "down");
      else if (pin.masked) this.#held.set(spec.name, "masked");
    }
  }

  judge(command: Command): void {
    if (command.type === "publish") this.#note(JSON.parse(command.text));
    if (command.type === "stop") this.#stopped(command.id);
    if (command.type !== "spawn" || command.spec.role === "probe") return;
    const { service, role } = command.spec;
    const spec = this.#configured.of(command.spec);
    const fail = (what: string): never => {
      throw new Error(`${service}: ${role} ${what}`);
    };
    if (role === "reload") {
      if (this.#kernel.liveSides(service).includes(role)) fail("beside itself");
      if (this.#state.get(service) !== "running") fail("of what does not run");
      return;
    }
    this.#judgeLife(command.id, spec, role, fail);
  }

  #judgeLife(id: number, spec: ServiceSpec, role: string, fail: (what: string) => never): void {
    const service = spec.name;
    const first = spec.hooks?.["before-start"] === undefined ? "main" : "before-start";
    if (role === first) this.#judgeBegin(spec, fail);
    const life = this.#lives.get(service);
    if (life === undefined) {
      fail("before anything of the run");
      return;
    }
    if (life.spec !== spec) fail("of another definition than its run");
    const times = (life.had.get(role) ?? 0) + 1;
    life.had.set(role, times);
    if (times > 1) fail("twice in a run");
    const sides = this.#kernel.liveSides(service);
    const beside = sides.filter((side) => role !== "after-start" || side !== "reload");
    if (beside.length > 0) fail(`beside ${beside.join(", ")}`);
    switch (role) {
      case "before-start":
        life.hook = id;
        if (this.#kernel.hasMain(service)) fail("beside the main process");
        break;
      case "main": {
        const end = this.#kernel.ends.get(life.hook);
        if (first !== "main" && (end === undefined || !("code" in end) || end.code !== 0)) {
          fail("without a good before-start");
        }
        if (this.#held.get(service) === "down") fail("though it is pinned down");
        life.main = true;
        this.#mains.set(id, service);
        break;
      }
      case "after-start":
        if (this.#state.get(service) !== "running") fail("before it is ready");
        break;
      case "before-stop":
      case "stop":
        if (!this.#kernel.hasMain(service)) fail("without a main process");
        if (life.stopSent) fail("after the stop");
        if (role === "stop" && spec.hooks?.["before-stop"] !== undefined && !life.had.has("before-stop")) {
          fail("before before-stop");
        }
        break;
      case "after-exit":
        if (this.#kernel.hasMain(service)) fail("beside the main process");
        break;
      default:
        fail("is no role");
    }
    if (this.hurried) fail("in a hurry");
  }

  #judgeBegin(spec: ServiceSpec, fail: (what: string) => never): void {
    const { name } = spec;
    if (this.shuttingDown) fail("in a shutdown");
    const held = this.#held.get(name);
    if (held !== undefined) fail(`though it is ${held}`);
    this.#judgeOver(name);
    this.#lives.set(name, { spec, had: new Map(), hook: 0, main: false, stopSent: false });
  }

  /** A run is over: it has had its after-exit. */
  #judgeOver(name: string): void {
    const life = this.#lives.get(name);
    if (life === undefined || life.spec.hooks?.["after-exit"] === undefined || this.hurried) return;
    if (life.had.get("after-exit") !== 1) throw new Error(`${name}: a run without its after-exit`);
  }

  /** Everything has left. */
  end(): void {
    for (const name of this.#lives.keys()) this.#judgeOver(name);
  }

  #stopped(id: number): void {
    const service = this.#mains.get(id);
    const life = service === undefined ? undefined : this.#lives.get(service);
    if (life !== undefined) life.stopSent = true;
  }

  #note(event: { service: string | null; event: string; to: string | null; cause: string }): void {
    if (event.event === "supervisor" && event.cause.startsWith("shutting down")) this.shuttingDown = true;
    if (event.event === "supervisor" && event.cause.startsWith("shutdown hurried")) this.hurried = true;
    if (event.event === "state" && event.service !== null && event.to !== null) {
      this.#state.set(event.service, event.to);
    }
  }
}
