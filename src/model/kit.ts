/**
 * What the schema is built of. A `Schema<T>` reads a value out of a file, or says everything that
 * is wrong with it at its place; and it describes itself as a JSON Schema.
 *
 * It is this small because it runs at every start: making and loading a general schema library's
 * objects took longer than reading a configuration of a hundred services.
 */
import type { Node, NodeType, Place } from "./node.ts";
import { didYouMean } from "./suggest.ts";
import type { Parsed } from "./units.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface Reader {
  /** As the user knows the field: `stop.timeout`. */
  readonly label: string;
  report(place: Place, message: string, hint?: string): void;
}

export interface Schema<T> {
  /** What the reference page calls it. */
  readonly title: string;
  /** Of what is written, not of what comes out. */
  json(): JsonObject;
  /** `undefined`: something is wrong, and has been reported. */
  read(node: Node, reader: Reader): T | undefined;
}

export type Out<S> = S extends Schema<infer T> ? T : never;

/** What was expected, and what to do about something else. */
export interface Expected {
  readonly expected: string;
  readonly hint?: (node: Node) => string | undefined;
}

/** Says what is wrong with a value, without ever showing what came out of a variable. */
export function complain(
  node: Node,
  reader: Reader,
  title: string,
  wrong: {
    readonly message: string;
    readonly hint?: string | undefined;
    readonly offset?: number | undefined;
  },
): undefined {
  if (node.expanded) {
    const message = `${reader.label}: ${node.raw} does not expand to what is expected here`;
    reader.report(node.place, message, `expected: ${title}`);
    return undefined;
  }
  const place = wrong.offset === undefined ? node.place : node.placeOf(wrong.offset);
  reader.report(place, `${reader.label}: ${wrong.message}`, wrong.hint);
  return undefined;
}

function mismatch(
  node: Node,
  reader: Reader,
  title: string,
  { expected, hint }: Expected,
  got = kindOf(node),
) {
  return complain(node, reader, title, { message: `expected ${expected}, got ${got}`, hint: hint?.(node) });
}

export function kindOf(node: Node): string {
  switch (node.type) {
    case "string":
      return node.value === "" ? "an empty string" : "a string";
    case "list":
      return node.items().length === 0 ? "an empty list" : "a list";
    case "integer":
      return "an integer";
    case "float":
      return "a number";
    case "boolean":
      return `${node.value}`;
    case "date":
      return "a date or time";
    case "table":
      return "a table";
  }
}

export interface StringOptions extends Expected {
  readonly title: string;
  readonly allowEmpty?: boolean;
  /** For editors; what to say about a text that does not fit is the parser's affair. */
  readonly pattern?: RegExp;
}

export function string(options: StringOptions): Schema<string> {
  const { title, pattern, allowEmpty = false } = options;
  return {
    title,
    json: () => ({
      type: "string",
      ...(allowEmpty || pattern ? {} : { minLength: 1 }),
      // A variable may stand for anything.
      ...(pattern ? { pattern: `${pattern.source}|\\$\\{` } : {}),
    }),
    read(node, reader) {
      if (typeof node.value !== "string" || (node.value === "" && !allowEmpty)) {
        return mismatch(node, reader, title, options);
      }
      return node.value;
    },
  };
}

/** A text that a parser turns into something, or says why not. */
export function parsed<T>(options: StringOptions, parse: (text: string) => Parsed<T>): Schema<T> {
  const text = string({ ...options, allowEmpty: true });
  return {
    ...text,
    read(node, reader) {
      const input = text.read(node, reader);
      if (input === undefined) return undefined;
      const result = parse(input);
      return "value" in result ? result.value : complain(node, reader, options.title, result);
    },
  };
}

export function integer(
  low: number,
  high: number,
  options: Partial<Expected> & { readonly title?: string } = {},
): Schema<number> {
  const range = high >= 2 ** 32 - 1 ? `${low} or more` : `${low} to ${high}`;
  const title = options.title ?? `integer, ${range}`;
  const wanted: Expected = { expected: `a whole number, ${range}`, ...options };
  return {
    title,
    json: () => ({ type: "integer", minimum: low, maximum: high }),
    read(node, reader) {
      const { value } = node;
      if (typeof value !== "number") return mismatch(node, reader, title, wanted);
      if (!Number.isInteger(value) || value < low || value > high) {
        return mismatch(node, reader, title, wanted, `${value}`);
      }
      return value;
    },
  };
}

/** A number that need not be a whole one. */
export function number(low: number, high: number): Schema<number> {
  const title = `number, ${low} to ${high}`;
  const wanted: Expected = { expected: `a number from ${low} to ${high}` };
  return {
    title,
    json: () => ({ type: "number", minimum: low, maximum: high }),
    read(node, reader) {
      const { value } = node;
      if (typeof value !== "number") return mismatch(node, reader, title, wanted);
      // Nor one that is none, which is neither below nor above.
      return value >= low && value <= high ? value : mismatch(node, reader, title, wanted, `${value}`);
    },
  };
}

export const boolean: Schema<boolean> = {
  title: "boolean",
  json: () => ({ type: "boolean" }),
  read(node, reader) {
    if (typeof node.value === "boolean") return node.value;
    const quoted = node.value === "true" || node.value === "false";
    const hint = () => (quoted ? "write it without quotes" : undefined);
    return mismatch(node, reader, "boolean", { expected: "true or false", hint });
  },
};

