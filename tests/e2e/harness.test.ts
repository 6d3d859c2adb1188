/** The harness itself, on programs that are known to work: what a test relies on must hold. */
import { describe } from "vitest";
import { expect, test, until } from "./harness/box.ts";
import { descendantsOf, innerPid, isAlive } from "./harness/proc.ts";
import { inherited } from "./harness/shapes.ts";
import { Terminal } from "./harness/terminal.ts";

describe("namespaces", () => {
  test("a program is PID 1 of its own, and all below it ends with the test", async ({ box }) => {
    const running = box.start(["imp", "state", box.path("state"), "orphan", "{", "pause", "}", "pause"]);
    const state = await box.inherited("state");
    expect(state.pid).toBe(1);
    const below = await until("the orphan", () => {
      const all = descendantsOf(running.pid);
      return all.length === 2 ? all : null;
    });
    expect(below.map((one) => innerPid(one.pid))).toContain(1);
    await box.close();
    expect(below.filter((one) => isAlive(one.pid))).toEqual([]);
  });

  test("a program is a child of PID 1", async ({ box }) => {
    const end = await box.run(["imp", "state", box.path("state"), "exit", "7"], { as: "child" });
    expect(end.code).toBe(7);
    expect((await box.inherited("state")).ppid).toBe(1);
  });

  test("a prelude changes what the program inherits", async ({ box }) => {
    await box.run(["imp", "state", box.path("state")], { as: "init", prelude: "cd /; umask 077; exec 5</" });
    const state = await box.inherited("state");
    expect(state).toMatchObject({ cwd: "/", umask: 0o77 });
    expect(state.fds).toContain(5);
  });

  test("a plain user, and an empty root", async ({ box }) => {
    box.copy(await which(box, "imp"), "root/imp");
    const end = await box.run(["/imp", "state", "/state"], {
      as: "init",
      chroot: box.path("root"),
      user: "nobody",
    });
    expect(end.err).toContain("/state"); // nobody may not write there
    const second = await box.run(["/imp", "say", "inside"], { as: "init", chroot: box.path("root") });
    expect(second.out).toBe("inside\n");
  });
});

describe("the test program", () => {
  test("inherits nothing but what it was given", async ({ box }) => {
    await box.run(["imp", "state", box.path("state")]);
    const state = inherited.parse(JSON.parse(box.read("state")));
    expect(state.fds.slice(0, 3)).toEqual([0, 1, 2]);
    expect(state.environment.ONEUP_E2E).toBe(box.id);
  });

  test("leaves marks when signals come, and children that do the same", async ({ box }) => {
    const file = box.path("marks");
    const words = `breed USR1 ${file} 1 leave TERM ${file} 20 3 touch ${box.path("go")} pause`;
    const running = box.start(["imp", ...words.split(" ")]);
    await until("imp", () => box.has("go"));
    const [target] = descendantsOf(running.pid);
    process.kill(target?.pid ?? 0, "SIGUSR1");
    await until("the child", () => box.words("marks").includes("born"));
    process.kill(target?.pid ?? 0, "SIGTERM");
    expect((await running.outcome()).code).toBe(3);
    expect(box.words("marks").slice(-2)).toEqual(["TERM", "done"]);
  });
});

test("a terminal: Ctrl-C, size, hang-up", async ({ box }) => {
  const words = `on INT ${box.path("int")} on WINCH ${box.path("winch")} hello pause`;
  const terminal = new Terminal(box, ["imp", ...words.split(" ")]);
  await terminal.shows("hello");
  terminal.type("\x03");
  await until("INT", () => box.words("int").length === 1);
  terminal.resize(40, 100);
  await until("WINCH", () => box.words("winch").length === 1);
  terminal.hangUp();
  expect(await terminal.status()).toBe("signal 1");
});

async function which(
  box: { run: (argv: string[]) => Promise<{ out: string }> },
  name: string,
): Promise<string> {
  return (await box.run(["sh", "-c", `command -v ${name}`])).out.trim();
}
