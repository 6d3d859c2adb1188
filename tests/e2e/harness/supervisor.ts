/** A running `oneup run`, seen from outside: its socket, its processes, its output. */
import type { Box, Outcome, Running, RunOptions } from "./box.ts";
import { type Answer, type CallOptions, call, Raw, Rpc } from "./http.ts";
import { childrenOf, descendantsOf, findCommand, innerPid, type Process, processOf } from "./proc.ts";
import * as shapes from "./shapes.ts";
import { DEADLINE_MS, until } from "./wait.ts";

export type { Event, LogLine, LogRecord, Receipt, Service, State } from "./shapes.ts";

interface About {
  readonly bin: string;
  readonly socket: string;
  readonly as: "init" | "child" | "bare";
}

export class Supervisor {
  readonly box: Box;
  readonly running: Running;
  readonly bin: string;
  readonly socket: string;
  /** Ask again while the brain is renewed. Only where it is lost on purpose. */
  patient = false;
  readonly #as: About["as"];
  #pid: number | null = null;

  constructor(box: Box, running: Running, about: About) {
    this.box = box;
    this.running = running;
    this.bin = about.bin;
    this.socket = about.socket;
    this.#as = about.as;
  }

  // --- the process itself

  get out(): string {
    return this.running.out;
  }

  get err(): string {
    return this.running.err;
  }

  /** Complete lines of its stdout. */
  lines(): string[] {
    return this.out.split("\n").slice(0, -1);
  }

  /** Waits until its socket answers. */
  async answers(): Promise<void> {
    await until(
      "an answer from the supervisor's socket",
      async () => {
        if (this.running.over) return true;
        return (await call(this.socket, "GET", "/v1/services")).status === 200;
      },
      { everyMs: 3, details: () => this.running.report() },
    );
    if (this.running.over) {
      const end = await this.running.ended;
      throw new Error(`the supervisor left with ${end.code ?? end.signal}${this.running.report()}`);
    }
  }

