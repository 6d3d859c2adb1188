/** Bad input: one clear message with its place, exit 2, nothing started. For `check` and `run` alike. */
import { describe } from "vitest";
import { type Box, expect, rootTest, test } from "./harness/box.ts";
import { check } from "./harness/shapes.ts";

/** Everything would start, were the file right: the marker shows if something did. */
const good = (box: Box) => `[service.good]\ncommand = "imp touch ${box.path("started")} pause"\n`;

interface Case {
  readonly title: string;
  /** Comes behind the good service; line 1 is its first line. */
  readonly toml: string;
  /** Line within `toml`. */
  readonly line?: number;
  readonly message: RegExp;
}

const cases: Case[] = [
  { title: "TOML syntax", toml: '[service.a\ncommand = "x"', line: 1, message: /\]/ },
  {
    title: "a string without an end",
    toml: '[service.a]\ncommand = "x',
    line: 2,
    message: /string|quote|unterminated/i,
  },
  {
    title: "unknown key",
    toml: '[service.a]\ncommand = "imp"\nrestrat = "always"',
    line: 3,
    message: /restrat.*\n?.*restart/s,
  },
  {
    title: "unknown key in a table",
    toml: '[service.a]\ncommand = "imp"\nstop = { singal = "INT" }',
    line: 3,
    message: /singal.*\n?.*signal/s,
  },
  { title: "unknown table", toml: '[servic.a]\ncommand = "imp"', line: 1, message: /servic.*\n?.*service/s },
  {
    title: "unknown key of the supervisor",
    toml: '[supervisor]\nshutdown-timeut = "1s"',
    line: 2,
    message: /shutdown-timeut.*\n?.*shutdown-timeout/s,
  },
  { title: "wrong type: number for a string", toml: "[service.a]\ncommand = 5", line: 2, message: /command/ },
  {
    title: "wrong type: string for a boolean",
    toml: '[service.a]\ncommand = "imp"\nautostart = "yes"',
    line: 3,
    message: /autostart/,
  },
  {
    title: "wrong type: table for an array",
    toml: '[service.a]\ncommand = "imp"\nrequires = { a = 1 }',
    line: 3,
    message: /requires/,
  },
  {
    title: "wrong word",
    toml: '[service.a]\ncommand = "imp"\nrestart = "alwyas"',
    line: 3,
    message: /alwyas.*always/s,
  },
  {
    title: "unknown unit of time",
    toml: '[service.a]\ncommand = "imp"\nrestart-delay = "5 parsecs"',
    line: 3,
    message: /parsecs/,
  },
  {
    title: "a time without a unit",
    toml: '[service.a]\ncommand = "imp"\nstart-timeout = "5"',
    line: 3,
    message: /unit|5/,
  },
  {
    title: "a number for a time",
    toml: '[service.a]\ncommand = "imp"\nstart-timeout = 5',
    line: 3,
    message: /start-timeout/,
  },
  {
    title: "unknown unit of size",
    toml: '[service.a]\ncommand = "imp"\nlog = { file = "a", max-size = "10 blocks" }',
    line: 3,
    message: /max-size/,
  },
  {
    title: "negative time",
    toml: '[service.a]\ncommand = "imp"\nrestart-delay = "-1s"',
    line: 3,
    message: /restart-delay/,
  },
  {
    title: "unknown dependency",
    toml: '[service.a]\ncommand = "imp"\nrequires = ["goood"]',
    line: 3,
    message: /goood.*\n?.*good/s,
  },
  {
    title: "unknown in wants",
    toml: '[service.a]\ncommand = "imp"\nwants = ["nobody"]',
    line: 3,
    message: /nobody/,
  },
  {
    title: "unknown in after",
    toml: '[service.a]\ncommand = "imp"\nafter = ["nobody"]',
    line: 3,
    message: /nobody/,
  },
  {
    title: "unknown in conflicts",
    toml: '[service.a]\ncommand = "imp"\nconflicts = ["nobody"]',
    line: 3,
    message: /nobody/,
  },
  {
    title: "a task named as a service",
    toml: '[service.a]\ncommand = "imp"\nrequires = [{ task = "good" }]',
    line: 3,
    message: /good/,
  },
  {
    title: "a cycle, as its path",
    toml: '[service.a]\ncommand = "imp"\nrequires = ["b"]\n[service.b]\ncommand = "imp"\nrequires = ["c"]\n[service.c]\ncommand = "imp"\nafter = ["a"]',
    message: /[abc] (→|->) [abc] (→|->) [abc] (→|->) [abc]/,
  },
  { title: "itself", toml: '[service.a]\ncommand = "imp"\nrequires = ["a"]', line: 3, message: /\ba\b/ },
  {
    title: "a cycle through before",
    toml: '[service.a]\ncommand = "imp"\nbefore = ["b"]\n[service.b]\ncommand = "imp"\nbefore = ["a"]',
    message: /[ab] (→|->) [ab]/,
  },
  { title: "a name twice in one file", toml: '[service.good]\ncommand = "imp"', message: /good/ },
  { title: "a service and a task of one name", toml: '[task.good]\ncommand = "imp"', message: /good/ },
  {
    title: "unknown user",
    toml: '[service.a]\ncommand = "imp"\nuser = "no-such-user"',
    line: 3,
    message: /no-such-user/,
  },
  {
    title: "unknown group",
    toml: '[service.a]\ncommand = "imp"\ngroup = "no-such-group"',
    line: 3,
    message: /no-such-group/,
  },
  {
    title: "unset variable",
    toml: `[service.a]\ncommand = "imp \${NO_SUCH_VARIABLE}"`,
    line: 2,
    message: /NO_SUCH_VARIABLE/,
  },
  { title: "an unfinished variable", toml: '[service.a]\ncommand = "imp ${NO"', line: 2, message: /\$\{/ },
  {
    title: "unbalanced quotes in a command",
    toml: '[service.a]\ncommand = "imp \'x"',
    line: 2,
    message: /quote|'/,
  },
  { title: "empty command", toml: '[service.a]\ncommand = ""', line: 2, message: /command/ },
  { title: "no command", toml: '[service.a]\nrestart = "always"', message: /command/ },
  { title: "a command in a target", toml: '[target.a]\ncommand = "imp"', line: 2, message: /command/ },
  { title: "bad umask", toml: '[service.a]\ncommand = "imp"\numask = "999"', line: 3, message: /umask|999/ },
  {
    title: "unknown signal",
    toml: '[service.a]\ncommand = "imp"\nstop = { signal = "NOPE" }',
    line: 3,
    message: /NOPE/,
  },
  {
    title: "unknown limit",
    toml: '[service.a]\ncommand = "imp"\nlimits = { nofiles = 5 }',
    line: 3,
    message: /nofiles.*\n?.*nofile/s,
  },
  {
    title: "bad regular expression",
    toml: '[service.a]\ncommand = "imp"\nready = { log = "(" }',
    line: 3,
    message: /ready\.log/,
  },
  {
    title: "a regular expression of an HTTP answer",
    toml: '[service.a]\ncommand = "imp"\nhealth = { http = "http://127.0.0.1/", body = "[" }',
    line: 3,
    message: /health\.body/,
  },
  {
    title: "a probe without a target",
    toml: '[service.a]\ncommand = "imp"\nhealth = { every = "5s" }',
    line: 3,
    message: /health: no probe/,
  },
  {
    title: "an interval shorter than its timeout",
    toml: '[service.a]\ncommand = "imp"\nhealth = { tcp = 80, every = "1s", timeout = "5s" }',
    line: 3,
    message: /health\.every: an interval \(1s\) shorter than its timeout \(5s\)/,
  },
  {
    title: "a scheme that is not HTTP's",
    toml: '[service.a]\ncommand = "imp"\nready = { http = "ftp://127.0.0.1/" }',
    line: 3,
    message: /ready\.http: unknown scheme "ftp"/,
  },
  {
    title: "a descriptor that is taken",
    toml: '[service.a]\ncommand = "imp"\nready = { notify = "fd:2" }',
    line: 3,
    message: /ready\.notify/,
  },
  {
    title: "bad port",
    toml: '[service.a]\ncommand = "imp"\nready = { tcp = 70000 }',
    line: 3,
    message: /65535/,
  },
  { title: "bad name", toml: '[service."a/b"]\ncommand = "imp"', line: 1, message: /a\/b/ },
  {
    title: "two that conflict and both start",
    toml: '[service.a]\ncommand = "imp"\nconflicts = ["good"]',
    message: /good/,
  },
  {
    title: "two mains",
    toml: '[service.a]\ncommand = "imp"\nmain = true\n[service.b]\ncommand = "imp"\nmain = true',
    message: /main/,
  },
  {
    title: "missing environment-file",
    toml: '[service.a]\ncommand = "imp"\nenvironment-file = ["absent.env"]',
    line: 3,
    message: /absent\.env/,
  },
  {
    title: "api-listen without a token",
    toml: '[supervisor]\napi-listen = "127.0.0.1:1"',
    line: 2,
    message: /token/,
  },
  ...[
    ["capabilities", 'capabilities = ["net_bind_service"]'],
    ["listen", 'listen = ["tcp:127.0.0.1:8080"]'],
    ["on-demand", "on-demand = true"],
    ["idle-stop", 'idle-stop = "5m"'],
    ["instances", "instances = 2"],
    ["compress", 'log = { file = "a", compress = true }'],
  ].map(([word, field]) => ({
    title: `not yet: ${field}`,
    toml: `[service.a]\ncommand = "imp"\n${field}`,
    line: 3,
    message: new RegExp(`"(.*\\.)?${word}" is not supported yet`),
  })),
];

