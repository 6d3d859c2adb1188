import { describe, expect, test } from "vitest";
import { loaded } from "./helpers.ts";

const GOOD = 'command = "true"\n';

describe("reading folders and files", () => {
  test("sorted; what is no service file is passed over", () => {
    const { services, troubles } = loaded({ "b.toml": GOOD, "a.mytoml": GOOD, "c.txt": GOOD, ".toml": GOOD });
    expect(services.map(({ name }) => name)).toEqual(["a.mytoml", "b.toml"]);
    expect(troubles).toEqual([]);
  });

  test("each file once, by whatever path", () => {
    const paths = ["/srv/services", "/srv/services/a.toml", "services"];
    expect(loaded({ "a.toml": GOOD }, { paths }).services).toHaveLength(1);
  });

  test("a path that is not there", () => {
    const { refused } = loaded({}, { paths: ["nowhere"] });
    expect(refused).toEqual(["Failed loading services from nowhere: No such file or directory"]);
  });

  test("an empty folder, and a file of another kind", () => {
    const { troubles } = loaded({ "/srv/none/x.txt": "" }, { paths: ["none", "none/x.txt"] });
    expect(troubles).toEqual([
      { level: "error", text: "no service could be read from none" },
      { level: "warn", text: "none/x.txt is passed over: it does not end with .toml" },
    ]);
  });

  test.each([
    ["command = ", "1:11: not TOML: a key without a value"],
    ['command = "x"\nunknow = 1', '2:1: unknown key "unknow"'],
    [
      'command = "x"\n[restart]\nstrategi = "x"',
      '3:1: unknown key "restart.strategi" (did you mean "strategy"?)',
    ],
    ['command = "x"\n[restart]\nstrategy = "Never"', '3:12: restart.strategy: "Never" is not known here'],
    ['command = "x"\nstart-delay = 5', "2:15: start-delay: expected a string in quotes, got an integer"],
    ['command = "x"\nstart-delay = "5"', '2:15: start-delay: a duration without a unit (write "5s")'],
    ['command = "x"\nuser = 1.5', "2:8: user: expected a user's name"],
    ['command = "x"\nrestart = 1', "2:11: restart: expected a section: [restart], got an integer"],
    ['command = "x"\nstart-after = ["a", 1]', "2:21: start-after: expected a list of strings"],
    ['command = "x"\n[restart]\nattempts = -1', "3:12: restart.attempts: expected a whole number from 0"],
    [
      'command = "x"\n[termination]\nsignal = "SIGTERM"',
      '3:10: termination.signal: "SIGTERM" is not known here (did you mean "TERM"?)',
    ],
    ['command = "x"\n[resource]\n[resource-limit]', "2:2: [resource] beside [resource-limit]"],
    ['command = "x"\n[resource]\ncpu = 1\ncpu-percent = 5', "4:1: cpu-percent beside cpu"],
    ['name = "x"', "1:1: no command in this file"],
    ['command = "$NONE"', '1:12: the variable "NONE" is not set'],
    ['# $NONE\ncommand = "x"', '1:3: the variable "NONE" is not set'],
  ])("%j", (text, message) => {
    const { services, troubles } = loaded({ "bad.toml": text, "good.toml": GOOD });
    expect(services.map(({ name }) => name)).toEqual(["good.toml"]);
    expect(troubles.map((one) => one.text).join("\n")).toContain(
      `skipping /srv/services/bad.toml: /srv/services/bad.toml:${message}`,
    );
  });

  test("places are those of the file, whatever variables put in", () => {
    const text = 'command = "$LONG" # $LONG\nx = "${LONG}"; y = 1\n';
    const { troubles } = loaded({ "bad.toml": text }, { environment: { LONG: "a much longer text" } });
    expect(troubles[0]?.text).toContain("bad.toml:2:14: not TOML: something follows the value");
  });

  test("what came out of a variable is not shown", () => {
    const text = 'command = "x"\nstart-delay = "$SECRET"\n[restart]\nstrategy = "$SECRET"\n';
    const said = JSON.stringify(loaded({ "bad.toml": text }));
    expect(said).toContain("2:15");
    expect(said).toContain("4:12");
    expect(said).not.toContain("s3cret");
  });

  test("everything that is wrong with all of them is told at once", () => {
    const { refused } = loaded({
      "a.toml": 'command = ""\nstart-after = ["x", "b.toml"]\nshutdown-after = ["y"]\n',
      "b.toml": 'name = "c"\ncommand = "true"\n',
      "c.toml": 'name = "c"\ncommand = "true"\nstart-after = ["c"]\n',
    });
    expect(refused).toEqual([
      '/srv/services/c.toml:1:8: service "c" is defined twice, first in /srv/services/b.toml (give one of them another name)',
      "/srv/services/a.toml:1:11: Command is defined, but it is empty (write what is to run)",
      '/srv/services/a.toml:2:16: "a.toml" should start after "x", but there is no such service (did you mean "c"?)',
      '/srv/services/a.toml:2:21: "a.toml" should start after "b.toml", but there is no such service (did you mean "a.toml"?)',
      '/srv/services/a.toml:3:19: "a.toml" has shutdown-after "y", but there is no such service (did you mean "c"?)',
    ]);
  });

  test("circles", () => {
    const around = (key: string) => ({
      "a.toml": `command = "true"\n${key} = ["b.toml"]\n`,
      "b.toml": `command = "true"\n${key} = ["a.toml"]\n`,
    });
    expect(loaded(around("start-after")).refused[0]).toContain('"a.toml" -> "b.toml" -> "a.toml"');
    const { services, refused, troubles } = loaded(around("shutdown-after"));
    expect(refused).toEqual([]);
    expect(troubles[0]).toMatchObject({ level: "warn" });
    // Nobody waits for anybody then.
    for (const service of services) expect(service).not.toHaveProperty("after");
  });

  test("what is odd is a warning, and costs nothing", () => {
    const text = `command = "x"
stdout-rotate-size = "5"
signal-rewrite = "15:2"
stderr = "stderr"
[healthiness]
http-endpoint = "ftp://x"
command = "'"
[environment]
unknown = 1
re-export = ["NONE"]
[termination]
die-if-failed = ["nobody"]
`;
    const { services, troubles } = loaded({ "a.toml": text });
    expect(services).toHaveLength(1);
    const told = troubles.map((one) => `${one.level} ${one.text.replace(/^.*a\.toml:/, "")}`);
    expect(told).toEqual([
      'warn 9:1: unknown key "environment.unknown" (known here: keep-env, re-export, additional)',
      "warn 3:18: signal-rewrite has no effect (remove it)",
      'warn 2:22: stdout is no file, so nothing is rotated (write stdout = "PATH")',
      'warn 4:10: a file called "stderr" (write "STDERR" for the supervisor\'s own)',
      'warn 6:17: this check always fails: unknown scheme "ftp" (the schemes are http and https)',
      "warn 7:11: this check always fails: it has no words, or a quote is not closed",
      'warn 12:18: die-if-failed: there is no service "nobody", so nothing follows from it',
      'error 10:13: re-export: the variable "NONE" is not set',
    ]);
  });
});
