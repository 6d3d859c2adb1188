/**
 * supervisors in a folder of its own, and clients of its HTTP API.
 *
 *   test("…", async ({ supervisors }) => {
 *     supervisors.programs({ web: { command: "sleep", args: ["99"] } });
 *     await supervisors.start();
 *     expect(await supervisors.status()).toEqual({ web: true });
 *   });
 *
 * It is ours, or the original when SUPERVISORS_ORIGINAL names the folder of its program: what is written
 * with `test` holds for both, which is how the tests themselves are known to be right. `ours` is for what
 * the original gets wrong or has not, with the number of the defect in its name; `theirs` shows a defect.
 */
import { request } from "node:http";
import { join } from "node:path";
import {
  type Box,
  test as boxTest,
  type Outcome,
  type Running,
  type RunOptions,
} from "../../e2e/harness/box.ts";
import type { Answer } from "../../e2e/harness/http.ts";
import { freePort } from "../../e2e/harness/ports.ts";
import { Supervisor } from "../../e2e/harness/supervisor.ts";
import { DEADLINE_MS, until } from "../../e2e/harness/wait.ts";
import { originalsOf, ownProgram } from "../programs.ts";

export { expect } from "vitest";
export { DEADLINE_MS, until } from "../../e2e/harness/wait.ts";

/** The folder of the original's program, when it is the one under test. */
export const original = originalsOf("SUPERVISORS_ORIGINAL");

export interface Program {
  readonly command: string;
  readonly args?: readonly string[];
  readonly autorestart?: boolean;
  readonly logfile?: string;
}

export class Supervisors {
  readonly box: Box;
  #port = 0;
  #up: Supervisor | null = null;

  constructor(box: Box) {
    this.box = box;
  }

  /** The path of the program, called by its name. */
  program(): string {
    return original === null ? ownProgram(this.box, "supervisors") : join(original, "supervisors");
  }

  /** Writes `supervisors.toml`. `listen`: `null` for none at all, else as it is; a free port of 127.0.0.1 unless given. */
  async programs(programs: Readonly<Record<string, Program>>, listen?: string | null): Promise<void> {
    if (listen === undefined) this.#port = await freePort();
    const address = listen === undefined ? `127.0.0.1:${this.#port}` : listen;
    this.box.write("supervisors.toml", text(programs, address));
  }

  get port(): number {
    return this.#port;
  }

  /** Starts it in the box's folder, as the child of a shell in a namespace of its own. */
  async start(options: RunOptions & { readonly args?: readonly string[]; readonly noWait?: boolean } = {}) {
    const argv = [this.program(), ...(options.args ?? [])];
    const running = this.box.start(argv, { as: "child", ...options });
    this.#up = new Supervisor(this.box, running, {
      bin: argv[0] ?? "",
      socket: "",
      as: options.as ?? "child",
    });
    if (this.#port !== 0 && options.noWait !== true) await this.answers();
    return this.#up;
  }

  get up(): Supervisor {
    if (this.#up === null) throw new Error("it was not started");
    return this.#up;
  }

  get running(): Running {
    return this.up.running;
  }

  /** Runs it to its end. */
  run(args: readonly string[] = []): Promise<Outcome> {
    return this.box.run([this.program(), ...args], { as: "child" });
  }

  /** Waits until the API answers. */
  async answers(): Promise<void> {
    await this.until("an answer of the API", async () => {
      if (this.running.over) throw new Error("it has left");
      return (await this.get("/")).status === 200;
    });
  }

  until<T>(what: string, condition: () => T | Promise<T>, deadlineMs = DEADLINE_MS) {
    return until(what, condition, { deadlineMs, details: () => this.#up?.running.report() ?? "" });
  }

  /** Complete lines on its stdout that fit, once there are so many. */
  async lines(pattern: RegExp, count = 1): Promise<string[]> {
    return this.until(`${count} lines like ${pattern}`, () => {
      const found = this.up.lines().filter((line) => pattern.test(line));
      return found.length >= count ? found : null;
    });
  }

  get(path: string, method = "GET", headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return call(this.#port, method, path, headers);
  }

  /** What `/status` says, by name. */
  async status(): Promise<Record<string, boolean>> {
    const list = (await this.get("/status")).json();
    if (!Array.isArray(list)) throw new Error(`no list: ${JSON.stringify(list)}`);
    return Object.fromEntries(
      list.map(({ name, running }: { name: string; running: boolean }) => [name, running]),
    );
  }

  /** Waits until `/status` says so of a program. */
  async isRunning(name: string, wanted: boolean): Promise<void> {
    await this.until(`${name} to be ${wanted ? "running" : "not running"}`, async () => {
      return (await this.status())[name] === wanted;
    });
  }
}

/** A configuration's text. */
export function text(programs: Readonly<Record<string, Program>>, listen: string | null): string {
  const head = listen === null ? "" : `listen = ${JSON.stringify(listen)}\n`;
  const tables = Object.entries(programs).map(([name, program]) => {
    const lines = Object.entries(program).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
    return `[programs.${JSON.stringify(name)}]\n${lines.join("")}`;
  });
  return `${head}${tables.length === 0 ? "[programs]\n" : tables.join("\n")}`;
}

function call(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, agent: false, headers }, (received) => {
      const pieces: Buffer[] = [];
      received.on("data", (piece: Buffer) => pieces.push(piece));
      received.on("error", reject);
      received.on("end", () => {
        const body = Buffer.concat(pieces).toString("utf8");
        const { statusCode: status = 0, headers: got } = received;
        resolve({ status, headers: got, text: body, json: (): unknown => JSON.parse(body) });
      });
    });
    sent.setTimeout(DEADLINE_MS, () => sent.destroy(new Error(`no answer to ${method} ${path}`)));
    sent.on("error", reject);
    sent.end();
  });
}

/** A program of a shell's. */
export function sh(script: string, more: Omit<Program, "command" | "args"> = {}): Program {
  return { command: "/bin/sh", args: ["-c", script], ...more };
}

export const test = boxTest.extend<{ supervisors: Supervisors }>({
  supervisors: async ({ box }, use) => {
    await use(new Supervisors(box));
  },
});

/** For what the original gets wrong, or has not. */
export const ours = original === null ? test : test.skip;

/** For what is known of the original alone. */
export const theirs = original === null ? test.skip : test;
