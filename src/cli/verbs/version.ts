import { EXIT } from "../failure.ts";
import type { Verb } from "../verb.ts";

export const version: Verb = {
  name: "version",
  group: "Tools",
  summary: "name and version of this program",
  usage: ["version"],
  detail: [],
  examples: ["oneup version --json"],
  options: [],
  takes: "nothing",
  least: 0,
  most: 0,
  run: (session) => {
    if (session.json) session.document({ name: "oneup", version: session.host.version });
    else session.print(`oneup ${session.host.version}`);
    return EXIT.done;
  },
};
