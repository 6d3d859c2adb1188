/** What every dialect's reader makes out of a file. */

import type { FileHost } from "../cli/host.ts";
import type { Issues } from "../config/issues.ts";
import type { Zones } from "../config/zones.ts";
import type { Node } from "../model/node.ts";
import type { Kind, SparseSpec, SupervisorSettings } from "../model/spec.ts";

export const RELATIONS = ["requires", "wants", "after", "before", "conflicts", "fail-with"] as const;
export type RelationField = (typeof RELATIONS)[number];

/** One name in one of a definition's lists, with its node for messages. */
export interface Relation {
  readonly field: RelationField;
  readonly name: string;
  /** What the name must be, where the file says so. */
  readonly kind: Kind | null;
  readonly node: Node;
  /** Of `requires`: not started along. Of `conflicts`: waits, and stops nobody. */
  readonly weak?: boolean;
  /** Nothing is wrong if nobody has this name. */
  readonly optional?: boolean;
}

/** One service, task or target. */
export interface Definition {
  readonly name: string;
  readonly kind: Kind;
  readonly node: Node;
  readonly spec: SparseSpec;
  readonly relations: readonly Relation[];
  /** The name of `on-failure = { run = … }`, where there is one. */
  readonly handler: { readonly name: string; readonly node: Node } | null;
  /** Of `main`, where it is true. */
  readonly main: Node | null;
}

export interface SupervisorSetting {
  readonly key: string;
  readonly node: Node;
}

export interface Reading {
  readonly definitions: readonly Definition[];
  /** Which settings of the supervisor were made here, and what they are. */
  readonly settings: readonly SupervisorSetting[];
  readonly supervisor: Partial<SupervisorSettings>;
}

export interface ReadContext {
  /** The path as it is shown in messages. */
  readonly file: string;
  /** The same, absolute. */
  readonly path: string;
  /** Absolute: relative paths start here. */
  readonly folder: string;
  /** The file as it is. */
  readonly text: string;
  /** The folder and the variables that the command line was given in. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly host: FileHost;
  readonly zones: Zones;
  readonly issues: Issues;
  /** What is no error but should be said. */
  readonly warnings: Issues;
}

/** Reads the files of one program. */
export interface Dialect {
  /** `root` is `null` where the text is TOML only once the dialect has made something of it. */
  read(root: Node | null, context: ReadContext): Reading | null;
  /** What follows from all of its definitions together; those of others are handed back as they are. */
  tie?(
    definitions: readonly Definition[],
    means: Pick<ReadContext, "issues" | "warnings">,
  ): readonly Definition[];
}

/** Of files that are TOML as they are, each by itself. */
export function plainDialect(read: (root: Node, context: ReadContext) => Reading): Dialect {
  return { read: (root, context) => (root === null ? null : read(root, context)) };
}
