/** The control socket's client: finds the supervisor, asks, and turns problems into exit codes. */
import type { Problem } from "../api/answer.ts";
import { isObject } from "../model/objects.ts";
import { EXIT, Failure } from "./failure.ts";
import type { CliHost, HostError, HttpAnswer, HttpCall } from "./host.ts";
import { type Place, refuseStrangersFolder } from "./locate.ts";

/** How long a supervisor that renews its brain is asked again. */
const RETRY_MS = 10_000;
const RETRY_PAUSE_MS = 100;
/** The supervisor itself ends a call whose time is up; this is for one that does not. */
const GRACE_MS = 5000;

/** Nobody listens there. Any other failure to connect means that somebody does. */
const NOBODY = ["ENOENT", "ECONNREFUSED", "ENOTDIR"];

export interface Question {
  readonly method: "GET" | "POST";
  readonly target: string;
  readonly body?: unknown;
  /** The person's patience; `null`: none given. */
  readonly timeoutMs?: number | null;
  /** May be asked twice: a supervisor that lost its brain is asked again. Not so: `kill`. */
  readonly once?: boolean;
}

export class Client {
  readonly #host: CliHost;
  readonly #places: readonly Place[];
  #found: Place | null = null;

  constructor(host: CliHost, places: readonly Place[]) {
    this.#host = host;
    this.#places = places;
  }

  /** The place that answered; `null` before the first answer. */
  get found(): Place | null {
    return this.#found;
  }

  get(target: string): unknown {
    return this.ask({ method: "GET", target });
  }

  /** The document of a good answer; a problem is thrown. */
  ask(question: Question): unknown {
    const answer = this.#patiently(question, (call) => this.#host.request(call));
    return documentOf(answer);
  }

  /** `onData` gets each record of a stream of Server-Sent Events, as JSON text. */
  follow(target: string, onData: (text: string) => void): void {
    const reader = new EventReader(onData);
    const answer = this.#patiently({ method: "GET", target }, (call) =>
      this.#host.stream(call, (text) => {
        reader.feed(text);
        return true;
      }),
    );
    if (answer.status !== 200) documentOf(answer);
  }

  /** Is there a supervisor at all? */
  present(): boolean {
    try {
      this.get("/status");
      return true;
    } catch (error) {
      if (error instanceof Failure) return false;
      throw error;
    }
  }

  #patiently(question: Question, send: (call: HttpCall) => HttpAnswer | HostError): HttpAnswer {
    const until = this.#host.now() + RETRY_MS;
    for (;;) {
      const answer = this.#connect(question, send);
      // The nucleus answers 503 while it starts a fresh brain.
      if (answer.status !== 503 || question.once === true || this.#host.now() >= until) return answer;
      this.#host.sleep(RETRY_PAUSE_MS);
    }
  }

  #connect(question: Question, send: (call: HttpCall) => HttpAnswer | HostError): HttpAnswer {
    const places = this.#found === null ? this.#places : [this.#found];
    for (const place of places) {
      refuseStrangersFolder(this.#host, place);
      const answer = send(callOf(place, question));
      if (!("error" in answer)) {
        this.#found = place;
        return answer;
      }
      if (!NOBODY.includes(answer.error)) throw this.#broken(place, answer, question);
    }
    throw noSupervisor(places, this.#found !== null);
  }

  #broken(place: Place, error: HostError, question: Question): Failure {
    if (error.error === "ETIMEDOUT") {
      return new Failure(
        EXIT.timedOut,
        `no answer from ${place.socket} within ${question.timeoutMs ?? 0} ms`,
      );
    }
    if (error.error === "EACCES" || error.error === "EPERM") {
      return new Failure(
        EXIT.failed,
        `not allowed to talk to the supervisor at ${place.socket}: ${error.message}`,
        "a supervisor listens to its owner and to root",
      );
    }
    return new Failure(EXIT.failed, `${place.socket}: ${error.message} (${error.error})`);
  }
}

