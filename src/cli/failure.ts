import type { Problem } from "../api/answer.ts";

/** The exit codes that every verb shares. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  noSuchService: 4,
  noSupervisor: 5,
  timedOut: 124,
} as const;

/** Ends a verb: its exit code, the one message, and what to do about it. */
export class Failure extends Error {
  readonly exit: number;
  readonly hint: string | null;
  /** What the supervisor said, if it was the supervisor. */
  readonly problem: Problem | null;

  constructor(exit: number, message: string, hint: string | null = null, problem: Problem | null = null) {
    super(message);
    this.exit = exit;
    this.hint = hint;
    this.problem = problem;
  }
}

export function usage(message: string, verb?: string): Failure {
  return new Failure(EXIT.usage, message, `see: oneup ${verb === undefined ? "" : `${verb} `}--help`);
}
