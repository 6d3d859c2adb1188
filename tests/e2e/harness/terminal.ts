/** A terminal with a program on it. Needs python3, whose standard library can make one. */
import { join } from "node:path";
import type { Writable } from "node:stream";
import type { Box, Running, RunOptions } from "./box.ts";
import { root } from "./paths.ts";
import { until } from "./wait.ts";

export class Terminal {
  readonly running: Running;
  #status = "";

  /** `argv` becomes session leader on the terminal. */
  constructor(box: Box, argv: readonly string[], options: RunOptions = {}) {
    const script = join(root, "tests/e2e/harness/pty.py");
    this.running = box.start(["python3", script, ...argv], {
      as: "bare",
      ...options,
      stdio: ["pipe", "pipe", "pipe", "pipe", "pipe"],
    });
    this.running.child.stdio[4]?.on("data", (piece: Buffer) => {
      this.#status += piece.toString("utf8");
    });
  }

  /** Everything that appeared so far, with `\r\n` as `\n`. */
  get screen(): string {
    return this.running.out.replaceAll("\r\n", "\n");
  }

  type(text: string): void {
    this.running.child.stdin?.write(text);
  }

  /** Waits until a text appears behind `from`; returns where it ends. */
  async shows(text: string | RegExp, from = 0): Promise<number> {
    return until(
      `${String(text)} on the terminal`,
      () => {
        const rest = this.screen.slice(from);
        if (typeof text === "string") {
          const at = rest.indexOf(text);
          return at < 0 ? null : from + at + text.length;
        }
        const match = text.exec(rest);
        return match === null ? null : from + match.index + match[0].length;
      },
      { details: () => `\n--- terminal\n${this.screen}\n---${this.running.err}` },
    );
  }

  #order(text: string): void {
    const orders = this.running.child.stdio[3] as Writable | null | undefined;
    orders?.write(`${text}\n`);
  }

  /** The line breaks down, the window is closed. */
  hangUp(): void {
    this.#order("close");
  }

  resize(rows: number, columns: number): void {
    this.#order(`size ${rows} ${columns}`);
  }

  /** How the program ended: `exit 0`, `signal 1`. */
  async status(): Promise<string> {
    await this.running.outcome();
    return this.#status.trim();
  }
}
