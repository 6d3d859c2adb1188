import { describe, expect, test } from "vitest";
import { decodeDefinition } from "../../../../src/dialects/zinit/folder.ts";
import { signalName, signalNumber } from "../../../../src/dialects/zinit/signal.ts";
import { validate } from "../../../../src/dialects/zinit/validate.ts";

const X = { name: "x", exec: "sleep 1" };

function found(value: unknown): readonly string[] {
  const decoded = decodeDefinition(value);
  if (!("document" in decoded)) throw new Error(decoded.message);
  return validate(decoded.document).map(({ message }) => message);
}

describe("validation", () => {
  test("tells everything, in zinit's words and order", () => {
    const zeros = { restart_delay_ms: 0, restart_delay_max_ms: 0, start_timeout_ms: 0, stop_timeout_ms: 0 };
    expect(
      found({
        service: { name: "a b", exec: "" },
        dependencies: { requires: ["a b", ""], after: ["c/d"], wants: ["ü"], conflicts: ["x y"] },
        lifecycle: { ...zeros, stop_signal: "x" },
        health: { type: "http", target: "", expect_status: 0, interval_ms: 0, timeout_ms: 0, retries: 0 },
        logging: { buffer_lines: 0 },
      }),
    ).toEqual([
      "service.name 'a b' contains invalid characters (use alphanumeric, dash, underscore)",
      "service.exec cannot be empty",
      "lifecycle.restart_delay_ms must be > 0",
      "lifecycle.restart_delay_max_ms must be > 0",
      "lifecycle.start_timeout_ms must be > 0",
      "lifecycle.stop_timeout_ms must be > 0",
      "lifecycle.stop_signal 'x' is not a valid signal",
      "health.retries must be > 0",
      "health.interval_ms must be > 0",
      "health.timeout_ms must be > 0",
      "health.target cannot be empty",
      "health.expect_status must be > 0",
      "logging.buffer_lines must be > 0",
      "dependencies.requires contains invalid name 'a b'",
      "dependencies.requires contains invalid name ''",
      "dependencies.after contains invalid name 'c/d'",
      "dependencies.wants contains invalid name 'ü'",
      "dependencies.conflicts contains invalid name 'x y'",
    ]);
  });

  test.each([
    [{ service: { name: "", exec: "x" } }, ["service.name cannot be empty"]],
    [{ target: { name: "" } }, ["target.name cannot be empty"]],
    [
      { target: { name: "a/b" } },
      ["target.name 'a/b' contains invalid characters (use alphanumeric, dash, underscore)"],
    ],
    [
      { service: X, lifecycle: { restart_delay_ms: 400_000 } },
      ["lifecycle.restart_delay_max_ms must be >= restart_delay_ms"],
    ],
    [{ service: { name: "a.b-c_9", exec: " " } }, []],
    [{ service: X, lifecycle: { stability_period_ms: 0, max_restarts: 0 } }, []],
    [{ service: X, health: { type: "tcp", target: "t", start_period_ms: 0 } }, []],
  ])("%j", (value, expected) => {
    expect(found(value)).toEqual(expected);
  });

  test.each(["requires", "after", "wants"])("a service in its own %s is refused", (kind) => {
    expect(found({ service: X, dependencies: { [kind]: ["x"] } })).toEqual([
      `dependencies.${kind} contains the service itself 'x'`,
    ]);
  });

  test("a conflict with oneself is none", () => {
    expect(found({ service: X, dependencies: { conflicts: ["x"] } })).toEqual([]);
  });
});

describe("signals", () => {
  test.each([
    ["SIGTERM", 15, "TERM"],
    [" term ", 15, "TERM"],
    ["sigUsr1", 10, "USR1"],
    ["IOT", 6, "ABRT"],
    ["POLL", 29, "IO"],
    ["STKFLT", 16, "STKFLT"],
    ["SYS", 31, "SYS"],
    ["9", 9, "KILL"],
    ["34", 34, "RTMIN"],
    ["64", 64, "RTMIN+30"],
    // Numbers pass whatever they are; they only cannot be sent.
    ["0", 0, null],
    ["32", 32, null],
    ["-1", -1, null],
    ["99", 99, null],
    ["CLD", null, null],
    ["INFO", null, null],
    ["RTMIN", null, null],
    ["", null, null],
    ["constructor", null, null],
    ["99999999999", null, null],
  ])("%j", (text, number, name) => {
    expect(signalNumber(text)).toBe(number);
    expect(signalName(text)).toBe(name);
  });
});
