/** The scenarios of horust's own command line and of a service's general keys. */
import { describe } from "vitest";
import { expect, isRoot, original, ours, TELL, test } from "./harness.ts";

describe("the command line", () => {
  test("1: --help", async ({ horust }) => {
    const { code, out } = await horust.runBare(["--help"]);
    expect(code).toBe(0);
    expect(out).toContain("--unsuccessful-exit-finished-failed");
  });

  test("2: a failed service shows in the exit code only if it is to", async ({ horust }) => {
    horust.script("a", "exit 1");
    expect((await horust.run()).code).toBe(0);
    expect((await horust.run([TELL])).code).toBe(101);
  });

  test("3: so does a command that is not there", async ({ horust }) => {
    horust.file("a.toml", 'command = ",sorry_not_found_1234"\n');
    expect((await horust.run()).code).toBe(0);
    expect((await horust.run([TELL])).code).toBe(101);
  });

  test("4: one command, in one argument", async ({ horust }) => {
    const { code, out } = await horust.runBare([
      "--uds-folder-path",
      horust.folder,
      "--",
      "/usr/bin/env bash -c 'echo hello world'",
    ]);
    expect(code).toBe(0);
    expect(out).toContain("hello world");
    const wrong = await horust.runBare(["--uds-folder-path", horust.folder, TELL, "--", '"']);
    expect(wrong.code).toBe(101);
    expect(wrong.err).toContain("Failed spawning the process: Invalid command:");
  });

  test("5: services of two folders know each other", async ({ horust }) => {
    for (let index = 0; index < 10; index++) {
      const after = index === 0 ? "" : `start-after = ["${index - 1}.toml"]\n`;
      horust.file(`${index % 2 === 0 ? "one" : "two"}/${index}.toml`, `command = "true"\n${after}`);
    }
    const { code } = await horust.runBare([
      ...["--uds-folder-path", horust.folder],
      ...["--services-path", horust.path("one"), "--services-path", horust.path("two")],
    ]);
    expect(code).toBe(0);
  });

  test("6: a chain of ten", async ({ horust }) => {
    for (let index = 0; index < 10; index++) {
      const after = index === 0 ? "" : `start-after = ["${index - 1}.toml"]`;
      horust.script(String(index), `echo ${index} >> ${horust.path("order")}`, after);
    }
    expect((await horust.run()).code).toBe(0);
    // Each starts when the one before it runs, not when that has ended.
    expect(horust.linesNow("order").sort()).toEqual([..."0123456789"]);
  });
});

describe("a service's general keys", () => {
  for (const stream of ["stdout", "stderr"] as const) {
    const write = stream === "stdout" ? "printf Hello" : "printf Hello >&2";
    test(`7: ${stream} to STDOUT, STDERR, and a file`, async ({ horust }) => {
      horust.script("a", write, `${stream} = "STDOUT"`);
      const out = await horust.run();
      expect(out).toMatchObject({ code: 0, err: "" });
      expect(out.out).toContain("Hello");

      horust.script("a", write, `${stream} = "STDERR"`);
      const err = await horust.run();
      expect(err).toMatchObject({ code: 0, out: "" });
      expect(err.err).toContain("Hello");

      horust.script("a", write, `${stream} = "${horust.path("written.log")}"`);
      expect(await horust.run()).toMatchObject({ code: 0, out: "" });
      expect(horust.box.read("written.log")).toBe("Hello");
    });
  }

  test("8: rotation by size", async ({ horust }) => {
    const more = `stdout = "${horust.path("out.log")}"\nstdout-rotate-size = "50"`;
    horust.script("a", "for i in {1..100}; do printf '%04d\\n' $i; done", more);
    expect(await horust.run()).toMatchObject({ code: 0, out: "" });
    const numbers = (first: number) =>
      Array.from({ length: 10 }, (_, index) => `${String(first + index).padStart(4, "0")}\n`).join("");
    expect(horust.box.read("out.log")).toBe(numbers(1));
    expect(horust.box.read("out.log.9")).toBe(numbers(91));
    expect(horust.box.read("out.log.10")).toBe("");
    expect(horust.box.has("out.log.11")).toBe(false);
  });

  test("with the time in its names", async ({ horust }) => {
    const more = `stdout = "${horust.path("out.log")}"\nstdout-rotate-size = "4"
stdout-should-append-timestamp-to-filename = true`;
    horust.script("a", "printf 12345678", more);
    expect((await horust.run()).code).toBe(0);
    const { readdirSync } = await import("node:fs");
    const names = readdirSync(horust.folder).filter((name) => name.startsWith("out.log"));
    const [first = ""] = names;
    expect(first).toMatch(/^out\.log\.\d{10}$/);
    expect(names.sort()).toEqual([first, `${first}.1`, `${first}.2`]);
  });

  test("9: a program that is in no folder of PATH", async ({ horust }) => {
    horust.file("a.toml", 'command = "non-existent-command"\n');
    const { code, err } = await horust.run();
    expect(code).toBe(0);
    expect(err).toContain('Program "non-existent-command" not found in any of the PATH directories');
  });

  test("10: a program that is", async ({ horust }) => {
    horust.file("a.toml", 'command = "echo kilroy was here"\n');
    const { code, out, err } = await horust.run();
    expect({ code, out, err }).toEqual({ code: 0, out: "kilroy was here\n", err: "" });
  });

  test("11, 12: where it runs", async ({ horust }) => {
    horust.box.write("else/where", "");
    horust.script("a", "pwd", `working-directory = "${horust.path("else")}"`);
    expect((await horust.run()).out).toBe(`${horust.path("else")}\n`);
    horust.script("a", "pwd");
    expect((await horust.run()).out).toBe(`${horust.folder}\n`);
  });

  test("13: start-after and start-delay", async ({ horust }) => {
    horust.script("a", "echo a");
    horust.script("b", "echo b", 'start-delay = "500millis"\nstart-after = ["a.toml"]');
    horust.script("c", "echo c", 'start-delay = "500millis"\nstart-after = ["b.toml"]');
    expect(await horust.run()).toMatchObject({ code: 0, out: "a\nb\nc\n" });
  });

  (isRoot ? test : test.skip)("14: user", async ({ horust }) => {
    horust.script("a", "whoami", 'user = "games"');
    horust.script("b", "whoami");
    const { out } = await horust.run();
    expect(out.split("\n").slice(0, -1).sort()).toEqual(["games", "root"]);
  });

  test("15: a stop does not wait for a delay", async ({ horust }) => {
    horust.script("a", "while true; do sleep 1; done", 'start-delay = "10s"');
    horust.script("b", `touch ${horust.path("up")}; exec sleep 99`);
    horust.start();
    await horust.makes("up");
    await horust.signal("SIGINT");
    expect((await horust.running.outcome(9000)).code).toBe(0);
  });

  test("stdin is that of the supervisor", async ({ horust }) => {
    horust.file("a.toml", 'command = "cat"\n');
    const { out } = await horust.run([], { input: "from above\n" });
    expect(out).toBe("from above\n");
  });

  test("a restart appends to a file that is not rotated", async ({ horust }) => {
    const script = `[ -e ${horust.path("once")} ] && { echo two; exit 0; }; touch ${horust.path("once")}; echo one; sleep 1; exit 1`;
    horust.script("a", script, `stdout = "${horust.path("log")}"\n[restart]\nstrategy = "on-failure"`);
    expect((await horust.run()).code).toBe(0);
    expect(horust.linesNow("log")).toEqual(["one", "two"]);
  });

  test('stderr = "STDOUT" follows stdout into a file', async ({ horust }) => {
    horust.script("a", "echo out; echo err >&2", `stdout = "${horust.path("log")}"\nstderr = "STDOUT"`);
    expect(await horust.run()).toMatchObject({ code: 0, out: "", err: "" });
    expect(horust.linesNow("log")).toEqual(["out", "err"]);
  });
});

