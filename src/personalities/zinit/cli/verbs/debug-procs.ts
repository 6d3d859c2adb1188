import { object, text } from "../../../../cli/documents.ts";
import { nameOf, SERVICE, type Verb } from "../verb.ts";

export const debugProcs: Verb = {
  name: "debug-procs",
  about: "Show process tree for a running service",
  words: [SERVICE],
  examples: ["zinit debug-procs web"],
  run: (session, input) => {
    const answer = object(session.call("debug.process_tree", { name: nameOf(input) }));
    session.print(text(answer, "output"));
  },
};