describe("one message with its place, exit 2, nothing started", () => {
  for (const { title, toml, line, message } of cases) {
    test(title, async ({ box }) => {
      const offset = good(box).split("\n").length - 1;
      const path = box.configuration(good(box) + toml);
      const run = await box.oneup(["run", path, "--socket", box.path("s")]);
      expect(run.code, run.err).toBe(2);
      expect(run.out).toBe("");
      expect(run.err).toMatch(message);
      expect(box.has("started")).toBe(false);
      expect(box.has("s")).toBe(false);

      const text = await box.oneup(["check", path]);
      expect(text.code).toBe(2);
      if (line !== undefined)
        expect(text.out + text.err).toMatch(new RegExp(`oneup\\.toml:${line + offset}:\\d+`));

      const json = await box.oneup(["check", "--json", path]);
      expect(json.code).toBe(2);
      const { ok, errors } = check.parse(json.json());
      expect(ok).toBe(false);
      expect(errors.length, JSON.stringify(errors)).toBe(1);
      expect(errors.map((each) => `${each.message}\n${each.hint ?? ""}`).join("\n")).toMatch(message);
      if (line !== undefined) expect(errors[0]?.line).toBe(line + offset);
    });
  }

  test("several mistakes: all of them, each with its place", async ({ box }) => {
    const path = box.configuration(
      '[service.a]\ncommand = "imp"\nrestrat = "always"\nnice = "high"\n[service.b]\ncommand = "imp"\nrequires = ["c"]\n',
    );
    const { errors } = check.parse((await box.oneup(["check", "--json", path])).json());
    expect(errors.map((each) => each.line)).toEqual([3, 4, 7]);
  });
});

