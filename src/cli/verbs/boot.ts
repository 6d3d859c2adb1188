import { type Fields, number, object, objects, text, textOrNull } from "../documents.ts";
import { EXIT } from "../failure.ts";
import { paintState } from "../services.ts";
import type { Session } from "../session.ts";
import { table } from "../table.ts";
import type { Verb } from "../verb.ts";
import { span } from "../words.ts";

export const boot: Verb = {
  name: "boot",
  group: "Look",
  summary: "what the supervisor's start was like: the chain of services that took longest",
  usage: ["boot"],
  detail: [
    "The service that was ready last stands on top; below it the one that it had waited for last, and so on: to start sooner, shorten what stands there. WAITED is the time from the supervisor's start to the service's, TOOK the time until it was ready. On a terminal bars show the same: `░` free to start, but not started yet (`start-concurrency`), `█` started, not ready yet.",
    "A service's part is over when it is ready for the first time, or has come to rest without. `--json` has every service's times.",
  ],
  examples: ["oneup boot"],
  options: [],
  takes: "nothing",
  least: 0,
  most: 0,
  run: (session) => {
    const document = object(session.client().get("/v1/boot"));
    if (session.json) session.document(document);
    else session.printAll(bootLines(session, document));
    return EXIT.done;
  },
};

function bootLines(session: Session, document: Fields): string[] {
  return [
    headline(document),
    ...section("", chainLines(session, document)),
    ...section("failed", troubleLines(session, objects(document.failed))),
    ...section("still on the way", troubleLines(session, objects(document.waiting))),
  ];
}

/** `6 services are up, after 1.2 s; the last one was web`. */
function headline(document: Fields): string {
  const up = objects(document.services).filter((service) => textOrNull(service, "ready_at") !== null);
  const took = number(document, "took_ms");
  if (took === null) return "nothing has been ready yet";
  const last = text(objects(document.chain)[0] ?? {}, "name");
  const some = objects(document.failed).length + objects(document.waiting).length > 0;
  const of = some ? ` of ${objects(document.services).length}` : "";
  const were = up.length === 1 && !some ? "service was" : "services were";
  return `${up.length}${of} ${were} up after ${span(took)}${up.length > 1 ? `, ${last} as the last one` : ""}`;
}

function section(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  return title === "" ? ["", ...lines] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function troubleLines(session: Session, services: readonly Fields[]): string[] {
  const width = session.host.columns();
  return table(
    services.map((service) => [text(service, "name"), text(service, "state"), text(service, "cause")]),
    width === null ? null : width - 2,
    (cell, row, column) =>
      column === 1 ? paintState(session, text(services[row] ?? {}, "state"), cell) : cell,
    "wrap",
  );
}

function chainLines(session: Session, document: Fields): string[] {
  const chain = objects(document.chain);
  const rows = chain.map((service, depth) => [
    depth === 0 ? text(service, "name") : `${"   ".repeat(depth - 1)}└─ ${text(service, "name")}`,
    spanOrDash(number(service, "waited_ms")),
    spanOrDash(number(service, "took_ms")),
  ]);
  const head = ["NAME", "WAITED", "TOOK"];
  const lines = table([head, ...rows], null, (cell, row) => (row === 0 ? session.paint("bold", cell) : cell));
  const plain = table([head, ...rows], null);
  const width = Math.max(...plain.map((line) => [...line].length));
  const room = barRoom(session, width);
  if (room === 0) return lines;
  const total = Math.max(1, number(document, "took_ms") ?? 0);
  const bars = [...chain.entries()].map(([index, service]) => {
    const before = freeAt(chain[index + 1]);
    return bar(session, service, before, total, room);
  });
  return lines.map((line, row) => {
    const gap = " ".repeat(width - [...(plain[row] ?? "")].length + 2);
    return `${line}${gap}${bars[row - 1] ?? ""}`.trimEnd();
  });
}

function spanOrDash(ms: number | null): string {
  return ms === null ? "-" : span(ms);
}

const BAR_LEAST = 12;
const BAR_MOST = 60;

/** Bars are for people who look at them. */
function barRoom(session: Session, used: number): number {
  const width = session.host.columns();
  if (width === null) return 0;
  const room = Math.min(BAR_MOST, width - used - 2);
  return room < BAR_LEAST ? 0 : room;
}

/** When the one that released it was ready; for the first in line the beginning. */
function freeAt(releaser: Fields | undefined): number {
  return releaser === undefined ? 0 : endOf(releaser);
}

function endOf(service: Fields): number {
  return (number(service, "waited_ms") ?? 0) + (number(service, "took_ms") ?? 0);
}

/** From the supervisor's start to the last readiness; what is too short to be seen is one character. */
function bar(session: Session, service: Fields, freeMs: number, totalMs: number, room: number): string {
  const column = (ms: number) => Math.min(room, Math.round((ms / totalMs) * room));
  const started = number(service, "waited_ms") ?? 0;
  const from = Math.min(column(started), room - 1);
  const to = Math.max(from + 1, column(endOf(service)));
  const free = Math.min(column(freeMs), from);
  const wait = from > free ? session.paint("yellow", "░".repeat(from - free)) : "";
  return `${" ".repeat(free)}${wait}${session.paint("green", "█".repeat(to - from))}`;
}
