/** zinit's verbs: what they write, and how they leave. Scripts read both. */
import { existsSync } from "node:fs";
import { describe } from "vitest";
import { expect, original, ours, test, type Zinit } from "./harness.ts";

/** `zinit ARGS…` that must write exactly this on stdout, nothing on stderr, and leave with 0. */
async function says(zinit: Zinit, args: readonly string[], out: string): Promise<void> {
  const end = await zinit.cli(...args);
  expect({ args, out: end.out, err: end.err, code: end.code }).toEqual({ args, out, err: "", code: 0 });
}

/** One that must fail with this message and nothing else. */
async function fails(zinit: Zinit, args: readonly string[], message: string): Promise<void> {
  const end = await zinit.cli(...args);
  const err = `Error: ${message}\n`;
  expect({ args, out: end.out, err: end.err, code: end.code }).toEqual({ args, out: "", err, code: 1 });
}

describe("looking", () => {
  test("list: symbols, names in a column, states, pids", async ({ zinit }) => {
    await zinit.start();
    await says(zinit, ["list"], "No services configured\n");
    await zinit.shutdown();
    zinit.service("web", "sleep 999");
    zinit.service("a-longer-name", "exit 3", { lifecycle: { restart: "never" } });
    zinit.service("done", "true", { lifecycle: { restart: "never" } });
    zinit.service("idle", "sleep 999", { service: { status: "stop" } });
    zinit.service("waits", "sleep 999", { dependencies: { requires: ["idle"] } });
    zinit.target("group", { requires: ["web"] });
    await zinit.start();
    await zinit.reaches("a-longer-name", "failed");
    await zinit.reaches("done", "exited");
    await zinit.reaches("waits", "blocked");
    const { pid } = await zinit.reaches("web", "running");
    const lines = [
      "✗ a-longer-name Failed",
      "◌ done          Exited",
      "○ idle          Inactive",
      "○ waits         Blocked",
      `● web           Running (pid: ${pid})`,
      "● group         Running",
    ];
    for (const verb of ["list", "ls"]) {
      const end = await zinit.cli(verb);
      // The original shows them as its folder happens to be sorted.
      expect(end.out.split("\n").slice(0, -1).sort()).toEqual(lines.sort());
      expect(end).toMatchObject({ err: "", code: 0 });
    }
  });

  test("status", async ({ zinit }) => {
    zinit.service("web", "sleep 999");
    zinit.service("bad", "exit 3", { lifecycle: { restart: "never" } });
    zinit.service("idle", "sleep 999", { service: { status: "stop" } });
    zinit.service("waits", "sleep 999", { dependencies: { requires: ["idle"] } });
    await zinit.start();
    const { pid } = await zinit.reaches("web", "running");
    await zinit.reaches("bad", "failed");
    await says(zinit, ["status", "web"], `Service: web\nState:   ● Running\nPID:     ${pid}\n`);
    const bad = (await zinit.cli("status", "bad")).out;
    expect(bad).toMatch(/^Service: bad\nState: {3}✗ Failed\nExit: {4}3\n/);
    await says(zinit, ["status", "idle"], "Service: idle\nState:   ○ Inactive\n");
    await says(zinit, ["status", "waits"], "Service: waits\nState:   ○ Blocked\nError:   waiting on: idle\n");
    await fails(zinit, ["status", "nobody"], "service not found");
  });

  test("why", async ({ zinit }) => {
    zinit.service("web", "sleep 999");
    zinit.service("idle", "sleep 999", { service: { status: "stop" } });
    zinit.service("waits", "sleep 999", { dependencies: { requires: ["idle"] } });
    await zinit.start();
    await zinit.reaches("waits", "blocked");
    await says(zinit, ["why", "web"], "web is not blocked\n");
    const text = "[?] waits (blocked)\n  -> waiting on idle (inactive)\n\nWaiting on: idle\n";
    await says(zinit, ["why", "waits"], text);
    await fails(zinit, ["why", "nobody"], "service not found");
  });

  test("tree: the last one closes it", async ({ zinit }) => {
    zinit.service("db", "sleep 999");
    zinit.service("web", "sleep 999", { dependencies: { requires: ["db"] } });
    await zinit.start();
    await zinit.reaches("web", "running");
    const text = "├─ [+] db (running)\n└─ [+] web (running)\n     └─ requires db (running)\n";
    const end = await zinit.cli("tree");
    expect(end.out.trimEnd()).toBe(text.trimEnd());
    expect(end).toMatchObject({ err: "", code: 0 });
  });

  test("logs: lines with times and streams, the last N, none, and nobody", async ({ zinit }) => {
    zinit.service("web", "echo one; echo two; echo three >&2; sleep 999");
    zinit.service("mute", "sleep 999");
    await zinit.start();
    const all = await zinit.until("three lines", async () => {
      const lines = (await zinit.cli("logs", "web")).out.split("\n").slice(0, -1);
      return lines.length === 3 ? lines : null;
    });
    expect(all.map((line) => line.replace(/^\d{13} /, "")).sort()).toEqual([
      "[stderr] three",
      "[stdout] one",
      "[stdout] two",
    ]);
    const last = all.at(-1);
    for (const args of [["-n", "1"], ["-n1"], ["--lines", "1"], ["--lines=1"]]) {
      await says(zinit, ["logs", "web", ...args], `${last}\n`);
    }
    await says(zinit, ["logs", "mute"], "No logs available for mute\n");
    await fails(zinit, ["logs", "nobody"], "service not found");
  });

  ours("logs -f goes on with what comes, until the server leaves", async ({ zinit }) => {
    zinit.service("web", "echo one; read line < go; echo two; sleep 999", {
      service: { dir: zinit.box.folder },
    });
    await zinit.box.run(["mkfifo", zinit.box.path("go")]);
    await zinit.start();
    const following = zinit.box.start([zinit.program("zinit"), "logs", "-f", "web"], { as: "bare" });
    await zinit.until("the first line", () => /^\d{13} \[stdout\] one\n$/.test(following.out));
    zinit.box.write("go", "x\n");
    await zinit.until("the second line", () => /\n\d{13} \[stdout\] two\n$/.test(following.out));
    await zinit.shutdown();
    expect((await following.outcome()).err).not.toContain("panicked");
    expect((await zinit.cli("logs", "-f", "web")).code).toBe(1);
  });

  test("debug-state and debug-procs", async ({ zinit }) => {
    zinit.service("web", "sleep 999");
    zinit.service("idle", "sleep 999", { service: { status: "stop" } });
    await zinit.start();
    const { pid } = await zinit.reaches("web", "running");
    const state = await zinit.cli("debug-state");
    expect(state.out).toMatch(/^=== Service Graph State ===\n\n/);
    expect(state.out).toContain("[+] web - Running");
    const procs = await zinit.cli("debug-procs", "web");
    expect(procs).toMatchObject({ err: "", code: 0 });
    expect(procs.out).toContain(String(pid));
    await says(zinit, ["debug-procs", "idle"], "idle is not running\n");
    await fails(zinit, ["debug-procs", "nobody"], "service not found");
  });

  test("ping, and nobody there", async ({ zinit }) => {
    const nobody = await zinit.cli("list");
    expect(nobody).toMatchObject({ out: "", code: 1 });
    expect(nobody.err).toBe(
      "Error: Failed to connect to zinit daemon: Failed to connect to zinit server: " +
        "Failed to connect to Unix socket\nIs zinit-server running?\n",
    );
    await zinit.start();
    await says(zinit, ["ping"], "zinit daemon v0.3.9 is running\n");
  });
});

