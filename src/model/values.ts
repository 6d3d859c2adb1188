/**
 * The kinds of values that fields take: what is written in TOML, what becomes of it, how it is
 * called in the reference, and what is said about anything else.
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
  type Out,
  object,
  parsed,
  type Reader,
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
import { splitWords } from "./words.ts";

export { boolean as flag, choice, integer, number };

const MAX_COUNT = 4_294_967_295;
export const count = integer(0, MAX_COUNT);
export const countFromOne = integer(1, MAX_COUNT);

function quoteIt(node: Node): string | undefined {
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

const UMASK_PATTERN = /^0?[0-7]{1,3}$/;
export const umask = parsed(
  {
    title: "octal string",
    expected: 'a umask as a string of octal digits, such as "022"',
    pattern: UMASK_PATTERN,
  },
  (input): Parsed<number> =>
    UMASK_PATTERN.test(input)
      ? { value: Number.parseInt(input, 8) }
      : { message: "not a umask", hint: 'write one to three octal digits, such as "022"' },
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

const NAMES = "a list of names of services, tasks or targets";
const name = string({ title: "name", expected: "a name" });
export const names = list(name, { title: "list of names", expected: NAMES });

const LIST = { title: "list of names or tables", expected: NAMES };

/** A name, with the kind it must be of. */
const named = { service: name, task: name, target: name };

interface Named {
  readonly service?: string;
  readonly task?: string;
  readonly target?: string;
}

/** The one name that is in a table. */
function onlyName({ service, task, target }: Named, node: Node, reader: Reader): string | undefined {
  const given = [service, task, target].filter((part) => part !== undefined);
  const only = given[0];
  if (only !== undefined && given.length === 1) return only;
  const message = "expected exactly one of service, task and target";
  return complain(node, reader, "name or table", { message, hint: 'such as { task = "migrate" }' });
}

interface RequirementItem {
  readonly name: string;
  readonly bind: boolean;
  readonly start: boolean;
}

const REQUIREMENT: Expected & { title: string } = {
  title: "name or table",
  expected: 'a name, { task = "…" }, { target = "…" } or { service = "…", bind = true }',
};

const requirementTable = map(
  object({ ...named, bind: boolean, start: boolean }, REQUIREMENT),
  (given, node, reader): RequirementItem | undefined => {
    const { bind, start, service } = given;
    const only = onlyName(given, node, reader);
    if (only === undefined) return undefined;
    if (bind !== undefined && service === undefined) {
      const message = '"bind" goes with a service: a task or target cannot crash';
      return complain(node, reader, REQUIREMENT.title, { message, hint: 'leave out "bind"' });
    }
    return { name: only, bind: bind ?? false, start: start ?? true };
  },
);

const requirementName = map(name, (text): RequirementItem => ({ name: text, bind: false, start: true }));
export const requirements = list(
  either({ string: requirementName, table: requirementTable }, REQUIREMENT),
  LIST,
);

const FOLLOWING: Expected & { title: string } = {
  title: "name or table",
  expected: 'a name, or a table such as { service = "…", until = "begun" }',
};
const until = choice("ready", "begun", "up", "any");

interface FollowingItem {
  readonly name: string;
  readonly until: Out<typeof until>;
}

const followingName = map(name, (text): FollowingItem => ({ name: text, until: "ready" }));
const followingTable = map(
  object({ ...named, until }, FOLLOWING),
  (given, node, reader): FollowingItem | undefined => {
    const only = onlyName(given, node, reader);
    return only === undefined ? undefined : { name: only, until: given.until ?? "ready" };
  },
);

/** `after`: whom it follows, and how far they have to be. */
export const followings = list(either({ string: followingName, table: followingTable }, FOLLOWING), LIST);

const CONFLICT: Expected & { title: string } = {
  title: "name or table",
  expected: 'a name, or a table such as { service = "…", wait = true }',
};

interface ConflictItem {
  readonly name: string;
  readonly wait: boolean;
}

