import type { Verb } from "../verb.ts";
import { holdFast } from "./pin.ts";

export const unpin: Verb = {
  name: "unpin",
  group: "Act",
  summary: "let a pinned service's rules decide again",
  usage: ["unpin NAME"],
  detail: ["What was pinned down is not started by this, unless something waits for it."],
  examples: ["oneup unpin web"],
  options: [],
  takes: "services",
  least: 1,
  most: 1,
  run: (session, input) => holdFast(session, input.words[0] ?? "", "unpin"),
};
