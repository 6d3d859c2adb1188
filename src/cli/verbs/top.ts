import { startScreen } from "../../tui/start.ts";
import { EXIT, Failure, usage } from "../failure.ts";
import type { Verb } from "../verb.ts";

export const top: Verb = {
  name: "top",
  group: "Look",
  summary: "services, their figures and logs, live on the whole terminal",
  usage: ["top"],
  detail: [
    "Shows every service with its state, processor time, memory and uptime, more about the selected one, and its log as it grows. Keys: Up and Down (or k and j) select or scroll, Tab goes from services to details to the log, s starts, S stops, r restarts, K kills, w tells why, t shows the dependency tree, l shows the log alone, / searches it, ? shows all keys, Q leaves.",
    "It stays when all services have ended, and when the supervisor goes away: then it says so and shows what it knew last until there is one again. The mouse stays the terminal's: marking and copying work as ever, and what was on the terminal before is there again afterwards.",
  ],
  examples: ["oneup top"],
  options: [],
  takes: "nothing",
  least: 0,
  most: 0,
  run: (session) => {
    if (session.json) throw usage("top is for people; for programs there is: oneup status --json", "top");
    const client = session.client();
    // Which supervisor it is, and that there is one: a wrong socket is to be told at once.
    client.get("/status");
    const problem = startScreen(session.host, "native", client.found?.socket ?? "");
    if (problem !== null) throw new Failure(EXIT.failed, problem);
    return EXIT.done;
  },
};
