import { startScreen } from "../../../../tui/start.ts";
import { Failure } from "../failure.ts";
import type { Verb } from "../verb.ts";

export const tui: Verb = {
  name: "tui",
  about: "Launch interactive TUI dashboard",
  examples: ["zinit tui"],
  run: ({ host, socket }) => {
    const problem = startScreen(host, "zinit", socket);
    if (problem !== null) throw new Failure(problem);
  },
};