const conflictName = map(name, (text): ConflictItem => ({ name: text, wait: false }));
const conflictTable = map(
  object({ ...named, wait: boolean }, CONFLICT),
  (given, node, reader): ConflictItem | undefined => {
    const only = onlyName(given, node, reader);
    return only === undefined ? undefined : { name: only, wait: given.wait ?? false };
  },
);
export const conflicts = list(either({ string: conflictName, table: conflictTable }, CONFLICT), LIST);

const COMMAND = {
  title: "string or list of strings",
  expected: 'a command such as "node server.js" or ["node", "server.js"]',
};
const commandText = string({ ...COMMAND, allowEmpty: true });
const argument = string({ title: "string", expected: "a string", hint: quoteIt, allowEmpty: true });
const argv = list(argument, { ...COMMAND, atLeast: 1 });

/** As it was written: whether a string is split depends on `shell`. */
export const command = either({ string: commandText, list: argv }, COMMAND);

/** Words, or why there are none; the program's own name must be among them. */
export function commandWords(line: string, useShell: string): Parsed<readonly string[]> {
  const words = splitWords(line, useShell);
  if ("value" in words && !words.value[0]) {
    return { message: "an empty command", hint: "write the program and its arguments" };
  }
  return words;
}

const HOOK = {
  title: "command, or table",
  expected: 'a command such as "node migrate.js", or { command = "…", shell = true, timeout = "10s" }',
};
const programWords = parsed(COMMAND, (line) => commandWords(line, 'write { command = "…", shell = true }'));

/** The program and its arguments, or a complaint; `shell` as for a service's `command`. */
function argvOf(
  given: string | readonly string[],
  shell: boolean,
  node: Node,
  reader: Reader,
): readonly string[] | undefined {
  const wrong = (message: string, hint: string) => complain(node, reader, COMMAND.title, { message, hint });
  if (typeof given !== "string") {
    if (shell) return wrong("with shell = true it is one string", "write it as one string");
    return given[0] ? given : wrong("the program's name is empty", "write the program first");
  }
  if (!shell) return programWords.read(node, reader);
  return given.trim() === ""
    ? wrong("an empty command", "write what the shell is to run")
    : ["/bin/sh", "-c", given];
}

/** A command that runs beside a service. `timeoutMs` is `null` where its table says nothing. */
export interface SideCommand {
  readonly argv: readonly string[];
  readonly timeoutMs: number | null;
}

const sidePlain = map(command, (given, node, reader): SideCommand | undefined => {
  const argv = argvOf(given, false, node, reader);
  return argv && { argv, timeoutMs: null };
});

function sideOf(
  given: {
    readonly command?: string | readonly string[];
    readonly shell?: boolean;
    readonly timeout?: number;
  },
  node: Node,
  reader: Reader,
): SideCommand | undefined {
  const place = node.get("command");
  if (given.command === undefined || place === undefined) {
    return complain(node, reader, HOOK.title, { message: "no command in it", hint: 'write command = "…"' });
  }
  const inner: Reader = { label: `${reader.label}.command`, report: reader.report.bind(reader) };
  const argv = argvOf(given.command, given.shell ?? false, place, inner);
  return argv && { argv, timeoutMs: given.timeout ?? null };
}

const hookTable = map(object({ command, shell: boolean, timeout: duration }, HOOK), sideOf);
export const hook = either({ string: sidePlain, list: sidePlain, table: hookTable }, HOOK);

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

const STOP_COMMAND = {
  title: "command, or table",
  expected: 'a command such as "redis-cli shutdown", or { command = "…", shell = true }',
};
const stopTable = map(object({ command, shell: boolean }, STOP_COMMAND), sideOf);
export const stopCommand = map(
  either({ string: sidePlain, list: sidePlain, table: stopTable }, STOP_COMMAND),
  ({ argv }) => argv,
);

const RELOAD = { title: "table", expected: 'a table such as { signal = "HUP" } or { command = "…" }' };

