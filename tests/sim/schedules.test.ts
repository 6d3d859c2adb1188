/** Property tests: random graphs, random services, random schedules, and brains lost at random. */
import { describe, test } from "vitest";
import { check, plans, RUNS } from "./plans.ts";
import { play, settle, whole } from "./scene.ts";

describe("any schedule keeps the rules", () => {
  // What "all of it" has too gets half as many runs by itself: there it is easier to understand.
  const half = Math.ceil(RUNS / 2);
  test("of crashes, exits, timeouts and asks", () => check(plans({}), whole));
  test("with conflicts", () => check(plans({ conflicts: true }), whole, half));
  test("with main services and on-failure = shutdown", () => check(plans({ endings: true }), whole, half));
  test("with brains lost at random", () => check(plans({ losses: true }), whole));
  test("with all of it", () => check(plans({ losses: true, conflicts: true, endings: true }), whole));
  test("with a gate before the starts", () => check(plans({ gate: true }), whole, half));
  test("with a gate, and brains lost at random", () =>
    check(plans({ gate: true, losses: true, conflicts: true, endings: true }), whole));
  test("and the end comes when nothing is left to do", () =>
    check(plans({ done: true, gate: true, losses: true, conflicts: true }), whole, half));
  test("and the restart limit, where nobody interferes", () =>
    check(plans({ asks: false }), (plan) => {
      const scene = play({ ...plan, alone: true });
      settle(scene);
      scene.judge.judgeLimits();
    }));
});
