/** A table of the file against a table of fields: everything that is right in it, and every error. */
import * as z from "zod/mini";
import { type Node, plain, type TableNode } from "../../config/document.ts";
import type { Issues } from "../../config/issues.ts";
import type { AnyField, DeepReadonly, Field, Fields, Group } from "../../model/fields.ts";
import { LATER } from "../../model/later.ts";
import { didYouMean } from "../../model/suggest.ts";
import { kindOf } from "../../model/values.ts";
import { describe } from "./describe.ts";

/**
 * By the name of what comes out, or by the key where another field is made from it. What was not
 * set, or was wrong, is absent.
 */
export type Read<F extends Fields> = {
  readonly [K in keyof F as F[K]["to"] extends string ? F[K]["to"] : K]?: F[K] extends Group<string, infer G>
    ? Read<G>
    : F[K] extends Field<string | null, infer S, boolean>
      ? DeepReadonly<z.output<S>>
      : never;
};

export interface TableContext {
  readonly issues: Issues;
  /** As the user knows the table: `[service.api]`. */
  readonly title: string;
  /** For `LATER`: `service.stop`. */
  readonly section: string;
  /** Before a field's own name in messages: `stop.`. */
  readonly prefix: string;
  /** What to say about a key that this table does not have, if there is more than "unknown". */
  readonly unknown?: (
    key: string,
    node: Node,
  ) => { readonly message?: string; readonly hint: string } | undefined;
}

export function readTable<F extends Fields>(fields: F, table: TableNode, context: TableContext): Read<F> {
  const out: Record<string, unknown> = {};
  for (const [key, { place, node }] of table.entries) {
    const field = fields[key];
    if (!field) {
      const [message, hint] = unknownKey(key, node, Object.keys(fields), context);
      context.issues.at(place, message, hint);
    } else if (field.type === "field") readField(key, field, node, context, out);
    else if (node.type === "table") {
      const section = `${context.section}.${key}`;
      const inner = {
        issues: context.issues,
        title: context.title,
        section,
        prefix: `${context.prefix}${key}.`,
      };
      out[field.to] = readTable(field.fields, node, inner);
    } else {
      const got = `${context.prefix}${key}: expected a table, got ${kindOf(plain(node))}`;
      context.issues.at(node.place, got, `such as ${field.doc.example.split("\n")[0]}`);
    }
  }
  // Every value above came out of the schema of the field under whose name it is stored.
  return out as Read<F>;
}

function readField(
  key: string,
  field: AnyField,
  node: Node,
  context: TableContext,
  out: Record<string, unknown>,
): void {
  const later = LATER[`${context.section}.${key}`] ?? [];
  for (const [inner, { place }] of node.type === "table" ? node.entries : []) {
    if (!later.includes(inner)) continue;
    context.issues.at(place, `"${key}.${inner}" is not supported yet`, "remove it");
    return;
  }
  const result = z.safeParse(field.schema, plain(node));
  if (result.success) out[field.to ?? key] = result.data;
  else
    describe(result.error, { label: `${context.prefix}${key}`, schema: field.schema, node }, context.issues);
}

function unknownKey(
  key: string,
  node: Node,
  known: readonly string[],
  context: TableContext,
): [string, string] {
  const shown = `"${context.prefix}${key}"`;
  if (LATER[context.section]?.includes(key)) return [`${shown} is not supported yet`, "remove it"];
  const special = context.unknown?.(key, node);
  const guess = didYouMean(key, known);
  const hint = special?.hint ?? guess ?? `known here: ${known.join(", ")}`;
  if (special?.message !== undefined) return [special.message, hint];
  return [`unknown key ${shown} in ${context.title}`, hint];
}
