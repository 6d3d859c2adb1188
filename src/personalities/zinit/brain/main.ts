/** Entry of the brain that also speaks zinit's JSON-RPC. */
import { createBrain, type Personality } from "../../../brain/brain.ts";
import * as engine from "../../../engine/index.ts";
import { Dispatcher } from "./dispatch.ts";

function personality(): Personality {
  const dispatcher = new Dispatcher();
  return {
    dispatchLine: (routes, text, context) => dispatcher.line(routes, text, context),
    advance: () => dispatcher.advance(),
  };
}

Object.assign(globalThis, { batch: createBrain(engine, personality) });
