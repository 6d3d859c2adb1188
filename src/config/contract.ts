/** What the command line asks of the config program, and what it gets. */

import type { ServiceDocument } from "../dialects/zinit/document.ts";
import type { ListenTcp } from "../generated/protocol.ts";
import type { Config, Kind, ProxySpec, SparseSpec } from "../model/spec.ts";
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
    readonly listen: ListenTcp | null;
    readonly consoleFormat: "text" | "json";
  };
}

export interface LoadFailure extends Loaded {
  readonly ok: false;
  /** At least one; all there are. */
  readonly errors: readonly ConfigIssue[];
}

export type LoadOutput = LoadSuccess | LoadFailure;

/** There are files of a dialect that this config program does not know: `config-all` does. */
export interface Elsewhere {
  readonly elsewhere: true;
}

/*
 * What a running supervisor with zinit's files asks of `config-all`, by `Query::Configure`. The
 * command line asks for the first one too, by `host.loadConfig`, to start such a supervisor.
 */

/** Where zinit's files are; both absolute. */
export interface ZinitPlaces {
  /** Those of the user. New services are written here. */
  readonly configDir: string;
  /**
   * Those of the system, read first; their names are not the user's to define. `null` unless it is
   * the init of a machine, and with it goes that `critical` means something.
   */
  readonly systemDir: string | null;
}

/** Reads the folders: at the start of a server, and at a reload. */
export interface ZinitLoadInput extends ZinitPlaces {
  readonly zinit: "load";
}

/** Whatever is wrong with a file is a warning, and the file is left out. It never fails. */
export interface ZinitLoadOutput {
  /** Folder by folder, file by file, each sorted. `origin` of each is its whole definition. */
  readonly services: readonly SparseSpec[];
  /** Those that were to stay. Of interest to a start alone. */
  readonly proxies?: readonly ProxySpec[];
  /** One sentence each, for the server's own log. */
  readonly warnings: readonly string[];
  /** A name and a name in its `requires` that nobody defines. */
  readonly missing: readonly (readonly [service: string, requirement: string])[];
  /**
   * Cycles over requires, after and wants, as `["a", "b"]`. Their members are among the services
   *: they are failed, and all others run. At a reload one is a reason to refuse.
   */
  readonly cycles: readonly (readonly string[])[];
}

/** What an edit has to know of a service or target that is there. */
export interface ZinitKnown {
  readonly name: string;
  /** The file that defines it; `null`: none, it is ephemeral. */
  readonly file: string | null;
  /** What it requires, is after of or wants: the edges that may make a cycle. */
  readonly waitsFor: readonly string[];
}

/** Checks a definition and writes it to the file that defines this name, or to a new one. */
export interface ZinitSetInput extends ZinitPlaces {
  readonly zinit: "set";
  /** `params` of `service.set` as they came: `{config: {service, …}}`, or the definition bare. */
  readonly params: unknown;
  /** False: nothing is written, the service is forgotten when the server leaves. */
  readonly persist: boolean;
  /** All that are there (`knownServices` in `src/dialects/zinit/running.ts`). */
  readonly known: readonly ZinitKnown[];
}

/** As JSON-RPC gives it to the client. */
export interface ZinitFailure {
  readonly ok: false;
  readonly code: number;
  readonly message: string;
  readonly data?: { readonly errors: readonly string[] };
}

export interface ZinitSet {
  readonly ok: true;
  readonly name: string;
  /** The file; `null` if it is ephemeral. */
  readonly path: string | null;
  readonly warnings: readonly string[];
  /** For `Ask change`. */
  readonly spec: SparseSpec;
}

export type ZinitSetOutput = ZinitSet | ZinitFailure;

/** Removes the files that define these names; what is ephemeral has none. */
export interface ZinitDeleteInput extends ZinitPlaces {
  readonly zinit: "delete";
  readonly services: readonly Pick<ZinitKnown, "name" | "file">[];
}

export interface ZinitDeleted {
  readonly ok: true;
  /** Paths of the files that are gone. */
  readonly removed: readonly string[];
}

export type ZinitDeleteOutput = ZinitDeleted | ZinitFailure;

/** Reads one service file anywhere, for a client that gives it to a server. */
export interface ZinitReadInput {
  readonly zinit: "read";
  readonly file: string;
}

export interface ZinitRead {
  readonly ok: true;
  /** With every default; what is wrong with its values is the server's to tell. */
  readonly document: ServiceDocument;
  /** Keys that mean nothing. */
  readonly warnings: readonly string[];
}

export type ZinitReadOutput = ZinitRead | ZinitFailure;

/** Writes down which proxies are to be there after the next start of the server. */
export interface ZinitXinetInput {
  readonly zinit: "xinet";
  readonly configDir: string;
  readonly proxies: readonly ProxySpec[];
}

export type ZinitXinetOutput = { readonly ok: true } | ZinitFailure;

/*
 * What the command line asks of `config-all` to become a supervisor of Horust's services.
 */

interface HorustPlace {
  /** Absolute: relative paths start here. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

export type HorustLoadInput = HorustPlace & {
  readonly horust: "load";
  /** Files and folders, as they were given. */
  readonly paths: readonly string[];
  /** This one command instead. */
  readonly command?: HorustCommand;
};

/** Either its words, or a line that is still to be split. */
export interface HorustCommand {
  readonly name: string;
  readonly words: readonly string[] | null;
  readonly line: string;
}

export interface HorustTrouble {
  readonly level: "error" | "warn";
  readonly text: string;
}

export interface HorustLoadOutput {
  /** Sorted by file within each path. */
  readonly services: readonly SparseSpec[];
  /** What was passed over, and what is odd. */
  readonly troubles: readonly HorustTrouble[];
  /** Why nothing is to be started. */
  readonly refused: readonly string[];
}

/** What the command line asks of `config-all` to become a supervisor of supervisors' programs. */
export interface SupervisorsInput {
  /** The file, as it was given. */
  readonly supervisors: string;
  /** Absolute: relative paths start here. */
  readonly cwd: string;
}

export type SupervisorsOutput =
  | {
      readonly services: readonly SparseSpec[];
      /** `HOST:PORT`; empty: there is no HTTP API. */
      readonly listen: string;
    }
  /** The file and why. */
  | { readonly unreadable: string }
  | { readonly errors: readonly ConfigIssue[] };

export type ZinitInput = ZinitLoadInput | ZinitSetInput | ZinitDeleteInput | ZinitReadInput | ZinitXinetInput;
export type ZinitOutput =
  | ZinitLoadOutput
  | ZinitSetOutput
  | ZinitDeleteOutput
  | ZinitReadOutput
  | ZinitXinetOutput;
