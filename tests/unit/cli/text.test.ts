import { describe, expect, it } from "vitest";
import { DOWN, receipt, view, WALL } from "../api/stub.ts";
import { answer, FakeHost, giving, oneup, SYSTEM, withSupervisor } from "./fake.ts";

const ESCAPE = "\u001b[";

function saying(body: unknown): FakeHost {
  const host = new FakeHost();
  host.sockets.set(SYSTEM, giving(body));
  return host;
}

function ago(ms: number): string {
  return new Date(WALL - ms).toISOString();
}

describe("status", () => {
  const services = [
    view("web"),
    view("database", {
      ...DOWN,
      state: "backoff",
      restarts: 12,
      exit: { code: 1, at: ago(2000) },
      next_start_at: new Date(WALL + 4000).toISOString(),
      cause: "left with exit code 1, starts again in 4.2s",
    }),
    view("migrate", { kind: "task", ...DOWN, state: "exited", exit: { code: 0, at: ago(86_400_000 * 3) } }),
  ];

  it("is a table", () => {
    expect(oneup(saying(services), "status").out).toBe(
      [
        "NAME      STATE    PID  SINCE      RESTARTS  NOTE",
        "web       running  100  3 min ago  0",
        "database  backoff  -    2 s ago    12        left with exit code 1; next start in 4 s",
        "migrate   exited   -    3 d ago    0         exit 0",
        "",
      ].join("\n"),
    );
  });

  it("tells when a scheduled task comes next, whatever it does now", () => {
    const next_start_at = new Date(WALL + 3 * 3_600_000).toISOString();
    const tasks = [
      view("never", { kind: "task", ...DOWN, next_start_at }),
      view("done", {
        kind: "task",
        ...DOWN,
        state: "exited",
        exit: { code: 0, at: ago(60_000) },
        next_start_at,
      }),
      view("bad", { kind: "task", ...DOWN, state: "failed", cause: "exited with code 1", next_start_at }),
      view("busy", { kind: "task", next_start_at }),
    ];
    const notes = oneup(saying(tasks), "status").out.trimEnd().split("\n").slice(1);
    expect(notes.map((line) => line.slice(line.lastIndexOf("  0  ")).trim())).toEqual([
      "0         next in 3 h",
      "0         exit 0; next in 3 h",
      "0         exited with code 1; next start in 3 h",
      "0         next in 3 h",
    ]);
  });

  it("fits the terminal", () => {
    const host = saying(services);
    host.width = 64;
    const lines = oneup(host, "status").out.trimEnd().split("\n");
    expect(lines[2]).toBe("database  backoff  -    2 s ago    12        left with exit cod…");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(64);
  });

  it("has colours on a terminal alone, and not against NO_COLOR", () => {
    const host = saying(services);
    expect(oneup(host, "status").out).not.toContain(ESCAPE);
    host.terminal = true;
    expect(oneup(host, "status").out).toContain(`${ESCAPE}32mrunning${ESCAPE}0m  100`);
    expect(oneup(host, "status", "--json").out).not.toContain(ESCAPE);
    host.environment.NO_COLOR = "1";
    expect(oneup(host, "status").out).not.toContain(ESCAPE);
    host.environment.NO_COLOR = "";
    expect(oneup(host, "status").out).toContain(ESCAPE);
  });

  it("shows health and what services tell of themselves", () => {
    const cause = "unhealthy: a check failed: tcp 127.0.0.1:80: connection refused";
    const told = [
      view("well", { healthy: true, status: "serving 3 clients" }),
      view("sick", { healthy: false, cause }),
      view("busy", { reloading: true, status: "reading" }),
      view("gone", { ...DOWN, healthy: null, status: "last words" }),
    ];
    expect(oneup(saying(told), "status").out).toBe(
      [
        "NAME  STATE               PID  SINCE      RESTARTS  NOTE",
        'well  running, healthy    100  3 min ago  0         "serving 3 clients"',
        `sick  running, unhealthy  100  3 min ago  0         ${cause}`,
        'busy  running             100  3 min ago  0         reloading; "reading"',
        "gone  inactive            -    -          0",
        "",
      ].join("\n"),
    );
  });

  it("says so when there is nothing", () => {
    expect(oneup(saying([]), "status").out).toBe("no services\n");
  });
});

