/** zinit-server: flags, places, its own log, its end. */
import { existsSync, statSync } from "node:fs";
import { describe } from "vitest";
import { isAlive } from "../../e2e/harness/proc.ts";
import { expect, isRoot, ours, test, type Zinit } from "./harness.ts";

/** Waits until a server answers at this socket, asked by the command line that is told of it. */
async function answersAt(zinit: Zinit, socket: string): Promise<void> {
  await zinit.until(`an answer at ${socket}`, async () => {
    if (zinit.running.over) throw new Error(`it left${zinit.running.report()}`);
    return existsSync(socket) && (await zinit.cliWith({ env: { ZINIT_SOCKET: socket } }, "ping")).code === 0;
  });
}

describe("places", () => {
  test("missing folders are made, the socket is for its user and group", async ({ zinit }) => {
    await zinit.start();
    expect(statSync(zinit.socket).mode & 0o777).toBe(0o660);
  });

  test("without a word: below HOME", async ({ zinit }) => {
    const socket = zinit.box.path("hero/var/zinit.sock");
    await zinit.start({ bare: true });
    await zinit.answers();
    expect(existsSync(socket)).toBe(true);
    expect(existsSync(zinit.box.path("hero/cfg/zinit"))).toBe(true);
    expect(zinit.running.out).toContain("starting zinit-server");
  });

  ours("BUG 37: ZINIT_CONFIG_DIR and ZINIT_SOCKET are read, below the flags", async ({ zinit }) => {
    const env = { ZINIT_CONFIG_DIR: zinit.box.path("a/b"), ZINIT_SOCKET: zinit.box.path("c/d/sock") };
    zinit.box.write("a/b/web.toml", '[service]\nname = "web"\nexec = "sleep 999"\n');
    await zinit.start({ bare: true, noWait: true, env });
    await answersAt(zinit, env.ZINIT_SOCKET);
    expect((await zinit.cliWith({ env }, "list")).out).toContain("● web");
    await zinit.up.terminate();
    await zinit.start({ env });
    expect(await zinit.call("service.list")).toEqual([]);
  });

  ours("a folder that cannot be made ends it", async ({ zinit }) => {
    zinit.box.write("file", "");
    const path = zinit.box.path("file/services");
    const end = await zinit.box.run([zinit.program("zinit-server"), "-c", path, "-s", zinit.socket]);
    expect(end.code).toBe(1);
    expect(end.err).toBe(`Error: ${path} cannot be made: Not a directory (os error 20)\n`);
  });

  ours("the socket of a server that lives is not taken", async ({ zinit }) => {
    await zinit.start();
    const args = ["-c", zinit.configDir, "-s", zinit.socket];
    const second = await zinit.box.run([zinit.program("zinit-server"), ...args]);
    expect(second.code).toBe(2);
    expect(second.err).toContain("already listens");
    expect(await zinit.call("system.ping")).toEqual({ version: "0.3.9" });
  });

  test("a socket that was left behind is replaced", async ({ zinit }) => {
    await zinit.start();
    const former = zinit.up;
    await former.signal("SIGKILL");
    await former.ends();
    expect(existsSync(zinit.socket)).toBe(true);
    await zinit.start();
    expect(await zinit.call("system.ping")).toEqual({ version: "0.3.9" });
  });
});

