import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { OPTION_NAMES, OPTIONS } from "../../../src/cli/options.ts";
import { VERBS } from "../../../src/cli/verbs/index.ts";
import { FakeHost, oneup, withSupervisor } from "./fake.ts";

function has(shell: string): boolean {
  return spawnSync(shell, ["-c", "true"]).status === 0;
}

function script(shell: string): string {
  return oneup(new FakeHost(), "completion", shell).out;
}

describe.each(["bash", "zsh", "fish"])("completion for %s", (shell) => {
  it("knows every verb", () => {
    const text = script(shell);
    for (const verb of VERBS) {
      if (verb.hidden === true) expect(text).not.toMatch(new RegExp(`-a ${verb.name} `));
      else expect(text).toContain(verb.name);
    }
  });

  it.runIf(has(shell))("is a script that the shell can read", () => {
    const checked = spawnSync(shell, ["-n"], { input: script(shell), encoding: "utf8" });
    expect(checked).toMatchObject({ status: 0, stderr: "" });
  });
});

describe.runIf(has("bash"))("bash completes", () => {
  const complete = (...words: string[]) => {
    const names = 'oneup() { [ "$1" = _names ] && printf "web\\ndb\\n"; }';
    const last = words.length - 1;
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const input = `${names}\n${script("bash")}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${last}; _oneup; echo "\${COMPREPLY[@]}"`;
    return spawnSync("bash", ["--norc"], { input, encoding: "utf8" }).stdout.trim().split(/\s+/);
  };

  it("verbs", () => {
    expect(complete("oneup", "st")).toEqual(["status", "start", "stop"]);
  });
  it("names of services", () => {
    expect(complete("oneup", "start", "w")).toEqual(["web"]);
    expect(complete("oneup", "--json", "logs", "")).toEqual(["web", "db"]);
  });
  it("options of the verb", () => {
    expect(complete("oneup", "logs", "--s")).toEqual(["--since", "--stream", "--socket"]);
  });
  it("values of options, and what follows them", () => {
    expect(complete("oneup", "wait", "web", "--for", "")).toEqual(["ready", "stopped", "succeeded"]);
    expect(complete("oneup", "logs", "--stream", "=", "e")).toEqual(["err"]);
    expect(complete("oneup", "--socket", "/tmp/x", "sta")).toEqual(["status", "start"]);
    expect(complete("oneup", "logs", "-n", "5", "w")).toEqual(["web"]);
    expect(complete("oneup", "logs", "-n", "")).toEqual([""]);
  });
  it("signals after a name", () => {
    expect(complete("oneup", "kill", "w")).toEqual(["web"]);
    expect(complete("oneup", "kill", "web", "H")).toEqual(["HUP"]);
  });
  it("commands and files after --, folders and files elsewhere", () => {
    expect(complete("oneup", "--", "tru")).toContain("true");
    expect(complete("oneup", "--", "true", "/etc/passw")).toContain("/etc/passwd");
    expect(complete("oneup", "link", "/et")).toEqual(["/etc"]);
    expect(complete("oneup", "check", "/etc/passw")).toContain("/etc/passwd");
  });
  it("the words that an argument may be", () => {
    expect(complete("oneup", "completion", "")).toEqual(["bash", "zsh", "fish"]);
  });
});

it("asks for names in the smallest way, and says nothing when nobody answers", () => {
  const { host } = withSupervisor();
  expect(oneup(host, "_names").out).toBe("web\ndb\nmigrate\n");
  expect(host.asked).toBe("GET /status");
  expect(oneup(new FakeHost(), "_names")).toMatchObject({ exit: 5, out: "", err: "" });
});

describe("the table of verbs", () => {
  it("names none twice, and only options that exist", () => {
    expect(new Set(VERBS.map((verb) => verb.name)).size).toBe(VERBS.length);
    for (const verb of VERBS) for (const option of verb.options) expect(OPTION_NAMES).toContain(option);
  });

  it("gives no letter to two options", () => {
    const letters = OPTION_NAMES.flatMap((name) => OPTIONS[name].short ?? []);
    expect(new Set(letters).size).toBe(letters.length);
  });

  it("has all that the contract promises", () => {
    const promised =
      "run check status tree why start stop restart kill wait logs events boot plan apply reload pin unpin mask unmask shutdown upgrade simulate completion version link as";
    expect(VERBS.map((verb) => verb.name)).toEqual(expect.arrayContaining(promised.split(" ")));
  });
});
