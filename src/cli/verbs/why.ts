import { servicePath } from "../client.ts";
import { type Fields, object, objects, text } from "../documents.ts";
import { EXIT } from "../failure.ts";
import { paintState } from "../services.ts";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";
import { whenFrom } from "../words.ts";

export const why: Verb = {
  name: "why",
  group: "Look",
  summary: "why a service is in its state: the causal chain",
  usage: ["why NAME…"],
  detail: ["Each line says what happened and because of what; the next line goes one cause deeper."],
  examples: ["oneup why web"],
  options: [],
  takes: "services",
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: (session, input) => {
    const documents = input.words.map((name) => session.client().get(servicePath(name, "/why")));
    if (session.json) session.document(documents.length === 1 ? documents[0] : documents);
    else for (const document of documents) session.printAll(whyLines(session, object(document)));
    return EXIT.done;
  },
};

export function whyLines(session: Session, document: Fields): string[] {
  const state = text(document, "state");
  const head = `${text(document, "service")} is ${paintState(session, state, state)}`;
  const now = session.host.now();
  const chain = objects(document.chain).map((link, depth) => {
    const because = text(link, "because");
    const when = session.paint("dim", `(${whenFrom(text(link, "time"), now)})`);
    const what = `${text(link, "service")}: ${text(link, "what")}`;
    return `${"  ".repeat(depth)}└─ ${what}${because === "" ? "" : `, because ${because}`} ${when}`;
  });
  return [head, ...chain];
}
