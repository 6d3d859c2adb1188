/** Which files are read, what is passed over, and what keeps horust from starting. */
import { symlinkSync } from "node:fs";
import { describe } from "vitest";
import { expect, type Horust, original, ours, TELL, test } from "./harness.ts";

const only = (horust: Horust, ...paths: string[]) =>
  horust.runBare(["--uds-folder-path", horust.folder, ...paths.flatMap((path) => ["--services-path", path])]);

describe("paths", () => {
  test("a folder without services: nothing to do", async ({ horust }) => {
    horust.box.write("none/readme.txt", "");
    const { code, err } = await only(horust, horust.path("none"));
    expect(code).toBe(0);
    if (original === null) expect(err).toContain("no service could be read from");
  });

  test("a folder that is not there", async ({ horust }) => {
    const { code, err } = await only(horust, horust.path("nowhere"));
    expect(code).toBe(1);
    expect(err).toContain("Failed loading services from");
  });

  test("one file; whatever ends with toml; links; nothing else", async ({ horust }) => {
    horust.file("one.toml", 'command = "echo one"\n');
    expect((await only(horust, horust.path("one.toml"))).out).toBe("one\n");
    horust.file("services/a.toml", 'command = "echo a"\n');
    horust.file("services/b.mytoml", 'command = "echo b"\nstart-after = ["a.toml"]\n');
    horust.file("services/c.txt", 'command = "echo c"\n');
    horust.file("services/deep/d.toml", 'command = "echo d"\n');
    symlinkSync(horust.path("one.toml"), horust.path("services/link.toml"));
    const { code, out } = await only(horust, horust.path("services"));
    expect(code).toBe(0);
    expect(out.split("\n").sort().join(" ").trim()).toBe("a b one");
    expect(await only(horust, horust.path("services/c.txt"))).toMatchObject({ code: 0, out: "" });
  });
});

describe("what is wrong with a file", () => {
  const BAD: readonly (readonly [string, string])[] = [
    ["it is no TOML", "command = "],
    ["an unknown key", 'command = "true"\nunknown = 1'],
    ["an unknown key in a section", 'command = "true"\n[restart]\nunknown = 1'],
    ["a value of another type", 'command = "true"\nstart-delay = 5'],
    ["a duration without a unit", 'command = "true"\nstart-delay = "5"'],
    ["a size that is none", 'command = "true"\nstdout-rotate-size = "100M"'],
    ["an unknown strategy", 'command = "true"\n[restart]\nstrategy = "Always"'],
    ["KILL as the signal", 'command = "true"\n[termination]\nsignal = "KILL"'],
    ["no command", 'name = "x"'],
  ];
  for (const [what, text] of BAD) {
    test(`${what}: the others run`, async ({ horust }) => {
      horust.file("bad.toml", text);
      horust.file("good.toml", 'command = "echo good"\n');
      const { code, out, err } = await horust.run();
      expect({ code, out }).toEqual({ code: 0, out: "good\n" });
      expect(err).toContain("bad.toml");
      if (original === null) expect(err).toMatch(/bad\.toml:\d+:\d+: /);
    });
  }

  test("unknown keys of [environment] are passed over", async ({ horust }) => {
    horust.file("a.toml", 'command = "echo a"\n[environment]\nunknown = 1\n');
    expect(await horust.run()).toMatchObject({ code: 0, out: "a\n", err: "" });
  });

  test("TOML 1.1", async ({ horust }) => {
    horust.file(
      "a.toml",
      'command = "bash -c \'echo $$V\'"\n[environment]\nadditional = {\n  V = "\\x61\\e[0m",\n}\n',
    );
    expect((await horust.run()).out).toBe("a\u001b[0m\n");
  });

  test("durations and sizes in all spellings", async ({ horust }) => {
    const more = `start-delay = "1ms 2us 3nanos"
stdout = "out.log"
stdout-rotate-size = "1.5 kib"
[restart]
backoff = "1.5s"
[termination]
wait = "1h 30min"
signal = "USR1"`;
    horust.file("a.toml", `command = "echo a"\n${more}\n`);
    expect((await horust.run()).code).toBe(0);
    expect(horust.box.read("out.log")).toBe("a\n");
  });
});

