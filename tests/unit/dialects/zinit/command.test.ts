import { describe, expect, test } from "vitest";
import { missingProgram } from "../../../../src/dialects/zinit/command.ts";
import { document, service } from "./helpers.ts";

const THERE = new Set(["/usr/bin/sleep", "/opt/app/run", "/srv/bin/tool"]);
const MACHINE = { exists: (path: string) => THERE.has(path), cwd: "/srv", path: "/usr/bin:/bin" };

function missing(exec: string, ...lines: readonly string[]): string | null {
  const { service: section } = document(service("x", ...lines));
  return missingProgram({ ...section, exec }, MACHINE);
}

describe("the program that a command begins with", () => {
  test.each([
    ["sleep 99", null],
    ["  sleep\t99", null],
    ["/usr/bin/sleep 1", null],
    ["/nope x", "/nope"],
    ["nope", "nope"],
    ["./nope", "./nope"],
    ["bin/tool", null],
    ["   ", "   "],
    ["nope arg | sleep 1", "nope"],
  ])("%j", (exec, expected) => {
    expect(missing(exec)).toBe(expected);
  });

  // They were refused, although the shell runs them.
  test.each([
    "cd /x && y",
    "A=1 cmd",
    "exec nope",
    "if true; then x; fi",
    "[ -e x ] && y",
    ". ./env && x",
    '"/opt/my app/x" y',
    "$APP/run",
    "~/bin/x",
    "(x; y)",
    "nope;",
    "nope&",
    "! nope",
    "@builtin:sysvol",
  ])("%j is the shell's affair", (exec) => {
    expect(missing(exec)).toBeNull();
  });

  test("is looked for where the service runs, on the service's own PATH", () => {
    expect(missing("./run", 'dir = "/opt/app"')).toBeNull();
    expect(missing("./run", 'dir = "/opt"')).toBe("./run");
    expect(missing("tool", 'env = { PATH = "/srv/bin" }')).toBeNull();
    expect(missing("sleep 1", 'env = { PATH = "/srv/bin" }')).toBe("sleep");
  });
});
