import { Failure } from "../failure.ts";
import type { Verb } from "../verb.ts";

export const tui: Verb = {
  name: "tui",
  about: "Launch interactive TUI dashboard",
  examples: ["zinit tui"],
  run: () => {
    throw new Failure("the dashboard is not supported yet");
  },
};