describe("what is wrong with all of them together", () => {
  test("names that are not there, and an empty command, all at once", async ({ horust }) => {
    horust.file("a.toml", 'command = ""\nstart-after = ["x.toml"]\nshutdown-after = ["y.toml"]\n');
    const { code, err } = await horust.run();
    expect(code).toBe(1);
    expect(err).toContain("Command is defined, but it is empty");
    expect(err).toContain("should start after");
    expect(err).toContain("has shutdown-after");
  });

  test("a skipped file is not there either", async ({ horust }) => {
    horust.file("bad.toml", "command = 1");
    horust.file("a.toml", 'command = "true"\nstart-after = ["bad.toml"]\n');
    expect((await horust.run()).code).toBe(1);
  });

  test("names of files and names in files", async ({ horust }) => {
    horust.file("a.toml", 'name = "database"\ncommand = "echo a"\n');
    horust.file("b.toml", 'command = "echo b"\nstart-after = ["database"]\n');
    expect((await horust.run()).out).toBe("a\nb\n");
    horust.file("b.toml", 'command = "echo b"\nstart-after = ["a.toml"]\n');
    expect((await horust.run()).code).toBe(1);
  });

  test("die-if-failed may name what is not there", async ({ horust }) => {
    horust.file("a.toml", 'command = "echo a"\n[termination]\ndie-if-failed = ["x.toml"]\n');
    expect(await horust.run()).toMatchObject({ code: 0, out: "a\n", err: "" });
  });

  ours("found by reading 15: a name that two files have", async ({ horust }) => {
    horust.file("a.toml", 'name = "same"\ncommand = "echo a"\n');
    horust.file("b.toml", 'name = "same"\ncommand = "echo b"\n');
    const { code, out, err } = await horust.run();
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("b.toml:1:8");
    expect(err).toContain("a.toml");
  });

  ours("found by reading 16: a circle of start-after", async ({ horust }) => {
    horust.file("a.toml", 'command = "true"\nstart-after = ["b.toml"]\n');
    horust.file("b.toml", 'command = "true"\nstart-after = ["a.toml"]\n');
    horust.file("c.toml", 'command = "true"\nstart-after = ["c.toml"]\n');
    const { code, err } = await horust.run();
    expect(code).toBe(1);
    expect(err).toContain('"a.toml" -> "b.toml" -> "a.toml"');
    expect(err).toContain('"c.toml" -> "c.toml"');
  });

  ours("found by reading 16: a circle of shutdown-after: they stop together", async ({ horust }) => {
    for (const [own, other] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      horust.script(
        own,
        `touch ${horust.path(`${own}-up`)}; exec sleep 99`,
        `shutdown-after = ["${other}.toml"]`,
      );
    }
    horust.start([], { env: { HORUST_LOG: "warn" } });
    await horust.makes("a-up");
    await horust.makes("b-up");
    expect(horust.running.err).toContain("stopped together");
    await horust.signal("SIGTERM");
    expect((await horust.running.outcome()).code).toBe(0);
  });
});

describe("commands", () => {
  test("are split as a shell does it, and nothing more", async ({ horust }) => {
    horust.file("a.toml", `command = '''printf "%s|" "a b" c\\ d 'e "f"' "" $$HOME *  g#h # a comment'''\n`);
    expect((await horust.run()).out).toBe('a b|c d|e "f"||$HOME|*|g#h|');
  });

  ours("defect 6: one of blanks has failed, and TERM ends everything else", async ({ horust }) => {
    horust.file("a.toml", 'command = "   "\n');
    expect((await horust.run([TELL])).code).toBe(101);
    horust.script("b", `touch ${horust.path("up")}; exec sleep 99`);
    horust.start();
    await horust.makes("up");
    await horust.signal("SIGTERM");
    expect((await horust.running.outcome()).code).toBe(0);
  });

  test("a program is searched where horust's own are", async ({ horust }) => {
    horust.box.write("tools/tool", "#!/bin/sh\necho found\n", 0o755);
    horust.file("a.toml", 'command = "tool"\n[environment]\nadditional = { PATH = "/usr/bin:/bin" }\n');
    const PATH = `${horust.path("tools")}:${process.env.PATH}`;
    expect((await horust.run([], { env: { PATH } })).out).toBe("found\n");
  });
});

describe("horust.toml", () => {
  const told = (horust: Horust, text: string) => {
    const path = horust.file("conf/horust.toml", text);
    return horust.run(["--config-path", path]);
  };

  test("its key in snake case", async ({ horust }) => {
    horust.script("a", "exit 1");
    expect((await told(horust, "unsuccessful_exit_finished_failed = true")).code).toBe(101);
    expect((await told(horust, "unsuccessful_exit_finished_failed = false")).code).toBe(0);
  });

  ours("defect 16: its key with dashes, or none", async ({ horust }) => {
    horust.script("a", "exit 1");
    expect((await told(horust, "unsuccessful-exit-finished-failed = true")).code).toBe(101);
    expect((await told(horust, "")).code).toBe(0);
  });

  test("what is no TOML", async ({ horust }) => {
    const { code, err } = await told(horust, "not toml at all");
    expect(code).toBe(1);
    expect(err).toContain(`Error: Failed loading configuration: ${horust.path("conf/horust.toml")}`);
  });
});

describe("defect 15: the limits' section", () => {
  for (const section of [
    '[resource-limit]\ncpu = 0.5\nmemory = "100 MiB"\npids-max = 100',
    '[resource]\ncpu-percent = 200\nmemory = "100 MiB"',
  ]) {
    ours(section.split("\n")[0] ?? "", async ({ horust }) => {
      horust.file("a.toml", `command = "echo a"\n${section}\n`);
      expect(await horust.run()).toMatchObject({ code: 0, out: "a\n", err: "" });
    });
  }
});
