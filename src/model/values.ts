/**
 * The kinds of values that fields take: what is written in TOML, what becomes of it, how it is
 * called in the reference, and what is said about anything else. Here are the plain ones; names of
 * others are in `relations.ts`, commands in `commands.ts`, probes in `probes.ts`, limits in
 * `bounds.ts`, and where output goes in `outputs.ts`.
 */

import { parseCron } from "../schedule/cron.ts";
import {
  boolean,
  choice,
  complain,
  type Expected,
  either,
  integer,
  list,
  map,
  number,
  parsed,
  record,
  type Schema,
  string,
} from "./kit.ts";
import type { Node } from "./node.ts";
import { parseSignal, SIGNAL_PATTERN } from "./signals.ts";
import {
  BUDGET_PATTERN,
  DURATION_PATTERN,
  type Parsed,
  parseBudget,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
} from "./units.ts";

export { boolean as flag, choice, integer, number };

const MAX_COUNT = 4_294_967_295;
export const count = integer(0, MAX_COUNT);
export const countFromOne = integer(1, MAX_COUNT);

export function quoteIt(node: Node): string | undefined {
  return node.type === "integer" || node.type === "float" || node.type === "boolean"
    ? "put it in quotes"
    : undefined;
}

/** The smallest example with a unit, made of the number somebody wrote without one. */
function withUnit(node: Node, unit: string, otherwise: string): string {
  return typeof node.value === "number" && node.value >= 0 ? `"${node.value}${unit}"` : otherwise;
}

export const path = string({ title: "path", expected: "a path" });
export const optionalPath = string({ title: "path", expected: "a path", allowEmpty: true });
export const paths = list(path, { title: "list of paths", expected: "a list of paths" });

export const duration = parsed(
  {
    title: "duration",
    expected: 'a duration with a unit, such as "10s"',
    hint: (node) => `write ${withUnit(node, "s", '"10s"')}, or another of the units ms, s, m, h or d`,
    pattern: DURATION_PATTERN,
  },
  parseDuration,
);

const INTERVAL_LEAST_MS = 1000;

export const interval = map(duration, (ms, node, reader) => {
  if (ms >= INTERVAL_LEAST_MS) return ms;
  return complain(node, reader, "duration of 1s or more", {
    message: "an interval shorter than 1s",
    hint: 'write "1s" or more',
  });
});

export const cronPattern = map(
  string({ title: "cron pattern", expected: 'a cron pattern, such as "0 3 * * *"' }),
  (pattern, node, reader) => {
    const read = parseCron(pattern);
    if (!("value" in read)) return complain(node, reader, "cron pattern", read);
    return { text: pattern.trim().replace(/\s+/g, " "), cron: read.value };
  },
);

export const text = string({ title: "string", expected: "a string" });

export const size = parsed(
  {
    title: "size",
    expected: 'a size with a unit, such as "10MiB"',
    hint: (node) =>
      `write ${withUnit(node, "B", '"10MiB"')}, or another of the units KiB, MiB, GiB, kB, MB or GB`,
    pattern: SIZE_PATTERN,
  },
  parseSize,
);

export const budget = parsed(
  {
    title: "budget",
    expected: 'a number and a time, such as "10/1m"',
    hint: (node) => `write ${withUnit(node, "/1m", '"10/1m"')}`,
    pattern: BUDGET_PATTERN,
  },
  parseBudget,
);

export const signal = parsed(
  { title: "signal", expected: 'a signal\'s name, such as "TERM"', pattern: SIGNAL_PATTERN },
  parseSignal,
);

export const signals = list(signal, { title: "list of signals", expected: 'a list such as ["TERM"]' });

export const exitCodes = list(integer(0, 255), {
  title: "list of exit codes",
  expected: "a list of exit codes",
});

/** Who: a name, or a number that needs no entry in a table of users. */
const WHO_PATTERN = /^(?:[A-Za-z_][A-Za-z0-9_.-]*\$?|[0-9]+)$/;

function who(what: string): Schema<string> {
  const options: Expected & { title: string } = {
    title: `${what} name or number`,
    expected: `the name or number of a ${what}`,
  };
  const parse = (name: string): Parsed<string> =>
    WHO_PATTERN.test(name) ? { value: name } : { message: `not the name or number of a ${what}` };
  const id = map(integer(0, MAX_COUNT - 1, options), String);
  return either({ string: parsed({ ...options, pattern: WHO_PATTERN }, parse), integer: id }, options);
}

export const user = who("user");
export const group = who("group");
export const groups = list(group, { title: "list of group names or numbers", expected: "a list of groups" });

/** Permission bits. */
export function octal(pattern: RegExp, expected: string, message: string, hint: string) {
  return parsed(
    { title: "octal string", expected, pattern },
    (input): Parsed<number> =>
      pattern.test(input) ? { value: Number.parseInt(input, 8) } : { message, hint },
  );
}

export const umask = octal(
  /^0?[0-7]{1,3}$/,
  'a umask as a string of octal digits, such as "022"',
  "not a umask",
  'write one to three octal digits, such as "022"',
);

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export function nameProblem(name: string): Parsed<string> {
  if (name === "oneup") {
    return { message: 'the name "oneup" is the supervisor\'s own', hint: "choose another name" };
  }
  if (name.includes("@")) {
    return { message: '"@" in a name is reserved for instances', hint: "choose a name without it" };
  }
  if (name.length > 100)
    return { message: "a name longer than 100 characters", hint: "choose a shorter one" };
  if (NAME_PATTERN.test(name)) return { value: name };
  return {
    message: `"${name}" is not a name for a service`,
    hint: "use letters, digits, dots, underscores and dashes, with a letter or digit first",
  };
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `"5432"`, `"localhost:5432"`, `"[::1]:5432"`. */
export function parseHostPort(input: string): Parsed<HostPort> {
  const match = /^(?:(?:\[([0-9A-Fa-f:.%A-Za-z]+)\]|([^[\]:/\s]*)):)?([0-9]+)$/.exec(input);
  const port = Number(match?.[3]);
  if (!match) return { message: "not an address", hint: 'write a port, "host:port" or "[::1]:port"' };
  if (port < 1 || port > 65_535) return { message: "a port is a number from 1 to 65535" };
  return { value: { host: match[1] ?? (match[2] || "127.0.0.1"), port } };
}

const PORTS = { title: "list of ports", expected: "a list of ports, each from 1 to 65535" };
export const ports = list(integer(1, 65_535), { ...PORTS, atLeast: 1 });

const PARTS = { title: "list of strings", expected: "a list of parts of process names" };
export const processNames = list(string({ title: "string", expected: "a part of a process's name" }), {
  ...PARTS,
  atLeast: 1,
});

/** An address to listen on; empty means none. */
export const listenAddress = parsed(
  { title: '"host:port"', expected: 'an address such as "127.0.0.1:8080"' },
  (input): Parsed<string> => {
    if (input === "") return { value: "" };
    const address = parseHostPort(input);
    if (!("value" in address)) return address;
    const { host, port } = address.value;
    return { value: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}` };
  },
);

const anyText = string({ title: "string", expected: "a string", hint: quoteIt, allowEmpty: true });

export const environment = record(anyText, {
  title: "table of strings",
  expected: 'a table such as { PORT = "8080" }',
  keyProblem: (key) =>
    /^[^=\0]+$/.test(key) ? undefined : 'a variable\'s name cannot be empty or have "=" in it',
});

export const labels = record(anyText, {
  title: "table of strings",
  expected: 'a table such as { tier = "web" }',
});
