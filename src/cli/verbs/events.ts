import { queryText } from "../client.ts";
import { type Fields, object, objects, text, textOrNull } from "../documents.ts";
import { EXIT } from "../failure.ts";
import { receiptLines } from "../receipts.ts";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";

export const events: Verb = {
  name: "events",
  group: "Look",
  summary: "what happened, oldest first",
  usage: ["events [-f] [-n N]"],
  detail: ["The supervisor keeps the last 1,000."],
  examples: ["oneup events -n 20", "oneup events -f --json"],
  options: ["follow", "lines"],
  takes: "nothing",
  least: 0,
  most: 0,
  run: (session, input) => {
    const lines = input.count("lines");
    const follow = input.has("follow");
    const target = `/v1/events${queryText([
      ["lines", lines === null ? null : String(lines)],
      ["follow", follow ? "true" : null],
    ])}`;
    if (follow) {
      session.client().follow(target, (data) => {
        if (session.json) session.pass([data]);
        else session.printAll(eventLines(session, object(JSON.parse(data))));
      });
    } else {
      const document = session.client().get(target);
      if (session.json) session.document(document);
      else session.printAll(objects(document).flatMap((event) => eventLines(session, event)));
    }
    return EXIT.done;
  },
};

function eventLines(session: Session, event: Fields): string[] {
  const time = session.paint("dim", text(event, "time"));
  const head = `${time} ${textOrNull(event, "service") ?? "supervisor"}:`;
  if (text(event, "event") === "receipt") {
    return receiptLines(session, [object(event.receipt)], "nothing was running").map(
      (line) => `${time} ${line}`,
    );
  }
  const [from, to] = [textOrNull(event, "from"), textOrNull(event, "to")];
  const change =
    from === null && to === null ? text(event, "event") : [from, to].filter((side) => side).join(" → ");
  const cause = text(event, "cause");
  return [`${head} ${change}${cause === "" ? "" : ` (${cause})`}`];
}
