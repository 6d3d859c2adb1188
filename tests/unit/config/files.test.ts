import { describe, expect, test } from "vitest";
import { api, good, read, shown } from "./helpers.ts";

const A = '[service.a]\ncommand = "x"\n';
const B = '[service.b]\ncommand = "x"\n';

describe("paths", () => {
  test("none: oneup.toml here, else /etc/oneup", () => {
    expect(good({ "oneup.toml": A, "/etc/oneup/b.toml": B })).toMatchObject({
      names: ["a"],
      sources: ["oneup.toml"],
      root: "/proj/oneup.toml",
    });
    expect(good({ "/etc/oneup/b.toml": B })).toMatchObject({
      names: ["b"],
      sources: ["/etc/oneup/b.toml"],
      root: "/etc/oneup",
    });
    expect(shown({ "x/y": "" })).toEqual([
      'oneup.toml: no configuration: neither oneup.toml here nor /etc/oneup exists (write oneup.toml with [service.NAME] and command = "…", or name a file)',
    ]);
  });

  test("a folder is its TOML files by name, without hidden ones and subfolders", () => {
    const files = { "d/2.toml": B, "d/10.toml": A, "d/.x.toml": "?", "d/x.txt": "?", "d/sub/y.toml": "?" };
    expect(good(files, { paths: ["./d/"] })).toMatchObject({
      names: ["a", "b"],
      sources: ["./d/10.toml", "./d/2.toml"],
      root: "/proj/d",
    });
  });

  test("a folder with an oneup.toml is that file", () => {
    const files = { "d/oneup.toml": A, "d/b.toml": B, "d/Cargo.toml": "[package]\n" };
    const folder = good(files, { paths: ["d"] });
    expect(folder).toMatchObject({ names: ["a"], root: "/proj/d/oneup.toml", sources: ["d/oneup.toml"] });
    expect(folder.root).toBe(good(files, { paths: ["d/oneup.toml"] }).root);
    expect(folder.warnings).toEqual([
      {
        file: "d/b.toml",
        line: null,
        column: null,
        message: "not read, because there is an oneup.toml in its folder",
        hint: "name it as a PATH too, or move it into a folder of its own",
      },
    ]);
  });

  test("several, each file once, the first is the root", () => {
    const files = { "1.toml": A, "2.toml": B };
    const host = (fake: { links: Map<string, string> }) => fake.links.set("/proj/3.toml", "/proj/2.toml");
    expect(good(files, { paths: ["2.toml", "/proj/1.toml", "./2.toml", "3.toml"], host })).toMatchObject({
      names: ["b", "a"],
      sources: ["2.toml", "/proj/1.toml"],
      root: "/proj/2.toml",
    });
  });

  test("a file without the ending is read all the same", () => {
    expect(good({ conf: A }, { paths: ["conf"] }).names).toEqual(["a"]);
  });

  test("relative paths start from the file's folder", () => {
    const text = 'directory = "data"\nlog = { file = "a.log" }\nenvironment-file = ["e"]';
    const files = { "d/e/a.toml": api(text), "d/e/e": "A=1" };
    expect(good(files, { paths: ["d/e"] }).config.services).toMatchObject([
      { directory: "/proj/d/e/data", log: { file: "/proj/d/e/a.log" }, environment: { A: "1" } },
    ]);
    expect(good({ "/a.toml": A }, { paths: ["/a.toml"] }).config.services).toMatchObject([
      { directory: "/" },
    ]);
  });

  test.each<[Record<string, string>, string[], string[]]>([
    [{}, ["no.toml"], ["no.toml: no such file or folder (check the path)"]],
    [
      { "d/x.txt": "" },
      ["d"],
      ["d: no .toml file in this folder (write oneup.toml in it, with [service.NAME])"],
    ],
    [
      { "d/x.yaml": "" },
      ["d"],
      ["d/x.yaml: YAML files are not supported yet (write the services in TOML, as [service.NAME])"],
    ],
    [{ "x.lua": "" }, ["x.lua"], ["x.lua: a script, not a configuration (run it: oneup as luavisors x.lua)"]],
    [
      { "x.toml": "" },
      ["x.toml"],
      ['x.toml: nothing to run: no service is defined (write [service.NAME] and command = "…" below it)'],
    ],
    [
      { "x.toml": "[supervisor]\n" },
      ["x.toml"],
      ['x.toml: nothing to run: no service is defined (write [service.NAME] and command = "…" below it)'],
    ],
    [
      { "x.toml": "[target.g]\n" },
      ["x.toml"],
      ['x.toml: nothing to run: no service is defined (write [service.NAME] and command = "…" below it)'],
    ],
    [
      { "x.toml": A },
      ["x.toml", "y.toml", "z"],
      ["y.toml: no such file or folder (check the path)", "z: no such file or folder (check the path)"],
    ],
  ])("%j %j", (files, paths, expected) => {
    expect(shown(files, { paths })).toEqual(expected);
  });

  test("what cannot be read", () => {
    const host = (fake: { failures: Map<string, { error: string; message: string }> }) => {
      fake.failures.set("/proj/a.toml", { error: "EFBIG", message: "File too large" });
      fake.failures.set("/proj/d", { error: "EACCES", message: "Permission denied" });
    };
    expect(shown({ "a.toml": A, "d/b.toml": B }, { paths: ["a.toml", "d"], host })).toEqual([
      "a.toml: cannot be read: File too large (EFBIG)",
      "d: cannot be read: Permission denied (EACCES)",
    ]);
  });

  test("names and sources are told with errors too", () => {
    expect(read({ "oneup.toml": `${A}x = 1\n${B}` })).toMatchObject({
      ok: false,
      names: ["a", "b"],
      definitions: [
        { name: "a", kind: "service" },
        { name: "b", kind: "service" },
      ],
      sources: ["oneup.toml"],
      root: "/proj/oneup.toml",
    });
  });
});

