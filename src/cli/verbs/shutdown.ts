import { queryText } from "../client.ts";
import { EXIT, Failure } from "../failure.ts";
import { showReceipts } from "../receipts.ts";
import type { Verb } from "../verb.ts";

export const shutdown: Verb = {
  name: "shutdown",
  group: "Act",
  summary: "ordered stop of everything, with the receipt; the supervisor leaves",
  usage: ["shutdown [--no-wait] [--timeout DURATION]"],
  detail: ["A second shutdown asked for meanwhile waits for nothing any more: what is left gets KILL."],
  examples: ["oneup shutdown"],
  options: ["no-wait", "timeout"],
  takes: "nothing",
  least: 0,
  most: 0,
  run: (session, input) => {
    const query = queryText([
      ["wait", input.has("no-wait") ? "false" : null],
      ["timeout", input.value("timeout")],
    ]);
    const timeoutMs = input.duration("timeout");
    const client = session.client();
    let document: unknown;
    try {
      document = client.ask({ method: "POST", target: `/v1/shutdown${query}`, timeoutMs });
    } catch (error) {
      // It had to be asked twice, and had left before the second time: that is what was wanted.
      const left = error instanceof Failure && error.exit === EXIT.noSupervisor && client.found !== null;
      if (!left) throw error;
      session.complain("oneup: the supervisor has left; its receipt was lost");
      document = [];
    }
    if (!input.has("no-wait")) return showReceipts(session, document, "nothing was running");
    if (session.json) session.document(document);
    else session.print("shutting down");
    return EXIT.done;
  },
};
