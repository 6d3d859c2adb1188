import type { Verb } from "../verb.ts";
import { act } from "./start.ts";

export const reload: Verb = {
  name: "reload",
  group: "Act",
  summary: "have services read their configuration again: by the signal or the command set for it",
  usage: ["reload NAME… [--no-wait] [--timeout DURATION]"],
  detail: [
    "What is done is the service's `reload`. Done when the signal was sent, when the command has succeeded, or, where the service tells RELOADING=1, when it tells READY=1. A service that does not run, or has no `reload`, is a failure, and then none of them is reloaded.",
  ],
  examples: ["oneup reload web"],
  options: ["no-wait", "timeout"],
  takes: "services",
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: (session, input) => act(session, input, "reload"),
};
