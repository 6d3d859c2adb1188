/** `oneup top`, as a person at a terminal sees it. */
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import { oneup } from "./harness/paths.ts";
import { findCommand } from "./harness/proc.ts";
import type { Supervisor } from "./harness/supervisor.ts";
import { Tmux } from "./harness/tmux.ts";
import { until } from "./harness/wait.ts";

const SERVICES = `
[service.db]
command = "imp say ready count 20"
restart = "never"

[service.web]
command = "imp say needle say hay pause"
requires = ["db"]
restart = "never"

[service.idle]
command = "imp pause"
autostart = false
restart = "never"
`;

function supervise(box: Box, config = SERVICES): Promise<Supervisor> {
  return box.supervise(config, { socket: box.path("s"), as: "child" });
}

/** A shell that tells what the program left behind. */
function script(box: Box, program = `${oneup()} top --socket ${box.path("s")}`): string {
  return `echo what was before\nstty -g > ${box.path("before")}\n${program}\necho "left with $?"\nstty -g > ${box.path("after")}\nsleep 1000\n`;
}

async function top(box: Box): Promise<Tmux> {
  const tmux = await Tmux.start(box, script(box));
  await tmux.shows("[connected]");
  return tmux;
}

async function restored(box: Box, tmux: Tmux, exit: number): Promise<void> {
  const screen = await tmux.shows(`left with ${exit}`);
  expect(screen).toContain("what was before");
  expect(screen).not.toContain("Services (");
  expect(await tmux.isAlternate()).toBe(false);
  await until("the terminal's modes", () => box.has("after") && box.read("after") !== "");
  expect(box.read("after")).toBe(box.read("before"));
}

