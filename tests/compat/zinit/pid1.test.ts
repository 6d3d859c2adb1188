/**
 * zinit-pid1 as PID 1 of a namespace of its own: container mode, and machine mode with a real
 * reboot(2), by which the kernel ends the namespace and tells its parent how. The published
 * original does not compile (BUG 1), so all of this is ours.
 */
import { describe } from "vitest";
import { isAlive } from "../../e2e/harness/proc.ts";
import { expect, isRoot, ours, type StartOptions, type Zinit } from "./harness.ts";

/** A /dev of its own with what a shell needs, so that /dev/log is nobody else's. */
const privateDev =
  "mkdir -p $HOME/dev && mount -t tmpfs tmpfs $HOME/dev && " +
  "cp -a /dev/null /dev/zero /dev/urandom $HOME/dev && mount --move $HOME/dev /dev";

function machine(more: StartOptions = {}): StartOptions {
  return { program: "zinit-pid1", as: "init", prelude: privateDev, ...more };
}

function container(more: StartOptions = {}): StartOptions {
  return { program: "zinit-pid1", as: "init", args: ["--container"], ...more };
}

const stubborn = "trap 'sleep 0.2; echo bye > gone; exit 0' TERM; echo up; while :; do sleep 0.05; done";

function withService(zinit: Zinit): void {
  zinit.service("web", stubborn, { service: { dir: zinit.box.folder } });
}

describe("container", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    ours(
      `BUG 39: ${signal} stops everything, with a socket of its own, and leaves with 0`,
      async ({ zinit }) => {
        withService(zinit);
        await zinit.start(container());
        await zinit.writes("web", "up");
        await zinit.up.signal(signal);
        expect(await zinit.up.ends()).toMatchObject({ code: 0, signal: null });
        expect(zinit.box.has("gone")).toBe(true);
      },
    );
  }

  ours("ZINIT_CONTAINER, set to anything, is the same; shutdown ends it", async ({ zinit }) => {
    withService(zinit);
    await zinit.start(container({ args: [], env: { ZINIT_CONTAINER: "" } }));
    await zinit.reaches("web", "running");
    expect(zinit.running.out).toContain("Running in container mode");
    expect((await zinit.shutdown()).code).toBe(0);
  });

  ours("orphans are reaped", async ({ zinit }) => {
    zinit.service(
      "web",
      "for i in 1 2 3 4 5; do (sh -c 'sleep 0.05 & exit 0'); done; echo forked; sleep 999",
    );
    await zinit.start(container());
    await zinit.reaches("web", "running");
    await zinit.writes("web", "forked");
    await zinit.up.noZombies();
  });

  ours("SIGUSR2 is ignored with a warning, SIGHUP too", async ({ zinit }) => {
    await zinit.start(container());
    await zinit.up.signal("SIGUSR2");
    await zinit.until("the warning", () => zinit.running.out.includes("got USR2"));
    await zinit.up.signal("SIGHUP");
    await zinit.until("the message", () => zinit.running.out.includes("got HUP"));
    expect(await zinit.call("system.ping")).toEqual({ version: "0.3.9" });
  });

  ours("wrong usage is an error, as it is anywhere", async ({ zinit }) => {
    const env = { ZINIT_CONTAINER: "1" };
    const end = await zinit.box.run([zinit.program("zinit-pid1"), "splash"], { as: "init", env });
    expect(end).toMatchObject({ code: 2 });
    expect(end.err).toContain("unexpected argument 'splash' found");
  });

  ours("poweroff and reboot signal it", async ({ zinit }) => {
    for (const [verb, what] of [
      ["poweroff", "Poweroff"],
      ["reboot", "Reboot"],
    ] as const) {
      withService(zinit);
      await zinit.start(container());
      await zinit.reaches("web", "running");
      const told = await zinit.up.inside([zinit.program("zinit"), verb]);
      expect(told).toMatchObject({ out: `${what} signal sent to init\n`, code: 0 });
      expect((await zinit.up.ends()).code).toBe(0);
    }
  });
});

describe("not PID 1", () => {
  ours("it warns, works, and ends no machine", async ({ zinit }) => {
    withService(zinit);
    await zinit.start({ program: "zinit-pid1", as: "child" });
    expect(zinit.running.out).toMatch(/Not running as PID 1 \(pid=\d+\)/);
    await zinit.reaches("web", "running");
    await zinit.up.signal("SIGTERM");
    expect(await zinit.up.ends()).toMatchObject({ code: 0, signal: null });
  });
});

