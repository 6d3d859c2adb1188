import { type Call, Http, type Target } from "./http.ts";
import type {
  Boot,
  Event,
  LogRecord,
  Process,
  Receipt,
  Run,
  Service,
  Status,
  Supervisor,
  Tree,
  Why,
} from "./types.ts";

/** The supervisor of the system, where neither a socket nor `ONEUP_SOCKET` is given. */
export const SYSTEM_SOCKET = "/run/oneup/oneup.sock";

export interface WaitOptions {
  /** False: do not wait until it is done. */
  readonly wait?: boolean;
  /** How long to wait, such as `"10s"`; then the call fails with `timed-out`. Default: the services' own timeouts. */
  readonly timeout?: string;
  readonly signal?: AbortSignal;
}

export interface LogOptions {
  /** The last so many lines. Default: all that are kept; with `follow`, none but new ones. */
  readonly lines?: number;
  /** A duration back from now (`"5m"`), or a time (RFC 3339). */
  readonly since?: string;
  readonly until?: string;
  readonly stream?: "out" | "err";
  /** A regular expression; lines without a match are left out. */
  readonly grep?: string;
  readonly signal?: AbortSignal;
}

export interface EventOptions {
  readonly lines?: number;
  /** Only events with a number above this. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

type Names = string | readonly string[];

/**
 * A oneup supervisor. One object serves any number of calls at the same time; `close` it, or make it
 * by `await using`, and its connections go.
 *
 * Calls fail with `OneupError` (the supervisor says no) or `ConnectionError` (nobody answers).
 */
export class Oneup implements AsyncDisposable {
  readonly #http: Http;

  /** Default: the socket that `ONEUP_SOCKET` names, else the system's. */
  constructor(target: Target = { socket: process.env.ONEUP_SOCKET || SYSTEM_SOCKET }) {
    this.#http = new Http(target);
  }

  // --- looking

  services(): Promise<readonly Service[]> {
    return this.#get("/v1/services");
  }

  service(name: string): Promise<Service> {
    return this.#get(`${at(name)}`);
  }

  async isRunning(name: string): Promise<boolean> {
    return (await this.service(name)).state === "running";
  }

  why(name: string): Promise<Why> {
    return this.#get(`${at(name)}/why`);
  }

  /** The last runs of a task with a schedule, newest first. */
  runs(name: string): Promise<readonly Run[]> {
    return this.#get(`${at(name)}/runs`);
  }

  processes(name: string): Promise<readonly Process[]> {
    return this.#get(`${at(name)}/processes`);
  }

  tree(): Promise<Tree> {
    return this.#get("/v1/tree");
  }

  /** What its last start was like: what waited for what, how long. */
  boot(): Promise<Boot> {
    return this.#get("/v1/boot");
  }

  supervisor(): Promise<Supervisor> {
    return this.#get("/v1/supervisor");
  }

  status(): Promise<Status> {
    return this.#get("/status");
  }

  /** OpenMetrics text. */
  metrics(): Promise<string> {
    return this.#http.text({ method: "GET", path: "/metrics" });
  }

  // --- doing

  /** Starts services with what they need; resolves when they are ready. */
  start(names: Names, options: WaitOptions = {}): Promise<readonly Service[]> {
    return this.#act("/v1/start", names, options);
  }

  /** Stops services and what requires them; resolves with the proof that nothing of them is left. */
  stop(names: Names, options: WaitOptions = {}): Promise<readonly Receipt[]> {
    return this.#act("/v1/stop", names, options);
  }

  restart(names: Names, options: WaitOptions = {}): Promise<readonly Service[]> {
    return this.#act("/v1/restart", names, options);
  }

  /** The services' own reload: a signal or a command. */
  reload(names: Names, options: WaitOptions = {}): Promise<readonly Service[]> {
    return this.#act("/v1/reload", names, options);
  }

  /** Sends a signal once; the restart rule applies to what follows. */
  kill(name: string, signal = "TERM", scope: "main" | "group" | "tree" = "main"): Promise<Service> {
    return this.#post(`${at(name)}/kill`, { body: { signal, scope }, once: true });
  }

  waitFor(
    name: string,
    what: "ready" | "stopped" | "succeeded" = "ready",
    { timeout, signal }: Omit<WaitOptions, "wait"> = {},
  ): Promise<Service> {
    return this.#get(`${at(name)}/wait`, { query: { for: what, timeout }, signal });
  }

  pin(name: string, state: "up" | "down"): Promise<Service> {
    return this.#post(`${at(name)}/pin`, { body: { state } });
  }

  unpin(name: string): Promise<Service> {
    return this.#post(`${at(name)}/unpin`);
  }

  mask(name: string): Promise<Service> {
    return this.#post(`${at(name)}/mask`);
  }

  unmask(name: string): Promise<Service> {
    return this.#post(`${at(name)}/unmask`);
  }

  /** Stops everything in order; resolves with the receipts, just before the supervisor leaves. */
  shutdown(options: WaitOptions = {}): Promise<readonly Receipt[]> {
    const { signal, ...query } = options;
    return this.#post("/v1/shutdown", { query, signal });
  }

  // --- streams

  /** Lines that are kept, oldest first. Without names: of all services, in the order they came. */
  logs(names: Names = [], { signal, ...query }: LogOptions = {}): Promise<readonly LogRecord[]> {
    return this.#get("/v1/logs", { query: { ...query, service: list(names) }, signal });
  }

  /** The same without end: what is asked for, then each line as it comes. */
  followLogs(names: Names = [], { signal, ...query }: LogOptions = {}): AsyncGenerator<LogRecord, void> {
    return this.#follow("/v1/logs", { query: { ...query, service: list(names) }, signal });
  }

  /** What happened, oldest first. */
  events({ signal, ...query }: EventOptions = {}): Promise<readonly Event[]> {
    return this.#get("/v1/events", { query, signal });
  }

  /** The same without end. */
  followEvents({ signal, ...query }: EventOptions = {}): AsyncGenerator<Event, void> {
    return this.#follow("/v1/events", { query, signal });
  }

  // --- end

  close(): void {
    this.#http.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  // The supervisor of the same version writes its documents from the schemas that these types are
  // made from; this is the one place where its word is taken for it.

  async #get<T>(path: string, more: Partial<Call> = {}): Promise<T> {
    return (await this.#http.json({ ...more, method: "GET", path })) as T;
  }

  async #post<T>(path: string, more: Partial<Call> = {}): Promise<T> {
    return (await this.#http.json({ ...more, method: "POST", path })) as T;
  }

  #act<T>(path: string, names: Names, { signal, ...query }: WaitOptions): Promise<T> {
    return this.#post(path, { query, body: { names: list(names) }, signal });
  }

  async *#follow<T>(path: string, more: Partial<Call>): AsyncGenerator<T, void> {
    const query = { ...more.query, follow: true };
    for await (const record of this.#http.stream({ ...more, query, method: "GET", path })) yield record as T;
  }
}

function at(name: string): string {
  return `/v1/services/${encodeURIComponent(name)}`;
}

function list(names: Names): readonly string[] {
  return typeof names === "string" ? [names] : names;
}
