/** Rhai scripts: how they are run, what they may call, what is said about them. */
import { chmodSync } from "node:fs";
import { describe } from "vitest";
import { expect, ours, test, until, type Zinit } from "./harness.ts";

/** Runs one script and returns what it wrote, without what is said about it. */
async function play(zinit: Zinit, text: string) {
  const path = zinit.box.write("script.rhai", text);
  const { code, out, err } = await zinit.cli("rhai", path);
  return { code, out: out.replaceAll(path, "P"), err: err.replaceAll(path, "P") };
}

/** The lines that a script that succeeds prints. */
async function printed(zinit: Zinit, text: string): Promise<string[]> {
  const end = await play(zinit, text);
  expect([end.code, end.err]).toEqual([0, ""]);
  const lines = end.out.split("\n");
  expect(lines[0]).toBe("Running P");
  expect(lines.slice(-2)).toEqual(["✓ P completed", ""]);
  return lines.slice(1, -2);
}

describe("running", () => {
  test("a script that succeeds", async ({ zinit }) => {
    await zinit.start();
    expect(await printed(zinit, 'print("hello");')).toEqual(["hello"]);
  });

  test.for([
    ["1 + 1", "Output type incorrect: i64 (expecting ())"],
    ["let x = ;", "Syntax error: Unexpected ';' (line 1, position 9)"],
    ["let x = 1;\nx.foo();", "Function not found: foo (i64) (line 2, position 3)"],
    ['throw "boom";', "Runtime error: boom (line 1, position 1)"],
    ["zinit.connect(1);", "Function not found: connect (ZinitFactory, i64) (line 1, position 7)"],
  ] as const)("%j fails with its place", async ([text, what], { zinit }) => {
    await zinit.start();
    const end = await play(zinit, text);
    expect(end).toEqual({
      code: 1,
      out: "Running P\n",
      err: `✗ P failed: ${what}\nError: Script execution failed: ${what}\n`,
    });
  });

  test("the server's errors have their place in the script", async ({ zinit }) => {
    await zinit.start();
    const end = await play(zinit, 'zinit.connect().status("nope");');
    const what = "Runtime error: status failed: service not found (line 1, position 17)";
    expect(end.out).toBe("Running P\n✓ Connected to zinit server\n");
    expect(end.err).toBe(`✗ P failed: ${what}\nError: Script execution failed: ${what}\n`);
  });

  test("a folder: by name, up to the first failure", async ({ zinit }) => {
    await zinit.start();
    const folder = zinit.box.path("scripts");
    zinit.box.write("scripts/02-two.rhai", 'print("two"); throw "stop";');
    zinit.box.write("scripts/10-three.rhai", 'print("three");');
    zinit.box.write("scripts/01-one.rhai", 'print("one");');
    zinit.box.write("scripts/00-other.txt", "no script");
    for (const args of [["rhai", folder], [folder]]) {
      const end = await zinit.cli(...args);
      expect(end.code).toBe(1);
      const shown = end.out.replaceAll(folder, "D").split("\n");
      expect(shown).toEqual([
        "Running D/01-one.rhai",
        "one",
        "✓ D/01-one.rhai completed",
        "Running D/02-two.rhai",
        "two",
        "",
      ]);
      expect(end.err).toContain("02-two.rhai failed: Runtime error: stop");
    }
  });

  test("by its path, and by its first line", async ({ zinit }) => {
    await zinit.start();
    const program = zinit.program("zinit");
    const path = zinit.box.write("direct.rhai", `#!${program}\nprint("direct");\n`);
    chmodSync(path, 0o755);
    const said = `Running ${path}\ndirect\n✓ ${path} completed\n`;
    expect((await zinit.cli(path)).out).toBe(said);
    expect((await zinit.box.run([path])).out).toBe(said);
  });

  ours("the first line counts in what is said about others", async ({ zinit }) => {
    await zinit.start();
    const end = await play(zinit, '#!/usr/bin/env zinit\nthrow "second";');
    expect(end.err).toContain("second (line 2, position 1)");
  });

  test("what is no script", async ({ zinit }) => {
    await zinit.start();
    const other = zinit.box.write("script.sh", "");
    expect((await zinit.cli("rhai", zinit.box.path("nothing"))).err).toContain(
      "Error: Failed to access path:",
    );
    expect((await zinit.cli("rhai", other)).err).toBe(
      "Error: Path must be a .rhai file or directory containing .rhai files\n",
    );
    const empty = await zinit.cli("rhai", zinit.configDir);
    expect([empty.code, empty.err]).toEqual([1, "Error: No .rhai scripts found\n"]);
  });

  test("no server: nothing is run", async ({ zinit }) => {
    const path = zinit.box.write("script.rhai", 'print("never");');
    for (const args of [["rhai", path], [path]]) {
      const end = await zinit.cli(...args);
      expect(end.code).toBe(1);
      expect(end.out).not.toContain("never");
      expect(end.err).toContain("Failed to connect");
    }
  });

  ours("26: --socket and ZINIT_SOCKET count for scripts", async ({ zinit }) => {
    await zinit.start();
    const path = zinit.box.write("script.rhai", "print(zinit.log_level(0).connect().list());");
    const env = { HOME: zinit.box.path("nowhere") };
    const named = await zinit.cliWith({ env }, "--socket", zinit.socket, "rhai", path);
    expect(named.out).toContain("[]");
    expect((await zinit.cliWith({ env: { ...env, ZINIT_SOCKET: zinit.socket } }, path)).out).toContain("[]");
  });

  test("a script that runs away ends; Ctrl-C ends one that does not", async ({ zinit }) => {
    await zinit.start();
    const deep = await play(zinit, "fn f(n) { f(n + 1) } f(0);");
    expect([deep.code, deep.err]).toEqual([1, expect.stringContaining("Stack overflow")]);
    const path = zinit.box.write("endless.rhai", 'print("on and on"); loop { }');
    const running = zinit.box.start([zinit.program("zinit"), path], { as: "bare" });
    await until("the script at work", () => running.out.includes("on and on"));
    running.child.kill("SIGINT");
    expect((await running.outcome()).signal).toBe("SIGINT");
  });

  ours("a script that would fill the memory ends", async ({ zinit }) => {
    await zinit.start();
    const end = await play(zinit, 'let s = "x"; loop { s += s; }');
    expect([end.code, end.err]).toEqual([1, expect.stringContaining("too large")]);
  });
});

