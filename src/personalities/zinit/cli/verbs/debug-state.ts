import { object, text } from "../../../../cli/documents.ts";
import type { Verb } from "../verb.ts";

export const debugState: Verb = {
  name: "debug-state",
  about: "Show detailed debug state of the service graph",
  examples: ["zinit debug-state"],
  run: (session) => session.print(text(object(session.call("debug.state")), "output")),
};
