/**
 * What supervisors tells of its programs on stdout: that one is started, that one has ended, that all
 * are about to be stopped; and on stderr what could not be started or ended. What the engine says beside
 * that is left out: nobody who knows supervisors would look for it.
 *
 * Lines go out with the step that they are of. An end that a lost brain did not come to tell stands in
 * the nucleus's table; one that it told stands in the slate until the table forgets it.
 */
import type { Engine } from "../../../brain/brain.ts";
import type { BootInput, Clock, EngineEvent, World } from "../../../engine/index.ts";
import { survivorsText } from "../../../engine/text.ts";
import type { Command, Event, Exit } from "../../../generated/protocol.ts";
import { supervisorsPersonality } from "../personality.ts";
import { endText, listText } from "./texts.ts";

type EventOf<Type extends Event["type"]> = Extract<Event, { type: Type }>;

export function bootWithLines(
  engine: Engine<World>,
  boot: BootInput,
  clock: Clock,
): { world: World; commands: Command[] } {
  const { world, commands } = engine.boot(boot, clock);
  const isFirst = boot.lost === null && boot.renewed !== true;
  const news = isFirst ? addressLines(boot) : endsOf(boot, commands);
  // Of a brain's loss people should know; of what it leads to there are lines.
  const said = commands.filter(({ type }) => type === "say").slice(0, isFirst ? 0 : 1);
  return { world, commands: [...news, ...said, ...withStarts(commands)] };
}

export function stepWithLines(
  engine: Engine<World>,
  world: World,
  event: EngineEvent,
  clock: Clock,
): Command[] {
  const lines = linesOf(world, event);
  const former = engine.phase(world);
  const commands = engine.step(world, event, clock);
  if (event.type === "exited" && lines.length > 0) lines.push(...toldOf(event.id, commands));
  if (former === "running" && engine.phase(world) !== "running") lines.push(...shutdownLines(event));
  return [...lines, ...withStarts(commands)];
}

function print(line: string): Command {
  return { type: "print", text: `${line}\n` };
}

function addressLines({ config }: BootInput): Command[] {
  const { listen } = supervisorsPersonality(config.personality);
  return listen === "" ? [] : [print(`API listening on http://${listen}`)];
}

/** Ends that nobody has told. */
function endsOf({ children, slate }: BootInput, commands: readonly Command[]): Command[] {
  return children.flatMap(({ id, role, service, exit }) => {
    if (role !== "main" || exit === null || slate[toldKey(id)] !== undefined) return [];
    return [endLine(service, exit, false), ...toldOf(id, commands)];
  });
}

/** `world` is as it was before the event. */
function linesOf(world: World, event: EngineEvent): Command[] {
  switch (event.type) {
    case "exited":
      return named(world, event.id, (name) => endLine(name, event.exit, event.core === true));
    case "spawnFailed":
      return named(world, event.id, (name) => failureLine(name, event));
    case "stopped":
      return event.receipt.empty
        ? []
        : named(world, event.id, (name) => say(name, survivorsText(event.receipt)));
    default:
      return [];
  }
}

/** For the main process of a program. */
function named(world: World, id: number, line: (name: string) => Command): Command[] {
  const service = world.sets.get(id) ?? null;
  return service === null ? [] : [line(service.spec.name)];
}

function endLine(name: string, exit: Exit, core: boolean): Command {
  return print(`[${name}] Exited with: ${endText(exit, core)}`);
}

function failureLine(name: string, { failure: { step, message } }: EventOf<"spawnFailed">): Command {
  return say(name, `${step === "stdout" ? "Failed to open logfile" : "Failed to spawn process"}: ${message}`);
}

/** On stderr. */
function say(name: string, text: string): Command {
  return { type: "say", text: `[${name}] ${text}` };
}

function toldKey(id: number): string {
  return `told ${id}`;
}

/** What goes on with an end that has been told: it is noted until the table forgets it. */
function toldOf(id: number, commands: readonly Command[]): Command[] {
  const isForgotten = commands.some((command) => command.type === "forget" && command.id === id);
  return isForgotten ? [] : [{ type: "slate", key: toldKey(id), value: "1" }];
}

/** Everything begins to end. */
function shutdownLines(event: EngineEvent): Command[] {
  const why = event.type === "signal" ? [print(`SIG${event.signal} received. Exiting...`)] : [];
  return [...why, print("Shutting down all processes...")];
}

/** With the lines of starts, and without what the engine says. */
function withStarts(commands: readonly Command[]): Command[] {
  return commands.flatMap((command): Command[] => {
    if (command.type === "say") return [];
    if (command.type === "forget") return [command, { type: "slate", key: toldKey(command.id), value: null }];
    if (command.type !== "spawn" || command.spec.role !== "main") return [command];
    const { service, argv } = command.spec;
    const [program = "", ...args] = argv;
    return [print(`[${service}] Starting: ${program} ${listText(args)}`), command];
  });
}
