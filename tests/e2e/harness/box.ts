/**
 * A box is one test's belongings: a folder, the programs it started, and the certainty that
 * nothing of it is left afterwards, whether the test passed or not.
 *
 *   test("…", async ({ box }) => {
 *     const up = await box.supervise(`[service.a]\ncommand = "imp pause"`);
 *     await up.reaches("a", "running");
 *   });
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test as base } from "vitest";
import { environment, isRoot, type Surroundings, surround } from "./launch.ts";
import { buildPrograms, oneup } from "./paths.ts";
import { childrenOf, isAlive, withEnvironment } from "./proc.ts";
import { type Inherited, inherited } from "./shapes.ts";
import { Supervisor } from "./supervisor.ts";
import { DEADLINE_MS, pause, until, within } from "./wait.ts";

export { expect } from "vitest";
export { isRoot } from "./launch.ts";
export { DEADLINE_MS, pause, until, within } from "./wait.ts";

export interface RunOptions extends Surroundings {
  /** Another binary than `oneup()`. */
  readonly bin?: string;
  /** On top of the small environment; `undefined` takes a name away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What stdin gives: a text and then the end; default /dev/null; `pipe` leaves it open. */
  readonly input?: string | "pipe";
  readonly deadlineMs?: number;
}

export interface SuperviseOptions extends RunOptions {
  /** More arguments of `run`. */
  readonly args?: readonly string[];
  /** Instead of a file with the configuration: the paths to give to `run`. */
  readonly paths?: readonly string[];
  /** `null`: no `--socket`. */
  readonly socket?: string | null;
  /** Do not wait until the socket answers. */
  readonly noWait?: boolean;
}

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
  /** stdout as JSON. */
  json(): unknown;
}

/** A program that a test started, with what it wrote so far. */
export class Running {
  readonly child: ChildProcess;
  readonly argv: readonly string[];
  readonly ended: Promise<Outcome>;
  #out = Buffer.alloc(0);
  #err = Buffer.alloc(0);

