import { describe, expect, it } from "vitest";
import { ROUTES } from "../../../../src/api/routes.ts";
import { METHODS } from "../../../../src/personalities/zinit/brain/methods.ts";
import { DOWN, documentText, inputOf, questionOf, replies, resultIn, specOf, ZinitBench } from "./bench.ts";

const OK = { ok: true };

function bench(): ZinitBench {
  const made = new ZinitBench();
  made.add("db");
  made.add("web", {}, { dependencies: { requires: ["db"] } });
  made.add("off", DOWN, { service: { status: "stop" } });
  return made;
}

const because = "asked by process 77 of user 1000";

describe("the table of methods", () => {
  it("has each name once, and none of the native API's", () => {
    const names = METHODS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => ROUTES.some((route) => route.id === name))).toEqual([]);
  });

  it("describes what it takes", () => {
    const document = bench().result("rpc.discover") as {
      methods: { name: string; params: unknown[]; result: { schema: object } }[];
      components: { schemas: Record<string, unknown> };
    };
    const kill = document.methods.find(({ name }) => name === "service.kill");
    expect(kill?.params).toMatchObject([
      { name: "name", required: true, schema: { type: "string" } },
      { name: "signal", required: false, schema: { default: "SIGTERM" } },
    ]);
    const references = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(
      ([, to]) => to,
    );
    expect(references.length).toBeGreaterThan(10);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name ?? "");
  });

  it("leaves the native methods where they are", () => {
    expect(bench().result("services.get", { name: "web" })).toMatchObject({ name: "web", state: "running" });
    expect(bench().answer("services.nothing")).toEqual({
      jsonrpc: "2.0",
      id: 1,
      error: { code: -32601, message: "unknown method" },
    });
  });
});

describe("acting", () => {
  it("answers a start as soon as there is a process", () => {
    const made = bench();
    made.world.onStep = () => {
      made.add("off", { state: "starting", ready: false, pid: null });
      return [];
    };
    made.open("service.start", { name: "off" });
    expect(made.world.asks).toEqual([{ type: "start", counting: true, names: ["off"], because }]);
    made.world.onStep = () => [];
    expect(replies(made.nudge())).toEqual([]);
    made.add("off", { pid: 8 });
    expect(resultIn(made.nudge())).toEqual(OK);
  });

  it("waits for a process no longer than clients do", () => {
    const made = bench();
    made.add("off", { state: "starting", ready: false, pid: null });
    const arm = made.open("service.start", { name: "off" }).find((command) => command.type === "arm");
    if (arm === undefined) throw new Error("it waits for ever");
    expect(arm.at - made.now).toBeLessThan(5000);
    expect(resultIn(made.send({ type: "timer", key: arm.key, at: arm.at }))).toEqual(OK);
  });

  it("answers what has to wait, and what is looked at for ports no sooner than that is known", () => {
    const made = bench();
    made.add("off", { ...DOWN, state: "waiting" });
    made.open("service.start", { name: "off" });
    const port = "port 80 in use by service web";
    made.add("off", { ...DOWN, state: "waiting", obstacle: { port, process: null } });
    expect(resultIn(made.nudge())).toEqual(OK);
    made.add("late", { ...DOWN, state: "waiting" }, { dependencies: { after: ["off"] } });
    expect(made.result("service.start", { name: "late" })).toEqual(OK);
  });

  it("refuses while it leaves, and what a person holds", () => {
    const made = bench();
    made.world.refusals.set("web start", "it is masked");
    expect(made.answer("service.start", { name: "web" })).toMatchObject({
      error: { code: -32603, message: "cannot start 'web': it is masked" },
    });
    made.world.phase = "stopping";
    for (const method of ["start", "stop", "restart", "kill", "delete"]) {
      expect(made.answer(`service.${method}`, { name: "web" })).toMatchObject({
        error: { code: -32603, message: "supervisor not available" },
      });
    }
    for (const method of ["reload", "start_all", "stop_all", "delete_all"]) {
      expect(made.answer(`service.${method}`)).toMatchObject({ error: { code: -32603 } });
    }
    expect(made.world.asks).toEqual([]);
  });

  it("kills the process group", () => {
    const made = bench();
    expect(made.result("service.kill", { name: "web", signal: 10 })).toEqual(OK);
    expect(made.result("service.kill", { name: "web" })).toEqual(OK);
    expect(made.world.asks).toEqual([
      { type: "kill", name: "web", signal: "USR1", scope: "group", because },
      { type: "kill", name: "web", signal: "TERM", scope: "group", because },
    ]);
  });

  it("spares class system, and what it needs, where all are meant", () => {
    const made = bench();
    made.add("sys", {}, { service: { class: "system" }, dependencies: { requires: ["db"] } });
    made.add("idle", DOWN);
    expect(made.result("service.stop_all")).toEqual({ stopped: ["web"], count: 1 });
    made.world.onStep = () => {
      made.add("idle");
      return [];
    };
    expect(made.result("service.start_all")).toEqual({ started: ["idle"], count: 1 });
    expect(made.world.asks).toMatchObject([
      { type: "stop", names: ["web"] },
      { type: "start", names: ["idle"] },
    ]);
  });

  it("asks nothing where nobody is meant", () => {
    const made = new ZinitBench();
    expect(made.result("service.stop_all")).toEqual({ stopped: [], count: 0 });
    expect(made.result("service.start_all")).toEqual({ started: [], count: 0 });
    expect(made.world.asks).toEqual([]);
  });

  it("restarts a machine, but not a container's", () => {
    const machine = new ZinitBench({ pidOne: true });
    expect(machine.result("system.reboot")).toEqual(OK);
    expect(machine.world.asks).toEqual([{ type: "shutdown", because, machine: "reboot" }]);
    const container = new ZinitBench({ pidOne: true, personality: { container: true } });
    expect(container.result("system.reboot")).toEqual(OK);
    expect(container.world.asks).toEqual([{ type: "shutdown", because }]);
  });
});

