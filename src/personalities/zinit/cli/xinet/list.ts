import type { Verb } from "../verb.ts";

export const list: Verb = {
  name: "list",
  about: "List all registered proxies",
  examples: ["zinit xinet list"],
  run: (session) => {
    const answer = session.call("xinet.list");
    const names = Array.isArray(answer) ? answer : [];
    if (names.length === 0) session.print("No xinet proxies registered");
    else session.print("Registered xinet proxies:", ...names.map((name) => `  ${name}`));
  },
};
