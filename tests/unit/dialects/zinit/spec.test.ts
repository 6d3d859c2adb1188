import { describe, expect, test } from "vitest";
import { decodeDefinition } from "../../../../src/dialects/zinit/folder.ts";
import { specOf } from "../../../../src/dialects/zinit/spec.ts";
import { parseToml } from "../../../../src/dialects/zinit/toml.ts";
import { withDefaults } from "../../../../src/model/defaults.ts";
import type { ServiceSpec } from "../../../../src/model/spec.ts";
import { document, service } from "./helpers.ts";

const AROUND = { file: "/etc/zinit/services/x.toml", machine: false, console: false };

function spec(text: string, around: Partial<typeof AROUND> = {}): ServiceSpec {
  const parsed = parseToml(text);
  if (!("value" in parsed)) throw parsed;
  const decoded = decodeDefinition(parsed.value);
  if (!("document" in decoded)) throw new Error(decoded.message);
  return withDefaults(specOf(decoded.document, { ...AROUND, ...around }));
}

function oneshot(...lines: readonly string[]): string {
  return service("x", "oneshot = true", ...lines);
}

describe("a service", () => {
  test("runs its command by the shell, where the server is, in the server's environment and more", () => {
    expect(spec(service("x"))).toMatchObject({
      kind: "service",
      argv: ["/bin/sh", "-c", "sleep 99"],
      directory: null,
      environment: {},
      cleanEnvironment: false,
      user: null,
    });
    expect(spec(service("x", 'dir = "/srv"', 'env = { A = "1", "b.c" = "${X}" }'))).toMatchObject({
      directory: "/srv",
      environment: { A: "1", "b.c": "${X}" },
    });
  });

  test("is restarted after failures, later each time without chance, ten times in a row", () => {
    expect(spec(service("x"))).toMatchObject({
      restart: "on-failure",
      restartDelayMs: 1000,
      restartDelayMaxMs: 300_000,
      restartJitter: 0,
      restartResetMs: 30_000,
      restartLimit: 10,
      restartWindowMs: 0,
    });
    const text = `${service("x")}[lifecycle]\nrestart = "always"\nmax_restarts = 0\nstability_period_ms = 0\n`;
    expect(spec(text)).toMatchObject({ restart: "always", restartLimit: 0, restartResetMs: 0 });
  });

  test("is started and restarted by itself with status start only", () => {
    expect(spec(service("x")).autostart).toBe(true);
    for (const status of ["stop", "ignore"]) {
      const text = `${service("x", `status = "${status}"`)}[lifecycle]\nrestart = "always"\n`;
      expect(spec(text)).toMatchObject({ autostart: false, restart: "never" });
    }
  });

  test("that has ended with success is as good as running for what requires it", () => {
    expect(spec(service("x")).remainAfterExit).toBe(true);
  });

  // Defect 6: the timer was dropped with the leader, and what was left of its group lived on.
  test("is stopped by its group, and what has left the group is left alone", () => {
    expect(spec(service("x")).stop).toEqual({
      signal: "TERM",
      timeoutMs: 10_000,
      evict: "kill",
      tree: false,
    });
    const text = `${service("x")}[lifecycle]\nstop_signal = " sigint "\nstop_timeout_ms = 500\n`;
    expect(spec(text).stop).toMatchObject({ signal: "INT", timeoutMs: 500 });
    expect(spec(`${service("x")}[lifecycle]\nstop_signal = "99"\n`).stop.signal).toBe("TERM");
  });

  test("keeps its lines in memory, and in a file if it names one", () => {
    expect(spec(service("x")).log).toMatchObject({ console: false, lines: 1000, file: null });
    // Defect 20: the file was read and never written.
    const text = `${service("x")}[logging]\nbuffer_lines = 100\nfile = "/var/log/x.log"\n`;
    expect(spec(text).log).toMatchObject({ lines: 100, file: "/var/log/x.log" });
    expect(spec(`${service("x")}[logging]\nbuffer_lines = 99999999\n`).log.lines).toBe(100_000);
    expect(spec(service("x"), { console: true }).log.console).toBe(true);
  });

  test("is critical only where it is a machine's init that runs it", () => {
    const text = service("x", "critical = true");
    expect(spec(text).critical).toBe(false);
    expect(spec(text, { machine: true }).critical).toBe(true);
  });

  test("has its whole definition with it", () => {
    expect(spec(service("x")).origin).toEqual({
      file: AROUND.file,
      document: JSON.stringify(document(service("x"))),
    });
  });

  test("waits no longer than ten years, whatever is written", () => {
    const text = `${service("x")}[lifecycle]\nstop_timeout_ms = 9223372036854775807\n`;
    expect(spec(text).stop.timeoutMs).toBe(315_360_000_000);
  });
});

describe("dependencies", () => {
  const text = `${service("x")}[dependencies]
requires = ["a", "b", "a"]
after = ["b", "c"]
wants = ["c", "d"]
conflicts = ["e", "x", "e"]
`;

  test("are waited for, and nothing is started along or stopped for it", () => {
    expect(spec(text)).toMatchObject({
      requires: [
        { name: "a", bind: false, start: false },
        { name: "b", bind: false, start: false },
      ],
      wants: [],
      after: [
        { name: "b", until: "begun" },
        { name: "c", until: "begun" },
        { name: "d", until: "any" },
      ],
      conflicts: [{ name: "e", wait: true }],
    });
  });

  test("of a target take it along, as it has nothing of its own", () => {
    expect(spec('[target]\nname = "t"\ncritical = true\n[dependencies]\nrequires = ["a"]\n')).toMatchObject({
      kind: "target",
      autostart: true,
      critical: false,
      requires: [{ name: "a", bind: true, start: false }],
    });
  });
});

