/** Reaping: everything that dies below the supervisor, at once, and nobody else's. */
import { describe } from "vitest";
import { expect, rootTest, test } from "./harness/box.ts";
import { childrenOf, isZombie, processOf } from "./harness/proc.ts";
import { pause, until } from "./harness/wait.ts";

for (const as of ["init", "child"] as const) {
  describe(`supervisor as ${as}`, () => {
    test("an orphan of a service becomes the supervisor's child and is reaped when it dies", async ({
      box,
    }) => {
      const up = await box.supervise(
        `[service.a]\ncommand = "imp orphan { touch ${box.path("born")} until ${box.path("go")} } pause"`,
        { as },
      );
      await until("the orphan", () => box.has("born"));
      const supervisor = await up.pid();
      const main = await up.servicePid("a");
      const orphan = await until("its adoption", () =>
        childrenOf(supervisor).find((one) => one.pid !== main && one.comm === "imp"),
      );
      box.write("go", "");
      await up.gone(orphan.pid);
      await up.noZombies();
    });

    test("orphans are reaped at once, not by a clock", async ({ box }) => {
      const up = await box.supervise(
        `[service.a]\ncommand = "imp repeat 15 { orphan { hello pause } } pause"`,
        {
          as,
        },
      );
      const lines = await up.until("fifteen orphans", async () => {
        const text = await up.logText("a");
        return text.length === 15 ? text : null;
      });
      const zombieMs: number[] = [];
      for (const line of lines) {
        const pid = await up.outerPid(Number(/hello (\d+)/.exec(line)?.[1]));
        process.kill(pid, "SIGKILL");
        const died = performance.now();
        await until("its reaping", () => processOf(pid) === null, { everyMs: 1 });
        zombieMs.push(performance.now() - died);
      }
      zombieMs.sort((a, b) => a - b);
      // Far above what it takes, far below any polling interval.
      expect(zombieMs[7]).toBeLessThan(100);
    });

    test("ten thousand orphans in a burst", async ({ box }) => {
      const up = await box.supervise(
        `[task.burst]\ncommand = "imp repeat 10000 { orphan { exit 0 } } say over"\n[service.b]\ncommand = "imp pause"`,
        { as },
      );
      await up.reaches("burst", "exited");
      await up.until("no zombie", async () => (await up.zombies()).length === 0);
      expect(await up.logText("burst")).toEqual(["over"]);
      await up.reaches("b", "running", (one) => one.restarts === 0);
      expect((await up.descendants()).length).toBe(1);
    });
  });
}

test("two children die while the supervisor does not run: one SIGCHLD, two exits", async ({ box }) => {
  const up = await box.supervise(
    ["a", "b", "c"].map((name) => `[service.${name}]\ncommand = "imp pause"\nrestart = "never"`).join("\n"),
    { as: "child" },
  );
  const pids: number[] = [];
  for (const name of ["a", "b", "c"]) {
    await up.reaches(name, "running");
    pids.push(await up.servicePid(name));
  }
  await up.signal("SIGSTOP");
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await until("three zombies", () => pids.every(isZombie));
  await up.signal("SIGCONT");
  for (const name of ["a", "b", "c"]) {
    expect((await up.reaches(name, "failed")).exit).toMatchObject({ signal: "KILL" });
  }
  await up.noZombies();
});

test("children that die in crowds while others start: every code reaches its own service", async ({
  box,
}) => {
  const names = Array.from({ length: 60 }, (_, n) => `s${n}`);
  const up = await box.supervise(
    names
      .map(
        (name, n) =>
          `[service.${name}]\ncommand = "imp orphan { exit 9 } sleep ${n % 7} exit ${n}"\nrestart = "never"`,
      )
      .join("\n"),
  );
  for (const [n, name] of names.entries()) {
    const service = await up.reaches(name, ["exited", "failed"]);
    expect(service.exit).toMatchObject({ code: n });
  }
  await up.until("no process", async () => (await up.descendants()).length === 0);
});

test("an orphan that was stopped by a signal is no dead one: it is ended as a leftover of its set", async ({
  box,
}) => {
  const up = await box.supervise(`[service.a]\ncommand = "imp orphan { raise STOP } pause"`);
  const former = await up.reaches("a", "running");
  const stopped = await up.until("the stopped orphan", async () =>
    (await up.descendants()).find((one) => one.state === "T"),
  );
  await up.strike("a");
  await up.succeeded("a", former.pid ?? 0);
  expect(processOf(stopped.pid)).toBeNull();
});

rootTest(
  "a pid is used again while a stop is still pending: the newcomer is not touched",
  async ({ box }) => {
    const up = await box.supervise(`
[service.victim]
command = "imp fork { ignore TERM on TERM ${box.path("member")} touch ${box.path("ready")} pause } pause"
restart = "never"
stop = { timeout = "3s" }
[service.bystander]
command = "imp leave TERM ${box.path("bystander")} 0 0 pause"
autostart = false
`);
    await until("the member", () => box.has("ready"));
    const leader = (await up.service("victim")).pid ?? 0;
    const stopping = up.stop("victim");
    await up.gone(await up.outerPid(leader));
    // The kernel hands out the pid behind the one written here.
    await up.until("the bystander with the leader's pid", async () => {
      const wrote = await up.inside(["sh", "-c", `echo ${leader - 1} > /proc/sys/kernel/ns_last_pid`]);
      if (wrote.code !== 0) throw new Error(wrote.err);
      const service = await up.start("bystander");
      if (service.pid === leader) return true;
      await up.stop("bystander");
      return false;
    });
    const [receipt] = await stopping;
    expect(receipt).toMatchObject({ service: "victim", empty: true });
    expect(receipt?.processes.filter((each) => each.killed)).toHaveLength(1);
    // Every signal of that stop has been sent; the newcomer is well.
    await pause(100);
    const bystander = await up.service("bystander");
    expect(bystander).toMatchObject({ state: "running", pid: leader, restarts: 0 });
    expect(box.words("bystander").slice(-1)).not.toEqual(["TERM"]);
  },
);
