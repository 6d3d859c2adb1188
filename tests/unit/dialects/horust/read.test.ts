import { describe, expect, test } from "vitest";
import type { LoadOutput } from "../../../../src/config/contract.ts";
import { load } from "../../../../src/config/load.ts";
import { horust } from "../../../../src/dialects/horust/read.ts";
import { FakeHost, show } from "../../config/helpers.ts";

/** What `oneup check DIR` finds, from a folder of its own. */
function check(files: Readonly<Record<string, string>>): LoadOutput {
  const host = new FakeHost(files, "/srv/services");
  const environment = { PATH: "/usr/bin", WORD: "w" };
  const output = load({ paths: ["/srv/services"], cwd: "/home", environment }, host, { Horust: horust() });
  if ("elsewhere" in output) throw new Error("a dialect that is not here");
  return output;
}

function problems(files: Readonly<Record<string, string>>): readonly string[] {
  const output = check(files);
  return (output.ok ? [] : output.errors).map((issue) => show(issue).replace("/srv/services/", ""));
}

describe("Horust's files for oneup run and oneup check", () => {
  test("services, and what ties them", () => {
    const output = check({
      "a.toml": 'command = "echo $WORD $$x"\n[failure]\nstrategy = "kill-dependents"\n',
      "b.toml": 'command = "b"\nstart-after = ["a.toml"]\nshutdown-after = ["a.toml"]\nstdout = "out.log"\n',
      "native.toml": '[service.web]\ncommand = "echo ${WORD}"\nafter = ["b.toml"]\n',
    });
    expect(output).toMatchObject({
      ok: true,
      config: {
        services: [
          { name: "a.toml", argv: ["echo", "w", "$x"], after: [{ name: "b.toml", until: "any" }] },
          {
            name: "b.toml",
            after: [{ name: "a.toml", until: "up" }],
            failWith: ["a.toml"],
            stdout: { type: "file", path: "/home/out.log" },
          },
          { name: "web", argv: ["echo", "w"] },
        ],
      },
    });
    // Its lines go where those of other services do.
    const [a] = output.ok ? output.config.services : [];
    expect(a).not.toHaveProperty("stdin");
    expect(a).not.toHaveProperty("stdout");
  });

  test("a text that is TOML only with its variables", () => {
    const text = 'command = "x"\n[restart]\nattempts = ${ATTEMPTS:-3}\n';
    expect(check({ "a.toml": text })).toMatchObject({
      ok: true,
      config: { services: [{ restartLimit: 3 }] },
    });
    expect(problems({ "a.toml": 'command = "$NONE"\nx = $NONE\n' }).join()).toContain(
      'a.toml:1:12: the variable "NONE" is not set',
    );
  });

  test("everything that is wrong, with its place", () => {
    const files = {
      "a.toml": `command = "echo 'a"\nuser = "nobody-here"\nstart-after = ["x"]\nshutdown-after = ["y"]\n`,
      "b.toml": 'command = " "\nbackoff = "1s"\n',
      "c.toml": 'command = "c"\nstart-after = ["d.toml"]\n',
      "d.toml": 'command = "d"\nstart-after = ["c.toml"]\n',
    };
    expect(problems(files)).toEqual([
      "a.toml:1:11: command: a quote or backslash that is not closed (close it)",
      'a.toml:2:8: user: unknown user "nobody-here" (add it to /etc/passwd)',
      'a.toml:3:16: after: unknown service "x" (define it, or remove it from after)',
      'a.toml:4:19: "a.toml" has shutdown-after "y", but there is no such service',
      expect.stringContaining('b.toml:2:1: unknown key "backoff"'),
      expect.stringContaining("dependency cycle: c.toml -> d.toml -> c.toml"),
    ]);
  });
});
