/** The control socket: who makes it, who may use it, what becomes of a dead one. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { describe } from "vitest";
import { expect, isRoot, rootTest, test } from "./harness/box.ts";
import { oneup } from "./harness/paths.ts";
import { descendantsOf, descriptorsOf, isAlive } from "./harness/proc.ts";
import { until } from "./harness/wait.ts";

const one = `[service.a]\ncommand = "imp pause"\n`;

describe("the file", () => {
  test("mode 0600, gone after the end, nothing beside it", async ({ box }) => {
    box.write("d/keep", "");
    const up = await box.supervise(one, { socket: box.path("d/sock"), prelude: "umask 0" });
    const status = statSync(box.path("d/sock"));
    expect(status.isSocket()).toBe(true);
    expect((status.mode & 0o777).toString(8)).toBe("600");
    expect(readdirSync(box.path("d")).sort()).toEqual(["keep", "sock"]);
    await up.terminate();
    expect(readdirSync(box.path("d"))).toEqual(["keep"]);
  });

  test("a dead socket is replaced", async ({ box }) => {
    const path = box.path("dead");
    // Bound and left behind, as by a program that was killed.
    await box.run([
      "python3",
      "-c",
      `import socket; s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(path)})`,
    ]);
    expect(existsSync(path)).toBe(true);
    const up = await box.supervise(one, { socket: path });
    expect(Object.keys(await up.states())).toEqual(["a"]);
  });

  test("a live socket of another program is never stolen", async ({ box }) => {
    const path = box.path("live");
    const server = createServer((connection) => connection.destroy());
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      const end = await box.oneup(["run", box.configuration(one), "--socket", path]);
      expect(end.code).toBe(2);
      expect(server.listening).toBe(true);
      expect(existsSync(path)).toBe(true);
    } finally {
      server.close();
    }
  });

  test("what is no socket is never removed", async ({ box }) => {
    box.write("file", "precious");
    const end = await box.oneup(["run", box.configuration(one), "--socket", box.path("file")]);
    expect(end.code).toBe(2);
    expect(box.read("file")).toBe("precious");
    symlinkSync(box.path("file"), box.path("link"));
    expect((await box.oneup(["run", box.path("oneup.toml"), "--socket", box.path("link")])).code).toBe(2);
    expect(box.read("file")).toBe("precious");
    expect(lstatSync(box.path("link")).isSymbolicLink()).toBe(true);
  });

  test("an explicit one that cannot be made: exit 2, nothing started", async ({ box }) => {
    const config = box.configuration(`[service.a]\ncommand = "imp touch ${box.path("started")} pause"`);
    const end = await box.oneup(["run", config, "--socket", box.path("no/such/folder/s")]);
    expect(end.code).toBe(2);
    expect(end.err).toMatch(/no\/such\/folder/);
    expect(box.has("started")).toBe(false);
  });

  rootTest("a default one that cannot be made: one message, the services run", async ({ box }) => {
    const config = box.configuration(
      `[service.a]\ncommand = "imp touch ${box.path("started")} say hello pause"`,
    );
    const up = await box.supervise("", {
      paths: [config],
      socket: null,
      noWait: true,
      env: { XDG_RUNTIME_DIR: "/proc/none", TMPDIR: "/proc/none" },
      prelude:
        "mount -t tmpfs none /run && mount -o remount,ro /run; mount -t tmpfs none /var/tmp; mount -o remount,ro /var/tmp",
    });
    await up.until("the service's line", () => up.out.includes("a | hello"));
    expect(up.err).toMatch(/socket/i);
    expect((await up.terminate()).code).toBe(0);
  });

  test("a project's folder for it is private", async ({ box }) => {
    box.write("run/keep", "");
    const env = { XDG_RUNTIME_DIR: box.path("run") };
    const config = box.configuration(one, "project/oneup.toml");
    const up = await box.supervise("", { paths: [config], socket: null, noWait: true, env, as: "child" });
    await up.until(
      "status",
      async () => (await box.oneup(["status"], { env, cwd: box.path("project") })).code === 0,
    );
    const [folder = ""] = readdirSync(box.path("run")).filter((name) => name !== "keep");
    expect((statSync(box.path("run", folder)).mode & 0o077).toString(8)).toBe("0");
    await up.terminate();
  });

  test("without XDG_RUNTIME_DIR: below the temporary folder, which TMPDIR names", async ({ box }) => {
    const env = { XDG_RUNTIME_DIR: undefined, TMPDIR: box.path("tmp") };
    mkdirSync(box.path("tmp"));
    const config = box.configuration(one, "project/oneup.toml");
    const up = await box.supervise("", { paths: [config], socket: null, noWait: true, env, as: "child" });
    await up.until(
      "status",
      async () => (await box.oneup(["status"], { env, cwd: box.path("project") })).code === 0,
    );
    expect(readdirSync(box.path("tmp")).length).toBeGreaterThan(0);
  });

  rootTest("somebody else's folder in the temporary folder is not trusted", async ({ box }) => {
    mkdirSync(box.path("tmp"));
    chmodSync(box.path("tmp"), 0o1777);
    const env = { XDG_RUNTIME_DIR: undefined, TMPDIR: box.path("tmp") };
    const config = box.configuration(one, "project/oneup.toml");
    // What name it takes is its own affair: learn it, then put a foreign folder there.
    const first = await box.supervise("", { paths: [config], socket: null, noWait: true, env, as: "child" });
    await first.until(
      "status",
      async () => (await box.oneup(["status"], { env, cwd: box.path("project") })).code === 0,
    );
    const [name = ""] = readdirSync(box.path("tmp"));
    await first.terminate();
    await box.run(["rm", "-rf", box.path("tmp", name)]);
    await box.run([
      "setpriv",
      "--reuid=nobody",
      "--regid=nogroup",
      "--clear-groups",
      "mkdir",
      "-m",
      "777",
      box.path("tmp", name),
    ]);
    const second = await box.supervise("", { paths: [config], socket: null, noWait: true, env, as: "child" });
    await second.until("a message", () => /no control socket/.test(second.err));
    await second.until("its service", async () => (await second.descendants()).length === 1);
    expect(readdirSync(box.path("tmp", name))).toEqual([]);
  });

  rootTest("the system instance: PID 1 uses /run/oneup", async ({ box }) => {
    const config = box.configuration(one, "project/oneup.toml");
    const up = await box.supervise("", {
      paths: [config],
      socket: null,
      noWait: true,
      prelude: "mount -t tmpfs none /run",
    });
    await up.until(
      "the socket",
      async () => (await up.inside(["sh", "-c", "test -S /run/oneup/*"])).code === 0,
    );
    const status = await up.inside([oneup(), "status", "--json"], { cwd: "/" });
    expect(status.code, status.err).toBe(0);
    const mode = await up.inside(["sh", "-c", "stat -c %a /run/oneup/*"]);
    expect(mode.out.trim()).toBe("600");
  });
});

describe("who may use it", () => {
  rootTest("another user is turned away even where the mode would let him in", async ({ box }) => {
    const up = await box.supervise(one);
    chmodSync(up.socket, 0o777);
    const bin = box.copy(oneup());
    const stranger = await box.oneup(["status"], { user: "nobody", bin, env: { ONEUP_SOCKET: up.socket } });
    expect(stranger.code).not.toBe(0);
    expect(stranger.err).not.toBe("");
    const stop = await box.oneup(["stop", "a"], { user: "nobody", bin, env: { ONEUP_SOCKET: up.socket } });
    expect(stop.code).not.toBe(0);
    expect((await up.service("a")).state).toBe("running");
  });

  rootTest("root and the owner", async ({ box }) => {
    const bin = box.copy(oneup());
    const up = await box.supervise(one, { user: "nobody", bin });
    expect((await up.cli(["status"])).code).toBe(0);
    expect((await up.cli(["status"], { user: "nobody" })).code).toBe(0);
  });
});

describe("bad manners", () => {
  test("connections that come and say nothing do not keep others out; beyond the limit they are closed", async ({
    box,
  }) => {
    const up = await box.supervise(one);
    const raws = await Promise.all(Array.from({ length: 100 }, () => up.raw()));
    expect((await up.services()).length).toBe(1);
    for (const raw of raws) raw.drop();
    const many = await Promise.all(Array.from({ length: 300 }, () => up.raw()));
    await until("some to be closed", () => many.some((raw) => raw.closed));
    for (const raw of many) raw.drop();
    await up.until("answers again", async () => (await up.services()).length === 1);
    const pid = await up.pid();
    await up.until("descriptors to be closed", () => descriptorsOf(pid).size < 60);
  });

  test("rubbish, half a request, too long a head, too large a body", async ({ box }) => {
    const up = await box.supervise(one);
    const send = async (data: string | Buffer) => {
      const raw = await up.raw();
      raw.send(data);
      return raw;
    };
    const rubbish = await send(Buffer.from([0, 1, 2, 3, 255, 254, 10, 13, 10, 13, 10]));
    await until("its end", () => rubbish.closed || rubbish.text.startsWith("HTTP/1.1 400"));
    const half = await send("GET /v1/serv");
    const head = await send(`GET / HTTP/1.1\r\nhost: x\r\n${"x: y\r\n".repeat(20_000)}`);
    await until("its end", () => head.closed || /HTTP\/1\.1 4\d\d/.test(head.text));
    const body = await up.post("/v1/services/a/kill", "x".repeat(2_000_000)).catch(() => null);
    if (body !== null) expect(body.status).toBe(413);
    expect((await up.services()).length).toBe(1);
    half.drop();
  });

  test("several requests on one connection, and in one go", async ({ box }) => {
    const up = await box.supervise(one);
    const raw = await up.raw();
    raw.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /status HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("two answers", () => (raw.text.match(/HTTP\/1\.1 200/g) ?? []).length === 2);
    raw.send("GET /v1/services HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("the third", () => (raw.text.match(/HTTP\/1\.1 200/g) ?? []).length === 3);
    raw.drop();
  });

  test("a client that goes away while it waits: nobody is owed an answer, all goes on", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "700ms" }`,
    );
    await until("the service", () => box.has("up"));
    const raws = await Promise.all(Array.from({ length: 20 }, () => up.raw()));
    for (const raw of raws)
      raw.send("POST /v1/services/a/stop HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    await up.reaches("a", "stopping");
    for (const raw of raws) raw.drop();
    await up.reaches("a", "inactive");
    expect(await up.start("a")).toMatchObject({ state: "running" });
  });
});

describe("the supervisor is killed with -9", () => {
  /**
   * What is held: a dead socket does not stop the next supervisor, and it says nothing wrong about
   * what it does not know. As PID 1 the kernel ends everything with it. As a child, the services
   * of the killed one are orphans of somebody else; a new supervisor cannot adopt them. It starts
   * its own, so two of each may run: a service that must not run twice has to hold a lock of its
   * own (as databases do). This test writes down that this is so.
   */
  test("not PID 1: the next one replaces the socket and works; the orphans are left alone", async ({
    box,
  }) => {
    const config = `[service.a]\ncommand = "imp mark run ${box.path("runs")} pause"`;
    const first = await box.supervise(config, {
      as: "child",
      socket: box.path("s"),
      afterwards: "exec sleep 3600",
    });
    await first.reaches("a", "running");
    const orphan = await first.servicePid("a");
    const init = await first.initPid();
    await first.signal("SIGKILL");
    await until("its end", () => !descendantsOf(init).some((each) => each.comm.startsWith("oneup")));
    expect(existsSync(box.path("s"))).toBe(true);
    const second = await box.supervise(config, { as: "child", socket: box.path("s") });
    await second.reaches("a", "running");
    expect(isAlive(orphan)).toBe(true);
    expect(await box.wordsOf("runs", 2)).toHaveLength(2);
    expect((await second.terminate()).code).toBe(0);
    expect(isAlive(orphan)).toBe(true);
  });

  test("PID 1: everything ends with it, the next one starts clean", async ({ box }) => {
    const first = await box.supervise(`[service.a]\ncommand = "imp pause"`, { socket: box.path("s") });
    await first.reaches("a", "running");
    const service = await first.servicePid("a");
    await first.signal("SIGKILL");
    await first.ends();
    await until("the end of its service", () => !isAlive(service));
    const second = await box.supervise(`[service.a]\ncommand = "imp pause"`, { socket: box.path("s") });
    await second.reaches("a", "running");
  });
});

test("as a plain user, without any privilege", async ({ box }) => {
  const bin = isRoot ? box.copy(oneup()) : oneup();
  const up = await box.supervise(
    `[service.a]\ncommand = "${box.copy((await box.run(["sh", "-c", "command -v imp"])).out.trim())} state ${box.path("state")} pause"`,
    { user: "nobody", bin, prelude: "true" },
  );
  await box.inherited("state");
  expect((await up.terminate()).code).toBe(0);
});
