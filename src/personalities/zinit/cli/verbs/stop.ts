import { nameOf, SERVICE, type Verb } from "../verb.ts";

export const stop: Verb = {
  name: "stop",
  about: "Stop a service",
  words: [SERVICE],
  examples: ["zinit stop web"],
  run: (session, input) => {
    const name = nameOf(input);
    session.call("service.stop", { name });
    session.print(`✓ Stopped: ${name}`, `Stopped: ${name}`);
  },
};
