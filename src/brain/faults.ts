/**
 * Ways to lose the brain on purpose, to prove that nothing is lost with it. Only builds made with
 * the define `FAULTS=true` have them; in any other this file is dead code and falls away.
 */
import type { Arguments } from "../api/parameters.ts";
import type { Route } from "../api/routes.ts";

declare const FAULTS: boolean | undefined;

/** `POST /v1/debug/brain` with `{"fault":…}`. Not in the table: it is no part of the API. */
export const FAULT_ROUTES: readonly Route[] =
  typeof FAULTS !== "undefined" && FAULTS
    ? [
        {
          id: "debug.brain",
          method: "POST",
          path: "/v1/debug/brain",
          body: ["fault"],
          // Never given; "Problem" would mean an operation that is not built yet.
          answer: "Nothing",
          handle: (_context, args) => strike(args.fault),
        },
      ]
    : [];

/** A record that ends every brain that starts from it: that of a service named `poison`. */
export function stumble(slate: Readonly<Record<string, unknown>>): void {
  if (typeof FAULTS === "undefined" || !FAULTS || slate["service poison"] === undefined) return;
  throw new Error("a record was poisoned");
}

function strike(fault: Arguments["fault"]): never {
  if (fault === "loop") loop();
  if (fault === "memory") fill();
  if (fault === "stack") sink(0);
  throw new Error("a fault was asked for");
}

function loop(): never {
  for (;;);
}

function fill(): never {
  const kept: number[][] = [];
  for (;;) kept.push(new Array<number>(65_536).fill(0));
}

function sink(depth: number): number {
  return sink(depth + 1) + 1;
}
