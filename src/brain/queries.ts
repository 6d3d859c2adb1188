/** Questions to the nucleus that are on their way, and who waits for their answers. */
import type { Ticket } from "../api/services.ts";
import type { Command, Query, QueryAnswer } from "../generated/protocol.ts";

/** More than anybody asks at a time; each holds a place in the nucleus. */
const MOST_OPEN = 256;

const TOO_MANY: QueryAnswer = {
  type: "failed",
  message: `more than ${MOST_OPEN} questions at once: try again in a moment`,
};

class OpenTicket implements Ticket {
  answer: QueryAnswer | null = null;

  poll(): QueryAnswer | null {
    return this.answer;
  }
}

export class Queries {
  readonly #open = new Map<string, OpenTicket>();
  /** A former brain's questions are answered to its successor: the keys differ. */
  readonly #prefix: string;
  #count = 0;

  constructor(booted: number) {
    this.#prefix = `api:query:${booted}:`;
  }

  ask(query: Query): { readonly ticket: Ticket; readonly commands: readonly Command[] } {
    const ticket = new OpenTicket();
    if (this.#open.size >= MOST_OPEN) {
      ticket.answer = TOO_MANY;
      return { ticket, commands: [] };
    }
    this.#count += 1;
    const key = this.#prefix + this.#count;
    this.#open.set(key, ticket);
    return { ticket, commands: [{ type: "query", key, query }] };
  }

  /** False if the question was not asked here. */
  answered(key: string, answer: QueryAnswer): boolean {
    const ticket = this.#open.get(key);
    if (ticket === undefined) return key.startsWith("api:");
    ticket.answer = answer;
    this.#open.delete(key);
    return true;
  }
}
