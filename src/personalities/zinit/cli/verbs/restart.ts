import { nameOf, SERVICE, type Verb } from "../verb.ts";

export const restart: Verb = {
  name: "restart",
  about: "Restart a service",
  words: [SERVICE],
  examples: ["zinit restart web"],
  run: (session, input) => {
    const name = nameOf(input);
    session.call("service.restart", { name });
    session.print(`✓ Restarted: ${name}`, `Restarted: ${name}`);
  },
};