/** By a signal to the main process, or by a command. */
export const reload = map(
  object({ signal, command, shell: boolean, timeout: duration }, RELOAD),
  (given, node, reader) => {
    const { signal: name, command: line, shell, timeout } = given;
    if ((name === undefined) === (line === undefined)) {
      const message = "expected exactly one of signal and command";
      return complain(node, reader, RELOAD.title, { message, hint: 'such as { signal = "HUP" }' });
    }
    if (name === undefined) {
      const side = sideOf(given, node, reader);
      return (
        side && { type: "command" as const, argv: side.argv, timeoutMs: side.timeoutMs ?? RELOAD_TIMEOUT_MS }
      );
    }
    if (shell !== undefined || timeout !== undefined) {
      const message = '"shell" and "timeout" go with a command';
      return complain(node, reader, RELOAD.title, { message, hint: "remove them" });
    }
    return { type: "signal" as const, signal: name };
  },
);

const RELOAD_TIMEOUT_MS = 30_000;

const ACTION = {
  title: '"ignore", "stop-dependents", "shutdown" or table',
  expected: '"ignore", "stop-dependents", "shutdown" or { run = "task" }',
};

const actionTable = map(object({ run: name }, ACTION), ({ run }, node, reader) =>
  run === undefined
    ? complain(node, reader, ACTION.title, { message: "no task in it", hint: 'write { run = "task" }' })
    : { run },
);

/** What follows when a service has failed for good. */
export const failureAction = either(
  { string: choice("ignore", "stop-dependents", "shutdown"), table: actionTable },
  ACTION,
);

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `"5432"`, `"localhost:5432"`, `"[::1]:5432"`. */
function parseHostPort(input: string): Parsed<HostPort> {
  const match = /^(?:(?:\[([0-9A-Fa-f:.%A-Za-z]+)\]|([^[\]:/\s]*)):)?([0-9]+)$/.exec(input);
  const port = Number(match?.[3]);
  if (!match) return { message: "not an address", hint: 'write a port, "host:port" or "[::1]:port"' };
  if (port < 1 || port > 65_535) return { message: "a port is a number from 1 to 65535" };
  return { value: { host: match[1] ?? (match[2] || "127.0.0.1"), port } };
}

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

