import { PATIENT_MS } from "../session.ts";
import { nameOf, SERVICE, type Verb } from "../verb.ts";

export const remove: Verb = {
  name: "remove",
  also: ["remove-service"],
  about: "Remove a service",
  words: [SERVICE],
  examples: ["zinit remove web"],
  run: (session, input) => {
    const name = nameOf(input);
    session.call("service.delete", { name }, PATIENT_MS);
    session.print(`✓ Deleted: ${name}`, `Removed: ${name}`);
  },
};
