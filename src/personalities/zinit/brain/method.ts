/** What a method is. The table of all of them is in `methods.ts`. */

import type { Waiting } from "../../../api/answer.ts";
import type { RpcAnswer } from "../../../api/jsonrpc.ts";
import type { Services, Ticket } from "../../../api/services.ts";
import type { QueryAnswer } from "../../../generated/protocol.ts";
import type { Changes } from "./changes.ts";
import { failure } from "./errors.ts";
import type { Arguments, ParameterName, Schema } from "./params.ts";
import type { Usage } from "./usage.ts";

/** One call, and what it may work with. */
export interface Call {
  readonly services: Services;
  /** For causes and events: who wanted this. */
  readonly because: string;
  /** As they came; most methods read only the arguments that were made of them. */
  readonly params: unknown;
  readonly changes: Changes;
  readonly usage: Usage;
}

export type Result = RpcAnswer | Waiting<RpcAnswer>;

export interface Method {
  readonly name: string;
  readonly summary: string;
  /** Without one of these the call fails. */
  readonly needs?: readonly ParameterName[];
  readonly takes?: readonly ParameterName[];
  /** For `rpc.discover`: parameters that the method reads by itself. */
  readonly reads?: readonly { readonly name: string; readonly required: boolean; readonly schema: Schema }[];
  readonly result: { readonly name: string; readonly schema: Schema };
  /** True: an older or another spelling, which `rpc.discover` has never told of. */
  readonly unlisted?: boolean;
  readonly handle: (call: Call, args: Arguments) => Result;
}

export function result(json: unknown): RpcAnswer {
  return { status: 200, json };
}

export const OK: RpcAnswer = result({ ok: true });

/** What the nucleus's answer makes, once it is there. */
export function later(ticket: Ticket, make: (answer: QueryAnswer) => RpcAnswer): Waiting<RpcAnswer> {
  return {
    timeoutMs: null,
    poll: () => {
      const answer = ticket.poll();
      if (answer === null) return null;
      return answer.type === "failed" ? failure("internal", answer.message) : make(answer);
    },
    expired: () => null,
  };
}