describe("doing", () => {
  test("stop, start, restart", async ({ zinit }) => {
    zinit.service("web", "sleep 999");
    await zinit.start();
    const { pid } = await zinit.reaches("web", "running");
    await says(zinit, ["restart", "web"], "✓ Restarted: web\nRestarted: web\n");
    await zinit.reaches("web", "running", (status) => status.pid !== pid);
    await says(zinit, ["stop", "web"], "✓ Stopped: web\nStopped: web\n");
    await zinit.reaches("web", "exited");
    await says(zinit, ["start", "web"], "✓ Started: web\nStarted: web\n");
    await zinit.reaches("web", "running");
    for (const verb of ["start", "stop", "restart"]) {
      await fails(zinit, [verb, "nobody"], "service not found: nobody");
    }
  });

  test("a start that ends blocked says why", async ({ zinit }) => {
    zinit.service("idle", "sleep 999", { service: { status: "stop" } });
    zinit.service("waits", "sleep 999", { dependencies: { requires: ["idle"] } });
    await zinit.start();
    await zinit.reaches("waits", "blocked");
    await says(
      zinit,
      ["start", "waits"],
      "✓ Started: waits\nStarted: waits\n\nService is blocked: waiting on: idle\n\n" +
        "Tip: use 'zinit start waits --tree' to start dependencies too\n",
    );
  });

  ours("BUG 27: --tree starts everything below, what comes first first", async ({ zinit }) => {
    const stopped = { status: "stop" };
    zinit.service("base", "sleep 999", { service: stopped });
    zinit.service("middle", "sleep 999", { service: stopped, dependencies: { requires: ["base"] } });
    zinit.service("top", "sleep 999", { service: stopped, dependencies: { requires: ["middle", "base"] } });
    await zinit.start();
    await says(
      zinit,
      ["start", "--tree", "top"],
      "Starting dependency: base\n✓ Started: base\nStarting dependency: middle\n✓ Started: middle\n" +
        "✓ Started: top\nStarted: top\n",
    );
    for (const name of ["base", "middle", "top"]) await zinit.reaches(name, "running");
  });

  test("kill by option, by letter, with and without SIG, by number", async ({ zinit }) => {
    zinit.service("web", "sleep 999", { lifecycle: { restart: "never" } });
    await zinit.start();
    for (const [signal, ...args] of [
      ["HUP", "-s", "HUP"],
      ["sigkill", "--signal", "sigkill"],
      ["9", "--signal=9"],
    ]) {
      await zinit.reaches("web", "running");
      await says(zinit, ["kill", "web", ...args], `✓ Sent ${signal} to: web\nSent ${signal} to: web\n`);
      await zinit.reaches("web", "failed");
      await zinit.call("service.start", { name: "web" });
    }
    await zinit.reaches("web", "running");
    await says(zinit, ["kill", "web"], "✓ Sent TERM to: web\nSent SIGTERM to: web\n");
    await zinit.reaches("web", "failed");
    await fails(zinit, ["kill", "web"], "service not running: web");
    await fails(zinit, ["kill", "nobody"], "service not found: nobody");
  });

  ours("kill takes its signal by place, too; -s before the verb is the socket", async ({ zinit }) => {
    zinit.service("web", "sleep 999", { lifecycle: { restart: "never" } });
    await zinit.start();
    await zinit.reaches("web", "running");
    await says(
      zinit,
      ["-s", zinit.socket, "kill", "web", "SIGUSR1"],
      "✓ Sent SIGUSR1 to: web\nSent SIGUSR1 to: web\n",
    );
    await zinit.reaches("web", "failed");
  });

  test("remove takes the file along", async ({ zinit }) => {
    const file = zinit.service("web", "sleep 999");
    await zinit.start();
    await zinit.call("service.stop", { name: "web" });
    await zinit.reaches("web", "exited");
    await says(zinit, ["remove", "web"], "✓ Deleted: web\nRemoved: web\n");
    expect(existsSync(file)).toBe(false);
    await fails(zinit, ["remove", "web"], "service not found: web");
  });

  ours("BUG 25: a running service is removed; remove-service is the same", async ({ zinit }) => {
    zinit.service("web", "trap '' TERM; while :; do sleep 0.1; done", {
      lifecycle: { stop_timeout_ms: 300 },
    });
    await zinit.start();
    await zinit.reaches("web", "running");
    await says(zinit, ["remove-service", "web"], "✓ Deleted: web\nRemoved: web\n");
    expect(await zinit.call("service.list")).toEqual([]);
  });

  test("shutdown", async ({ zinit }) => {
    zinit.service("web", "sleep 999");
    await zinit.start();
    await says(zinit, ["shutdown"], "Shutting down zinit daemon...\nzinit daemon stopped\n");
    expect((await zinit.up.ends()).code).toBe(0);
  });
});

