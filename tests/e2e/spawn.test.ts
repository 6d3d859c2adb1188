/** What a child gets: signals, descriptors, limits, identity. And how a start fails. */
import { describe } from "vitest";
import { expect, rootTest, test } from "./harness/box.ts";
import { statusField } from "./harness/proc.ts";

/** Hardly any program starts from such a mess; a child must not see any of it. */
const dirty =
  "trap '' HUP INT CHLD PIPE XFSZ TSTP TTIN TTOU USR2; ulimit -S -n 777; umask 027; exec 9</dev/null; " +
  `set -- bash -c 'exec 200</; exec "$@"' bash "$@"`;

describe("a service inherits nothing by accident", () => {
  for (const as of ["init", "child"] as const) {
    test(`from a dirty parent, supervisor as ${as}`, async ({ box }) => {
      const up = await box.supervise(`[service.a]\ncommand = "imp state ${box.path("state")} pause"`, {
        as,
        prelude: dirty,
      });
      const state = await box.inherited("state");
      expect(state.ignored).toEqual([]);
      expect(state.blocked).toEqual([]);
      expect(state.fds).toEqual([0, 1, 2]);
      expect(state.limits.nofile?.[0]).toBe(777);
      expect(state.umask).toBe(0o27);
      expect(state.deathSignal).toBe(0);
      // What the C library keeps for itself cannot be asked from within.
      const pid = await up.servicePid("a");
      expect(statusField(pid, "SigIgn")).toBe("0000000000000000");
      expect(statusField(pid, "SigBlk")).toBe("0000000000000000");
    });
  }

  test("from a parent that blocked signals", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp state ${box.path("state")} pause"`, {
      // imp is the only thing here that can block one.
      prelude: 'set -- imp block USR1 block RTMIN+3 block TERM exec "$@"',
    });
    expect((await box.inherited("state")).blocked).toEqual([]);
    const pid = await up.servicePid("a");
    expect(statusField(pid, "SigBlk")).toBe("0000000000000000");
  });

  test("own session and group, /dev/null to read, pipes to write", async ({ box }) => {
    await box.supervise(`[service.a]\ncommand = "imp state ${box.path("state")} pause"`);
    const state = await box.inherited("state");
    expect([state.sid, state.pgid]).toEqual([state.pid, state.pid]);
    expect(state.foreground).toBe(-1);
    expect(state.types).toEqual(["c", "p", "p"]);
  });

  test("an oom score of its own, not the supervisor's", async ({ box }) => {
    await box.supervise(
      `[service.plain]\ncommand = "imp state ${box.path("plain")} pause"
[service.set]\ncommand = "imp state ${box.path("set")} pause"\noom-score-adjust = 300`,
    );
    expect((await box.inherited("plain")).oom).toBe("0");
    expect((await box.inherited("set")).oom).toBe("300");
  });
});