export function choice<const T extends readonly string[]>(...values: T): Schema<T[number]> {
  const title = oneOf(values);
  return {
    title,
    json: () => ({ enum: values }),
    read(node, reader) {
      const { value } = node;
      const found = values.find((one) => one === value);
      if (found !== undefined) return found;
      const isText = typeof value === "string" && value !== "";
      const hint = () => (isText ? didYouMean(value, values) : undefined);
      return mismatch(node, reader, title, { expected: title, hint }, isText ? `"${value}"` : kindOf(node));
    },
  };
}

/** `"a", "b" or "c"` */
function oneOf(values: readonly string[]): string {
  const quoted = values.map((value) => `"${value}"`);
  return [quoted.slice(0, -1).join(", "), ...quoted.slice(-1)].filter((part) => part !== "").join(" or ");
}

export interface ListOptions extends Expected {
  readonly title: string;
  readonly atLeast?: number;
}

/** With one wrong item the list as a whole is not there, but every item is looked at. */
export function list<T>(item: Schema<T>, options: ListOptions): Schema<readonly T[]> {
  const { title, atLeast = 0 } = options;
  const hint = (node: Node) =>
    node.type === "string" ? "put it in brackets, [ … ], also if it is only one" : undefined;
  return {
    title,
    json: () => ({ type: "array", items: item.json(), ...(atLeast > 0 ? { minItems: atLeast } : {}) }),
    read(node, reader) {
      const items = node.items();
      if (node.type !== "list" || items.length < atLeast)
        return mismatch(node, reader, title, { hint, ...options });
      const values = items.map((one) => item.read(one, reader));
      const good = values.filter((value) => value !== undefined);
      return good.length === values.length ? good : undefined;
    },
  };
}

export interface RecordOptions extends Expected {
  readonly title: string;
  readonly keyProblem?: (key: string) => string | undefined;
}

export function record<T>(value: Schema<T>, options: RecordOptions): Schema<Readonly<Record<string, T>>> {
  return {
    title: options.title,
    json: () => ({ type: "object", additionalProperties: value.json() }),
    read(node, reader) {
      if (node.type !== "table") return mismatch(node, reader, options.title, options);
      // No prototype, so that no key means anything but itself.
      const out: Record<string, T> = Object.create(null);
      let good = true;
      for (const [key, one] of node.entries()) {
        const inner: Reader = { label: `${reader.label}.${key}`, report: reader.report.bind(reader) };
        const problem = options.keyProblem?.(key);
        if (problem !== undefined) inner.report(one.keyPlace, `${reader.label}: ${problem}`);
        const read = value.read(one, inner);
        if (problem !== undefined || read === undefined) good = false;
        else out[key] = read;
      }
      return good ? out : undefined;
    },
  };
}

export type Shape = Readonly<Record<string, Schema<unknown>>>;
export type ShapeOut<S extends Shape> = { readonly [K in keyof S]?: Out<S[K]> };

/** A table of known keys, each of which may be left out. */
export function object<S extends Shape>(
  shape: S,
  options: Expected & { readonly title: string },
): Schema<ShapeOut<S>> {
  const known = Object.keys(shape);
  return {
    title: options.title,
    json: () => ({
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(Object.entries(shape).map(([key, one]) => [key, one.json()])),
    }),
    read(node, reader) {
      if (node.type !== "table") return mismatch(node, reader, options.title, options);
      const out: { [K in keyof S]?: Out<S[K]> } = {};
      let good = true;
      for (const [key, one] of node.entries()) {
        const value = readMember(shape, key, one, reader, known);
        if (value === undefined) good = false;
        else Object.assign(out, { [key]: value });
      }
      return good ? out : undefined;
    },
  };
}

function readMember(
  shape: Shape,
  key: string,
  node: Node,
  reader: Reader,
  known: readonly string[],
): unknown {
  const schema = Object.hasOwn(shape, key) ? shape[key] : undefined;
  if (schema)
    return schema.read(node, { label: `${reader.label}.${key}`, report: reader.report.bind(reader) });
  const hint = didYouMean(key, known) ?? `known here: ${known.join(", ")}`;
  reader.report(node.keyPlace, `unknown key "${key}" in ${reader.label}`, hint);
  return undefined;
}

type Branches = { readonly [K in NodeType]?: Schema<unknown> };
type BranchOut<B extends Branches> = Out<NonNullable<B[keyof B]>>;

/** Which of several forms was meant is told by what kind of value it is. */
export function either<B extends Branches>(
  branches: B,
  options: Expected & { readonly title: string },
): Schema<BranchOut<B>> {
  return {
    title: options.title,
    json: () => ({ anyOf: Object.values(branches).map((one: Schema<unknown>) => one.json()) }),
    read(node, reader) {
      const branch: Schema<unknown> | undefined = branches[node.type];
      if (!branch) return mismatch(node, reader, options.title, options);
      // The branch is one of B's, so what it reads is what one of B's schemas gives.
      return branch.read(node, reader) as BranchOut<B> | undefined;
    },
  };
}

export function map<T, U>(
  schema: Schema<T>,
  change: (value: T, node: Node, reader: Reader) => U | undefined,
): Schema<U> {
  return {
    title: schema.title,
    json: () => schema.json(),
    read(node, reader) {
      const value = schema.read(node, reader);
      return value === undefined ? undefined : change(value, node, reader);
    },
  };
}
