/** The programs zinit, zinit-server and zinit-pid1 on a machine that tests set. */
import { describe, expect, it } from "vitest";
import { run } from "../../../../src/personalities/zinit/cli/main.ts";
import { FakeHost } from "../../cli/fake.ts";

function machine(pid = 500): FakeHost {
  const host = new FakeHost();
  host.pid = pid;
  host.environment = { HOME: "/home/me", NO_COLOR: "1" };
  host.config = { services: [], warnings: [], missing: [], cycles: [] };
  return host;
}

function call(host: FakeHost, name: string, ...args: string[]): number {
  host.argv = [`/usr/bin/${name}`, ...args];
  [host.out, host.err] = ["", ""];
  return run(host);
}

/** Answers every method with its result. */
function serving(host: FakeHost, socket: string, results: Readonly<Record<string, unknown>> = {}): string[] {
  const asked: string[] = [];
  host.lines.set(socket, ({ text }) => {
    const { method, params } = JSON.parse(text);
    asked.push(`${method} ${JSON.stringify(params ?? null)}`);
    return JSON.stringify({ jsonrpc: "2.0", id: 1, result: results[method] ?? { ok: true } });
  });
  return asked;
}

describe("zinit-server", () => {
  it("has the user's places, or the system's with --pid1-mode", () => {
    const host = machine();
    expect(call(host, "zinit-server")).toBe(0);
    expect(host.loaded).toEqual({ zinit: "load", configDir: "/home/me/hero/cfg/zinit", systemDir: null });
    expect(host.folders).toEqual(["/home/me/hero/var", "/home/me/hero/cfg/zinit"]);
    expect(host.supervised).toMatchObject({
      brain: "zinit-brain",
      socket: "/home/me/hero/var/zinit.sock",
      socketMode: 0o660,
      socketRequired: true,
      syslog: null,
      neverLeave: false,
      ownLog: { least: "info", colour: false },
    });
    expect(call(host, "zinit-server", "--pid1-mode")).toBe(0);
    expect(host.loaded).toEqual({
      zinit: "load",
      configDir: "/etc/zinit/services",
      systemDir: "/etc/zinit/system",
    });
    expect(host.supervised).toMatchObject({ socket: "/run/zinit.sock", syslog: "/dev/log" });
  });

  it("can write to a folder that was named by a way up", () => {
    const host = machine();
    host.files.set("/home/me/services", { kind: "folder", size: 0, mode: 0o755, uid: 1000 });
    host.links.set("/home/me/project/../services", "/home/me/services");
    expect(call(host, "zinit-server", "-c", "../services")).toBe(0);
    expect(host.folders).toContain("/home/me/project/../services");
    expect(host.loaded).toMatchObject({ configDir: "/home/me/services" });
    expect(host.supervised?.config).toMatchObject({ personality: { configDir: "/home/me/services" } });
  });

  it("has places where there is no HOME", () => {
    const host = machine();
    host.environment = {};
    call(host, "zinit-server");
    expect(host.loaded).toMatchObject({ configDir: "/tmp/zinit/services" });
    expect(host.supervised).toMatchObject({ socket: "/tmp/zinit.sock" });
  });

  it("takes relative paths from where it was started", () => {
    const host = machine();
    call(host, "zinit-server", "-c", "cfg", "-s", "run/s");
    expect(host.loaded).toMatchObject({ configDir: "/home/me/project/cfg" });
    expect(host.supervised).toMatchObject({ socket: "/home/me/project/run/s" });
    expect(host.folders).toEqual(["/home/me/project/run", "/home/me/project/cfg"]);
  });

  for (const [variable, flag, least] of [
    ["", null, "info"],
    ["warn", null, "warn"],
    ["other=debug", "error", "error"],
    ["other=debug,error", "info", "error"],
    ["nonsense", "DEBUG", "debug"],
    ["", "nonsense", "info"],
    ["off", null, "error"],
  ] as const) {
    it(`RUST_LOG="${variable}" --log-level ${flag} is ${least}`, () => {
      const host = machine();
      host.environment = { ...host.environment, RUST_LOG: variable };
      call(host, "zinit-server", ...(flag === null ? [] : ["--log-level", flag]));
      expect(host.supervised?.ownLog?.least).toBe(least);
    });
  }

  it("tells warnings of the load", () => {
    const host = machine();
    host.config = { services: [{ name: "a" }], warnings: ["b.toml: no"], missing: [], cycles: [] };
    call(host, "zinit-server");
    expect(host.out).toMatch(/Z {2}WARN b\.toml: no\n.* {2}INFO loaded service graph .*total_services=1 /);
  });
});

