/** `oneup -- CMD`: an init for one command. */
import { describe } from "vitest";
import { type Box, expect, type Running, test } from "./harness/box.ts";
import { oneup } from "./harness/paths.ts";
import { descendantsOf, findCommand, isAlive, statusField } from "./harness/proc.ts";
import { until } from "./harness/wait.ts";

type As = "init" | "child";

async function supervisorOf(running: Running): Promise<number> {
  return until("the supervisor's process", () => findCommand(running.pid, running.argv));
}

const single = (box: Box, as: As, words: string, flags: string[] = [], prelude = ":") =>
  box.background([...flags, "--", "imp", ...words.split(" ")], { as, prelude });

for (const as of ["init", "child"] as const) {
  describe(`as ${as}`, () => {
    for (const code of [0, 1, 7, 42, 126, 127, 255]) {
      test(`exit code ${code} is kept`, async ({ box }) => {
        const end = await box.oneup(["--", "imp", "exit", String(code)], { as });
        expect(end).toMatchObject({ code, err: "" });
      });
    }

    test("death by a signal is 128 + its number", async ({ box }) => {
      for (const [name, number] of [
        ["TERM", 15],
        ["KILL", 9],
        ["INT", 2],
        ["USR1", 10],
        ["RTMIN+3", 37],
      ] as const) {
        const end = await box.oneup(["--", "imp", "raise", name], { as });
        expect(end.code, name).toBe(128 + number);
      }
    });

    test("the verb may be said: `oneup run -- CMD`", async ({ box }) => {
      expect((await box.oneup(["run", "--", "imp", "exit", "3"], { as })).code).toBe(3);
    });

    test("a command that is not there: 127; one that cannot be run: 126", async ({ box }) => {
      box.write("plain", "text", 0o644);
      const missing = await box.oneup(["--", "no-such-program-here"], { as });
      expect(missing.code).toBe(127);
      expect(missing.err).toMatch(/no-such-program-here/);
      const plain = await box.oneup(["--", box.path("plain")], { as });
      expect(plain.code).toBe(126);
      expect(plain.err).toMatch(/EACCES|permission/i);
      const folder = await box.oneup(["--", box.folder], { as });
      expect(folder.code).toBe(126);
    });

    test("stdin, stdout and stderr are the command's own", async ({ box }) => {
      const end = await box.oneup(["--", "imp", "err", "to stderr", "echo"], {
        as,
        input: "first\nsecond\n",
      });
      expect(end).toMatchObject({ code: 0, out: "read first\nread second\neof\n", err: "to stderr\n" });
    });

    test("binary output and a missing last line break pass unchanged", async ({ box }) => {
      const direct = box.start(["imp", "binary", "50000"], { as: "bare" });
      await direct.outcome();
      const running = box.background(["--", "imp", "binary", "50000"], { as });
      await running.outcome();
      expect(running.outBytes.equals(direct.outBytes)).toBe(true);
    });

    test("every signal is forwarded, each time it comes", async ({ box }) => {
      const names = [
        "HUP",
        "INT",
        "QUIT",
        "USR1",
        "USR2",
        "ALRM",
        "TERM",
        "WINCH",
        "PWR",
        "VTALRM",
        "PROF",
        "XCPU",
        "RTMIN+0",
        "RTMIN+1",
        "RTMIN+15",
        "RTMIN+30",
      ];
      const number = (name: string): NodeJS.Signals | number =>
        name.startsWith("RTMIN+") ? 34 + Number(name.slice(6)) : (`SIG${name}` as NodeJS.Signals);
      const running = single(
        box,
        as,
        `${names.map((name) => `on ${name} ${box.path("marks")}`).join(" ")} touch ${box.path("up")} until ${box.path("go")} exit 9`,
      );
      await until("the command", () => box.has("up"));
      const target = await supervisorOf(running);
      for (let round = 0; round < 3; round++) {
        for (const name of names) {
          const before = box.words("marks").filter((word) => word === name).length;
          process.kill(target, number(name));
          await until(
            `${name} to arrive`,
            () => box.words("marks").filter((word) => word === name).length === before + 1,
          );
        }
      }
      box.write("go", "");
      expect((await running.outcome()).code).toBe(9);
    });

    test("the command starts with default dispositions and an empty mask", async ({ box }) => {
      const words = `state ${box.path("state")} touch ${box.path("up")} pause`;
      const running = single(box, as, words, [], "trap '' HUP INT QUIT PIPE CHLD USR2 TSTP TTIN TTOU");
      await until("the command", () => box.has("up"));
      expect(await box.inherited("state")).toMatchObject({ ignored: [], blocked: [] });
      const command = descendantsOf(running.pid).find((one) => one.comm === "imp")?.pid ?? 0;
      expect(statusField(command, "SigIgn")).toBe("0000000000000000");
      expect(statusField(command, "SigBlk")).toBe("0000000000000000");
    });

    test("orphans are reaped while the command runs", async ({ box }) => {
      const running = single(
        box,
        as,
        `repeat 200 { orphan { exit 0 } } touch ${box.path("made")} until ${box.path("go")} exit 0`,
      );
      await until("the orphans", () => box.has("made"));
      await until("no zombie", () => descendantsOf(running.pid).every((one) => one.state !== "Z"));
      box.write("go", "");
      expect((await running.outcome()).code).toBe(0);
    });

    test("what the command leaves behind gets TERM and may finish; the code is the command's", async ({
      box,
    }) => {
      const leave = (name: string) => `leave TERM ${box.path(name)} 200 0 touch ${box.path(`${name}-up`)}`;
      const running = single(
        box,
        as,
        `fork { ${leave("group")} pause } fork { setsid ${leave("session")} pause } orphan { setsid fork { ${leave("daemon")} pause } } until ${box.path("go")} exit 7`,
      );
      const names = ["group", "session", "daemon"];
      await until("all three", () => names.every((name) => box.has(`${name}-up`)));
      box.write("go", "");
      expect((await running.outcome()).code).toBe(7);
      for (const name of names) expect(box.words(name), name).toEqual(["TERM", "done"]);
    });

    test("--stop-timeout: then KILL, and the code is still the command's", async ({ box }) => {
      const running = single(
        box,
        as,
        `fork { setsid ignore TERM touch ${box.path("up")} pause } until ${box.path("up")} exit 3`,
        ["--stop-timeout", "300ms"],
      );
      expect((await running.outcome()).code).toBe(3);
      expect(descendantsOf(running.pid).filter((one) => isAlive(one.pid))).toEqual([]);
    });

    test("no socket is made, nothing is written", async ({ box }) => {
      const end = await box.oneup(["--", "sh", "-c", "ls -A $TMPDIR; ls -A /run/oneup 2>/dev/null; true"], {
        as,
      });
      expect(end).toMatchObject({ code: 0, out: "", err: "" });
    });
  });
}

test("the command gets its arguments as they were", async ({ box }) => {
  const end = await box.oneup(["--", "printf", "[%s]", "", "a b", "--", "-x", "$HOME", "é"]);
  expect(end.out).toBe("[][a b][--][-x][$HOME][é]");
});

test("flags behind the command are the command's", async ({ box }) => {
  const end = await box.oneup(["--", "imp", "say", "--help", "say", "--json"]);
  expect(end).toMatchObject({ code: 0, out: "--help\n--json\n" });
});

test("nothing behind the two dashes is wrong usage", async ({ box }) => {
  const end = await box.oneup(["--"]);
  expect(end.code).toBe(2);
  expect(end.err).not.toBe("");
});

test("itself as its command, ten deep", async ({ box }) => {
  const nested = Array.from({ length: 10 }, () => [oneup(), "--"]).flat();
  const end = await box.run([...nested, "imp", "exit", "5"], { as: "init" });
  expect(end.code).toBe(5);
});
