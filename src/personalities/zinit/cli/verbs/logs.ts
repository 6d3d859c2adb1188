import { EventReader } from "../../../../cli/client.ts";
import { number, object, text, textOrNull } from "../../../../cli/documents.ts";
import { Failure } from "../failure.ts";
import type { Session } from "../session.ts";
import { nameOf, SERVICE, type Verb } from "../verb.ts";

const LINES = 100;

export const logs: Verb = {
  name: "logs",
  about: "Show logs for a service",
  words: [SERVICE],
  flags: [
    {
      long: "lines",
      short: "n",
      value: "LINES",
      number: "u64",
      fallback: String(LINES),
      help: "Number of lines to show",
    },
    { long: "follow", short: "f", help: "Follow log output (tail -f style)" },
  ],
  examples: ["zinit logs web -n 20 -f"],
  run: (session, input) => {
    const name = nameOf(input);
    const lines = input.number("lines", LINES);
    if (input.has("follow")) follow(session, name, lines);
    else show(session, name, lines);
  },
};

function show(session: Session, name: string, lines: number): void {
  const answer = session.call("logs.get", { name, lines });
  const found = Array.isArray(answer) ? answer.filter((line) => typeof line === "string") : [];
  if (found.length === 0) session.print(`No logs available for ${name}`);
  else session.print(...found);
}

/** Until the server leaves, or whoever asked. */
function follow(session: Session, name: string, lines: number): void {
  // Whether there is such a service is told by the same words as without following.
  session.call("service.status", { name });
  const reader = new EventReader((data) => {
    const line = lineOf(JSON.parse(data));
    if (line !== null) session.print(line);
  });
  const target = `/v1/services/${encodeURIComponent(name)}/logs?follow=true&lines=${lines}`;
  const answer = session.host.stream({ socket: session.socket, method: "GET", target }, (piece) => {
    reader.feed(piece);
    return true;
  });
  if ("error" in answer) throw new Failure(`The log cannot be followed: ${answer.message}`);
  if (answer.status !== 200) throw new Failure(`The log cannot be followed: ${answer.body}`);
}

const STREAMS: Readonly<Record<string, string>> = { out: "stdout", err: "stderr" };

/** `1700000000000 [stdout] text` */
function lineOf(document: unknown): string | null {
  const record = object(document);
  const content = textOrNull(record, "line");
  const time = Date.parse(text(record, "time"));
  if (content === null) {
    const lost = number(record, "lost_lines");
    return lost === null ? null : `${time} [lost] ${lost} lines`;
  }
  const stream = text(record, "stream");
  return `${time} [${STREAMS[stream] ?? stream}] ${content}`;
}
