/** The same as `schedules.test.ts`, with a set of services that changes. */
import { describe, test } from "vitest";
import { check, plans, RUNS } from "./plans.ts";
import { whole } from "./scene.ts";

describe("any schedule keeps the rules", () => {
  test("with services that come, change and go", () => check(plans({ changes: true }), whole));
  test("with services that come and go, and brains lost at random", () =>
    check(plans({ changes: true, losses: true }), whole));
  test("with services that come and go, and all of it", () =>
    check(plans({ changes: true, losses: true, conflicts: true, endings: true }), whole));
  test("with services that come and go before a gate", () =>
    check(plans({ changes: true, gate: true, losses: true, conflicts: true }), whole, Math.ceil(RUNS / 2)));
});
