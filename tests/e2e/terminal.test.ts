/** On a terminal: Ctrl-C once, job control, hang-up, colours. */
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { oneup } from "./harness/paths.ts";
import { allProcesses, commandLine, descendantsOf, isAlive } from "./harness/proc.ts";
import { Terminal } from "./harness/terminal.ts";
import { until } from "./harness/wait.ts";

describe("oneup run", () => {
  test("Ctrl-C stops the services with one TERM each; the kernel's INT does not reach them", async ({
    box,
  }) => {
    const config = box.configuration(
      `[service.a]\ncommand = "imp on INT ${box.path("int")} leave TERM ${box.path("term")} 100 0 hello pause"`,
    );
    const terminal = new Terminal(box, [oneup(), "run", config, "--socket", box.path("s")]);
    await terminal.shows(/a.*\|.*hello/);
    terminal.type("\x03");
    expect(await terminal.status()).toBe("exit 0");
    expect(box.words("term")).toEqual(["TERM", "done"]);
    expect(box.words("int")).toEqual([]);
  });

  test("Ctrl-C twice: KILL", async ({ box }) => {
    const config = box.configuration(
      `[service.a]\ncommand = "imp ignore TERM hello pause"\nstop = { timeout = "10m" }`,
    );
    const terminal = new Terminal(box, [oneup(), "run", config, "--socket", box.path("s")]);
    await terminal.shows(/a.*\|.*hello/);
    const before = terminal.screen.length;
    terminal.type("\x03");
    await terminal.shows(/oneup.*\|/, before);
    terminal.type("\x03");
    expect(await terminal.status()).toBe("exit 0");
  });

  test("the terminal goes away: the services do not notice", async ({ box }) => {
    const config = box.configuration(`[service.a]\ncommand = "imp on HUP ${box.path("hup")} count 5"`);
    const terminal = new Terminal(box, [oneup(), "run", config, "--socket", box.path("s")]);
    await terminal.shows(/a.*\|.*\d+ 3/);
    const [supervisor] = descendantsOf(terminal.running.pid);
    terminal.hangUp();
    // The other side is closed now; lines go to nowhere, the ring still gets them.
    const last = async () => {
      const end = await box.oneup(["logs", "a", "-n", "1"], { env: { ONEUP_SOCKET: box.path("s") } });
      return Number(end.out.split(" ")[1]);
    };
    const then = await last();
    await until("more lines", async () => (await last()) > then + 5);
    expect(box.words("hup")).toEqual([]);
    expect(isAlive(supervisor?.pid ?? 0)).toBe(true);
    const end = await box.oneup(["shutdown"], { env: { ONEUP_SOCKET: box.path("s") } });
    expect(end.code).toBe(0);
    await until("its end", () => !isAlive(supervisor?.pid ?? 0));
  });

  test("colours on a terminal, none with NO_COLOR, none in a pipe", async ({ box }) => {
    const config = box.configuration(`[service.a]\ncommand = "imp hello pause"`);
    const shown = async (env: Record<string, string>) => {
      const terminal = new Terminal(box, [oneup(), "run", config, "--socket", box.path("s")], {
        env: { TERM: "xterm-256color", ...env },
      });
      await terminal.shows("hello");
      terminal.type("\x03");
      await terminal.status();
      return terminal.screen;
    };
    expect(await shown({})).toContain("\x1b[");
    expect(await shown({ NO_COLOR: "1" })).not.toContain("\x1b");
    const up = await box.supervise(`[service.a]\ncommand = "imp hello pause"`, {
      env: { TERM: "xterm-256color" },
    });
    await up.until("a line", () => up.out.includes("hello"));
    expect(up.out + up.err).not.toContain("\x1b");
  });
});

