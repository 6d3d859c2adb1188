/**
 * One line of JSON-RPC as zinit reads it: a request with `jsonrpc`, a whole number as `id`, and a
 * method. Nothing else has an id to answer to, so it is answered with 0. There are no batches and
 * no notifications.
 */
import { because, type Context } from "../../../api/context.ts";
import { type Line, perform, type RpcError } from "../../../api/jsonrpc.ts";
import type { Route } from "../../../api/routes.ts";
import type { Services } from "../../../api/services.ts";
import type { Personality } from "../../../brain/brain.ts";
import { isObject } from "../../../model/objects.ts";
import { Changes } from "./changes.ts";
import { readAgain } from "./editing.ts";
import { failure } from "./errors.ts";
import type { Call, Method, Result } from "./method.ts";
import { METHODS } from "./methods.ts";
import { readArguments } from "./params.ts";
import { Usage } from "./usage.ts";

interface Request {
  readonly id: number | bigint;
  readonly method: string;
  readonly params: unknown;
}

export function zinit(): Personality {
  const dispatcher = new Dispatcher();
  return {
    dispatchLine: (routes, text, context) => dispatcher.line(routes, text, context),
    begin: (services) => dispatcher.begin(services),
    advance: () => dispatcher.advance(),
  };
}

/** The largest id there is. */
const MOST = 2n ** 64n - 1n;

class Dispatcher {
  readonly #methods = new Map<string, Method>(METHODS.map((method) => [method.name, method]));
  readonly #changes = new Changes();
  readonly #usage = new Usage();

  /** The configuration is that of the server before this one: the folders may say otherwise now. */
  begin(services: Services): void {
    const call = this.#call(services, "by the new server", null);
    readAgain(call);
  }

  /** To be called after every event. */
  advance(): void {
    this.#changes.advance();
  }

  line(routes: readonly Route[], text: string, context: Context): Line {
    const request = readRequest(text);
    if ("code" in request) return { slots: [{ id: 0, result: request }], batch: false };
    const { id, method, params } = request;
    return { slots: [{ id, result: this.#perform(routes, method, params, context) }], batch: false };
  }

  #perform(routes: readonly Route[], name: string, params: unknown, context: Context): Result {
    const method = this.#methods.get(name);
    if (method === undefined) return performNative(routes, name, params, context);
    const args = readArguments(params, method.needs ?? [], method.takes ?? []);
    if ("code" in args) return args;
    return method.handle(this.#call(context.services, because(context), params), args);
  }

  #call(services: Services, because: string, params: unknown): Call {
    return { services, because, params, changes: this.#changes, usage: this.#usage };
  }
}

/** The native API is there too; none of its names is one of zinit's. */
function performNative(
  routes: readonly Route[],
  name: string,
  params: unknown,
  context: Context,
): ReturnType<typeof perform> {
  const isNative = routes.some((route) => route.id === name);
  return isNative ? perform(routes, name, params, context) : failure("method", "unknown method");
}

function readRequest(text: string): Request | RpcError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return failure("parse", `not JSON: ${error instanceof Error ? error.message : "cannot be read"}`);
  }
  if (!isObject(parsed)) return failure("parse", "a request is a JSON object; there are no batches");
  const { jsonrpc, method, params } = parsed;
  const missing = ["jsonrpc", "id", "method"].find((field) => !Object.hasOwn(parsed, field));
  if (missing !== undefined) return failure("parse", `missing field '${missing}'`);
  if (typeof jsonrpc !== "string") return failure("parse", "'jsonrpc' is a text");
  if (typeof method !== "string") return failure("parse", "'method' is a text");
  const id = readId(parsed.id, text);
  return id === null ? failure("parse", "'id' is a whole number from 0 on") : { id, method, params };
}

function readId(id: unknown, text: string): number | bigint | null {
  if (typeof id !== "number" || id < 0 || !Number.isInteger(id)) return null;
  if (Number.isSafeInteger(id)) return id;
  // A number lost its last digits on the way; the text has them.
  for (const [, digits] of text.matchAll(/"id"\s*:\s*(\d+)/g)) {
    const exact = BigInt(digits ?? 0);
    if (Number(exact) === id) return exact <= MOST ? exact : null;
  }
  return null;
}