describe("zinit-pid1", () => {
  const places = { configDir: "/etc/zinit/services", systemDir: null };

  it("as PID 1 of a machine ends the machine, and never leaves", () => {
    const host = machine(1);
    expect(call(host, "zinit-pid1", "splash")).toBe(0);
    expect(host.out).toContain("ignored: splash");
    expect(host.supervised).toMatchObject({
      socket: "/run/zinit.sock",
      socketRequired: false,
      neverLeave: true,
      syslog: "/dev/log",
      config: {
        supervisor: { signals: { TERM: "poweroff", INT: "reboot", USR1: "renew", USR2: "ignore" } },
        personality: { ...places, systemDir: "/etc/zinit/system", pidOne: true, container: false },
      },
    });
  });

  for (const [args, variable] of [
    [["-c"], undefined],
    [["--container"], undefined],
    [[], ""],
  ] as const) {
    it(`in a container (${args.join("") || "by the variable"}) it leaves`, () => {
      const host = machine(1);
      if (variable !== undefined) host.environment = { ...host.environment, ZINIT_CONTAINER: variable };
      expect(call(host, "zinit-pid1", ...args)).toBe(0);
      expect(host.supervised).toMatchObject({
        neverLeave: false,
        syslog: null,
        config: {
          supervisor: { signals: { TERM: "shutdown", INT: "shutdown" } },
          personality: { ...places, pidOne: true, container: true },
        },
      });
    });
  }

  it("not as PID 1 it ends no machine", () => {
    const host = machine(77);
    call(host, "zinit-pid1");
    expect(host.out).toContain("Not running as PID 1 (pid=77)");
    expect(host.supervised).toMatchObject({
      neverLeave: false,
      config: { supervisor: { signals: { TERM: "shutdown", INT: "shutdown" } } },
    });
    expect(call(host, "zinit-pid1", "splash")).toBe(2);
  });

  it("goes on without what cannot be read", () => {
    const host = machine(1);
    host.loadConfig = () => {
      throw new Error("no memory");
    };
    expect(call(host, "zinit-pid1")).toBe(0);
    expect(host.out).toContain("ERROR the services cannot be read: no memory");
    expect(host.supervised).toMatchObject({ config: { services: [] } });
  });
});

