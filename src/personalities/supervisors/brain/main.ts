/** Entry of the brain that tells of its programs as supervisors does. */
import { dispatchLine } from "../../../api/jsonrpc.ts";
import { createBrain, type Engine, type Personality } from "../../../brain/brain.ts";
import * as engine from "../../../engine/index.ts";
import type { World } from "../../../engine/world.ts";
import { answerPublic } from "./api.ts";
import { bootWithLines, stepWithLines } from "./lines.ts";

const telling: Engine<World> = {
  ...engine,
  boot: (boot, clock) => bootWithLines(engine, boot, clock),
  step: (world, event, clock) => stepWithLines(engine, world, event, clock),
};

const supervisors = (): Personality => ({ dispatchLine, answerPublic });

Object.assign(globalThis, { batch: createBrain(telling, supervisors) });
