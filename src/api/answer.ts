/** What an operation answers, before it is known whether HTTP or JSON-RPC carries it. */
import type { Part, Receipt } from "../generated/protocol.ts";

/** RFC 9457, with members of our own beside the five. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly [member: string]: unknown;
}

/** Every kind of problem: its HTTP status, its title, its JSON-RPC error code. */
export const PROBLEMS = {
  "bad-request": { status: 400, title: "Bad request", code: -32602 },
  "no-such-service": { status: 404, title: "No such service", code: -32004 },
  "no-such-path": { status: 404, title: "No such path", code: -32601 },
  "method-not-allowed": { status: 405, title: "Method not allowed", code: -32601 },
  "not-running": { status: 409, title: "Not running", code: -32003 },
  held: { status: 409, title: "Pinned or masked", code: -32011 },
  "no-reload": { status: 409, title: "No reload is configured", code: -32012 },
  overtaken: { status: 409, title: "Overtaken by another request", code: -32008 },
  "shutting-down": { status: 409, title: "Shutting down", code: -32009 },
  failed: { status: 500, title: "It failed", code: -32010 },
  "not-supported-yet": { status: 501, title: "Not supported yet", code: -32001 },
  unhealthy: { status: 503, title: "Unhealthy", code: -32005 },
  "timed-out": { status: 504, title: "Time ran out", code: -32024 },
} as const;

export type ProblemKind = keyof typeof PROBLEMS;

const PROBLEM_TYPE = "urn:oneup:problem:";

export function problem(
  kind: ProblemKind,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
): ProblemAnswer {
  const { status, title } = PROBLEMS[kind];
  return { status, kind, problem: { type: PROBLEM_TYPE + kind, title, status, detail, ...more } };
}

export interface ProblemAnswer {
  readonly status: number;
  readonly kind: ProblemKind;
  readonly problem: Problem;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A JSON document. */
export interface JsonAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** A JSON document that is already written. */
export interface WrittenAnswer {
  readonly status: number;
  readonly text: string;
}

/** Text that is no JSON. */
export interface PlainAnswer {
  readonly status: number;
  readonly plain: string;
  /** Empty: it is not said. */
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Parts that the nucleus writes. Without `contentType` they make one JSON document. */
export interface PartsAnswer {
  readonly status: number;
  readonly parts: readonly Part[];
  readonly contentType?: string;
}

export type Answer = ProblemAnswer | JsonAnswer | WrittenAnswer | PlainAnswer | PartsAnswer;

/** An operation that answers later. */
export interface Waiting<A = Answer> {
  /** Looked at after every event: the answer, once there is one. */
  readonly poll: () => A | null;
  /** A stop has ended somewhere: of a service itself (`main`), or of what ran beside it. */
  readonly stopped?: (receipt: Receipt, main: boolean) => void;
  /** The client's own patience; `null`: the services' own timeouts bound it. */
  readonly timeoutMs: number | null;
  /** Its patience is at its end: the answer, or `null` to wait on without an end. */
  readonly expired: () => A | null;
}

export function isWaiting<A extends object>(result: A | Waiting<A>): result is Waiting<A> {
  return "poll" in result;
}
