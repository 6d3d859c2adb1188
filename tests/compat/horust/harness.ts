/**
 * `horust` in a folder of its own, with service files in it, as its users start it.
 *
 *   test("…", async ({ horust }) => {
 *     horust.script("web", "exec sleep 99", '[restart]\nstrategy = "always"');
 *     horust.start();
 *     await horust.reaches("web.toml", "RUNNING");
 *   });
 *
 * The program is ours, or the original when HORUST_ORIGINAL names the folder of its programs: what
 * is written with `test` holds for both, which is how the tests themselves are known to be right.
 * `ours` is for what the original gets wrong or has not, with the number of the defect in its name.
 */
import { join } from "node:path";
import {
  type Box,
  test as boxTest,
  type Outcome,
  type Running,
  type RunOptions,
} from "../../e2e/harness/box.ts";
import { findCommand } from "../../e2e/harness/proc.ts";
import { DEADLINE_MS, until } from "../../e2e/harness/wait.ts";
import { originalsOf, ownProgram } from "../programs.ts";

export { expect } from "vitest";
export { isRoot } from "../../e2e/harness/box.ts";
export { DEADLINE_MS, pause, until, within } from "../../e2e/harness/wait.ts";

/** The folder of the original's programs, when it is the one under test. */
export const original = originalsOf("HORUST_ORIGINAL");

export type Program = "horust" | "horustctl";

/** The flag that makes a failure show in the exit code. */
export const TELL = "--unsuccessful-exit-finished-failed";

export class Horust {
  readonly box: Box;
  #running: Running | null = null;

  constructor(box: Box) {
    this.box = box;
  }

  /** The folder of everything: services, socket, and where the supervisor is started. */
  get folder(): string {
    return this.box.folder;
  }

  path(...names: string[]): string {
    return this.box.path(...names);
  }

  program(name: Program): string {
    return original === null ? ownProgram(this.box, name) : join(original, name);
  }

  // --- its files

  /** Writes a service file as it is. */
  file(name: string, text: string): string {
    return this.box.write(name, text);
  }

  /** A service whose command is a script in bash, with more of its file below the command. */
  script(name: string, script: string, more = ""): string {
    const path = this.box.write(`${name}.sh`, `#!/usr/bin/env bash\n${script}\n`);
    return this.file(`${name}.toml`, `command = "/usr/bin/env bash ${path}"\n${more}\n`);
  }

  // --- the supervisor

  /** Starts it on the services of its folder. */
  start(args: readonly string[] = [], options: RunOptions = {}): Running {
    const own = ["--uds-folder-path", this.folder, "--services-path", this.folder];
    return this.startBare([...own, ...args], options);
  }

  /** Only with these arguments. */
  startBare(args: readonly string[], options: RunOptions = {}): Running {
    this.#running = this.box.start([this.program("horust"), ...args], { as: "child", ...options });
    return this.#running;
  }

  /** From its start to its end. */
  run(args: readonly string[] = [], options: RunOptions = {}): Promise<Outcome> {
    return this.start(args, options).outcome(options.deadlineMs);
  }

  runBare(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.startBare(args, options).outcome(options.deadlineMs);
  }

  /** What was started last. */
  get running(): Running {
    if (this.#running === null) throw new Error("nothing was started");
    return this.#running;
  }

  /** The supervisor's own process, as it is seen from here. */
  async pid(): Promise<number> {
    return until("the supervisor's process", () => findCommand(this.running.pid, this.running.argv), {
      details: () => this.running.report(),
    });
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    process.kill(await this.pid(), name);
  }

  /** Waits for a condition; what the supervisor wrote is shown if it never comes. */
  until<T>(what: string, condition: () => T | Promise<T>) {
    return until(what, condition, { deadlineMs: DEADLINE_MS, details: () => this.running.report() });
  }

  /** Waits until a file is there that a service makes. */
  makes(name: string): Promise<unknown> {
    return this.until(`${name}`, () => this.box.has(name));
  }

  /** Waits for so many lines in a file that services append to. */
  async lines(name: string, count: number): Promise<string[]> {
    return this.until(`${count} lines in ${name}`, () => {
      const lines = this.linesNow(name);
      return lines.length >= count ? lines : null;
    });
  }

  linesNow(name: string): string[] {
    return this.box.has(name) ? this.box.read(name).split("\n").slice(0, -1) : [];
  }

  // --- horustctl

  ctl(...args: string[]): Promise<Outcome> {
    return this.ctlOf(this.program("horustctl"), ...args);
  }

  ctlOf(program: string, ...args: string[]): Promise<Outcome> {
    return this.box.run([program, "--uds-folder-path", this.folder, ...args]);
  }

  /** The state of a service, as horustctl tells it. */
  async status(name: string): Promise<string> {
    const { code, out, err } = await this.ctl("status", name);
    const [, told, state] = /^Current status for '(.*)' is: '([A-Z]+)'\.$/m.exec(out) ?? [];
    if (code !== 0 || told !== name || state === undefined) throw new Error(`${code}: ${out}${err}`);
    return state;
  }

  async reaches(name: string, wanted: string): Promise<void> {
    let last = "";
    await this.until(`${name} to be ${wanted}`, async () => {
      last = await this.status(name);
      return last === wanted;
    }).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : error}\nlast seen: ${last}`);
    });
  }
}

export const test = boxTest.extend<{ horust: Horust }>({
  horust: async ({ box }, use) => {
    await use(new Horust(box));
  },
});

/** For what the original gets wrong, or has not. */
export const ours = original === null ? test : test.skip;

/** For what is known of the original alone. */
export const theirs = original === null ? test.skip : test;
