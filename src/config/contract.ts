/** What the command line asks of the config program, and what it gets. */
import type { Config, Kind } from "../model/spec.ts";
import type { ConfigIssue } from "./issues.ts";

export type { ConfigIssue } from "./issues.ts";

export interface LoadInput {
  /** As the user gave them. None: `oneup.toml` in `cwd`, else `/etc/oneup`. */
  readonly paths: readonly string[];
  readonly cwd: string;
  /** For `${VAR}`. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Asks for the JSON Schema of the configuration instead; the answer is the schema. */
export interface SchemaInput {
  readonly schema: true;
}

/** What was read, known as far as it goes whether or not there were errors. */
export interface Loaded {
  /** File by file, in each the services, the tasks and the targets. */
  readonly names: readonly string[];
  /** The same with their kinds. */
  readonly definitions: readonly { readonly name: string; readonly kind: Kind }[];
  /** The files that were read, as they are shown in messages. */
  readonly sources: readonly string[];
  /**
   * The real path of the first PATH, by which a supervisor of this configuration is known; for a
   * folder with an `oneup.toml` in it, of that file. `null` if there is none.
   */
  readonly root: string | null;
  /** What is no error but should be said. */
  readonly warnings: readonly ConfigIssue[];
}

export interface LoadSuccess extends Loaded {
  readonly ok: true;
  readonly config: Config;
  /** What `Supervise` (`host/src/protocol.rs`) takes from `[supervisor]`. */
  readonly supervise: {
    readonly listen: { readonly address: string; readonly tokenFile: string } | null;
    readonly consoleFormat: "text" | "json";
  };
}

export interface LoadFailure extends Loaded {
  readonly ok: false;
  /** At least one; all there are. */
  readonly errors: readonly ConfigIssue[];
}

export type LoadOutput = LoadSuccess | LoadFailure;
