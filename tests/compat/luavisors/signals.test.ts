/** Signals that the program gets: who is told, and what becomes of the program itself. */
import { describe } from "vitest";
import type { Running } from "../../e2e/harness/box.ts";
import { isAlive, processOf } from "../../e2e/harness/proc.ts";
import { expect, type Lua, ours, test, until } from "./harness.ts";

/** A child that notes in FILE what signals it gets, and leaves with 4 when it has had USR2. */
const noter = (file: string) => {
  const on = ["HUP", "USR1", "TERM", "CHLD"].map((signal) => `"on", "${signal}", "${file}"`).join(", ");
  return `init.exec("imp", ${on}, "leave", "USR2", "${file}", 0, 4, "mark", "up", "${file}", "pause")`;
};

/** Started without a namespace: the pid is the program's own. */
const bare = (lua: Lua, text: string): Running => lua.start(text, { as: "bare" });

describe("children are told", () => {
  test("of every signal, each of them, and the program goes on", async ({ lua }) => {
    // A moment before status: without it the original tells nobody (B2).
    const running = bare(
      lua,
      `local one, two = ${noter("one")}, ${noter("two")}
      init.sleep(0.3)
      print(one:status(), two:status()) io.flush()
      init.sleep(99)`,
    );
    for (const file of ["one", "two"]) await lua.box.wordsOf(file, 1);
    // The original's handlers are there a moment after the child.
    await until("a first signal that arrives", () => {
      running.child.kill("SIGHUP");
      return lua.box.words("two").includes("HUP") && lua.box.words("one").includes("HUP");
    });
    for (const signal of ["USR1", "TERM", "USR2"] as const) {
      running.child.kill(`SIG${signal}`);
      for (const file of ["one", "two"]) {
        await until(`${signal} in ${file}`, () => lua.box.words(file).includes(signal));
      }
    }
    await lua.says(running, "4\t4");
    expect(isAlive(running.pid)).toBe(true);
  });

  ours("B2: also when the script asks for the status at once", async ({ lua }) => {
    const running = bare(lua, `os.exit(${noter("marks")}:status())`);
    await lua.box.wordsOf("marks", 1);
    running.child.kill("SIGTERM");
    expect(await lua.box.wordsOf("marks", 2)).toEqual(["up", "TERM"]);
    running.child.kill("SIGUSR2");
    expect(await running.outcome()).toMatchObject({ code: 4, signal: null });
  });

  ours("while Lua is busy, too", async ({ lua }) => {
    const running = bare(lua, `${noter("marks")} while true do end`);
    await lua.box.wordsOf("marks", 1);
    running.child.kill("SIGTERM");
    expect(await lua.box.wordsOf("marks", 2)).toEqual(["up", "TERM"]);
  });

  ours("B4: not of the end of other children", async ({ lua }) => {
    const running = bare(
      lua,
      `${noter("marks")} for i = 1, 5 do init.exec("true"):status() end os.execute("true") print("over") io.flush() init.sleep(99)`,
    );
    await lua.box.wordsOf("marks", 1);
    await lua.says(running, "over");
    running.child.kill("SIGHUP");
    expect(await lua.box.wordsOf("marks", 2)).toEqual(["up", "HUP"]);
  });

  ours("not after their end, when their number may be somebody else's", async ({ lua }) => {
    const running = bare(
      lua,
      `local first = init.exec("true") first:status() ${noter("marks")} print("up") io.flush() init.sleep(99)`,
    );
    await lua.box.wordsOf("marks", 1);
    running.child.kill("SIGTERM");
    expect(await lua.box.wordsOf("marks", 2)).toEqual(["up", "TERM"]);
  });
});

describe("the program itself", () => {
  test("without ever a child a signal does what it does by default", async ({ lua }) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) {
      const running = bare(lua, 'print("up") io.flush() init.sleep(99)');
      await lua.says(running, "up");
      running.child.kill(signal);
      expect(await running.outcome()).toMatchObject({ code: null, signal });
    }
  });

  ours("B3: after the end of the last child, too", async ({ lua }) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const running = bare(lua, 'init.exec("true"):status() print("up") io.flush() init.sleep(99)');
      await lua.says(running, "up");
      running.child.kill(signal);
      expect(await running.outcome()).toMatchObject({ code: null, signal });
    }
  });

  ours("what was ignored before stays ignored, as with nohup", async ({ lua }) => {
    const running = lua.start(
      'print(init.pid()) io.flush() init.sleep(0.2) init.kill(init.pid(), 1) print("on")',
      {
        as: "bare",
        prelude: "trap '' HUP",
      },
    );
    expect(await running.outcome()).toMatchObject({ code: 0, out: `${running.pid}\non\n` });
  });

  ours("it can be stopped and continued, and is whole after it", async ({ lua }) => {
    const running = bare(lua, 'print("up") io.flush() io.read() print("on") io.flush() init.sleep(99)');
    await lua.says(running, "up");
    for (const round of [1, 2]) {
      running.child.kill("SIGTSTP");
      await until(`stop ${round}`, () => processOf(running.pid)?.state === "T");
      running.child.kill("SIGCONT");
      await until(`end of stop ${round}`, () => processOf(running.pid)?.state !== "T");
    }
    await lua.says(running, "on");
    running.child.kill("SIGTERM");
    expect(await running.outcome()).toMatchObject({ signal: "SIGTERM" });
  });

  // Stopped, it gets all of them in one moment, as after a long sleep of the whole machine.
  ours("many signals at once are all heard", async ({ lua }) => {
    const names = ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "URG", "VTALRM", "PROF", "WINCH"];
    const running = bare(
      lua,
      `local missing = ${names.length}
      for _, name in ipairs { ${names.map((name) => `"${name}"`).join(", ")} } do
        init.on(init.signal["SIG" .. name], function()
          missing = missing - 1
          if missing == 0 then print("all") os.exit(0) end
        end)
      end
      print("up") io.flush() init.sleep(99)`,
    );
    await lua.says(running, "up");
    running.child.kill("SIGSTOP");
    await until("its stop", () => processOf(running.pid)?.state === "T");
    for (const name of names) running.child.kill(`SIG${name}` as NodeJS.Signals);
    running.child.kill("SIGCONT");
    expect(await running.outcome()).toMatchObject({ code: 0, out: "up\nall\n", err: "" });
  });

  ours("a broken pipe is an error of the one write", async ({ lua }) => {
    const end = await lua.box.run([
      "sh",
      "-c",
      '"$0" "$1" 2> err | true; cat err',
      lua.program,
      lua.script(`
        local sleeper = init.exec("sleep", 99)
        local ok = true
        while ok do ok = io.write(("x"):rep(1000)) and io.flush() init.sleep(0) end
        io.stderr:write(tostring(ok), " ", sleeper:kill(), " ", sleeper:status())
      `),
    ]);
    expect(end.out).toBe("nil 9 9");
  });
});
