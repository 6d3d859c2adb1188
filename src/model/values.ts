/**
 * The kinds of values that fields take: what is written in TOML, what becomes of it, how it is
 * called in the reference, and what is said about anything else.
 */
import * as z from "zod/mini";
import { parseSignal, SIGNAL_PATTERN } from "./signals.ts";
import { didYouMean } from "./suggest.ts";
import { DURATION_PATTERN, type Parsed, parseDuration, parseSize, SIZE_PATTERN } from "./units.ts";
import { splitWords } from "./words.ts";

// Code made at run time costs more than it gains in a program that reads a few files and ends.
z.config({ jitless: true });

/** What the reference page calls a type. */
export const typeNames = z.registry<{ readonly title: string }>();

/** A message may carry a hint behind a line break; messages themselves are one line. */
export function withHint(message: string, hint: string | undefined): string {
  return hint === undefined ? message : `${message}\n${hint}`;
}

type Wrong = { readonly input?: unknown; readonly code?: string };

/** The error of a schema: what was expected, what came, and what to write instead. */
function expected(what: string, hint?: string | ((input: unknown) => string | undefined)) {
  return (wrong: Wrong) => {
    // An unknown key inside is reported by name; only a wrong kind of value is "expected".
    if (wrong.code === "unrecognized_keys") return undefined;
    const advice = typeof hint === "function" ? hint(wrong.input) : hint;
    return withHint(`expected ${what}, got ${kindOf(wrong.input)}`, advice);
  };
}

/** `"a", "b" or "c"` */
function oneOf(values: readonly string[]): string {
  const quoted = values.map((value) => `"${value}"`);
  return [quoted.slice(0, -1).join(", "), ...quoted.slice(-1)].filter((part) => part !== "").join(" or ");
}

export function kindOf(input: unknown): string {
  if (typeof input === "string") return input === "" ? "an empty string" : "a string";
  if (typeof input === "number") return Number.isInteger(input) ? "an integer" : "a number";
  if (typeof input === "boolean") return `${input}`;
  if (Array.isArray(input)) return input.length === 0 ? "an empty list" : "a list";
  if (input instanceof Date) return "a date or time";
  return "a table";
}

function named<S extends z.ZodMiniType>(title: string, schema: S): S {
  typeNames.add(schema, { title });
  return schema;
}

/** A text that a parser turns into something, or says why not. */
function parsed<T>(text: z.ZodMiniType<string, string>, parse: (text: string) => Parsed<T>) {
  return z.pipe(
    text,
    z.transform((input: string, context): T => {
      const result = parse(input);
      if ("value" in result) return result.value;
      const { message, hint, offset } = result;
      context.issues.push({
        code: "custom",
        input,
        message: withHint(message, hint),
        ...(offset === undefined ? {} : { params: { offset } }),
      });
      return z.NEVER;
    }),
  );
}

/**
 * A string for editors to check by a pattern; what to say about it is the parser's affair. A
 * variable may stand for anything.
 */
function patterned(pattern: RegExp, error: ReturnType<typeof expected>) {
  return z.string({ error }).check(z.meta({ pattern: `${pattern.source}|\\$\\{` }));
}

export const flag = named("boolean", z.boolean({ error: expected("true or false", quotedFlag) }));

function quotedFlag(input: unknown): string | undefined {
  return input === "true" || input === "false" ? "write it without quotes" : undefined;
}

export const text = named(
  "string",
  z
    .string({ error: expected("a string", quoteIt) })
    .check(z.minLength(1, { error: expected("a string that is not empty") })),
);

function quoteIt(input: unknown): string | undefined {
  return typeof input === "number" || typeof input === "boolean" ? "put it in quotes" : undefined;
}

function listHint(input: unknown): string | undefined {
  return typeof input === "string" ? "put it in brackets, [ … ], also if it is only one" : undefined;
}

export const texts = named(
  "list of strings",
  z.array(text, { error: expected("a list of strings", listHint) }),
);

