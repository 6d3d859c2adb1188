/** The arguments of one call. The script engine has seen to their types by the table's parameters. */

import { Factory } from "./factory.ts";
import { Handle } from "./handle.ts";
import type { Thing } from "./objects.ts";
import { ProxyBuilder } from "./proxy.ts";
import { ScriptError } from "./server.ts";
import { ServiceBuilder } from "./service.ts";

export class Values {
  readonly #values: readonly unknown[];

  constructor(values: readonly unknown[]) {
    this.#values = values;
  }

  any(index: number): unknown {
    return this.#values[index];
  }

  text(index: number): string {
    const value = this.#values[index];
    if (typeof value === "string") return value;
    throw wrong(index, "a text");
  }

  whole(index: number): number {
    const value = this.#values[index];
    if (typeof value === "number") return value;
    throw wrong(index, "a whole number");
  }

  flag(index: number): boolean {
    const value = this.#values[index];
    if (typeof value === "boolean") return value;
    throw wrong(index, "true or false");
  }

  factory(): Factory {
    return this.#own(Factory, 0);
  }

  handle(): Handle {
    return this.#own(Handle, 0);
  }

  service(index = 0): ServiceBuilder {
    return this.#own(ServiceBuilder, index);
  }

  proxy(index = 0): ProxyBuilder {
    return this.#own(ProxyBuilder, index);
  }

  #own<T extends Thing>(type: new (...given: never[]) => T, index: number): T {
    const value = this.#values[index];
    if (value instanceof type) return value;
    throw wrong(index, "an object of ours");
  }
}

function wrong(index: number, expected: string): ScriptError {
  return new ScriptError(`argument ${index + 1}: expected ${expected}`);
}
