/**
 * What supervisors tells of its programs on stdout: that one is started, that one has ended, that all
 * are about to be stopped; and on stderr that one could not be started. What the engine says beside
 * that is left out: nobody who knows supervisors would look for it.
 *
 * Lines go out with the step that they are of. An end that a lost brain did not come to tell stands in
 * the nucleus's table; one that it told stands in the slate until the table forgets it.
 */
import type { BootInput, EngineEvent, World } from "../../../engine/index.ts";
import type { Command, Event, Exit } from "../../../generated/protocol.ts";
import { supervisorsPersonality } from "../personality.ts";
import { endText, listText } from "./texts.ts";

type Exited = Extract<Event, { type: "exited" }>;
type Failed = Extract<Event, { type: "spawnFailed" }>;

function toldKey(id: number): string {
  return `told ${id}`;
}

function print(line: string): Command {
  return { type: "print", text: `${line}\n` };
}

function ended(name: string, exit: Exit, core = false): Command {
  return print(`[${name}] Exited with: ${endText(exit, core)}`);
}

/** Around the commands of a brain's first step. */
export function withBootLines(boot: BootInput, commands: readonly Command[]): Command[] {
  const isFirst = boot.lost === null && boot.renewed !== true;
  const { listen } = supervisorsPersonality(boot.config.personality);
  const lines = isFirst && listen !== "" ? [print(`API listening on http://${listen}`)] : [];
  for (const { id, role, service, exit } of boot.children) {
    const isNews = role === "main" && exit !== null && boot.slate[toldKey(id)] === undefined;
    if (isNews) lines.push(...toldOf(id, commands), ended(service, exit));
  }
  return [...lines, ...withLines(commands)];
}

/** Around the commands of a step; `world` is as it was before. */
export function linesBefore(world: World, event: EngineEvent): Command[] {
  if (event.type === "exited") return linesOfEnd(world, event);
  if (event.type === "spawnFailed") return linesOfFailure(world, event);
  return [];
}

function linesOfEnd(world: World, event: Exited): Command[] {
  const service = world.sets.get(event.id) ?? null;
  if (service === null || service.child !== event.id) return [];
  return [ended(service.spec.name, event.exit, event.core === true)];
}

function linesOfFailure(world: World, { id, failure }: Failed): Command[] {
  const service = world.sets.get(id) ?? null;
  if (service === null) return [];
  const what = failure.step === "stdout" ? "Failed to open logfile" : "Failed to spawn process";
  return [{ type: "say", text: `[${service.spec.name}] ${what}: ${failure.message}` }];
}

/** What goes on with an end that has been told: it is noted until it is forgotten. */
export function toldOf(id: number, commands: readonly Command[]): Command[] {
  const isForgotten = commands.some((command) => command.type === "forget" && command.id === id);
  return isForgotten ? [] : [{ type: "slate", key: toldKey(id), value: "1" }];
}

/** The step in which everything begins to end. */
export function linesOfShutdown(event: EngineEvent): Command[] {
  const why = event.type === "signal" ? [print(`SIG${event.signal} received. Exiting...`)] : [];
  return [...why, print("Shutting down all processes...")];
}

/** The lines that go with commands, and not what the engine says. */
export function withLines(commands: readonly Command[]): Command[] {
  return commands.flatMap((command): Command[] => {
    if (command.type === "say") return [];
    if (command.type === "forget") return [command, { type: "slate", key: toldKey(command.id), value: null }];
    if (command.type !== "spawn" || command.spec.role !== "main") return [command];
    const [program = "", ...args] = command.spec.argv;
    return [print(`[${command.spec.service}] Starting: ${program} ${listText(args)}`), command];
  });
}
