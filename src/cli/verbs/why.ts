import { servicePath } from "../client.ts";
import { type Fields, number, object, objects, text } from "../documents.ts";
import { EXIT } from "../failure.ts";
import { runLines } from "../runs.ts";
import { paintState } from "../services.ts";
import type { Session } from "../session.ts";
import { table } from "../table.ts";
import type { Verb } from "../verb.ts";
import { whenFrom } from "../words.ts";

export const why: Verb = {
  name: "why",
  group: "Look",
  summary: "why a service is in its state: the causal chain",
  usage: ["why NAME…"],
  detail: [
    "Each line says into which state the service came, when, and because of what, newest first. What it waits for follows, further in; then what its last health checks found, or, for a task with a schedule, its last runs.",
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

/** Newest first; what belongs to a service further down the chain stands further in. */
export function whyLines(session: Session, document: Fields): string[] {
  const state = text(document, "state");
  const lines = [`${text(document, "service")} is ${paintState(session, state, state)}`];
  for (const [depth, group] of groups(objects(document.chain)).entries()) {
    const indent = "   ".repeat(Math.max(0, depth - 1));
    if (depth > 0) lines.push(`${indent}└─ ${group.service}`);
    const margin = `${"   ".repeat(depth)}  `;
    const width = session.host.columns();
    const rows = table(
      group.links.map((link) => row(session, link)),
      width === null ? null : width - margin.length,
      (cell, _, column) => (column === 1 ? session.paint("dim", cell) : cell),
      "wrap",
    );
    lines.push(...rows.map((line) => margin + line));
  }
  lines.push(...healthLines(session, object(document.health)), ...runLines(session, objects(document.runs)));
  return lines;
}

/** Newest first, like everything here. */
function healthLines(session: Session, health: Fields): string[] {
  const checks = objects(health.last).reverse();
  if (checks.length === 0) return [];
  const width = session.host.columns();
  const rows = checks.map((check) => [
    check.ok === true ? "ok" : "failed",
    whenFrom(text(check, "time"), session.host.now()),
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
  return [text(link, "what"), whenFrom(text(link, "time"), session.host.now()), text(link, "because")];
}

/** Neighbours of the same service belong together. */
function groups(chain: readonly Fields[]): { service: string; links: Fields[] }[] {
  const found: { service: string; links: Fields[] }[] = [];
  for (const link of chain) {
    const service = text(link, "service");
    const last = found.at(-1);
    if (last?.service === service) last.links.push(link);
    else found.push({ service, links: [link] });
  }
  return found;
}