function callOf(place: Place, question: Question): HttpCall {
  const { method, target, body, timeoutMs } = question;
  return {
    socket: place.socket,
    method,
    target,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(timeoutMs === undefined || timeoutMs === null ? {} : { timeoutMs: timeoutMs + GRACE_MS }),
  };
}

function noSupervisor(places: readonly Place[], answeredBefore: boolean): Failure {
  const first = places[0];
  if (answeredBefore) {
    return new Failure(EXIT.noSupervisor, `the supervisor at ${first?.socket ?? "?"} has left`);
  }
  const belongs = first?.configuration == null ? "" : ` for ${first.configuration}`;
  const sockets = places.map((place) => place.socket).join(" or ");
  return new Failure(
    EXIT.noSupervisor,
    `no supervisor${belongs} at ${sockets}`,
    "start one with: oneup run; to reach another, go to its oneup.toml's folder or name its --socket",
  );
}

function documentOf(answer: HttpAnswer): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer.body);
  } catch {
    throw new Failure(
      EXIT.failed,
      `the answer (status ${answer.status}) is not JSON: is that a supervisor of this kind?`,
    );
  }
  if (answer.status < 300) return parsed;
  throw problemFailure(parsed, answer.status);
}

const EXIT_OF: Readonly<Record<string, number>> = {
  "bad-request": EXIT.usage,
  "not-supported-yet": EXIT.usage,
  "no-such-service": EXIT.noSuchService,
  "timed-out": EXIT.timedOut,
};

function problemFailure(document: unknown, status: number): Failure {
  const problem = readProblem(document, status);
  const kind = problem.type.replace(/^.*:/, "");
  return new Failure(EXIT_OF[kind] ?? EXIT.failed, problem.detail, nextStep(kind, problem), problem);
}

function nextStep(kind: string, problem: Problem): string | null {
  if (kind === "no-such-service") return namesHint(problem.detail);
  const late = Array.isArray(problem.services) ? problem.services[0] : undefined;
  const service: unknown = kind === "timed-out" ? late : problem.service;
  const explained = ["failed", "not-running", "timed-out"].includes(kind) && typeof service === "string";
  return explained ? `see: oneup why ${service}` : null;
}

/** Where the names are to be found, unless the message guesses one. */
export function namesHint(message: string): string | null {
  return message.includes("did you mean") ? null : "see the names there are: oneup status";
}

function readProblem(document: unknown, status: number): Problem {
  const given = isObject(document) ? document : {};
  const text = (member: string, otherwise: string) => {
    const value = given[member];
    return typeof value === "string" ? value : otherwise;
  };
  const title = text("title", `status ${status}`);
  return { ...given, type: text("type", "about:blank"), title, status, detail: text("detail", title) };
}

/** Server-Sent Events, cut anywhere. Only `data` matters here; comments keep the line alive. */
export class EventReader {
  #unread = "";
  #data: string[] = [];
  readonly #onData: (text: string) => void;

  constructor(onData: (text: string) => void) {
    this.#onData = onData;
  }

  feed(text: string): void {
    const lines = (this.#unread + text).split("\n");
    this.#unread = lines.pop() ?? "";
    for (const line of lines) this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  #line(line: string): void {
    if (line.startsWith("data:")) {
      this.#data.push(line.slice(line[5] === " " ? 6 : 5));
    } else if (line === "" && this.#data.length > 0) {
      this.#onData(this.#data.join("\n"));
      this.#data = [];
    }
  }
}

/** A path with a name in it. */
export function servicePath(name: string, rest = ""): string {
  return `/v1/services/${encodeURIComponent(name)}${rest}`;
}

/** A query; what is `null` is left out. */
export function queryText(parameters: readonly (readonly [string, string | null])[]): string {
  const given = parameters.flatMap(([key, value]) =>
    value === null ? [] : [`${key}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? "" : `?${given.join("&")}`;
}
