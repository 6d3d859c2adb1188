/** Surroundings a supervisor finds itself in: descriptors, /dev, /proc, read-only roots, few rights. */
import { readFileSync } from "node:fs";
import { describe } from "vitest";
import { expect, isRoot, rootTest, test } from "./harness/box.ts";
import { oneup } from "./harness/paths.ts";
import { descendantsOf, descriptorsOf, isAlive } from "./harness/proc.ts";
import { pause, until } from "./harness/wait.ts";

const one = `[service.a]\ncommand = "imp pause"\n`;

describe("descriptors 0, 1 and 2 closed at the start", () => {
  for (const [title, prelude, closed] of [
    ["stdin", "exec 0<&-", [0]],
    ["stdout", "exec 1>&-", [1]],
    ["stderr", "exec 2>&-", [2]],
    ["all three", "exec 0<&- 1>&- 2>&-", [0, 1, 2]],
  ] as const) {
    test(title, async ({ box }) => {
      const up = await box.supervise(
        `[service.a]\ncommand = "imp state ${box.path("state")} say hello err hello pause"`,
        {
          prelude,
        },
      );
      const state = await box.inherited("state");
      expect(state.fds).toEqual([0, 1, 2]);
      expect(state.types).toEqual(["c", "p", "p"]);
      await up.until("its lines", async () => (await up.logText("a")).length === 2);
      // Nothing of the supervisor's own took a number: a stray write must not reach a socket.
      const own = descriptorsOf(await up.pid());
      for (const fd of closed) expect(own.get(fd)).toMatch(/^(\/dev\/null|pipe:)/);
      expect((await up.terminate()).code).toBe(0);
    });
  }

  test("`oneup -- CMD` with all three closed", async ({ box }) => {
    const running = box.background(["--", "imp", "state", box.path("state"), "exit", "4"], {
      prelude: "exec 0<&- 1>&- 2>&-",
    });
    expect((await running.outcome()).code).toBe(4);
    const state = await box.inherited("state");
    expect(state.fds).toEqual([0, 1, 2]);
  });

  test("a verb with all three closed", async ({ box }) => {
    const up = await box.supervise(one);
    const end = await box.run(["sh", "-c", `exec 0<&- 1>&- 2>&-; exec "${oneup()}" stop a`], {
      env: { ONEUP_SOCKET: up.socket },
    });
    expect([0, 1, 141]).toContain(end.code);
    expect(await up.state("a")).toBe("inactive");
  });
});

