/** The wire: framing, ids and errors, and everything that only looks. */
import { statSync } from "node:fs";
import { expect, ours, test, type Zinit } from "./harness.ts";

function request(id: unknown, method: string, params?: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) });
}

/** Adds a service over the socket, so that the order of the services is the same for every server. */
async function add(zinit: Zinit, name: string, exec: string, more: object = {}): Promise<void> {
  const { service, ...rest } = { service: {}, ...more };
  await zinit.call("service.set", { config: { service: { name, exec, ...service }, ...rest } });
}

test("the socket is for its group too, whatever the umask", async ({ zinit }) => {
  await zinit.start({ prelude: "umask 077" });
  expect(statSync(zinit.socket).mode & 0o777).toBe(0o660);
});

test("requests of one connection are answered one after the other", async ({ zinit }) => {
  await zinit.start();
  const rpc = await zinit.rpc();
  for (let id = 1; id <= 100; id++) rpc.send(request(id, id % 2 ? "system.ping" : "service.list"));
  for (let id = 1; id <= 100; id++) expect(await rpc.line()).toMatchObject({ jsonrpc: "2.0", id });
  // What changes something is handled before the next line is looked at.
  rpc.send(request(1, "service.set", { config: { service: { name: "web", exec: "sleep 99" } } }));
  rpc.send(request(2, "service.is_running", { name: "web" }));
  rpc.send(request(3, "service.delete", { name: "web" }));
  rpc.send(request(4, "service.list"));
  expect(await rpc.line()).toMatchObject({ id: 1, result: { name: "web" } });
  expect(await rpc.line()).toEqual({ jsonrpc: "2.0", id: 2, result: true });
  expect(await rpc.line()).toEqual({ jsonrpc: "2.0", id: 3, result: { ok: true } });
  expect(await rpc.line()).toEqual({ jsonrpc: "2.0", id: 4, result: [] });
  rpc.close();
});

test("an id is a whole number and comes back as it is", async ({ zinit }) => {
  await zinit.start();
  for (const id of ["0", "1", "4294967296", "9007199254740993", "18446744073709551615"]) {
    const raw = await zinit.raw();
    raw.send(`{"jsonrpc":"2.0","id":${id},"method":"system.ping"}\n`);
    await zinit.until("the answer", () => raw.text.endsWith("\n"));
    expect(raw.text).toBe(`{"jsonrpc":"2.0","id":${id},"result":{"version":"0.3.9"}}\n`);
    raw.end();
  }
});

test("what is no request is answered with id 0, and the connection goes on", async ({ zinit }) => {
  await zinit.start();
  const rpc = await zinit.rpc();
  for (const line of [
    "{",
    "{]",
    '{"a":1}',
    '{"id":1,"method":"system.ping"}',
    '{"jsonrpc":"2.0","method":"system.ping"}',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":2,"id":1,"method":"system.ping"}',
    '{"jsonrpc":"2.0","id":1,"method":7}',
    request("x", "system.ping"),
    request(null, "system.ping"),
    request(-1, "system.ping"),
    request(1.5, "system.ping"),
    `[${request(1, "system.ping")}]`,
    "[]",
    "7",
    "null",
    "18446744073709551616",
    '{"jsonrpc":"2.0","id":18446744073709551616,"method":"system.ping"}',
  ]) {
    rpc.send(line);
    expect({ line, answer: await rpc.line() }).toMatchObject({
      answer: { jsonrpc: "2.0", id: 0, error: { code: -32700, message: expect.any(String) } },
    });
  }
  rpc.send(request(7, "system.ping"));
  expect(await rpc.line()).toMatchObject({ id: 7, result: { version: "0.3.9" } });
  rpc.close();
});

test("the first line may be anything, and the last one needs no end", async ({ zinit }) => {
  await zinit.start();
  for (const first of ["nonsense", '"text"', "7", "[1]"]) {
    const raw = await zinit.raw();
    raw.send(`${first}\n${request(5, "system.ping")}`);
    raw.end();
    await zinit.until("the end", () => raw.closed);
    const answers = raw.text.split("\n").filter((line) => line !== "");
    expect(answers.map((line) => JSON.parse(line))).toMatchObject([
      { id: 0, error: { code: -32700 } },
      { id: 5, result: { version: "0.3.9" } },
    ]);
  }
});

