import { endMachine } from "../init.ts";
import type { Verb } from "../verb.ts";

export const reboot: Verb = {
  name: "reboot",
  about: "Reboot the system (signals init)",
  examples: ["zinit reboot"],
  run: (session) => endMachine(session, "Reboot", "INT"),
};