describe("add-service", () => {
  test("by flags", async ({ zinit }) => {
    zinit.service("db", "sleep 999");
    await zinit.start();
    const path = `${zinit.configDir}/web.toml`;
    await says(
      zinit,
      "add-service --name web --exec=/bin/cat --oneshot -e A=1 --env B=x=y --after db --requires db --restart never --restart-delay 5 --restart-delay-max 6 --max-restarts 7 --dir /tmp --persist".split(
        " ",
      ),
      `✓ Created: web\nService 'web' added (saved to ${path})\n`,
    );
    expect(await zinit.call("service.get", { name: "web" })).toMatchObject({
      service: { name: "web", exec: "/bin/cat", dir: "/tmp", oneshot: true, env: { A: "1", B: "x=y" } },
      dependencies: { after: ["db"], requires: ["db"], wants: [], conflicts: [] },
      lifecycle: { restart: "never", restart_delay_ms: 5, restart_delay_max_ms: 6, max_restarts: 7 },
    });
    expect(existsSync(path)).toBe(true);
  });

  test("by a file", async ({ zinit }) => {
    await zinit.start();
    const file = zinit.box.write("new.toml", '[service]\nname = "web"\nexec = "sleep 999"\n');
    const path = `${zinit.configDir}/web.toml`;
    await says(zinit, ["add-service", file], `✓ Created: web\nService 'web' added (saved to ${path})\n`);
    await zinit.reaches("web", "running");
    const missing = zinit.box.path("missing.toml");
    const text = `Failed to read ${missing}: No such file or directory (os error 2)`;
    await fails(zinit, ["add-service", missing], text);
    const bad = zinit.box.write("bad.toml", "[service\n");
    const end = await zinit.cli("add-service", bad);
    expect(end).toMatchObject({ out: "", code: 1 });
    expect(end.err.startsWith(`Error: Failed to parse ${bad}: `)).toBe(true);
  });

  test("what cannot be", async ({ zinit }) => {
    await zinit.start();
    const add = (...more: string[]) => ["add-service", "--name", "web", "--exec", "sleep 9", ...more];
    await fails(zinit, ["add-service"], "--name required when not using file");
    await fails(zinit, add("-e", "A"), "Invalid env format: A (expected KEY=VALUE)");
    const policies = "always, on-failure, or never";
    await fails(zinit, add("--restart", "soon"), `Invalid restart policy: soon (use ${policies})`);
    await fails(zinit, add("--after", "nobody"), "Dependency 'nobody' not found");
    const program = ["add-service", "--name", "x", "--exec", "no-such-program"];
    await fails(zinit, program, "Executable not found: no-such-program");
    await fails(zinit, ["add-service", "--name", "a b", "--exec", "sleep 9"], "Validation failed");
  });

  ours("BUG 29: --ephemeral is not saved, and gone with the server", async ({ zinit }) => {
    await zinit.start();
    await says(
      zinit,
      ["add-service", "--ephemeral", "--name", "web", "--exec", "sleep 999", "--restart", "on_failure"],
      "✓ Created: web\nService 'web' added (ephemeral)\n",
    );
    await zinit.reaches("web", "running");
    expect(existsSync(`${zinit.configDir}/web.toml`)).toBe(false);
    await zinit.shutdown();
    await zinit.start();
    expect(await zinit.call("service.list")).toEqual([]);
  });
});

