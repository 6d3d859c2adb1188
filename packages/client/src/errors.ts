import type { Problem } from "./types.ts";

/** The supervisor answered with a problem: what was asked is wrong, not possible, or has failed. */
export class OneupError extends Error {
  override readonly name = "OneupError";
  /** The HTTP status. */
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.detail);
    this.status = status;
    this.problem = problem;
  }

  /** The last part of the problem's type: `no-such-service`, `failed`, `timed-out`, … */
  get kind(): string {
    return this.problem.type.slice(this.problem.type.lastIndexOf(":") + 1);
  }
}

/** Nobody answers there, or not as a supervisor does. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** The errno's name where there is one: `ENOENT`, `ECONNREFUSED`, `EACCES`. */
  readonly code: string | null;

  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.code = codeOf(cause);
  }
}

function codeOf(cause: unknown): string | null {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : null;
  return typeof code === "string" ? code : null;
}

/** An error that zinit's JSON-RPC has answered with. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}
