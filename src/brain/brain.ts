/** The brain without its engine: which event goes where, in what order the commands leave. */
import { Desk, type Languages } from "../api/desk.ts";
import { dispatchLine } from "../api/jsonrpc.ts";
import { ROUTES } from "../api/routes.ts";
import type { Services, Ticket } from "../api/services.ts";
import type {
  Ask,
  BootInput,
  BootReport,
  Clock,
  EngineEvent,
  Graph,
  Health,
  HeldVerb,
  Outcome,
  Phase,
  RunView,
  ServiceView,
  Why,
} from "../engine/index.ts";
import type { Batch, Boot, Command, Event, Query, Receipt, Scope } from "../generated/protocol.ts";
import type { Config, ProxySpec, ServiceSpec } from "../model/spec.ts";
import { FAULT_ROUTES, stumble } from "./faults.ts";
import { Queries } from "./queries.ts";

/** What the brain needs of `src/engine/`; a module's functions, so that tests can put another in. */
export interface Engine<World> {
  boot(boot: BootInput, clock: Clock): { world: World; commands: Command[] };
  step(world: World, event: EngineEvent, clock: Clock): Command[];
  serviceNames(world: World): readonly string[];
  serviceView(world: World, name: string, clock: Clock): ServiceView | null;
  specOf(world: World, name: string): ServiceSpec | null;
  proxies(world: World): readonly ProxySpec[];
  why(world: World, name: string, clock: Clock): Why | null;
  runs(world: World, name: string): readonly RunView[] | null;
  graph(world: World): Graph;
  health(world: World): Health;
  bootReport(world: World): BootReport;
  outcome(world: World, name: string, want: "up" | "down"): Outcome;
  canSignal(world: World, name: string, scope: Scope): boolean;
  setIdOf(world: World, name: string): number | null;
  logNamesOf(world: World, name: string): readonly string[];
  refusal(world: World, name: string, verb: HeldVerb): string | null;
  reloadProblem(world: World, name: string): "not-running" | "not-configured" | null;
  reloadNumber(world: World, name: string): number;
  reloadOutcome(world: World, name: string, number: number): Outcome;
  receiptOf(
    world: World,
    event: Extract<Event, { type: "stopped" }>,
  ): { readonly receipt: Receipt; readonly main: boolean };
  phase(world: World): Phase;
}

/** What else a brain speaks, and does of its own. One for each life. */
export interface Personality extends Languages {
  /** Once, at the start, where a supervisor before this one had the services. */
  begin?(services: Services): void;
  /** After every event, before waiting requests are looked at: work that goes on without them. */
  advance?(): void;
}

const NATIVE: Personality = { dispatchLine };

/** A `Batch` as JSON in, an array of `Command`s as JSON out. What throws loses this brain. */
export function createBrain<World>(
  engine: Engine<World>,
  personality: () => Personality = () => NATIVE,
): (text: string) => string {
  let life: Life<World> | null = null;
  return (text) => {
    // The nucleus of the same executable wrote it, from the types that these were made from.
    const batch: Batch = JSON.parse(text);
    for (const event of batch.events) {
      if (event.type === "boot") life = new Life(engine, personality(), event, batch);
      else if (life === null) throw new Error(`the first event is "${event.type}", not "boot"`);
      else life.digest(event, batch);
    }
    return JSON.stringify(exitLast(life?.takeCommands() ?? []));
  };
}

/** One world from its boot on, as the API sees it. */
class Life<World> implements Services {
  readonly supervisor: Services["supervisor"];
  readonly personality: unknown;
  clock: Clock;
  readonly #engine: Engine<World>;
  readonly #world: World;
  readonly #habits: Personality;
  readonly #desk: Desk;
  readonly #queries: Queries;
  #commands: Command[];
  #text: string | null = null;

