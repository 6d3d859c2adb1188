import type { Input } from "../arguments.ts";
import { queryText } from "../client.ts";
import { objects } from "../documents.ts";
import { EXIT } from "../failure.ts";
import { serviceLine } from "../services.ts";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";

export const start: Verb = {
  name: "start",
  group: "Act",
  summary: "start services with what they need; waits until they are ready",
  usage: ["start NAME… [--no-wait] [--timeout DURATION]"],
  detail: [
    "Done when every service is ready and every task has succeeded. Without --timeout their own start timeouts bound it.",
  ],
  examples: ["oneup start web", "oneup start web worker --timeout 20s"],
  options: ["no-wait", "timeout"],
  takes: "services",
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: (session, input) => act(session, input, "start"),
};

/** start, restart and reload differ in one word. */
export function act(session: Session, input: Input, verb: "start" | "restart" | "reload"): number {
  const document = ask(session, input, verb);
  if (session.json) session.document(document);
  else session.printAll(objects(document).map((service) => serviceLine(session, service)));
  return EXIT.done;
}

/** One request for all names: what depends on what is the supervisor's to know. */
export function ask(session: Session, input: Input, verb: "start" | "restart" | "stop" | "reload"): unknown {
  const timeoutMs = input.duration("timeout");
  const query = queryText([
    ["wait", input.has("no-wait") ? "false" : null],
    ["timeout", input.value("timeout")],
  ]);
  return session.client().ask({
    method: "POST",
    target: `/v1/${verb}${query}`,
    body: { names: input.words },
    timeoutMs,
    // A second restart would be one restart too many, and so with a reload.
    once: verb === "restart" || verb === "reload",
  });
}
