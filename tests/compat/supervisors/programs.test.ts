/** The life of programs: what they get, what is told of them, when they come again. */
import { readFileSync, statSync } from "node:fs";
import { describe } from "vitest";
import { expect, ours, sh, test } from "./harness.ts";

describe("a program", () => {
  test("writes to the same stdout and stderr, without a label", async ({ supervisors }) => {
    await supervisors.programs({ a: sh("printf 'out without end'; echo err >&2; exec sleep 99") });
    await supervisors.start();
    await supervisors.until("its output", () => supervisors.running.out.includes("out without end"));
    await supervisors.until("its errors", () => supervisors.running.err.includes("err\n"));
    expect(supervisors.running.err).toBe("err\n");
    expect(supervisors.running.out).not.toContain("a | ");
  });

  test("gets its arguments as they are, no shell between", async ({ supervisors }) => {
    const args = ["-c", 'printf "%s|" "$@" > args', "sh", "$HOME", "a  b", "*", "", "'q'"];
    await supervisors.programs({ a: { command: "sh", args } });
    await supervisors.start();
    await supervisors.until(
      "the arguments",
      () => supervisors.box.has("args") && supervisors.box.read("args") !== "",
    );
    expect(supervisors.box.read("args")).toBe("$HOME|a  b|*||'q'|");
  });

  test("gets environment, folder and stdin", async ({ supervisors }) => {
    await supervisors.programs({ a: sh('read line; echo "$line $MINE $(pwd)" > got; exec sleep 99') });
    await supervisors.start({ env: { MINE: "yes" }, input: "hello\n" });
    await supervisors.until(
      "what it got",
      () => supervisors.box.has("got") && supervisors.box.read("got") !== "",
    );
    expect(supervisors.box.read("got")).toBe(`hello yes ${supervisors.box.folder}\n`);
  });

  test("is found relative to the folder if its name has a slash", async ({ supervisors }) => {
    supervisors.box.write("bin/own", "#!/bin/sh\necho own > ran\n", 0o755);
    await supervisors.programs({ a: { command: "bin/own" } });
    await supervisors.start();
    await supervisors.until("its mark", () => supervisors.box.has("ran"));
  });

  test("may have any name", async ({ supervisors }) => {
    const names = ["a b", "ä", "x.y", "-", "a/b", "oneup"];
    await supervisors.programs(Object.fromEntries(names.map((name) => [name, sh("exec sleep 99")])));
    await supervisors.start();
    for (const name of names) await supervisors.isRunning(name, true);
    expect(Object.keys(await supervisors.status()).sort()).toEqual([...names].sort());
  });

  test("all run at once", async ({ supervisors }) => {
    const wait = (own: string, other: string) =>
      sh(`touch ${own}; while [ ! -e ${other} ]; do sleep 0.01; done; echo met >> met`);
    await supervisors.programs({ a: wait("a", "b"), b: wait("b", "a") });
    await supervisors.start();
    await supervisors.until(
      "both",
      () => supervisors.box.has("met") && supervisors.box.read("met") === "met\nmet\n",
    );
  });
});

describe("what is told", () => {
  test("the start, as a list of arguments", async ({ supervisors }) => {
    await supervisors.programs({
      none: { command: "true" },
      some: {
        command: "/bin/true",
        args: ["a b", 'q"q', "back\\slash", "new\nline", "tab\t", "é 猫", "it's"],
      },
    });
    await supervisors.start();
    expect(await supervisors.lines(/^\[none\] Starting/)).toEqual(["[none] Starting: true []"]);
    expect(await supervisors.lines(/^\[some\] Starting/)).toEqual([
      '[some] Starting: /bin/true ["a b", "q\\"q", "back\\\\slash", "new\\nline", "tab\\t", "é 猫", "it\'s"]',
    ]);
  });

  test("the end, by code or by signal", async ({ supervisors }) => {
    await supervisors.programs({
      good: { command: "true" },
      bad: sh("exit 3"),
      killed: sh("kill -KILL $$"),
      ended: sh("kill -TERM $$"),
      realtime: sh("kill -40 $$"),
    });
    await supervisors.start();
    expect(await supervisors.lines(/^\[good\] Exited/)).toEqual(["[good] Exited with: exit status: 0"]);
    expect(await supervisors.lines(/^\[bad\] Exited/)).toEqual(["[bad] Exited with: exit status: 3"]);
    expect(await supervisors.lines(/^\[killed\] Exited/)).toEqual([
      "[killed] Exited with: signal: 9 (SIGKILL)",
    ]);
    expect(await supervisors.lines(/^\[ended\] Exited/)).toEqual([
      "[ended] Exited with: signal: 15 (SIGTERM)",
    ]);
    expect(await supervisors.lines(/^\[realtime\] Exited/)).toEqual(["[realtime] Exited with: signal: 40"]);
  });

  test("that it left a core", async ({ supervisors }) => {
    await supervisors.programs({
      a: sh("ulimit -c unlimited; kill -QUIT $$"),
      b: sh("ulimit -c 0; kill -QUIT $$"),
    });
    await supervisors.start();
    const cores = readFileSync("/proc/sys/kernel/core_pattern", "utf8").trim();
    const [a] = await supervisors.lines(/^\[a\] Exited/);
    // Where cores go to a program, or nowhere, the kernel may not call it one.
    if (/^\//.test(cores) || cores === "core")
      expect(a).toBe("[a] Exited with: signal: 3 (SIGQUIT) (core dumped)");
    else expect(a).toMatch(/^\[a\] Exited with: signal: 3 \(SIGQUIT\)/);
    expect(await supervisors.lines(/^\[b\] Exited/)).toEqual(["[b] Exited with: signal: 3 (SIGQUIT)"]);
  });

  test("each line at once, in the order of what happened", async ({ supervisors }) => {
    await supervisors.programs({ a: sh("echo at work; sleep 0.1; echo done") });
    await supervisors.start();
    await supervisors.lines(/Exited/);
    const own = supervisors.up.lines().filter((line) => !line.startsWith("API"));
    expect(own[0]).toMatch(/^\[a\] Starting: /);
    expect(own.slice(1)).toEqual(["at work", "done", "[a] Exited with: exit status: 0"]);
  });
});

describe("autorestart", () => {
  const mark = "date +%s%N >> starts";

  function starts(text: string): number[] {
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => Number(line) / 1e6);
  }

  for (const [what, end] of [
    ["success", "exit 0"],
    ["failure", "exit 1"],
    ["a signal", "kill -KILL $$"],
  ] as const) {
    test(`3 s after every end: ${what}`, async ({ supervisors }) => {
      await supervisors.programs({ a: sh(`${mark}; ${end}`, { autorestart: true }) });
      await supervisors.start();
      await supervisors.lines(/^\[a\] Exited/, 2);
      const [first = 0, second = 0] = starts(supervisors.box.read("starts"));
      // No jitter takes anything off it.
      expect(second - first).toBeGreaterThanOrEqual(2990);
      await supervisors.isRunning("a", false);
    });
  }

  test("again and again, without growing", async ({ supervisors }) => {
    await supervisors.programs({ a: sh(mark, { autorestart: true }) });
    await supervisors.start();
    await supervisors.lines(/^\[a\] Starting/, 4);
    expect(supervisors.running.over).toBe(false);
  });

  test("without it: one run, and supervisors stays", async ({ supervisors }) => {
    await supervisors.programs({ a: sh("exit 1"), b: sh("exit 0", { autorestart: false }) });
    await supervisors.start();
    await supervisors.lines(/Exited/, 2);
    await supervisors.isRunning("a", false);
    await supervisors.isRunning("b", false);
    expect(supervisors.up.lines().filter((line) => line.includes("Starting"))).toHaveLength(2);
  });
});