describe("its own log on stdout", () => {
  const bad = 'name = "nothing here"\n';

  test("lines with time and level, in colours", async ({ zinit }) => {
    zinit.file("bad.toml", bad);
    zinit.service("web", "sleep 999");
    await zinit.start();
    await zinit.reaches("web", "running");
    const line = (level: string, text: string) =>
      new RegExp(
        `\u001b\\[2m20\\d\\d-\\d\\d-\\d\\dT[\\d:]{8}\\.\\d{6}Z\u001b\\[0m \u001b\\[\\d\\dm${level}\u001b\\[0m .*${text}`,
      );
    expect(zinit.running.out).toMatch(line(" INFO", "starting zinit-server"));
    expect(zinit.running.out).toMatch(line(" WARN", "bad.toml"));
    await zinit.until("the service's line", () =>
      line(" INFO", "service started.*web").test(zinit.running.out),
    );
    expect(zinit.running.err).toBe("");
  });

  test("--log-level, and RUST_LOG before it", async ({ zinit }) => {
    zinit.file("bad.toml", bad);
    await zinit.start({ args: ["--log-level", "error"] });
    expect(zinit.running.out).toBe("");
    await zinit.shutdown();
    await zinit.start({ args: ["--log-level", "error"], env: { RUST_LOG: "warn" } });
    expect(zinit.running.out).toContain("WARN");
    expect(zinit.running.out).not.toContain("INFO");
    await zinit.shutdown();
    await zinit.start({ args: ["--log-level", "debug"] });
    expect(zinit.running.out).toContain("DEBUG");
  });

  ours("ZINIT_LOG_LEVEL below the flag; NO_COLOR", async ({ zinit }) => {
    zinit.file("bad.toml", bad);
    const env = { ZINIT_LOG_LEVEL: "warn", NO_COLOR: "1" };
    await zinit.start({ env });
    expect(zinit.running.out).toMatch(/^20\S+Z {2}WARN .*bad\.toml.*\n$/);
    await zinit.shutdown();
    await zinit.start({ env, args: ["--log-level", "info"] });
    expect(zinit.running.out).toContain("  INFO starting zinit-server");
  });
});

describe("its end", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    ours(`BUG 9: ${signal} stops the services in order and leaves with 0`, async ({ zinit }) => {
      // What is stopped first is slow about it.
      const service = { dir: zinit.box.folder };
      const exec = (name: string, slow: string) =>
        `trap '${slow} echo ${name} >> order; exit 0' TERM; echo up; while :; do sleep 0.05; done`;
      zinit.service("db", exec("db", ""), { service });
      zinit.service("web", exec("web", "sleep 0.3;"), { service, dependencies: { requires: ["db"] } });
      await zinit.start();
      await zinit.writes("db", "up");
      await zinit.writes("web", "up");
      const pids = [await zinit.servicePid("web"), await zinit.servicePid("db")];
      await zinit.up.signal(signal);
      const end = await zinit.up.ends();
      expect(end).toMatchObject({ code: 0, err: "" });
      expect(pids.filter(isAlive)).toEqual([]);
      expect(zinit.box.read("order")).toBe("web\ndb\n");
      expect(existsSync(zinit.socket)).toBe(false);
    });
  }
});

describe.runIf(isRoot)("--pid1-mode", () => {
  const prelude =
    "mount -t tmpfs tmpfs /etc && mkdir -p /etc/zinit/system /etc/zinit/services && " +
    `printf '[service]\\nname = "base"\\nexec = "sleep 999"\\n' > /etc/zinit/system/base.toml && ` +
    `printf '[service]\\nname = "web"\\nexec = "sleep 999"\\n' > /etc/zinit/services/web.toml && ` +
    `printf '[service]\\nname = "base"\\nexec = "false"\\n' > /etc/zinit/services/base.toml`;

  test("what fails and is critical is told as an error", async ({ zinit }) => {
    const service = { critical: true };
    zinit.service("web", "exit 3", { service, lifecycle: { restart: "never" } });
    await zinit.start({ args: ["--pid1-mode", "--log-level", "error"], env: { ZINIT_SYSLOG: "0" } });
    await zinit.until("a block of errors", () =>
      /ERROR.*critical.*\n.*ERROR.*exited with code 3/i.test(zinit.running.out),
    );
  });

  ours("the system's places, its services first", async ({ zinit }) => {
    await zinit.start({
      bare: true,
      noWait: true,
      args: ["--pid1-mode"],
      env: { ZINIT_SYSLOG: "0" },
      prelude,
    });
    const inside = (...args: string[]) => zinit.up.inside([zinit.program("zinit"), ...args]);
    await zinit.until("the server", async () => (await inside("ping")).code === 0);
    expect((await inside("list")).out).toMatch(
      /^● base Running \(pid: \d+\)\n● web {2}Running \(pid: \d+\)\n$/,
    );
  });
});
