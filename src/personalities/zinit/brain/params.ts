/**
 * The parameters of all methods: one table says how each is read and how `rpc.discover` shows it.
 * What is not of its type counts as absent, as clients are used to.
 */
import type { RpcError } from "../../../api/jsonrpc.ts";
import { isObject } from "../../../model/objects.ts";
import { failure } from "./errors.ts";

export type Schema = Readonly<Record<string, unknown>>;

export interface Arguments {
  name: string;
  /** What `name` is to the others. */
  service: string;
  signal: string;
  lines: number | null;
  stream: string | null;
  /** Milliseconds since 1970. */
  since: number | null;
  persist: boolean;
}

export type ParameterName = keyof Arguments;

interface Parameter<T> {
  readonly description: string;
  readonly schema: Schema;
  /** `undefined`: not given. */
  readonly read: (raw: unknown) => T | undefined;
  readonly absent: T;
}

type Parameters = { readonly [K in ParameterName]: Parameter<Arguments[K]> };

const DEFAULT_SIGNAL = "SIGTERM";

export const PARAMETERS: Parameters = {
  name: { description: "Name of the service", schema: { type: "string" }, read: text, absent: "" },
  service: { description: "The same as name", schema: { type: "string" }, read: text, absent: "" },
  signal: {
    description: "The signal's name, with or without SIG, or its number",
    schema: { type: ["string", "integer"], default: DEFAULT_SIGNAL },
    read: (raw) => (typeof raw === "number" ? String(raw) : text(raw)),
    absent: DEFAULT_SIGNAL,
  },
  lines: {
    description: "The last so many",
    schema: { type: "integer", minimum: 0 },
    read: count,
    absent: null,
  },
  stream: {
    description: "Lines of this stream alone",
    schema: { type: "string", enum: ["stdout", "stderr", "syslog"] },
    read: text,
    absent: null,
  },
  since: {
    description: "Lines since this time, in milliseconds since 1970",
    schema: { type: "integer", minimum: 0 },
    read: count,
    absent: null,
  },
  persist: {
    description: "Write it to a file, so that it is there after the next start of the server",
    schema: { type: "boolean", default: false },
    read: (raw) => (typeof raw === "boolean" ? raw : undefined),
    absent: false,
  },
};

const ABSENT: Arguments = {
  name: PARAMETERS.name.absent,
  service: PARAMETERS.service.absent,
  signal: PARAMETERS.signal.absent,
  lines: PARAMETERS.lines.absent,
  stream: PARAMETERS.stream.absent,
  since: PARAMETERS.since.absent,
  persist: PARAMETERS.persist.absent,
};

/** Reads those that a method takes; of those that it needs none may be absent. */
export function readArguments(
  params: unknown,
  needs: readonly ParameterName[],
  takes: readonly ParameterName[],
): Arguments | RpcError {
  const given = isObject(params) ? params : {};
  const into = { ...ABSENT };
  const missing = needs.find((name) => !readOne(name, given[name], into));
  if (missing !== undefined) return failure("params", `missing '${missing}' parameter`);
  for (const name of takes) readOne(name, given[name], into);
  return into;
}

function readOne<K extends ParameterName>(name: K, raw: unknown, into: Arguments): boolean {
  const value = PARAMETERS[name].read(raw);
  if (value === undefined) return false;
  into[name] = value;
  return true;
}

function text(raw: unknown): string | undefined {
  return typeof raw === "string" ? raw : undefined;
}

/** Whatever fits into 64 bits counts; more lines than memory holds are all there are. */
function count(raw: unknown): number | undefined {
  return typeof raw === "number" && Number.isInteger(raw) && raw >= 0 ? raw : undefined;
}
