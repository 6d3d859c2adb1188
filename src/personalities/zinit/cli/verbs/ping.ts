import { object, text } from "../../../../cli/documents.ts";
import type { Verb } from "../verb.ts";

export const ping: Verb = {
  name: "ping",
  about: "Ping the daemon",
  examples: ["zinit ping"],
  run: (session) => {
    const version = text(object(session.call("system.ping")), "version");
    session.print(`zinit daemon v${version} is running`);
  },
};
