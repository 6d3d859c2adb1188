/** `zinit tui`: its panes and keys. The original is built without it. */
import { describe } from "vitest";
import { Tmux } from "../../e2e/harness/tmux.ts";
import { expect, ours, type Zinit } from "./harness.ts";

async function tui(zinit: Zinit, more = ""): Promise<Tmux> {
  const program = zinit.program("zinit");
  const tmux = await Tmux.start(
    zinit.box,
    `echo what was before\n${program} tui${more}\necho "left with $?"\nsleep 1000\n`,
    { ZINIT_SOCKET: zinit.socket },
  );
  await tmux.shows(/zinit TUI \[connected\]/);
  return tmux;
}

function services(zinit: Zinit): void {
  zinit.service("alpha", "echo hello; echo an error; exec sleep 300");
  zinit.service("beta", "exec sleep 300", { lifecycle: { restart: "never" } });
  zinit.service("gamma", "exec sleep 300", { dependencies: { requires: ["off"] } });
  zinit.service("off", "exec sleep 300", { service: { status: "stop" } });
}

describe("panes", () => {
  ours("services, information, logs", async ({ zinit }) => {
    services(zinit);
    await zinit.start();
    await zinit.reaches("alpha", "running");
    const tmux = await tui(zinit);
    const screen = await tmux.shows("hello");
    expect(screen).toContain("zinit TUI [connected] | ? Help  w Why  Q Quit");
    expect(screen).toMatch(/┌ Services \(4\) ─+┐┌ Service Info ─+┐┌ Logs: alpha \[following\] ─+┐/);
    expect(screen).toContain("> [+] alpha");
    expect(screen).toContain("  [?] gamma");
    expect(screen).toContain("  [-] off");
    expect(screen).toMatch(/State: running/);
    expect(screen).toMatch(/PID: \d+/);
    expect(screen).toContain("[+] alpha running PID:");
    expect(screen).toContain("| [Services] | Tab: cycle focus");
    // 30, 25 and 45 percent of 110 columns.
    const border = screen.split("\n").find((line) => line.includes("┌ Services")) ?? "";
    expect([border.indexOf("┌ Service Info"), border.indexOf("┌ Logs")]).toEqual([33, 61]);
  });

  ours("memory, uptime and children of what runs", async ({ zinit }) => {
    zinit.service("alpha", "sleep 300 & sleep 301 & wait");
    await zinit.start();
    const tmux = await tui(zinit);
    await tmux.shows(/Uptime: \d+s/);
    await tmux.shows(/Memory: \d+\.\dMB/);
    const screen = await tmux.shows("Children (");
    expect(screen).toMatch(/\d+ sleep \(\d+\.\dMB\)/);
  });
});

describe("keys", () => {
  ours("s, S, r, K", async ({ zinit }) => {
    services(zinit);
    await zinit.start();
    const first = await zinit.reaches("beta", "running");
    const tmux = await tui(zinit);
    await tmux.press("j");
    await tmux.shows("Logs: beta");
    await tmux.press("r");
    await tmux.shows("restart beta: success");
    const second = await zinit.reaches("beta", "running", ({ pid }) => pid !== first.pid);
    await tmux.press("S");
    await zinit.reaches("beta", "exited");
    await tmux.shows("[.] beta");
    await tmux.press("s");
    await zinit.reaches("beta", "running", ({ pid }) => pid !== second.pid);
    await tmux.shows("[+] beta");
    await tmux.press("K");
    await zinit.reaches("beta", "failed");
    await tmux.shows("[X] beta");
  });

  ours("d removes, D kills and removes", async ({ zinit }) => {
    services(zinit);
    await zinit.start();
    await zinit.reaches("beta", "running");
    const tmux = await tui(zinit);
    await tmux.press("Down");
    await tmux.shows("Logs: beta");
    await tmux.press("D");
    await tmux.shows("Services (3)");
    // Its neighbour is in its place now.
    await tmux.shows("Logs: gamma");
    await tmux.press("d");
    await tmux.shows("Services (2)");
    expect(await zinit.call("service.list")).toEqual(["alpha", "off"]);
  });

  ours("w, Enter, ?, and what closes them", async ({ zinit }) => {
    services(zinit);
    await zinit.start();
    const tmux = await tui(zinit);
    await tmux.shows("[?] gamma");
    await tmux.press("Down", "Down");
    await tmux.shows("Logs: gamma");
    await tmux.press("w");
    await tmux.shows("Why Blocked?");
    await tmux.shows("Waiting on: off");
    await tmux.press("z");
    await tmux.until("no window", (screen) => !screen.includes("Why Blocked?"));
    await tmux.press("Enter");
    await tmux.shows("Service Details");
    await tmux.press("Enter");
    await tmux.until("no window", (screen) => !screen.includes("Service Details"));
    await tmux.press("?");
    await tmux.shows("Keyboard Shortcuts");
    await tmux.press("Q");
    await tmux.until("no window", (screen) => !screen.includes("Keyboard Shortcuts"));
    await tmux.press("Q");
    await tmux.shows("left with 0");
    expect(await tmux.screen()).toContain("what was before");
  });

  ours("Tab, and scrolling the log", async ({ zinit }) => {
    zinit.service("alpha", "seq 1 150; exec sleep 300");
    await zinit.start();
    const tmux = await tui(zinit);
    await tmux.shows("150/150");
    await tmux.press("Tab");
    await tmux.shows("| [Deps] |");
    await tmux.press("Tab");
    await tmux.shows("| [Logs] |");
    await tmux.press("Up");
    await tmux.until("no follow mark", (screen) => !screen.includes("[following]"));
    await tmux.press("g");
    await tmux.shows(/\] 1 /);
    await tmux.press("PageDown");
    await tmux.shows(/\] 11 /);
    await tmux.press("G");
    await tmux.shows("[following]");
  });

  ours("the tree, and a search in the log", async ({ zinit }) => {
    services(zinit);
    await zinit.start();
    const tmux = await tui(zinit);
    await tmux.shows("an error");
    await tmux.press("t");
    await tmux.shows("requires off");
    await tmux.press("x", "/");
    await tmux.type("hell");
    await tmux.shows("/hell_");
    await tmux.press("Enter", "l");
    await tmux.shows("Logs: alpha 2/2");
  });
});

describe("the server", () => {
  ours("goes and comes back", async ({ zinit }) => {
    services(zinit);
    await zinit.start();
    const tmux = await tui(zinit);
    await tmux.shows("[+] alpha");
    await zinit.shutdown();
    await tmux.shows("[DISCONNECTED]");
    await tmux.shows("alpha");
    await zinit.start();
    await tmux.shows("[connected]");
    await tmux.press("Escape");
    await tmux.shows("left with 0");
  });

  ours("26: the socket that is named", async ({ zinit }) => {
    services(zinit);
    await zinit.start();
    const tmux = await tui(zinit, ` --socket ${zinit.socket}`);
    await tmux.shows("[+] alpha");
  });

  ours("is not there: it waits for it", async ({ zinit }) => {
    services(zinit);
    const program = zinit.program("zinit");
    const tmux = await Tmux.start(zinit.box, `${program} tui`, { ZINIT_SOCKET: zinit.socket });
    await tmux.shows("[DISCONNECTED]");
    await zinit.start();
    await tmux.shows("[+] alpha");
  });

  ours("no terminal", async ({ zinit }) => {
    const end = await zinit.cli("tui");
    expect([end.code, end.out]).toEqual([1, ""]);
    expect(end.err).toContain("Error: this needs a terminal");
  });
});