describe("what is configured arrives", () => {
  test("umask, nice, limits, directory, no-new-privileges, environment", async ({ box }) => {
    box.write(
      "work/.env",
      "FROM_FILE=file\nBOTH=file\nQUOTED=\"two words\" # comment\nexport EXPORTED='single'\n",
    );
    box.write("work/later.env", "LATER=1\nFROM_FILE=later\n");
    box.write(
      "work/oneup.toml",
      `[service.a]
command = "imp state ${box.path("state")} pause"
umask = "077"
nice = 5
limits = { nofile = 333, core = "0" }
directory = "sub"
no-new-privileges = true
environment-file = [".env", "later.env", "?absent.env"]
environment = { BOTH = "table", EXPANDED = "\${GREETING}-\${MISSING:-fallback}-$$" }
`,
    );
    box.write("work/sub/keep", "");
    await box.supervise("", { paths: [box.path("work")], env: { GREETING: "hello" } });
    const state = await box.inherited("state");
    expect(state).toMatchObject({ umask: 0o77, nice: 5, cwd: box.path("work", "sub"), noNewPrivileges: 1 });
    expect(state.limits).toMatchObject({ nofile: [333, 333], core: [0, 0] });
    expect(state.environment).toMatchObject({
      FROM_FILE: "later",
      BOTH: "table",
      QUOTED: "two words",
      EXPORTED: "single",
      LATER: "1",
      EXPANDED: "hello-fallback-$",
      GREETING: "hello",
    });
  });

  test("a clean environment holds what the configuration says and little more", async ({ box }) => {
    await box.supervise(
      `[service.a]\ncommand = ["${box.copy(await impPath(box))}", "state", "${box.path("state")}", "pause"]
clean-environment = true\nenvironment = { ONLY = "this" }`,
      { env: { NOISE: "1" } },
    );
    const { environment } = await box.inherited("state");
    expect(environment).toMatchObject({ ONLY: "this" });
    expect(environment).not.toHaveProperty("NOISE");
    expect(environment).not.toHaveProperty("ONEUP_E2E");
  });

  test("a command as words, as argv and by a shell", async ({ box }) => {
    const up = await box.supervise(`
[task.words]
command = "imp say 'two  words' say \\"a\\\\\\"b\\" say a\\\\ b say '$HOME' say ''"
[task.argv]
command = ["imp", "say", "one  arg; not $HOME * a shell"]
[task.shell]
command = "imp say \\"$NAME\\" && imp say $((1 + 1))"
shell = true
environment = { NAME = "expanded by sh" }
`);
    for (const name of ["words", "argv", "shell"]) await up.reaches(name, "exited");
    expect(await up.logText("words")).toEqual(["two  words", 'a"b', "a b", "$HOME", ""]);
    expect(await up.logText("argv")).toEqual(["one  arg; not $HOME * a shell"]);
    expect(await up.logText("shell")).toEqual(["expanded by sh", "2"]);
  });

  rootTest("another user: ids, groups as `id` prints them, HOME and its like", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp state ${box.path("state")} pause"\nuser = "www-data"
[service.b]\ncommand = "imp state ${box.path("state-b")} pause"\nuser = "nobody"\ngroup = "daemon"\ngroups = ["video", "audio"]`,
      { env: { HOME: "/root", USER: "root", LOGNAME: "root", SHELL: "/bin/bash" } },
    );
    const number = async (argv: string[]) => (await box.run(argv)).out.trim().split(/\s+/).map(Number);
    const [uid = 0] = await number(["id", "-u", "www-data"]);
    const [gid = 0] = await number(["id", "-g", "www-data"]);
    const state = await box.inherited("state");
    expect(state).toMatchObject({ uids: [uid, uid, uid], gids: [gid, gid, gid] });
    const sorted = (numbers: number[]) => [...new Set(numbers)].sort((a, b) => a - b);
    expect(sorted([gid, ...state.groups])).toEqual(sorted(await number(["id", "-G", "www-data"])));
    const [, , , , , home, shell] = (await box.run(["getent", "passwd", "www-data"])).out.trim().split(":");
    expect(state.environment).toMatchObject({
      USER: "www-data",
      LOGNAME: "www-data",
      HOME: home,
      SHELL: shell,
    });

    const second = await box.inherited("state-b");
    const group = async (name: string) =>
      Number((await box.run(["getent", "group", name])).out.split(":")[2]);
    const daemon = await group("daemon");
    expect(second.gids).toEqual([daemon, daemon, daemon]);
    expect(sorted(second.groups.filter((each) => each !== daemon))).toEqual(
      sorted([await group("video"), await group("audio")]),
    );
    await up.terminate();
  });

  rootTest("a user that has supplementary groups gets all of them", async ({ box }) => {
    // A private /etc/group says so; the machine's own stays as it is.
    box.write(
      "group",
      `${(await box.run(["cat", "/etc/group"])).out.trim()}\nextra-a:x:61001:nobody\nextra-b:x:61002:nobody\n`,
    );
    await box.supervise(`[service.a]\ncommand = "imp state ${box.path("state")} pause"\nuser = "nobody"`, {
      prelude: `mount --bind ${box.path("group")} /etc/group`,
    });
    expect((await box.inherited("state")).groups).toEqual(expect.arrayContaining([61001, 61002]));
  });

  rootTest("a file in `log` belongs to the supervisor; the child needs no right to it", async ({ box }) => {
    const up = await box.supervise(
      `[task.a]\ncommand = "imp say written"\nuser = "nobody"\nlog = { file = "logs/a.log" }`,
      { prelude: "umask 077" },
    );
    await up.reaches("a", "exited");
    await up.until("the log file", () => box.has("logs/a.log") && box.read("logs/a.log") === "written\n");
  });
});

describe("a start that fails names its step", () => {
  /** Each configuration is right as far as reading it can tell; the start fails. */
  const failures: [string, string, RegExp][] = [
    ["no such command", `command = "no-such-program-here"`, /exec.*(ENOENT|not found|no such file)/i],
    ["no such path", `command = "/no/such/program"`, /exec.*ENOENT/],
    ["not executable", `command = "BOX/plain-file"`, /exec.*EACCES/],
    ["a folder", `command = "BOX"`, /exec.*EACCES/],
    ["missing interpreter", `command = "BOX/bad-script"`, /exec.*ENOENT/],
    ["not a program", `command = "BOX/not-a-program"`, /exec.*ENOEXEC/],
    ["no such folder", `command = "imp pause"\ndirectory = "BOX/absent"`, /directory.*ENOENT/],
  ];
  for (const [title, fields, expected] of failures) {
    test(title, async ({ box }) => {
      box.write("plain-file", "text", 0o644);
      box.write("bad-script", "#!/no/such/interpreter\n", 0o755);
      box.write("not-a-program", "\x00\x01\x02", 0o755);
      const up = await box.supervise(
        `[service.a]\n${fields.replaceAll("BOX", box.folder)}\n[service.other]\ncommand = "imp pause"`,
      );
      const failed = await up.reaches("a", "failed");
      expect(failed.cause).toMatch(/cannot start/);
      expect(failed.cause).toMatch(expected);
      expect(failed).toMatchObject({ pid: null, ready: false, restarts: 0 });
      await up.reaches("other", "running");
      await up.until("a message", () => /a.*cannot start|cannot start.*a/.test(up.err));
      const start = await up.cli(["start", "a"]);
      expect(start.code).toBe(1);
      expect(start.err).toMatch(expected);
      await up.noZombies();
    });
  }

  test("the message about a missing interpreter says that it is the interpreter", async ({ box }) => {
    box.write("bad-script", "#!/no/such/interpreter\n", 0o755);
    const up = await box.supervise(`[service.a]\ncommand = "${box.path("bad-script")}"`);
    expect((await up.reaches("a", "failed")).cause).toMatch(/interpreter/);
  });

  rootTest("a folder that the user may not enter", async ({ box }) => {
    box.write("locked/keep", "", 0o600);
    await box.run(["chmod", "700", box.path("locked")]);
    const up = await box.supervise(
      `[service.a]\ncommand = "imp pause"\nuser = "nobody"\ndirectory = "locked"`,
    );
    expect((await up.reaches("a", "failed")).cause).toMatch(/directory.*EACCES/);
  });

  rootTest("a user that vanishes after the configuration was read", async ({ box }) => {
    const passwd = (await box.run(["cat", "/etc/passwd"])).out;
    box.write("passwd", `${passwd}ghost:x:61234:61234::/nonexistent:/bin/sh\n`);
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"\nuser = "ghost"\nautostart = false`, {
      prelude: `mount --bind ${box.path("passwd")} /etc/passwd`,
    });
    box.write("passwd", passwd);
    const start = await up.cli(["start", "a"]);
    expect(start.code).toBe(1);
    expect((await up.reaches("a", "failed")).cause).toMatch(/user.*ghost/);
  });

  rootTest(
    "a failing start is no reason to be shut down for others, and can be tried again",
    async ({ box }) => {
      const program = box.path("later");
      const up = await box.supervise(`[service.a]\ncommand = "${program}"`);
      await up.reaches("a", "failed");
      box.copy(await impPath(box), "imp-copy");
      box.write("later", `#!/bin/sh\nexec ${box.path("imp-copy")} pause\n`, 0o755);
      expect((await up.cli(["start", "a"])).code).toBe(0);
      await up.reaches("a", "running");
    },
  );

  test("EAGAIN from fork: a failed run, tried again until it works", async ({ box }) => {
    // As a plain user with a limit on processes that is already used up, then lifted.
    const up = await box.supervise(
      `[service.a]\ncommand = "BIN pause"\nrestart-delay = "50ms"\nrestart-delay-max = "100ms"`.replace(
        "BIN",
        box.copy(await impPath(box)),
      ),
      {
        user: "nobody",
        bin: box.copy((await import("./harness/paths.ts")).oneup()),
        noWait: true,
        prelude: "true",
      },
    );
    const pid = await up.pid();
    await up.answers();
    await up.reaches("a", "running");
    // nproc counts the user's processes everywhere; one is always too many.
    // Its own user may change its soft limit; root needs a capability for that.
    const limit = (soft: string) =>
      box.run(["prlimit", "--pid", String(pid), `--nproc=${soft}:`], { user: "nobody" });
    const hard = await box.run(
      ["prlimit", "--pid", String(pid), "--nproc", "--output=HARD", "--noheadings"],
      {
        user: "nobody",
      },
    );
    const lowered = await limit("1");
    expect(lowered.code, lowered.err).toBe(0);
    await up.strike("a");
    const waiting = await up.reaches("a", ["backoff", "starting"], (one) => /EAGAIN/.test(one.cause ?? ""));
    expect(waiting.cause).toMatch(/fork/);
    await limit(hard.out.trim());
    await up.reaches("a", "running");
  });
});

