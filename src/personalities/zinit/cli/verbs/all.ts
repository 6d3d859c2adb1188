import { list, object } from "../../../../cli/documents.ts";
import { PATIENT_MS } from "../session.ts";
import type { Verb } from "../verb.ts";

export const startAll = forAll("start", "started", "Started");
export const stopAll = forAll("stop", "stopped", "Stopped");
export const deleteAll = forAll("delete", "deleted", "Removed");

/** Services of class system are spared. */
function forAll(verb: string, member: string, done: string): Verb {
  const name = `${verb}-all`;
  return {
    name,
    about: `${verb.charAt(0).toUpperCase()}${verb.slice(1)} all user-class services`,
    examples: [`zinit ${name}`],
    run: (session) => {
      const names = list(object(session.call(`service.${verb}_all`, {}, PATIENT_MS)), member);
      if (names.length === 0) session.print(`No services to ${verb}`);
      else session.print(...names.map((each) => `${done}: ${each}`));
    },
  };
}