describe("files and folders", () => {
  test("a missing file", async ({ box }) => {
    for (const verb of ["run", "check"]) {
      const end = await box.oneup([verb, box.path("absent.toml")]);
      expect(end.code).toBe(2);
      expect(end.err).toMatch(/absent\.toml/);
    }
  });

  test("no file at all: it says where it looked", async ({ box }) => {
    box.write("empty/keep", "");
    const end = await box.oneup(["check"], { cwd: box.path("empty") });
    expect(end.code).toBe(2);
    expect(end.err).toMatch(/oneup\.toml/);
  });

  test("an empty folder", async ({ box }) => {
    box.write("empty/keep", "");
    const end = await box.oneup(["check", box.path("empty")]);
    expect(end.code).toBe(2);
    expect(end.err).toMatch(/empty/);
  });

  test("a file that cannot be read", async ({ box }) => {
    box.write("locked.toml", good(box), 0o000);
    const { oneup } = await import("./harness/paths.ts");
    const end = await box.oneup(["check", box.path("locked.toml")], {
      user: "nobody",
      bin: box.copy(oneup()),
    });
    expect(end.code).toBe(2);
    expect(end.err).toMatch(/locked\.toml.*(EACCES|permission)/is);
  });

  test("not UTF-8, and a byte order mark", async ({ box }) => {
    box.write("latin.toml", Buffer.from([0x5b, 0x73, 0xff, 0xfe, 0x5d]));
    expect((await box.oneup(["check", box.path("latin.toml")])).code).toBe(2);
    box.write("bom.toml", `\ufeff${good(box)}`);
    expect((await box.oneup(["check", box.path("bom.toml")])).code).toBe(0);
  });

  test("several files merge; a name defined twice names both places", async ({ box }) => {
    box.write("d/one.toml", good(box));
    box.write("d/two.toml", '[service.second]\ncommand = "imp"\nrequires = ["good"]\n');
    const both = await box.oneup(["check", "--json", box.path("d")]);
    expect(both.code).toBe(0);
    expect(check.parse(both.json()).services.sort()).toEqual(["good", "second"]);
    const named = await box.oneup(["check", "--json", box.path("d/one.toml"), box.path("d/two.toml")]);
    expect(check.parse(named.json()).services.sort()).toEqual(["good", "second"]);
    box.write("d/three.toml", '\n\n[service.good]\ncommand = "imp"\n');
    const twice = await box.oneup(["check", box.path("d")]);
    expect(twice.code).toBe(2);
    expect(twice.out + twice.err).toMatch(/one\.toml:1/);
    expect(twice.out + twice.err).toMatch(/three\.toml:3/);
  });

  test("relative paths and `directory` are those of the defining file", async ({ box }) => {
    box.write(
      "a/b/oneup.toml",
      `[task.t]\ncommand = "./here ${box.path("state")}"\nlog = { file = "t.log" }`,
    );
    box.write("a/b/here", '#!/bin/sh\nexec imp say from-here state "$1"\n', 0o755);
    const up = await box.supervise("", { paths: [box.path("a/b")] });
    const state = await box.inherited("state");
    expect(state.cwd).toBe(box.path("a/b"));
    await up.until("its log", () => box.has("a/b/t.log"));
  });
});