describe("defining", () => {
  const SPEC = specOf("new");
  const SET = { ok: true, name: "new", path: "/etc/zinit/services/new.toml", warnings: ["w"], spec: SPEC };
  const PARAMS = { config: { service: { name: "new", exec: "sleep 9" } } };

  it("lets the config program read, check and write it, then has it run", () => {
    const made = bench();
    const commands = made.open("service.set", PARAMS);
    expect(inputOf(commands)).toEqual({
      zinit: "set",
      configDir: "/etc/zinit/services",
      systemDir: null,
      params: PARAMS,
      persist: true,
      known: [
        { name: "db", file: "/etc/db.toml", waitsFor: [] },
        { name: "web", file: "/etc/web.toml", waitsFor: ["db"] },
        { name: "off", file: "/etc/off.toml", waitsFor: [] },
      ],
    });
    made.world.onStep = () => {
      made.add("new", { pid: 9 });
      return [];
    };
    expect(resultIn(made.configured(commands, SET))).toEqual({
      name: "new",
      path: "/etc/zinit/services/new.toml",
      warnings: ["w"],
    });
    expect(made.world.asks).toEqual([{ type: "change", set: [SPEC], remove: [], restart: true, because }]);
  });

  it("24: replaces what is there, and answers when the former run has left", () => {
    const made = bench();
    made.world.onStep = () => {
      made.add("web", { state: "stopping" });
      return [];
    };
    const commands = made.open("service.set", { config: { service: { name: "web", exec: "sleep 8" } } });
    expect(replies(made.configured(commands, { ...SET, name: "web", spec: specOf("web") }))).toEqual([]);
    made.world.onStep = () => [];
    made.add("web", { state: "starting", pid: null });
    expect(replies(made.nudge())).toEqual([]);
    made.add("web", { pid: 11 });
    expect(resultIn(made.nudge())).toMatchObject({ name: "web" });
  });

  it("passes on what is wrong with it, and changes nothing", () => {
    const made = bench();
    const data = { errors: ["service.exec cannot be empty"] };
    const wrong = { ok: false, code: -32011, message: "Validation failed", data };
    const commands = made.configured(made.open("service.set", {}), wrong);
    expect(made.world.asks).toEqual([]);
    expect(JSON.stringify(commands)).toContain("Validation failed");
    const failed = made.reply(made.open("service.set", {}), { type: "failed", message: "no thread" });
    expect(JSON.stringify(failed)).toContain("no thread");
  });

  it.each([
    ["service.add", {}, false],
    ["service.add", { persist: true }, true],
    ["service.create", { persist: true }, true],
    ["service.register", {}, true],
    ["service.monitor", {}, false],
  ])("%s with %j", (method, more, persist) => {
    const made = bench();
    const commands = made.open(method, { ...PARAMS, ...more });
    expect(inputOf(commands)).toMatchObject({ zinit: "set", persist });
    made.world.onStep = () => {
      made.add("new", DOWN);
      return [];
    };
    const output = { ...SET, path: persist ? SET.path : null };
    expect(resultIn(made.configured(commands, output))).toEqual({
      name: "new",
      warnings: ["w"],
      ...(persist ? { path: SET.path } : {}),
    });
  });

  it("adds only what is not there", () => {
    for (const params of [{ config: { service: { name: "web" } } }, { service: { name: "web" } }]) {
      expect(bench().answer("service.add", params)).toMatchObject({
        error: { code: -32010, message: "Service 'web' already exists" },
      });
    }
  });

  it("14: removes what requires it too, its dependents first, and nothing else", () => {
    const made = bench();
    made.add("beside", {}, { dependencies: { after: ["db"], wants: ["db"] } });
    made.add("tmp", {}, { dependencies: { requires: ["web"] } }, null);
    const commands = made.open("service.delete", { name: "db" });
    expect(inputOf(commands)).toEqual({
      zinit: "delete",
      configDir: "/etc/zinit/services",
      systemDir: null,
      services: [
        { name: "tmp", file: null },
        { name: "web", file: "/etc/web.toml" },
        { name: "db", file: "/etc/db.toml" },
      ],
    });
    expect(replies(made.configured(commands, { ok: true, removed: [] }))).toEqual([]);
    expect(made.world.asks).toMatchObject([{ type: "change", set: [], remove: ["tmp", "web", "db"] }]);
    for (const name of ["tmp", "web", "db"]) made.remove(name);
    expect(resultIn(made.nudge())).toEqual(OK);
  });

  it("25: answers in time when a stop takes long", () => {
    const made = bench();
    const opened = made.open("service.delete", { name: "web" });
    const arm = opened.find((command) => command.type === "arm");
    made.configured(opened, { ok: true, removed: [] });
    if (arm === undefined) throw new Error("it waits for ever");
    expect(resultIn(made.send({ type: "timer", key: arm.key, at: arm.at }))).toEqual(OK);
  });

  it("keeps what has a file that cannot be deleted", () => {
    const made = bench();
    const failure = { ok: false, code: -32603, message: "failed to delete config file for service 'web': …" };
    const commands = made.configured(made.open("service.remove", { name: "web" }), failure);
    expect(JSON.stringify(commands)).toContain("failed to delete");
    expect(made.world.asks).toEqual([]);
  });

  it("28: reads the folders again", () => {
    const made = bench();
    made.add("gone", DOWN);
    made.add("tmp", {}, {}, null);
    const loaded = (name: string, exec = "sleep 99", status: "start" | "stop" = "start") => ({
      name,
      origin: { file: `/etc/${name}.toml`, document: documentText(name, { service: { exec, status } }) },
    });
    const changed = loaded("db", "sleep 1");
    const added = loaded("new");
    const web = specOf("web", { dependencies: { requires: ["db"] } });
    const output = {
      services: [changed, web, loaded("off", "sleep 99", "stop"), added],
      warnings: ["bad.toml: skipped"],
      missing: [["new", "nobody"]],
      cycles: [],
    };
    const commands = made.open("service.reload");
    expect(inputOf(commands)).toEqual({ zinit: "load", configDir: "/etc/zinit/services", systemDir: null });
    made.world.onStep = () => {
      made.remove("gone");
      made.add("new");
      return [];
    };
    const last = made.configured(commands, output);
    expect(resultIn(last)).toEqual({
      added: ["new"],
      removed: ["gone"],
      changed: ["db"],
      config_errors: [["new", "nobody"]],
    });
    expect(last).toContainEqual({ type: "say", text: "bad.toml: skipped" });
    expect(made.world.asks).toEqual([
      { type: "change", set: [added, changed], remove: ["gone"], restart: false, because },
    ]);
  });

  it("keeps everything when the folders have a cycle", () => {
    const made = bench();
    const output = { services: [], warnings: [], missing: [], cycles: [["a", "b"]] };
    const commands = made.configured(made.open("service.reload"), output);
    expect(JSON.stringify(commands)).toContain("cyclic dependency detected: a -> b");
    expect(made.world.asks).toEqual([]);
  });
});

