import { servicePath } from "../client.ts";
import { type Fields, number, object, objects, text, textOrNull } from "../documents.ts";
import { EXIT } from "../failure.ts";
import { runLines } from "../runs.ts";
import { paintState } from "../services.ts";
import type { Session } from "../session.ts";
import { table } from "../table.ts";
import type { Verb } from "../verb.ts";
import { clockTime } from "../words.ts";

export const why: Verb = {
  name: "why",
  group: "Look",
  summary: "why a service is in its state: the causal chain",
  usage: ["why NAME…"],
  detail: [
    "The first line is the answer. Below it stands how it came to it, oldest first: when, which service, into which state, because of what; of the service itself and of those that it waits for, directly or not. Then what its last health checks found, or, for a task with a schedule, its last runs.",
  ],
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

/** The answer, then how it came to it: oldest first, whoever it concerns, so that causes stand above effects. */
function whyLines(session: Session, document: Fields): string[] {
  const state = text(document, "state");
  const answer = textOrNull(document, "answer") ?? `is ${state}`;
  const lines = [`${paintState(session, state, text(document, "service"))} ${answer}`];
  const links = objects(document.chain).reverse();
  links.sort((a, b) => timeOf(a) - timeOf(b));
  const rows = links.map((link) => row(session, link));
  const width = session.host.columns();
  const paint = (cell: string, index: number, column: number) => {
    if (column === 0) return session.paint("dim", cell);
    return column === 2 ? paintState(session, text(links[index] ?? {}, "what"), cell) : cell;
  };
  const chain = table(rows, width === null ? null : width - 2, paint, "wrap");
  const tail = [
    ...healthLines(session, object(document.health)),
    ...runLines(session, objects(document.runs)),
  ];
  return [...lines, ...chain.map((line) => `  ${line}`), ...tail];
}

function healthLines(session: Session, health: Fields): string[] {
  const checks = objects(health.last);
  if (checks.length === 0) return [];
  const width = session.host.columns();
  const rows = checks.map((check) => [
    check.ok === true ? "ok" : "failed",
    clockTime(timeOf(check), session.host.now()),
    `${number(check, "took_ms") ?? 0} ms`,
    text(check, "reason"),
  ]);
  const paint = (cell: string, row: number, column: number) => {
    if (column === 0) return session.paint(checks[row]?.ok === true ? "green" : "red", cell);
    return column === 1 ? session.paint("dim", cell) : cell;
  };
  const lines = table(rows, width === null ? null : width - 2, paint, "wrap");
  return ["last health checks", ...lines.map((line) => `  ${line}`)];
}

function row(session: Session, link: Fields): string[] {
  const when = clockTime(timeOf(link), session.host.now());
  return [when, text(link, "service"), text(link, "what"), text(link, "because")];
}

function timeOf(link: Fields): number {
  return Date.parse(text(link, "time"));
}
