import { parseMoment } from "../../api/values.ts";
import type { Input } from "../arguments.ts";
import { queryText } from "../client.ts";
import { type Fields, number, object, objects, text } from "../documents.ts";
import { EXIT, usage } from "../failure.ts";
import type { Colour, Session } from "../session.ts";
import type { Verb } from "../verb.ts";
import { bytes, plural } from "../words.ts";

/** What `-f` shows of the past unless told. */
const LINES_BEFORE = "10";

export const logs: Verb = {
  name: "logs",
  group: "Look",
  summary: "what services wrote",
  usage: ["logs [NAME…] [-f] [-n N] [--since WHEN] [--stream out|err] [--grep REGEX]"],
  detail: [
    "A service's hooks and commands are shown with it, under names such as `web/before-start`. Lines are prefixed with the service's name, unless there is only one service or one is named. With -f the last 10 lines come first, unless -n or --since says otherwise.",
  ],
  examples: ["oneup logs web -n 50", "oneup logs -f --stream err --since 10m"],
  options: ["follow", "lines", "since", "stream", "grep"],
  takes: "services",
  least: 0,
  most: Number.POSITIVE_INFINITY,
  run: (session, input) => {
    const target = `/v1/logs${logQuery(session, input)}`;
    if (input.has("follow")) followLogs(session, target, input.words);
    else readLogs(session, target, input.words);
    return EXIT.done;
  },
};

function logQuery(session: Session, input: Input): string {
  const since = input.value("since");
  if (since !== null && parseMoment(since, session.host.now()) === null) {
    throw usage(
      `--since: "${since}" is neither a duration such as "10m" nor a time such as "2026-01-31T12:00:00Z"`,
      "logs",
    );
  }
  const grep = input.value("grep");
  const wrong = grep === null ? null : session.host.regexError(grep);
  if (wrong !== null) throw usage(`--grep: ${wrong}`, "logs");
  const lines = input.count("lines");
  const follow = input.has("follow");
  return queryText([
    ...input.words.map((name) => ["service", name] as const),
    ["lines", lines !== null ? String(lines) : follow && since === null ? LINES_BEFORE : null],
    ["since", since],
    ["stream", input.value("stream")],
    ["grep", grep],
    ["follow", follow ? "true" : null],
  ]);
}

function readLogs(session: Session, target: string, names: readonly string[]): void {
  const document = session.client().get(target);
  if (session.json) {
    session.document(document);
    return;
  }
  const records = objects(document);
  const prefix = names.length > 1 || (names.length === 0 && (severalIn(records) || hasSeveral(session)));
  const own = names.length === 1 ? names[0] : undefined;
  session.pass(records.map((record) => logLine(session, record, prefix || isOthers(record, own))));
}

function followLogs(session: Session, target: string, names: readonly string[]): void {
  const client = session.client();
  const own = names.length === 1 ? names[0] : undefined;
  const prefix = !session.json && (names.length > 1 || (names.length === 0 && hasSeveral(session)));
  client.follow(target, (data) => {
    if (session.json) {
      session.pass([data]);
      return;
    }
    const record = object(JSON.parse(data));
    session.pass([logLine(session, record, prefix || isOthers(record, own))]);
  });
}

/** A line of a hook, among those of the one service that was asked for. */
function isOthers(record: Fields, own: string | undefined): boolean {
  return own !== undefined && text(record, "service").startsWith(`${own}/`);
}

/** Who happened to write changes no layout: the number of services decides. */
function hasSeveral(session: Session): boolean {
  return objects(session.client().get("/status")).length > 1;
}

function severalIn(records: readonly Fields[]): boolean {
  return new Set(records.map((record) => record.service)).size > 1;
}

function logLine(session: Session, record: Fields, prefix: boolean): string {
  const service = text(record, "service");
  const lost = number(record, "lost_lines");
  const words =
    lost === null
      ? text(record, "line")
      : session.paint(
          "yellow",
          `[${plural(lost, "line")} lost, ${bytes(number(record, "lost_bytes") ?? 0)}]`,
        );
  return prefix ? `${session.paint(colourOf(service), service)} | ${words}` : words;
}

const PREFIXES: readonly Colour[] = ["cyan", "green", "yellow", "blue", "magenta"];

/** The same service always has the same colour. */
function colourOf(name: string): Colour {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 65_521;
  return PREFIXES[sum % PREFIXES.length] ?? "cyan";
}
