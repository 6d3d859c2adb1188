/** A table of the file against a table of fields: everything that is right in it, and every error. */
import type { Issues } from "../../config/issues.ts";
import type { AnyField, DeepReadonly, Field, Fields, Group } from "../../model/fields.ts";
import { kindOf, type Out, type Reader } from "../../model/kit.ts";
import { LATER } from "../../model/later.ts";
import type { Node } from "../../model/node.ts";
import { lookup } from "../../model/objects.ts";
import { didYouMean } from "../../model/suggest.ts";

/**
 * By the name of what comes out, or by the key where another field is made from it. What was not
 * set, or was wrong, is absent.
 */
export type Read<F extends Fields> = {
  readonly [K in keyof F as F[K]["to"] extends string ? F[K]["to"] : K]?: F[K] extends Group<string, infer G>
    ? Read<G>
    : F[K] extends Field<string | null, infer S, boolean>
      ? DeepReadonly<Out<S>>
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

export function readTable<F extends Fields>(fields: F, table: Node, context: TableContext): Read<F> {
  const out: Record<string, unknown> = {};
  for (const [key, node] of table.entries()) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (!field) {
      const [message, hint] = unknownKey(key, node, Object.keys(fields), context);
      context.issues.at(node.keyPlace, message, hint);
    } else if (field.type === "field") readField(key, field, node, context, out);
    else if (node.type === "table") out[field.to] = readTable(field.fields, node, within(context, key));
    else {
      const message = `${context.prefix}${key}: expected a table, got ${kindOf(node)}`;
      context.issues.at(node.place, message, `such as ${field.doc.example.split("\n")[0]}`);
    }
  }
  // Every value above came out of the schema of the field under whose name it is stored.
  return out as Read<F>;
}

function within({ issues, title, section, prefix }: TableContext, key: string): TableContext {
  return { issues, title, section: `${section}.${key}`, prefix: `${prefix}${key}.` };
}

function readField(
  key: string,
  field: AnyField,
  node: Node,
  context: TableContext,
  out: Record<string, unknown>,
): void {
  if (node.broken) return;
  const early = node.type === "table" ? tooEarly(`${context.section}.${key}`, node) : undefined;
  if (early) {
    context.issues.at(early[1].keyPlace, `"${key}.${early[0]}" is not supported yet`, "remove it");
    return;
  }
  const reader: Reader = {
    label: `${context.prefix}${key}`,
    report: (place, message, hint) => context.issues.at(place, message, hint),
  };
  const value = field.schema.read(node, reader);
  if (value !== undefined) out[field.to ?? key] = value;
}

function tooEarly(section: string, node: Node) {
  const later = lookup(LATER, section);
  return later && node.entries().find(([key]) => later.includes(key));
}

function unknownKey(
  key: string,
  node: Node,
  known: readonly string[],
  context: TableContext,
): [string, string] {
  const shown = `"${context.prefix}${key}"`;
  if (lookup(LATER, context.section)?.includes(key)) return [`${shown} is not supported yet`, "remove it"];
  const special = context.unknown?.(key, node);
  const list =
    known.length > 12 ? '"oneup check --schema" lists the known ones' : `known here: ${known.join(", ")}`;
  const hint = special?.hint ?? didYouMean(key, known) ?? list;
  if (special?.message !== undefined) return [special.message, hint];
  return [`unknown key ${shown} in ${context.title}`, hint];
}