/** The original knows a process a moment before it can send it a signal. */
const LIFE = `
let z = zinit.connect();
let made = z.service_new().name("app").exec("sleep 300").env("A", "1").register();
print(made.to_map());
print(z.list());
made.wait(10);
let status = z.status("app");
print(status.state + " " + (status.pid > 0));
sleep(0.3);
print(z.stop("app"));
while z.status("app").state != "exited" { sleep(0.05); }
print(z.start("app"));
`;

describe("zinit", () => {
  test("connects, registers, waits, stops, starts", async ({ zinit }) => {
    await zinit.start();
    expect(await printed(zinit, LIFE)).toEqual([
      "✓ Connected to zinit server",
      "✓ Created: app",
      `Registered: app (${zinit.configDir}/app.toml)`,
      '#{"exec": "sleep 300", "name": "app", "oneshot": false, "restart": "on-failure"}',
      "[app]".replace("app", '"app"'),
      "running true",
      "✓ Stopped: app",
      '#{"message": "Stopped service: app", "success": true}',
      "✓ Started: app",
      '#{"message": "Started service: app", "success": true}',
    ]);
  });

  test("types have their names", async ({ zinit }) => {
    await zinit.start();
    const text = `let z = zinit.log_level(0).connect();
      print(type_of(zinit) + " " + type_of(z) + " " + type_of(z.service_new()) + " " + type_of(xinet_proxy_new()));`;
    expect(await printed(zinit, text)).toEqual(["ZinitFactory ZinitHandle ServiceBuilder XinetBuilder"]);
  });

  test("another socket; a failure can be caught", async ({ zinit }) => {
    await zinit.start();
    const text = `
      zinit.socket("${zinit.socket}").log_level(0).connect();
      try { zinit.socket("/nowhere").connect(); } catch (error) { print(error); }
    `;
    expect(await printed(zinit, text)).toEqual([
      "Failed to connect to zinit server: Failed to connect to Unix socket",
    ]);
  });

  ours("40: the handle has what the documents say", async ({ zinit }) => {
    zinit.service("web", "echo ready; sleep 300");
    await zinit.start();
    await zinit.reaches("web", "running");
    await zinit.until("its line", async () =>
      JSON.stringify(await zinit.call("logs.get", { name: "web" })).includes("ready"),
    );
    const text = `
      let z = zinit.log_level(0).connect();
      print(z.restart("web"));
      while !z.is_running("web") { sleep(0.05); }
      print(z.kill("web", "SIGCONT").success);
      print(z.logs("web").len() > 0);
      print(z.logs("web", 1).len());
      print(z.logs_filter("web", "ready").len() > 0);
      print(z.tree().contains("web"));
      print(z.why("web").blocked);
      print(z.is_running("web"));
      print(z.stats("web").memory_bytes > 0);
      print(type_of(z.stats("web").cpu_percent));
      print(z.service_get("web").service.exec);
      print(z.debug_state().contains("web"));
      print(z.debug_process_tree("web").len() > 0);
      print(z.ping());
      print(z.wait_for("web", 5));
      print(z.service_set(z.service_new().name("two").exec("sleep 300")).name);
      print(z.service_set(#{ service: #{ name: "three", exec: "sleep 300" } }).name);
      print(z.delete("two").success);
      z.service_delete("three");
      print(z.list());
    `;
    const lines = await printed(zinit, text);
    expect(lines[0]).toBe('#{"message": "Restarted service: web", "success": true}');
    expect(lines.slice(1)).toEqual([
      "true",
      "true",
      "1",
      "true",
      "true",
      "false",
      "true",
      "true",
      "f64",
      "echo ready; sleep 300",
      "true",
      "true",
      '#{"version": "0.3.9"}',
      "true",
      "two",
      "three",
      "true",
      '["web"]',
    ]);
  });
});

