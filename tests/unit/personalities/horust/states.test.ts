import { expect, test } from "vitest";
import type { ServiceView } from "../../../../src/engine/index.ts";
import { withDefaults } from "../../../../src/model/defaults.ts";
import { statusOf } from "../../../../src/personalities/horust/brain/states.ts";

const spec = withDefaults({ name: "a", argv: ["a"], successCodes: [0, 3], successSignals: ["USR1"] });
const exit = { at: "2026-01-01T00:00:00.000Z" };
const plain = { pid: null, exit: null, reason: null, next_start_at: null, goal: "up" } as const;

test.each<[Partial<ServiceView> & Pick<ServiceView, "state">, string]>([
  [{ state: "waiting" }, "INITIAL"],
  [{ state: "waiting", next_start_at: "2026-01-01T00:00:00.000Z" }, "STARTING"],
  [{ state: "backoff" }, "STARTING"],
  [{ state: "starting" }, "STARTING"],
  [{ state: "starting", pid: 7 }, "STARTED"],
  [{ state: "running", pid: 7 }, "RUNNING"],
  [{ state: "stopping", pid: 7 }, "INKILLING"],
  [{ state: "stopping", goal: "down", exit: { code: 0, ...exit } }, "INKILLING"],
  [{ state: "stopping", exit: { code: 3, ...exit } }, "SUCCESS"],
  [{ state: "stopping", exit: { code: 1, ...exit } }, "FAILED"],
  [{ state: "stopping", exit: { signal: "USR1", ...exit } }, "SUCCESS"],
  [{ state: "stopping", exit: { signal: "KILL", ...exit } }, "FAILED"],
  [{ state: "exited" }, "FINISHED"],
  [{ state: "failed", reason: { type: "exit", code: 1 } }, "FINISHEDFAILED"],
  [{ state: "inactive", goal: "down" }, "FINISHED"],
  [{ state: "inactive", goal: "down", reason: { type: "exit", code: 1 } }, "FINISHEDFAILED"],
])("%j", (view, expected) => {
  // The rest of a view does not matter here.
  expect(statusOf({ ...plain, ...view } as ServiceView, spec)).toBe(expected);
});