describe("what 0.3.9 has lost", () => {
  ours("BUG 28: reload", async ({ zinit }) => {
    zinit.service("keeps", "sleep 999");
    zinit.service("goes", "sleep 999");
    zinit.service("changes", "sleep 999");
    await zinit.start();
    const { pid } = await zinit.reaches("keeps", "running");
    await zinit.box.run(["rm", `${zinit.configDir}/goes.toml`]);
    zinit.service("changes", "sleep 998");
    zinit.service("comes", "sleep 999");
    await says(
      zinit,
      ["reload"],
      "Reloaded: 1 added, 1 removed, 1 changed\n  + comes\n  - goes\n  ~ changes\n",
    );
    await zinit.reaches("comes", "running");
    expect((await zinit.status("keeps")).pid).toBe(pid);
  });

  ours("BUG 29: start-all, stop-all, delete-all spare the system class", async ({ zinit }) => {
    zinit.service("a", "sleep 999");
    zinit.service("b", "sleep 999");
    zinit.service("base", "sleep 999", { service: { class: "system" } });
    await zinit.start();
    for (const name of ["a", "b", "base"]) await zinit.reaches(name, "running");
    const stopped = await zinit.cli("stop-all");
    expect(stopped.out.split("\n").sort()).toEqual(["", "Stopped: a", "Stopped: b"]);
    expect((await zinit.status("base")).state).toBe("running");
    await zinit.reaches("a", ["exited", "inactive"]);
    await zinit.reaches("b", ["exited", "inactive"]);
    const started = await zinit.cli("start-all");
    expect(started.out.split("\n").sort()).toEqual(["", "Started: a", "Started: b"]);
    await zinit.reaches("a", "running");
    const deleted = await zinit.cli("delete-all");
    expect(deleted.out.split("\n").sort()).toEqual(["", "Removed: a", "Removed: b"]);
    expect(await zinit.call("service.list")).toEqual(["base"]);
    await says(zinit, ["delete-all"], "No services to delete\n");
  });

  ours("BUG 26: --socket and ZINIT_SOCKET lead to a server, the option first", async ({ zinit }) => {
    const socket = zinit.box.path("other.sock");
    await zinit.start({
      args: ["--config-dir", zinit.configDir, "--socket", socket],
      bare: true,
      noWait: true,
    });
    const nowhere = { env: { ZINIT_SOCKET: zinit.box.path("nowhere") } };
    await zinit.until("the server", async () => (await zinit.cli("-s", socket, "ping")).code === 0);
    expect((await zinit.cliWith({ env: { ZINIT_SOCKET: socket } }, "ping")).code).toBe(0);
    expect((await zinit.cliWith(nowhere, "ping")).code).toBe(1);
    expect((await zinit.cliWith(nowhere, "ping", "--socket", socket)).code).toBe(0);
    expect((await zinit.cli("ping")).code).toBe(1);
  });
});

