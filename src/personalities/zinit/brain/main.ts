/** Entry of the brain that also speaks zinit's JSON-RPC. */
import { createBrain, type Engine } from "../../../brain/brain.ts";
import * as engine from "../../../engine/index.ts";
import type { World } from "../../../engine/world.ts";
import { zinit } from "./dispatch.ts";
import { withLines } from "./journal.ts";

const telling: Engine<World> = {
  ...engine,
  boot: (boot, clock) => {
    const { world, commands } = engine.boot(boot, clock);
    return { world, commands: withLines(commands) };
  },
  step: (world, event, clock) => withLines(engine.step(world, event, clock)),
};

Object.assign(globalThis, { batch: createBrain(telling, zinit) });