describe("one after the other", () => {
  const DELETED = { ok: true, removed: [] };

  it("begins a change when the one before it has been handled; looks at once", () => {
    const made = bench();
    const first = made.open("service.delete", { name: "web" });
    const second = made.open("service.delete", { name: "off" });
    expect(second.some((command) => command.type === "query")).toBe(false);
    made.open("service.stop", { name: "db" });
    expect(made.result("service.list")).toEqual(["db", "web", "off"]);
    expect(made.world.asks).toEqual([]);
    const next = made.configured(first, DELETED);
    expect(made.world.asks).toMatchObject([{ type: "change", remove: ["web"] }]);
    expect(inputOf(next)).toMatchObject({ services: [{ name: "off" }] });
    made.remove("web");
    made.configured(next, DELETED);
    expect(made.world.asks.map(({ type }) => type)).toEqual(["change", "change", "stop"]);
  });

  it("goes on when a client has gone", () => {
    const made = bench();
    const { request, commands } = made.line({
      jsonrpc: "2.0",
      id: 1,
      method: "service.delete",
      params: { name: "web" },
    });
    made.open("service.stop", { name: "db" });
    made.send({ type: "gone", request });
    made.configured(commands, DELETED);
    expect(made.world.asks.map(({ type }) => type)).toEqual(["change", "stop"]);
  });

  it("has a line of bounded length", () => {
    const made = bench();
    const first = made.open("service.delete", { name: "web" });
    for (let waiting = 1; waiting < 64; waiting++) made.open("service.stop", { name: "db" });
    expect(made.answer("service.stop", { name: "db" })).toMatchObject({ error: { code: -32603 } });
    made.configured(first, DELETED);
    expect(made.world.asks).toHaveLength(64);
  });

  it("takes no answer for another's", () => {
    const made = bench();
    const commands = made.open("service.delete", { name: "web" });
    const { key } = questionOf(commands);
    const answer = { type: "configured", output: "{}" } as const;
    expect(made.send({ type: "answered", key: `${key}1`, at: 1, answer })).toEqual([]);
    made.send({ type: "answered", key: "guard web", at: 1, answer });
    expect(made.world.events).toContain("answered");
  });
});