describe("as root of a namespace", () => {
  rootTest("/dev/null absent", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp state ${box.path("state")} say hello pause"`,
      {
        prelude: "exec </dev/null; mount -t tmpfs none /dev",
      },
    );
    const state = await box.inherited("state");
    expect(state.fds).toEqual([0, 1, 2]);
    await up.until("its line", async () => (await up.logText("a")).length === 1);
    await up.restart("a");
    expect((await up.terminate()).code).toBe(0);
  });

  rootTest("/dev/null absent and stdin closed", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp state ${box.path("state")} say hello pause"`,
      {
        prelude: "mount -t tmpfs none /dev; exec 0<&-",
      },
    );
    expect((await box.inherited("state")).fds).toEqual([0, 1, 2]);
    expect((await up.terminate()).code).toBe(0);
  });

  rootTest(
    "/proc absent: stop by group and session still works, one plain message at most",
    async ({ box }) => {
      const up = await box.supervise(
        `[service.a]\ncommand = "imp fork { leave TERM ${box.path("group")} 50 0 touch ${box.path("up")} pause } state ${box.path("state")} pause"
[service.b]\ncommand = "imp orphan { exit 0 } pause"`,
        { prelude: "umount /proc" },
      );
      await until("the member", () => box.has("up"));
      expect((await box.inherited("state")).fds).toEqual([0, 1, 2]);
      const receipts = await up.stop("a");
      expect(receipts).toMatchObject([{ service: "a", empty: true }]);
      expect(box.words("group")).toEqual(["TERM", "done"]);
      await up.noZombies();
      expect(up.err.split("\n").filter((line) => /proc/.test(line)).length).toBeLessThanOrEqual(1);
      expect((await up.terminate()).code).toBe(0);
    },
  );

  rootTest("/proc with hidepid, as a plain user", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "${box.copy((await box.run(["sh", "-c", "command -v imp"])).out.trim())} orphan { setsid pause } pause"`,
      { prelude: "mount -o remount,hidepid=2 /proc", user: "nobody", bin: box.copy(oneup()) },
    );
    await up.until("both", async () => (await up.descendants()).length === 2);
    const receipts = await up.stop("a");
    expect(receipts).toMatchObject([{ service: "a", empty: true }]);
    expect(receipts[0]?.processes).toHaveLength(2);
  });

  rootTest("everything read-only but the socket's folder", async ({ box }) => {
    box.write("rw/keep", "");
    const up = await box.supervise(`[service.a]\ncommand = "imp say hello pause"`, {
      socket: box.path("rw/s"),
      prelude: `mount --bind ${box.path("rw")} ${box.path("rw")}; mount -o remount,bind,ro /; mount -o remount,ro /tmp 2>/dev/null`,
    });
    await up.until("its line", async () => (await up.logText("a")).length === 1);
    expect((await up.terminate()).code).toBe(0);
  });

  rootTest(
    "everything read-only, /run too: the services run, a message about the socket",
    async ({ box }) => {
      const config = box.configuration(`[service.a]\ncommand = "imp say hello pause"`);
      const up = await box.supervise("", {
        paths: [config],
        socket: null,
        noWait: true,
        prelude: "mount -t tmpfs none /run; mount -o remount,ro /run; mount -o remount,bind,ro /",
      });
      await up.until("its line", () => up.out.includes("a | hello"));
      expect(up.err).toMatch(/socket/i);
      expect((await up.terminate()).code).toBe(0);
    },
  );

  rootTest("cgroupfs read-only", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp orphan { setsid ignore TERM touch ${box.path("up")} pause } pause"\nstop = { timeout = "300ms" }`,
      {
        prelude:
          "mount -o remount,bind,ro /sys/fs/cgroup; mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup/unified 2>/dev/null && mount -o remount,bind,ro /sys/fs/cgroup/unified; mount -o remount,bind,ro /sys",
      },
    );
    await until("the member", () => box.has("up"));
    const receipts = await up.stop("a");
    expect(receipts).toMatchObject([{ empty: true }]);
    expect(receipts[0]?.processes.filter((each) => each.killed)).toHaveLength(1);
  });

  rootTest("no cgroup is left behind", async ({ box }) => {
    const up = await box.supervise(one);
    await up.reaches("a", "running");
    // Others have theirs at the same time. Without any there is nothing to be left.
    const cgroups = descendantsOf(await up.pid()).map(({ pid }) =>
      readFileSync(`/proc/${pid}/cgroup`, "utf8"),
    );
    const own = /oneup-\d+-\d+/.exec(cgroups.join())?.[0] ?? "oneup-none";
    const found = async () => (await box.run(["find", "/sys/fs/cgroup", "-type", "d", "-name", own])).out;
    if (own !== "oneup-none") expect(await found()).not.toBe("");
    await up.terminate();
    await up.until("none", async () => (await found()) === "");
  });
});

describe("few rights", () => {
  test("a plain user with no_new_privs", async ({ box }) => {
    const imp = box.copy((await box.run(["sh", "-c", "command -v imp"])).out.trim());
    const up = await box.supervise(`[service.a]\ncommand = "${imp} state ${box.path("state")} pause"`, {
      user: "nobody",
      bin: box.copy(oneup()),
      prelude: 'set -- setpriv --no-new-privs "$@"',
    });
    const state = await box.inherited("state");
    expect(state.noNewPrivileges).toBe(1);
    if (isRoot) expect(state.uids[0]).toBe(65_534);
    const receipts = await up.stop("a");
    expect(receipts).toMatchObject([{ empty: true }]);
    expect((await up.terminate()).code).toBe(0);
  });

  rootTest("root without any capability", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp state ${box.path("state")} pause"`, {
      prelude: 'set -- setpriv --bounding-set=-all --inh-caps=-all "$@"',
    });
    await box.inherited("state");
    expect((await up.stop("a"))[0]?.empty).toBe(true);
  });

  rootTest("a plain user asked to run a service as another: a named failure", async ({ box }) => {
    const imp = box.copy((await box.run(["sh", "-c", "command -v imp"])).out.trim());
    const up = await box.supervise(
      `[service.a]\ncommand = "${imp} pause"\nuser = "www-data"\n[service.b]\ncommand = "${imp} pause"\nuser = "nobody"`,
      {
        user: "nobody",
        bin: box.copy(oneup()),
        prelude: "true",
      },
    );
    expect((await up.reaches("a", "failed")).cause).toMatch(/EPERM/);
    // To be what one is already needs no right.
    await up.reaches("b", "running");
  });

  test("not its own pid namespace: others' processes are none of its business", async ({ box }) => {
    // In one namespace: a bystander that is not below the supervisor, and the supervisor.
    const up = await box.supervise(`[service.a]\ncommand = "imp orphan { setsid pause } pause"`, {
      as: "child",
      prelude: `imp on TERM ${box.path("bystander")} touch ${box.path("up")} pause & until test -e ${box.path("up")}; do sleep 0.01; done`,
      afterwards: "exec sleep 3600",
    });
    await until("the bystander", () => box.has("up"));
    const init = await up.initPid();
    const { childrenOf } = await import("./harness/proc.ts");
    const bystander = childrenOf(init).find((each) => each.comm === "imp")?.pid ?? 0;
    const { receipts } = { receipts: (await up.ok("POST", "/v1/shutdown")) as unknown[] };
    expect(receipts.length).toBeGreaterThan(0);
    await up.until("its end", async () => !isAlive(await up.pid()));
    expect(isAlive(bystander)).toBe(true);
    expect(box.words("bystander")).toEqual([]);
  });
});

