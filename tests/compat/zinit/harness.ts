/**
 * A zinit server in a folder of its own, and everything that people use to talk to it.
 *
 *   test("…", async ({ zinit }) => {
 *     zinit.service("web", "sleep 99", { lifecycle: { restart: "always" } });
 *     await zinit.start();
 *     await zinit.reaches("web", "running");
 *     expect((await zinit.cli("status", "web")).out).toContain("Running");
 *   });
 *
 * The server is ours, or the original when ZINIT_ORIGINAL names the folder of its programs: what is
 * written with `test` holds for both, which is how the tests themselves are known to be right.
 * `ours` is for what the original gets wrong or has not, with the number of the defect in its name.
 *
 * The server is the child of a shell in a pid namespace with a /run of its own: nothing outlives
 * the test, and the state file of the original cannot be eaten by another server.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type Box,
  test as boxTest,
  type Outcome,
  type Running,
  type RunOptions,
} from "../../e2e/harness/box.ts";
import { Raw, Rpc } from "../../e2e/harness/http.ts";
import { type RpcAnswer, rpcAnswer } from "../../e2e/harness/shapes.ts";
import { Supervisor } from "../../e2e/harness/supervisor.ts";
import { DEADLINE_MS, until } from "../../e2e/harness/wait.ts";
import { originalsOf, ownProgram } from "../programs.ts";

export { expect } from "vitest";
export { isRoot } from "../../e2e/harness/box.ts";
export { DEADLINE_MS, pause, until, within } from "../../e2e/harness/wait.ts";

/** The folder of the original's programs, when it is the one under test. */
export const original = originalsOf("ZINIT_ORIGINAL");

export type Program = "zinit" | "zinit-server" | "zinit-pid1";

/** What may stand behind a key of a service file. */
export type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value };
type Table = Readonly<Record<string, Value>>;

/** The tables of a service file but for `name` and `exec`. */
export interface Sections {
  readonly service?: Table;
  readonly dependencies?: Table;
  readonly lifecycle?: Table;
  readonly health?: Table;
  readonly logging?: Table;
}

export interface StartOptions extends RunOptions {
  /** Instead of zinit-server. It is told the folder and the socket by the environment. */
  readonly program?: "zinit-pid1";
  /** More arguments of the program. */
  readonly args?: readonly string[];
  /** Do not wait until the socket answers. */
  readonly noWait?: boolean;
  /** Only these arguments, without the folder and the socket of the test. */
  readonly bare?: boolean;
}

/** What `service.status` answers, as far as a test looks at it. */
export interface Status {
  readonly name: string;
  readonly state: string;
  readonly pid: number;
  readonly exit_code?: number;
  readonly error?: string;
}

export class Zinit {
  readonly box: Box;
  /** The folder of the service files. */
  readonly configDir: string;
  /** Where the original's command line looks, too: it takes no other. */
  readonly socket: string;
  #up: Supervisor | null = null;

  constructor(box: Box) {
    this.box = box;
    this.configDir = box.path("services");
    this.socket = box.path("hero/var/zinit.sock");
    mkdirSync(this.configDir, { recursive: true });
  }

  /** The path of a program, called by its name. */
  program(name: Program): string {
    return original === null ? ownProgram(this.box, name) : join(original, name);
  }

  // --- its files

  /** Writes a file into the folder of the service files and returns its path. */
  file(name: string, text: string): string {
    return this.box.write(join("services", name), text);
  }

  /** Writes NAME.toml. */
  service(name: string, exec: string, more: Sections = {}): string {
    return this.file(`${name}.toml`, serviceText(name, exec, more));
  }

  target(name: string, dependencies: Table = {}): string {
    return this.file(`${name}.toml`, document({ target: { name }, dependencies }));
  }

  // --- the server