describe("the supervisor's settings", () => {
  test("what bounds starts travels only if it does", () => {
    const config = (lines: string) =>
      good({ "oneup.toml": `${A}[supervisor]\n${lines}\n` }).config.supervisor;
    expect(config('start-concurrency = 0\nrestart-budget = "0/5m"')).toEqual({
      shutdownTimeoutMs: 60_000,
      single: false,
    });
    expect(config('start-concurrency = 4\nrestart-budget = "10/1m30s"')).toMatchObject({
      startConcurrency: 4,
      restartBudget: { restarts: 10, windowMs: 90_000 },
    });
  });

  test("defaults", () => {
    expect(good(A)).toMatchObject({
      config: { supervisor: { shutdownTimeoutMs: 60_000, single: false } },
      supervise: { listen: null, consoleFormat: "text" },
    });
  });

  test("all of them, from several files", () => {
    const files = {
      "d/1.toml": `${A}[supervisor]\nshutdown-timeout = "5s"\napi-listen = "[::1]:8080"\n`,
      "d/2.toml": '[supervisor]\nlog-format = "json"\napi-token-file = "token"\n',
      "d/token": "t",
    };
    expect(good(files, { paths: ["d"] })).toMatchObject({
      config: { supervisor: { shutdownTimeoutMs: 5000 } },
      supervise: { listen: { address: "[::1]:8080", tokenFile: "/proj/d/token" }, consoleFormat: "json" },
    });
  });

  test("an address without a host is this machine's", () => {
    const text = `${A}[supervisor]\napi-listen = "8080"\napi-token-file = "oneup.toml"\n`;
    expect(good(text).supervise.listen?.address).toBe("127.0.0.1:8080");
  });

  test("one setting twice names both places", () => {
    const files = {
      "1.toml": `${A}[supervisor]\nlog-format = "json"\n`,
      "2.toml": '[supervisor]\nlog-format = "text"\n',
    };
    expect(shown(files, { paths: ["1.toml", "2.toml"] })).toEqual([
      '2.toml:2:1: "supervisor.log-format" is defined twice, first at 1.toml:4:1 (remove one of them)',
    ]);
  });

  test.each<[string, string]>([
    [
      'api-listen = "127.0.0.1:1"',
      '4:1: api-listen needs api-token-file: no TCP without a token (write api-token-file = "…" beside it)',
    ],
    [
      'api-token-file = ""\napi-listen = "1"',
      '5:1: api-listen needs api-token-file: no TCP without a token (write api-token-file = "…" beside it)',
    ],
    [
      'api-listen = "x"\napi-token-file = "oneup.toml"',
      '4:14: api-listen: not an address (write a port, "host:port" or "[::1]:port")',
    ],
    [
      'api-token-file = "nope"',
      "4:18: api-token-file: cannot be read: No such file or directory (make the file, or correct its path)",
    ],
    [
      "shutdown-timeout = 60",
      '4:20: shutdown-timeout: expected a duration with a unit, such as "10s", got an integer (write "60s", or another of the units ms, s, m, h or d)',
    ],
    ['log-format = "xml"', '4:14: log-format: expected "text" or "json", got "xml"'],
    ["start-concurrency = -1", "4:21: start-concurrency: expected a whole number, 0 or more, got -1"],
    ['start-concurrency = "4"', "4:21: start-concurrency: expected a whole number, 0 or more, got a string"],
    [
      "restart-budget = 10",
      '4:18: restart-budget: expected a number and a time, such as "10/1m", got an integer (write "10/1m")',
    ],
    ['restart-budget = "10"', '4:18: restart-budget: a budget without a time (write "10/1m")'],
    [
      'restart-budget = "ten/1m"',
      '4:19: restart-budget: not a number of restarts (write a whole number, such as "10/1m")',
    ],
    ['restart-budget = "10/0s"', '4:22: restart-budget: a budget for no time (write "10/1m")'],
    ['restart-budget = "10/1min"', '4:22: restart-budget: unknown unit of time "min" (write "m")'],
    [
      "shutdown = 1",
      '4:1: unknown key "shutdown" in [supervisor] (known here: shutdown-timeout, start-concurrency, restart-budget, api-listen, api-token-file, leave-when-done, failed-exit-code, log-format)',
    ],
  ])("%s", (lines, expected) => {
    expect(shown(`${A}[supervisor]\n${lines}\n`)).toEqual([`oneup.toml:${expected}`]);
  });

  test("it is a section", () => {
    expect(shown(`supervisor = 1\n${A}`)).toEqual([
      'oneup.toml:1:1: "supervisor" is not a section (write [supervisor])',
    ]);
  });
});
