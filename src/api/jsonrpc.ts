/**
 * JSON-RPC 2.0, one line each way. Methods are the operation ids of the table; parameters go by
 * name, all of them in one object, whether HTTP has them in the path, the query or the body.
 */
import type { Command, Part } from "../generated/protocol.ts";
import { isObject } from "../model/objects.ts";
import { orNearest } from "../model/suggest.ts";
import { type Answer, PROBLEMS, type ProblemAnswer, problem, type Waiting } from "./answer.ts";
import type { Context } from "./context.ts";
import { completeArguments, NOTHING_GIVEN, readArguments } from "./parameters.ts";
import { allParameters, isLater, type Route } from "./routes.ts";

type Reply = Extract<Command, { type: "reply" }>;
/** A whole number beyond those that are exact otherwise is a bigint. */
type Id = string | number | bigint | null;

/** An error with a code of its own, such as of a call that was wrong itself. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export type RpcAnswer = Answer | RpcError;

/** One call of a line. Without an id it is a notification: done, but not answered. */
export interface Slot {
  readonly id: Id | undefined;
  readonly result: RpcAnswer | Waiting | Waiting<RpcAnswer>;
}

export interface Line {
  readonly slots: readonly Slot[];
  readonly batch: boolean;
}

/** Does what a line of JSON-RPC asks. */
export type LineDispatcher = (routes: readonly Route[], text: string, context: Context) => Line;

/** A line has room for many times as many, more than can be done in the time for one batch of events. */
const LONGEST_BATCH = 1000;

/** Does everything a line asks for, in its order. */
export function dispatchLine(routes: readonly Route[], text: string, context: Context): Line {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "no JSON";
    return wrongLine(-32700, `not JSON: ${reason}`);
  }
  if (!Array.isArray(parsed)) return { slots: [call(routes, parsed, context)], batch: false };
  if (parsed.length > LONGEST_BATCH) {
    return wrongLine(-32600, `a batch may have ${LONGEST_BATCH} requests, this one has ${parsed.length}`);
  }
  if (parsed.length === 0) return wrongLine(-32600, "an empty batch asks for nothing");
  return { slots: parsed.map((item) => call(routes, item, context)), batch: true };
}

function wrongLine(code: number, message: string): Line {
  return { slots: [{ id: null, result: { code, message } }], batch: false };
}

function call(routes: readonly Route[], item: unknown, context: Context): Slot {
  if (!isObject(item)) return invalid(null, "a request is a JSON object");
  const id = item.id;
  if (!isId(id) && id !== undefined) return invalid(null, '"id" must be a text, a number or null');
  if (item.jsonrpc !== "2.0") return invalid(id ?? null, '"jsonrpc" must be "2.0"');
  if (typeof item.method !== "string") return invalid(id ?? null, '"method" must be a text');
  return { id, result: perform(routes, item.method, item.params, context) };
}

function isId(id: unknown): id is Id {
  return id === null || typeof id === "string" || typeof id === "number";
}

function invalid(id: Id, message: string): Slot {
  return { id, result: { code: -32600, message } };
}

/** An operation by its id. */
export function perform(
  routes: readonly Route[],
  method: string,
  params: unknown,
  context: Context,
): Answer | Waiting | RpcError {
  const route = routes.find((candidate) => candidate.id === method);
  if (route === undefined) {
    const guess = orNearest(
      method,
      routes.map((candidate) => candidate.id),
    );
    return { code: -32601, message: `there is no method "${method}"${guess}` };
  }
  if (Array.isArray(params)) return problem("bad-request", "params: parameters go by name, in an object");
  if (params !== undefined && !isObject(params)) return problem("bad-request", "params: expected an object");
  return performRoute(route, params ?? {}, context);
}

function performRoute(
  route: Route,
  params: Readonly<Record<string, unknown>>,
  context: Context,
): Answer | Waiting {
  if (isLater(route)) return route.handle(context, NOTHING_GIVEN);
  const takes = allParameters(route);
  const given = {};
  const wrong = readArguments(takes, params, "params", context.services.clock.wall, given);
  if (wrong !== null) return wrong;
  const args = completeArguments(takes, given);
  return "problem" in args ? args : route.handle(context, args);
}

/** The reply to a whole line; no parts if it had only notifications. */
export function lineReply(
  request: number,
  batch: boolean,
  answered: readonly { readonly id: Id; readonly answer: RpcAnswer }[],
): Reply {
  const pieces = new Pieces();
  for (const [index, slot] of answered.entries()) {
    pieces.add(index === 0 ? (batch ? "[" : "") : ",");
    writeResponse(pieces, slot.id, slot.answer);
  }
  if (answered.length > 0 && batch) pieces.add("]");
  return {
    type: "reply",
    request,
    status: 200,
    contentType: "application/json",
    headers: {},
    parts: pieces.parts,
  };
}

/** Parts in the making: neighbouring texts become one. */
class Pieces {
  readonly parts: Part[] = [];

  add(text: string): void {
    const last = this.parts.at(-1);
    if (last?.type === "text") last.text += text;
    else if (text !== "") this.parts.push({ type: "text", text });
  }

  addPart(part: Part): void {
    if (part.type === "text") this.add(part.text);
    else this.parts.push(part);
  }
}

function writeResponse(pieces: Pieces, id: Id, answer: RpcAnswer): void {
  pieces.add(`{"jsonrpc":"2.0","id":${typeof id === "bigint" ? id : JSON.stringify(id)},`);
  if ("code" in answer || "problem" in answer) {
    pieces.add(`"error":${JSON.stringify(errorObject(answer))}}`);
    return;
  }
  pieces.add('"result":');
  if ("parts" in answer) for (const part of answer.parts) pieces.addPart(part);
  else if ("text" in answer) pieces.add(answer.text);
  else pieces.add(JSON.stringify("plain" in answer ? answer.plain : answer.json));
  pieces.add("}");
}

function errorObject(answer: RpcError | ProblemAnswer): RpcError {
  if ("code" in answer) return answer;
  return {
    code: PROBLEMS[answer.kind].code,
    message: answer.problem.detail,
    data: answer.problem,
  };
}
