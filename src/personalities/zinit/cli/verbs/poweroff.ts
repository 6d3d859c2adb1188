import { endMachine } from "../init.ts";
import type { Verb } from "../verb.ts";

export const poweroff: Verb = {
  name: "poweroff",
  about: "Power off the system (signals init)",
  examples: ["zinit poweroff"],
  run: (session) => endMachine(session, "Poweroff", "TERM"),
};
