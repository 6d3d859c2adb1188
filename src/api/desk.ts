/**
 * The front desk: takes requests, keeps those that wait, and hands out the replies. Exactly one
 * reply leaves for each request, unless its client has gone.
 */

import type { Clock } from "../engine/index.ts";
import type { Call, Command, Receipt, Request } from "../generated/protocol.ts";
import { type Answer, isWaiting, problem, type Waiting } from "./answer.ts";
import type { Context } from "./context.ts";
import { dispatchHttp, httpReply } from "./http.ts";
import {
  dispatchLine,
  type Line,
  type LineDispatcher,
  lineReply,
  type RpcAnswer,
  type Slot,
} from "./jsonrpc.ts";
import type { Route } from "./routes.ts";
import type { Services } from "./services.ts";

type Result = Slot["result"];

export type HttpCall = Extract<Call, { type: "http" }>;

/** What is understood beside the native API over HTTP. */
export interface Languages {
  readonly dispatchLine: LineDispatcher;
  /** Requests that anybody may have sent, over a TCP address without a token. Absent: all are refused. */
  readonly answerPublic?: (call: HttpCall, context: Context) => Answer;
  /** One message of bytes, answered by another (`Speech` in the protocol). */
  readonly answerMessage?: (bytes: string, context: Context) => string;
}

/** A request whose calls have not all been answered. */
interface Open {
  readonly request: number;
  readonly results: Result[];
  readonly reply: (answers: readonly RpcAnswer[]) => Command;
}

/** The desk's timers; the engine's have other names. */
const TIMER = /^api:(\d+):(\d+)$/;

function timerKey(request: number, index: number): string {
  return `api:${request}:${index}`;
}

export class Desk {
  readonly #routes: readonly Route[];
  readonly #languages: Languages;
  readonly #open = new Map<number, Open>();

  constructor(routes: readonly Route[], languages: Languages = { dispatchLine }) {
    this.#routes = routes;
    this.#languages = languages;
  }

  /** Does what is asked; the reply may come now or with a later `settle`. */
  take(request: Request, services: Services): Command[] {
    const { call, uid, pid } = request;
    const context: Context = { services, caller: { uid, pid }, transport: call.type };
    if (call.type === "message") {
      const bytes = this.#languages.answerMessage?.(call.bytes, context) ?? "";
      return [httpReply(request.request, { status: 200, parts: [{ type: "bytes", bytes }] })];
    }
    const open =
      call.type === "http"
        ? openHttp(request.request, this.#dispatchHttp(call, context))
        : openLine(request.request, this.#languages.dispatchLine(this.#routes, call.text, context));
    this.#open.set(request.request, open);
    return open.results.flatMap((result, index) => arm(request.request, index, result, services.clock));
  }

  #dispatchHttp(call: HttpCall, context: Context): Answer | Waiting {
    if (call.public !== true) return dispatchHttp(this.#routes, call, context);
    const answer = this.#languages.answerPublic?.(call, context);
    return answer ?? problem("no-such-path", "nothing is told here without a token");
  }

  /** The client has gone: nothing is owed any more. */
  gone(request: number): Command[] {
    const open = this.#open.get(request);
    this.#open.delete(request);
    return open?.results.flatMap((result, index) => disarm(request, index, result)) ?? [];
  }

  /** True if the timer was the desk's: a client's patience is at its end. */
  timer(key: string): boolean {
    const match = TIMER.exec(key);
    if (match === null) return false;
    const open = this.#open.get(Number(match[1]));
    const result = open?.results[Number(match[2])];
    if (open !== undefined && result !== undefined && waits(result)) {
      open.results[Number(match[2])] = result.expired() ?? result;
    }
    return true;
  }

  stopped(receipt: Receipt, main: boolean): void {
    for (const { results } of this.#open.values()) {
      for (const result of results) if (waits(result)) result.stopped?.(receipt, main);
    }
  }

  /** Looks at everything that waits; the replies that are due. */
  settle(): Command[] {
    const commands: Command[] = [];
    for (const open of this.#open.values()) {
      for (const [index, result] of open.results.entries()) {
        const answer = waits(result) ? result.poll() : null;
        if (answer === null) continue;
        commands.push(...disarm(open.request, index, result));
        open.results[index] = answer;
      }
      const settled = open.results.filter((result): result is RpcAnswer => !waits(result));
      if (settled.length < open.results.length) continue;
      commands.push(open.reply(settled));
      this.#open.delete(open.request);
    }
    return commands;
  }
}

function waits(result: Result): result is Waiting | Waiting<RpcAnswer> {
  return isWaiting<RpcAnswer>(result);
}

function openHttp(request: number, result: Answer | Waiting): Open {
  return {
    request,
    results: [result],
    reply: ([answer]) => {
      if (answer === undefined || "code" in answer) throw new Error("an HTTP request has one answer");
      return httpReply(request, answer);
    },
  };
}

function openLine(request: number, line: Line): Open {
  // What nobody wants answered is not waited for.
  const slots = line.slots.filter((slot) => slot.id !== undefined);
  return {
    request,
    results: slots.map((slot) => slot.result),
    reply: (answers) =>
      lineReply(
        request,
        line.batch,
        answers.map((answer, index) => ({ id: slots[index]?.id ?? null, answer })),
      ),
  };
}

function arm(request: number, index: number, result: Result, clock: Clock): Command[] {
  if (!waits(result) || result.timeoutMs === null) return [];
  return [{ type: "arm", key: timerKey(request, index), at: clock.now + result.timeoutMs }];
}

function disarm(request: number, index: number, result: Result): Command[] {
  if (!waits(result) || result.timeoutMs === null) return [];
  return [{ type: "cancel", key: timerKey(request, index) }];
}
