/** A random machine set up and played through: what the property tests have in common. */

import { isDelayed } from "../../src/engine/delay.ts";
import { isHealthAwaited } from "../../src/engine/health.ts";
import type { Ask } from "../../src/engine/index.ts";
import { isBroken, isReady, waitsFor } from "../../src/engine/order.ts";
import { sideOf } from "../../src/engine/sides.ts";
import { isLive, mustLeave, pinnedUp, type Service, wantsUp } from "../../src/engine/world.ts";
import type { Command } from "../../src/generated/protocol.ts";
import type { SparseSpec } from "../../src/model/spec.ts";
import { CareJudge } from "./care.ts";
import { ChangeJudge } from "./change-judge.ts";
import { Configured, stamp } from "./configured.ts";
import { FieldJudge } from "./field-judge.ts";
import { HookJudge } from "./hooks-judge.ts";
import { checkWorld } from "./invariants.ts";
import { Kernel } from "./kernel.ts";
import {
  Dice,
  endTasks,
  Judge,
  mix,
  randomChange,
  randomExit,
  randomObstacles,
  randomScript,
  randomServices,
} from "./machine.ts";

const ROUGH_MS = 3_000;
/** Longer than what was begun before can take: the longest start, hooks, a stop, a backoff. */
const CALM_MS = 8_000;

export interface Plan {
  readonly seed: number;
  readonly losses: boolean;
  readonly conflicts: boolean;
  readonly asks: boolean;
  readonly endings: boolean;
  /** With `start-concurrency`, `restart-budget` or both. */
  readonly gate?: boolean;
  /** The set of services changes. */
  readonly changes?: boolean;
  /** The supervisor leaves when nothing is left to do. */
  readonly done?: boolean;
  /** No service is taken along by another: what it does, it does by itself. */
  readonly alone?: boolean;
}

function aloneSpec(spec: SparseSpec): SparseSpec {
  const requires = (spec.requires ?? []).map(({ name, start }) => ({ name, bind: false, start }));
  return { ...spec, requires, onFailure: "ignore", failWith: [] };
}

/** What is never ready and is never given up would keep its place before the gate for ever. */
function boundedSpec(spec: SparseSpec): SparseSpec {
  return spec.startTimeoutMs === 0 && spec.kind === "service" ? { ...spec, startTimeoutMs: 1000 } : spec;
}

export interface Scene {
  readonly kernel: Kernel;
  readonly judge: Judge;
  readonly hooks: HookJudge;
  readonly change: ChangeJudge;
  readonly fields: FieldJudge;
  readonly services: readonly SparseSpec[];
  calm: boolean;
}

export function makeScene(plan: Plan): Scene {
  const dice = new Dice(mix(plan.seed, "graph"));
  const random = randomServices(dice, plan);
  const shaped = plan.alone ? random.map(aloneSpec) : random;
  const bounded = plan.gate ? shaped.map(boundedSpec) : shaped;
  const services = bounded.map((sparse) => stamp(sparse, 0));
  const configured = new Configured(services);
  const scene: { calm: boolean } = { calm: false };
  const script = endTasks(
    configured,
    randomScript(plan.seed, () => scene.calm),
  );
  const batching = dice.pick([0, 0, 1, 20]);
  const lossChance = plan.losses ? dice.pick([0.02, 0.1, 0.4]) : 0;
  const kernel = new Kernel({
    services,
    script,
    seed: plan.seed,
    shutdownTimeoutMs: dice.pick([200, 2000, 60_000]),
    ...(plan.gate ? randomGate(plan.seed) : {}),
    ...(plan.done ? { leaveWhenDone: true, failedExitCode: 101 } : {}),
    obstacles: randomObstacles(plan.seed, () => scene.calm),
    batchMs: () => (batching === 0 ? 0 : dice.upTo(batching)),
    loses: () => !scene.calm && dice.chance(lossChance),
  });
  kernel.pressure = dice.pick([null, 0, 80]);
  const judge = new Judge(kernel, configured, !plan.conflicts);
  const care = new CareJudge(kernel, configured);
  const hooks = new HookJudge(kernel, configured);
  const change = new ChangeJudge(kernel, configured, plan.conflicts);
  const fields = new FieldJudge(kernel, configured, plan.done === true);
  let booting = false;
  kernel.onBegin = (events) => {
    booting = events.length === 0;
    change.begin(events);
    judge.begin(events);
    care.begin(events);
    hooks.begin(events);
    fields.begin(events);
  };
  kernel.onCommand = (command) => {
    judge.judge(command);
    care.judge(command);
    hooks.judge(command);
    change.judge(command);
    fields.judge(command);
    if (!booting) checkCommand(kernel, command);
  };
  kernel.onBatch = () => {
    care.end();
    fields.end();
    checkWorld(kernel.world);
    checkTimers(kernel);
  };
  kernel.onLoss = () => {
    judge.sync();
    care.lose();
  };
  return Object.assign(scene, { kernel, judge, hooks, change, fields, services });
}

