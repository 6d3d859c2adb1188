/**
 * Lua scripts under luavisors, in a folder of their own.
 *
 *   test("…", async ({ lua }) => {
 *     const end = await lua.run(`print(require("init").pid())`);
 *     expect(end).toMatchObject({ code: 0, err: "" });
 *   });
 *
 * The program is ours, called by its name, or the original when LUAVISORS_ORIGINAL names the folder
 * it is in: what is written with `test` holds for both, which is how the tests themselves are known
 * to be right. `ours` is for what the original gets wrong or has not, with the number of the defect
 * in its name.
 */
import { join } from "node:path";
import {
  type Box,
  test as boxTest,
  type Outcome,
  type Running,
  type RunOptions,
} from "../../e2e/harness/box.ts";
import { until } from "../../e2e/harness/wait.ts";
import { originalsOf, ownProgram } from "../programs.ts";

export { expect } from "vitest";
export { isRoot } from "../../e2e/harness/box.ts";
export { until } from "../../e2e/harness/wait.ts";

/** The folder of the original, when it is the one under test. */
export const original = originalsOf("LUAVISORS_ORIGINAL");

/** What every script here begins with; it stays on the first line, so that lines keep their numbers. */
const HEAD = 'local init = require("init") ';

export class Lua {
  readonly box: Box;
  #scripts = 0;

  constructor(box: Box) {
    this.box = box;
  }

  /** The path of the program, called by its name. */
  get program(): string {
    return original === null ? ownProgram(this.box, "luavisors") : join(original, "luavisors");
  }

  /** Writes a script and returns its path. `init` is there. */
  script(text: string): string {
    return this.box.write(`script-${++this.#scripts}.lua`, HEAD + text);
  }

  /** Runs a script to its end, without a namespace unless asked for. */
  run(text: string, ...args: string[]): Promise<Outcome> {
    return this.runWith({}, text, ...args);
  }

  runWith(options: RunOptions, text: string, ...args: string[]): Promise<Outcome> {
    return this.box.run([this.program, this.script(text), ...args], options);
  }

  /** Any arguments at all. */
  call(...args: string[]): Promise<Outcome> {
    return this.box.run([this.program, ...args]);
  }

  /** Starts a script, as the child of a shell that is PID 1 of a namespace. */
  start(text: string, options: RunOptions = {}): Running {
    return this.box.start([this.program, this.script(text)], { as: "child", ...options });
  }

  /** The same as PID 1. */
  init(text: string, options: RunOptions = {}): Running {
    return this.start(text, { as: "init", ...options });
  }

  /** Waits until a script has written something; flushing is its own affair. */
  async says(running: Running, text: string): Promise<void> {
    await until(`"${text}" on stdout`, () => running.out.includes(text) || running.over, {
      details: () => running.report(),
    });
    if (!running.out.includes(text)) throw new Error(`it ended without "${text}"${running.report()}`);
  }
}

export const test = boxTest.extend<{ lua: Lua }>({
  lua: async ({ box }, use) => {
    await use(new Lua(box));
  },
});

/** For what the original gets wrong, or has not. */
export const ours = original === null ? test : test.skip;