describe("short lives", () => {
  test("a child that is over before anyone looked: its code is still known", async ({ box }) => {
    const codes = [0, 1, 2, 3, 42, 77, 126, 127, 128, 200, 254, 255];
    const services = codes.map((code) => `[task.t${code}]\ncommand = "imp exit ${code}"`).join("\n");
    const up = await box.supervise(services);
    for (const code of codes) {
      const task = await up.reaches(`t${code}`, code === 0 ? "exited" : "failed");
      expect(task.exit).toMatchObject({ code });
      expect(task.pid).toBeNull();
    }
  });

  test("a hundred at once, each with its own output", async ({ box }) => {
    const names = Array.from({ length: 100 }, (_, n) => `t${n}`);
    const up = await box.supervise(
      names.map((name) => `[task.${name}]\ncommand = "imp say I-am-${name}"`).join("\n"),
    );
    for (const name of names) await up.reaches(name, "exited");
    for (const name of names) expect(await up.logText(name)).toEqual([`I-am-${name}`]);
    expect(await up.descendants()).toEqual([]);
  });

  test("death by a signal is told by name", async ({ box }) => {
    const up = await box.supervise(
      ["SEGV", "KILL", "TERM", "ABRT"]
        .map((name) => `[task.${name}]\ncommand = "imp raise ${name}"\nlimits = { core = "0" }`)
        .join("\n"),
      { as: "child" },
    );
    for (const name of ["SEGV", "KILL", "TERM", "ABRT"]) {
      expect((await up.reaches(name, "failed")).exit).toMatchObject({ signal: name });
    }
  });
});

async function impPath(box: { run: (argv: string[]) => Promise<{ out: string }> }): Promise<string> {
  return (await box.run(["sh", "-c", "command -v imp"])).out.trim();
}
