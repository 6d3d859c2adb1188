/**
 * Random plans for the property tests. `ONEUP_SIM_RUNS` says how many runs of each property; a
 * failure prints the seed that repeats it.
 */
import fc from "fast-check";
import type { Plan } from "./scene.ts";

export const RUNS = Number(process.env.ONEUP_SIM_RUNS ?? 1000);

export function plans(fixed: Partial<Plan>): fc.Arbitrary<Plan> {
  return fc.record({
    seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    losses: fc.constant(fixed.losses ?? false),
    conflicts: fc.constant(fixed.conflicts ?? false),
    asks: fc.constant(fixed.asks ?? true),
    endings: fc.constant(fixed.endings ?? false),
    gate: fc.constant(fixed.gate ?? false),
    changes: fc.constant(fixed.changes ?? false),
    done: fc.constant(fixed.done ?? false),
  });
}

export function check(arbitrary: fc.Arbitrary<Plan>, property: (plan: Plan) => unknown, runs = RUNS): void {
  const holds = fc.property(arbitrary, (plan) => void property(plan));
  fc.assert(holds, { numRuns: runs, endOnFailure: true });
}
