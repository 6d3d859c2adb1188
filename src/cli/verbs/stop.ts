import { EXIT } from "../failure.ts";
import { showReceipts } from "../receipts.ts";
import type { Verb } from "../verb.ts";
import { ask } from "./start.ts";

export const stop: Verb = {
  name: "stop",
  group: "Act",
  summary: "stop services and what requires them; shows the receipt",
  usage: ["stop NAME… [--no-wait] [--timeout DURATION]"],
  detail: [
    "The receipt has a line per process: how it was found, which signals it got, when and how it left. Exit code 1 if something could not be ended.",
  ],
  examples: ["oneup stop web", "oneup stop web --json"],
  options: ["no-wait", "timeout"],
  takes: "services",
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: (session, input) => {
    const document = ask(session, input, "stop");
    const names = input.words.join(", ");
    if (!input.has("no-wait")) return showReceipts(session, document, `${names}: nothing was running`);
    if (session.json) session.document(document);
    else session.print(`${names}: told to stop`);
    return EXIT.done;
  },
};