function randomGate(seed: number) {
  const dice = new Dice(mix(seed, "gate"));
  const budget = { restarts: 1 + dice.upTo(4), windowMs: dice.pick([200, 2000]) };
  const kind = dice.upTo(3);
  return {
    ...(kind !== 0 ? { startConcurrency: 1 + dice.upTo(3) } : {}),
    ...(kind !== 1 ? { restartBudget: budget } : {}),
  };
}

/** The delay of each backoff keeps to its bounds. */
function checkCommand(kernel: Kernel, command: Command): void {
  if (command.type !== "arm" || !command.key.startsWith("again ")) return;
  const service = kernel.world.byName.get(command.key.slice("again ".length));
  if (service === undefined) throw new Error(`${command.key} is nobody's`);
  const { restartDelayMs, restartDelayMaxMs, restartBackoff, restartJitter, startDelayMs } = service.spec;
  const delay = command.at - kernel.now;
  // Which of the two it was for is gone, where both were in one batch.
  if (startDelayMs > 0 && delay <= startDelayMs + 1e-6) return;
  const { streak } = service.past;
  if (streak === 0) return; // Asked to start anew later in the same batch.
  const times = restartBackoff === "linear" ? streak : 2 ** (streak - 1);
  const plain = Math.min(restartDelayMs * times, restartDelayMaxMs);
  if (pinnedUp(service) && delay <= 110) return; // A pin does not let it spin.
  if (delay > Math.min(plain * (1 + restartJitter), restartDelayMaxMs) + 1e-6)
    throw new Error(`backoff of ${delay} ms`);
  // Armed anew by a successor, or with a batch that took its time, it may be shorter; never longer.
  if (kernel.losses === 0 && delay < plain * (1 - restartJitter) - 21)
    throw new Error(`backoff of only ${delay} ms`);
}

/** Idle is silent: each timer, probe and match has somebody who waits for it. */
function checkTimers(kernel: Kernel): void {
  const keys = [...kernel.timers.keys(), ...kernel.probes.keys(), ...kernel.matches.keys()];
  for (const key of keys) {
    if (!isAwaited(kernel, key)) throw new Error(`nobody waits for "${key}" any more`);
  }
}

function mustGet(kernel: Kernel, name: string): Service {
  const service = kernel.world.byName.get(name);
  if (service === undefined) throw new Error(`${name} is nobody`);
  return service;
}

function isAwaited(kernel: Kernel, key: string): boolean {
  const [what, id] = key.split(" ");
  if (what === "shutdown") return kernel.world.shutdown.phase !== "running";
  if (what === "schedule") return kernel.world.shutdown.phase === "running";
  if (what === "gate") return (kernel.world.gate?.restarts.length ?? 0) > 0;
  if (what === "again") {
    const service = mustGet(kernel, key.slice("again ".length));
    return service.state === "backoff" || isDelayed(service);
  }
  if (what === "guard") return kernel.world.hindered.has(mustGet(kernel, key.slice("guard ".length)));
  const service = kernel.world.sets.get(Number(id)) ?? null;
  if (what === "hook") return service !== null && sideOf(service, Number(id)) !== null;
  if (what === "linger") return service?.state === "parting";
  if (what === "reload") return (service?.reload?.deadline ?? 0) > 0;
  const state = service?.state;
  if (what === "health" && service !== null && isHealthAwaited(service)) {
    return state === "running" || state === "starting";
  }
  if (what === "health" || what === "watchdog" || what === "pressure") return state === "running";
  return state === "starting" || state === "spawning" || (what === "start" && state === "working");
}

