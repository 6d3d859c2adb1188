/** Where a service reads from and writes to, if not its log; and files that a run before has left. */
import { statSync } from "node:fs";
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";

const say = (text: string) =>
  `["sh", "-c", "printf '${text} out\\n'; printf '${text} err\\n' >&2; exec sleep infinity"]`;

describe("stdout and stderr", () => {
  test("go to the supervisor's own as they are, in no log", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = ${say("a")}\nstdout = "stdout"\nstderr = "stderr"\n[service.b]\ncommand = ${say("b")}\nstdout = "stderr"\n`,
    );
    await up.until("all of it", () => up.err.includes("a err\n") && up.err.includes("b out\n"));
    await up.until("the log", async () => (await up.logText("b")).includes("b err"));
    expect(up.lines()).toContain("a out");
    expect(up.lines()).not.toContain("a | a out");
    expect(await up.logText("a")).toEqual([]);
    expect(await up.logText("b")).not.toContain("b out");
  });

  test("go to a file each run appends to, stderr to the same", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = ${say("a")}\nstdout = { file = "a.out", mode = "0600" }\nstderr = "same"\n`,
    );
    await up.until("both", () => box.has("a.out") && box.read("a.out") === "a out\na err\n");
    expect(statSync(box.path("a.out")).mode & 0o777).toBe(0o600);
    await up.restart("a");
    await up.until("both again", () => box.read("a.out") === "a out\na err\na out\na err\n");
  });

  test("to a file that cannot be opened: it has failed, and says why", async ({ box }) => {
    const up = await box.supervise(`[service.a]\ncommand = "true"\nstdout = { file = "no/such/a.out" }\n`);
    const { cause } = await up.reaches("a", "failed");
    expect(cause).toMatch(
      /^cannot start: stdout: cannot open .*\/no\/such\/a\.out: No such file or directory \(ENOENT\)$/,
    );
  });

  test("stdin can be the supervisor's", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = ["sh", "-c", "read line; echo got $line; exec sleep infinity"]\nstdin = "inherit"\n`,
      { input: "a line\n" },
    );
    await up.until("what it read", async () => (await up.logText("a")).includes("got a line"));
  });
});

test("a log is cut into pieces of exactly so many bytes", async ({ box }) => {
  const script = "i=0; while [ $i -lt 10 ]; do printf '%04d\\n' $i; i=$((i+1)); done; exec sleep infinity";
  const up = await box.supervise(
    `[service.a]\ncommand = ["sh", "-c", "${script.replaceAll("\\", "\\\\")}"]\nlog = { file = "a.log", max-size = "20B", split = true }\n`,
  );
  await up.until("the last piece", () => box.has("a.log.2"));
  await up.until("all of it", () => box.read("a.log.2") === "0008\n0009\n");
  expect([box.read("a.log"), box.read("a.log.1")]).toEqual([
    "0000\n0001\n0002\n0003\n",
    "0004\n0005\n0006\n0007\n",
  ]);
});

describe("a fresh file", () => {
  test("makes no run ready that has not made it itself", async ({ box }) => {
    box.write("ok", "");
    const up = await box.supervise(
      `[service.a]\ncommand = ["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done; echo mine > ok; exec sleep infinity"]\nready = { file = "ok", fresh = true }\n`,
    );
    await up.reaches("a", "starting");
    expect(box.has("ok")).toBe(false);
    box.write("go", "");
    await up.ready("a");
    expect(box.read("ok")).toBe("mine\n");
  });

  test("that cannot be removed: the start fails, and says why", async ({ box }) => {
    box.write("ok/x", "");
    const up = await box.supervise(`[service.a]\ncommand = "true"\nready = { file = "ok", fresh = true }\n`);
    const { cause } = await up.reaches("a", "failed");
    expect(cause).toMatch(/^cannot start: fresh: cannot remove .*\/ok: .* \(EISDIR\)$/);
  });
});