test("unknown methods and missing parameters", async ({ zinit }) => {
  await zinit.start();
  expect(await zinit.error("service.nothing")).toEqual({ code: -32601, message: "unknown method" });
  const needName =
    "service.status service.status_full service.get service.stats service.children service.is_running " +
    "service.why service.start service.stop service.restart service.kill service.delete service.remove " +
    "logs.tail debug.process_tree";
  for (const method of needName.split(" ")) {
    for (const params of [
      undefined,
      {},
      null,
      [],
      ["web"],
      "web",
      { name: 5 },
      { name: null },
      { nmae: "web" },
    ]) {
      expect({ method, params, error: await zinit.error(method, params) }).toEqual({
        method,
        params,
        error: { code: -32602, message: "missing 'name' parameter" },
      });
    }
  }
  expect(await zinit.error("logs.filter", {})).toEqual({
    code: -32602,
    message: "missing 'service' parameter",
  });
});

test("services that are not there", async ({ zinit }) => {
  await zinit.start();
  const params = { name: "ghost" };
  for (const method of ["status", "status_full", "get", "stats", "children", "why"]) {
    expect(await zinit.error(`service.${method}`, params)).toEqual({
      code: -32000,
      message: "service not found",
    });
  }
  for (const method of ["logs.get", "logs.tail", "logs.filter", "debug.process_tree"]) {
    expect(await zinit.error(method, params)).toEqual({ code: -32000, message: "service not found" });
  }
  for (const method of ["start", "stop", "restart", "kill", "delete", "remove"]) {
    expect(await zinit.error(`service.${method}`, params)).toEqual({
      code: -32603,
      message: "service not found: ghost",
    });
  }
  expect(await zinit.call("service.is_running", params)).toBe(false);
});

test("the methods tell of themselves", async ({ zinit }) => {
  await zinit.start();
  const document = await zinit.call("rpc.discover");
  expect(document).toMatchObject({
    openrpc: "1.2.6",
    info: { title: "Zinit RPC API", version: "0.3.0" },
    methods: expect.any(Array),
  });
  const names = (document as { methods: { name: string }[] }).methods.map(({ name }) => name);
  const known =
    "rpc.discover system.ping system.shutdown system.reboot system.prepare_restart service.set service.get " +
    "service.delete service.list service.list_full service.start service.stop service.restart service.kill " +
    "service.status service.status_full service.stats service.children service.is_running service.why " +
    "service.tree logs.get logs.tail logs.filter debug.state debug.process_tree xinet.set xinet.delete " +
    "xinet.list xinet.status xinet.status_all";
  expect(names.sort()).toEqual(known.split(" ").sort());
  expect(await zinit.call("system.ping", { any: "thing" })).toEqual({ version: "0.3.9" });
});

