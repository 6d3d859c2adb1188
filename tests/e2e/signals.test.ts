/** Signals to a supervisor in `run` mode, as PID 1 and not. */
import { constants } from "node:os";
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { statusField } from "./harness/proc.ts";
import { pause, until } from "./harness/wait.ts";

for (const as of ["init", "child"] as const) {
  describe(`supervisor as ${as}`, () => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
      test(`${signal}: ordered shutdown, exit code 0, TERM to services`, async ({ box }) => {
        const up = await box.supervise(
          `[service.a]\ncommand = "imp leave TERM ${box.path("marks")} 100 0 touch ${box.path("up")} pause"`,
          { as },
        );
        await until("the service", () => box.has("up"));
        await up.signal(signal);
        expect((await up.ends()).code).toBe(0);
        expect(box.words("marks")).toEqual(["TERM", "done"]);
        expect(box.has("s1")).toBe(false); // the socket
      });
    }

    test("HUP does no harm, and says so", async ({ box }) => {
      const up = await box.supervise(
        `[service.a]\ncommand = "imp on HUP ${box.path("hup")} touch ${box.path("up")} pause"`,
        {
          as,
        },
      );
      await until("the service", () => box.has("up"));
      await up.signal("SIGHUP");
      await up.until("a message", () => /HUP/.test(up.err));
      expect((await up.service("a")).restarts).toBe(0);
      expect(box.words("hup")).toEqual([]);
      expect((await up.terminate()).code).toBe(0);
    });

    test("every other signal that can be caught is survived", async ({ box }) => {
      const up = await box.supervise(`[service.a]\ncommand = "imp pause"`, { as });
      const { pid } = await up.reaches("a", "running");
      const harmless: (NodeJS.Signals | number)[] = [
        "SIGUSR1",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGCHLD",
        "SIGCONT",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        34,
        40,
        50,
        64,
      ];
      for (const signal of harmless) {
        await up.signal(signal);
        expect((await up.service("a")).pid, `after ${signal}`).toBe(pid);
      }
      expect((await up.terminate()).code).toBe(0);
    });

    test("TERM before anything is up: nothing starts any more, exit code 0", async ({ box }) => {
      const up = await box.supervise(
        `[service.first]
command = "imp leave TERM ${box.path("marks")} 0 0 touch ${box.path("up")} pause"
ready = { file = "${box.path("never")}" }
[service.second]
command = "imp touch ${box.path("second")} pause"
requires = ["first"]`,
        { as },
      );
      await until("the first process", () => box.has("up"));
      expect((await up.terminate()).code).toBe(0);
      expect(box.words("marks")).toEqual(["TERM", "done"]);
      expect(box.has("second")).toBe(false);
    });

    test("TERM in the very first moment", async ({ box }) => {
      for (const delay of [0, 1, 2, 3, 5, 8, 13]) {
        const up = await box.supervise(`[service.a]\ncommand = "imp pause"`, { as, noWait: true });
        const pid = await until("the process", () => up.pid(), { everyMs: 1 });
        // From the moment on at which it is blocked or caught, it must not be lost.
        await until("its signal handling", () => up.running.over || minds(pid, constants.signals.SIGTERM), {
          everyMs: 1,
        });
        await pause(delay);
        process.kill(pid, "SIGTERM");
        const end = await up.ends();
        expect(end.code, up.err).toBe(0);
      }
    });

    test("a second TERM: no more waiting, KILL, still 0", async ({ box }) => {
      const up = await box.supervise(
        `[service.a]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "10m" }
[supervisor]\nshutdown-timeout = "20m"`,
        { as },
      );
      await until("the service", () => box.has("up"));
      await up.signal("SIGTERM");
      await up.reaches("a", "stopping");
      await up.signal("SIGTERM");
      expect((await up.ends()).code).toBe(0);
    });

    test("INT after TERM hurries, too", async ({ box }) => {
      const up = await box.supervise(
        `[service.a]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "10m" }
[supervisor]\nshutdown-timeout = "20m"`,
        { as },
      );
      await until("the service", () => box.has("up"));
      await up.signal("SIGTERM");
      await up.reaches("a", "stopping");
      await up.signal("SIGINT");
      expect((await up.ends()).code).toBe(0);
    });
  });
}

test("shutdown-timeout ends the waiting", async ({ box }) => {
  const up = await box.supervise(
    `[service.a]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "10m" }
[supervisor]\nshutdown-timeout = "500ms"`,
  );
  await until("the service", () => box.has("up"));
  const { receipts, end } = await up.shutdown();
  expect(end.code).toBe(0);
  expect(receipts.find((each) => each.service === "a")).toMatchObject({
    empty: true,
    processes: [{ killed: true }],
  });
});

test("a flood of signals costs nothing but time", async ({ box }) => {
  const up = await box.supervise(`[service.a]\ncommand = "imp pause"`);
  const { pid } = await up.reaches("a", "running");
  const target = await up.pid();
  for (let n = 0; n < 20_000; n++) process.kill(target, n % 2 === 0 ? "SIGUSR1" : "SIGCHLD");
  expect((await up.service("a")).pid).toBe(pid);
  expect((await up.terminate()).code).toBe(0);
});

test("the shutdown follows the reverse of the dependencies", async ({ box }) => {
  const file = box.path("marks");
  const service = (name: string, more: string) =>
    `[service.${name}]\ncommand = "imp leave TERM ${file}-${name} 60 0 touch ${box.path(`${name}-up`)} pause"\n${more}`;
  const up = await box.supervise(
    [
      service("a", ""),
      service("b", 'requires = ["a"]'),
      service("c", 'wants = ["b"]'),
      service("d", 'after = ["c"]'),
      service("e", 'before = ["a"]'),
    ].join("\n"),
  );
  const names = ["a", "b", "c", "d", "e"];
  await until("all", () => names.every((name) => box.has(`${name}-up`)));
  expect((await up.terminate()).code).toBe(0);
  const at = (name: string, word: string) =>
    box.marks(`marks-${name}`).find((mark) => mark.word === word)?.at ?? Number.NaN;
  for (const [later, earlier] of [
    ["b", "a"],
    ["c", "b"],
    ["d", "c"],
    ["a", "e"],
  ] as const) {
    expect(at(later, "done"), `${later} before ${earlier}`).toBeLessThan(at(earlier, "TERM"));
  }
});

test("after a shutdown nothing is left, receipts for all", async ({ box }) => {
  const up = await box.supervise(
    `[service.a]\ncommand = "imp orphan { setsid pause } pause"\n[service.b]\ncommand = "imp pause"\n[task.t]\ncommand = "imp exit 0"`,
    { as: "child" },
  );
  await up.reaches("t", "exited");
  await up.until("the orphan", async () => (await up.descendants()).length === 3);
  const before = await up.descendants();
  const { receipts, end } = await up.shutdown();
  expect(end.code).toBe(0);
  expect(receipts.map((each) => each.service)).toEqual(expect.arrayContaining(["a", "b"]));
  expect(receipts.every((each) => each.empty)).toBe(true);
  expect(receipts.find((each) => each.service === "a")?.processes).toHaveLength(2);
  for (const one of before) expect(statusField(one.pid, "State")).toBeNull();
});

/** Blocked or caught: no longer the default. */
function minds(pid: number, signal: number): boolean {
  const bit = 1n << BigInt(signal - 1);
  return ["SigBlk", "SigCgt"].some((field) => (BigInt(`0x${statusField(pid, field) ?? "0"}`) & bit) !== 0n);
}
