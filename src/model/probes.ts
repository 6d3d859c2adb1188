/** The values of `ready` and `health`: what is asked of a service, and what it tells by itself. */

import { argv, COMMAND, command, commandWords, sideOf } from "./commands.ts";
import {
  boolean,
  complain,
  either,
  integer,
  map,
  object,
  parsed,
  type Reader,
  record,
  type Schema,
  string,
} from "./kit.ts";
import type { Node } from "./node.ts";
import type { Parsed } from "./units.ts";
import { duration, parseHostPort, path } from "./values.ts";

// ---- what is asked over HTTP

/** Where an HTTP request goes. */
export interface HttpTarget {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  /** With the query; begins with `/`. */
  readonly path: string;
}

const HTTP_EXAMPLE = 'write it as "http://127.0.0.1:8080/health"';

/** `http://host:port/path?query`; the parts that a probe has no use for are refused. */
export function parseHttpUrl(input: string): Parsed<HttpTarget> {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(input);
  if (scheme === null) return { message: "not an address with http:// or https://", hint: HTTP_EXAMPLE };
  const name = (scheme[1] ?? "").toLowerCase();
  if (name !== "http" && name !== "https") {
    return { message: `unknown scheme "${scheme[1]}"`, hint: "the schemes are http and https" };
  }
  const start = scheme[0].length;
  const end = start + (/[/?#]/.exec(input.slice(start))?.index ?? input.length - start);
  const tls = name === "https";
  const authority = parseAuthority(input.slice(start, end), tls ? 443 : 80);
  if (!("value" in authority)) return { ...authority, offset: start + (authority.offset ?? 0) };
  const path = parsePath(input.slice(end));
  if (!("value" in path)) return { ...path, offset: end + (path.offset ?? 0) };
  return { value: { tls, ...authority.value, path: path.value } };
}

function parseAuthority(text: string, standard: number): Parsed<{ host: string; port: number }> {
  if (text.includes("@")) {
    const hint = 'write it as a header: headers = { Authorization = "Basic …" }';
    return { message: "a user name in the address", hint };
  }
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]+))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) {
    return { message: text === "" ? "an address without a host" : "not a host", hint: HTTP_EXAMPLE };
  }
  const port = match[3] === undefined ? standard : Number(match[3]);
  if (port < 1 || port > 65_535) {
    const offset = text.length - (match[3] ?? "").length;
    return { message: "a port is a number from 1 to 65535", offset };
  }
  return { value: { host, port } };
}

/** What follows the host. */
function parsePath(text: string): Parsed<string> {
  const fragment = text.indexOf("#");
  if (fragment !== -1) {
    return { message: 'what follows "#" is not sent to a server', hint: "remove it", offset: fragment };
  }
  const wrong = /[^!-~]/.exec(text);
  if (wrong !== null) {
    return {
      message: "a character that must be encoded",
      hint: "write %20 for a space",
      offset: wrong.index,
    };
  }
  return { value: text.startsWith("/") ? text : `/${text}` };
}

export const httpProbe = map(
  parsed(
    { title: "http address", expected: 'an address such as "http://127.0.0.1:8080/health"' },
    parseHttpUrl,
  ),
  (target) => ({ type: "http" as const, ...target }),
);

// ---- what an answer must be like

/** Both ends included. */
export type StatusRange = readonly [number, number];

const STATUS = { title: "status ranges", expected: 'HTTP statuses such as "200-299,304" or 204' };

/** `"200-399"`, `"200-299,304"`. */
function parseStatus(input: string): Parsed<readonly StatusRange[]> {
  const ranges: StatusRange[] = [];
  let offset = 0;
  for (const part of input.split(",")) {
    const match = /^\s*([0-9]{1,3})(?:-([0-9]{1,3}))?\s*$/.exec(part);
    const low = Number(match?.[1]);
    const high = Number(match?.[2] ?? match?.[1]);
    if (match === null)
      return { message: "not a status or range", hint: 'write it as "200-299,304"', offset };
    if (low < 100 || high > 599) return { message: "a status is a number from 100 to 599", offset };
    if (low > high) return { message: "a range that ends before it begins", offset };
    ranges.push([low, high]);
    offset += part.length + 1;
  }
  return { value: ranges };
}

export const statusRanges = either(
  {
    string: parsed(STATUS, parseStatus),
    integer: map(integer(100, 599, STATUS), (status): readonly StatusRange[] => [[status, status]]),
  },
  STATUS,
);

export const bodyPattern = string({ title: "regular expression", expected: "a regular expression" });

const headerText = map(
  string({ title: "string", expected: "a string", allowEmpty: true }),
  (text, node, reader) =>
    /^[^\0\r\n]*$/.test(text)
      ? text
      : complain(node, reader, "string", { message: "a header is one line", hint: "write it in one line" }),
);

/** The request's own frame is the prober's. */
const FRAME_HEADERS = ["connection", "content-length", "transfer-encoding"];

