/** Entry of the brain: the nucleus calls the global `batch`. */
import * as engine from "../engine/index.ts";
import { createBrain } from "./brain.ts";

Object.assign(globalThis, { batch: createBrain(engine) });
