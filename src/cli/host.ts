/**
 * What the host offers the command-line program: plain, synchronous calls. A command-line verb is
 * a short sequential program, so nothing here is a promise.
 */
import type { Supervise } from "../generated/protocol.ts";
import type { RunRhai } from "./rhai.ts";
import type { Screen } from "./screen.ts";

/** A system call's failure: the errno's name (`ENOENT`) and the sentence that goes with it. */
export interface HostError {
  readonly error: string;
  readonly message: string;
}

export interface FileStatus {
  readonly kind: "file" | "folder" | "socket" | "other";
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
}

export interface HttpCall {
  readonly socket: string;
  readonly method: string;
  /** Path and query, encoded. */
  readonly target: string;
  readonly body?: string;
  /** 0 or absent: no limit. */
  readonly timeoutMs?: number;
}

export interface LineCall {
  readonly socket: string;
  /** Without its line break. */
  readonly text: string;
  /** 0: no limit. */
  readonly connectTimeoutMs: number;
  /** For the answer to come; 0: no limit. */
  readonly timeoutMs: number;
}

export interface MessageCall {
  readonly socket: string;
  /** A character from U+0000 to U+00FF for each byte. */
  readonly bytes: string;
  /** For all of it; 0: no limit. */
  readonly timeoutMs: number;
}

/** What went wrong with a `LineCall`, and whether somebody listens there at all. */
export interface LineError extends HostError {
  readonly connected: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What both the command-line program and the config program may ask of the machine. */
export interface FileHost {
  /** Who this process acts as. */
  readonly uid: number;
  /** UTF-8; bytes that are not become U+FFFD. Refuses files above 16 MiB (`EFBIG`). */
  readFile(path: string): { readonly text: string } | HostError;
  /** The same, a character from U+0000 to U+00FF for each byte. */
  readBytes(path: string): { readonly bytes: string } | HostError;
  /** Names, sorted, without `.` and `..`. */
  readFolder(path: string): { readonly names: readonly string[] } | HostError;
  /** Follows links. */
  stat(path: string): FileStatus | HostError;
  realPath(path: string): { readonly path: string } | HostError;
  userExists(name: string): boolean;
  groupExists(name: string): boolean;
  /** `null` if the host's regular expression engine takes the pattern, else why not. */
  regexError(pattern: string): string | null;
}

/** What the config program may change, and what it has to know of the process for that. */
export interface EditHost extends FileHost {
  /**
   * Replaces a configuration file (`.toml`, or `.xinet.json`) as a whole, or makes it: whoever reads it finds the old
   * text or the new one, also after a loss of power. A link stays, and what it leads to is
   * replaced. `mode`: of a new file, less the umask; one that is there keeps its own.
   */
  writeFile(path: string, text: string, mode: number): HostError | null;
  /** Removes a configuration file (`.toml`, `.yaml`, `.yml`). */
  removeFile(path: string): HostError | null;
  /** A variable of the process's own environment. */
  variable(name: string): string | null;
  /** The folder the process is in, or `/` if it is gone. */
  currentFolder(): string;
}

export interface CliHost extends FileHost {
  /** argv[0] first, as the process was called. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The current folder, or `/` if it is gone. */
  readonly cwd: string;
  readonly pid: number;
  readonly version: string;
  /** Wall clock, ms since 1970. */
  now(): number;
  isTerminal(fd: 0 | 1 | 2): boolean;
  /** Width of the terminal on stdout, or `null`. */
  columns(): number | null;
  /** Writes all of it. A reader that has gone ends the process as SIGPIPE would. */
  write(fd: 1 | 2, text: string): void;
  sleep(ms: number): void;
  readonly screen: Screen;
  /** Runs a script to its end. */
  readonly runRhai: RunRhai;
  makeLink(target: string, path: string): HostError | null;
  /** The path of this executable, or `null` where nobody can tell (no /proc). */
  executable(): string | null;
  /** With all folders above it; one that is there already is fine. */
  makeFolder(path: string): HostError | null;
  /** Sends a signal, by its name without SIG, to one process. */
  signal(pid: number, signal: string): HostError | null;
  request(call: HttpCall): HttpAnswer | HostError;
  /** One line out, one line back, on a connection of its own. */
  callLine(call: LineCall): { readonly text: string } | LineError;
  /** One message out and one back, each to the end of its side of a connection of its own. */
  callMessage(call: MessageCall): { readonly bytes: string } | LineError;
  /**
   * A streaming answer: `onText` gets the body piece by piece, cut anywhere but inside a
   * character, until it returns false or the stream ends. A status other than 200 comes as an
   * answer with its whole body and no call of `onText`.
   */
  stream(call: HttpCall, onText: (text: string) => boolean): HttpAnswer | HostError;
  /**
   * Runs a config program (`config`, or `config-all`, which knows every dialect) in an engine of its
   * own and returns its JSON answer.
   */
  loadConfig(program: "config" | "config-all", input: string): string;
  /**
   * When this program returns, another one runs with these arguments, the first being its name: the
   * one that this name stands for, or the embedded program that is named.
   */
  become(argv: readonly string[], program?: string): void;
  /** Becomes a supervisor when this program returns. */
  supervise(options: Supervise): void;
}
