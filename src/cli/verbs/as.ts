import { orNearest } from "../../model/suggest.ts";
import { isPersonality, PERSONALITIES } from "../../personalities/index.ts";
import { EXIT, usage } from "../failure.ts";
import type { Verb } from "../verb.ts";

export const as: Verb = {
  name: "as",
  group: "Tools",
  summary: "act as another program, without a link of its name",
  usage: ["as NAME ARGS…"],
  detail: [`NAME is one of ${PERSONALITIES.join(", ")}. What follows it is that program's own command line.`],
  examples: ["oneup as zinit list"],
  options: [],
  takes: PERSONALITIES,
  least: 1,
  most: Number.POSITIVE_INFINITY,
  raw: true,
  run: (session, input) => {
    const [name = "", ...args] = input.words;
    if (!isPersonality(name)) {
      const guess = orNearest(name, PERSONALITIES);
      throw usage(`"${name}" is none of ${PERSONALITIES.join(", ")}${guess}`, "as");
    }
    session.host.become([name, ...args]);
    return EXIT.done;
  },
};