describe("receipts", () => {
  it("are a line per process", () => {
    const two = receipt("web");
    const killed = {
      pid: 7,
      command: "sleep 1000",
      found: "adopted",
      signals: ["TERM", "CONT", "KILL"],
      left_ms: 10_020,
      exit: { signal: "KILL" },
      killed: true,
    } as const;
    const host = saying([
      { ...two, processes: [...two.processes, { ...killed, signals: [...killed.signals] }] },
    ]);
    expect(oneup(host, "stop", "web").out).toBe(
      [
        "web  pid 100  child    TERM CONT       left after 12 ms  exit 0                node server.js",
        "web  pid 7    adopted  TERM CONT KILL  left after 10 s   signal KILL (killed)  sleep 1000",
        "",
      ].join("\n"),
    );
  });

  it("say when there was nothing to stop", () => {
    expect(oneup(saying([]), "stop", "web", "db").out).toBe("web, db: nothing was running\n");
    expect(oneup(saying([]), "shutdown").out).toBe("nothing was running\n");
  });
});

describe("why", () => {
  const chain = [
    {
      time: ago(1000),
      service: "web",
      what: "waiting",
      because: "waits for db, which failed: exited with code 1",
    },
    { time: ago(5000), service: "web", what: "asked", because: "starts with the supervisor" },
    { time: ago(1000), service: "db", what: "failed", because: "exited with code 1" },
    { time: ago(86_400_000 * 30), service: "db", what: "starting", because: "starts with the supervisor" },
  ];
  const answer = "waits for db, which failed: exited with code 1";
  const clock = (ms: number) => new Date(WALL - ms).toTimeString().slice(0, 8);

  it("is the answer, then the chain, causes above their effects", () => {
    expect(oneup(saying({ service: "web", state: "waiting", answer, chain }), "why", "web").out).toBe(
      [
        "web waits for db, which failed: exited with code 1",
        `  01-01 ${clock(86_400_000 * 30)}  db   starting  starts with the supervisor`,
        `  ${clock(5000)}        web  asked     starts with the supervisor`,
        `  ${clock(1000)}        db   failed    exited with code 1`,
        `  ${clock(1000)}        web  waiting   waits for db, which failed: exited with code 1`,
        "",
      ].join("\n"),
    );
  });

  it("ends with what the last health checks found", () => {
    const last = [
      { time: ago(20_000), ok: true, took_ms: 3, reason: "200 OK" },
      { time: ago(10_000), ok: false, took_ms: 2000, reason: "http://127.0.0.1:80/: no answer within 2s" },
    ];
    const health = { healthy: true, failures_in_row: 1, successes_in_row: 0, stretched: null, last };
    const text = oneup(saying({ service: "web", state: "running", chain: [], health }), "why", "web").out;
    expect(text).toContain(
      [
        "last health checks",
        `  ok      ${clock(20_000)}  3 ms     200 OK`,
        `  failed  ${clock(10_000)}  2000 ms  http://127.0.0.1:80/: no answer within 2s`,
        "",
      ].join("\n"),
    );
  });

  it("says at least the state of a supervisor that has no answer", () => {
    expect(oneup(saying({ service: "web", state: "running", chain: [] }), "why", "web").out).toBe(
      "web is running\n",
    );
  });
});

describe("why of a task with a schedule", () => {
  it("ends with its last runs", () => {
    const run = { scheduled_at: ago(60_000), skipped: 0, exit: null, success: null, duration_ms: null };
    const runs = [
      { ...run, started_at: ago(60_000), ended_at: null, cause: "scheduled (every 1h)" },
      {
        ...run,
        started_at: ago(3_660_000),
        ended_at: ago(3_650_000),
        duration_ms: 10_000,
        exit: { code: 3 },
        success: false,
        cause: "exited with code 3",
      },
      { ...run, scheduled_at: ago(7_260_000), started_at: null, ended_at: null, cause: "missed" },
    ];
    const host = saying({ service: "backup", state: "running", chain: [], runs });
    expect(oneup(host, "why", "backup").out).toBe(
      [
        "backup is running",
        "last runs",
        "  RUN        TOOK  END      BECAUSE",
        "  1 min ago  -     at work  scheduled (every 1h)",
        "  1 h ago    10 s  exit 3   exited with code 3",
        "  2 h ago    -     missed   missed",
        "",
      ].join("\n"),
    );
  });
});

