import type { Command, Input, Word } from "../../common/command.ts";
import type { Session } from "./session.ts";

/** Failing is throwing `Failure`. */
export type Run = (session: Session, input: Input) => void;
export type Verb = Command<Run>;

export const SERVICE: Word = { name: "NAME", required: true, help: "Service name" };

/** The first word of those that must be there. */
export function nameOf(input: Input): string {
  return input.word(0) ?? "";
}
