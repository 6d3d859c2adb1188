import { describe, expect, test } from "vitest";
import type { SupervisorsOutput } from "../../../../src/config/contract.ts";
import { load } from "../../../../src/config/load.ts";
import { plainDialect } from "../../../../src/dialects/dialect.ts";
import { loadSupervisors } from "../../../../src/dialects/supervisors/load.ts";
import { readSupervisors } from "../../../../src/dialects/supervisors/read.ts";
import { FakeHost, show } from "../../config/helpers.ts";

function loaded(text: string, file = "supervisors.toml"): SupervisorsOutput {
  return loadSupervisors({ supervisors: file, cwd: "/proj" }, new FakeHost({ "supervisors.toml": text }));
}

/** The one program's spec. */
function spec(text: string) {
  const output = loaded(text);
  if (!("services" in output)) throw new Error(JSON.stringify(output));
  return output.services[0];
}

function wrong(text: string): string[] {
  const output = loaded(text);
  return "errors" in output ? output.errors.map(show) : [JSON.stringify(output)];
}

const PLAIN = {
  argv: ["web"],
  stdin: "inherit",
  stdout: { type: "own", stream: "stdout" },
  stderr: { type: "own", stream: "stderr" },
  restart: "never",
  restartDelayMs: 3000,
  restartDelayMaxMs: 3000,
  restartJitter: 0,
  restartUnstartable: true,
  stop: { signal: "TERM", timeoutMs: 5000, evict: "stop", tree: false },
};

describe("a program", () => {
  test("with nothing but its command", () => {
    expect(spec('[programs.a]\ncommand = "web"\n')).toEqual({ name: "a", ...PLAIN });
  });

  test("with everything", () => {
    const { restart: _always, ...rest } = PLAIN; // The default.
    expect(
      spec(
        '[programs."my app"]\ncommand = "web"\nargs = ["-a", ""]\nautorestart = true\nlogfile = "log/a"\n',
      ),
    ).toEqual({
      name: "my app",
      ...rest,
      argv: ["web", "-a", ""],
      stdout: { type: "file", path: "/proj/log/a", mode: 0o666 },
      stderr: { type: "same" },
    });
  });

  test("nothing is expanded in it", () => {
    expect(spec('[programs.a]\ncommand = "${HOME}"\nargs = ["$$"]\n')?.argv).toEqual(["${HOME}", "$$"]);
  });
});

describe("listen", () => {
  test.each([
    ["", "localhost:3000"],
    ['listen = ""\n', ""],
    ['listen = "0.0.0.0:80"\n', "0.0.0.0:80"],
    ['listen = "[::1]:8080"\n', "[::1]:8080"],
    ['listen = "some.host:0"\n', "some.host:0"],
  ])("%j", (line, listen) => {
    expect(loaded(`${line}[programs]\n`)).toEqual({ services: [], listen });
  });

  test.each(["3000", "a", "a:", ":1", "a:b", "a:65536", "::1:80", "a b:1", "http://a:1"])(
    "%s is none",
    (address) => {
      const [message] = wrong(`listen = "${address}"\n[programs]\n`);
      expect(message).toMatch(/^supervisors\.toml:1:10: listen: .*\(such as "localhost:3000"\)$/);
    },
  );
});

describe("what is wrong", () => {
  test("is told all at once, in order, with its place", () => {
    const text =
      'listen = 1\n[programs]\na = 1\n[programs.b]\nargs = "x"\nlogfile = 1\n[programs.c]\ncommand = ""\nautorestart = 1\n';
    expect(wrong(text)).toEqual([
      "supervisors.toml:1:10: listen: expected a string, got an integer",
      "supervisors.toml:3:5: programs.a: expected a table (write [programs.a])",
      'supervisors.toml:4:11: programs.b: missing field `command` (write command = "…" below it)',
      "supervisors.toml:5:8: programs.b.args: expected a list of strings, got a string (put it in brackets, [ … ], also if it is only one)",
      "supervisors.toml:6:11: programs.b.logfile: expected a string, got an integer",
      "supervisors.toml:9:15: programs.c.autorestart: expected true or false, got an integer",
    ]);
  });

  test("no programs", () => {
    expect(wrong("")).toEqual([
      'supervisors.toml:1:1: missing field `programs` (write [programs.NAME] and command = "…" below it)',
    ]);
    expect(wrong("programs = 1\n")).toEqual([
      "supervisors.toml:1:12: programs: expected a table (write [programs.NAME])",
    ]);
  });

  test("no TOML", () => {
    expect(wrong("[programs\n")[0]).toMatch(/^supervisors\.toml:1:/);
  });

  test("no file", () => {
    expect(loaded("", "other.toml")).toEqual({
      unreadable: "other.toml: No such file or directory (ENOENT)",
    });
  });
});

describe("for oneup run and check", () => {
  function read(text: string) {
    const input = { paths: ["d"], cwd: "/proj", environment: {} };
    const host = new FakeHost({ "d/a.toml": text });
    const output = load(input, host, { supervisors: plainDialect(readSupervisors) });
    if ("elsewhere" in output) throw new Error("elsewhere");
    return output;
  }

  test("the same services; relative paths begin where it was started", () => {
    const output = read('[programs.a]\ncommand = "web"\nlogfile = "a.log"\n');
    expect(output.ok && output.config.services).toMatchObject([
      { name: "a", argv: ["web"], stdout: { path: "/proj/a.log" } },
    ]);
  });

  test("what has no effect is warned of", () => {
    const output = read('listen = "a:1"\nlisten2 = 1\n[programs.a]\ncommand = "web"\nautostart = true\n');
    expect(output.ok).toBe(true);
    expect(output.warnings.map(show)).toEqual([
      'd/a.toml:2:1: unknown key "listen2" (did you mean "listen"?)',
      'd/a.toml:5:1: unknown key "programs.a.autostart" (did you mean "autorestart"?)',
      "d/a.toml:1:1: listen: oneup itself does not answer there (call oneup as supervisors for that, or see the API that it has by itself)",
    ]);
    expect(read('listen = ""\n[programs.a]\ncommand = "web"\n').warnings).toEqual([]);
  });

  test("errors have their places", () => {
    const output = read("[programs.a]\ncommand = 1\n");
    expect(!output.ok && output.errors.map(show)).toEqual([
      "d/a.toml:2:11: programs.a.command: expected a string, got an integer",
    ]);
  });
});
