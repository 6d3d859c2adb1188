/** Objects of a script: they stay here, the script has their numbers. */

import type { RhaiValue } from "../../../cli/rhai.ts";
import { isObject } from "../../../model/objects.ts";
import { Factory } from "./factory.ts";
import { Fraction } from "./fraction.ts";
import { Handle } from "./handle.ts";
import { ProxyBuilder } from "./proxy.ts";
import { ServiceBuilder } from "./service.ts";

export type Thing = Factory | Handle | ServiceBuilder | ProxyBuilder;

/** Their names in scripts, by the numbers of the types. */
export const TYPES = ["ZinitFactory", "ZinitHandle", "ServiceBuilder", "XinetBuilder"] as const;
export const FACTORY = { object: 0 } as const;
export const HANDLE = { object: 1 } as const;
export const SERVICE = { object: 2 } as const;
export const PROXY = { object: 3 } as const;

function typeOf(thing: Thing): number {
  if (thing instanceof Factory) return FACTORY.object;
  if (thing instanceof Handle) return HANDLE.object;
  return thing instanceof ServiceBuilder ? SERVICE.object : PROXY.object;
}

function isThing(value: unknown): value is Thing {
  return (
    value instanceof Factory ||
    value instanceof Handle ||
    value instanceof ServiceBuilder ||
    value instanceof ProxyBuilder
  );
}

export class Objects {
  readonly #things = new Map<number, Thing>();
  #last = 0;

  /** What a function returned, as it crosses; what is `undefined` is `()`. */
  toScript(value: unknown): RhaiValue {
    if (value === null || value === undefined) return null;
    if (typeof value === "boolean" || typeof value === "string") return value;
    if (typeof value === "number") return Number.isInteger(value) ? value : fraction(value);
    if (value instanceof Fraction) return fraction(value.value);
    if (Array.isArray(value)) return value.map((item) => this.toScript(item));
    if (isThing(value)) return this.#keep(value);
    if (!isObject(value)) return null;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.toScript(item)]));
  }

  #keep(thing: Thing): RhaiValue {
    const id = ++this.#last;
    this.#things.set(id, thing);
    return { $: "object", type: typeOf(thing), id };
  }

  /** An argument: our object again if it is one, otherwise plain data. */
  fromScript(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.fromScript(item));
    if (!isObject(value)) return value;
    if (value.$ === "object" && typeof value.id === "number") return this.#things.get(value.id);
    if (value.$ === "float") return value.value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.fromScript(item)]));
  }

  forget(id: number): void {
    this.#things.delete(id);
  }
}

function fraction(value: number): RhaiValue {
  return { $: "float", value };
}
