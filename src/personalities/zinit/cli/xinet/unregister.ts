import { nameOf, type Verb } from "../verb.ts";

export const unregister: Verb = {
  name: "unregister",
  also: ["delete"],
  about: "Unregister an xinet proxy",
  words: [{ name: "NAME", required: true, help: "Proxy name", takes: "nothing" }],
  examples: ["zinit xinet unregister db"],
  run: (session, input) => {
    const name = nameOf(input);
    session.call("xinet.delete", { name });
    session.print(`Unregistered xinet proxy '${name}'`);
  },
};
