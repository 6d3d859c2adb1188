import { describe, expect, it } from "vitest";
import { run } from "../../../src/cli/cli.ts";
import { nameOf } from "../../../src/cli/locate.ts";
import { serviceName } from "../../../src/cli/verbs/run-command.ts";
import { FakeHost, giving, oneup } from "./fake.ts";

const ROOT = "/home/me/project/oneup.toml";
const SOCKET = `/run/user/1000/oneup/${nameOf(ROOT)}.sock`;

function loadable(more: object = {}): FakeHost {
  const host = new FakeHost().file(ROOT);
  host.config = {
    ok: true,
    config: { services: [{ name: "web" }], supervisor: {} },
    supervise: { listen: null, consoleFormat: "text" },
    names: ["web"],
    root: ROOT,
    warnings: [],
    ...more,
  };
  return host;
}

describe("run", () => {
  it("hands the configuration to the host", () => {
    const host = loadable();
    expect(oneup(host, "run", "a.toml", "b")).toMatchObject({ exit: 0, out: "", err: "" });
    expect(host.loaded).toEqual({ paths: ["a.toml", "b"], cwd: host.cwd, environment: host.environment });
    expect(host.supervised).toEqual({
      config: { services: [{ name: "web" }], supervisor: {} },
      brain: "brain",
      socketMode: 0o600,
      socket: SOCKET,
      socketRequired: false,
      listen: null,
      consoleFormat: "text",
      colour: false,
      single: false,
      ownLog: null,
      syslog: null,
      neverLeave: false,
    });
  });

  it("has files of other dialects read by the program that knows them", () => {
    const host = loadable();
    host.foreign = true;
    expect(oneup(host, "run", "services/")).toMatchObject({ exit: 0, err: "" });
    expect(host.supervised).toMatchObject({ config: { services: [{ name: "web" }] } });
  });

  it("takes the address, the console's format and colours along", () => {
    const listen = { address: "127.0.0.1:7000", tokenFile: "/etc/token" };
    const host = loadable({ supervise: { listen, consoleFormat: "json" } });
    host.terminal = true;
    oneup(host, "run", "--socket", "s.sock");
    expect(host.supervised).toMatchObject({
      listen,
      consoleFormat: "json",
      colour: true,
      socket: "/home/me/project/s.sock",
      socketRequired: true,
    });
  });

  it("writes records with --json, and what is wrong as a document", () => {
    const host = loadable();
    oneup(host, "run", "--json");
    expect(host.supervised).toMatchObject({ consoleFormat: "json" });
    const errors = [{ file: "a.toml", line: 3, column: 7, message: "unknown key", hint: null }];
    const { exit, out, err } = oneup(loadable({ ok: false, errors }), "run", "--json");
    expect({ exit, err }).toEqual({ exit: 2, err: "a.toml:3:7: unknown key\n" });
    expect(JSON.parse(out)).toMatchObject({ exit_code: 2, errors });
  });

  it("shows every error with its place, and starts nothing", () => {
    const host = loadable({
      ok: false,
      errors: [
        { file: "a.toml", line: 3, column: 7, message: "unknown key", hint: 'did you mean "command"?' },
        { file: "b.toml", line: null, column: null, message: "no such file", hint: null },
      ],
      warnings: [{ file: "a.toml", line: 1, column: 1, message: "empty", hint: null }],
    });
    expect(oneup(host, "run")).toMatchObject({
      exit: 2,
      out: "",
      err: 'a.toml:1:1: warning: empty\na.toml:3:7: unknown key\n  did you mean "command"?\nb.toml: no such file\n',
    });
    expect(host.supervised).toBeNull();
  });

  it("refuses to be the second", () => {
    const host = loadable();
    for (const server of [giving([]), giving({}, 503), () => ({ error: "ETIMEDOUT", message: "" })]) {
      host.sockets.set(SOCKET, server);
      const { exit, err } = oneup(host, "run");
      expect(exit).toBe(2);
      expect(err).toContain(`a supervisor of ${ROOT} is already there: it answers at ${SOCKET}`);
    }
    host.sockets.set(SOCKET, () => ({ error: "EACCES", message: "permission denied" }));
    expect(oneup(host, "run")).toMatchObject({ exit: 2, err: expect.stringContaining("somebody else's") });
    expect(host.supervised).toBeNull();
    host.sockets.delete(SOCKET);
    host.sockets.set("/tmp/x.sock", giving([]));
    expect(oneup(host, "run", "--socket=/tmp/x.sock")).toMatchObject({
      exit: 2,
      err: expect.stringContaining("/tmp/x.sock"),
    });
    expect(host.supervised).toBeNull();
  });

  it("does without a socket where the default path is too long", () => {
    const host = loadable();
    host.environment.XDG_RUNTIME_DIR = `/${"x".repeat(90)}`;
    expect(oneup(host, "run")).toMatchObject({ exit: 0, err: expect.stringContaining("no control socket") });
    expect(host.supervised).toMatchObject({ socket: null, socketRequired: false });
  });
});