describe("environment", () => {
  const env = { DB_PASS: "MyPassword" };

  test("16: additional beats re-export and keep-env", async ({ horust }) => {
    horust.file("a.toml", 'command = "printenv"\n');
    expect((await horust.run()).out).not.toContain("bar");
    const more = '[environment]\nkeep-env = true\nre-export = ["TERM"]\nadditional = { TERM = "bar" }';
    horust.file("b.toml", `command = "printenv"\n${more}\n`);
    expect((await horust.run([], { env: { TERM: "foo" } })).out).toContain("TERM=bar");
  });

  test("17 to 20: keep-env and re-export", async ({ horust }) => {
    const told = async (section: string) => {
      horust.file("a.toml", `command = "printenv"\n${section}\n`);
      return (await horust.run([], { env })).out.includes("MyPassword");
    };
    expect(await told("")).toBe(false);
    expect(await told("[environment]\nkeep-env = true")).toBe(true);
    expect(await told("[environment]\nkeep-env = false")).toBe(false);
    expect(await told('[environment]\nkeep-env = false\nre-export = ["DB_PASS"]')).toBe(true);
  });

  test("what each service has", async ({ horust }) => {
    horust.file("a.toml", 'command = "printenv"\n');
    const { out } = await horust.run([], { env: { TERM: "dumb" } });
    const names = out.split("\n").map((line) => line.split("=")[0]);
    for (const name of ["HOSTNAME", "PATH", "USER", "HOME", "TERM"]) expect(names).toContain(name);
    expect(names).not.toContain("LANG");
  });

  ours("defect 9: HOSTNAME ends with its last letter", async ({ horust }) => {
    horust.file("a.toml", "command = \"bash -c 'echo [$$HOSTNAME]'\"\n");
    const { out } = await horust.run();
    expect(out).toMatch(/^\[\S+\]\n$/);
  });

  test("variables in the file", async ({ horust }) => {
    horust.file("a.toml", 'command = "echo $WORD ${WORD} ${NONE:-none} $$WORD"\n');
    expect((await horust.run([], { env: { WORD: "w" } })).out).toBe("w w none $WORD\n");
  });

  test("one that is not set costs that file only", async ({ horust }) => {
    horust.file("a.toml", 'command = "echo $NOT_SET_HERE"\n');
    horust.file("b.toml", 'command = "echo b"\n');
    const { code, out, err } = await horust.run();
    expect({ code, out }).toEqual({ code: 0, out: "b\n" });
    expect(err).toContain("a.toml");
    if (original === null) expect(err).toContain('a.toml:1:17: the variable "NOT_SET_HERE" is not set');
  });
});