  /** Starts zinit-server and waits until it answers. Again after its end, if a test wants that. */
  async start(options: StartOptions = {}): Promise<Supervisor> {
    const bare = options.bare === true || options.program !== undefined;
    const own = bare ? [] : ["--config-dir", this.configDir, "--socket", this.socket];
    const argv = [this.program(options.program ?? "zinit-server"), ...own, ...(options.args ?? [])];
    const told = { ZINIT_CONFIG_DIR: this.configDir, ZINIT_SOCKET: this.socket };
    const mounts = "mount -t tmpfs tmpfs /run";
    const running = this.box.start(argv, {
      as: "child",
      ...options,
      env: options.program === undefined ? (options.env ?? {}) : { ...told, ...options.env },
      prelude: options.prelude === undefined ? mounts : `${mounts}; ${options.prelude}`,
    });
    this.#up = new Supervisor(this.box, running, {
      bin: argv[0] ?? "",
      socket: this.socket,
      as: options.as ?? "child",
    });
    if (options.noWait !== true) await this.answers();
    return this.#up;
  }

  /** The server that was started last. */
  get up(): Supervisor {
    if (this.#up === null) throw new Error("no server was started");
    return this.#up;
  }

  get running(): Running {
    return this.up.running;
  }

  /** Waits until the socket answers. */
  async answers(): Promise<void> {
    await this.until("an answer from the server's socket", async () => {
      if (this.running.over) return true;
      const rpc = await Rpc.open(this.socket);
      try {
        return await rpc.call("system.ping");
      } finally {
        rpc.close();
      }
    });
    if (this.running.over) {
      const end = await this.running.ended;
      throw new Error(`the server left with ${end.code ?? end.signal}${this.running.report()}`);
    }
  }

  /** Waits for a condition; what the server wrote is shown if it never comes. */
  until<T>(what: string, condition: () => T | Promise<T>, deadlineMs = DEADLINE_MS) {
    return until(what, condition, { deadlineMs, details: () => this.#up?.running.report() ?? "" });
  }

  /** Ordered end by the socket; the outcome of the server. */
  async shutdown(): Promise<Outcome> {
    await this.call("system.shutdown");
    return this.up.ends();
  }

  // --- its socket

  /** A connection of its own, for several calls or for bad manners. */
  rpc(): Promise<Rpc> {
    return Rpc.open(this.socket);
  }

  raw(): Promise<Raw> {
    return Raw.open(this.socket);
  }

  /** One line, one line back, whatever it is. */
  async line(text: string): Promise<unknown> {
    const rpc = await this.rpc();
    try {
      rpc.send(text);
      return await rpc.line();
    } finally {
      rpc.close();
    }
  }

  /** The whole answer of one call. */
  async answer(method: string, params?: unknown): Promise<RpcAnswer> {
    const request = { jsonrpc: "2.0", id: 1, method, ...(params === undefined ? {} : { params }) };
    return rpcAnswer.parse(await this.line(JSON.stringify(request)));
  }

  /** The result of a call that must succeed. */
  async call(method: string, params?: unknown): Promise<unknown> {
    const answer = await this.answer(method, params);
    if ("error" in answer) throw new Error(`${method}: ${answer.error.code} ${answer.error.message}`);
    return answer.result;
  }

  /** The error of a call that must fail. */
  async error(method: string, params?: unknown): Promise<{ code: number; message: string; data?: unknown }> {
    const answer = await this.answer(method, params);
    if (!("error" in answer)) throw new Error(`${method} succeeded: ${JSON.stringify(answer.result)}`);
    return answer.error;
  }

  async status(name: string): Promise<Status> {
    return status(await this.call("service.status", { name }));
  }

  /** Waits until a service is in one of the states and `also` holds. */
  async reaches(
    name: string,
    wanted: string | readonly string[],
    also: (status: Status) => boolean = () => true,
  ): Promise<Status> {
    const states = typeof wanted === "string" ? [wanted] : wanted;
    let last: Status | undefined;
    try {
      return await this.until(`${name} to be ${states.join(" or ")}`, async () => {
        last = await this.status(name);
        return states.includes(last.state) && also(last) ? last : null;
      });
    } catch (error) {
      throw new Error(
        `${error instanceof Error ? error.message : error}\nlast seen: ${JSON.stringify(last)}`,
      );
    }
  }

  /** The last lines of a service, as `logs.tail` tells them. */
  async log(name: string): Promise<{ stream: string; content: string }[]> {
    const lines = await this.call("logs.tail", { name });
    if (!Array.isArray(lines)) throw new Error(`no log: ${JSON.stringify(lines)}`);
    return lines.map((line: unknown) => {
      if (isRecord(line) && typeof line.stream === "string" && typeof line.content === "string") {
        return { stream: line.stream, content: line.content };
      }
      throw new Error(`no line of a log: ${JSON.stringify(line)}`);
    });
  }

  /** Waits until a service has written a line. */
  async writes(name: string, content: string): Promise<void> {
    await this.until(`"${content}" from ${name}`, async () =>
      (await this.log(name)).some((line) => line.content === content),
    );
  }

  /** The pid of a service's process, in the test's namespace. */
  async servicePid(name: string): Promise<number> {
    return this.up.outerPid((await this.status(name)).pid);
  }

  // --- its command line

  /** `zinit ARGS…`, finding the socket by HOME as the original does. */
  cli(...args: string[]): Promise<Outcome> {
    return this.cliWith({}, ...args);
  }

  cliWith(options: RunOptions, ...args: string[]): Promise<Outcome> {
    return this.box.run([this.program("zinit"), ...args], options);
  }
}

function status(value: unknown): Status {
  if (isRecord(value)) {
    const { name, state, pid, exit_code, error } = value;
    if (typeof name === "string" && typeof state === "string" && typeof pid === "number") {
      return {
        name,
        state,
        pid,
        ...(typeof exit_code === "number" ? { exit_code } : {}),
        ...(typeof error === "string" ? { error } : {}),
      };
    }
  }
  throw new Error(`no status: ${JSON.stringify(value)}`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A service file's text. */
export function serviceText(name: string, exec: string, more: Sections = {}): string {
  return document({ ...more, service: { name, exec, ...more.service } });
}

function document(tables: Readonly<Record<string, Table>>): string {
  return Object.entries(tables)
    .map(([name, table]) => {
      const lines = Object.entries(table).map(([key, value]) => `${key} = ${toml(value)}\n`);
      return `[${name}]\n${lines.join("")}`;
    })
    .join("\n");
}

/** JSON's texts, numbers and lists are TOML's as well. */
function toml(value: Value): string {
  if (!isTable(value)) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)} = ${toml(inner)}`);
  return `{ ${pairs.join(", ")} }`;
}

function isTable(value: Value): value is Table {
  return typeof value === "object" && !Array.isArray(value);
}

export const test = boxTest.extend<{ zinit: Zinit }>({
  zinit: async ({ box }, use) => {
    await use(new Zinit(box));
  },
});

/** For what the original gets wrong, or has not. */
export const ours = original === null ? test : test.skip;

/** For what is known of the original alone. */
export const theirs = original === null ? test.skip : test;
