/** Hooks, the stop command, reload and failure handlers in the configuration. */
import { describe, expect, test } from "vitest";
import { good, shown } from "./helpers.ts";

const OTHERS = '[service.db]\ncommand = "x"\n[task.report]\nautostart = false\ncommand = "x"\n';

function specOf(lines: string, kind = "service") {
  const files = { "oneup.toml": `[${kind}.api]\ncommand = "x"\n${lines}\n${OTHERS}` };
  const found = good(files).config.services.find(({ name }) => name === "api");
  if (found === undefined) throw new Error("no api");
  return found;
}

describe("read", () => {
  test("hooks as strings, lists and tables, with the timeout of all or their own", () => {
    const { hooks } = specOf(`[service.api.hooks]
before-start = "node migrate.js --all"
after-start = ["curl", "-f", "a b"]
before-stop = { command = "drain", timeout = "1m" }
after-exit = { command = "rm -f *.tmp", shell = true }
timeout = "5s"`);
    expect(hooks).toEqual({
      "before-start": { argv: ["node", "migrate.js", "--all"], timeoutMs: 5000 },
      "after-start": { argv: ["curl", "-f", "a b"], timeoutMs: 5000 },
      "before-stop": { argv: ["drain"], timeoutMs: 60_000 },
      "after-exit": { argv: ["/bin/sh", "-c", "rm -f *.tmp"], timeoutMs: 5000 },
    });
  });

  test("30 seconds unless something is said", () => {
    expect(specOf('hooks = { before-start = "x" }').hooks?.["before-start"]?.timeoutMs).toBe(30_000);
  });

  test.each<[string, object]>([
    ['stop = { command = "redis-cli shutdown" }', { stopCommand: ["redis-cli", "shutdown"] }],
    [
      'stop = { command = { command = "kill $ONEUP_PID", shell = true }, timeout = "5s" }',
      {
        stopCommand: ["/bin/sh", "-c", "kill $ONEUP_PID"],
        stop: { signal: "TERM", timeoutMs: 5000, tree: true },
      },
    ],
    ['reload = { signal = "SIGHUP" }', { reload: { type: "signal", signal: "HUP" } }],
    ['reload = { command = "a b" }', { reload: { type: "command", argv: ["a", "b"], timeoutMs: 30_000 } }],
    [
      'reload = { command = "a | b", shell = true, timeout = "1s" }',
      { reload: { type: "command", argv: ["/bin/sh", "-c", "a | b"], timeoutMs: 1000 } },
    ],
    ['on-failure = { run = "report" }', { onFailure: { run: "report" } }],
  ])("%s", (lines, expected) => {
    expect(specOf(lines)).toMatchObject(expected);
  });

  test("nothing of it travels where nothing is set", () => {
    expect(Object.keys(specOf(""))).not.toEqual(expect.arrayContaining(["hooks", "reload", "stopCommand"]));
  });
});

describe("refused with its place", () => {
  test.each([
    [
      'hooks = { before-strat = "x" }',
      '3:11: unknown key "hooks.before-strat" in [service.api] (did you mean "before-start"?)',
    ],
    ["hooks = {}", "3:9: hooks: no hook in it"],
    ['hooks = { timeout = "5s" }', "3:9: hooks: no hook in it"],
    ['hooks = { before-start = "" }', "3:26: hooks.before-start: an empty command"],
    ["hooks = { before-start = [] }", "3:26: hooks.before-start: expected a command"],
    ['hooks = { before-start = ["", "a"] }', "3:26: hooks.before-start: the program's name is empty"],
    ['hooks = { before-start = "a | b" }', "3:29: hooks.before-start:"],
    ["hooks = { before-start = 5 }", "3:26: hooks.before-start: expected a command"],
    ["hooks = { before-start = { shell = true } }", "3:26: hooks.before-start: no command in it"],
    [
      'hooks = { before-start = { command = ["a"], shell = true } }',
      "3:38: hooks.before-start.command: with shell = true it is one string",
    ],
    [
      'hooks = { before-start = { command = "a", tmeout = "5s" } }',
      '3:43: unknown key "tmeout" in hooks.before-start',
    ],
    ['hooks = { before-start = { command = "a", timeout = "0s" } }', "3:53: hooks: a hook needs time"],
    ['hooks = { before-start = "a", timeout = "0s" }', "3:41: hooks: a hook needs time"],
    ['hooks = { before-start = "a", timeout = 5 }', "3:41: hooks.timeout: expected a duration with a unit"],
    ['stop = { command = "" }', "3:20: stop.command: an empty command"],
    ['stop = { command = { command = "a", timeout = "1s" } }', '3:37: unknown key "timeout" in stop.command'],
    ["reload = {}", "3:10: reload: expected exactly one of signal and command"],
    [
      'reload = { signal = "HUP", command = "a" }',
      "3:10: reload: expected exactly one of signal and command",
    ],
    ['reload = { signal = "HUPP" }', "3:21: reload.signal:"],
    ['reload = { signal = "HUP", timeout = "1s" }', '3:10: reload: "shell" and "timeout" go with a command'],
    ['reload = "HUP"', "3:10: reload: expected a table"],
    ['on-failure = { run = "reprot" }', '3:22: on-failure: unknown task "reprot" (did you mean "report"?)'],
    ['on-failure = { run = "db" }', '3:22: on-failure: "db" is a service, not a task'],
    ["on-failure = {}", "3:14: on-failure: no task in it"],
    ['on-failure = { start = "report" }', '3:16: unknown key "start" in on-failure'],
  ])("%s", (lines, expected) => {
    const issues = shown({ "oneup.toml": `[service.api]\ncommand = "x"\n${lines}\n${OTHERS}` });
    expect(issues).toHaveLength(1);
    expect(issues[0]?.replace(/^oneup\.toml:/, "")).toContain(expected);
  });

  test("a task has no after-start, a target none of it", () => {
    const taskIssue = shown({ "oneup.toml": '[task.t]\ncommand = "x"\nhooks = { after-start = "a" }\n' });
    expect(taskIssue.join()).toContain('3:11: unknown key "hooks.after-start" in [task.t]');
    const targetIssue = shown({ "oneup.toml": '[target.g]\nhooks = { before-start = "a" }\n' });
    expect(targetIssue.join()).toContain('"hooks" is not for a target');
  });

  test("a handler of itself, or one that requires what has failed", () => {
    const self = shown({ "oneup.toml": '[task.t]\ncommand = "x"\non-failure = { run = "t" }\n' });
    expect(self).toEqual([
      'oneup.toml:3:22: on-failure: "t" cannot handle its own failure (name another task)',
    ]);
    const needing = shown({
      "oneup.toml":
        '[service.a]\ncommand = "x"\non-failure = { run = "t" }\n[task.t]\ncommand = "x"\nrequires = ["a"]\n',
    });
    expect(needing.join()).toContain(
      '3:22: on-failure: "t" requires "a", so it cannot run when that has failed',
    );
  });
});