describe("oneup -- CMD", () => {
  test("the command is in the foreground and may read the terminal", async ({ box }) => {
    const terminal = new Terminal(box, [oneup(), "--", "imp", "state", box.path("state"), "hello", "echo"]);
    await terminal.shows("hello");
    const state = await box.inherited("state");
    expect(state.foreground).toBe(state.pgid);
    expect(state.types).toEqual(["ct", "ct", "ct"]);
    terminal.type("one line\n");
    await terminal.shows("read one line");
    terminal.type("\x04");
    await terminal.shows("eof");
    expect(await terminal.status()).toBe("exit 0");
  });

  test("Ctrl-C reaches the command once, and its exit code is kept", async ({ box }) => {
    const file = box.path("int");
    const terminal = new Terminal(box, [
      oneup(),
      "--",
      "imp",
      "leave",
      "INT",
      file,
      "100",
      "3",
      "hello",
      "pause",
    ]);
    await terminal.shows("hello");
    terminal.type("\x03");
    expect(await terminal.status()).toBe("exit 3");
    expect(box.words("int")).toEqual(["INT", "done"]);
  });

  test("Ctrl-C to a command that catches it and goes on", async ({ box }) => {
    const file = box.path("int");
    const terminal = new Terminal(box, [oneup(), "--", "imp", "on", "INT", file, "hello", "echo"]);
    await terminal.shows("hello");
    for (let n = 1; n <= 3; n++) {
      terminal.type("\x03");
      await until(`INT ${n}`, () => box.words("int").length === n);
    }
    terminal.type("still here\n");
    await terminal.shows("read still here");
    terminal.type("\x04");
    expect(await terminal.status()).toBe("exit 0");
    expect(box.words("int")).toHaveLength(3);
  });

  test("Ctrl-Z gives the terminal back to the shell; fg brings the command back", async ({ box }) => {
    const terminal = new Terminal(box, ["bash", "--norc", "--noprofile", "-i"], {
      env: { PS1: "prompt> ", TERM: "dumb" },
    });
    await terminal.shows("prompt> ");
    terminal.type(`${oneup()} -- imp on CONT ${box.path("cont")} hello echo\n`);
    let at = await terminal.shows(/hello \d+\n/);
    for (let round = 0; round < 2; round++) {
      terminal.type("\x1a");
      at = await terminal.shows("Stopped", at);
      at = await terminal.shows("prompt> ", at);
      terminal.type("echo shell-$((40 + 2))\n");
      at = await terminal.shows("shell-42\n", at);
      terminal.type("fg\n");
      await until("CONT", () => box.words("cont").length > round);
      terminal.type(`back ${round}\n`);
      at = await terminal.shows(`read back ${round}`, at);
    }
    terminal.type("\x04");
    at = await terminal.shows("prompt> ", at);
    terminal.type("echo code $?\n");
    await terminal.shows("code 0\n", at);
    terminal.type("exit\n");
    await terminal.status();
  });

  test("HUP on terminal close reaches the command", async ({ box }) => {
    const file = box.path("hup");
    const terminal = new Terminal(box, [
      oneup(),
      "--",
      "imp",
      "leave",
      "HUP",
      file,
      "50",
      "5",
      "hello",
      "pause",
    ]);
    await terminal.shows("hello");
    const below = descendantsOf(terminal.running.pid);
    terminal.hangUp();
    await until("HUP and the end", () => box.words("hup").includes("done"));
    expect(await terminal.status()).toBe("exit 5");
    expect(below.filter((one) => isAlive(one.pid))).toEqual([]);
  });

  test("a new window size reaches the command", async ({ box }) => {
    const file = box.path("winch");
    const terminal = new Terminal(box, [oneup(), "--", "imp", "on", "WINCH", file, "hello", "pause"]);
    await terminal.shows("hello");
    terminal.resize(50, 132);
    await until("WINCH", () => box.words("winch").length > 0);
    terminal.type("\x03");
    expect(await terminal.status()).toBe("exit 130");
  });

  test("a background job that writes is no trouble: terminal settings stay", async ({ box }) => {
    const terminal = new Terminal(box, ["bash", "--norc", "--noprofile", "-i"], {
      env: { PS1: "prompt> ", TERM: "dumb" },
    });
    let at = await terminal.shows("prompt> ");
    terminal.type("stty -a | md5sum\n");
    const digest = /[0-9a-f]{32}/;
    at = await terminal.shows(digest, at);
    const before = digest.exec(terminal.screen.slice(0, at))?.[0];
    terminal.type(`${oneup()} -- sh -c 'stty -echo; imp hello'\n`);
    at = await terminal.shows(/hello \d+\n/, at);
    terminal.type("stty echo\n");
    terminal.type("stty -a | md5sum\n");
    const from = at;
    at = await terminal.shows(digest, at);
    expect(digest.exec(terminal.screen.slice(from, at))?.[0]).toBe(before);
    terminal.type("exit\n");
    await terminal.status();
  });

  test("as PID 1 on a terminal", async ({ box }) => {
    const words = [
      "imp",
      "state",
      box.path("state"),
      "leave",
      "INT",
      box.path("int"),
      "0",
      "6",
      "hello",
      "pause",
    ];
    const terminal = new Terminal(box, [
      "unshare",
      "--pid",
      "--fork",
      "--mount-proc",
      "--kill-child",
      ...userFlags(),
      "--",
      oneup(),
      "--",
      ...words,
    ]);
    await terminal.shows("hello");
    expect((await box.inherited("state")).types).toEqual(["ct", "ct", "ct"]);
    terminal.type("\x03");
    expect(await terminal.status()).toBe("exit 6");
    expect(box.words("int")).toEqual(["INT", "done"]);
    const isOurs = (pid: number) => commandLine(pid).includes(box.path("state"));
    expect(allProcesses().filter(({ pid }) => isOurs(pid) && isAlive(pid))).toEqual([]);
  });
});

function userFlags(): string[] {
  return process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
}