describe("one that cannot be started", () => {
  test("is no obstacle to the others", async ({ supervisors }) => {
    await supervisors.programs({
      missing: { command: "no-such-program" },
      folder: { command: "/tmp" },
      fine: sh("exec sleep 99"),
    });
    await supervisors.start();
    await supervisors.isRunning("fine", true);
    await supervisors.until("the reason", () => supervisors.running.err.includes("Failed to spawn process"));
    expect(supervisors.running.over).toBe(false);
  });

  ours("B3: is not shown as running", async ({ supervisors }) => {
    await supervisors.programs({ missing: { command: "no-such-program" }, fine: sh("exec sleep 99") });
    await supervisors.start();
    await supervisors.isRunning("missing", false);
    expect(await supervisors.status()).toEqual({ missing: false, fine: true });
    expect(supervisors.running.err).toMatch(
      /^oneup \| \[missing\] Failed to spawn process: program "no-such-program" not found in PATH \(.*\)\n$/,
    );
  });

  ours("B3: with autorestart it is tried again after 3 s", async ({ supervisors }) => {
    await supervisors.programs({ late: { command: "./late", autorestart: true } });
    await supervisors.start();
    await supervisors.until("the failure", () => supervisors.running.err.includes("Failed to spawn process"));
    supervisors.box.write("late", "#!/bin/sh\necho ran > ran\nexec sleep 99\n", 0o755);
    await supervisors.until("its mark", () => supervisors.box.has("ran"));
    await supervisors.isRunning("late", true);
  });
});

describe("logfile", () => {
  test("gets both streams; what supervisors tells stays on stdout", async ({ supervisors }) => {
    await supervisors.programs({ a: sh("echo out; echo err >&2", { logfile: "a.log" }) });
    await supervisors.start();
    await supervisors.lines(/^\[a\] Exited/);
    expect(supervisors.box.read("a.log")).toBe("out\nerr\n");
    const lines = supervisors.up.lines().filter((line) => !line.startsWith("API"));
    expect(lines).toHaveLength(2);
    expect(supervisors.running.err).toBe("");
  });

  test("is appended to, also by the next run", async ({ supervisors }) => {
    supervisors.box.write("a.log", "before\n");
    await supervisors.programs({ a: sh("echo run", { logfile: "a.log", autorestart: true }) });
    await supervisors.start();
    await supervisors.lines(/^\[a\] Exited/, 2);
    expect(supervisors.box.read("a.log")).toBe("before\nrun\nrun\n");
  });

  test("may belong to several, begins where supervisors was started, and is as open as the umask lets it", async ({
    supervisors,
  }) => {
    const logfile = "logs/both.log";
    supervisors.box.write("logs/other", "");
    await supervisors.programs({ a: sh("echo a", { logfile }), b: sh("echo b", { logfile }) });
    await supervisors.start({ prelude: "umask 027" });
    await supervisors.lines(/Exited/, 2);
    expect(supervisors.box.read(logfile).split("\n").sort()).toEqual(["", "a", "b"]);
    expect(statSync(supervisors.box.path(logfile)).mode & 0o777).toBe(0o640);
  });

  test("that cannot be opened is as a program that cannot be started", async ({ supervisors }) => {
    await supervisors.programs({
      a: sh("echo ran > marker", { logfile: "no/such/folder/a.log" }),
      b: sh("exec sleep 99"),
    });
    await supervisors.start();
    await supervisors.until("the reason", () => supervisors.running.err.includes("Failed to open logfile"));
    await supervisors.isRunning("b", true);
    expect(supervisors.box.has("marker")).toBe(false);
  });
});