describe("two supervisors for one configuration", () => {
  test("the second is refused, the first does not notice", async ({ box }) => {
    const config = box.configuration(`[service.a]\ncommand = "imp mark run ${box.path("runs")} pause"`);
    const env = { XDG_RUNTIME_DIR: box.path("run") };
    box.write("run/keep", "");
    const first = await box.supervise("", { paths: [config], socket: null, noWait: true, env, as: "child" });
    await first.until("the first", async () => (await box.oneup(["status", "--json"], { env })).code === 0);
    const second = await box.oneup(["run", config], { env });
    expect(second.code).toBe(2);
    expect(second.err).toMatch(/already|running/i);
    const status = await box.oneup(["status", "--json"], { env });
    expect(status.code).toBe(0);
    expect(await box.wordsOf("runs", 1)).toHaveLength(1);
  });

  test("the same by another name: a link, a relative path, the folder of it", async ({ box }) => {
    const config = box.configuration(
      `[service.a]\ncommand = "imp mark run ${box.path("runs")} pause"`,
      "real/oneup.toml",
    );
    await box.run(["ln", "-s", "real", box.path("link")]);
    const env = { XDG_RUNTIME_DIR: box.path("run") };
    box.write("run/keep", "");
    const first = await box.supervise("", { paths: [config], socket: null, noWait: true, env, as: "child" });
    await first.until(
      "the first",
      async () => (await box.oneup(["status"], { env, cwd: box.path("real") })).code === 0,
    );
    for (const [path, cwd] of [
      [box.path("link/oneup.toml"), box.folder],
      ["oneup.toml", box.path("real")],
      [box.path("real"), box.folder],
      [".", box.path("link")],
    ] as const) {
      const second = await box.oneup(["run", path], { env, cwd });
      expect(second.code, path).toBe(2);
    }
    expect(await box.wordsOf("runs", 1)).toHaveLength(1);
  });

  test("an explicit socket that is taken", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "imp pause"`);
    const other = box.configuration(
      `[service.b]\ncommand = "imp touch ${box.path("started")} pause"`,
      "other.toml",
    );
    const second = await box.oneup(["run", other, "--socket", up.socket]);
    expect(second.code).toBe(2);
    expect(second.err).toMatch(/already|running|in use/i);
    expect(box.has("started")).toBe(false);
    expect(Object.keys(await up.states())).toEqual(["a"]);
  });

  test("a path longer than a Unix socket allows", async ({ box }) => {
    const config = box.configuration(good(box));
    const long = box.path("x".repeat(120));
    const end = await box.oneup(["run", config, "--socket", long]);
    expect(end.code).toBe(2);
    expect(end.err).toMatch(/long|107|108/);
    expect(box.has("started")).toBe(false);
    const verb = await box.oneup(["status", "--socket", long]);
    expect(verb.code).toBe(2);
  });

  test("a configuration in a very deep folder still gets its default socket", async ({ box }) => {
    const deep = Array.from({ length: 12 }, () => "a-rather-long-name").join("/");
    const config = box.configuration(good(box), `${deep}/oneup.toml`);
    box.write("run/keep", "");
    const env = { XDG_RUNTIME_DIR: box.path("run") };
    const up = await box.supervise("", { paths: [config], socket: null, noWait: true, env, as: "child" });
    await up.until(
      "the socket",
      async () => (await box.oneup(["status"], { env, cwd: box.path(deep) })).code === 0,
    );
  });
});

rootTest("a user that exists and one that does not: only the second is an error", async ({ box }) => {
  const path = box.configuration(`[service.a]\ncommand = "imp"\nuser = "nobody"\ngroup = "nogroup"`);
  expect((await box.oneup(["check", path])).code).toBe(0);
});

describe("check", () => {
  test("a good configuration: 0, its services", async ({ box }) => {
    const path = box.configuration(
      `${good(box)}[task.t]\ncommand = "imp"\n[target.all]\nrequires = ["good", "t"]\n`,
    );
    const end = await box.oneup(["check", "--json", path]);
    expect(end.code).toBe(0);
    expect(check.parse(end.json())).toMatchObject({ ok: true, errors: [] });
    expect((await box.oneup(["check", path])).code).toBe(0);
    expect(box.has("started")).toBe(false);
  });

  test("--schema prints a JSON Schema", async ({ box }) => {
    const end = await box.oneup(["check", "--schema"]);
    expect(end.code).toBe(0);
    const schema = end.json();
    expect(schema).toMatchObject({ $schema: expect.stringContaining("json-schema.org") });
    expect(JSON.stringify(schema)).toContain("restart-delay-max");
  });

  test("a thousand services", async ({ box }) => {
    const path = box.configuration(
      Array.from({ length: 1000 }, (_, n) => `[service.s${n}]\ncommand = "imp pause"\n`).join(""),
    );
    expect((await box.oneup(["check", path])).code).toBe(0);
  });
});