describe("limits", () => {
  test("few descriptors: what does not fit fails by name, the rest and the socket go on", async ({ box }) => {
    const up = await box.supervise(
      Array.from(
        { length: 60 },
        (_, n) =>
          `[service.s${n}]\ncommand = "imp pause"\nrestart-delay = "20ms"\nrestart-delay-max = "20ms"`,
      ).join("\n"),
      { prelude: "ulimit -n 80" },
    );
    await up.until("both kinds", async () => {
      const found = await up.services();
      const running = found.filter((each) => each.state === "running").length;
      const short = found.filter((each) => /EMFILE|ENFILE/.test(each.cause ?? "")).length;
      return running > 5 && short > 0 && running + short === found.length;
    });
    // Those that wait keep trying; that does not take the descriptors of those who ask.
    for (let n = 0; n < 50; n++) expect((await up.get("/v1/services")).status).toBe(200);
    await up.restart("s0");
    expect((await up.terminate()).code).toBe(0);
  });

  test("the largest number of descriptors there is: no loop over all of them", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp state ${box.path("state")} pause"`, {
      prelude: isRoot ? 'ulimit -n "$(cat /proc/sys/fs/nr_open)"' : 'ulimit -n "$(ulimit -Hn)"',
    });
    expect((await box.inherited("state")).fds).toEqual([0, 1, 2]);
    for (let n = 0; n < 50; n++) await up.restart("a");
    expect((await up.terminate()).code).toBe(0);
  });

  test("a small stack, no core, a small address space", async ({ box }) => {
    const up = await box.supervise(one, { prelude: "ulimit -s 1024; ulimit -c 0; ulimit -v 1048576" });
    await up.reaches("a", "running");
    expect((await up.terminate()).code).toBe(0);
  });

  test("a thousand services", async ({ box }) => {
    const up = await box.supervise(
      Array.from({ length: 1000 }, (_, n) => `[service.s${n}]\ncommand = "imp pause"`).join("\n"),
    );
    await up.until("all of them", async () =>
      (await up.services()).every((each) => each.state === "running"),
    );
    expect((await up.descendants()).length).toBe(1000);
    const { receipts, end } = await up.shutdown();
    expect(end.code).toBe(0);
    expect(receipts.filter((each) => each.service !== null)).toHaveLength(1000);
  });
});

test("the current folder is not pinned", async ({ box }) => {
  box.write("gone/oneup.toml", `[service.a]\ncommand = "imp pause"\ndirectory = "/"`);
  const up = await box.supervise("", { paths: [box.path("gone")], cwd: box.path("gone") });
  await up.reaches("a", "running");
  const { readlinkSync } = await import("node:fs");
  const cwd = readlinkSync(`/proc/${await up.pid()}/cwd`);
  expect(cwd).toBe("/");
});

test("a current folder that is gone", async ({ box }) => {
  const config = box.configuration(one);
  const up = await box.supervise("", {
    paths: [config],
    prelude: `mkdir ${box.path("gone")} && cd ${box.path("gone")} && rmdir ${box.path("gone")}`,
  });
  await up.reaches("a", "running");
  await pause(0);
});
