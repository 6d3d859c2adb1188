/** The command line, and what is said about a wrong file. */
import { describe } from "vitest";
import { expect, ours, sh, test, text } from "./harness.ts";

describe("the command line", () => {
  for (const flag of ["-h", "--help"]) {
    test(flag, async ({ supervisors }) => {
      const end = await supervisors.run([flag]);
      expect(end).toMatchObject({ code: 0, err: "" });
      expect(end.out).toContain("Usage: supervisors");
      expect(end.out).toMatch(/-c, --configfile <CONFIGFILE>/);
      expect(end.out).toContain("supervisors.toml");
    });
  }

  for (const flag of ["-V", "--version"]) {
    test(flag, async ({ supervisors }) => {
      expect(await supervisors.run([flag])).toMatchObject({ code: 0, out: "supervisors 0.1.4\n", err: "" });
    });
  }

  for (const args of [["--nonsense"], ["-x"], ["word"], ["-c"], ["-c", "a", "-c", "b"], ["status"]]) {
    test(`${args.join(" ")} is wrong usage`, async ({ supervisors }) => {
      await supervisors.programs({ a: sh("echo started > marker") });
      const end = await supervisors.run(args);
      expect(end).toMatchObject({ code: 2, out: "" });
      expect(end.err).toMatch(/^error: /);
      expect(supervisors.box.has("marker")).toBe(false);
    });
  }

  for (const args of [
    ["-c", "other.toml"],
    ["-cother.toml"],
    ["--configfile", "other.toml"],
    ["--configfile=other.toml"],
  ]) {
    test(args.join(" "), async ({ supervisors }) => {
      supervisors.box.write("other.toml", text({ other: sh("exec sleep 99") }, ""));
      await supervisors.start({ args });
      await supervisors.lines(/^\[other\] Starting: /);
    });
  }

  test("without a word it is supervisors.toml of the folder it is started in", async ({ supervisors }) => {
    supervisors.box.write("deep/supervisors.toml", text({ deep: sh("pwd > ../where; exec sleep 99") }, ""));
    await supervisors.start({ cwd: supervisors.box.path("deep") });
    await supervisors.until("the folder", () => supervisors.box.has("where"));
    await supervisors.lines(/^\[deep\] Starting: /);
  });
});

describe("a wrong file is exit 101, and nothing is started", () => {
  const good = text({ a: sh("echo started > marker") }, "");

  test("one that is not there", async ({ supervisors }) => {
    const end = await supervisors.run();
    expect(end.code).toBe(101);
    expect(end.err).toContain("Failed to read config: ");
    expect(end.err).toContain("No such file or directory");
  });

  test("a folder", async ({ supervisors }) => {
    const end = await supervisors.run(["-c", "."]);
    expect(end.code).toBe(101);
    expect(end.err).toContain("Failed to read config: ");
  });

  for (const [what, wrong] of [
    ["no TOML", "[programs"],
    ["no programs", 'listen = ""\n'],
    ["programs that are no table", 'programs = "a"\n'],
    ["a program that is no table", "[programs]\na = 1\n"],
    ["no command", "[programs.b]\nargs = []\n"],
    ["a command of another kind", "[programs.b]\ncommand = 1\n"],
    ["a command that is a list", '[programs.b]\ncommand = ["a"]\n'],
    ["arguments of another kind", '[programs.b]\ncommand = "a"\nargs = "b"\n'],
    ["an argument of another kind", '[programs.b]\ncommand = "a"\nargs = ["b", 1]\n'],
    ["autorestart of another kind", '[programs.b]\ncommand = "a"\nautorestart = "true"\n'],
    ["a logfile of another kind", '[programs.b]\ncommand = "a"\nlogfile = false\n'],
  ] as const) {
    test(what, async ({ supervisors }) => {
      const file = wrong.startsWith("[programs.b]") ? `${good}${wrong}` : wrong;
      supervisors.box.write("supervisors.toml", file);
      const end = await supervisors.run();
      expect(end.code).toBe(101);
      expect(end.err).toContain("Invalid config format: ");
      expect(supervisors.box.has("marker")).toBe(false);
    });
  }

  test("the reason is told", async ({ supervisors }) => {
    supervisors.box.write("supervisors.toml", "listen = 'x'\n");
    expect((await supervisors.run()).err).toContain("missing field `programs`");
  });

  ours("with its place, all at once, and without a trace of calls", async ({ supervisors }) => {
    supervisors.box.write("supervisors.toml", "[programs.a]\nargs = 1\n[programs.b]\ncommand = true\n");
    const end = await supervisors.run();
    expect(end.err.split("\n")).toEqual([
      'Invalid config format: supervisors.toml:1:11: programs.a: missing field `command` (write command = "…" below it)',
      "Invalid config format: supervisors.toml:2:8: programs.a.args: expected a list of strings, got an integer",
      "Invalid config format: supervisors.toml:4:11: programs.b.command: expected a string, got true",
      "",
    ]);
  });

  ours("an address that is none", async ({ supervisors }) => {
    for (const listen of ["3000", "localhost", "localhost:", ":3000", "a b:1", "localhost:99999"]) {
      supervisors.box.write("supervisors.toml", text({ a: sh("echo started > marker") }, listen));
      const end = await supervisors.run();
      expect([listen, end.code]).toEqual([listen, 101]);
      expect(end.err).toContain("listen: ");
    }
    expect(supervisors.box.has("marker")).toBe(false);
  });
});

describe("what means nothing is ignored", () => {
  test("unknown keys and tables, anywhere", async ({ supervisors }) => {
    const more =
      'nonsense = 1\n[other.table]\nx = [1, 2]\n[programs.b]\ncommand = "sleep"\nargs = ["99"]\nuser = "me"\n';
    supervisors.box.write("supervisors.toml", `listen = ""\n${more}`);
    await supervisors.start();
    await supervisors.lines(/^\[b\] Starting: sleep \["99"\]$/);
  });

  test("that there is no program", async ({ supervisors }) => {
    await supervisors.programs({});
    await supervisors.start();
    expect((await supervisors.get("/status")).text).toBe("[]");
  });
});

describe("oneup itself", () => {
  ours("runs such a file, beside native ones", async ({ box }) => {
    box.write("services/web.toml", text({ web: sh("exec sleep 99") }, null));
    box.write("services/native.toml", '[service.native]\ncommand = "sleep 99"\nafter = ["web"]\n');
    const up = await box.supervise("", { paths: [box.path("services")] });
    await up.reaches("web", "running");
    await up.reaches("native", "running");
    expect(up.lines().filter((line) => line.includes("Starting"))).toEqual([]);
  });

  ours("checks it: errors with their places, and what it does without", async ({ box }) => {
    box.write("a.toml", `${text({ web: sh("exec sleep 99") }, "localhost:3000")}usr = "x"\n`);
    const fine = await box.oneup(["check", "a.toml"]);
    expect(fine.code).toBe(0);
    expect(fine.err).toContain("a.toml:1:1: warning: listen: oneup itself does not answer there");
    expect(fine.err).toContain('a.toml:5:1: warning: unknown key "programs.web.usr"');
    box.write("b.toml", "[programs.a]\nargs = 1\n");
    const wrong = await box.oneup(["check", "b.toml"]);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain("b.toml:2:8: programs.a.args: expected a list of strings");
  });
});