export const path = named(
  "path",
  z.string({ error: expected("a path") }).check(z.minLength(1, { error: expected("a path") })),
);
export const paths = named("list of paths", z.array(path, { error: expected("a list of paths", listHint) }));

export const duration = named(
  "duration",
  parsed(
    patterned(DURATION_PATTERN, expected('a duration with a unit, such as "10s"', durationHint)),
    parseDuration,
  ),
);

function durationHint(input: unknown): string {
  const example = typeof input === "number" && input >= 0 ? `"${input}s"` : '"10s"';
  return `write ${example}, or another of the units ms, s, m, h or d`;
}

export const size = named(
  "size",
  parsed(patterned(SIZE_PATTERN, expected('a size with a unit, such as "10MiB"', sizeHint)), parseSize),
);

function sizeHint(input: unknown): string {
  const example = typeof input === "number" && input >= 0 ? `"${input}B"` : '"10MiB"';
  return `write ${example}, or another of the units KiB, MiB, GiB, kB, MB or GB`;
}

export const signal = named(
  "signal",
  parsed(patterned(SIGNAL_PATTERN, expected('a signal\'s name, such as "TERM"')), parseSignal),
);

export function integer(low: number, high: number) {
  const range = high === MAX_COUNT ? `${low} or more` : `${low} to ${high}`;
  const error = (wrong: Wrong) => {
    const got = typeof wrong.input === "number" ? `${wrong.input}` : kindOf(wrong.input);
    return `expected a whole number, ${range}, got ${got}`;
  };
  return named(
    `integer, ${range}`,
    z.int({ error }).check(z.minimum(low, { error }), z.maximum(high, { error })),
  );
}

const MAX_COUNT = 4_294_967_295;
export const count = integer(0, MAX_COUNT);

export function choice<const T extends readonly [string, ...string[]]>(...values: T) {
  const error = ({ input }: Wrong) => {
    const got = typeof input === "string" && input !== "" ? `"${input}"` : kindOf(input);
    const hint = typeof input === "string" ? didYouMean(input, values) : undefined;
    return withHint(`expected ${oneOf(values)}, got ${got}`, hint);
  };
  return named(oneOf(values), z.enum(values, { error }));
}

const exitCode = integer(0, 255);
export const exitCodes = named(
  "list of exit codes",
  z.array(exitCode, { error: expected("a list of exit codes") }),
);

/** Who: a name, or a number that needs no entry in a table of users. */
const WHO_PATTERN = /^(?:[A-Za-z_][A-Za-z0-9_.-]*\$?|[0-9]+)$/;
function who(what: string) {
  const error = expected(`the name or number of a ${what}`);
  return z.pipe(
    z.union(
      [
        parsed(patterned(WHO_PATTERN, error), (name) =>
          WHO_PATTERN.test(name) ? { value: name } : { message: `not the name or number of a ${what}` },
        ),
        z.int().check(z.minimum(0, { error }), z.maximum(MAX_COUNT - 1, { error })),
      ],
      { error },
    ),
    z.transform(String),
  );
}
export const user = named("user name or number", who("user"));
export const group = named("group name or number", who("group"));
export const groups = named(
  "list of group names or numbers",
  z.array(who("group"), { error: expected("a list of groups", listHint) }),
);

const UMASK_PATTERN = /^0?[0-7]{1,3}$/;
export const umask = named(
  "octal string",
  parsed(patterned(UMASK_PATTERN, expected('a umask as a string of octal digits, such as "022"')), (input) =>
    UMASK_PATTERN.test(input)
      ? { value: Number.parseInt(input, 8) }
      : { message: "not a umask", hint: 'write one to three octal digits, such as "022"' },
  ),
);

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export function nameProblem(name: string): Parsed<string> {
  if (name === "oneup")
    return { message: 'the name "oneup" is the supervisor\'s own', hint: "choose another name" };
  if (name.includes("@"))
    return { message: '"@" in a name is reserved for instances', hint: "choose a name without it" };
  if (name.length > 100)
    return { message: "a name longer than 100 characters", hint: "choose a shorter one" };
  if (NAME_PATTERN.test(name)) return { value: name };
  return {
    message: `"${name}" is not a name for a service`,
    hint: "use letters, digits, dots, underscores and dashes, with a letter or digit first",
  };
}