  /** The supervisor's pid in the test's own namespace. */
  async pid(): Promise<number> {
    this.#pid ??= await until(
      "the supervisor's process",
      () => findCommand(this.running.pid, this.running.argv),
      {
        details: () => this.running.report(),
      },
    );
    return this.#pid;
  }

  /** PID 1 of the namespace (`init`: the supervisor itself; `child`: the shell above it). */
  async initPid(): Promise<number> {
    if (this.#as === "bare") throw new Error("not in a namespace of its own");
    const pid = await this.pid();
    return this.#as === "init" ? pid : (processOf(pid)?.ppid ?? pid);
  }

  async signal(signal: NodeJS.Signals | number): Promise<void> {
    process.kill(await this.pid(), signal);
  }

  /** Its end. */
  async ends(deadlineMs = DEADLINE_MS): Promise<Outcome> {
    return this.running.outcome(deadlineMs);
  }

  /** TERM, then its end. */
  async terminate(): Promise<Outcome> {
    await this.signal("SIGTERM");
    return this.ends();
  }

  // --- its processes

  async descendants(): Promise<Process[]> {
    return descendantsOf(await this.pid());
  }

  /** Dead children that it has not reaped. What a service does not reap is the service's affair. */
  async zombies(): Promise<Process[]> {
    return childrenOf(await this.pid()).filter((one) => one.state === "Z");
  }

  /** Waits until there is none: between a death and its reaping is always a moment. */
  async noZombies(): Promise<void> {
    await this.until("no zombie", async () => (await this.zombies()).length === 0);
  }

  /** The pid in the test's namespace of a pid that the supervisor or one of its children told. */
  async outerPid(inner: number): Promise<number> {
    if (this.#as === "bare") return inner;
    const init = await this.initPid();
    const found = [init, ...descendantsOf(init).map((one) => one.pid)].find((pid) => innerPid(pid) === inner);
    if (found === undefined) throw new Error(`no process ${inner} in the namespace`);
    return found;
  }

  /** The pid of a service's main process, in the test's namespace. */
  async servicePid(name: string): Promise<number> {
    const { pid } = await this.service(name);
    if (pid === null) throw new Error(`${name} has no process`);
    return this.outerPid(pid);
  }

  /** A signal to a service's main process, behind the supervisor's back. */
  async strike(name: string, signal: NodeJS.Signals | number = "SIGKILL"): Promise<number> {
    const pid = await this.servicePid(name);
    process.kill(pid, signal);
    return pid;
  }

  /** A command inside the supervisor's namespaces. */
  async inside(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const target = String(await this.initPid());
    return this.box.run(["nsenter", "--target", target, "--pid", "--mount", "--", ...argv], options);
  }

  // --- its socket

  call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    return call(this.socket, method, path, options);
  }

  get(path: string, options: CallOptions = {}): Promise<Answer> {
    return this.call("GET", path, options);
  }

  post(path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call("POST", path, body === undefined ? options : { ...options, body });
  }

  /** An answer that must be 200, as JSON. A `patient` client asks again after a clean 503. */
  async ok(method: string, path: string, body?: unknown): Promise<unknown> {
    const ask = () => this.call(method, path, body === undefined ? {} : { body });
    const answer = this.patient
      ? await this.until(`an answer to ${method} ${path}`, async () => {
          const given = await ask();
          return given.status === 503 && given.headers["retry-after"] !== undefined ? null : given;
        })
      : await ask();
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json();
  }

  raw(): Promise<Raw> {
    return Raw.open(this.socket);
  }

  rpc(): Promise<Rpc> {
    return Rpc.open(this.socket);
  }

  async services(): Promise<shapes.Service[]> {
    return shapes.services.parse(await this.ok("GET", "/v1/services"));
  }

  async service(name: string): Promise<shapes.Service> {
    return shapes.service.parse(await this.ok("GET", `/v1/services/${encodeURIComponent(name)}`));
  }

  async state(name: string): Promise<shapes.State> {
    return (await this.service(name)).state;
  }

  /** All states at one moment: `{ a: "running", b: "waiting" }`. */
  async states(): Promise<Record<string, shapes.State>> {
    return Object.fromEntries((await this.services()).map((one) => [one.name, one.state]));
  }

  async start(name: string): Promise<shapes.Service> {
    return shapes.service.parse(await this.ok("POST", `/v1/services/${name}/start`));
  }

  async restart(name: string): Promise<shapes.Service> {
    return shapes.service.parse(await this.ok("POST", `/v1/services/${name}/restart`));
  }

  /** The receipts of a stop. */
  async stop(name: string): Promise<shapes.Receipt[]> {
    return shapes.receipts.parse(await this.ok("POST", `/v1/services/${name}/stop`));
  }

  /** Ordered end of everything: the receipts and the outcome. */
  async shutdown(): Promise<{ readonly receipts: shapes.Receipt[]; readonly end: Outcome }> {
    const receipts = shapes.receipts.parse(await this.ok("POST", "/v1/shutdown"));
    return { receipts, end: await this.ends() };
  }

  async logs(name: string, query = ""): Promise<shapes.LogRecord[]> {
    return shapes.logs.parse(await this.ok("GET", `/v1/services/${name}/logs${query}`));
  }

  /** The text of a service's lines, losses left out. */
  async logText(name: string, query = ""): Promise<string[]> {
    return (await this.logs(name, query)).flatMap((record) => ("line" in record ? [record.line] : []));
  }

  async events(query = ""): Promise<shapes.Event[]> {
    return shapes.events.parse(await this.ok("GET", `/v1/events${query}`));
  }

  /** The states that a service went through, oldest first. */
  async history(name: string): Promise<string[]> {
    const all = await this.events();
    return all.flatMap((one) =>
      one.event === "state" && one.service === name && one.to !== null ? [one.to] : [],
    );
  }

  async why(name: string): Promise<shapes.Why> {
    return shapes.why.parse(await this.ok("GET", `/v1/services/${name}/why`));
  }

  // --- waiting

  async until<T>(what: string, condition: () => T | Promise<T>, deadlineMs = DEADLINE_MS) {
    return until(what, condition, { deadlineMs, details: () => this.running.report() });
  }

  /** Waits until a service is in one of the states and `also` holds; returns it. */
  async reaches(
    name: string,
    wanted: shapes.State | readonly shapes.State[],
    also: (service: shapes.Service) => boolean = () => true,
  ): Promise<shapes.Service> {
    const states = typeof wanted === "string" ? [wanted] : wanted;
    let last: shapes.Service | undefined;
    return until(
      `${name} to be ${states.join(" or ")}`,
      async () => {
        last = await this.service(name);
        return states.includes(last.state) && also(last) ? last : null;
      },
      { details: () => `\nlast seen: ${JSON.stringify(last)}${this.running.report()}` },
    );
  }

  async ready(name: string): Promise<shapes.Service> {
    return this.reaches(name, ["running", "exited", "starting"], (service) => service.ready);
  }

  /** Waits until a service runs again as another process than `former`. */
  async succeeded(name: string, former: number): Promise<shapes.Service> {
    return this.reaches(name, "running", (service) => service.pid !== null && service.pid !== former);
  }

  /** Waits until a process is gone altogether, reaped included. */
  async gone(pid: number): Promise<void> {
    await this.until(`process ${pid} to be gone`, () => processOf(pid) === null);
  }

  // --- its command line

  /** A verb, told the socket by the environment. */
  async cli(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.box.oneup(args, {
      bin: this.bin,
      ...options,
      env: { ONEUP_SOCKET: this.socket, ...options.env },
    });
  }

  /** A verb that must succeed, with `--json`. */
  async json(args: readonly string[]): Promise<unknown> {
    const [verb = "", ...rest] = args;
    const end = await this.cli([verb, "--json", ...rest]);
    if (end.code !== 0) throw new Error(`oneup ${args.join(" ")}: ${end.code}\n${end.out}\n${end.err}`);
    return end.json();
  }
}
