/** The end, asked for by a signal: upstream leaves its programs behind, or is not to be asked at all. */
import { describe } from "vitest";
import type { RunOptions } from "../../e2e/harness/box.ts";
import { isAlive } from "../../e2e/harness/proc.ts";
import { expect, ours, type Program, type Supervisors, sh, test, theirs } from "./harness.ts";

/** Has something to do before it leaves, and says so; what its shell says of a sleep that was ended is nobody's. */
const careful = sh(
  "exec 2>/dev/null; trap 'sleep 0.3; echo bye >> gone; exit 0' TERM; echo up >> up; while :; do sleep 0.05; done",
);
const stubborn = sh("trap '' TERM; echo up >> up; while :; do sleep 0.05; done");

async function startAll(
  supervisors: Supervisors,
  programs: Record<string, Program>,
  listen?: "",
  options: RunOptions = {},
): Promise<void> {
  await supervisors.programs(programs, listen);
  await supervisors.start(options);
  const count = Object.keys(programs).length;
  await supervisors.until("all of them", () => {
    return supervisors.box.has("up") && supervisors.box.read("up").split("\n").length > count;
  });
}

async function pidsOf(supervisors: Supervisors): Promise<number[]> {
  return (await supervisors.up.descendants()).map(({ pid }) => pid);
}

describe("B1, B2: TERM and INT stop all programs and leave with 0, with the API or without", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    for (const listen of [undefined, ""] as const) {
      const where = listen === "" ? "without" : "with";
      ours(
        `${signal === "SIGINT" && listen === undefined ? "B2" : "B1"}: ${signal} ${where} the API`,
        async ({ supervisors }) => {
          await startAll(supervisors, { a: careful, b: careful }, listen);
          const pids = await pidsOf(supervisors);
          expect(pids.length).toBeGreaterThanOrEqual(2);
          await supervisors.up.signal(signal);
          const end = await supervisors.up.ends();
          expect(end).toMatchObject({ code: 0, signal: null });
          // They had the time for what they had to do.
          expect(supervisors.box.read("gone")).toBe("bye\nbye\n");
          expect(pids.filter(isAlive)).toEqual([]);
          const lines = end.out.split("\n");
          const asked = lines.indexOf(`${signal} received. Exiting...`);
          expect(asked).toBeGreaterThan(0);
          expect(lines.slice(asked)).toEqual([
            `${signal} received. Exiting...`,
            "Shutting down all processes...",
            expect.stringMatching(/^\[[ab]\] Exited with: exit status: 0$/),
            expect.stringMatching(/^\[[ab]\] Exited with: exit status: 0$/),
            "",
          ]);
          expect(end.err).toBe("");
        },
      );
    }
  }

  theirs("B1: INT without the API leaves them running", async ({ supervisors }) => {
    // Something has to outlive it, or its namespace would end with it.
    await startAll(supervisors, { a: careful }, "", { afterwards: "exec sleep 99" });
    const pids = await pidsOf(supervisors);
    await supervisors.up.signal("SIGINT");
    await supervisors.lines(/^Shutting down all processes\.\.\.$/);
    expect(pids.some(isAlive)).toBe(true);
  });

  theirs("B2: INT with the API is death by it", async ({ supervisors }) => {
    await startAll(supervisors, { a: careful });
    await supervisors.up.signal("SIGINT");
    expect((await supervisors.up.ends()).code).toBe(130);
  });

  ours(
    "B1: what has ended, is between two runs, or could never be started is no obstacle",
    async ({ supervisors }) => {
      await startAll(supervisors, {
        a: careful,
        done: sh("echo up >> up"),
        again: sh("echo up >> up", { autorestart: true }),
        no: { command: "no-such-program", autorestart: true },
        padding: sh("echo up >> up"),
      });
      await supervisors.up.signal("SIGTERM");
      expect((await supervisors.up.ends()).code).toBe(0);
      expect(supervisors.box.read("gone")).toBe("bye\n");
    },
  );

  ours("HUP, as from a terminal that has gone, does too", async ({ supervisors }) => {
    await startAll(supervisors, { a: careful });
    await supervisors.up.signal("SIGHUP");
    expect((await supervisors.up.ends()).code).toBe(0);
    expect(supervisors.box.read("gone")).toBe("bye\n");
  });
});

