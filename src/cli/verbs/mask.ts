import type { Verb } from "../verb.ts";
import { holdFast } from "./pin.ts";

export const mask: Verb = {
  name: "mask",
  group: "Act",
  summary: "never start a service from now on",
  usage: ["mask NAME"],
  detail: ["What runs goes on. What needs it waits. Masks are forgotten when the supervisor leaves."],
  examples: ["oneup mask web"],
  options: [],
  takes: "services",
  least: 1,
  most: 1,
  run: (session, input) => holdFast(session, input.words[0] ?? "", "mask"),
};
