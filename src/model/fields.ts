/** How a field of the configuration is described: once, for everything that is made from it. */
import type { Out, Schema } from "./kit.ts";

/**
 * What changing a field does to a service that runs. `live`: takes effect at once. `reload`: the
 * service is told (a signal or a command). `restart`: the service is stopped and started.
 */
export type ChangeClass = "live" | "reload" | "restart";

export interface FieldDoc {
  /** What it does, in whole sentences. */
  readonly text: string;
  readonly change: ChangeClass;
  /** Lines of TOML, as they stand below the section's header. */
  readonly example: string;
  /** What is refused, beyond a value of the wrong type. */
  readonly errors?: string;
  /** The default in words, where the value of `src/model/defaults.ts` does not say it. */
  readonly default?: string;
}

/** One key. `to` is the name of what comes out; `null`: another field's value is made from it. */
export interface Field<To extends string | null, S extends Schema<unknown>, Null extends boolean> {
  readonly type: "field";
  readonly to: To;
  readonly schema: S;
  readonly nullable: Null;
  readonly doc: FieldDoc;
}

/** A key whose value is a table of further keys. */
export interface Group<To extends string, F extends Fields> {
  readonly type: "group";
  readonly to: To;
  readonly fields: F;
  readonly doc: FieldDoc;
}

export type AnyField = Field<string | null, Schema<unknown>, boolean>;
export type AnyGroup = Group<string, Fields>;

/** By the key as it is written in TOML. */
export interface Fields {
  readonly [key: string]: AnyField | AnyGroup;
}

export function field<To extends string | null, S extends Schema<unknown>>(
  to: To,
  schema: S,
  doc: FieldDoc,
): Field<To, S, false> {
  return { type: "field", to, schema, nullable: false, doc };
}

/** A field that is `null` where nobody sets it. */
export function nullable<To extends string, S extends Schema<unknown>>(
  to: To,
  schema: S,
  doc: FieldDoc,
): Field<To, S, true> {
  return { type: "field", to, schema, nullable: true, doc };
}

export function group<To extends string, F extends Fields>(to: To, fields: F, doc: FieldDoc): Group<To, F> {
  return { type: "group", to, fields, doc };
}

/** Lists and tuples remain what they are. */
export type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

type Output<F> =
  F extends Field<string | null, infer S, infer Null>
    ? DeepReadonly<Out<S>> | (Null extends true ? null : never)
    : F extends Group<string, infer G>
      ? Outputs<G>
      : never;

/** What a table of fields comes to: every key under its new name. */
export type Outputs<F extends Fields> = {
  readonly [K in keyof F as F[K]["to"] extends string ? F[K]["to"] : never]: Output<F[K]>;
};