describe.runIf(isRoot)("machine", () => {
  for (const [signal, told] of [
    // What the kernel tells the parent of a namespace whose init has called reboot(2).
    ["SIGTERM", "SIGINT"],
    ["SIGINT", "SIGHUP"],
  ] as const) {
    ours(`${signal} stops the services, then the machine: reboot(2)`, async ({ zinit }) => {
      withService(zinit);
      await zinit.start(machine());
      await zinit.reaches("web", "running");
      await zinit.writes("web", "up");
      const pid = await zinit.servicePid("web");
      await zinit.up.signal(signal);
      const end = await zinit.up.ends();
      // unshare(1) ends itself by the same signal, where it can.
      const number = { SIGINT: 2, SIGHUP: 1 }[told];
      expect([told, 128 + number]).toContain(end.signal ?? end.code);
      expect(zinit.box.has("gone")).toBe(true);
      expect(isAlive(pid)).toBe(false);
    });
  }

  ours("where the kernel refuses, it sleeps for ever", async ({ zinit }) => {
    withService(zinit);
    const refused = `${privateDev}; exec setpriv --bounding-set=-sys_boot --inh-caps=-sys_boot "$@"`;
    await zinit.start(machine({ prelude: refused }));
    await zinit.reaches("web", "running");
    await zinit.up.signal("SIGTERM");
    await zinit.until("the last word", () => zinit.running.err.includes("PID 1 sleeps for ever"));
    expect(zinit.box.has("gone")).toBe(true);
    expect(zinit.running.over).toBe(false);
    expect(isAlive(await zinit.up.pid())).toBe(true);
  });

  ours("a shutdown of the server alone never leaves: it starts anew", async ({ zinit }) => {
    withService(zinit);
    await zinit.start(machine({ args: ["splash", "--quiet"] }));
    const { pid } = await zinit.reaches("web", "running");
    expect(zinit.running.out).toContain("ignored: splash");
    await zinit.call("system.shutdown");
    await zinit.until("another process", async () => {
      const status = await zinit.status("web");
      return status.state === "running" && status.pid !== pid;
    });
    expect(zinit.running.over).toBe(false);
  });

  ours("what cannot be had is no reason to leave", async ({ zinit }) => {
    zinit.box.write("file", "");
    const env = {
      ZINIT_CONFIG_DIR: zinit.box.path("file/services"),
      ZINIT_SOCKET: zinit.box.path("file/sock"),
    };
    await zinit.start(machine({ env, noWait: true }));
    await zinit.until("the message", () => zinit.running.out.includes("cannot be asked about"));
    expect(zinit.running.over).toBe(false);
    await zinit.up.signal("SIGTERM");
    expect((await zinit.up.ends()).code).not.toBe(0);
  });

  ours("zinitdebug=1 on the kernel's command line", async ({ zinit }) => {
    const line = zinit.box.write("cmdline", "quiet zinitdebug=1 splash\n");
    await zinit.start(
      machine({
        env: { ZINIT_LOG_LEVEL: "error" },
        prelude: `${privateDev}; mount --bind ${line} /proc/cmdline`,
      }),
    );
    expect(zinit.running.out).toContain("starting zinit-server");
  });
});

describe.runIf(isRoot)("syslog", () => {
  const send = (...messages: string[]) => [
    "python3",
    "-c",
    "import socket, sys\n" +
      "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('/dev/log')\n" +
      "[s.send(m.encode('latin-1')) for m in sys.argv[1:]]",
    ...messages,
  ];

  ours("messages go into the log of the service that they name", async ({ zinit }) => {
    zinit.service("web", "sleep 999");
    await zinit.start(machine());
    await zinit.reaches("web", "running");
    const sent = await zinit.up.inside(
      send(
        "<13>Jan  9 17:30:00 host web[77]: one",
        "web: two \xff",
        "nobody: three",
        "no message",
        "web: four\n",
      ),
    );
    expect(sent).toMatchObject({ code: 0, err: "" });
    const lines = await zinit.until("the last one", async () => {
      const found = await zinit.log("web");
      return found.length >= 3 ? found : null;
    });
    expect(lines.map(({ stream, content }) => [stream, content])).toEqual([
      ["syslog", "one"],
      ["syslog", "two \ufffd"],
      ["syslog", "four"],
    ]);
    const text = (await zinit.cli("logs", "web", "-n1")).out;
    expect(text).toMatch(/^\d{13} \[syslog\] four\n$/);
  });

  ours("ZINIT_SYSLOG=0 turns it off; a container has none", async ({ zinit }) => {
    for (const options of [machine({ env: { ZINIT_SYSLOG: "0" } }), container({ prelude: privateDev })]) {
      await zinit.start(options);
      expect((await zinit.up.inside(["test", "-e", "/dev/log"])).code).toBe(1);
      await zinit.up.signal("SIGTERM");
      await zinit.up.ends();
    }
  });
});
