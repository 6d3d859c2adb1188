/** Methods that read logs. The nucleus writes the lines into the answer. */
import type { LogQuery, StreamFormat } from "../../../generated/protocol.ts";
import { failure, SERVICE_NOT_FOUND } from "./errors.ts";
import type { Call, Result } from "./method.ts";
import type { Arguments } from "./params.ts";

const LINES = 100;
/** More than any log holds, and what the nucleus can count to. */
const MOST_LINES = 0xffff_ffff;

/** As the nucleus calls them. */
const STREAMS: Readonly<Record<string, string>> = { stdout: "out", stderr: "err", syslog: "syslog" };

/** Lines as text; without a name those of all services, merged. */
export function get(call: Call, { name, lines }: Arguments): Result {
  return read(call, name === "" ? null : name, "lines", { lines: lines ?? LINES });
}

/** Lines with what is known of them. */
export function tail(call: Call, { name, lines }: Arguments): Result {
  return read(call, name, "entries", { lines: lines ?? LINES });
}

/** The same, of one stream and since some time. */
export function filter(call: Call, { name, service, stream, since, lines }: Arguments): Result {
  const asked = service || name;
  if (asked === "") return failure("params", "missing 'service' parameter");
  if (stream !== null && !Object.hasOwn(STREAMS, stream)) {
    return failure("params", `'stream' is one of stdout, stderr and syslog, not '${stream}'`);
  }
  return read(call, asked, "entries", {
    lines,
    wallSince: since,
    stream: stream === null ? null : (STREAMS[stream] ?? null),
  });
}

function read(call: Call, name: string | null, format: StreamFormat, conditions: Partial<LogQuery>): Result {
  if (name !== null && call.services.view(name) === null) return SERVICE_NOT_FOUND;
  const { lines = null, wallSince = null, stream = null } = conditions;
  const query: LogQuery = {
    logs: name === null ? null : [...call.services.logNames(name)],
    lines: lines === null ? null : Math.min(lines, MOST_LINES),
    wallSince,
    wallUntil: null,
    stream,
    grep: null,
    follow: false,
  };
  return { status: 200, parts: [{ type: "logs", query, format }] };
}
