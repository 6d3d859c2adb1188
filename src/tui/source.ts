/** Where the interface's facts come from: one per protocol. */
import type { Call, Reply } from "../cli/screen.ts";
import type { Manner, Message, Request } from "./model.ts";

/** A request, and what its answer leads to: a message, or one more request. */
export interface Step {
  readonly call: Call;
  readonly read: (reply: Reply) => Step | Message;
}

export interface Source {
  readonly manner: Manner;
  begin(request: Request): Step;
}

/** How long an answer to a question may take before the other side counts as gone. */
export const QUESTION_MS = 1000;
/** How long something that is done may take; it is shown as pending meanwhile. */
export const ACTION_MS = 60_000;

export function isStep(what: Step | Message): what is Step {
  return "call" in what;
}

export function failed(request: Request, text: string, gone = false): Message {
  return { type: "failed", request, text, gone };
}