const EVERYTHING = `
let b = zinit_service_new()
  .name("all").exec("/bin/true").dir("/tmp").oneshot(true).env("A", "1")
  .status("stop").class("system").critical(true)
  .after("a").requires("r").wants("w").conflicts("c")
  .restart("always").restart_delay_ms(5).restart_delay_max_ms(6).max_restarts(7)
  .stability_period_ms(8).start_timeout_ms(9).stop_timeout_ms(10).stop_signal("sigint")
  .health_http("http://127.0.0.1:80/").health_expect_status(204).health_interval_ms(2000)
  .health_timeout_ms(300).health_retries(4).health_start_period_ms(50)
  .port(80).port(0).port(443).log_buffer_lines(11).log_file("/tmp/l").log_forward("f").kill_others();
print(b.to_toml());
print(b.to_map());
print(b.to_markdown());
print(b.to_string() == b.to_toml());
print(zinit_service_new().restart("nonsense").status("x").class("y").health_interval_ms(1).health_tcp("h:1").to_toml());
`;

describe("ServiceBuilder", () => {
  test("every method", async ({ zinit }) => {
    await zinit.start();
    // How a list is laid out is a matter of taste.
    const text = (await printed(zinit, EVERYTHING)).join("\n");
    const lines = text.replace(/\[\n((?: +.+\n)+)\]/g, (_, items: string) => {
      return `[${items.trim().replace(/,$/, "").split(/,\n */).join(", ")}]`;
    });
    expect(lines.split("\n")).toMatchInlineSnapshot(`
      [
        "[service]",
        "name = "all"",
        "exec = "/bin/true"",
        "dir = "/tmp"",
        "oneshot = true",
        "status = "stop"",
        "class = "system"",
        "critical = true",
        "ports = [80, 443]",
        "kill_others = true",
        "process_filters = []",
        "",
        "[service.env]",
        "A = "1"",
        "",
        "[dependencies]",
        "after = ["a"]",
        "requires = ["r"]",
        "wants = ["w"]",
        "conflicts = ["c"]",
        "",
        "[lifecycle]",
        "restart = "always"",
        "restart_delay_ms = 5",
        "restart_delay_max_ms = 6",
        "max_restarts = 7",
        "stability_period_ms = 8",
        "start_timeout_ms = 9",
        "stop_timeout_ms = 10",
        "stop_signal = "SIGINT"",
        "",
        "[health]",
        "type = "http"",
        "target = "http://127.0.0.1:80/"",
        "expect_status = 204",
        "interval_ms = 2000",
        "timeout_ms = 300",
        "retries = 4",
        "start_period_ms = 50",
        "",
        "[logging]",
        "buffer_lines = 11",
        "file = "/tmp/l"",
        "forward = "f"",
        "",
        "#{"after": ["a"], "dir": "/tmp", "exec": "/bin/true", "health_target": "http://127.0.0.1:80/", "health_type": "http", "name": "all", "oneshot": true, "requires": ["r"], "restart": "always"}",
        "## Service: all",
        "",
        "### [service]",
        "| Property | Value |",
        "|----------|-------|",
        "| exec | \`/bin/true\` |",
        "| oneshot | true |",
        "| status | Stop |",
        "| class | System |",
        "| dir | /tmp |",
        "| critical | true |",
        "",
        "### [dependencies]",
        "| Type | Services |",
        "|------|----------|",
        "| after | a |",
        "| requires | r |",
        "| wants | w |",
        "| conflicts | c |",
        "",
        "### [lifecycle]",
        "| Property | Value |",
        "|----------|-------|",
        "| restart | Always |",
        "| restart_delay_ms | 5 |",
        "| start_timeout_ms | 9 |",
        "| stop_timeout_ms | 10 |",
        "| stop_signal | SIGINT |",
        "",
        "### [health]",
        "| Property | Value |",
        "|----------|-------|",
        "| type | http |",
        "| target | http://127.0.0.1:80/ |",
        "| expect_status | 204 |",
        "| interval_ms | 2000 |",
        "| timeout_ms | 300 |",
        "| retries | 4 |",
        "",
        "true",
        "[service]",
        "name = """,
        "exec = """,
        "oneshot = false",
        "status = "start"",
        "class = "user"",
        "critical = false",
        "ports = []",
        "kill_others = false",
        "process_filters = []",
        "",
        "[service.env]",
        "",
        "[dependencies]",
        "after = []",
        "requires = []",
        "wants = []",
        "conflicts = []",
        "",
        "[lifecycle]",
        "restart = "on-failure"",
        "restart_delay_ms = 1000",
        "restart_delay_max_ms = 300000",
        "max_restarts = 10",
        "stability_period_ms = 30000",
        "start_timeout_ms = 30000",
        "stop_timeout_ms = 10000",
        "stop_signal = "SIGTERM"",
        "",
        "[health]",
        "type = "tcp"",
        "target = "h:1"",
        "interval_ms = 1000",
        "timeout_ms = 5000",
        "retries = 3",
        "start_period_ms = 0",
        "",
        "[logging]",
        "buffer_lines = 1000",
        "",
      ]
    `);
  });

  test("a builder is a value: what is made of it leaves it as it is", async ({ zinit }) => {
    await zinit.start();
    const text = `let a = zinit_service_new().name("a"); let b = a.name("b"); print(a.to_map().name + b.to_map().name);`;
    expect(await printed(zinit, text)).toEqual(["ab"]);
  });

  test.for([
    ['zinit_service_new().exec("x").register();', "service creation: .name() is required"],
    ['zinit_service_new().name("x").register();', "service creation: .exec() is required"],
    ['zinit_service_new().name("x").start();', "service start: .exec() is required"],
    ["zinit_service_new().wait(1);", "wait: service name not set"],
    ["xinet_proxy_new().register();", "xinet proxy: .name() is required"],
    ['xinet_proxy_new().name("p").register();', "xinet proxy: listen address is required"],
    ['xinet_proxy_new().name("p").listen_tcp("h:1").register();', "xinet proxy: backend address is required"],
  ] as const)("%s", async ([text, what], { zinit }) => {
    await zinit.start();
    expect((await play(zinit, text)).err).toContain(`Runtime error: ${what} (line 1, position `);
  });

  test("start registers and starts", async ({ zinit }) => {
    await zinit.start();
    const text = `zinit_service_new().name("app").exec("sleep 300").start();`;
    expect(await play(zinit, text)).toMatchObject({ code: 1 }); // Its value is a text.
    expect((await zinit.reaches("app", "running")).pid).toBeGreaterThan(0);
  });

  ours("41: start and wait know a service by the name it was registered with", async ({ zinit }) => {
    await zinit.start();
    const text = `let b = zinit_service_new().name("My-App").exec("sleep 300"); b.start(); b.wait(10);
      print(zinit_status("My-App").state); b.reset().start(); print(zinit_list());`;
    const lines = await printed(zinit, text);
    expect(lines).toContain("Registered and started service: My-App");
    expect(lines).toContain("running");
    expect(lines.at(-1)).toBe('["My-App"]');
  });

  test("wait tells why it was in vain", async ({ zinit }) => {
    await zinit.start();
    const fails = `let b = zinit_service_new().name("bad").exec("/bin/true").dir("/nowhere").restart("never"); b.register(); b.wait(10);`;
    expect((await play(zinit, fails)).err).toContain("service 'bad' failed: ");
    const late = `let b = zinit_service_new().name("never").exec("/bin/true").status("stop"); b.register(); b.wait(1);`;
    expect((await play(zinit, late)).err).toContain(
      "service 'never' did not start within 1 seconds (state: ",
    );
  });

  ours("process_filter is there", async ({ zinit }) => {
    await zinit.start();
    const text = `print(zinit_service_new().process_filter("nginx").to_toml().contains("process_filters = [\\"nginx\\"]"));`;
    expect(await printed(zinit, text)).toEqual(["true"]);
  });
});

