import { describe, expect, test } from "vitest";
import { SIGNAL_NAMES } from "../../../../src/model/signals.ts";
import { SAMPLE } from "../../../../src/personalities/horust/cli/sample.ts";
import { ENVIRONMENT, loaded, spec } from "./helpers.ts";

const common = { HOSTNAME: "box", PATH: ENVIRONMENT.PATH, TERM: "dumb" };
const own = { ...common, USER: "root", HOME: "/root" };

describe("a service as the model has it", () => {
  test("that says nothing but its command", () => {
    expect(spec("")).toEqual({
      name: "a.toml",
      argv: ["run", "me"],
      environment: own,
      cleanEnvironment: true,
      stdin: "inherit",
      stdout: { type: "own", stream: "stdout" },
      stderr: { type: "own", stream: "stderr" },
      log: expect.objectContaining({ file: null, console: false }),
      restart: "never",
      restartBackoff: "linear",
      restartDelayMaxMs: 1000,
      restartJitter: 0,
      restartLimitMeans: "end",
      restartResetFrom: "ready",
      restartResetMs: 1000,
      restartUnstartable: true,
      restartWindowMs: 0,
      remainAfterExit: true,
      startTimeoutMs: 0,
      onFailureAt: "each",
      stop: { signal: "TERM", timeoutMs: 5000, evict: "stop", tree: false },
    });
  });

  test.each([
    ['name = "db"', { name: "db" }],
    ['name = ""', { name: "a.toml" }],
    ['working-directory = "sub"', { directory: "/srv/sub" }],
    ['user = "www"', { user: "www", environment: common }],
    ["user = 33", { user: "33", environment: common }],
    ["user = 4711", { user: "4711", group: "4711" }],
    ['stdout = "STDERR"', { stdout: { type: "own", stream: "stderr" } }],
    ['stdout = "out.log"', { stdout: { type: "file", path: "/srv/out.log", mode: 0o700 } }],
    ['stderr = "/var/err.log"', { stderr: { type: "file", path: "/var/err.log", mode: 0o700 } }],
    ['stderr = "STDOUT"', { stderr: { type: "same" } }],
    ['start-delay = "2s"', { startDelayMs: 2000 }],
    ['[restart]\nstrategy = "always"\nattempts = 3', { restartLimit: 3 }],
    ['[restart]\nstrategy = "never"\nattempts = 3', { restart: "on-failure", restartLimit: 3 }],
    ['[restart]\nbackoff = "10s"', { restartDelayMs: 10_000, restartDelayMaxMs: 300_000 }],
    ['[restart]\nbackoff = "1h"', { restartDelayMs: 3_600_000, restartDelayMaxMs: 3_600_000 }],
    ["[failure]\nsuccessful-exit-code = [0, 3, 3, -1, 1000]", { successCodes: [0, 3] }],
    ["[failure]\nsuccessful-exit-code = [-137]", { successCodes: [], successSignals: SIGNAL_NAMES }],
    ['[failure]\nstrategy = "shutdown"', { onFailure: "shutdown", onFailureAt: "each" }],
    ["[environment]\nkeep-env = true", { environment: own }],
    ['[environment]\nre-export = ["SECRET"]', { environment: { ...own, SECRET: "s3cret" } }],
    [
      '[environment]\nadditional = { TERM = "x", HOME = "/h" }',
      { environment: { ...own, TERM: "x", HOME: "/h" } },
    ],
    [
      '[termination]\nsignal = "USR1"\nwait = "1500ms"',
      { stop: { signal: "USR1", timeoutMs: 1500, evict: "stop", tree: false } },
    ],
    ['[termination]\ndie-if-failed = ["b", "b", "a.toml"]', { failWith: ["b"] }],
    [
      '[resource-limit]\ncpu = 0.5\nmemory = "1 MiB"\npids-max = 7',
      { resources: { cpu: 0.5, memory: 1_048_576, pids: 7 } },
    ],
    ["[resource]\ncpu-percent = 200", { resources: { cpu: 2, memory: null, pids: null } }],
    ["[resource-limit]\ncpu = -1\npids-max = 7", { resources: { cpu: null, memory: null, pids: 7 } }],
    ["[resource-limit]", {}],
  ])("%s", (lines, expected) => {
    expect(spec(lines)).toMatchObject(expected);
  });

  test("keep-env keeps what is there", () => {
    expect(spec("[environment]\nkeep-env = true")).not.toHaveProperty("cleanEnvironment");
  });

  test("a rotated stdout comes through a pipe", () => {
    const lines =
      'stdout = "out.log"\nstdout-rotate-size = "50"\nstdout-should-append-timestamp-to-filename = true';
    const { log, stdout } = spec(`${lines}\nstderr = "STDOUT"`);
    expect(stdout).toBeUndefined();
    expect(log).toMatchObject({
      file: "/srv/out.log",
      maxSize: 50,
      split: true,
      stamp: true,
      console: false,
    });
  });

  test("health", () => {
    const lines = `[healthiness]
http-endpoint = "http://localhost:8080/up"
file-path = "ready"
command = "check 'it all'"
max-failed = 1
healthy-after = "2s"`;
    const { ready, health, restartResetMs } = spec(lines);
    const probes = [
      { type: "file", path: "/srv/ready", fresh: true },
      expect.objectContaining({
        type: "http",
        host: "localhost",
        port: 8080,
        path: "/up",
        method: "HEAD",
        status: [[200, 299]],
      }),
      { type: "exec", argv: ["check", "it all"], outside: true, searchPath: ENVIRONMENT.PATH },
    ];
    expect(ready).toEqual([...probes, { type: "delay", ms: 2000 }]);
    expect(health).toMatchObject({ probes, everyMs: 1000, failures: 2, onFailure: "restart" });
    expect(restartResetMs).toBe(0);
  });

  test("what one says of another", () => {
    const { services } = loaded({
      "a.toml": 'command = "a"\n[failure]\nstrategy = "kill-dependents"\n',
      "b.toml": 'command = "b"\nstart-after = ["a.toml"]\nshutdown-after = ["a.toml"]\n',
    });
    expect(services).toMatchObject([
      { name: "a.toml", after: [{ name: "b.toml", until: "any" }] },
      { name: "b.toml", after: [{ name: "a.toml", until: "up" }], failWith: ["a.toml"] },
    ]);
  });

  test("a program is searched in the supervisor's PATH, whatever the service's is", () => {
    const files = { "/usr/bin/run": "" };
    const lines = '[environment]\nadditional = { PATH = "/opt" }';
    const prepare = (host: { readonly files: Map<string, string> }) => {
      for (const [path, text] of Object.entries(files)) host.files.set(path, text);
    };
    expect(spec(lines, { host: prepare }).argv).toEqual(["/usr/bin/run", "me"]);
    expect(spec(lines).argv).toEqual(["run", "me"]);
    expect(spec("", { host: prepare }).argv).toEqual(["run", "me"]);
  });

  test("defect 9: the host's name without its line break, and where it comes from", () => {
    const hostname = (situation: Parameters<typeof spec>[1]) => spec("", situation).environment?.HOSTNAME;
    const without = (host: { readonly files: Map<string, string> }) => host.files.delete("/etc/hostname");
    expect(hostname({})).toBe("box");
    expect(hostname({ host: without, environment: { HOSTNAME: "env" } })).toBe("env");
    expect(hostname({ host: without })).toBe("localhost");
  });

  test("found by reading 8: who has no entry runs as who he is", () => {
    const environment = spec("", { host: (host) => Object.assign(host, { uid: 4711 }) }).environment;
    expect(environment).toMatchObject({ USER: "4711", HOME: "/" });
  });

  test("one command", () => {
    const one = (words: readonly string[] | null, line: string) =>
      loaded({}, { command: { name: line, words, line } }).services[0];
    expect(one(null, "echo 'a b'")).toMatchObject({
      name: "echo 'a b'",
      argv: ["echo", "a b"],
      restart: "never",
    });
    expect(one(["echo", "a  b"], "echo a  b")).toMatchObject({ argv: ["echo", "a  b"] });
    expect(one(null, '"')?.argv ?? []).toEqual([]);
  });

  test("the sample is a service, with every key at its default", () => {
    const { services, troubles, refused } = loaded({ "sample.toml": SAMPLE });
    expect({ troubles, refused }).toEqual({ troubles: [], refused: [] });
    const [sample] = services;
    expect(sample).toMatchObject({ name: "my-service", environment: { GREETING: "hello" }, directory: "/" });
    const rest = { ...spec(""), name: "my-service", directory: "/" };
    const { argv, environment, ...others } = sample ?? {};
    const { argv: _, environment: __, ...expected } = rest;
    expect(others).toEqual(expected);
  });
});
