/** A machine of its own for the command line: files, sockets and a clock that tests set. */
import { run } from "../../../src/cli/cli.ts";
import type {
  CliHost,
  FileStatus,
  HostError,
  HttpAnswer,
  HttpCall,
  LineCall,
  LineError,
  MessageCall,
} from "../../../src/cli/host.ts";
import type { Screen } from "../../../src/cli/screen.ts";
import type { Supervise } from "../../../src/generated/protocol.ts";
import { Bench, replies, WALL } from "../api/stub.ts";

export type Server = (call: HttpCall) => HttpAnswer | HostError;

/** A screen that nobody takes: what draws on it has tests of its own. */
const NO_SCREEN: Screen = {
  open: () => ({ error: "ENOTTY", message: "not a terminal" }),
  close: () => {},
  size: () => ({ columns: 80, rows: 24 }),
  draw: () => {},
  nextInput: () => ({ type: "closed" }),
  submit: () => false,
};

const NOBODY: HostError = { error: "ECONNREFUSED", message: "connection refused" };
const MISSING: HostError = { error: "ENOENT", message: "no such file or folder" };

export class FakeHost implements CliHost {
  argv: readonly string[] = ["oneup"];
  environment: Record<string, string> = { XDG_RUNTIME_DIR: "/run/user/1000" };
  cwd = "/home/me/project";
  pid = 500;
  uid = 1000;
  readonly version = "1.2.3";
  clock = WALL;
  terminal = false;
  width: number | null = null;
  out = "";
  err = "";
  readonly files = new Map<string, FileStatus>();
  /** What is in files that are read. */
  readonly texts = new Map<string, string>();
  /** Links: path → where it leads. */
  readonly links = new Map<string, string>();
  readonly sockets = new Map<string, Server>();
  readonly calls: HttpCall[] = [];
  /** Who answers lines, by socket. */
  readonly lines = new Map<string, (call: LineCall) => string | LineError>();
  /** Who answers messages. */
  readonly messages = new Map<string, (call: MessageCall) => { bytes: string } | LineError>();
  readonly folders: string[] = [];
  readonly signals: [pid: number, signal: string][] = [];
  /** What a followed stream gives, cut as it comes. */
  pieces: readonly string[] = [];
  becomes: readonly string[] | null = null;
  supervised: Supervise | null = null;
  loaded: unknown = null;
  /** There are files that only the config program with every dialect reads. */
  foreign = false;
  config: unknown = { ok: false, errors: [], names: [], warnings: [], root: null };
  own: string | null = "/usr/bin/oneup";
  badPatterns: Record<string, string> = {};
  readonly screen = NO_SCREEN;
  readonly runRhai = () => null;

  file(path: string, more: Partial<FileStatus> = {}): this {
    this.files.set(path, { kind: "file", size: 1, mode: 0o644, uid: this.uid, ...more });
    return this;
  }

  folder(path: string, more: Partial<FileStatus> = {}): this {
    return this.file(path, { kind: "folder", mode: 0o700, ...more });
  }

  now(): number {
    return this.clock;
  }
  isTerminal(): boolean {
    return this.terminal;
  }
  columns(): number | null {
    return this.width;
  }
  write(fd: 1 | 2, text: string): void {
    if (fd === 1) this.out += text;
    else this.err += text;
  }
  sleep(ms: number): void {
    this.clock += ms;
  }
  readFile(path: string): { text: string } | HostError {
    const text = this.texts.get(path);
    return text === undefined ? MISSING : { text };
  }
  readBytes(): HostError {
    return MISSING;
  }
  readFolder(): HostError {
    return MISSING;
  }
  stat(path: string): FileStatus | HostError {
    return this.files.get(this.links.get(path) ?? path) ?? MISSING;
  }
  realPath(path: string): { path: string } | HostError {
    const real = this.links.get(path) ?? path;
    return this.files.has(real) ? { path: real } : MISSING;
  }
  userExists(): boolean {
    return true;
  }
  groupExists(): boolean {
    return true;
  }
  regexError(pattern: string): string | null {
    return this.badPatterns[pattern] ?? null;
  }
  makeLink(target: string, path: string): HostError | null {
    if (this.links.has(path) || this.files.has(path)) return { error: "EEXIST", message: "it exists" };
    this.links.set(path, target);
    return null;
  }
  executable(): string | null {
    return this.own;
  }
  request(call: HttpCall): HttpAnswer | HostError {
    this.calls.push(call);
    return this.sockets.get(call.socket)?.(call) ?? NOBODY;
  }
  makeFolder(path: string): HostError | null {
    this.folders.push(path);
    return null;
  }
  signal(pid: number, signal: string): HostError | null {
    this.signals.push([pid, signal]);
    return null;
  }
  callLine(call: LineCall): { text: string } | LineError {
    const answer = this.lines.get(call.socket)?.(call) ?? { ...NOBODY, connected: false };
    return typeof answer === "string" ? { text: answer } : answer;
  }
  callMessage(call: MessageCall): { bytes: string } | LineError {
    return this.messages.get(call.socket)?.(call) ?? { ...NOBODY, connected: false };
  }
  stream(call: HttpCall, onText: (text: string) => boolean): HttpAnswer | HostError {
    const answer = this.request(call);
    if ("error" in answer || answer.status !== 200) return answer;
    for (const piece of this.pieces) if (!onText(piece)) break;
    return { status: 200, contentType: "text/event-stream", body: "" };
  }
  loadConfig(program: string, input: string): string {
    this.loaded = JSON.parse(input);
    const isElsewhere = program === "config" && this.foreign;
    return JSON.stringify(isElsewhere ? { elsewhere: true } : this.config);
  }
  become(argv: readonly string[], program?: string): void {
    this.becomes = program === undefined ? argv : [`(${program})`, ...argv];
  }
  supervise(options: Supervise): void {
    this.supervised = options;
  }

  /** The last call's method and target. */
  get asked(): string {
    const call = this.calls.at(-1);
    return `${call?.method} ${call?.target}`;
  }
}

export interface Ended {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  /** stdout as one JSON document. */
  readonly json: unknown;
}

/** Runs `oneup ARGS…`. */
export function oneup(host: FakeHost, ...args: string[]): Ended {
  host.argv = ["oneup", ...args];
  host.out = "";
  host.err = "";
  const exit = run(host);
  let json: unknown;
  try {
    json = JSON.parse(host.out);
  } catch {
    json = undefined;
  }
  return { exit, out: host.out, err: host.err, json };
}

export const SYSTEM = "/run/oneup/oneup.sock";

/** A supervisor that gives the same answer to everything. */
export function giving(body: unknown, status = 200): Server {
  return () => answer(body, status);
}

export function answer(body: unknown, status = 200): HttpAnswer {
  const contentType = status < 300 ? "application/json" : "application/problem+json";
  return { status, contentType, body: JSON.stringify(body) };
}

/** A machine with a supervisor in its place: the real API on a stand-in for the engine. */
export function withSupervisor(): { host: FakeHost; bench: Bench } {
  const bench = new Bench();
  const host = new FakeHost();
  host.sockets.set(SYSTEM, (call) => {
    const { commands } = bench.http(call.method, call.target, call.body ?? "");
    const [reply] = replies(commands);
    if (reply === undefined) return { error: "ETIMEDOUT", message: "timed out" };
    const body = reply.parts.map((part) => (part.type === "text" ? part.text : "[]")).join("");
    return { status: reply.status, contentType: reply.contentType, body };
  });
  return { host, bench };
}
