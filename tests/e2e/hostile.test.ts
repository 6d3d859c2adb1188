/** The barest surroundings: an empty root that holds nothing but the executable. */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { describe } from "vitest";
import { type Box, expect, rootTest, test } from "./harness/box.ts";
import { oneup } from "./harness/paths.ts";
import { until } from "./harness/wait.ts";

test("the executable is static and at most 10.2 MB", async () => {
  const size = statSync(oneup()).size;
  // The goal is 8 MB; LuaJIT with the C library that scripts call, Rhai and the terminal's drawing
  // have taken it beyond that.
  expect(size).toBeLessThanOrEqual(10_200_000);
  let text = "";
  try {
    text = execFileSync("ldd", [oneup()], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    text = String(error);
  }
  expect(text).toMatch(/not a dynamic executable|statically linked/);
});

/** An empty root with the executable, and what else is named. */
function emptyRoot(box: Box, more: Record<string, string> = {}): string {
  box.copy(oneup(), "root/oneup");
  for (const [name, text] of Object.entries(more)) box.write(`root/${name}`, text);
  return box.path("root");
}

for (const user of [undefined, "nobody"] as const) {
  describe(`an empty chroot, as ${user ?? "root"}`, () => {
    for (const as of ["init", "child"] as const) {
      rootTest(`version, help, check and a command, supervisor as ${as}`, async ({ box }) => {
        const chroot = emptyRoot(box, { "c.toml": '[service.a]\ncommand = "/oneup version"\n' });
        const run = async (...args: string[]) => {
          const end = await box
            .start(["/oneup", ...args], { as, chroot, ...(user === undefined ? {} : { user }) })
            .outcome();
          return end;
        };
        const version = await run("version");
        expect(version, version.err).toMatchObject({ code: 0, err: "" });
        expect((await run("--help")).code).toBe(0);
        expect((await run("check", "/c.toml")).code).toBe(0);
        const command = await run("--", "/oneup", "version");
        expect(command).toMatchObject({ code: 0, out: version.out });
        expect((await run("--", "/absent")).code).toBe(127);
      });
    }

    rootTest("run, with its socket where it may write", async ({ box }) => {
      const chroot = emptyRoot(box, {
        "c.toml":
          '[task.a]\ncommand = "/oneup version"\n[service.b]\ncommand = "/imp fork { setsid pause } say hello pause"\nrequires = ["a"]\n',
      });
      box.copy((await box.run(["sh", "-c", "command -v imp"])).out.trim(), "root/imp");
      await box.run(["install", "-d", "-m", "777", box.path("root/run")]);
      const bin = "/oneup";
      const up = await box.supervise("", {
        bin,
        chroot,
        ...(user === undefined ? {} : { user }),
        paths: ["/c.toml"],
        socket: null,
        args: ["--socket", "/run/s"],
        noWait: true,
        cwd: "/",
      });
      await up.until("its line", () => up.out.includes("b | hello"));
      expect(up.out).toMatch(/a \| oneup \d/);
      const socket = box.path("root/run/s");
      const { call } = await import("./harness/http.ts");
      const answer = await call(socket, "GET", "/v1/services");
      expect(answer.status).toBe(200);
      const stop = await call(socket, "POST", "/v1/services/b/stop");
      expect(stop.status, stop.text).toBe(200);
      expect(stop.json()).toMatchObject([{ service: "b", empty: true }]);
      const verb = await box
        .start(["/oneup", "status", "--socket", "/run/s"], { as: "bare", chroot })
        .outcome();
      expect(verb.code, verb.err).toBe(0);
      await up.signal("SIGTERM");
      expect((await up.ends()).code).toBe(0);
    });
  });
}

describe("nothing at all", () => {
  test("an empty environment", async ({ box }) => {
    const end = await box.run(["env", "-i", oneup(), "--", "/bin/true"], { as: "init" });
    expect(end).toMatchObject({ code: 0, err: "" });
    const up = await box.supervise(`[service.a]\ncommand = "/bin/sleep 100"`, {
      prelude: 'set -- env -i "$@"',
    });
    await up.reaches("a", "running");
  });

  test("an empty argv[0], and none that is known", async ({ box }) => {
    const named = await box.run(["bash", "-c", `exec -a "" "${oneup()}" version`]);
    expect(named.code).toBe(0);
    const strange = await box.run(["bash", "-c", `exec -a some-other-name "${oneup()}" version`]);
    expect(strange.code).toBe(0);
    const login = await box.run(["bash", "-c", `exec -a -oneup "${oneup()}" version`]);
    expect(login.code).toBe(0);
  });

  test("arguments that are no UTF-8 do not end in a panic", async ({ box }) => {
    const end = await box.run(["bash", "-c", `exec "${oneup()}" -- imp say $'\\xff\\xfe'`]);
    expect(end.err).not.toMatch(/panic/i);
    expect([0, 2]).toContain(end.code);
  });

  test("an environment that is no UTF-8 reaches the service unchanged", async ({ box }) => {
    const up = await box.supervise(`[task.a]\ncommand = "sh -c 'printf %s \\"$STRANGE\\" | od -An -tx1'"`, {
      prelude: "STRANGE=$(printf '\\377\\376x'); export STRANGE",
    });
    await up.reaches("a", "exited");
    expect((await up.logText("a")).join("")).toMatch(/ff fe 78/);
  });
});

describe("interference", () => {
  rootTest("every service and its tree is killed again and again, nothing leaks", async ({ box }) => {
    const up = await box.supervise(
      Array.from(
        { length: 10 },
        (_, n) =>
          `[service.s${n}]\ncommand = "imp fork { setsid pause } orphan { pause } pause"\nrestart-delay = "0s"`,
      ).join("\n"),
      { as: "child" },
    );
    const { descriptorsOf } = await import("./harness/proc.ts");
    const settled = () =>
      up.until(
        "three of each",
        async () => (await up.descendants()).filter((each) => each.state !== "Z").length === 30,
      );
    await settled();
    const supervisor = await up.pid();
    const before = descriptorsOf(supervisor).size;
    for (let round = 0; round < 8; round++) {
      for (const each of await up.descendants()) {
        try {
          process.kill(each.pid, "SIGKILL");
        } catch {
          // Gone with its set.
        }
      }
      await settled();
    }
    await until("no more descriptors than before", () => descriptorsOf(supervisor).size <= before + 2);
    await up.noZombies();
    expect((await up.terminate()).code).toBe(0);
  });

  test("SIGSTOP and SIGCONT to the supervisor: timers come due, nothing is lost", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp mark run ${box.path("runs")} exit 1"\nrestart-delay = "100ms"\nrestart-delay-max = "100ms"`,
      { as: "child" },
    );
    await until("some runs", () => box.marks("runs").length > 3);
    await up.signal("SIGSTOP");
    const before = box.marks("runs").length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(box.marks("runs").length - before).toBeLessThanOrEqual(1);
    await up.signal("SIGCONT");
    await until("more runs", () => box.marks("runs").length > before + 3);
    expect((await up.terminate()).code).toBe(0);
  });

  test("the configuration file is gone after the start: nobody needs it", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"`);
    await box.run(["rm", box.path("oneup.toml")]);
    await up.restart("a");
    await up.strike("a");
    await up.reaches("a", "running", (each) => each.restarts > 0);
  });

  test("the executable is gone after the start: nothing is missing", async ({ box }) => {
    const bin = box.copy(oneup(), "gone/oneup");
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"`, { bin });
    await box.run(["rm", bin]);
    await up.strike("a");
    await up.reaches("a", "running", (each) => each.restarts > 0);
    expect((await up.shutdown()).end.code).toBe(0);
  });

  test("its socket is removed by somebody: services go on, TERM ends it in order", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp leave TERM ${box.path("a")} 0 0 touch ${box.path("up")} pause"`,
    );
    await until("the service", () => box.has("up"));
    await box.run(["rm", up.socket]);
    expect((await up.terminate()).code).toBe(0);
    expect(box.words("a")).toEqual(["TERM", "done"]);
  });

  test("a successor's socket is not removed by the predecessor's end", async ({ box }) => {
    const first = await box.supervise(
      `[service.a]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "1s" }`,
      { socket: box.path("s") },
    );
    await until("the service", () => box.has("up"));
    await box.run(["rm", box.path("s")]);
    const second = await box.supervise(`[service.b]\ncommand = "imp pause"`, { socket: box.path("s") });
    await first.terminate();
    expect(Object.keys(await second.states())).toEqual(["b"]);
  });
});
