/** Entry of the brain that tells of its programs as supervisors does. */
import { dispatchLine } from "../../../api/jsonrpc.ts";
import { createBrain, type Engine, type Personality } from "../../../brain/brain.ts";
import * as engine from "../../../engine/index.ts";
import type { World } from "../../../engine/world.ts";
import { answerPublic } from "./api.ts";
import { linesBefore, linesOfShutdown, toldOf, withBootLines, withLines } from "./lines.ts";

const telling: Engine<World> = {
  ...engine,
  boot: (boot, clock) => {
    const { world, commands } = engine.boot(boot, clock);
    return { world, commands: withBootLines(boot, commands) };
  },
  step: (world, event, clock) => {
    const lines = linesBefore(world, event);
    const former = engine.phase(world);
    const commands = engine.step(world, event, clock);
    if (event.type === "exited" && lines.length > 0) lines.push(...toldOf(event.id, commands));
    if (former === "running" && engine.phase(world) !== "running") lines.push(...linesOfShutdown(event));
    return [...lines, ...withLines(commands)];
  },
};

const supervisors = (): Personality => ({ dispatchLine, answerPublic });

Object.assign(globalThis, { batch: createBrain(telling, supervisors) });