describe("one command", () => {
  it.each([[["--", "/usr/bin/node", "s.js", "--json"]], [["run", "--", "/usr/bin/node", "s.js", "--json"]]])(
    "%j is one service",
    (args) => {
      const host = new FakeHost();
      expect(oneup(host, ...args)).toMatchObject({ exit: 0, out: "", err: "" });
      expect(host.loaded).toBeNull();
      expect(host.supervised).toEqual({
        config: {
          services: [
            {
              name: "node",
              argv: ["/usr/bin/node", "s.js", "--json"],
              main: true,
              restart: "never",
              stdio: "inherit",
              stop: { signal: "TERM", timeoutMs: 10_000, evict: "stop", tree: true },
            },
          ],
          supervisor: { shutdownTimeoutMs: 60_000, single: true },
        },
        brain: "brain",
        socketMode: 0o600,
        socket: null,
        socketRequired: false,
        listen: null,
        consoleFormat: "text",
        colour: false,
        single: true,
        ownLog: null,
        syslog: null,
        neverLeave: false,
      });
    },
  );

  it("takes options before --", () => {
    const host = new FakeHost();
    host.environment.ONEUP_SOCKET = "/tmp/of-somebody-else.sock";
    expect(oneup(host, "--stop-timeout", "2m", "--", "x", "--help").exit).toBe(0);
    expect(host.supervised).toMatchObject({
      socket: null,
      config: {
        services: [{ argv: ["x", "--help"], stop: { timeoutMs: 120_000 } }],
        supervisor: { shutdownTimeoutMs: 240_000 },
      },
    });
    expect(oneup(host, "--socket", "/tmp/mine.sock", "--", "x").exit).toBe(0);
    expect(host.supervised).toMatchObject({ socket: "/tmp/mine.sock", socketRequired: true });
  });

  it("is for PID 1 too", () => {
    const host = new FakeHost();
    host.pid = 1;
    oneup(host, "--", "sh");
    expect(host.supervised).toMatchObject({ single: true, socket: null });
  });

  it.each([
    ["/usr/bin/node", "node"],
    ["./my script.sh", "my-script.sh"],
    ["[", "command"],
    ["/bin/..", "command"],
    ["_x", "x"],
    ["ünïcode", "n-code"],
    ["dir/", "command"],
    ["x".repeat(300), "x".repeat(100)],
  ])("%j is called %j", (command, name) => {
    expect(serviceName(command)).toBe(name);
    expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/);
  });
});

describe("check", () => {
  it("says what it found", () => {
    const host = loadable({ names: ["web", "db"] });
    expect(oneup(host, "check")).toMatchObject({ exit: 0, out: "ok: 2 services: web, db\n" });
    expect(host.supervised).toBeNull();
  });

  it("writes the schema", () => {
    const host = new FakeHost();
    host.config = { title: "oneup" };
    expect(oneup(host, "check", "--schema")).toMatchObject({ exit: 0, json: { title: "oneup" } });
    expect(host.loaded).toEqual({ schema: true });
  });
});

describe("link", () => {
  const names = ["horust", "horustctl", "zinit", "zinit-server", "zinit-pid1", "luavisors", "supervisors"];
  const ready = () => new FakeHost().file("/usr/bin/oneup").folder("/opt/bin");

  it("makes the seven, and says so when they are there", () => {
    const host = ready();
    const { exit, out } = oneup(host, "link", "/opt/bin/");
    expect(exit).toBe(0);
    expect(out).toBe(names.map((name) => `/opt/bin/${name}: made\n`).join(""));
    expect(host.links.get("/opt/bin/zinit")).toBe("/usr/bin/oneup");
    expect(oneup(host, "link", "/opt/bin").out).toBe(
      names.map((name) => `/opt/bin/${name}: was there\n`).join(""),
    );
  });

  it("makes none if one is in the way", () => {
    const host = ready().file("/opt/bin/zinit");
    expect(oneup(host, "link", "/opt/bin")).toMatchObject({
      exit: 1,
      out: "",
      err: expect.stringContaining("/opt/bin/zinit exists"),
    });
    expect(host.links.size).toBe(0);
  });

  it("needs a folder, and its own path", () => {
    expect(oneup(ready(), "link", "/nowhere").exit).toBe(2);
    expect(oneup(ready(), "link", "/usr/bin/oneup").exit).toBe(2);
    const host = ready();
    host.own = null;
    expect(oneup(host, "link", "/opt/bin")).toMatchObject({ exit: 1, err: expect.stringContaining("/proc") });
  });

  it.each(names)("and under the name %s the program acts as that one", (name) => {
    const host = new FakeHost();
    host.argv = [`/opt/bin/${name}`, "--help"];
    expect(run(host)).toBe(2);
    expect(host.err).toBe(`${name}: not supported yet\n`);
  });
});
