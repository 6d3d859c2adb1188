/** Entry of the brain that also answers horustctl. */
import { dispatchLine } from "../../../api/jsonrpc.ts";
import { createBrain, type Engine, type Personality } from "../../../brain/brain.ts";
import * as engine from "../../../engine/index.ts";
import type { World } from "../../../engine/world.ts";
import { answerMessage } from "./answer.ts";
import { Teller } from "./teller.ts";

const teller = new Teller();

const telling: Engine<World> = {
  ...engine,
  boot: (boot, clock) => {
    teller.begin(boot.config.personality);
    const { world, commands } = engine.boot(boot, clock);
    return { world, commands: teller.watch(commands) };
  },
  step: (world, event, clock) => {
    const said = event.type === "spawnFailed" ? teller.failed(event) : [];
    return [...said, ...teller.watch(engine.step(world, event, clock))];
  },
};

const horust = (): Personality => ({ dispatchLine, answerMessage });

Object.assign(globalThis, { batch: createBrain(telling, horust) });
