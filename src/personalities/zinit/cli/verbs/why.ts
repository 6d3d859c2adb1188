import { list, object, text, textOrNull } from "../../../../cli/documents.ts";
import { nameOf, SERVICE, type Verb } from "../verb.ts";

export const why: Verb = {
  name: "why",
  about: "Show why a service is blocked",
  words: [SERVICE],
  examples: ["zinit why web"],
  run: (session, input) => {
    const name = nameOf(input);
    const answer = object(session.call("service.why", { name }));
    if (answer.blocked !== true) {
      session.print(`${name} is not blocked`);
      return;
    }
    const waitingOn = list(answer, "waiting_on");
    const conflicts = list(answer, "conflicts_with");
    const port = textOrNull(answer, "port_conflict");
    session.print(
      text(answer, "ascii"),
      ...(waitingOn.length === 0 ? [] : ["", `Waiting on: ${waitingOn.join(", ")}`]),
      ...(conflicts.length === 0 ? [] : [`Conflicts with: ${conflicts.join(", ")}`]),
      ...(port === null ? [] : [`Port conflict: ${port}`]),
      ...processConflict(answer.process_conflict),
    );
  },
};

function processConflict(conflict: unknown): string[] {
  const fields = object(conflict);
  const filter = textOrNull(fields, "filter");
  if (filter === null || !Array.isArray(fields.processes)) return [];
  const found = fields.processes.map((each) => `${text(object(each), "name")} (PID ${object(each).pid})`);
  return [`Process conflict: '${filter}' matches ${found.join(", ")}`];
}
