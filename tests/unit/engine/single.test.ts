import { describe, expect, test } from "vitest";
import type { Behaviour, Kernel } from "../../sim/kernel.ts";
import { machine, pass, prepare, refusal, service, signal } from "./helpers.ts";

const command = service("command", {
  main: true,
  restart: "never",
  stdio: "inherit",
  stop: { signal: "TERM", timeoutMs: 10_000, evict: "stop" as const, tree: true },
});

function single(behaviour: Behaviour, strays = 0): Kernel {
  return machine([command], { single: true, behaviours: { command: behaviour }, strays });
}

function forwarded(kernel: Kernel): string[] {
  return kernel.commands("signal").map((sent) => `${sent.signal} ${sent.scope}`);
}

describe("a single command", () => {
  test("has the supervisor's own stdio and the foreground", () => {
    const kernel = single({});
    expect(kernel.commands("spawn")[0]?.spec).toMatchObject({ log: null, foreground: true });
    expect(kernel.commands("openLog")).toEqual([]);
  });

  test("gets every signal, each time it comes", () => {
    const kernel = single({ leaves: "never" });
    for (const name of ["TERM", "TERM", "HUP", "USR1", "INT", "WINCH", "TSTP", "CONT", "RTMIN+3"])
      signal(kernel, name);
    expect(forwarded(kernel)).toEqual(
      ["TERM", "TERM", "HUP", "USR1", "INT", "WINCH", "TSTP", "CONT", "RTMIN+3"].map(
        (name) => `${name} main`,
      ),
    );
    expect(kernel.exitCode).toBeNull();
    expect(kernel.commands("stop")).toEqual([]);
  });

  test("gets none of those that are the supervisor's own", () => {
    const kernel = single({});
    for (const name of ["CHLD", "TTIN", "TTOU", "SEGV", "BUS", "FPE", "ILL", "ABRT", "TRAP", "SYS"])
      signal(kernel, name);
    expect(forwarded(kernel)).toEqual([]);
  });

  test("gets what came before it ran", () => {
    const kernel = prepare([command], { single: true, behaviours: { command: { spawnMs: 50 } } });
    kernel.start();
    signal(kernel, "USR1");
    signal(kernel, "TERM");
    expect(forwarded(kernel)).toEqual([]);
    kernel.run();
    expect(forwarded(kernel)).toEqual(["USR1 main", "TERM main"]);
    expect(kernel.exitCode).toBe(143);
  });

  test("gets what came before it ran, even if a brain is lost in between", () => {
    const kernel = prepare([command], { single: true, behaviours: { command: { spawnMs: 50 } } });
    kernel.start();
    signal(kernel, "USR1");
    kernel.loseBrain();
    signal(kernel, "TERM");
    kernel.run();
    expect(forwarded(kernel)).toEqual(["USR1 main", "TERM main"]);
    expect(kernel.exitCode).toBe(143);
  });

  test.each([
    [{ ends: { afterMs: 5, exit: { code: 42 } } }, 42],
    [{ ends: { afterMs: 5, exit: { signal: "SEGV" } } }, 139],
    [{ failure: refusal("ENOENT") }, 127],
    [{ failure: refusal("EACCES") }, 126],
  ] as const)("leaves with the command's code: %j", (behaviour, code) => {
    const kernel = single(behaviour);
    kernel.run();
    expect(kernel.exitCode).toBe(code);
  });

  test("says nothing but why it could not be started", () => {
    const quiet = single({ ends: { afterMs: 5, exit: { code: 1 } } });
    quiet.run();
    expect(quiet.said).toEqual([]);
    const refused = single({ failure: refusal("ENOENT") });
    refused.run();
    expect(refused.said).toEqual(["cannot start: exec: no exec (ENOENT)"]);
  });

  test("what it left gets TERM and the stop-timeout, then KILL, which does not change the code", () => {
    const kernel = single(
      { ends: { afterMs: 5, exit: { code: 4 } }, leftovers: 1, leftoversLeave: "never" },
      1,
    );
    pass(kernel, 10);
    expect(kernel.commands("stop")).toMatchObject([{ signal: "TERM", timeoutMs: 10_000 }]);
    pass(kernel, 10_000);
    expect(kernel.commands("stopRest")).toMatchObject([{ signal: "TERM", timeoutMs: 10_000 }]);
    kernel.run();
    expect(kernel.exitCode).toBe(4);
  });

  test("patience with what it left ends with a second signal, and the code is still its own", () => {
    const kernel = single({ ends: { afterMs: 5, exit: { code: 4 } }, leftovers: 1, leftoversLeave: "never" });
    pass(kernel, 10);
    signal(kernel, "INT");
    pass(kernel, 100);
    expect(kernel.exitCode).toBeNull();
    signal(kernel, "INT");
    pass(kernel, 0);
    expect(kernel.exitCode).toBe(4);
    expect(forwarded(kernel)).toEqual([]);
  });
});
