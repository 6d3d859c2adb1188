/** Property tests of the engine on a starved machine, and of brains lost at any point. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { serviceView } from "../../src/engine/index.ts";
import { stretchFactor } from "../../src/engine/starvation.ts";
import type { SparseSpec } from "../../src/model/spec.ts";
import { CareJudge } from "./care.ts";
import { Configured, stamp } from "./configured.ts";
import { Kernel } from "./kernel.ts";
import { Dice, endTasks, mix, randomChange, randomServices } from "./machine.ts";
import { check, plans, RUNS } from "./plans.ts";
import { whole } from "./scene.ts";

/**
 * Everybody is well, but on a starved machine: each answer and each sign of life takes longer than
 * it may, though not longer than the machine is slower.
 */
function starved(seed: number, losses: boolean): Kernel {
  const dice = new Dice(mix(seed, "starved"));
  const pressure = dice.pick([40, 65, 80, 99]);
  const factor = stretchFactor(pressure);
  const services = ["a", "b", "c"].map((name) => ({
    name,
    argv: [name],
    health: {
      probes: [
        { type: "tcp", host: "h", port: 1 } as const,
        { type: "exec", argv: ["x"], outside: false } as const,
      ],
      ...{ everyMs: 300, timeoutMs: 100, failures: 1, successes: 1, initialDelayMs: 0 },
      onFailure: dice.pick(["restart", "stop"] as const),
    },
    watchdogMs: 200,
  }));
  const kernel = new Kernel({
    services,
    seed,
    script: () => ({
      check: () => ({ ok: true, takesMs: 1 + dice.upTo(100 * factor - 10) }),
      // The nucleus takes 1 ms to tell of the machine.
      alive: { everyMs: 200 * factor - 5, untilMs: Number.POSITIVE_INFINITY },
    }),
    loses: () => losses && dice.chance(0.1),
  });
  kernel.pressure = pressure;
  const care = new CareJudge(kernel);
  kernel.onBegin = (events) => care.begin(events);
  kernel.onCommand = (command) => care.judge(command);
  kernel.onBatch = () => care.end();
  kernel.onLoss = () => care.lose();
  kernel.start();
  kernel.run(kernel.now + 30_000);
  return kernel;
}

describe("load alone", () => {
  const seeds = fc.record({ seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }), losses: fc.boolean() });

  test("ends nothing, and marks nothing", () => {
    const holds = fc.property(seeds, ({ seed, losses }) => {
      const kernel = starved(seed, losses);
      expect(kernel.commands("stop")).toEqual([]);
      expect(kernel.published.filter(({ to }) => to === "unhealthy")).toEqual([]);
      const stretched = kernel.commands("probe").filter(({ timeoutMs }) => timeoutMs > 100);
      expect(stretched.length).toBeGreaterThan(10);
    });
    fc.assert(holds, { numRuns: Math.ceil(RUNS / 10), endOnFailure: true });
  });
});

test("the same seed gives the same commands", () => {
  check(
    plans({ losses: true, conflicts: true, endings: true }),
    (plan) => expect(whole(plan).kernel.log).toEqual(whole(plan).kernel.log),
    Math.ceil(RUNS / 10),
  );
});

describe("a brain lost at any point", () => {
  /**
   * A machine whose end does not depend on time: each service fails so and so often and then stays
   * up, or can never be started at all.
   */
  function ordered(seed: number, lost: (batch: number) => boolean, changes = false): Kernel {
    const dice = new Dice(mix(seed, "graph"));
    const timeless = (spec: SparseSpec): SparseSpec => ({
      ...spec,
      restart: spec.kind === "task" ? ("on-failure" as const) : ("always" as const),
      restartLimit: 0,
      restartDelayMs: 20,
      restartUnstartable: false,
      failWith: [],
      startTimeoutMs: 0,
    });
    const options = { conflicts: false, endings: false };
    const services = randomServices(dice, options).map((spec) => timeless(stamp(spec, 0)));
    const configured = new Configured(services);
    const script = endTasks(configured, (service, run) => {
      const own = new Dice(mix(seed, service, run));
      if (service.includes("/")) {
        return { spawnMs: 1, ends: { afterMs: own.upTo(10), exit: { code: 0 } }, leaves: own.upTo(10) };
      }
      const refused = new Dice(mix(seed, service)).chance(0.1);
      const failure = {
        step: "exec",
        errno: 2,
        error: "ENOENT",
        message: "no such program",
        transient: false,
      };
      if (refused) return { failure };
      const fails = run <= mix(seed, service) % 3;
      return {
        spawnMs: 1,
        leaves: own.upTo(30),
        readyAfterMs: [0, 1, 2, 3, 4, 5, 6].map(() => own.upTo(50)),
        notices: [{ afterMs: own.upTo(50), notice: { ready: true } }],
        alive: { everyMs: 40, untilMs: Number.POSITIVE_INFINITY },
        leftovers: own.upTo(2),
        ...(fails ? { ends: { afterMs: own.upTo(100), exit: { code: 1 } } } : {}),
      };
    });
    const kernel = new Kernel({ services, script, seed, loses: lost }).start();
    const ask = new Dice(mix(seed, "asks"));
    const names = [ask.pick(services).name];
    const type = ask.pick(["stop", "restart", "start"] as const);
    kernel.at(kernel.now + 20_000, () => kernel.ask({ type, names, because: "asked by uid 0" }));
    for (let number = 1; changes && number < 4; number++) {
      const random = randomChange(new Dice(mix(seed, "change", number)), number, options);
      const change = { ...random, set: random.set.map(timeless) };
      kernel.at(kernel.now + (TIMES[number] ?? 0), () => {
        configured.take(change);
        kernel.ask(change);
      });
    }
    kernel.run(kernel.now + 40_000);
    return kernel;
  }

  /** The second one comes while what followed from the first is at work. */
  const TIMES = [0, 10_000, 10_030, 30_000];

  function finalStates(kernel: Kernel): Record<string, string> {
    const states: Record<string, string> = {};
    for (const { spec } of kernel.world.services) {
      const view = serviceView(kernel.world, spec.name, kernel.clock);
      states[spec.name] = `${view?.state} ${view?.ready} ${view?.goal}`;
    }
    return states;
  }

  test("ends where the brain that was not lost ends", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const plain = ordered(seed, () => false);
        const picks = new Dice(seed);
        for (let tries = 0; tries < 6; tries++) {
          const at = picks.upTo(plain.batches);
          const lossy = ordered(seed, (batch) => batch === at);
          expect(finalStates(lossy), `lost with batch ${at}`).toEqual(finalStates(plain));
        }
      }),
      { numRuns: Math.ceil(RUNS / 5), endOnFailure: true },
    );
  });

  test("ends there, too, while services come, change and go", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const plain = ordered(seed, () => false, true);
        const picks = new Dice(seed);
        for (let tries = 0; tries < 6; tries++) {
          const at = picks.upTo(plain.batches);
          const lossy = ordered(seed, (batch) => batch === at, true);
          expect(finalStates(lossy), `lost with batch ${at}`).toEqual(finalStates(plain));
          expect(lossy.config.services, `lost with batch ${at}`).toEqual(plain.config.services);
        }
      }),
      { numRuns: Math.ceil(RUNS / 5), endOnFailure: true },
    );
  });
});
