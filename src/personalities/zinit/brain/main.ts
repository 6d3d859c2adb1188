/** Entry of the brain that also speaks zinit's JSON-RPC. */
import { createBrain } from "../../../brain/brain.ts";
import * as engine from "../../../engine/index.ts";
import { zinit } from "./dispatch.ts";

Object.assign(globalThis, { batch: createBrain(engine, zinit) });