test("every state as programs see it", async ({ zinit }) => {
  zinit.service("up", "sleep 99");
  zinit.service("done", "exit 0", { lifecycle: { restart: "never" } });
  zinit.service("broken", "exit 3", { lifecycle: { restart: "never" } });
  zinit.service("shot", "kill -9 $$", { lifecycle: { restart: "never" } });
  zinit.service("once", "exit 4", { service: { oneshot: true } });
  zinit.service("off", "sleep 99", { service: { status: "stop" } });
  zinit.service("lost", "sleep 99", { dependencies: { requires: ["missing", "gone"] } });
  zinit.service("stuck", "sleep 99", { dependencies: { requires: ["broken", "off"], after: ["off"] } });
  zinit.target("goal", { requires: ["up"] });
  await zinit.start();
  const { pid } = await zinit.reaches("up", "running");
  await zinit.reaches("done", "exited");
  await zinit.reaches("broken", "failed");
  await zinit.reaches("shot", "failed");
  await zinit.reaches("once", "exited");
  await zinit.reaches("goal", "running");
  const status = (name: string) => zinit.call("service.status", { name });
  expect(await status("up")).toEqual({ name: "up", state: "running", pid });
  expect(await status("done")).toEqual({ name: "done", state: "exited", pid: 0, exit_code: 0 });
  expect(await status("broken")).toEqual({ name: "broken", state: "failed", pid: 0, exit_code: 3 });
  expect(await status("shot")).toEqual({
    name: "shot",
    state: "failed",
    pid: 0,
    error: "killed by signal 9",
  });
  expect(await status("once")).toEqual({ name: "once", state: "exited", pid: 0, exit_code: 4 });
  expect(await status("off")).toEqual({ name: "off", state: "inactive", pid: 0 });
  expect(await status("lost")).toEqual({
    name: "lost",
    state: "failed",
    pid: 0,
    error: "missing dependency 'missing'",
  });
  expect(await status("stuck")).toEqual({
    name: "stuck",
    state: "blocked",
    pid: 0,
    error: "waiting on: off, broken, off",
  });
  expect(await status("goal")).toEqual({ name: "goal", state: "running", pid: 0 });
  const all = (await zinit.call("service.list_full")) as { name: string }[];
  const info = Object.fromEntries(all.map((entry) => [entry.name, entry]));
  expect(info).toEqual({
    up: { name: "up", state: { state: "running", pid }, is_target: false },
    done: { name: "done", state: { state: "exited", exit_code: 0 }, is_target: false },
    broken: {
      name: "broken",
      state: { state: "failed", reason: { type: "exit_code", code: 3 } },
      is_target: false,
    },
    shot: {
      name: "shot",
      state: { state: "failed", reason: { type: "signal", signal: 9 } },
      is_target: false,
    },
    once: { name: "once", state: { state: "exited", exit_code: 4 }, is_target: false },
    off: { name: "off", state: { state: "inactive" }, is_target: false },
    lost: {
      name: "lost",
      state: { state: "failed", reason: { type: "missing_dependency", dependency: "missing" } },
      is_target: false,
    },
    stuck: {
      name: "stuck",
      state: { state: "blocked", waiting_on: ["off", "broken", "off"] },
      is_target: false,
    },
    goal: { name: "goal", state: { state: "running", pid: 0 }, is_target: true },
  });
  expect(await zinit.call("service.is_running", { name: "up" })).toBe(true);
  expect(await zinit.call("service.is_running", { name: "goal" })).toBe(true);
  expect(await zinit.call("service.is_running", { name: "done" })).toBe(false);
});

test("a service that cannot be started", async ({ zinit }) => {
  zinit.service("nowhere", "sleep 99", { service: { dir: "/no/such/folder" } });
  await zinit.start();
  const { error } = await zinit.reaches("nowhere", "failed");
  expect(error).toMatch(/^spawn error: spawn error for service 'nowhere': ./);
  expect(await zinit.call("service.status_full", { name: "nowhere" })).toMatchObject({
    state: {
      state: "failed",
      reason: {
        type: "spawn_error",
        message: expect.stringMatching(/^spawn error for service 'nowhere': ./),
      },
    },
  });
});

test("dependencies with their states", async ({ zinit }) => {
  await zinit.start();
  await add(zinit, "db", "sleep 99");
  await add(zinit, "cache", "sleep 99", { service: { status: "stop" } });
  await add(zinit, "log", "sleep 99", { service: { status: "stop" } });
  await add(zinit, "web", "sleep 99", {
    dependencies: { after: ["log", "db"], requires: ["db", "cache"], wants: ["log"], conflicts: ["db"] },
  });
  const { pid } = await zinit.reaches("db", "running");
  await zinit.reaches("web", "blocked");
  expect(await zinit.call("service.status_full", { name: "web" })).toMatchObject({
    name: "web",
    state: { state: "blocked", waiting_on: ["cache", "log"] },
    is_target: false,
    dependencies: [
      { name: "log", dep_type: "wants", state: { state: "inactive" }, satisfied: true },
      { name: "cache", dep_type: "requires", state: { state: "inactive" }, satisfied: false },
      { name: "db", dep_type: "requires", state: { state: "running", pid }, satisfied: true },
      { name: "db", dep_type: "after", state: { state: "running", pid }, satisfied: true },
      { name: "log", dep_type: "after", state: { state: "inactive" }, satisfied: false },
    ],
    uptime_secs: null,
  });
  expect(await zinit.call("service.why", { name: "web" })).toEqual({
    name: "web",
    blocked: true,
    waiting_on: ["cache", "log"],
    conflicts_with: ["db"],
    ascii: [
      "[?] web (blocked)",
      "  -> waiting on cache (inactive)",
      "  -> waiting on log (inactive)",
      "  !> conflicts with db (running)",
    ].join("\n"),
  });
  expect(await zinit.call("service.why", { name: "cache" })).toEqual({
    name: "cache",
    blocked: false,
    waiting_on: [],
    conflicts_with: [],
    ascii: "[-] cache (inactive)\n  Can start: all dependencies satisfied",
  });
});

