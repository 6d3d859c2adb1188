import { object, text } from "../../../../cli/documents.ts";
import type { Verb } from "../verb.ts";

export const tree: Verb = {
  name: "tree",
  about: "Show the dependency tree",
  examples: ["zinit tree"],
  run: (session) => session.print(text(object(session.call("service.tree")), "ascii")),
};
