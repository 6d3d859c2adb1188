import { list, object } from "../../../../cli/documents.ts";
import type { Session } from "../session.ts";
import { type Status, statusIn } from "../states.ts";
import { nameOf, SERVICE, type Verb } from "../verb.ts";

/** What is no more blocked after this time was not worth a word. */
const PATIENCE_MS = 100;
const LOOK_EVERY_MS = 10;

export const start: Verb = {
  name: "start",
  about: "Start a service",
  words: [SERVICE],
  flags: [{ long: "tree", help: "Also start required dependencies" }],
  examples: ["zinit start --tree web"],
  run: (session, input) => {
    const name = nameOf(input);
    if (input.has("tree")) {
      for (const dependency of waitedFor(session, name)) {
        session.print(`Starting dependency: ${dependency}`);
        startOne(session, dependency);
      }
    }
    startOne(session, name);
    session.print(`Started: ${name}`);
    tellIfBlocked(session, name);
  },
};

function startOne(session: Session, name: string): void {
  session.call("service.start", { name });
  session.print(`✓ Started: ${name}`);
}

/** Everything that a service waits for, and what that waits for: what comes first, first. */
function waitedFor(session: Session, wanted: string): string[] {
  const seen = new Set([wanted]);
  const order: string[] = [];
  const stack = [{ name: wanted, left: waitingOn(session, wanted) }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.left.shift();
    if (next === undefined) {
      stack.pop();
      if (top.name !== wanted) order.push(top.name);
    } else if (!seen.has(next)) {
      seen.add(next);
      stack.push({ name: next, left: waitingOn(session, next) });
    }
  }
  return order;
}

function waitingOn(session: Session, name: string): string[] {
  return list(object(session.call("service.why", { name })), "waiting_on");
}

function tellIfBlocked(session: Session, name: string): void {
  const status = settled(session, name);
  if (status.state !== "blocked") return;
  session.print(
    "",
    `Service is blocked${status.error === null ? "" : `: ${status.error}`}`,
    "",
    `Tip: use 'zinit start ${name} --tree' to start dependencies too`,
  );
}

function settled(session: Session, name: string): Status {
  const end = session.host.now() + PATIENCE_MS;
  for (;;) {
    const status = statusIn(session.call("service.status", { name }));
    if (status.state !== "blocked" || session.host.now() >= end) return status;
    session.host.sleep(LOOK_EVERY_MS);
  }
}