ours("uptime is told (it always was null)", async ({ zinit }) => {
  zinit.service("up", "sleep 99");
  await zinit.start();
  await zinit.reaches("up", "running");
  expect(await zinit.call("service.status_full", { name: "up" })).toMatchObject({
    uptime_secs: expect.any(Number),
  });
});

test("the whole definition, defaults included", async ({ zinit }) => {
  await zinit.start();
  await add(zinit, "web", "sleep 99", { service: { env: { A: "1" } } });
  expect(await zinit.call("service.get", { name: "web" })).toEqual({
    service: {
      name: "web",
      exec: "sleep 99",
      dir: null,
      oneshot: false,
      env: { A: "1" },
      status: "start",
      class: "user",
      critical: false,
      ports: [],
      kill_others: false,
      process_filters: [],
    },
    dependencies: { after: [], requires: [], wants: [], conflicts: [] },
    lifecycle: {
      restart: "on-failure",
      restart_delay_ms: 1000,
      restart_delay_max_ms: 300000,
      max_restarts: 10,
      stability_period_ms: 30000,
      start_timeout_ms: 30000,
      stop_timeout_ms: 10000,
      stop_signal: "SIGTERM",
    },
    health: null,
    logging: { buffer_lines: 1000, file: null, forward: null },
  });
});

test("a target's definition", async ({ zinit }) => {
  zinit.target("goal");
  await zinit.start();
  expect(await zinit.call("service.get", { name: "goal" })).toEqual({ name: "goal", is_target: true });
});

test("the trees as text", async ({ zinit }) => {
  await zinit.start();
  expect(await zinit.call("service.tree")).toEqual({ ascii: "" });
  const off = { service: { status: "stop" } };
  await add(zinit, "db", "sleep 99", off);
  await add(zinit, "net", "sleep 99", off);
  await add(zinit, "cache", "sleep 99", { ...off, dependencies: { requires: ["net"] } });
  await add(zinit, "web", "sleep 99", {
    ...off,
    dependencies: { after: ["db", "net"], requires: ["cache", "db"], wants: ["net"] },
  });
  await add(zinit, "job", "sleep 99", { ...off, dependencies: { requires: ["db"] } });
  expect(await zinit.call("service.tree")).toEqual({
    ascii: [
      "├─ [-] net (inactive)",
      "├─ [-] cache (inactive)",
      "│    └─ requires net (inactive)",
      "├─ [-] db (inactive)",
      "├─ [-] job (inactive)",
      "│    └─ requires db (inactive)",
      "└─ [-] web (inactive)",
      "     ├─ wants net (inactive)",
      "     ├─ requires db (inactive)",
      "     ├─ requires cache (inactive)",
      "     ├─ after net (inactive)",
      "     └─ after db (inactive)",
    ].join("\n"),
  });
  expect(await zinit.call("debug.state")).toEqual({
    output: [
      "=== Service Graph State ===",
      "",
      "[-] net - Inactive",
      "    → required by: web, web, cache",
      "",
      "[-] cache - Inactive",
      "    ← depends on:",
      "      ✗ requires net (inactive)",
      "    → required by: web",
      "",
      "[-] db - Inactive",
      "    → required by: job, web, web",
      "",
      "[-] job - Inactive",
      "    ← depends on:",
      "      ✗ requires db (inactive)",
      "",
      "[-] web - Inactive",
      "    ← depends on:",
      "      ✗ wants net (inactive)",
      "      ✗ requires db (inactive)",
      "      ✗ requires cache (inactive)",
      "      ✗ after net (inactive)",
      "      ✗ after db (inactive)",
      "",
    ].join("\n"),
  });
  expect(await zinit.call("debug.process_tree", { name: "db" })).toEqual({ output: "db is not running" });
});
