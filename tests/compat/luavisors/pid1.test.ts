/** As PID 1 of a namespace of its own, as in a container. */
import { describe } from "vitest";
import type { Running } from "../../e2e/harness/box.ts";
import { childrenOf, isZombie, memoryOf } from "../../e2e/harness/proc.ts";
import { expect, ours, test, until } from "./harness.ts";

/** PID 1 of the namespace, as seen from here. */
async function pidOne(running: Running): Promise<number> {
  const child = await until("PID 1", () => childrenOf(running.pid)[0]);
  return child.pid;
}

const signal = async (running: Running, name: NodeJS.Signals): Promise<void> => {
  process.kill(await pidOne(running), name);
};

test("it is PID 1, and its exit code is the container's", async ({ lua }) => {
  const ffi = 'local ffi = require("ffi") ffi.cdef "int getpid(void);"';
  const end = await lua.init(`${ffi} io.write(init.pid(), ffi.C.getpid()) os.exit(7)`).outcome();
  expect(end).toMatchObject({ code: 7, out: "11" });
});

test("children are reaped, and what they left behind ends with it", async ({ lua }) => {
  const end = await lua
    .init('init.exec("sh", "-c", "sleep 99 & exit 3") os.exit(init.exec("sh", "-c", "exit 5"):status())')
    .outcome();
  expect(end.code).toBe(5);
});

describe("what was wrong", () => {
  ours("B2: TERM reaches the one child that is waited for", async ({ lua }) => {
    const running = lua.init(
      'os.exit(init.exec("imp", "leave", "TERM", "marks", 0, 6, "mark", "up", "marks", "pause"):status())',
    );
    await lua.box.wordsOf("marks", 1);
    await signal(running, "SIGTERM");
    expect(await running.outcome()).toMatchObject({ code: 6 });
  });

  ours("B3: TERM and INT end it when no child lives", async ({ lua }) => {
    for (const [name, code] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
    ] as const) {
      const running = lua.init('init.exec("true"):status() print("up") io.flush() init.sleep(99)');
      await lua.says(running, "up");
      await signal(running, "SIGUSR1");
      await signal(running, name);
      expect(await running.outcome()).toMatchObject({ code });
    }
  });

  ours("B5, B6: neither children nor orphans stay zombies", async ({ lua }) => {
    const running = lua.init(`
      child = init.exec("imp", "repeat", "20", "{", "orphan", "{", "sleep", 50, "mark", "gone", "marks", "exit", 0, "}", "}", "exit", 0)
      print("up") io.flush()
      init.sleep(99)`);
    await lua.says(running, "up");
    await lua.box.wordsOf("marks", 20);
    const one = await pidOne(running);
    await until("an empty house", () => childrenOf(one).length === 0);
  });

  ours("B6: while Lua is busy, too", async ({ lua }) => {
    const running = lua.init(
      'init.exec("sh", "-c", "(sleep 0.1 &) ; exit 0") print("up") io.flush() while true do end',
    );
    await lua.says(running, "up");
    const one = await pidOne(running);
    await until(
      "an empty house",
      () => childrenOf(one).every((each) => !isZombie(each.pid)) && childrenOf(one).length === 0,
    );
  });

  ours("a chatty child takes no memory beyond its limit", async ({ lua }) => {
    const running = lua.init(
      'init.limit(1000000) child = init.exec("imp", "spew", 2000000, "exit", 3) print("ended", child:status()) io.flush() init.sleep(99)',
    );
    await lua.says(running, "ended\t3");
    expect(memoryOf(await pidOne(running), "Rss")).toBeLessThan(40_000);
  });

  ours("without /proc and a place to write to it works all the same", async ({ lua }) => {
    const running = lua.init(
      'print(init.pid(), init.exec("sh", "-c", "echo out; (sleep 0.01 &)"):stdout(), os.execute("exit 2"))',
      { prelude: "umount /proc" },
    );
    expect(await running.outcome()).toMatchObject({ code: 0, out: "1\tout\n\tnil\texit\t2\n", err: "" });
  });
});