describe("a narrow terminal", () => {
  const host = (body: unknown) => Object.assign(saying(body), { width: 40 });
  const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));

  it("breaks a cause between words, under its column", () => {
    const because = "waits for bad, which failed: cannot start";
    const chain = [{ time: ago(1000), service: "web", what: "waiting", because }];
    const clock = new Date(WALL - 1000).toTimeString().slice(0, 8);
    expect(oneup(host({ service: "web", state: "waiting", chain }), "why", "web").out).toBe(
      [
        "web is waiting",
        `  ${clock}  web  waiting  waits for bad,`,
        "                          which failed:",
        "                          cannot start",
        "",
      ].join("\n"),
    );
  });

  it("breaks help between words", () => {
    const { out } = oneup(host(null), "logs", "--help");
    const prose = out.slice(out.indexOf("Lines are"), out.indexOf("Example:"));
    expect(widest(prose)).toBeLessThanOrEqual(40);
    expect(prose).toMatch(/\n {24}back, such as\n/);
  });
});

describe("tree", () => {
  it("draws each subtree once", () => {
    const node = (name: string, more: object = {}) => ({
      name,
      requires: [],
      wants: [],
      after: [],
      conflicts: [],
      ...more,
    });
    const services = [
      node("web", { requires: ["api"], wants: ["cache"] }),
      node("api", { requires: ["db"], after: ["logger", "db"] }),
      node("worker", { requires: ["api"] }),
      node("db"),
      node("cache"),
      node("logger", { after: ["web"] }),
    ];
    expect(oneup(saying({ services }), "tree").out).toBe(
      [
        "web",
        "├─ api",
        "│  ├─ db",
        "│  └─ logger (after)",
        "└─ cache (wanted)",
        "worker",
        "└─ api (see above)",
        "logger",
        "└─ web (after)",
        "",
      ].join("\n"),
    );
  });
});

describe("logs", () => {
  const record = (service: string, line: string) => ({ time: ago(0), service, stream: "out", pid: 1, line });

  it("have the name before the line when more than one service is shown", () => {
    const both = [record("web", "hello"), record("db", "ready")];
    expect(oneup(saying(both), "logs").out).toBe("web | hello\ndb | ready\n");
    expect(oneup(saying(both.slice(0, 1)), "logs").out).toBe("hello\n");
    expect(oneup(saying(both.slice(0, 1)), "logs", "web").out).toBe("hello\n");
    expect(oneup(saying(both.slice(0, 1)), "logs", "web", "db").out).toBe("web | hello\n");
    expect(oneup(saying([]), "logs").out).toBe("");
  });

  it("have it also when only one of several services wrote", () => {
    const { host } = withSupervisor();
    host.sockets.set(SYSTEM, (call) =>
      call.target === "/status"
        ? answer([{ name: "web" }, { name: "db" }])
        : answer([record("web", "hello")]),
    );
    expect(oneup(host, "logs").out).toBe("web | hello\n");
    expect(oneup(host, "logs", "web").out).toBe("hello\n");
  });

  it("tell what was lost", () => {
    const gap = { time: ago(0), service: "web", lost_lines: 1200, lost_bytes: 5_000_000 };
    expect(oneup(saying([gap]), "logs", "web").out).toBe("[1200 lines lost, 4.8 MiB]\n");
  });

  it("ask for what the options say", () => {
    const { host } = withSupervisor();
    oneup(host, "logs", "web", "db", "-n5", "--since", "10m", "--stream=err", "--grep", "a b|c");
    expect(host.asked).toBe(
      "GET /v1/logs?service=web&service=db&lines=5&since=10m&stream=err&grep=a%20b%7Cc",
    );
    oneup(host, "logs", "-fn", "3");
    expect(host.asked).toBe("GET /v1/logs?lines=3&follow=true");
    oneup(host, "logs", "-f", "web");
    expect(host.asked).toBe("GET /v1/logs?service=web&lines=10&follow=true");
    oneup(host, "logs", "-f", "web", "--since", "1h");
    expect(host.asked).toBe("GET /v1/logs?service=web&since=1h&follow=true");
  });

  it("follow, however the stream is cut", () => {
    const { host } = withSupervisor();
    const stream = `: hello\n\ndata: ${JSON.stringify(record("web", "one"))}\n\nid: 7\r\ndata:${JSON.stringify(record("db", "zwö"))}\r\n\r\n`;
    for (const size of [1, 7, 1000]) {
      host.pieces = stream.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
      expect(oneup(host, "logs", "-f").out).toBe("web | one\ndb | zwö\n");
      expect(oneup(host, "logs", "-f", "web").out).toBe("one\nzwö\n");
    }
    expect(oneup(host, "logs", "-f", "--json").out).toBe(
      `${JSON.stringify(record("web", "one"))}\n${JSON.stringify(record("db", "zwö"))}\n`,
    );
  });
});

