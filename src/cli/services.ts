/** Services in text: the table of `status`, and one line each after a verb that did something. */
import { ending, type Fields, list, number, object, text, textOrNull } from "./documents.ts";
import type { Colour, Session } from "./session.ts";
import { table } from "./table.ts";
import { whenFrom } from "./words.ts";

const COLOURS: Readonly<Record<string, Colour>> = {
  running: "green",
  exited: "green",
  failed: "red",
  backoff: "yellow",
  waiting: "yellow",
  starting: "cyan",
  stopping: "cyan",
  inactive: "dim",
};

export function serviceTable(session: Session, services: readonly Fields[]): string[] {
  const now = session.host.now();
  const rows = services.map((service) => [
    text(service, "name"),
    stateWords(service),
    String(number(service, "pid") ?? "-"),
    whenFrom(sinceOf(service), now),
    String(number(service, "restarts") ?? 0),
    noteOf(service, now),
  ]);
  const head = ["NAME", "STATE", "PID", "SINCE", "RESTARTS", "NOTE"];
  return table([head, ...rows], session.host.columns(), (cell, row, column) => {
    if (row === 0) return session.paint("bold", cell);
    return column === 1 ? paintState(session, text(services[row - 1] ?? {}, "state"), cell) : cell;
  });
}

/** `web: running, pid 12`. */
export function serviceLine(session: Session, service: Fields): string {
  const state = paintState(session, text(service, "state"), stateWords(service));
  const pid = number(service, "pid");
  return `${text(service, "name")}: ${state}${pid === null ? "" : `, pid ${pid}`}`;
}

export function paintState(session: Session, state: string, words: string): string {
  const colour = COLOURS[state];
  return colour === undefined ? words : session.paint(colour, words);
}

function stateWords(service: Fields): string {
  const state = text(service, "state");
  const pinned = textOrNull(service, "pinned");
  const words = [state];
  if (service.healthy === true) words.push("healthy");
  if (service.healthy === false) words.push("unhealthy");
  if (pinned !== null) words.push(`pinned ${pinned}`);
  if (service.masked === true) words.push("masked");
  return words.join(", ");
}

/** Since when it runs, or when it last ended. */
function sinceOf(service: Fields): string | null {
  return textOrNull(service, "started_at") ?? textOrNull(object(service.exit), "at");
}

/** Of what is ready: what its checks found wrong, what it is doing, what it tells of itself. */
function lifeNote(service: Fields): string {
  const parts = [];
  if (service.healthy === false) parts.push(text(service, "cause"));
  if (service.reloading === true) parts.push("reloading");
  const status = textOrNull(service, "status");
  if (status !== null) parts.push(`"${status}"`);
  return parts.join("; ");
}

/** What is worth a word: the cause, unless all is as it should be. */
function noteOf(service: Fields, now: number): string {
  const state = text(service, "state");
  const next = textOrNull(service, "next_start_at");
  if (state === "running" || state === "inactive" || state === "exited") {
    const parts = [state === "running" ? lifeNote(service) : ""];
    if (state === "exited") parts.push(ending(service.exit));
    if (next !== null) parts.push(`next ${whenFrom(next, now)}`);
    return parts.filter((part) => part !== "").join("; ");
  }
  const waitingFor = list(service, "waiting_for");
  // The cause tells the delay as it was decided; here the time that is left counts.
  const cause = text(service, "cause");
  const parts = [next === null ? cause : cause.replace(/(?:, starts again|: next) in \S+$/, "")];
  if (next !== null) parts.push(`next start ${whenFrom(next, now)}`);
  if (state === "waiting" && parts[0] === "") parts.push(`for ${waitingFor.join(", ")}`);
  return parts.filter((part) => part !== "").join("; ");
}