describe("oneup top", () => {
  test("shows services with their figures and the log as it grows", async ({ box }) => {
    const up = await supervise(box);
    await up.ready("web");
    const tmux = await top(box);
    const screen = await tmux.shows(/\[\+\] web +running +\d+ +\d+\.\d% +[\d.]+ KiB +\d+s/);
    expect(screen).toContain("Services (3)");
    expect(screen).toMatch(/\[-\] idle +inactive/);
    expect(await tmux.isAlternate()).toBe(true);
    expect(await tmux.hasMouse()).toBe(false);
    // `db` is selected: it counts.
    const count = (picture: string) => Number(/\d\d:\d\d:\d\d \d+ (\d+)[ │]*\n└/.exec(picture)?.[1] ?? "0");
    const then = count(await tmux.shows("Logs: db [following]"));
    await tmux.until("more lines", (later) => count(later) > then);
  });

  test("keys act on the selected service", async ({ box }) => {
    const up = await supervise(box);
    await up.ready("web");
    const tmux = await top(box);
    await tmux.shows("[+] web");
    await tmux.press("Down");
    await tmux.shows("Logs: idle");
    await tmux.press("s");
    await tmux.shows(/start idle: success/);
    await up.reaches("idle", "running");
    const { pid } = await up.service("idle");
    await tmux.press("r");
    await tmux.shows(/restart idle: success/);
    await up.reaches("idle", "running", (service) => service.pid !== pid);
    await tmux.press("S");
    await tmux.shows(/\[-\] idle +inactive/);
    await tmux.press("s");
    await up.reaches("idle", "running");
    await tmux.press("K");
    await tmux.shows(/\[X\] idle +failed/);
    await tmux.press("d");
    await tmux.shows('oneup has no "remove"');
  });

  test("why, tree, details and help", async ({ box }) => {
    await supervise(box);
    const tmux = await top(box);
    await tmux.press("End", "Down", "Down");
    await tmux.shows("Logs: web");
    await tmux.press("w");
    await tmux.shows(/web .*run/);
    await tmux.shows("Press any key to close");
    await tmux.press("x");
    await tmux.until("no window", (screen) => !screen.includes("Press any key"));
    await tmux.press("t");
    await tmux.shows("requires db");
    await tmux.press("x", "Enter");
    await tmux.shows("Service Details");
    await tmux.press("Escape");
    await tmux.until("no window", (screen) => !screen.includes("Service Details"));
    await tmux.press("?");
    await tmux.shows("Keyboard Shortcuts");
  });

  test("searching, and the log alone", async ({ box }) => {
    await supervise(box);
    const tmux = await top(box);
    await tmux.press("Down", "Down");
    await tmux.shows(/Logs: web.*\n[\s\S]*hay/);
    await tmux.press("/");
    await tmux.type("needle");
    await tmux.shows("/needle_");
    await tmux.press("Enter");
    await tmux.shows("/needle (n/N)");
    await tmux.press("l");
    const alone = await tmux.shows("l back");
    expect(alone).toMatch(/^\d\d:\d\d:\d\d needle$/m);
    expect(alone).not.toContain("│");
  });

  test("gives the terminal back: Q", async ({ box }) => {
    await supervise(box);
    const tmux = await top(box);
    await tmux.press("Q");
    await restored(box, tmux, 0);
  });

  test("gives the terminal back: Ctrl-C", async ({ box }) => {
    await supervise(box);
    const tmux = await top(box);
    await tmux.press("C-c");
    await restored(box, tmux, 0);
  });

  for (const [signal, exit] of [
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGINT", 130],
  ] as const) {
    test(`gives the terminal back: ${signal}`, async ({ box }) => {
      await supervise(box);
      const tmux = await top(box);
      process.kill(await pidOfTop(box), signal);
      await restored(box, tmux, exit);
    });
  }

  test("stays when the supervisor goes, and finds the next one", async ({ box }) => {
    const first = await supervise(box);
    const tmux = await top(box);
    await tmux.shows("[+] web");
    await first.shutdown();
    const lost = await tmux.shows("[DISCONNECTED]");
    expect(lost).toContain("web");
    await tmux.press("s");
    await tmux.shows(/start db failed/);
    await supervise(box);
    await tmux.shows("[connected]");
    await tmux.shows(/\[\+\] web +running/);
  });

  test("stays when every service has crashed", async ({ box }) => {
    const config = `[service.a]\ncommand = "imp exit 3"\nrestart = "never"\n[service.b]\ncommand = "imp exit 4"\nrestart = "never"`;
    await supervise(box, config);
    const tmux = await top(box);
    await tmux.shows(/\[X\] a +failed/);
    await tmux.shows(/\[X\] b +failed/);
    await tmux.press("Q");
    await restored(box, tmux, 0);
  });

  test("a supervisor that hangs freezes no key", async ({ box }) => {
    const up = await supervise(box);
    const tmux = await top(box);
    await tmux.shows("[+] web");
    await up.signal("SIGSTOP");
    await tmux.shows("[DISCONNECTED]");
    await tmux.press("?");
    await tmux.shows("Keyboard Shortcuts");
    await up.signal("SIGCONT");
    await tmux.press("x");
    await tmux.shows("[connected]");
  });

  test("any size, and changes of it", async ({ box }) => {
    await supervise(box);
    const tmux = await top(box);
    await tmux.resize(60, 12);
    await tmux.until(
      "a narrow picture",
      (screen) => /\[\+\] db +running/.test(screen) && screen.split("\n").every((line) => line.length <= 60),
    );
    await tmux.resize(10, 3);
    await tmux.resize(150, 40);
    await tmux.shows(/\[\+\] web +running/);
  });

  test("needs a terminal and a supervisor", async ({ box }) => {
    const nobody = await box.oneup(["top", "--socket", box.path("s")]);
    expect(nobody.code).toBe(5);
    await supervise(box);
    const end = await box.oneup(["top", "--socket", box.path("s")]);
    expect([end.code, end.out]).toEqual([1, ""]);
    expect(end.err).toContain("this needs a terminal");
  });
});

async function pidOfTop(box: Box): Promise<number> {
  return until("the program", () => findCommand(1, [oneup(), "top", "--socket", box.path("s")]));
}
