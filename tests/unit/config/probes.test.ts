import { describe, expect, test } from "vitest";
import { api, shown, spec } from "./helpers.ts";

/** Of the service's fields, those that a line makes; the file `ca.pem` is there. */
function made(line: string): unknown {
  const { name, argv, directory, ...rest } = spec({ "oneup.toml": api(line), "ca.pem": "" });
  return rest;
}

const HTTP = {
  type: "http",
  tls: false,
  host: "127.0.0.1",
  port: 8080,
  path: "/",
  status: [[200, 399]],
  body: null,
  method: "GET",
  redirects: 0,
  headers: {},
  caFile: null,
  insecure: false,
};

const CHECKS = {
  everyMs: 10_000,
  timeoutMs: 2000,
  failures: 3,
  successes: 1,
  initialDelayMs: 0,
  onFailure: "restart",
};

describe("ready", () => {
  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["http://127.0.0.1:8080", {}],
    ["HTTP://127.0.0.1:8080/", {}],
    ["http://localhost/a/b?c=d&e", { host: "localhost", port: 80, path: "/a/b?c=d&e" }],
    ["https://localhost", { tls: true, host: "localhost", port: 443 }],
    ["https://[::1]:8443/x", { tls: true, host: "::1", port: 8443, path: "/x" }],
    ["http://a.b-c_d:1?q", { host: "a.b-c_d", port: 1, path: "/?q" }],
  ])("http = %j", (address, different) => {
    expect(made(`ready = { http = "${address}" }`)).toEqual({ ready: [{ ...HTTP, ...different }] });
  });

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["status = 204", { status: [[204, 204]] }],
    ['status = "200"', { status: [[200, 200]] }],
    [
      'status = "200-299, 304,401-403"',
      {
        status: [
          [200, 299],
          [304, 304],
          [401, 403],
        ],
      },
    ],
    ["body = 'ok$'", { body: "ok$" }],
    ['method = "HEAD"', { method: "HEAD" }],
    ['method = "GET"', {}],
    ["redirects = 5", { redirects: 5 }],
    ['headers = { Host = "x.org", Accept = "" }', { headers: { Host: "x.org", Accept: "" } }],
  ])("%s", (more, different) => {
    expect(made(`ready = { http = "http://127.0.0.1:8080", ${more} }`)).toEqual({
      ready: [{ ...HTTP, ...different }],
    });
  });

  test("https with certificates of its own, or with none", () => {
    const tls = { ...HTTP, tls: true };
    expect(made('ready = { http = "https://127.0.0.1:8080", ca-file = "ca.pem" }')).toEqual({
      ready: [{ ...tls, caFile: "/proj/ca.pem" }],
    });
    expect(made('ready = { http = "https://127.0.0.1:8080", insecure = true }')).toEqual({
      ready: [{ ...tls, insecure: true }],
    });
  });

  test.each<[string, unknown]>([
    ['"sd"', { type: "notify", way: "socket", path: null }],
    ['"sd:run/n.sock"', { type: "notify", way: "socket", path: "/proj/run/n.sock" }],
    ['"sd:/run/n.sock"', { type: "notify", way: "socket", path: "/run/n.sock" }],
    ['"fd:3"', { type: "notify", way: "descriptor", fd: 3 }],
    ['"fd:1023"', { type: "notify", way: "descriptor", fd: 1023 }],
  ])("notify = %s", (value, condition) => {
    expect(made(`ready = { notify = ${value} }`)).toEqual({ ready: [condition] });
  });

  test("listen, several at once, and no try before a delay", () => {
    expect(made('ready = { listen = true, log = "up", initial-delay = "3s" }')).toEqual({
      ready: [{ type: "listen" }, { type: "log", pattern: "up" }],
      readyDelayMs: 3000,
    });
  });
});

describe("health", () => {
  test("with its defaults", () => {
    expect(made("health = { tcp = 80 }")).toEqual({
      health: { probes: [{ type: "tcp", host: "127.0.0.1", port: 80 }], ...CHECKS },
    });
  });

  test("with everything", () => {
    const line = [
      'health = { http = "http://127.0.0.1:8080", status = 200, exec = "check -q", file = "alive"',
      'every = "1m"',
      'timeout = "5s"',
      "failures = 5",
      "successes = 2",
      'initial-delay = "10s"',
      'on-failure = "mark" }',
    ].join(", ");
    expect(made(line)).toEqual({
      health: {
        probes: [
          { ...HTTP, status: [[200, 200]] },
          { type: "exec", argv: ["check", "-q"], outside: false },
          { type: "file", path: "/proj/alive", fresh: false },
        ],
        everyMs: 60_000,
        timeoutMs: 5000,
        failures: 5,
        successes: 2,
        initialDelayMs: 10_000,
        onFailure: "mark",
      },
    });
  });

  test("an interval as long as its timeout", () => {
    expect(made('health = { tcp = 80, every = "2s" }')).toMatchObject({ health: { everyMs: 2000 } });
  });

  test("watchdog", () => {
    expect(made('watchdog = "30s"')).toEqual({ watchdogMs: 30_000 });
  });
});