describe("zinit", () => {
  it("asks the socket of --socket, ZINIT_SOCKET, the system, the user", () => {
    const asked = (environment: Record<string, string>, ...args: string[]) => {
      const host = machine();
      host.environment = environment;
      if (environment.SYSTEM !== undefined) host.file("/run/zinit.sock", { kind: "socket" });
      const found: string[] = [];
      for (const socket of [
        "/opt.sock",
        "/var.sock",
        "/run/zinit.sock",
        "/h/hero/var/zinit.sock",
        "/tmp/zinit.sock",
      ]) {
        host.lines.set(socket, () => {
          found.push(socket);
          return '{"result":{"version":"1"}}';
        });
      }
      expect(call(host, "zinit", ...args, "ping")).toBe(0);
      return found;
    };
    const all = { ZINIT_SOCKET: "/var.sock", SYSTEM: "", HOME: "/h" };
    expect(asked(all, "-s", "/opt.sock")).toEqual(["/opt.sock"]);
    expect(asked(all)).toEqual(["/var.sock"]);
    expect(asked({ ...all, ZINIT_SOCKET: "" })).toEqual(["/run/zinit.sock"]);
    expect(asked({ HOME: "/h" })).toEqual(["/h/hero/var/zinit.sock"]);
    expect(asked({})).toEqual(["/tmp/zinit.sock"]);
  });

  it("says what the server says", () => {
    const host = machine();
    host.environment = { ZINIT_SOCKET: "/s" };
    host.lines.set(
      "/s",
      () => '{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"service not found"}}',
    );
    expect(call(host, "zinit", "status", "web")).toBe(1);
    expect(host).toMatchObject({ out: "", err: "Error: service not found\n" });
    host.lines.set("/s", () => "no JSON");
    expect(call(host, "zinit", "status", "web")).toBe(1);
    expect(host.err).toBe("Error: Failed to parse response\n");
    host.lines.set("/s", () => ({ error: "ETIMEDOUT", message: "late", connected: false }));
    expect(call(host, "zinit", "list")).toBe(1);
    expect(host.err).toContain(
      "Connection to zinit server timed out (server not running?)\nIs zinit-server running?\n",
    );
  });

  it("waits for what is blocked no longer than a moment", () => {
    const host = machine();
    host.environment = { ZINIT_SOCKET: "/s" };
    const status = { name: "web", state: "blocked", pid: 0 };
    serving(host, "/s", { "service.status": status });
    const before = host.clock;
    expect(call(host, "zinit", "start", "web")).toBe(0);
    expect(host.clock - before).toBe(100);
    expect(host.out).toContain("\nService is blocked\n\nTip: ");
  });

  it("signals PID 1 if that is zinit by its file or by its name, without a server", () => {
    for (const prepare of [
      (host: FakeHost) => host.links.set("/proc/1/exe", "/usr/bin/zinit-pid1"),
      (host: FakeHost) => host.texts.set("/proc/1/cmdline", "/sbin/zinit-pid1\0--container\0"),
    ]) {
      const host = machine();
      host.file("/usr/bin/zinit-pid1");
      prepare(host);
      expect(call(host, "zinit", "poweroff")).toBe(0);
      expect(host.out).toBe("Poweroff signal sent to init\n");
      expect(call(host, "zinit", "reboot")).toBe(0);
      expect(host.out).toBe("Reboot signal sent to init\n");
      expect(host.signals).toEqual([
        [1, "TERM"],
        [1, "INT"],
      ]);
    }
  });

  it("ends the server where PID 1 is something else", () => {
    const host = machine();
    host.environment = { ZINIT_SOCKET: "/s" };
    host.texts.set("/proc/1/cmdline", "/sbin/tini\0--\0zinit-server\0");
    const asked = serving(host, "/s");
    expect(call(host, "zinit", "poweroff")).toBe(0);
    expect(asked).toEqual(["system.shutdown null"]);
    expect(host.signals).toEqual([]);
  });

  it("shows proxies as it always has", () => {
    const host = machine();
    host.environment = { ZINIT_SOCKET: "/s" };
    const proxy = {
      name: "db",
      listen: "unix:/a, tcp:b:1",
      backend: "unix:/c",
      service: "db",
      total_connections: 3,
      active_connections: 1,
      bytes_to_backend: 10,
      bytes_from_backend: 20,
      running: true,
    };
    const asked = serving(host, "/s", {
      "xinet.list": ["db"],
      "xinet.status_all": [proxy, proxy],
      "xinet.status": { name: "db", running: false, active_connections: 2 },
    });
    call(host, "zinit", "xinet", "list");
    expect(host.out).toBe("Registered xinet proxies:\n  db\n");
    const block =
      'Proxy: db\n  Listen:  "unix:/a, tcp:b:1"\n  Backend: "unix:/c"\n  Service: db\n  Status:  running\n' +
      "  Connections: 1 active, 3 total\n  Traffic: 10 bytes in, 20 bytes out\n";
    call(host, "zinit", "xinet", "status");
    expect(host.out).toBe(`${block}\n${block}`);
    call(host, "zinit", "xinet", "status", "db");
    expect(host.out).toBe("Proxy: db\n  Status:  stopped\n  Connections: 2 active\n");
    asked.length = 0;
    for (const [verb, single] of [
      ["register", "--single"],
      ["set", "--single-connection"],
    ] as const) {
      const args = `xinet ${verb} db -l 0.0.0.0:1 --listen=unix:/a -l /b --backend tcp:h:2 --service db`;
      expect(call(host, "zinit", ...args.split(" "), single)).toBe(0);
      expect(host.out).toBe("Set xinet proxy 'db'\n");
    }
    const config = {
      name: "db",
      listen: ["tcp:0.0.0.0:1", "unix:/a", "unix:/b"],
      backend: "tcp:h:2",
      service: "db",
      connect_timeout: 30,
      idle_timeout: 0,
      single_connection: true,
    };
    const wanted = `xinet.set ${JSON.stringify({ config })}`;
    expect(asked).toEqual([wanted, wanted]);
    for (const verb of ["unregister", "delete"]) {
      expect(call(host, "zinit", "xinet", verb, "db")).toBe(0);
      expect(host.out).toBe("Unregistered xinet proxy 'db'\n");
    }
  });
});