export const headers = record(headerText, {
  title: "table of strings",
  expected: 'a table such as { Host = "example.org" }',
  keyProblem: (key) => {
    if (!/^[!#$%&'*+.^_`|~A-Za-z0-9-]+$/.test(key)) return `"${key}" is not a header's name`;
    return FRAME_HEADERS.includes(key.toLowerCase()) ? `"${key}" is set by the probe itself` : undefined;
  },
});

// ---- what is asked otherwise

const PROBE = {
  title: "command, or table",
  expected: 'a command such as "pg_isready -q", or { command = "…", shell = true, outside = true }',
};

export interface ExecCondition {
  readonly type: "exec";
  readonly argv: readonly string[];
  /** In the supervisor's own surroundings, not the service's. */
  readonly outside: boolean;
  /** `PATH` of one that is outside; absent: a plain one. */
  readonly searchPath?: string;
}

const probeWords = parsed(COMMAND, (line) => commandWords(line, 'write ["/bin/sh", "-c", "…"]'));
const probePlain = map(
  either({ string: probeWords, list: argv }, COMMAND),
  (words): ExecCondition => ({ type: "exec", argv: words, outside: false }),
);
const probeTable = map(
  object({ command, shell: boolean, outside: boolean }, PROBE),
  (given, node, reader): ExecCondition | undefined => {
    const side = sideOf(given, node, reader);
    return side && { type: "exec", argv: side.argv, outside: given.outside ?? false };
  },
);
export const execProbe = either({ string: probePlain, list: probePlain, table: probeTable }, PROBE);

const ADDRESS = { title: 'port or "host:port"', expected: 'a port from 1 to 65535, or "host:port"' };

export const tcpProbe = map(
  either(
    {
      string: parsed(ADDRESS, parseHostPort),
      integer: map(integer(1, 65_535, ADDRESS), (port) => ({ host: "127.0.0.1", port })),
    },
    ADDRESS,
  ),
  ({ host, port }) => ({ type: "tcp" as const, host, port }),
);

export const fileProbe = map(path, (input) => ({ type: "file" as const, path: input }));
export const delayProbe = map(duration, (ms) => ({ type: "delay" as const, ms }));
export const logProbe = map(
  string({ title: "regular expression", expected: "a regular expression" }),
  (pattern) => ({ type: "log" as const, pattern }),
);

// ---- what a service tells by itself

const NOTIFY = { title: '"sd", "sd:PATH" or "fd:N"', expected: '"sd", "sd:PATH" or "fd:N"' };
/** Below are 0, 1 and 2; above is more than a process may open by default. */
const FD_FIRST = 3;
const FD_LAST = 1023;
/** The kernel's limit for the path of a Unix socket, less its end. */
const SOCKET_PATH_MAX = 107;

export type NotifyCondition =
  | { readonly type: "notify"; readonly way: "socket"; readonly path: string | null }
  | { readonly type: "notify"; readonly way: "descriptor"; readonly fd: number };

function parseNotify(input: string): Parsed<NotifyCondition> {
  const type = "notify";
  if (input === "sd") return { value: { type, way: "socket", path: null } };
  if (input.startsWith("sd:")) {
    const path = input.slice(3);
    if (path === "")
      return { message: "a path is missing", hint: 'write "sd" or "sd:run/notify.sock"', offset: 3 };
    if (path.startsWith("@")) {
      return { message: '"@" is no path', hint: 'write "sd", which is an abstract socket', offset: 3 };
    }
    return { value: { type, way: "socket", path } };
  }
  const number = /^fd:([0-9]+)$/.exec(input)?.[1];
  if (number === undefined) {
    return { message: "not a way to notify", hint: 'write "sd" (sd_notify), "sd:PATH" or "fd:3"' };
  }
  const fd = Number(number);
  if (fd < FD_FIRST) {
    return {
      message: "0, 1 and 2 are its stdin, stdout and stderr",
      hint: 'write "fd:3" or more',
      offset: 3,
    };
  }
  if (fd > FD_LAST) return { message: `a descriptor is a number from 3 to ${FD_LAST}`, offset: 3 };
  return { value: { type, way: "descriptor", fd } };
}

export const notifyCondition = parsed(NOTIFY, parseNotify);

/** Once the path is absolute. */
export function socketPathProblem(path: string): string | undefined {
  return path.length > SOCKET_PATH_MAX
    ? `a socket's path has at most ${SOCKET_PATH_MAX} characters, this one has ${path.length}`
    : undefined;
}

export const listenCondition: Schema<{ readonly type: "listen" }> = map(boolean, (on, node, reader) =>
  on ? { type: "listen" as const } : onlyTrue(node, reader),
);

export const healthCondition: Schema<{ readonly type: "health" }> = map(boolean, (on, node, reader) =>
  on ? { type: "health" as const } : onlyTrue(node, reader),
);

function onlyTrue(node: Node, reader: Reader): undefined {
  return complain(node, reader, "true", { message: "it can only be true", hint: "leave it out" });
}
