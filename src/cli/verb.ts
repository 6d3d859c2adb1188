import type { Input } from "./arguments.ts";
import type { OptionName } from "./options.ts";
import type { Session } from "./session.ts";

/** What may stand in a verb's place for arguments; completion follows it. */
export type Takes = "services" | "paths" | "folders" | "nothing" | readonly string[];

/** One verb: everything that parsing, help, completion and `docs/commands.md` know about it. */
export interface Verb {
  readonly name: string;
  readonly group: "Run" | "Look" | "Act" | "Change" | "Tools";
  readonly summary: string;
  /** What follows `oneup`, a line per form. */
  readonly usage: readonly string[];
  /** More to know, as paragraphs. */
  readonly detail: readonly string[];
  readonly examples: readonly string[];
  readonly options: readonly OptionName[];
  readonly takes: Takes;
  /** Words that may follow the first argument, for completion. */
  readonly afterFirst?: readonly string[];
  readonly least: number;
  readonly most: number;
  /** From its first argument on, nothing is an option of ours. */
  readonly raw?: boolean;
  /** Has its place, but does nothing yet. */
  readonly later?: boolean;
  /** Not for people: left out of help and documentation. */
  readonly hidden?: boolean;
  readonly run: (session: Session, input: Input) => number;
}
