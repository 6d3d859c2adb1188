/** Short words for tests of the engine on the simulated machine. */
import { type Outcome, outcome, type ServiceView, serviceView } from "../../../src/engine/index.ts";
import type { Receipt, SpawnFailure } from "../../../src/generated/protocol.ts";
import type { Requirement, SparseSpec } from "../../../src/model/spec.ts";
import { checkWorld } from "../../sim/invariants.ts";
import { type Behaviour, Kernel, type KernelOptions } from "../../sim/kernel.ts";

/** Behaviours by name; a list: one after the other, the last one from then on. */
export type Behaviours = Record<string, Behaviour | readonly Behaviour[]>;

export interface MachineOptions extends Omit<KernelOptions, "services" | "script"> {
  readonly behaviours?: Behaviours;
}

type Sparse = Omit<Partial<SparseSpec>, "name">;

export function service(name: string, spec: Sparse = {}): SparseSpec {
  return { name, argv: [name], ...spec };
}

export function task(name: string, spec: Sparse = {}): SparseSpec {
  return { name, kind: "task", argv: [name], restart: "never", startTimeoutMs: 0, ...spec };
}

export function target(name: string, members: readonly string[], spec: Sparse = {}): SparseSpec {
  return { name, kind: "target", requires: needs(...members), ...spec };
}

export function needs(...names: string[]): Requirement[] {
  return names.map((name) => ({ name, bind: false, start: true }));
}

export function bound(...names: string[]): Requirement[] {
  return names.map((name) => ({ name, bind: true, start: true }));
}

/** Started, and with all that follows at once having followed. */
export function machine(services: readonly SparseSpec[], options: MachineOptions = {}): Kernel {
  const kernel = prepare(services, options);
  kernel.start();
  kernel.run(kernel.now);
  return kernel;
}

/** Not started yet. */
export function prepare(services: readonly SparseSpec[], options: MachineOptions = {}): Kernel {
  const { behaviours = {}, ...rest } = options;
  const script = (name: string, run: number): Behaviour => {
    const found = behaviours[name] ?? {};
    return Array.isArray(found) ? (found[Math.min(run, found.length) - 1] ?? {}) : (found as Behaviour);
  };
  const kernel = new Kernel({ services, script, ...rest });
  kernel.onBatch = () => checkWorld(kernel.world);
  return kernel;
}

export function view(kernel: Kernel, name: string): ServiceView {
  const found = serviceView(kernel.world, name, kernel.clock);
  if (found === null) throw new Error(`no ${name}`);
  return found;
}

export function states(kernel: Kernel): Record<string, string> {
  return Object.fromEntries(
    kernel.config.services.map(({ name }) => [name, view(kernel, name).state as string]),
  );
}

export function state(kernel: Kernel, name: string): string {
  return view(kernel, name).state;
}

export function cause(kernel: Kernel, name: string): string {
  return view(kernel, name).cause;
}

export function up(kernel: Kernel, name: string): Outcome {
  return outcome(kernel.world, name, "up");
}

export function down(kernel: Kernel, name: string): Outcome {
  return outcome(kernel.world, name, "down");
}

type Verb = "start" | "stop" | "restart" | "reload";

/** Asked, and with all that follows at once having followed. */
export function ask(kernel: Kernel, type: Verb, ...names: string[]): void {
  kernel.ask({ type, names, because: "asked by uid 0" });
  kernel.run(kernel.now);
}

/** Another set of services, and with all that follows at once having followed. */
export function change(
  kernel: Kernel,
  given: {
    readonly set?: readonly SparseSpec[];
    readonly remove?: readonly string[];
    readonly restart?: boolean;
  },
): void {
  kernel.ask({ type: "change", set: [], remove: [], restart: false, because: "asked by uid 0", ...given });
  kernel.run(kernel.now);
}

/** Held, or no longer, and with all that follows at once having followed. */
export function hold(
  kernel: Kernel,
  what: "pin up" | "pin down" | "unpin" | "mask" | "unmask",
  name: string,
): void {
  const because = "asked by uid 0";
  if (what === "pin up") kernel.ask({ type: "pin", name, state: "up", because });
  else if (what === "pin down") kernel.ask({ type: "pin", name, state: "down", because });
  else kernel.ask({ type: what, name, because });
  kernel.run(kernel.now);
}

/** `name role` of each process that was started, in order; the main ones by their name alone. */
export function began(kernel: Kernel, name?: string): string[] {
  const found = kernel.commands("spawn").filter(({ spec }) => name === undefined || spec.service === name);
  return found.map(({ spec }) => (spec.role === "main" ? spec.service : `${spec.service} ${spec.role}`));
}

/** The environment of the last process that was started in this role. */
export function environmentOf(kernel: Kernel, role: string): Readonly<Record<string, string | undefined>> {
  const found = kernel.commands("spawn").findLast(({ spec }) => spec.role === role);
  if (found === undefined) throw new Error(`no ${role} was started`);
  return found.spec.environment;
}

/** The brain ends, and its successor has had a moment. */
export function lose(kernel: Kernel): void {
  kernel.loseBrain();
  kernel.run(kernel.now);
}

export function shutdown(kernel: Kernel): void {
  kernel.ask({ type: "shutdown", because: "asked by uid 0" });
  kernel.run(kernel.now);
}

export function signal(kernel: Kernel, name: string, sender = 7): void {
  kernel.signal(name, sender);
  kernel.run(kernel.now);
}

export function pass(kernel: Kernel, ms: number): void {
  kernel.run(kernel.now + ms);
}

/** Names in the order in which their processes were started. */
export function spawned(kernel: Kernel): string[] {
  return kernel.commands("spawn").map(({ spec }) => spec.service);
}

/** Names in the order in which their sets were told to stop. */
export function stopped(kernel: Kernel): string[] {
  const names = new Map(kernel.commands("spawn").map(({ id, spec }) => [id, spec.service]));
  return kernel.commands("stop").map(({ id }) => names.get(id) ?? "?");
}

/** `from to` of each change of state. */
export function changes(kernel: Kernel, name: string): string[] {
  return kernel.published
    .filter((event) => event.service === name && event.event === "state")
    .map((event) => `${event.from} ${event.to}`);
}

export function refusal(error: string, step = "exec", transient = false): SpawnFailure {
  return { step, errno: 2, error, message: `no ${step}`, transient };
}

export function receipt(service: string | null, empty = true): Receipt {
  return { service, empty, duration_ms: 0, processes: [] };
}
