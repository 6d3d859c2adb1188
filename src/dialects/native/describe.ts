/** Errors of the schema library, made into messages with a place. */
import type * as z from "zod/mini";
import { type Node, placeWithin, type ScalarNode } from "../../config/document.ts";
import type { Issues, Place } from "../../config/issues.ts";
import { didYouMean } from "../../model/suggest.ts";
import { typeNames } from "../../model/values.ts";

type SchemaIssue = z.core.$ZodIssue;

/** What the library says where a schema has no words of its own. */
const WORDLESS = "Invalid input";

export interface Described {
  /** As the user knows the field: `stop.timeout`. */
  readonly label: string;
  readonly schema: z.ZodMiniType;
  readonly node: Node;
}

export function describe(error: z.core.$ZodError, field: Described, issues: Issues): void {
  for (const issue of error.issues.flatMap((one) => flatten(one, []))) report(issue, field, issues);
}

/** Of a union, the complaints of the branch that was meant; else the union's own. */
function flatten(issue: SchemaIssue, before: readonly PropertyKey[]): SchemaIssue[] {
  const path = [...before, ...issue.path];
  if (issue.code === "invalid_union") {
    const meant = issue.errors.find((branch) => branch.length > 0 && branch.every((one) => !isMismatch(one)));
    if (meant) return meant.flatMap((one) => flatten(one, path));
  }
  if (issue.code === "invalid_key") {
    const message = issue.issues[0]?.message ?? issue.message;
    return [{ ...issue, path, message }];
  }
  return [{ ...issue, path }];
}

/** Says no more than that another branch was meant. */
function isMismatch(issue: SchemaIssue): boolean {
  return issue.message === WORDLESS || (issue.path.length === 0 && issue.code === "invalid_type");
}

function report(issue: SchemaIssue, field: Described, issues: Issues): void {
  const found = locate(field.node, issue.path);
  const label = [field.label, ...issue.path.filter((part) => typeof part === "string")].join(".");
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) {
      const known = keysAt(field.schema, issue.path);
      const place = found.node?.type === "table" ? found.node.entries.get(key)?.place : undefined;
      const hint = didYouMean(key, known) ?? `known here: ${known.join(", ")}`;
      issues.at(place ?? found.place, `unknown key "${key}" in ${label}`, hint);
    }
    return;
  }
  if (found.node?.type === "scalar" && found.node.expanded) {
    const message = `${label}: ${found.node.raw} does not expand to what is expected here`;
    issues.at(found.place, message, `expected: ${typeNames.get(field.schema)?.title ?? "another value"}`);
    return;
  }
  const [message = "", hint] = issue.message.split("\n");
  const place = issue.code === "invalid_key" ? keyPlace(field.node, issue.path) : undefined;
  issues.at(place ?? exactPlace(issue, found.node) ?? found.place, `${label}: ${message}`, hint);
}

/** The character in a string that a parser complained about. */
function exactPlace(issue: SchemaIssue, node: Node | undefined): Place | undefined {
  if (issue.code !== "custom" || node?.type !== "scalar" || typeof node.value !== "string") return undefined;
  const offset: unknown = issue.params?.offset;
  return typeof offset === "number" ? scalarPlace(node, offset) : undefined;
}

export function scalarPlace(node: ScalarNode, offset: number): Place {
  return placeWithin(node, `${node.value}`, offset);
}

function locate(node: Node, path: readonly PropertyKey[]): { node: Node | undefined; place: Place } {
  let here = node;
  for (const part of path) {
    let next: Node | undefined;
    if (here.type === "list" && typeof part === "number") next = here.items[part];
    else if (here.type === "table" && typeof part === "string") next = here.entries.get(part)?.node;
    if (!next) return { node: undefined, place: here.place };
    here = next;
  }
  return { node: here, place: here.place };
}

function keyPlace(node: Node, path: readonly PropertyKey[]): Place | undefined {
  const table = locate(node, path.slice(0, -1)).node;
  const key = path.at(-1);
  return table?.type === "table" && typeof key === "string" ? table.entries.get(key)?.place : undefined;
}

/** The keys that a table within a field's value may have. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  const [first, ...rest] = path;
  switch (def.type) {
    case "optional":
      return keysAt(def.innerType, path);
    case "pipe":
      return keysAt(def.in, path);
    case "union":
      return def.options.flatMap((option) => keysAt(option, path));
    case "array":
      return first === undefined ? [] : keysAt(def.element, rest);
    case "object": {
      if (first === undefined) return Object.keys(def.shape);
      const inner = typeof first === "string" ? def.shape[first] : undefined;
      return inner ? keysAt(inner, rest) : [];
    }
    default:
      return [];
  }
}