describe("proxies", () => {
  const PROXY = `
    let p = xinet_proxy_new().name("p").listen_tcp("127.0.0.1:1").listen_unix("SOCKET").add_listen_tcp("127.0.0.1:0")
      .backend_tcp("127.0.0.1:9").service("web").connect_timeout(0).idle_timeout(5).single_connection(true);
    print(p.to_string());
    print(p.to_markdown());
  `;

  test("every method of the builder", async ({ zinit }) => {
    await zinit.start();
    const lines = await printed(zinit, PROXY.replace("SOCKET", "/tmp/s"));
    expect(lines).toMatchInlineSnapshot(`
      [
        "# Xinet Proxy: p",
        "name = "p"",
        "listen = ["unix:/tmp/s", "tcp:127.0.0.1:0"]",
        "backend = "tcp:127.0.0.1:9"",
        "service = "web"",
        "connect_timeout = 1",
        "idle_timeout = 5",
        "single_connection = true",
        "",
        "## Xinet Proxy: p",
        "",
        "| Property | Value |",
        "|----------|-------|",
        "| listen | unix:/tmp/s, tcp:127.0.0.1:0 |",
        "| backend | tcp:127.0.0.1:9 |",
        "| service | web |",
        "| connect_timeout | 1s |",
        "| idle_timeout | 5s |",
        "| single_connection | true |",
        "",
      ]
    `);
  });

  ours("31: register, list, status, delete", async ({ zinit }) => {
    zinit.service("web", "sleep 300");
    await zinit.start();
    const socket = zinit.box.path("p.sock");
    const text = `
      let p = xinet_proxy_new().name("p").listen_unix("${socket}").backend_tcp("127.0.0.1:9").service("web").idle_timeout(5);
      p.register();
      print(xinet_list());
      print(xinet_status("p"));
      print(xinet_status_all()[0].listen);
      xinet_delete("p");
      print(xinet_list());
    `;
    expect(await printed(zinit, text)).toEqual([
      `Registered xinet proxy 'p': unix:${socket} -> tcp:127.0.0.1:9 (idle timeout: 5s)`,
      '["p"]',
      '#{"active_connections": 0, "name": "p", "running": true}',
      `unix:${socket}`,
      "Deleted xinet proxy 'p'",
      "[]",
    ]);
  });
});

