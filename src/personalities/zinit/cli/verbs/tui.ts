import { runScreen } from "../../../../tui/run.ts";
import { Failure } from "../failure.ts";
import { ZinitSource } from "../tui.ts";
import type { Verb } from "../verb.ts";

export const tui: Verb = {
  name: "tui",
  about: "Launch interactive TUI dashboard",
  examples: ["zinit tui"],
  run: ({ host, socket }) => {
    const problem = runScreen(host, new ZinitSource(socket));
    if (problem !== null) throw new Failure(problem);
  },
};
