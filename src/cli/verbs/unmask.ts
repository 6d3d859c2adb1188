import type { Verb } from "../verb.ts";
import { holdFast } from "./pin.ts";

export const unmask: Verb = {
  name: "unmask",
  group: "Act",
  summary: "allow a masked service to start again",
  usage: ["unmask NAME"],
  detail: ["What waited only for this starts."],
  examples: ["oneup unmask web"],
  options: [],
  takes: "services",
  least: 1,
  most: 1,
  run: (session, input) => holdFast(session, input.words[0] ?? "", "unmask"),
};