const FUNCTIONS = `
print(zinit_ping());
print(zinit_list());
zinit_list_md();
print(zinit_status("web").state);
zinit_status_md("web");
print(zinit_is_running("web"));
print(zinit_is_running("nope"));
print(zinit_wait_for("web", 5));
print(zinit_wait_for("nope", 1));
print(zinit_why("web").blocked);
print(zinit_tree().contains("web"));
zinit_tree_print();
print(zinit_stats("web").pid > 0);
print(zinit_service_get("web"));
print(zinit_logs("web").len());
print(zinit_logs_n("web", 1)[0].contains("one"));
zinit_logs_print("web");
print(zinit_service_set(zinit_service_new().name("two").exec("sleep 300")));
zinit_start("two");
sleep(0.3);
zinit_restart("two");
sleep(0.3);
zinit_stop("two");
while zinit_status("two").state != "exited" { sleep(0.05); }
zinit_kill("web", "SIGCONT");
zinit_delete("two");
print(zinit_list());
`;

describe("functions", () => {
  test("every one", async ({ zinit }) => {
    zinit.service("web", "echo one; sleep 300");
    await zinit.start();
    const { pid } = await zinit.reaches("web", "running");
    await zinit.until("its line", async () =>
      JSON.stringify(await zinit.call("logs.get", { name: "web" })).includes("one"),
    );
    const lines = await printed(zinit, FUNCTIONS);
    const same = lines.map((line) =>
      line
        .replace(/\d{13}/, "TIME")
        .replace(new RegExp(`\\b${pid}\\b`, "g"), "PID")
        .replaceAll(zinit.configDir, "DIR"),
    );
    expect(same).toMatchInlineSnapshot(`
      [
        "#{"version": "0.3.9"}",
        "["web"]",
        "| Service | State | PID |",
        "|---------|-------|-----|",
        "| web | running | PID |",
        "",
        "running",
        "| Property | Value |",
        "|----------|-------|",
        "| Name | web |",
        "| State | running |",
        "| PID | PID |",
        "",
        "true",
        "false",
        "true",
        "false",
        "false",
        "true",
        "└─ [+] web (running)",
        "true",
        "#{"exec": "echo one; sleep 300", "name": "web", "oneshot": false}",
        "1",
        "true",
        "TIME [stdout] one",
        "✓ Created: two",
        "#{"name": "two", "path": "DIR/two.toml"}",
        "✓ Started: two",
        "Started: two",
        "✓ Restarted: two",
        "Restarted: two",
        "✓ Stopped: two",
        "Stopped: two",
        "✓ Sent SIGCONT to: web",
        "Sent SIGCONT to: web",
        "✓ Deleted: two",
        "Deleted: two",
        "["web"]",
      ]
    `);
  });

  ours("names in any spelling", async ({ zinit }) => {
    zinit.service("my_app", "sleep 300");
    zinit.service("Other-App", "sleep 300");
    await zinit.start();
    const text =
      'print(zinit_status("My-App").name); print(zinit_status("Other-App").name); print(zinit_logs_all().len());';
    expect(await printed(zinit, text)).toEqual(["my_app", "Other-App", "0"]);
  });

  test("failures name the function and the service", async ({ zinit }) => {
    await zinit.start();
    expect((await play(zinit, 'zinit_status("nope");')).err).toContain(
      "Runtime error: zinit_status 'nope' failed: service not found (line 1, position 1)",
    );
    expect((await play(zinit, 'zinit_kill("nope", "SIGTERM");')).err).toContain("zinit_kill 'nope' failed: ");
    expect((await play(zinit, 'xinet_status("nope");')).err).toContain(
      "Runtime error: xinet_status 'nope' failed: proxy not found (line 1, position 1)",
    );
    expect((await play(zinit, 'xinet_delete("nope");')).err).toContain("xinet_delete 'nope' failed: ");
  });
});
