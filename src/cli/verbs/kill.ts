import { signal as readSignal } from "../../api/values.ts";
import { SIGNAL_NAMES } from "../../model/signals.ts";
import { servicePath } from "../client.ts";
import { number, object } from "../documents.ts";
import { EXIT, usage } from "../failure.ts";
import type { Verb } from "../verb.ts";

export const kill: Verb = {
  name: "kill",
  group: "Act",
  summary: "send a signal to a service's main process",
  usage: ["kill NAME [SIGNAL]"],
  detail: [
    "TERM if no signal is named. The service's restart rule applies to what follows; to end it for good, use stop.",
  ],
  examples: ["oneup kill web HUP"],
  options: [],
  takes: "services",
  afterFirst: SIGNAL_NAMES,
  least: 1,
  most: 2,
  run: (session, input) => {
    const [name = "", given = "TERM"] = input.words;
    const read = readSignal(given);
    if ("wrong" in read) throw usage(read.wrong, "kill");
    const signal = read.value;
    const target = servicePath(name, "/kill");
    // Not to be repeated: a signal sent twice is two signals.
    const document = session.client().ask({ method: "POST", target, body: { signal }, once: true });
    if (session.json) session.document(document);
    else session.print(`${name}: ${signal} sent to pid ${number(object(document), "pid") ?? "?"}`);
    return EXIT.done;
  },
};