describe("what is refused, and where", () => {
  const example = 'write it as "http://127.0.0.1:8080/health"';
  const pattern = "a backslash before a character takes it as it is";

  test.each<[string, string]>([
    ["ready = { tcp = 1, fresh = true }", "28: ready.fresh: goes with file (remove it)"],
    ["health = { tcp = 1, method = 'HEAD' }", "30: health.method: goes with http (remove it)"],
    [
      "ready = { http = 'http://a', redirects = 21 }",
      "42: ready.redirects: expected a whole number, 0 to 20, got 21",
    ],
    [
      "ready = { http = 'http://a', method = 'HEAD', body = 'x' }",
      '54: ready.body: an answer to HEAD has none (remove it, or method = "HEAD")',
    ],
    // Addresses
    [
      'ready = { http = "127.0.0.1:80" }',
      `18: ready.http: not an address with http:// or https:// (${example})`,
    ],
    [
      'ready = { http = "ftp://127.0.0.1" }',
      '18: ready.http: unknown scheme "ftp" (the schemes are http and https)',
    ],
    ['health = { http = "http:///x" }', `27: health.http: an address without a host (${example})`],
    ['ready = { http = "http://a b/" }', `26: ready.http: not a host (${example})`],
    ['ready = { http = "http://h:0/" }', "28: ready.http: a port is a number from 1 to 65535"],
    ['ready = { http = "http://h:70000/" }', "28: ready.http: a port is a number from 1 to 65535"],
    [
      'ready = { http = "http://me:pw@h/" }',
      '26: ready.http: a user name in the address (write it as a header: headers = { Authorization = "Basic …" })',
    ],
    [
      'ready = { http = "http://h/a#b" }',
      '29: ready.http: what follows "#" is not sent to a server (remove it)',
    ],
    [
      'ready = { http = "http://h/a b" }',
      "29: ready.http: a character that must be encoded (write %20 for a space)",
    ],
    [
      "ready = { http = 80 }",
      '18: ready.http: expected an address such as "http://127.0.0.1:8080/health", got an integer',
    ],
    // What the answer must be like
    [
      'ready = { http = "http://h", status = 99 }',
      '39: ready.status: expected HTTP statuses such as "200-299,304" or 204, got 99',
    ],
    [
      'ready = { http = "http://h", status = "200,6x" }',
      '44: ready.status: not a status or range (write it as "200-299,304")',
    ],
    [
      'ready = { http = "http://h", status = "200-600" }',
      "40: ready.status: a status is a number from 100 to 599",
    ],
    [
      'ready = { http = "http://h", status = "300-200" }',
      "40: ready.status: a range that ends before it begins",
    ],
    [
      'ready = { http = "http://h", body = "(" }',
      `37: ready.body: not a regular expression: unclosed group (${pattern})`,
    ],
    [
      'health = { http = "http://h", body = "(" }',
      `38: health.body: not a regular expression: unclosed group (${pattern})`,
    ],
    [
      'ready = { http = "http://h", headers = { "a b" = "c" } }',
      '42: ready.headers: "a b" is not a header\'s name',
    ],
    [
      'ready = { http = "http://h", headers = { Connection = "close" } }',
      '42: ready.headers: "Connection" is set by the probe itself',
    ],
    [
      'ready = { http = "http://h", headers = { A = "b\\nc" } }',
      "46: ready.headers.A: a header is one line (write it in one line)",
    ],
    ["ready = { tcp = 1, status = 200 }", "29: ready.status: goes with http (remove it)"],
    ['health = { tcp = 1, body = "x" }', "28: health.body: goes with http (remove it)"],
    [
      'ready = { http = "http://h", insecure = true }',
      "41: ready.insecure: goes with an address that begins with https:// (remove it)",
    ],
    [
      'health = { http = "https://h", ca-file = "no.pem" }',
      "42: health.ca-file: cannot be read: No such file or directory (make the file, or correct its path)",
    ],
    [
      'health = { http = "https://h", ca-file = "ca.pem", insecure = true }',
      "63: health.insecure: no certificate is looked at, so ca-file says nothing (remove one of them)",
    ],
    // What it tells by itself
    [
      'ready = { notify = "systemd" }',
      '20: ready.notify: not a way to notify (write "sd" (sd_notify), "sd:PATH" or "fd:3")',
    ],
    [
      'ready = { notify = "fd:2" }',
      '24: ready.notify: 0, 1 and 2 are its stdin, stdout and stderr (write "fd:3" or more)',
    ],
    ['ready = { notify = "fd:1024" }', "24: ready.notify: a descriptor is a number from 3 to 1023"],
    [
      'ready = { notify = "sd:" }',
      '24: ready.notify: a path is missing (write "sd" or "sd:run/notify.sock")',
    ],
    [
      'ready = { notify = "sd:@x" }',
      '24: ready.notify: "@" is no path (write "sd", which is an abstract socket)',
    ],
    [
      `ready = { notify = "sd:/${"x".repeat(107)}" }`,
      "20: ready.notify: a socket's path has at most 107 characters, this one has 108 (choose a shorter one)",
    ],
    ["ready = { listen = false }", "20: ready.listen: it can only be true (leave it out)"],
    [
      'ready = { log = "x", initial-delay = "1s" }',
      "38: ready.initial-delay: is for what is tried: tcp, http, exec, file and listen (remove it)",
    ],
    // Without a target
    [
      "ready = { status = 200 }",
      '9: ready: no condition in it (write one, such as ready = { tcp = 8080 }, or remove "ready")',
    ],
    [
      'health = { every = "5s" }',
      '10: health: no probe in it (write one, such as health = { http = "http://127.0.0.1:8080/health" }, or remove "health")',
    ],
    [
      "health = {}",
      '10: health: no probe in it (write one, such as health = { http = "http://127.0.0.1:8080/health" }, or remove "health")',
    ],
    // Times and counts
    [
      'health = { tcp = 80, every = "1s" }',
      "30: health.every: an interval (1s) shorter than its timeout (2s, the default) (raise every, or lower timeout)",
    ],
    [
      'health = { tcp = 80, every = "5s", timeout = "6s" }',
      "30: health.every: an interval (5s) shorter than its timeout (6s) (raise every, or lower timeout)",
    ],
    [
      'health = { tcp = 80, timeout = "1m" }',
      "32: health.timeout: an interval (10s) shorter than its timeout (1m) (raise every, or lower timeout)",
    ],
    ['health = { tcp = 80, every = "0s" }', "30: health.every: no time at all (write 1ms or more)"],
    ['health = { tcp = 80, timeout = "0s" }', "32: health.timeout: no time at all (write 1ms or more)"],
    ["health = { tcp = 80, failures = 0 }", "33: health.failures: expected a whole number, 1 or more, got 0"],
    [
      "health = { tcp = 80, successes = 0 }",
      "34: health.successes: expected a whole number, 1 or more, got 0",
    ],
    [
      'health = { tcp = 80, on-failure = "reboot" }',
      '35: health.on-failure: expected "restart", "stop" or "mark", got "reboot"',
    ],
    [
      "health = { tcp = 80, interval = 5 }",
      '22: unknown key "health.interval" in [service.api] (did you mean "every"?)',
    ],
    ['watchdog = "0s"', "12: watchdog: no time at all (write 1ms or more, or remove it)"],
    [
      "watchdog = 30",
      '12: watchdog: expected a duration with a unit, such as "10s", got an integer (write "30s", or another of the units ms, s, m, h or d)',
    ],
  ])("%s", (line, message) => {
    expect(shown({ "oneup.toml": api(line), "ca.pem": "" })).toEqual([`oneup.toml:3:${message}`]);
  });

  test("a watchdog beside a descriptor: there is one way to speak for a service", () => {
    expect(shown(api('ready = { notify = "fd:3" }', 'watchdog = "1s"'))).toEqual([
      'oneup.toml:4:1: watchdog: needs NOTIFY_SOCKET, which ready.notify = "fd:N" does without (write ready = { notify = "sd" }, or remove watchdog)',
    ]);
  });

  test.each(["task", "target"])("none of them is for a %s", (kind) => {
    const command = kind === "task" ? 'command = "x"\n' : "";
    const text = `${api()}[${kind}.t]\n${command}health = { tcp = 1 }\nwatchdog = "1s"\nready = { listen = true }\n`;
    const lines = shown(text);
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toContain(`is not for a ${kind}: `);
  });

  test("what came out of a variable is shown by no message", () => {
    const lines = [
      'ready = { http = "${S}" }',
      'ready = { http = "https://h", ca-file = "${S}" }',
      'ready = { http = "http://h", status = "${S}" }',
      'ready = { http = "http://h", body = "(${S}" }',
      'ready = { http = "http://h", headers = { A = "${S}\\n" } }',
      'ready = { notify = "${S}" }',
      'health = { tcp = 1, every = "${S}" }',
    ];
    for (const line of lines) {
      const errors = shown(api(line), { environment: { S: "s3cret(" } });
      expect(errors.length, line).toBe(1);
      expect(errors[0]).not.toContain("s3cret");
    }
  });
});