describe("processes", () => {
  const facts = (pid: number, parent: number, more = {}) => ({
    pid,
    parent,
    name: `p${pid}`,
    command: "",
    state: "S",
    memoryBytes: pid * 1000,
    cpuMs: 0,
    ...more,
  });

  it("measures from one question to the next", () => {
    const made = bench();
    const ask = (cpuMs: number) => {
      const commands = made.open("service.stats", { name: "web" });
      return resultIn(made.reply(commands, { type: "processes", sets: [[facts(100, 1, { cpuMs })]] }));
    };
    // Since the start, three minutes ago.
    expect(ask(18_000)).toEqual({ pid: 100, memory_bytes: 100_000, cpu_percent: 10 });
    made.now += 1000;
    expect(ask(18_500)).toMatchObject({ cpu_percent: 50 });
    made.now += 10;
    expect(ask(18_510)).toMatchObject({ cpu_percent: 50 });
    made.now += 990;
    expect(ask(18_500)).toMatchObject({ cpu_percent: 0 });
    made.add("web", { pid: 200, uptime_ms: 1000 });
    const commands = made.open("service.stats", { name: "web" });
    const again = made.reply(commands, { type: "processes", sets: [[facts(200, 1, { cpuMs: 250 })]] });
    expect(resultIn(again)).toMatchObject({ pid: 200, cpu_percent: 25 });
  });

  it("asks nothing about what has none", () => {
    const made = bench();
    expect(made.result("service.stats", { name: "off" })).toEqual({
      pid: 0,
      memory_bytes: 0,
      cpu_percent: 0,
    });
    expect(made.result("service.children", { name: "off" })).toEqual({ children: [] });
    expect(made.result("debug.process_tree", { name: "off" })).toEqual({ output: "off is not running" });
  });

  it("lists what is below the main one, the highest number first", () => {
    const made = bench();
    const sets = [[facts(100, 1), facts(101, 100), facts(110, 101), facts(105, 100), facts(120, 1)]];
    const children = resultIn(
      made.reply(made.open("service.children", { name: "web" }), { type: "processes", sets }),
    );
    expect(children).toEqual({
      children: [120, 110, 105, 101].map((pid) => ({ pid, name: `p${pid}`, memory_bytes: pid * 1000 })),
    });
    const tree = resultIn(
      made.reply(made.open("debug.process_tree", { name: "web" }), { type: "processes", sets }),
    );
    expect(tree).toEqual({
      output: [
        "web (pid=100)",
        "  ├─ p101 (pid=101, ppid=100, sleeping)",
        "  ├─ p105 (pid=105, ppid=100, sleeping)",
        "  ├─ p110 (pid=110, ppid=101, sleeping)",
        "  └─ p120 (pid=120, ppid=1, sleeping)",
      ].join("\n"),
    });
  });

  it("shows everything at once", () => {
    const made = bench();
    made.add("broken", {
      ...DOWN,
      state: "backoff",
      restarts: 3,
      reason: { type: "signal", signal: "KILL" },
      exit: { signal: "KILL", at: "2026-01-31T11:58:00.000Z" },
    });
    made.add("old", { uptime_ms: 3_661_000 });
    const commands = made.open("debug.state");
    const sets = [[], [facts(100, 1), facts(101, 100)], []];
    const { output } = resultIn(made.reply(commands, { type: "processes", sets })) as { output: string };
    expect(output.split("\n\n")).toEqual([
      "=== Service Graph State ===",
      "[+] old - Running (pid=100, uptime=1h1m)",
      "[X] broken - Failed (killed by SIGKILL (9))\n    restart_count: 3, next_delay: 8000ms",
      "[-] off - Inactive",
      "[+] db - Running (pid=100, uptime=3m0s)\n    → required by: web",
      "[+] web - Running (pid=100, uptime=3m0s)\n    ← depends on:\n      ✓ requires db (running)\n" +
        "    └─ child processes:\n       └─ p101 (pid=101, state=S)\n",
    ]);
  });

  it("says so when nobody can look", () => {
    const made = bench();
    const commands = made.open("service.stats", { name: "web" });
    const failed = made.reply(commands, { type: "failed", message: "no /proc" });
    expect(JSON.stringify(failed)).toContain("no /proc");
  });
});

describe("logs", () => {
  const query = (lines: number | null, more = {}) => ({
    logs: ["web"],
    lines,
    wallSince: null,
    wallUntil: null,
    stream: null,
    grep: null,
    follow: false,
    ...more,
  });

  it.each([
    ["logs.get", { name: "web" }, "lines", query(100)],
    ["logs.get", { lines: 5 }, "lines", query(5, { logs: null })],
    ["logs.tail", { name: "web", lines: 2 ** 40 }, "entries", query(0xffff_ffff)],
    ["logs.filter", { service: "web" }, "entries", query(null)],
    [
      "logs.filter",
      { name: "web", stream: "stderr", since: 5, lines: 7 },
      "entries",
      query(7, { wallSince: 5, stream: "err" }),
    ],
    ["logs.filter", { name: "web", stream: "syslog" }, "entries", query(null, { stream: "syslog" })],
  ])("%s of %j", (method, params, format, expected) => {
    const { commands } = bench().line({ jsonrpc: "2.0", id: 1, method, params });
    const [reply] = replies(commands);
    expect(reply?.parts).toContainEqual({ type: "logs", query: expected, format });
  });
});