export const fileProbe = map(path, (input) => ({ type: "file" as const, path: input }));
export const delayProbe = map(duration, (ms) => ({ type: "delay" as const, ms }));
export const logProbe = map(
  string({ title: "regular expression", expected: "a regular expression" }),
  (pattern) => ({ type: "log" as const, pattern }),
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

export interface LimitValue {
  readonly soft: number | null;
  readonly hard: number | null;
}

const LIMIT = { title: "limit", expected: 'a number, "unlimited" or "soft:hard"' };

function parseLimit(input: string, sized: boolean): Parsed<LimitValue> {
  const parts = input.split(":").map((part) => parseBound(part, sized));
  const [soft, hard = soft] = parts;
  if (parts.length > 2 || parts.includes(undefined) || soft === undefined || hard === undefined) {
    const units = sized ? ', or a size such as "64MiB"' : "";
    return { message: "not a limit", hint: `write a number, "unlimited" or "soft:hard"${units}` };
  }
  if (hard !== null && (soft === null || soft > hard)) {
    return {
      message: "the soft limit is above the hard limit",
      hint: 'write the lower one first: "soft:hard"',
    };
  }
  if ((soft ?? 0) > Number.MAX_SAFE_INTEGER || (hard ?? 0) > Number.MAX_SAFE_INTEGER) {
    return { message: "a limit that is too large", hint: 'write "unlimited"' };
  }
  return { value: { soft, hard } };
}

/** `null`: unlimited. */
function parseBound(text: string, sized: boolean): number | null | undefined {
  if (text === "unlimited") return null;
  if (/^[0-9]+$/.test(text)) return Number(text);
  const bytes = sized ? parseSize(text) : undefined;
  return bytes && "value" in bytes ? bytes.value : undefined;
}

function limit(sized: boolean): Schema<LimitValue> {
  const plain = map(integer(0, Number.MAX_SAFE_INTEGER, LIMIT), (value) => ({ soft: value, hard: value }));
  return either({ string: parsed(LIMIT, (text) => parseLimit(text, sized)), integer: plain }, LIMIT);
}

const counted = limit(false);
/** Those that count bytes take a size, too. */
const sized = limit(true);

/** By prlimit(1)'s names. */
const LIMITS = {
  as: sized,
  core: sized,
  cpu: counted,
  data: sized,
  fsize: sized,
  locks: counted,
  memlock: sized,
  msgqueue: sized,
  nice: counted,
  nofile: counted,
  nproc: counted,
  rss: sized,
  rtprio: counted,
  rttime: counted,
  sigpending: counted,
  stack: sized,
};

export const limits: Schema<Readonly<Record<string, LimitValue>>> = map(
  object(LIMITS, { title: "table of limits", expected: "a table such as { nofile = 65536 }" }),
  (given) => ({ ...given }),
);

// ---- where stdout and stderr go

/** `own`: that of the supervisor. `same` is stderr's alone: wherever stdout goes. */
export type OutputTarget =
  | { readonly type: "log" }
  | { readonly type: "own"; readonly stream: "stdout" | "stderr" }
  | { readonly type: "file"; readonly path: string; readonly mode: number };

const MODE_PATTERN = /^0?[0-7]{3}$/;
const FILE_MODE = 0o666;

/** Of a file that is made; the umask goes off it. */
const fileMode = parsed(
  {
    title: "octal string",
    expected: 'permissions as a string of octal digits, such as "0640"',
    pattern: MODE_PATTERN,
  },
  (input): Parsed<number> =>
    MODE_PATTERN.test(input)
      ? { value: Number.parseInt(input, 8) }
      : { message: "not the permissions of a file", hint: 'write three octal digits, such as "640"' },
);

function output<const Word extends "log" | "stdout" | "stderr" | "same">(...words: readonly Word[]) {
  const quoted = words.map((word) => `"${word}"`).join(", ");
  const expected = `${quoted} or { file = "PATH" }`;
  const about = { title: `${quoted} or table`, expected };
  const table = map(
    object({ file: path, mode: fileMode }, about),
    (given, node, reader): OutputTarget | undefined =>
      given.file === undefined
        ? complain(node, reader, about.title, { message: "no file in it", hint: 'write { file = "PATH" }' })
        : { type: "file", path: given.file, mode: given.mode ?? FILE_MODE },
  );
  return { about, table, word: choice(...words) };
}

const toStdout = output("log", "stdout", "stderr");
const toStderr = output("log", "stdout", "stderr", "same");

function target(word: "log" | "stdout" | "stderr"): OutputTarget {
  return word === "log" ? { type: "log" } : { type: "own", stream: word };
}

export const stdout = either({ string: map(toStdout.word, target), table: toStdout.table }, toStdout.about);
export const stderr = either(
  {
    string: map(toStderr.word, (word): OutputTarget | { readonly type: "same" } =>
      word === "same" ? { type: "same" } : target(word),
    ),
    table: toStderr.table,
  },
  toStderr.about,
);

// ---- what a cgroup bounds

/** `null`: not bounded. */
export interface ResourceLimits {
  /** Processors. */
  readonly cpu: number | null;
  /** Bytes. */
  readonly memory: number | null;
  readonly pids: number | null;
}

const RESOURCES = {
  title: "table of limits",
  expected: 'a table such as { memory = "512MiB", cpu = 1.5, pids = 100 }',
};
const PROCESSORS_MIN = 0.01;
const PROCESSORS_MAX = 10_000;
const NUMBER_MAX = 4_194_304;

const resourceTable = object(
  { cpu: number(PROCESSORS_MIN, PROCESSORS_MAX), memory: size, pids: integer(1, NUMBER_MAX) },
  RESOURCES,
);

export const resources = map(resourceTable, (given, node, reader): ResourceLimits | undefined => {
  const { cpu = null, memory = null, pids = null } = given;
  const complaint = (message: string, hint: string) =>
    complain(node, reader, RESOURCES.title, { message, hint });
  if (memory === 0) return complaint("a memory of no size", 'write a size such as "512MiB"');
  if (cpu === null && memory === null && pids === null) {
    return complaint("no limit in it", "write cpu, memory or pids, or remove it");
  }
  return { cpu, memory, pids };
});