  constructor(engine: Engine<World>, habits: Personality, boot: Boot, clock: Clock) {
    this.supervisor = { pid: boot.pid, pidOne: boot.pidOne, wallStarted: boot.wallStarted };
    this.clock = { now: clock.now, wall: clock.wall };
    this.#engine = engine;
    this.#habits = habits;
    this.#desk = new Desk([...ROUTES, ...FAULT_ROUTES], habits);
    this.#queries = new Queries(clock.now);
    stumble(boot.slate);
    // The config program of the same executable made and checked it.
    const config = boot.config as Config;
    this.personality = config.personality;
    const { world, commands } = engine.boot({ ...boot, config }, this.clock);
    this.#world = world;
    this.#commands = commands;
    if (boot.renewed === true) habits.begin?.(this);
  }

  digest(event: Exclude<Event, { type: "boot" }>, clock: Clock): void {
    this.clock = { now: clock.now, wall: clock.wall };
    switch (event.type) {
      case "request":
        this.#add(this.#desk.take(event, this));
        break;
      case "gone":
        this.#add(this.#desk.gone(event.request));
        break;
      case "timer":
        if (!this.#desk.timer(event.key)) this.#step(event);
        break;
      case "answered":
        if (!this.#queries.answered(event.key, event.answer)) this.#step(event);
        break;
      default:
        if (event.type === "stopped") {
          const { receipt, main } = this.#engine.receiptOf(this.#world, event);
          this.#desk.stopped(receipt, main);
        }
        this.#step(event);
    }
    this.#habits.advance?.();
    this.#add(this.#desk.settle());
  }

  takeCommands(): Command[] {
    const commands = this.#commands;
    this.#commands = [];
    return commands;
  }

  names(): readonly string[] {
    return this.#engine.serviceNames(this.#world);
  }

  view(name: string): ServiceView | null {
    return this.#engine.serviceView(this.#world, name, this.clock);
  }

  specOf(name: string): ServiceSpec | null {
    return this.#engine.specOf(this.#world, name);
  }

  proxies(): readonly ProxySpec[] {
    return this.#engine.proxies(this.#world);
  }

  why(name: string): Why | null {
    return this.#engine.why(this.#world, name, this.clock);
  }

  runs(name: string): readonly RunView[] | null {
    return this.#engine.runs(this.#world, name);
  }

  graph(): Graph {
    return this.#engine.graph(this.#world);
  }

  health(): Health {
    return this.#engine.health(this.#world);
  }

  bootReport(): BootReport {
    return this.#engine.bootReport(this.#world);
  }

  outcome(name: string, want: "up" | "down"): Outcome {
    return this.#engine.outcome(this.#world, name, want);
  }

  canSignal(name: string, scope: Scope): boolean {
    return this.#engine.canSignal(this.#world, name, scope);
  }

  setId(name: string): number | null {
    return this.#engine.setIdOf(this.#world, name);
  }

  logNames(name: string): readonly string[] {
    return this.#engine.logNamesOf(this.#world, name);
  }

  refusal(name: string, verb: HeldVerb): string | null {
    return this.#engine.refusal(this.#world, name, verb);
  }

  reloadProblem(name: string): "not-running" | "not-configured" | null {
    return this.#engine.reloadProblem(this.#world, name);
  }

  reloadNumber(name: string): number {
    return this.#engine.reloadNumber(this.#world, name);
  }

  reloadOutcome(name: string, number: number): Outcome {
    return this.#engine.reloadOutcome(this.#world, name, number);
  }

  phase(): Phase {
    return this.#engine.phase(this.#world);
  }

  ask(ask: Ask): void {
    this.#step(ask);
  }

  query(query: Query): Ticket {
    const { ticket, commands } = this.#queries.ask(query);
    this.#add(commands);
    return ticket;
  }

  say(text: string): void {
    this.#add([{ type: "say", text }]);
  }

  untilNextStep(make: () => string): string {
    this.#text ??= make();
    return this.#text;
  }

  #step(event: EngineEvent): void {
    this.#text = null;
    this.#add(this.#engine.step(this.#world, event, this.clock));
  }

  #add(commands: readonly Command[]): void {
    for (const command of commands) this.#commands.push(command);
  }
}

/** Replies that became due in the step that ends the process must leave before it does. */
function exitLast(commands: Command[]): Command[] {
  if (!commands.some((command) => command.type === "exit")) return commands;
  const others = commands.filter((command) => command.type !== "exit");
  return [...others, ...commands.filter((command) => command.type === "exit")];
}