describe("B6: who ignores TERM is killed", () => {
  ours("B6: some seconds later", async ({ supervisors }) => {
    await startAll(supervisors, { a: stubborn, b: careful });
    const pids = await pidsOf(supervisors);
    await supervisors.up.signal("SIGTERM");
    const end = await supervisors.up.ends();
    expect(end.code).toBe(0);
    expect(end.out).toContain("[a] Exited with: signal: 9 (SIGKILL)");
    expect(pids.filter(isAlive)).toEqual([]);
  });

  ours("B6: at once when asked a second time", async ({ supervisors }) => {
    await startAll(supervisors, { a: stubborn });
    await supervisors.up.signal("SIGINT");
    await supervisors.lines(/^Shutting down/);
    await supervisors.up.signal("SIGINT");
    const end = await supervisors.up.ends();
    expect(end.code).toBe(0);
    expect(end.out).toContain("[a] Exited with: signal: 9 (SIGKILL)");
  });

  ours("B6: what a program has started, too", async ({ supervisors }) => {
    const parent = sh("trap '' TERM; (trap '' TERM; echo up >> up; while :; do sleep 0.05; done) & wait");
    await startAll(supervisors, { a: parent });
    const pids = await pidsOf(supervisors);
    await supervisors.up.signal("SIGTERM");
    await supervisors.lines(/^Shutting down/);
    await supervisors.up.signal("SIGTERM");
    await supervisors.up.ends();
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe("as PID 1", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    ours(`B7: ${signal} stops everything and ends the container`, async ({ supervisors }) => {
      await supervisors.programs({ a: careful });
      await supervisors.start({ as: "init" });
      await supervisors.until("its program", () => supervisors.box.has("up"));
      await supervisors.up.signal(signal);
      expect(await supervisors.up.ends()).toMatchObject({ code: 0, signal: null });
      expect(supervisors.box.read("gone")).toBe("bye\n");
    });
  }

  ours("B7: HUP means nothing there", async ({ supervisors }) => {
    await supervisors.programs({ a: careful });
    await supervisors.start({ as: "init" });
    await supervisors.until("its program", () => supervisors.box.has("up"));
    await supervisors.up.signal("SIGHUP");
    await supervisors.answers();
    await supervisors.up.signal("SIGTERM");
    expect((await supervisors.up.ends()).code).toBe(0);
  });

  ours("B8: orphans are reaped", async ({ supervisors }) => {
    await supervisors.programs({
      a: sh(
        "for i in 1 2 3 4 5; do (setsid sh -c 'sleep 0.05 & exit 0'); done; echo up >> up; exec sleep 99",
      ),
    });
    await supervisors.start({ as: "init" });
    await supervisors.until("its program", () => supervisors.box.has("up"));
    await supervisors.up.noZombies();
    await supervisors.until(
      "the orphans' end",
      async () => (await supervisors.up.descendants()).length === 1,
    );
  });
});

test("what a program has put into a session of its own lives on after its end", async ({ supervisors }) => {
  const daemon =
    "setsid sh -c 'echo $$ > daemon; exec sleep 99' & while [ ! -s daemon ]; do sleep 0.01; done";
  await supervisors.programs({ a: sh(daemon) });
  await supervisors.start();
  await supervisors.lines(/^\[a\] Exited/);
  await supervisors.isRunning("a", false);
  const found = (await supervisors.up.descendants()).length;
  const elsewhere = await supervisors.up.inside(["pgrep", "-x", "sleep"]);
  expect(found + elsewhere.out.split("\n").length).toBeGreaterThan(1);
});
