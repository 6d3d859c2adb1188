import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULTS, HEALTH_DEFAULTS, withDefaults } from "../../../src/model/defaults.ts";
import { LATER } from "../../../src/model/later.ts";
import { api, good, shown, spec } from "./helpers.ts";

/** What every service without further fields comes to. */
const PLAIN = { name: "api", argv: ["true"], directory: "/proj" };

test("names that every object has are names like others", () => {
  const files = {
    "oneup.toml":
      '[service.constructor]\ncommand = "true"\nenvironment = { __proto__ = "a", constructor = "b" }\n',
  };
  expect(Object.entries(spec(files).environment ?? {})).toEqual([
    ["__proto__", "a"],
    ["constructor", "b"],
  ]);
  const section = shown({ "oneup.toml": "[constructor]\na = 1\n" });
  expect(section.join()).toMatch(/unknown.*"?constructor/);
});

describe("a service's fields", () => {
  test.each<[string, object]>([
    ["", {}],
    [
      'requires = ["api2", { service = "api2", bind = true }, { task = "t" }, { target = "g" }]',
      {
        requires: [
          { name: "api2", bind: true, start: true },
          { name: "t", bind: false, start: true },
          { name: "g", bind: false, start: true },
        ],
      },
    ],
    ['wants = ["api2", "t"]', { wants: ["api2", "t"] }],
    ['after = ["api2"]', { after: [{ name: "api2", until: "ready" }] }],
    ['before = ["api2"]', { before: ["api2"] }],
    ["autostart = false", { autostart: false }],
    ["autostart = true", {}],
    ["main = true", { main: true, restart: "never" }],
    ['main = true\nrestart = "always"', { main: true }],
    ['directory = "/srv/./a/../b/"', { directory: "/srv/b" }],
    ['directory = "data"', { directory: "/proj/data" }],
    ['directory = ".."', { directory: "/" }],
    [
      'user = "www"\ngroup = "video"\ngroups = ["video", 7]',
      { user: "www", group: "video", groups: ["video", "7"] },
    ],
    ["user = 1000", { user: "1000" }],
    ['user = "4711"\ngroup = 0', { user: "4711", group: "0" }],
    ["groups = []", { groups: [] }],
    ['umask = "022"', { umask: 0o22 }],
    ['umask = "77"', { umask: 0o77 }],
    ['umask = "0777"', { umask: 0o777 }],
    ['environment = { PORT = "8080", EMPTY = "" }', { environment: { PORT: "8080", EMPTY: "" } }],
    ["environment = {}", {}],
    ["clean-environment = true", { cleanEnvironment: true }],
    ["nice = -20", { nice: -20 }],
    ["oom-score-adjust = 1000", { oomScoreAdjust: 1000 }],
    [
      'limits = { nofile = 65536, core = "0" }',
      {
        limits: { nofile: { soft: 65536, hard: 65536 }, core: { soft: 0, hard: 0 } },
      },
    ],
    [
      'limits = { stack = "8MiB:unlimited", nproc = "unlimited", as = "1GiB" }',
      {
        limits: {
          stack: { soft: 8_388_608, hard: null },
          nproc: { soft: null, hard: null },
          as: { soft: 1_073_741_824, hard: 1_073_741_824 },
        },
      },
    ],
    ["no-new-privileges = true", { noNewPrivileges: true }],
    ['restart = "on-failure"', { restart: "on-failure" }],
    ['restart-delay = "0s"', { restartDelayMs: 0 }],
    ['restart-delay = "100ms"', {}],
    ['restart-delay = "1m"', { restartDelayMs: 60_000, restartDelayMaxMs: 60_000 }],
    ['restart-delay-max = "1m"', { restartDelayMaxMs: 60_000 }],
    ['restart-reset = "1s"', { restartResetMs: 1000 }],
    ['restart-limit = 5\nrestart-window = "2m"', { restartLimit: 5, restartWindowMs: 120_000 }],
    ["success-codes = [0, 143]", { successCodes: [0, 143] }],
    ["success-codes = []", { successCodes: [] }],
    [
      'requires = [{ service = "api2", start = false }, "t", { task = "t", start = false }]',
      {
        requires: [
          { name: "api2", bind: false, start: false },
          { name: "t", bind: false, start: true },
        ],
      },
    ],
    [
      'after = [{ service = "api2", until = "begun" }, { task = "t", until = "any" }, { target = "g" }]',
      {
        after: [
          { name: "api2", until: "begun" },
          { name: "t", until: "any" },
          { name: "g", until: "ready" },
        ],
      },
    ],
    ['conflicts = [{ service = "api2", wait = true }]', { conflicts: [{ name: "api2", wait: true }] }],
    ["remain-after-exit = true", { remainAfterExit: true }],
    ["remain-after-exit = false", {}],
    ["end-counts = true", { endCounts: true }],
    ["critical = true", { critical: true }],
    ["restart-jitter = 0", { restartJitter: 0 }],
    ["restart-jitter = 0.5", { restartJitter: 0.5 }],
    ["restart-jitter = 1", { restartJitter: 1 }],
    ["restart-jitter = 0.1", {}],
    ['restart-window = "0s"', { restartWindowMs: 0 }],
    ['stop = { evict = "kill" }', { stop: { ...DEFAULTS.stop, evict: "kill" } }],
    ['stop = { evict = "stop" }', {}],
    [
      "guard = { ports = [80, 443] }",
      { guard: { ports: [80, 443], processes: [], kill: false, services: false } },
    ],
    [
      'guard = { processes = ["nginx"], kill = true }',
      { guard: { ports: [], processes: ["nginx"], kill: true, services: false } },
    ],
    [
      "guard = { ports = [80], services = true }",
      { guard: { ports: [80], processes: [], kill: false, services: true } },
    ],
    [
      "ready = { health = true }\nhealth = { tcp = 80 }",
      {
        ready: [{ type: "health" }],
        health: { ...HEALTH_DEFAULTS, probes: [{ type: "tcp", host: "127.0.0.1", port: 80 }] },
      },
    ],
    [
      'ready = { exec = { command = "a b", outside = true } }',
      { ready: [{ type: "exec", argv: ["a", "b"], outside: true }] },
    ],
    [
      'ready = { exec = { command = "a | b", shell = true } }',
      { ready: [{ type: "exec", argv: ["/bin/sh", "-c", "a | b"], outside: false }] },
    ],
    ["no-restart-codes = [78]", { noRestartCodes: [78] }],
    ['on-failure = "stop-dependents"', { onFailure: "stop-dependents" }],
    ["ready = { tcp = 5432 }", { ready: [{ type: "tcp", host: "127.0.0.1", port: 5432 }] }],
    ['ready = { tcp = "5432" }', { ready: [{ type: "tcp", host: "127.0.0.1", port: 5432 }] }],
    ['ready = { tcp = "db.local:1" }', { ready: [{ type: "tcp", host: "db.local", port: 1 }] }],
    ['ready = { tcp = ":80" }', { ready: [{ type: "tcp", host: "127.0.0.1", port: 80 }] }],
    ['ready = { tcp = "[::1]:65535" }', { ready: [{ type: "tcp", host: "::1", port: 65535 }] }],
    [
      `ready = { exec = "test -e 'a b'" }`,
      { ready: [{ type: "exec", argv: ["test", "-e", "a b"], outside: false }] },
    ],
    ['ready = { exec = ["a", ""] }', { ready: [{ type: "exec", argv: ["a", ""], outside: false }] }],
    ['ready = { file = "run/ok" }', { ready: [{ type: "file", path: "/proj/run/ok", fresh: false }] }],
    [
      'ready = { file = "run/ok", fresh = true }',
      { ready: [{ type: "file", path: "/proj/run/ok", fresh: true }] },
    ],
    ['stdin = "inherit"', { stdin: "inherit" }],
    ['stdin = "null"', {}],
    ['stdout = "log"\nstderr = "log"', {}],
    ['stdout = "stderr"', { stdout: { type: "own", stream: "stderr" } }],
    [
      'stdout = "stdout"\nstderr = "stdout"',
      { stdout: { type: "own", stream: "stdout" }, stderr: { type: "own", stream: "stdout" } },
    ],
    [
      'stdout = { file = "out/api" }\nstderr = "same"',
      { stdout: { type: "file", path: "/proj/out/api", mode: 0o666 }, stderr: { type: "same" } },
    ],
    [
      'stderr = { file = "/var/log/api", mode = "0600" }',
      { stderr: { type: "file", path: "/var/log/api", mode: 0o600 } },
    ],
    [
      'log = { file = "a.log", max-size = "50B", split = true, stamp = true }',
      { log: { ...DEFAULTS.log, file: "/proj/a.log", maxSize: 50, split: true, stamp: true } },
    ],
    ['start-delay = "1.5s"', { startDelayMs: 1500 }],
    ['restart-backoff = "linear"', { restartBackoff: "linear" }],
    ['restart-backoff = "doubling"', {}],
    ['restart-limit-means = "end"', { restartLimitMeans: "end" }],
    [
      'resources = { memory = "512MiB", cpu = 1.5, pids = 100 }',
      { resources: { cpu: 1.5, memory: 536_870_912, pids: 100 } },
    ],
    ["resources = { pids = 1 }", { resources: { cpu: null, memory: null, pids: 1 } }],
    ['after = [{ service = "api2", until = "up" }]', { after: [{ name: "api2", until: "up" }] }],
    ['restart-reset-from = "ready"', { restartResetFrom: "ready" }],
    ["restart-unstartable = true", { restartUnstartable: true }],
    ['on-failure = "shutdown"\non-failure-at = "each"', { onFailure: "shutdown", onFailureAt: "each" }],
    ['success-signals = ["SIGTERM", "KILL"]', { successSignals: ["TERM", "KILL"] }],
    ['fail-with = ["api2", "t", "api2"]', { failWith: ["api2", "t"] }],
    ["ready = { log = '^up \\d$' }", { ready: [{ type: "log", pattern: "^up \\d$" }] }],
    [
      'ready = { delay = "2s", log = "x" }',
      {
        ready: [
          { type: "delay", ms: 2000 },
          { type: "log", pattern: "x" },
        ],
      },
    ],
    ['start-timeout = "0s"', { startTimeoutMs: 0 }],
    [
      'stop = { signal = "sigint" }',
      { stop: { signal: "INT", timeoutMs: 10_000, evict: "stop", tree: true } },
    ],
    [
      '[service.api.stop]\ntimeout = "1m"\ntree = false',
      { stop: { signal: "TERM", timeoutMs: 60_000, evict: "stop", tree: false } },
    ],
    ['stop = { signal = "TERM", timeout = "10s" }', {}],
    ["stop = {}", {}],
    [
      'log = { file = "logs/a.log", max-size = "1MiB", keep = 0 }',
      {
        log: { ...DEFAULTS.log, file: "/proj/logs/a.log", maxSize: 1_048_576, keep: 0 },
      },
    ],
    [
      'log.format = "json"\nlog.console = false\nlog.lines = 5',
      {
        log: { ...DEFAULTS.log, format: "json", console: false, lines: 5 },
      },
    ],
    ['labels = { tier = "web", "a b" = "" }', { labels: { tier: "web", "a b": "" } }],
  ])("%s", (lines, expected) => {
    const others = '[service.api2]\ncommand = "x"\n[task.t]\ncommand = "x"\n[target.g]\n';
    expect(spec(api(lines) + others, "api")).toEqual({ ...PLAIN, ...expected });
  });

  test.each<[string, readonly string[]]>([
    ['"node server.js"', ["node", "server.js"]],
    [`"sh -c 'a | b'"`, ["sh", "-c", "a | b"]],
    ['["node", "a b", ""]', ["node", "a b", ""]],
    ['"a | b"\nshell = true', ["/bin/sh", "-c", "a | b"]],
    ['"echo $X $${Y}"\nshell = true', ["/bin/sh", "-c", "echo $X ${Y}"]],
    ['"a b"\nshell = false', ["a", "b"]],
    ["'''\na \\\n  b\n'''", ["a", "b"]],
  ])("command = %s", (written, argv) => {
    expect(spec(`[service.api]\ncommand = ${written}\n`).argv).toEqual(argv);
  });

  test.each<[string, string]>([
    ["comand = 5", '1: unknown key "comand" in [service.api] (did you mean "command"?)'],
    [
      "restart_delay = '1s'",
      '1: unknown key "restart_delay" in [service.api] (did you mean "restart-delay"?)',
    ],
    ["env = {}", '1: unknown key "env" in [service.api] (did you mean "environment"?)'],
    ["cwd = '/'", '1: unknown key "cwd" in [service.api] (did you mean "directory"?)'],
    ["stop-signal = 'INT'", '1: unknown key "stop-signal" in [service.api] (did you mean "stop.signal"?)'],
    [
      "constructor = 1",
      '1: unknown key "constructor" in [service.api] ("oneup check --schema" lists the known ones)',
    ],
    [
      "__proto__ = 1",
      '1: unknown key "__proto__" in [service.api] ("oneup check --schema" lists the known ones)',
    ],
    [
      "limits = { toString = 1 }",
      '12: unknown key "toString" in limits (known here: as, core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack)',
    ],
    [
      'stop.timeout = "5constructor"',
      '16: stop.timeout: unknown unit of time "constructor" (the units are ms, s, m, h or d)',
    ],
    ["xyzzy = 1", '1: unknown key "xyzzy" in [service.api] ("oneup check --schema" lists the known ones)'],
    ["stop = { sgnal = 'INT' }", '10: unknown key "stop.sgnal" in [service.api] (did you mean "signal"?)'],
    [
      "stop = { x = 1 }",
      '10: unknown key "stop.x" in [service.api] (known here: signal, timeout, command, evict, tree)',
    ],
    [
      "requires = 'db'",
      "12: requires: expected a list of names of services, tasks or targets, got a string (put it in brackets, [ … ], also if it is only one)",
    ],
    [
      "requires = [5]",
      '13: requires: expected a name, { task = "…" }, { target = "…" } or { service = "…", bind = true }, got an integer',
    ],
    [
      "requires = [{}]",
      '13: requires: expected exactly one of service, task and target (such as { task = "migrate" })',
    ],
    [
      "requires = [{ bind = true }]",
      '13: requires: expected exactly one of service, task and target (such as { task = "migrate" })',
    ],
    ["wants = ['']", "10: wants: expected a name, got an empty string"],
    ["autostart = 'true'", "13: autostart: expected true or false, got a string (write it without quotes)"],
    ["main = 1", "8: main: expected true or false, got an integer"],
    ["directory = ''", "13: directory: expected a path, got an empty string"],
    [
      "user = 'nobody4'",
      '8: user: unknown user "nobody4" (add it to /etc/passwd, or write a number, which needs no entry)',
    ],
    ["user = 'a b'", "8: user: not the name or number of a user"],
    ["user = -1", "8: user: expected the name or number of a user, got -1"],
    ["user = true", "8: user: expected the name or number of a user, got true"],
    [
      "group = 'nogrp'",
      '9: group: unknown group "nogrp" (add it to /etc/group, or write a number, which needs no entry)',
    ],
    [
      "groups = ['www', 'nogrp']",
      '18: group: unknown group "nogrp" (add it to /etc/group, or write a number, which needs no entry)',
    ],
    ["umask = 22", '9: umask: expected a umask as a string of octal digits, such as "022", got an integer'],
    ["umask = '9'", '9: umask: not a umask (write one to three octal digits, such as "022")'],
    ["umask = 022", '9: not TOML: illegal leading zero (write a umask in quotes, such as "022")'],
    ["environment = { A = 1 }", "21: environment.A: expected a string, got an integer (put it in quotes)"],
    ["environment = ['A=1']", '15: environment: expected a table such as { PORT = "8080" }, got a list'],
    [
      "environment = { 'A=B' = '1' }",
      '17: environment: a variable\'s name cannot be empty or have "=" in it',
    ],
    ["nice = 20", "8: nice: expected a whole number, -20 to 19, got 20"],
    ["nice = 1.5", "8: nice: expected a whole number, -20 to 19, got 1.5"],
    ["nice = '1'", "8: nice: expected a whole number, -20 to 19, got a string"],
    ["nice = 07:30", "8: nice: expected a whole number, -20 to 19, got a date or time"],
    ["limits = { nofiles = 1 }", '12: unknown key "nofiles" in limits (did you mean "nofile"?)'],
    [
      "limits = { nofile = '1MiB' }",
      '21: limits.nofile: not a limit (write a number, "unlimited" or "soft:hard")',
    ],
    [
      "limits = { core = 'x' }",
      '19: limits.core: not a limit (write a number, "unlimited" or "soft:hard", or a size such as "64MiB")',
    ],
    [
      "limits = { core = '2:1' }",
      '19: limits.core: the soft limit is above the hard limit (write the lower one first: "soft:hard")',
    ],
    [
      "restart = 'allways'",
      '11: restart: expected "always", "on-failure" or "never", got "allways" (did you mean "always"?)',
    ],
    ["restart = true", '11: restart: expected "always", "on-failure" or "never", got true'],
    [
      "restart-delay = 5",
      '17: restart-delay: expected a duration with a unit, such as "10s", got an integer (write "5s", or another of the units ms, s, m, h or d)',
    ],
    ["restart-delay = '5sec'", '17: restart-delay: unknown unit of time "sec" (write "s")'],
    [
      "restart-delay = '2s'\nrestart-delay-max = '1s'",
      "21: restart-delay-max: less than restart-delay (raise it, or lower restart-delay)",
    ],
    ["restart-limit = -1", "17: restart-limit: expected a whole number, 0 or more, got -1"],
    ["success-codes = 0", "17: success-codes: expected a list of exit codes, got an integer"],
    ["success-codes = [0, 256]", "21: success-codes: expected a whole number, 0 to 255, got 256"],
    [
      "ready = {}",
      '9: ready: no condition in it (write one, such as ready = { tcp = 8080 }, or remove "ready")',
    ],
    ["ready = true", '9: ready: expected a table, got true (such as ready = { tcp = 8080, log = "ready" })'],
    ["ready = { tcp = 0 }", '17: ready.tcp: expected a port from 1 to 65535, or "host:port", got 0'],
    ["ready = { tcp = 'a:65536' }", "17: ready.tcp: a port is a number from 1 to 65535"],
    [
      "ready = { tcp = '::1:80' }",
      '17: ready.tcp: not an address (write a port, "host:port" or "[::1]:port")',
    ],
    [
      "ready = { log = '(' }",
      "17: ready.log: not a regular expression: unclosed group (a backslash before a character takes it as it is)",
    ],
    [
      "ready = { exec = 'a | b' }",
      `21: ready.exec: "|" needs a shell, and none runs here (write ["/bin/sh", "-c", "…"], or quote it ('|') to pass it as it is)`,
    ],
    [
      "ready = { exec = [] }",
      '18: ready.exec: expected a command such as "node server.js" or ["node", "server.js"], got an empty list',
    ],
    [
      "stop = 5",
      '8: stop: expected a table, got an integer (such as stop = { signal = "INT", timeout = "20s" })',
    ],
    ["stop = { signal = 15 }", '19: stop.signal: expected a signal\'s name, such as "TERM", got an integer'],
    ["stop = { signal = '15' }", '19: stop.signal: signals go by name (write "TERM")'],
    [
      "stop = { timeout = '10' }",
      '20: stop.timeout: a duration without a unit (write "10s", or another of the units ms, s, m, h or d)',
    ],
    [
      "log = { max-size = '5M' }",
      '20: log.max-size: unknown unit of size "M" (write "MiB" (1024) or "MB" (1000))',
    ],
    [
      "log = { max-size = 5 }",
      '20: log.max-size: expected a size with a unit, such as "10MiB", got an integer (write "5B", or another of the units KiB, MiB, GiB, kB, MB or GB)',
    ],
    ["log = { split = true }", '17: log.split: there is no file to split (write file = "…" beside it)'],
    ["log = { stamp = true }", "17: log.stamp: goes with split (write split = true, or remove it)"],
    [
      "log = { file = 'a', split = true, max-size = '0B' }",
      '46: log.max-size: pieces of no size (write a size such as "10MiB")',
    ],
    [
      "log = { file = 'a', split = true, keep = 2 }",
      "42: log.keep: split deletes nothing (remove it, or split)",
    ],
    [
      "log = { file = 'a', split = true, format = 'json' }",
      '44: log.format: split cuts bytes, not records (write format = "text", or remove split)',
    ],
    ['stdin = "file"', '9: stdin: expected "null" or "inherit", got "file"'],
    ['stdout = "same"', '10: stdout: expected "log", "stdout" or "stderr", got "same"'],
    ["stdout = 1", '10: stdout: expected "log", "stdout", "stderr" or { file = "PATH" }, got an integer'],
    ["stderr = { mode = '0600' }", '10: stderr: no file in it (write { file = "PATH" })'],
    [
      "stderr = { file = 'a', mode = '888' }",
      '31: stderr.mode: not the permissions of a file (write three octal digits, such as "640")',
    ],
    [
      'success-signals = ["NO"]',
      '20: success-signals: unknown signal "NO" (write a name such as "TERM", "HUP", "USR1" or "RTMIN+3")',
    ],
    ['restart-backoff = "square"', '19: restart-backoff: expected "doubling" or "linear", got "square"'],
    [
      'fail-with = ["nobody"]',
      '14: fail-with: unknown service "nobody" (define it, or remove it from fail-with)',
    ],
    ['fail-with = ["api"]', '14: fail-with: "api" cannot fail with itself (remove it)'],
    ["resources = {}", "13: resources: no limit in it (write cpu, memory or pids, or remove it)"],
    ['resources = { memory = "0B" }', '13: resources: a memory of no size (write a size such as "512MiB")'],
    ["resources = { cpu = 0 }", "21: resources.cpu: expected a number from 0.01 to 10000, got 0"],
    ["labels = { a = 1 }", "16: labels.a: expected a string, got an integer (put it in quotes)"],
    ["user = 'a\\u0000'", "8: user: not the name or number of a user"],
    ['directory = "a\\u0000b"', "13: a string with a NUL character (remove it)"],
  ])("%s is refused", (lines, expected) => {
    const last = 2 + lines.split("\n").length;
    expect(shown(api(lines))).toEqual([`oneup.toml:${last}:${expected}`]);
  });

  test.each<[string, string]>([
    ['command = ""', "11: command: an empty command (write the program and its arguments)"],
    ['command = " "', "11: command: an empty command (write the program and its arguments)"],
    [
      "command = []",
      '11: command: expected a command such as "node server.js" or ["node", "server.js"], got an empty list',
    ],
    ['command = [""]', "11: command: the program's name is empty (write the program first)"],
    ['command = ["a", 1]', "17: command: expected a string, got an integer (put it in quotes)"],
    [
      "command = 5",
      '11: command: expected a command such as "node server.js" or ["node", "server.js"], got an integer',
    ],
    [
      'command = "a && b"',
      `14: command: "&&" needs a shell, and none runs here (write shell = true, or quote it ('&&') to pass it as it is)`,
    ],
    [
      `command = "a 'b"`,
      "14: command: a ' that is never closed (close it, or write \\' for the character itself)",
    ],
    [
      'command = "\\ta | b"',
      `11: command: "|" needs a shell, and none runs here (write shell = true, or quote it ('|') to pass it as it is)`,
    ],
    [
      'command = "A=1 b"',
      '12: command: "A=" in front of a command sets a variable only in a shell (use environment = { … }, or write shell = true)',
    ],
    [
      'command = ["a"]\nshell = true',
      "11: command: with shell = true it is one string (write it as one string)",
    ],
    ['command = " "\nshell = true', "11: command: an empty command (write what the shell is to run)"],
  ])("%s is refused", (lines, expected) => {
    expect(shown(`[service.api]\n${lines}\n`)).toEqual([`oneup.toml:2:${expected}`]);
  });

  test("a service and a task need a command", () => {
    expect(shown("[service.a]\n[task.b]\n")).toEqual([
      'oneup.toml:1:10: service "a" has no command (write command = "program argument …" below it)',
      'oneup.toml:2:7: task "b" has no command (write command = "program argument …" below it)',
    ]);
  });

  test("an operator in a string of several lines is found on its line", () => {
    expect(shown('[service.api]\ncommand = """\nfirst\n  second | third"""\n')[0]).toMatch(
      /^oneup\.toml:4:10: /,
    );
  });

  test("all errors come, from top to bottom", () => {
    const lines = shown(
      api("x = 1", "nice = 99", 'user = "nobody4"', 'requires = ["q"]', "[service.b]", "stop = 1"),
    );
    expect(lines.map((line) => line.replace(/^oneup\.toml:(\d+:\d+):.*/, "$1"))).toEqual([
      "3:1",
      "4:8",
      "5:8",
      "6:13",
      "7:10",
      "8:8",
    ]);
  });
});

describe("tasks and targets", () => {
  test("a task's own defaults are written out", () => {
    expect(spec('[task.t]\ncommand = "x"\n')).toEqual({
      name: "t",
      kind: "task",
      argv: ["x"],
      directory: "/proj",
      restart: "never",
      startTimeoutMs: 0,
    });
    expect(spec('[task.t]\ncommand = "x"\nrestart = "always"\nstart-timeout = "30s"\n')).not.toHaveProperty(
      "restart",
    );
  });

  test("a target has only its relations", () => {
    const target = '[target.g]\nrequires = ["api"]\nautostart = false\nlabels = { a = "b" }\n';
    expect(spec(api() + target, "g")).toEqual({
      name: "g",
      kind: "target",
      requires: [{ name: "api", bind: false, start: true }],
      autostart: false,
      labels: { a: "b" },
    });
  });

  test("what makes no sense for them is refused", () => {
    expect(
      shown(
        '[task.t]\ncommand = "x"\nready = { tcp = 1 }\n[target.g]\ncommand = "x"\nmain = true\nfoo = 1\n',
      ),
    ).toEqual([
      'oneup.toml:3:1: "ready" is not for a task: it is ready when it has succeeded (remove it, or make it a service)',
      'oneup.toml:5:1: "command" is not for a target: it runs nothing itself (a target takes requires, wants, after, before, conflicts, autostart, on-failure, critical, labels)',
      'oneup.toml:6:1: "main" is not for a target: it runs nothing itself (a target takes requires, wants, after, before, conflicts, autostart, on-failure, critical, labels)',
      'oneup.toml:7:1: unknown key "foo" in [target.g] (known here: requires, wants, after, before, conflicts, autostart, on-failure, critical, labels)',
    ]);
  });
});

describe("fields of later", () => {
  const paths = Object.entries(LATER).flatMap(([section, keys]) => keys.map((key) => ({ section, key })));

  test.each(paths)("$section: $key", ({ section, key }) => {
    const [kind = "", inner] = section.split(".");
    const header = kind === "supervisor" ? "[supervisor]" : `[${kind}.x]`;
    const command = kind === "service" || kind === "task" ? 'command = "x"\n' : "";
    const written = inner === undefined ? `${key} = 1` : `${inner} = { ${key} = 1 }`;
    const errors = shown(`${api()}${header}\n${command}${written}\n`);
    const name = inner === undefined ? key : `${inner}.${key}`;
    const line = command === "" ? 4 : 5;
    const column = inner === undefined ? 1 : inner.length + 6;
    expect(errors[0]).toBe(`oneup.toml:${line}:${column}: "${name}" is not supported yet (remove it)`);
  });
});

describe("sections", () => {
  test.each<[string, string]>([
    [
      'command = "x"\nfoo = 1\n[service.a]\ncommand = "x"',
      '1:1: unknown key "command" outside of a section (fields belong into a section: write [service.NAME] above it)',
    ],
    ["[services.a]", '1:2: unknown section [services] (did you mean "service"?)'],
    [
      "[xyz]",
      "1:2: unknown section [xyz] (the sections are [service.NAME], [task.NAME], [target.NAME] and [supervisor])",
    ],
    ["service = 1", '1:1: "service" is not a section by itself (write [service.NAME])'],
    [
      '[service]\ncommand = "x"',
      '2:1: "command" stands in [service], which has no name (write [service.NAME])',
    ],
    ["[service]\nfoo = 1", "2:1: service.foo: expected a section, got an integer (write [service.foo])"],
    ["[[service.a]]", "1:11: [[service.a]] is a list (write [service.a] with single brackets)"],
    ["[[service]]", '1:3: "service" is not a section by itself (write [service.NAME])'],
    [
      "[service.a.b]\nx = 1",
      '1:12: unknown key "b" in [service.a] (for a service named "a.b" write [service."a.b"])',
    ],
    [
      '[service."a b"]',
      '1:10: "a b" is not a name for a service (use letters, digits, dots, underscores and dashes, with a letter or digit first)',
    ],
    [
      '[service."-a"]',
      '1:10: "-a" is not a name for a service (use letters, digits, dots, underscores and dashes, with a letter or digit first)',
    ],
    [
      '[service.""]',
      '1:10: "" is not a name for a service (use letters, digits, dots, underscores and dashes, with a letter or digit first)',
    ],
    ['[service."a@1"]', '1:10: "@" in a name is reserved for instances (choose a name without it)'],
    ["[task.oneup]", '1:7: the name "oneup" is the supervisor\'s own (choose another name)'],
    [`[service.${"a".repeat(101)}]`, "1:10: a name longer than 100 characters (choose a shorter one)"],
    [
      "[service.__proto__]",
      '1:10: "__proto__" is not a name for a service (use letters, digits, dots, underscores and dashes, with a letter or digit first)',
    ],
  ])("%s", (text, expected) => {
    expect(shown(text)).toContain(`oneup.toml:${expected}`);
  });

  test.each(["a", "A-1", "0", "a.b", "a_b", "a".repeat(100), "constructor"])(
    "the name %s is good",
    (name) => {
      expect(good(`[service."${name}"]\ncommand = "x"\n`).names).toEqual([name]);
    },
  );
});

describe("variables in fields", () => {
  test("in every string, with the default's variables", () => {
    const environment = { A: "x y", PORT: "80", D: "5s" };
    const text =
      '"run ${A}"\nrestart-delay = "${D}"\nenvironment = { P = "${PORT}", Q = "$$A ${NO:-n}" }\nready = { tcp = "${PORT}" }';
    expect(spec(`[service.api]\ncommand = ${text}\n`, "api", { environment })).toMatchObject({
      argv: ["run", "x", "y"],
      restartDelayMs: 5000,
      environment: { P: "80", Q: "$A n" },
      ready: [{ type: "tcp", port: 80 }],
    });
  });

  test("in lists, and not in keys", () => {
    const text = 'groups = ["${G}"]\nenvironment = { "${G}" = "1" }';
    expect(spec(api(text), "api", { environment: { G: "video" } })).toMatchObject({
      groups: ["video"],
      environment: { "${G}": "1" },
    });
  });

  test("one that is not set is an error at its own place", () => {
    const hint = (name: string) =>
      `(set it, give a default as in \${${name}:-…}, or, for a variable of the shell (shell = true), write $$${name})`;
    expect(shown(api('directory = "/srv/${ONE}/${TWO}"', "groups = ['video', '''${THREE}''']"))).toEqual([
      `oneup.toml:3:19: the variable ONE is not set ${hint("ONE")}`,
      `oneup.toml:3:26: the variable TWO is not set ${hint("TWO")}`,
      `oneup.toml:4:23: the variable THREE is not set ${hint("THREE")}`,
    ]);
  });

  test("behind an escape, the string is the place", () => {
    expect(shown(api('directory = "\\t${ONE}"'))[0]).toMatch(/^oneup\.toml:3:13: the variable ONE/);
  });

  test("what came out of one is shown by no message", () => {
    const fields = [
      ...["user", "group", "umask", "restart", "restart-delay", "on-failure", "nice", "command", "main"].map(
        (key) => `${key} = "\${S}"`,
      ),
      ...["stop.signal", "stop.timeout", "log.max-size", "log.format", "ready.tcp", "ready.exec"].map(
        (key) => `${key} = "\${S}"`,
      ),
      'ready.log = "${S}"',
      'groups = ["${S}"]',
      'requires = ["${S}"]',
      'environment-file = ["${S}"]',
      'limits = { core = "${S}" }',
    ];
    const secret = fc
      .tuple(fc.constantFrom("", "(", "'", "| ", "5", "5x ", "1:"), fc.constantFrom("", ")", " &", "ms"))
      .map(([before, after]) => `${before}s3cret${after}`);
    fc.assert(
      fc.property(fc.subarray(fields, { minLength: 1 }), secret, (some, S) => {
        const [command = 'command = "x"'] = some.filter((line) => line.startsWith("command"));
        const rest = some.filter((line) => !line.startsWith("command") && !line.startsWith("requires"));
        const lines = shown(`[service.api]\n${[command, ...rest].join("\n")}\n`, { environment: { S } });
        expect(lines.join("\n")).not.toContain("s3cret");
      }),
      { numRuns: 300 },
    );
  });
});

describe("environment files", () => {
  const text = api('environment-file = [".env", "/etc/more", "?.env.local"]', 'environment = { D = "4" }');

  test("later ones win, and `environment` wins over all", () => {
    const files = {
      "oneup.toml": text,
      ".env": "A=1\nB=1\nC=1\nD=1",
      "/etc/more": "B=2\nC=2\nD=2",
      ".env.local": "C=3\nD=3",
    };
    expect(spec(files).environment).toEqual({ A: "1", B: "2", C: "3", D: "4" });
  });

  test("a missing one is an error, unless it may be missing", () => {
    expect(shown({ "oneup.toml": text, "/etc/more": "" })).toEqual([
      'oneup.toml:3:21: environment-file: no such file: ".env" (make it, or put "?" in front of its name if it may be missing)',
    ]);
  });

  test("one that cannot be read is an error even then", () => {
    const host = (fake: { failures: Map<string, { error: string; message: string }> }) =>
      fake.failures.set("/proj/.env.local", { error: "EACCES", message: "Permission denied" });
    const errors = shown({ "oneup.toml": text, ".env": "", "/etc/more": "", ".env.local": "" }, { host });
    expect(errors).toEqual([
      'oneup.toml:3:42: environment-file: Permission denied: ".env.local" (make it readable)',
    ]);
  });

  test("an error in one is shown at its place, once, and without its values", () => {
    const two = `${text}[service.b]\ncommand = "x"\nenvironment-file = [".env"]\n`;
    const files = { "conf/oneup.toml": two, "conf/.env": 'A=1\nB="s3cret', "/etc/more": "oops s3cret" };
    expect(shown(files, { paths: ["conf"] })).toEqual([
      'conf/.env:2:3: a " that is never closed (close it, or write \\" for the character itself)',
      "/etc/more:1:1: not a line of the form NAME=value (a comment starts with #)",
    ]);
  });
});

describe("withDefaults", () => {
  test("puts the defaults behind what was set", () => {
    const whole = withDefaults(spec(api("nice = 5")));
    expect(whole.nice).toBe(5);
    expect(whole.restart).toBe("always");
    expect(whole.log.lines).toBe(1000);
    expect(JSON.parse(JSON.stringify(whole))).toEqual({ ...PLAIN, nice: 5 });
  });

  test("the defaults cannot be changed", () => {
    expect(() => Object.assign(DEFAULTS.stop, { signal: "KILL" })).toThrow();
  });
});