const NAME_HINT = "names of services, tasks or targets";
const name = z.string({ error: expected("a name") }).check(z.minLength(1, { error: expected("a name") }));
export const names = named(
  "list of names",
  z.array(name, { error: expected(`a list of ${NAME_HINT}`, listHint) }),
);

const requirement = z.union(
  [
    name,
    z.strictObject({
      service: z.optional(name),
      task: z.optional(name),
      target: z.optional(name),
      bind: z.optional(z.boolean({ error: expected("true or false") })),
    }),
  ],
  { error: expected('a name, { task = "…" }, { target = "…" } or { service = "…", bind = true }') },
);

export const requirements = named(
  "list of names or tables",
  z.array(
    z.pipe(
      requirement,
      z.transform((input: z.output<typeof requirement>, context) => {
        if (typeof input === "string") return { name: input, bind: false };
        const given = [input.service, input.task, input.target].filter((part) => part !== undefined);
        const only = given[0];
        if (only === undefined || given.length > 1) {
          const hint = 'such as { task = "migrate" }';
          const message = withHint("expected exactly one of service, task and target", hint);
          context.issues.push({ code: "custom", input, message });
          return z.NEVER;
        }
        if (input.bind !== undefined && input.service === undefined) {
          const message = withHint(
            '"bind" goes with a service: a task or target cannot crash',
            'leave out "bind"',
          );
          context.issues.push({ code: "custom", input, message });
          return z.NEVER;
        }
        return { name: only, bind: input.bind ?? false };
      }),
    ),
    { error: expected(`a list of ${NAME_HINT}`, listHint) },
  ),
);

const COMMAND_EXPECTED = 'a command such as "node server.js" or ["node", "server.js"]';
const argv = z
  .array(z.string({ error: expected("a string", quoteIt) }), { error: expected(COMMAND_EXPECTED) })
  .check(z.minLength(1, { error: expected(COMMAND_EXPECTED) }));
const commandText = z.string({ error: expected(COMMAND_EXPECTED) });

/** As it was written: whether a string is split depends on `shell`. */
export const command = named(
  "string or list of strings",
  z.union([commandText, argv], { error: expected(COMMAND_EXPECTED) }),
);

/** Words, or why there are none; the program's own name must be among them. */
export function commandWords(line: string, useShell: string): Parsed<readonly string[]> {
  const words = splitWords(line, useShell);
  if ("value" in words && !words.value[0]) {
    return { message: "an empty command", hint: "write the program and its arguments" };
  }
  return words;
}

export const execProbe = named(
  "string or list of strings",
  z.union(
    [
      parsed(commandText, (line): Parsed<{ type: "exec"; argv: readonly string[] }> => {
        const words = commandWords(line, 'write ["/bin/sh", "-c", "…"]');
        return "value" in words ? { value: { type: "exec", argv: words.value } } : words;
      }),
      z.pipe(
        argv,
        z.transform((words) => ({ type: "exec" as const, argv: words as readonly string[] })),
      ),
    ],
    { error: expected(COMMAND_EXPECTED) },
  ),
);

const PORT_ERROR = "a port is a number from 1 to 65535";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `5432`, `"localhost:5432"`, `"[::1]:5432"`. */
export function parseHostPort(input: string): Parsed<HostPort> {
  const match = /^(?:(?:\[([0-9A-Fa-f:.%A-Za-z]+)\]|([^[\]:/\s]*)):)?([0-9]+)$/.exec(input);
  const port = Number(match?.[3]);
  if (!match) {
    return { message: "not an address", hint: 'write a port, "host:port" or "[::1]:port"' };
  }
  if (port < 1 || port > 65_535) return { message: PORT_ERROR };
  return { value: { host: match[1] ?? (match[2] || "127.0.0.1"), port } };
}

const ADDRESS_EXPECTED = 'a port from 1 to 65535, or "host:port"';