  constructor(argv: readonly string[], child: ChildProcess) {
    this.argv = argv;
    this.child = child;
    child.stdout?.on("data", (piece: Buffer) => {
      this.#out = Buffer.concat([this.#out, piece]);
    });
    child.stderr?.on("data", (piece: Buffer) => {
      this.#err = Buffer.concat([this.#err, piece]);
    });
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        const [out, err] = [this.out, this.err];
        resolve({ code, signal, out, err, json: (): unknown => JSON.parse(out) });
      });
    });
    // A test that never looks at the end must not fail for it.
    this.ended.catch(() => {});
  }

  get out(): string {
    return this.#out.toString("utf8");
  }

  get outBytes(): Buffer {
    return this.#out;
  }

  get err(): string {
    return this.#err.toString("utf8");
  }

  get over(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.argv.join(" ")} was not started`);
    return this.child.pid;
  }

  /** Its outcome, at the latest after the deadline. */
  async outcome(deadlineMs = DEADLINE_MS): Promise<Outcome> {
    return within(`the end of ${this.argv.join(" ")}${this.report()}`, this.ended, deadlineMs);
  }

  report(): string {
    const tail = (text: string) => (text.length > 4000 ? `… ${text.slice(-4000)}` : text);
    return `\n--- stdout of ${basename(this.argv[0] ?? "")}\n${tail(this.out)}\n--- stderr\n${tail(this.err)}\n---`;
  }
}

export class Box {
  readonly id = randomBytes(8).toString("hex");
  /** Short, because a socket's path may have 107 bytes. */
  readonly folder = mkdtempSync(join(tmpdir(), "ou-"));
  readonly #running: Running[] = [];
  #bare = false;
  #configurations = 0;

  constructor() {
    buildPrograms();
    // Plain users look in, too.
    chmodSync(this.folder, 0o777);
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  write(name: string, text: string | Buffer, mode?: number): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    if (mode !== undefined) chmodSync(path, mode);
    return path;
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  /** The marks that `imp` left in a file: `[["TERM", 17, 123456], …]` with inner pids and microseconds. */
  marks(name: string): { readonly word: string; readonly pid: number; readonly at: number }[] {
    if (!this.has(name)) return [];
    return this.read(name)
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const [word = "", pid, at] = line.split(" ");
        return { word, pid: Number(pid), at: Number(at) };
      });
  }

  words(name: string): string[] {
    return this.marks(name).map((mark) => mark.word);
  }

  /**
   * The words of a file's marks, once there are as many as `count`. A service that runs has passed
   * its exec; its first mark may still be on the way.
   */
  async wordsOf(name: string, count: number): Promise<string[]> {
    return until(`${count} marks in ${name}`, () => {
      const words = this.words(name);
      return words.length >= count ? words : null;
    });
  }

  /** Waits for the file that `imp state FILE` makes. */
  async inherited(name: string): Promise<Inherited> {
    await until(`${name} from imp state`, () => this.has(name));
    return inherited.parse(JSON.parse(this.read(name)));
  }

  /** A copy of a program inside the box, for users and roots that see nothing else. */
  copy(program: string, name = basename(program)): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(program, path);
    chmodSync(path, 0o755);
    return path;
  }

  /** Starts any program. */
  start(
    argv: readonly string[],
    options: RunOptions & { readonly stdio?: ("pipe" | "ignore" | number)[] } = {},
  ): Running {
    const full = surround(argv, options);
    const [program = "", ...args] = full;
    if (options.as === "bare") this.#bare = true;
    const env: Record<string, string> = environment(this.id, this.folder);
    for (const [name, value] of Object.entries(options.env ?? {})) {
      if (value === undefined) delete env[name];
      else env[name] = value;
    }
    const stdin = options.input === undefined ? "ignore" : "pipe";
    const child = spawn(program, args, {
      cwd: options.cwd ?? this.folder,
      env,
      stdio: options.stdio ?? [stdin, "pipe", "pipe"],
    });
    const running = new Running(argv, child);
    this.#running.push(running);
    child.stdin?.on("error", () => {});
    if (options.input !== undefined && options.input !== "pipe") child.stdin?.end(options.input);
    return running;
  }

  /** Runs any program to its end. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.start(argv, { as: "bare", ...options }).outcome(options.deadlineMs);
  }

  /** Runs the binary under test to its end, without a namespace unless asked for. */
  async oneup(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.run([options.bin ?? oneup(), ...args], options);
  }

  /** Writes a configuration and returns its path. */
  configuration(text: string, name = "oneup.toml"): string {
    return this.write(name, text);
  }

  /** `oneup run` with a configuration, once its socket answers. */
  async supervise(text: string, options: SuperviseOptions = {}): Promise<Supervisor> {
    const number = ++this.#configurations;
    const paths = options.paths ?? [
      this.configuration(text, number === 1 ? "oneup.toml" : `oneup-${number}.toml`),
    ];
    const socket = options.socket === undefined ? this.path(`s${number}`) : options.socket;
    const bin = options.bin ?? oneup();
    const argv = [
      bin,
      "run",
      ...paths,
      ...(socket === null ? [] : ["--socket", socket]),
      ...(options.args ?? []),
    ];
    const running = this.start(argv, options);
    const up = new Supervisor(this, running, { bin, socket: socket ?? "", as: options.as ?? "init" });
    if (options.noWait !== true) await up.answers();
    return up;
  }

  /** What else was asked for by name: `oneup -- CMD` and its like, not waited for. */
  background(args: readonly string[], options: RunOptions = {}): Running {
    return this.start([options.bin ?? oneup(), ...args], options);
  }

  /** Ends everything. Throws if something was left that a namespace did not hold. */
  async close(): Promise<void> {
    for (const running of this.#running) endNow(running);
    await Promise.all(this.#running.map((running) => running.outcome().catch(() => {})));
    const left = await this.#leftBehind();
    for (const pid of left) kill(pid);
    await until("the end of everything a test had started", () => !left.some(isAlive));
    rmSync(this.folder, { recursive: true, force: true });
    if (left.length > 0 && !this.#bare) throw new Error(`the test left processes behind: ${left.join(" ")}`);
  }

  /** What outlives its namespace's PID 1 by more than the moment the kernel takes. */
  async #leftBehind(): Promise<number[]> {
    const end = Date.now() + (this.#bare ? 0 : 5_000);
    for (;;) {
      const left = withEnvironment("ONEUP_E2E", this.id).filter(isAlive);
      if (left.length === 0 || Date.now() > end) return left;
      await pause(5);
    }
  }

  report(): string {
    return this.#running.map((running) => `\n$ ${running.argv.join(" ")}${running.report()}`).join("");
  }
}

/** KILL to the namespace's PID 1 (its parent-death signal is lost when it changed its user), then to the rest. */
function endNow(running: Running): void {
  if (running.over || running.child.pid === undefined) return;
  if (running.child.spawnfile === "unshare") {
    for (const child of childrenOf(running.child.pid)) kill(child.pid);
  }
  kill(running.child.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was faster.
  }
}

export const test = base.extend<{ box: Box }>({
  box: async ({ onTestFailed }, use) => {
    const box = new Box();
    onTestFailed(() => {
      console.error(box.report());
    });
    try {
      await use(box);
    } finally {
      await box.close();
    }
  },
});

/** For what only root can check (users, mounts). */
export const rootTest = isRoot ? test : test.skip;