describe("events", () => {
  it("are a line each, receipts a line per process", () => {
    const event = (more: object) => ({
      seq: 1,
      time: ago(0),
      service: "web",
      event: "state",
      from: null,
      to: null,
      cause: "",
      ...more,
    });
    const list = [
      event({ from: "starting", to: "running", cause: "its process runs" }),
      event({ event: "ready" }),
      event({ event: "receipt", receipt: receipt("web") }),
      event({ service: null, event: "supervisor", cause: "the former brain was lost" }),
    ];
    const time = "2026-01-31T12:00:00.000Z";
    expect(oneup(saying(list), "events").out).toBe(
      [
        `${time} web: starting → running (its process runs)`,
        `${time} web: ready`,
        `${time} web  pid 100  child  TERM CONT  left after 12 ms  exit 0  node server.js`,
        `${time} supervisor: supervisor (the former brain was lost)`,
        "",
      ].join("\n"),
    );
  });
});

describe("verbs that do something", () => {
  it("say in a line what has become of each service", () => {
    const { host } = withSupervisor();
    expect(oneup(host, "start", "web", "all").out).toBe("web: running, pid 100\nall: running\n");
    expect(host.calls.at(-1)).toMatchObject({ target: "/v1/start", body: '{"names":["web","all"]}' });
    expect(oneup(host, "kill", "web", "sighup").out).toBe("web: HUP sent to pid 100\n");
    expect(oneup(host, "stop", "web", "--no-wait").out).toBe("web: told to stop\n");
    expect(host.asked).toBe("POST /v1/stop?wait=false");
    expect(oneup(host, "shutdown", "--no-wait").out).toBe("shutting down\n");
  });

  it("wait for several with one deadline", () => {
    const host = new FakeHost();
    host.sockets.set(SYSTEM, (call) => {
      host.clock += 400;
      return answer(view(call.target.split("/")[3] ?? ""));
    });
    expect(oneup(host, "wait", "a", "b", "--for", "stopped", "--timeout", "1s").exit).toBe(0);
    expect(host.calls.map((call) => call.target)).toEqual([
      "/v1/services/a/wait?for=stopped&timeout=1000ms",
      "/v1/services/b/wait?for=stopped&timeout=600ms",
    ]);
  });

  it("write names into paths as paths want them", () => {
    const { host } = withSupervisor();
    oneup(host, "why", "a/b?c");
    expect(host.asked).toBe("GET /v1/services/a%2Fb%3Fc/why");
  });
});

describe("help", () => {
  it("has an example for every verb", () => {
    const general = oneup(new FakeHost(), "--help").out;
    const verbs = [...general.matchAll(/^ {2}(\w+)/gm)]
      .map((match) => match[1] ?? "")
      .filter((verb) => verb !== "oneup");
    expect(verbs.length).toBeGreaterThan(25);
    for (const verb of verbs) {
      for (const args of [
        [verb, "--help"],
        ["--help", verb],
        ["help", verb],
      ]) {
        const { exit, out } = oneup(new FakeHost(), ...args);
        expect(exit).toBe(0);
        expect(out).toMatch(new RegExp(`^usage: oneup ${verb}`));
        expect(out).toMatch(/Example:\n {2}\S/);
      }
    }
  });

  it("leaves out what is not for people", () => {
    expect(oneup(new FakeHost(), "--help").out).not.toContain("_names");
  });
});

describe("foreign text", () => {
  const turned = "a\u001b[2Jb\u0007\u009bc\u202ed";

  it("has no power over the terminal", () => {
    const found = oneup(saying([view("web", { status: turned })]), "status").out;
    expect(found).toContain('"a\ufffd[2Jb\ufffd\ufffdc\ufffdd"');
  });

  it("cannot bring colours of its own where we have none", () => {
    const found = oneup(saying([view("web", { status: "\u001b[31mred" })]), "status").out;
    expect(found).toContain('"\ufffd[31mred"');
  });

  it("stays as it is in JSON, and in what services wrote", () => {
    const services = [view("web", { status: turned })];
    expect(JSON.parse(oneup(saying(services), "status", "--json").out)).toEqual(services);
    const line = { time: ago(0), service: "web", role: "main", stream: "out", line: "\u001b[31mred" };
    expect(oneup(saying([line]), "logs", "web").out).toContain("\u001b[31mred");
  });

  it("is harmless in errors too", () => {
    expect(oneup(new FakeHost(), "pin", "web", turned).err).toContain("a\ufffd[2Jb");
  });
});
