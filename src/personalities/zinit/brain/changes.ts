/**
 * Requests that change something, one after the other: each begins when the one before it has been
 * handled. They go on to their end also when the client that asked has gone.
 */
import type { Waiting } from "../../../api/answer.ts";
import type { RpcAnswer } from "../../../api/jsonrpc.ts";
import type { Ticket } from "../../../api/services.ts";
import type { QueryAnswer } from "../../../generated/protocol.ts";
import { failure } from "./errors.ts";
import type { Result } from "./method.ts";

/** Gives out questions to the nucleus and goes on with their answers. */
export type Work = Generator<Ticket, Result, QueryAnswer>;

/** As many as may stand in line. */
const MOST_WAITING = 64;

/**
 * What was asked for has been handled then, but clients expect to find a service that they started
 * started, and one that they removed gone. No longer than this is waited for it: the command line
 * gives up after five seconds.
 */
const PATIENCE_MS = 4000;

class Job {
  result: Result | null = null;
  readonly #begin: () => Work | Result;
  #work: Work | null = null;
  #ticket: Ticket | null = null;

  constructor(begin: () => Work | Result) {
    this.#begin = begin;
  }

  /** As far as it can go now. */
  advance(): void {
    if (this.#work === null) {
      const begun = this.#begin();
      if (!("next" in begun)) {
        this.result = begun;
        return;
      }
      this.#work = begun;
    }
    while (this.result === null) {
      const answer = this.#ticket === null ? FIRST : this.#ticket.poll();
      if (answer === null) return;
      const step = this.#work.next(answer);
      if (step.done === true) this.result = step.value;
      else this.#ticket = step.value;
    }
  }
}

/** Nothing was asked yet, and nobody reads the answer. */
const FIRST: QueryAnswer = { type: "failed", message: "nothing was asked" };

export class Changes {
  readonly #jobs: Job[] = [];

  /** Answers at once if nothing is before it and nothing has to be waited for. */
  enter(begin: () => Work | Result): Result {
    if (this.#jobs.length >= MOST_WAITING) {
      return failure("internal", `${MOST_WAITING} requests wait for their turn already: try again later`);
    }
    const job = new Job(begin);
    this.#jobs.push(job);
    this.advance();
    return job.result ?? waitFor(job);
  }

  /** To be called after every event. */
  advance(): void {
    for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
      job.advance();
      if (job.result === null) return;
      this.#jobs.shift();
    }
  }
}

function waitFor(job: Job): Waiting<RpcAnswer> {
  let patient = true;
  return {
    timeoutMs: PATIENCE_MS,
    poll: () => {
      if (job.result === null || !("poll" in job.result)) return job.result;
      return patient ? job.result.poll() : job.result.expired();
    },
    // What has not been handled by now still will be, and is waited for.
    expired: () => {
      patient = false;
      return job.result !== null && "poll" in job.result ? job.result.expired() : null;
    },
  };
}

/** The answer, as soon as what was asked for shows, or patience is at its end. */
export function when(shows: () => boolean, answer: RpcAnswer): Waiting<RpcAnswer> {
  return { timeoutMs: PATIENCE_MS, poll: () => (shows() ? answer : null), expired: () => answer };
}