export const tcpProbe = named(
  'port or "host:port"',
  z.pipe(
    z.union(
      [
        z.int().check(z.minimum(1, { error: PORT_ERROR }), z.maximum(65_535, { error: PORT_ERROR })),
        parsed(z.string(), parseHostPort),
      ],
      { error: expected(ADDRESS_EXPECTED) },
    ),
    z.transform((input) => ({
      type: "tcp" as const,
      ...(typeof input === "number" ? { host: "127.0.0.1", port: input } : input),
    })),
  ),
);

/** An address to listen on; empty means none. */
export const listenAddress = named(
  '"host:port"',
  parsed(z.string({ error: expected('an address such as "127.0.0.1:8080"') }), (input): Parsed<string> => {
    if (input === "") return { value: "" };
    const address = parseHostPort(input);
    if (!("value" in address)) return address;
    const { host, port } = address.value;
    return { value: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}` };
  }),
);

export const optionalPath = named("path", z.string({ error: expected("a path") }));

export const fileProbe = named(
  "path",
  z.pipe(
    path,
    z.transform((input) => ({ type: "file" as const, path: input })),
  ),
);

export const logProbe = named(
  "regular expression",
  z.pipe(
    text,
    z.transform((pattern) => ({ type: "log" as const, pattern })),
  ),
);

export const delayProbe = named(
  "duration",
  z.pipe(
    duration,
    z.transform((ms) => ({ type: "delay" as const, ms })),
  ),
);

const ENVIRONMENT_NAME = /^[^=\0]+$/;
export const environment = named(
  "table of strings",
  z.record(
    z
      .string()
      .check(z.regex(ENVIRONMENT_NAME, { error: 'a variable\'s name cannot be empty or have "=" in it' })),
    z.string({ error: expected("a string", quoteIt) }),
    { error: expected('a table such as { PORT = "8080" }') },
  ),
);

export const labels = named(
  "table of strings",
  z.record(z.string(), z.string({ error: expected("a string", quoteIt) }), {
    error: expected('a table such as { tier = "web" }'),
  }),
);

/** prlimit(1)'s names; those marked take a size too. */
export const LIMITS = {
  as: true,
  core: true,
  cpu: false,
  data: true,
  fsize: true,
  locks: false,
  memlock: true,
  msgqueue: true,
  nice: false,
  nofile: false,
  nproc: false,
  rss: true,
  rtprio: false,
  rttime: false,
  sigpending: false,
  stack: true,
} as const;

export interface LimitValue {
  readonly soft: number | null;
  readonly hard: number | null;
}

function parseLimit(input: string, sized: boolean): Parsed<LimitValue> {
  const parts = input.split(":");
  const values: (number | null)[] = [];
  for (const part of parts) {
    const sizeOf = sized ? parseSize(part) : undefined;
    if (part === "unlimited") values.push(null);
    else if (/^[0-9]+$/.test(part)) values.push(Number(part));
    else if (sizeOf && "value" in sizeOf) values.push(sizeOf.value);
    else break;
  }
  const [soft, hard = soft] = values;
  if (values.length !== parts.length || parts.length > 2 || soft === undefined || hard === undefined) {
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

function limit(sized: boolean) {
  const error = expected('a number, "unlimited" or "soft:hard"');
  return z.union(
    [
      z.pipe(
        z.int().check(z.minimum(0)),
        z.transform((input): LimitValue => ({ soft: input, hard: input })),
      ),
      parsed(z.string(), (input) => parseLimit(input, sized)),
    ],
    { error },
  );
}

const limitShape = Object.fromEntries(
  Object.entries(LIMITS).map(([key, sized]) => [key, z.optional(limit(sized))]),
);

export const limits = named(
  "table of limits",
  z.pipe(
    z.strictObject(limitShape, { error: expected("a table such as { nofile = 65536 }") }),
    z.transform((input): Record<string, LimitValue> => {
      const set: Record<string, LimitValue> = {};
      for (const [key, value] of Object.entries(input)) if (value) set[key] = value;
      return set;
    }),
  ),
);