function randomHold(dice: Dice, name: string): Ask {
  const because = "asked by uid 0";
  const type = dice.pick(["pin", "pin", "unpin", "mask", "unmask"] as const);
  return type === "pin"
    ? { type, name, state: dice.pick(["up", "down"] as const), because }
    : { type, name, because };
}

/** Something happens to the machine every now and then. */
function makeRough(plan: Plan, { kernel, services, change: judge }: Scene): void {
  const dice = new Dice(mix(plan.seed, "schedule"));
  const name = () => dice.pick(services).name;
  for (let count = dice.upTo(25); count > 0; count--) {
    const at = kernel.now + dice.upTo(ROUGH_MS);
    const roll = dice.upTo(10);
    const names = dice.chance(0.2) ? [name(), name()] : [name()];
    const type = dice.pick(["start", "start", "stop", "restart", "reload"] as const);
    const exit = randomExit(dice);
    const hold = randomHold(dice, name());
    const change = plan.changes && dice.chance(0.4) ? randomChange(dice, count, plan) : null;
    const jump = dice.pick([-86_400_000, 3_600_000, -1]);
    kernel.at(at, () => {
      if (change !== null) {
        // By itself: it is judged by the batch.
        kernel.deliver();
        judge.prepare();
        kernel.askNow(plan.gate ? { ...change, set: change.set.map(boundedSpec) } : change);
      } else if (roll < 1 && plan.asks) kernel.ask(hold);
      else if (roll < 5 && plan.asks) kernel.ask({ type, names, because: "asked by uid 0" });
      else if (roll < 6 && plan.losses) kernel.loseBrain();
      else if (roll < 7) kernel.signal("HUP");
      else if (roll < 8) kernel.wallOffset += jump;
      else for (const victim of names) kernel.crash(victim, exit);
    });
  }
}

export function play(plan: Plan, scene = makeScene(plan)): Scene {
  scene.kernel.start();
  makeRough(plan, scene);
  scene.kernel.run(scene.kernel.now + ROUGH_MS);
  return scene;
}

/** No more trouble: what can come up comes up, what has to leave has left. */
export function settle(scene: Scene): void {
  scene.calm = true;
  scene.kernel.run(scene.kernel.now + CALM_MS);
}

export function checkSettled({ kernel, change }: Scene): void {
  if (kernel.exitCode !== null) return;
  if (kernel.world.shutdown.phase === "running") change.settled();
  for (const service of kernel.world.services) {
    const where = `${service.spec.name} (${service.state}, ${service.wish})`;
    if (mustLeave(service)) throw new Error(`${where}: its stop never ends`);
    if (!wantsUp(service) && isLive(service)) throw new Error(`${where}: not wanted, and there`);
    if (service.state === "backoff") throw new Error(`${where}: for ever`);
    // What is never ready and has no limit is starting for ever.
    const isFaulty = kernel.world.faults.has(service);
    const isOnItsWay = service.state === "waiting" || service.state === "starting";
    if (pinnedUp(service) && !isFaulty && !isReady(service) && !isOnItsWay && service.state !== "working") {
      throw new Error(`${where}: pinned up, and down`);
    }
    const clashes = service.look?.obstacle?.port?.includes("in use by service") ?? false;
    if (service.state === "waiting" && !isBroken(service) && !clashes && waitsFor(service).length === 0) {
      throw new Error(`${where}: waits for nothing`);
    }
  }
}

/** The orderly end: nothing is left, and it is the end. */
export function checkEnd({ kernel, judge, hooks }: Scene): void {
  if (kernel.exitCode === null) {
    kernel.ask({ type: "shutdown", because: "asked by uid 0" });
    kernel.run(kernel.now + 120_000);
  }
  if (kernel.exitCode === null) throw new Error("it never leaves");
  if (judge.exits !== 1) throw new Error(`it leaves ${judge.exits} times`);
  hooks.end();
  if (kernel.sets.size > 0) throw new Error("it leaves and something is left");
}

export function checkSeq(kernel: Kernel): void {
  let last = 0;
  for (const { seq } of kernel.published) {
    if (seq <= last) throw new Error(`event ${seq} after ${last}`);
    last = seq;
  }
}

/** From the first start to the last exit. */
export function whole(plan: Plan): Scene {
  const scene = play(plan);
  settle(scene);
  checkSettled(scene);
  checkEnd(scene);
  checkSeq(scene.kernel);
  return scene;
}