describe("a oneshot", () => {
  // Defect 2: it counted as running as soon as it was spawned, so that nothing waited for its end.
  test("is a task: what requires it waits until it has succeeded", () => {
    expect(spec(oneshot())).toMatchObject({ kind: "task", startTimeoutMs: 0, remainAfterExit: false });
  });

  test("is never restarted, whatever its policy", () => {
    expect(spec(`${oneshot()}[lifecycle]\nrestart = "always"\n`).restart).toBe("never");
  });

  test("is not checked", () => {
    expect(spec(`${oneshot()}[health]\ntype = "tcp"\ntarget = "h:1"\n`)).toMatchObject({
      health: null,
      ready: [],
    });
  });
});

describe("health", () => {
  const health = (...lines: readonly string[]) => `${service("x")}[health]\n${lines.join("\n")}\n`;

  test("none: up as soon as it runs, and no time to be up in", () => {
    expect(spec(service("x"))).toMatchObject({ ready: [], health: null, startTimeoutMs: 0 });
  });

  // Defect 18: after the first success nothing was ever checked again.
  test("is what it has to be ready, and is looked at for as long as it runs", () => {
    expect(spec(health('type = "tcp"', 'target = "localhost:5432"', "start_period_ms = 7"))).toMatchObject({
      ready: [{ type: "health" }],
      health: {
        probes: [{ type: "tcp", host: "localhost", port: 5432 }],
        everyMs: 10_000,
        timeoutMs: 5000,
        failures: 3,
        successes: 1,
        initialDelayMs: 7,
        onFailure: "restart",
      },
    });
  });

  test.each([
    ["the checks may take longer", [], 50_000],
    ["its own is longer", ["[lifecycle]", "start_timeout_ms = 60000"], 60_000],
    // Defect 45, kept: clients rely on the longer of the two.
    ["its own is shorter", ["[lifecycle]", "start_timeout_ms = 1"], 50_000],
  ])("gives it time: %s", (_, lines, expected) => {
    const text = health('type = "tcp"', 'target = "h:1"', ...lines);
    expect(spec(text).startTimeoutMs).toBe(expected);
  });

  // Defect 17: no request was ever sent.
  test.each([
    ["http://localhost:8080/health?a=1", { tls: false, host: "localhost", port: 8080, path: "/health?a=1" }],
    ["http://localhost", { tls: false, host: "localhost", port: 80, path: "/" }],
    ["localhost:8080/x", { tls: false, host: "localhost", port: 8080, path: "/x" }],
    ["https://h/x", { tls: true, host: "h", port: 443, path: "/x", insecure: true }],
    ["not an address", { host: "not an address", port: 0 }],
  ])("http asks %s and compares the status", (target, expected) => {
    const text = health('type = "http"', `target = "${target}"`, "expect_status = 204");
    expect(spec(text).health?.probes).toMatchObject([{ type: "http", status: [[204, 204]], ...expected }]);
  });

  test.each([
    ["[::1]:80", { host: "::1", port: 80 }],
    ["::1:80", { host: "::1", port: 80 }],
    ["localhost", { host: "localhost", port: 0 }],
    ["h:99999", { host: "h", port: 0 }],
  ])("tcp connects to %s", (target, expected) => {
    const text = health('type = "tcp"', `target = "${target}"`);
    expect(spec(text).health?.probes).toEqual([{ type: "tcp", ...expected }]);
  });

  test("exec runs by the shell, in the server's surroundings", () => {
    expect(spec(health('type = "exec"', 'target = "test -e /x"')).health?.probes).toEqual([
      { type: "exec", argv: ["/bin/sh", "-c", "test -e /x"], outside: true },
    ]);
  });
});

describe("who may be in its way", () => {
  test("ports and names of processes, killed if it says so", () => {
    expect(spec(service("x")).guard).toBeNull();
    expect(spec(service("x", "ports = [80, 443, 80]", 'process_filters = ["nginx"]'))).toMatchObject({
      guard: { ports: [80, 443], processes: ["nginx"], kill: false, services: true },
    });
    expect(spec(service("x", "ports = [80]", "kill_others = true")).guard?.kill).toBe(true);
  });

  // Defect 10: in the end every process was killed, its own too.
  test("an empty name is no name, so that not everybody is", () => {
    expect(spec(service("x", 'process_filters = [""]', "kill_others = true")).guard).toBeNull();
    expect(spec(service("x", "ports = [0]")).guard).toBeNull();
  });
});

describe("a builtin", () => {
  test("runs nothing and is up at once", () => {
    const text =
      '[service]\nname = "x"\nexec = "@builtin:sysvol"\noneshot = true\n[dependencies]\nrequires = ["a"]\n';
    expect(spec(text)).toMatchObject({
      kind: "target",
      autostart: true,
      requires: [{ name: "a", bind: false, start: false }],
    });
    expect(spec(text.replace("oneshot = true", 'status = "stop"')).autostart).toBe(false);
  });
});
