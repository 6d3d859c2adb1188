/**
 * The parameters of all operations. A name means the same everywhere, so that one record holds
 * what any operation is given, and one table says how each is read.
 */
import type { Scope } from "../generated/protocol.ts";
import { orNearest } from "../model/suggest.ts";
import { type ProblemAnswer, problem } from "./answer.ts";
import * as values from "./values.ts";

export interface Arguments {
  name: string;
  names: readonly string[];
  wait: boolean;
  /** Milliseconds. */
  timeout: number | null;
  signal: string;
  scope: Scope;
  lines: number | null;
  /** Milliseconds since 1970. */
  since: number | null;
  until: number | null;
  stream: "out" | "err" | null;
  grep: string | null;
  follow: boolean;
  service: readonly string[] | null;
  after: number | null;
  for: "ready" | "stopped" | "succeeded";
  state: "up" | "down";
  fault: "throw" | "loop" | "memory" | "stack";
}

export type ParameterName = keyof Arguments;

/** What an operation gets where a parameter is absent; of those in `REQUIRED` nobody gets it. */
export const NOTHING_GIVEN: Arguments = {
  name: "",
  names: [],
  wait: true,
  timeout: null,
  signal: "TERM",
  scope: "main",
  lines: null,
  since: null,
  until: null,
  stream: null,
  grep: null,
  follow: false,
  service: null,
  after: null,
  for: "ready",
  state: "up",
  fault: "throw",
};

/** These have no default: an operation that takes them must be given them. */
const REQUIRED: readonly ParameterName[] = ["name", "names", "state", "fault"];

type Readers = { readonly [K in ParameterName]: (raw: unknown, wall: number) => values.Read<Arguments[K]> };

const READERS: Readers = {
  name: values.text,
  names: values.texts,
  wait: values.flag,
  timeout: values.duration,
  signal: values.signal,
  scope: values.oneOf("main", "group", "tree"),
  lines: values.count,
  since: (raw, wall) => values.moment(wall)(raw),
  until: (raw, wall) => values.moment(wall)(raw),
  stream: values.oneOf("out", "err"),
  grep: values.text,
  follow: values.flag,
  service: values.texts,
  after: values.count,
  for: values.oneOf("ready", "stopped", "succeeded"),
  state: values.oneOf("up", "down"),
  fault: values.oneOf("throw", "loop", "memory", "stack"),
};

/** The only parameters that may stand in a query more than once. */
export const REPEATABLE: readonly string[] = ["service"];

/**
 * Reads what was given for the parameters that an operation takes. `where` names the place in
 * messages: `query`, `body`, `params`.
 */
export function readArguments(
  takes: readonly ParameterName[],
  given: Readonly<Record<string, unknown>>,
  where: string,
  wall: number,
  into: Partial<Arguments>,
): ProblemAnswer | null {
  for (const key of Object.keys(given)) {
    const known = takes.find((name) => name === key);
    if (known === undefined) return unknownParameter(key, takes, where);
    const raw = given[key];
    // JSON has a way to say "absent" that a query has not.
    if (raw === null || raw === undefined) continue;
    const wrong = readOne(known, raw, wall, into);
    if (wrong !== null) {
      return problem("bad-request", `${where}: "${key}" is ${shown(raw)}: ${wrong}`, {
        parameter: key,
      });
    }
  }
  return null;
}

/** All parameters have been read: fills in the defaults, or says what is missing. */
export function completeArguments(
  takes: readonly ParameterName[],
  given: Partial<Arguments>,
): Arguments | ProblemAnswer {
  const missing = takes.find((name) => REQUIRED.includes(name) && given[name] === undefined);
  if (missing !== undefined) {
    return problem("bad-request", `"${missing}" is missing`, { parameter: missing });
  }
  return { ...NOTHING_GIVEN, ...given };
}

function readOne<K extends ParameterName>(
  name: K,
  raw: unknown,
  wall: number,
  into: Partial<Arguments>,
): string | null {
  const read = READERS[name](raw, wall);
  if ("wrong" in read) return read.wrong;
  into[name] = read.value;
  return null;
}

function unknownParameter(key: string, takes: readonly string[], where: string): ProblemAnswer {
  const list = takes.length === 0 ? "it takes none" : `it takes ${takes.join(", ")}`;
  return problem("bad-request", `${where}: unknown parameter "${key}"; ${list}${orNearest(key, takes)}`, {
    parameter: key,
  });
}

/** A value in a message: short, whatever was sent. */
function shown(raw: unknown): string {
  const written = JSON.stringify(raw) ?? "nothing";
  return written.length > 60 ? `${written.slice(0, 57)}…` : written;
}
