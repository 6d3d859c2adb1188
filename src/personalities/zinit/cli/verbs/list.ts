import { number, object, objects, text } from "../../../../cli/documents.ts";
import { capitalised, symbol } from "../states.ts";
import type { Verb } from "../verb.ts";

export const list: Verb = {
  name: "list",
  also: ["ls"],
  about: "List all services",
  examples: ["zinit list"],
  run: (session) => {
    const services = objects(session.call("service.list_full"));
    if (services.length === 0) session.print("No services configured");
    // Names are of ASCII, so that their lengths are those of their bytes, too.
    const width = Math.max(0, ...services.map((service) => text(service, "name").length));
    session.print(
      ...services.map((service) => {
        const details = object(service.state);
        const state = text(details, "state");
        const pid = number(details, "pid") ?? 0;
        const name = text(service, "name").padEnd(width);
        return `${symbol(state)} ${name} ${capitalised(state)}${pid > 0 ? ` (pid: ${pid})` : ""}`;
      }),
    );
  },
};