describe("xinet", () => {
  test("none yet", async ({ zinit }) => {
    await zinit.start();
    for (const verb of ["list", "status"])
      await says(zinit, ["xinet", verb], "No xinet proxies registered\n");
    await fails(zinit, ["xinet", "status", "nobody"], "proxy not found");
    await fails(zinit, ["xinet", "unregister", "nobody"], "Proxy 'nobody' not found");
  });
});

describe("poweroff and reboot", () => {
  test("where zinit is not PID 1 they end the server", async ({ zinit }) => {
    for (const verb of ["poweroff", "reboot"]) {
      await zinit.start();
      await says(
        zinit,
        [verb],
        "zinit is not running as PID 1 - stopping daemon only\n" +
          "Shutting down zinit daemon...\nzinit daemon stopped\n",
      );
      expect((await zinit.up.ends()).code).toBe(0);
    }
  });
});

describe("a server that does not answer", () => {
  ours("costs five seconds and one line", async ({ zinit }) => {
    const script =
      "import socket, sys, time\n" +
      "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); print('up', flush=True); time.sleep(999)";
    const path = zinit.box.path("silent");
    const silent = zinit.box.start(["python3", "-c", script, path], { as: "bare" });
    await zinit.until("the socket", () => silent.out === "up\n");
    await zinit.box.run([zinit.program("zinit"), "-s", path, "ping"]).then((end) =>
      expect(end).toMatchObject({
        code: 1,
        err: "Error: Failed to connect to zinit server: connection timed out (server not running?)\n",
      }),
    );
  });
});

// So that a run against the original is seen to be one.
test(`the program under test is ${original === null ? "ours" : "the original"}`, ({ zinit }) => {
  expect(existsSync(zinit.program("zinit"))).toBe(true);
});
