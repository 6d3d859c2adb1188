import type { Verb } from "../verb.ts";
import { act, start } from "./start.ts";

export const restart: Verb = {
  ...start,
  name: "restart",
  summary: "stop services and start them again, with what requires them",
  usage: ["restart NAME… [--no-wait] [--timeout DURATION]"],
  detail: ["Takes along what requires them. A target stands for its members."],
  examples: ["oneup restart web"],
  run: (session, input) => act(session, input, "restart"),
};
