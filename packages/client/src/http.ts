/** Requests over a Unix socket or TCP, and streams of Server-Sent Events. */
import { Agent, type IncomingMessage, request as send } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { ConnectionError, OneupError } from "./errors.ts";
import type { Problem } from "./types.ts";

/** Where the supervisor listens: its control socket, or the address of `api-listen` with its token. */
export type Target = { readonly socket: string } | { readonly url: string; readonly token: string };

export interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** It must not be asked twice: a supervisor that renews its brain may have heard the first one. */
  readonly once?: boolean;
}

/** An answer longer than this is none of ours. */
const BODY_BYTES_MAX = 256 * 1024 * 1024;
const RETRY_MS = 10_000;
const RETRY_PAUSE_MS = 100;

export class Http {
  readonly #target: Target;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(target: Target) {
    this.#target = target;
  }

  /** The JSON document of a good answer. */
  async json(call: Call): Promise<unknown> {
    return JSON.parse(await this.text(call));
  }

  /** The body of a good answer; a problem is thrown as `OneupError`. */
  async text(call: Call): Promise<string> {
    const response = await this.#patiently(call);
    return read(response);
  }

  /** The records of a stream, as they come. The connection ends with the loop over them. */
  async *stream(call: Call): AsyncGenerator<unknown, void, undefined> {
    const response = await this.#patiently(call);
    try {
      yield* records(response);
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason;
      throw new ConnectionError(`the stream of ${call.path} broke off: ${text(error)}`, error);
    } finally {
      response.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  /** While the supervisor renews its brain it answers 503: asked again, where that is safe. */
  async #patiently(call: Call): Promise<IncomingMessage> {
    const until = Date.now() + RETRY_MS;
    for (;;) {
      const response = await this.#send(call);
      const status = response.statusCode ?? 0;
      if (status < 400) return response;
      const renews = status === 503 && response.headers["retry-after"] !== undefined;
      const body = await read(response);
      if (!renews || call.once === true || Date.now() > until) throw problemOf(status, body);
      await pause(RETRY_PAUSE_MS, undefined, { signal: call.signal });
    }
  }

  #send(call: Call): Promise<IncomingMessage> {
    const target = this.#target;
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers = {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...("token" in target ? { authorization: `Bearer ${target.token}` } : {}),
    };
    const path = call.path + queryText(call.query);
    const options = { method: call.method, headers, agent: this.#agent, signal: call.signal };
    return new Promise((resolve, reject) => {
      const started =
        "socket" in target
          ? send({ ...options, path, socketPath: target.socket, setHost: false }, resolve)
          : send(new URL(path, target.url), options, resolve);
      started.on("error", (error) => {
        if (call.signal?.aborted) reject(call.signal.reason);
        else
          reject(new ConnectionError(`no supervisor answers at ${where(target)}: ${error.message}`, error));
      });
      started.end(body);
    });
  }
}

function where(target: Target): string {
  return "socket" in target ? target.socket : target.url;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function queryText(query: Call["query"]): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  return parameters.size === 0 ? "" : `?${parameters}`;
}

async function read(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) throw new ConnectionError("the answer is longer than any of ours", null);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function problemOf(status: number, body: string): Error {
  const problem = parse(body);
  if (isProblem(problem)) return new OneupError(status, problem);
  return new OneupError(status, { type: "about:blank", title: `HTTP ${status}`, detail: body.trim() });
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function isProblem(value: unknown): value is Problem {
  if (typeof value !== "object" || value === null) return false;
  return (
    "type" in value && "detail" in value && typeof value.type === "string" && typeof value.detail === "string"
  );
}

/** Server-Sent Events with one line of data each. */
async function* records(response: IncomingMessage): AsyncGenerator<unknown, void, undefined> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const piece of response as AsyncIterable<string>) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice("data: ".length));
  }
}
