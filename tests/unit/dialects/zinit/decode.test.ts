import { describe, expect, test } from "vitest";
import { decodeService, decodeTarget } from "../../../../src/dialects/zinit/decode.ts";
import { parseToml } from "../../../../src/dialects/zinit/toml.ts";
import { document, service } from "./helpers.ts";

const X = { name: "x", exec: "sleep 1" };

function message(value: unknown): string {
  const decoded = decodeService(value);
  return "message" in decoded ? decoded.message : "fine";
}

describe("a document", () => {
  test("has every default spelled out", () => {
    expect(document(service("x"))).toEqual({
      service: {
        name: "x",
        exec: "sleep 99",
        dir: null,
        oneshot: false,
        env: {},
        status: "start",
        class: "user",
        critical: false,
        ports: [],
        kill_others: false,
        process_filters: [],
      },
      dependencies: { after: [], requires: [], wants: [], conflicts: [] },
      lifecycle: {
        restart: "on-failure",
        restart_delay_ms: 1000,
        restart_delay_max_ms: 300_000,
        max_restarts: 10,
        stability_period_ms: 30_000,
        start_timeout_ms: 30_000,
        stop_timeout_ms: 10_000,
        stop_signal: "SIGTERM",
      },
      health: null,
      logging: { buffer_lines: 1000, file: null, forward: null },
    });
  });

  test.each([
    ["tcp", { type: "tcp" }],
    ["http", { type: "http", expect_status: 200 }],
    ["exec", { type: "exec" }],
  ])("has the defaults of a %s check", (type, own) => {
    const times = { interval_ms: 10_000, timeout_ms: 5000, retries: 3, start_period_ms: 0 };
    const text = `${service("x")}[health]\ntype = "${type}"\ntarget = "t"\n`;
    expect(document(text).health).toEqual({ ...own, target: "t", ...times });
  });

  test("of a target has its dependencies", () => {
    const decoded = decodeTarget({ target: { name: "t" }, dependencies: { requires: ["a"] } });
    expect(decoded).toMatchObject({
      document: {
        target: { name: "t", critical: false },
        dependencies: { after: [], requires: ["a"], wants: [], conflicts: [] },
      },
    });
  });

  // Defect 42: its documents use words that it does not know.
  test("takes the words of the documents, endpoint and on_failure", () => {
    const { health, lifecycle } = document(
      `${service("x")}[lifecycle]\nrestart = "on_failure"\n[health]\ntype = "tcp"\nendpoint = "h:1"\n`,
    );
    expect(health?.target).toBe("h:1");
    expect(lifecycle.restart).toBe("on-failure");
    expect(document(`${service("x")}[health]\ntype="tcp"\nendpoint="h:1"\ntarget="h:2"`).health?.target).toBe(
      "h:2",
    );
  });

  test("knows what means nothing", () => {
    const decoded = decodeService({ service: X, lifecycle: { restart_dely_ms: 5 }, metadata: {} });
    expect("unknown" in decoded && decoded.unknown.map(({ path }) => path.join("."))).toEqual([
      "lifecycle.restart_dely_ms",
      "metadata",
    ]);
  });

  test("has numbers that are too large as the largest that can be kept", () => {
    const { lifecycle } = document(
      `${service("x")}[lifecycle]\nrestart_delay_max_ms = 9223372036854775807\n`,
    );
    expect(lifecycle.restart_delay_max_ms).toBe(Number.MAX_SAFE_INTEGER);
  });

  test("tells a number with a fraction from one without, in a file", () => {
    const parsed = parseToml(`${service("x")}[lifecycle]\nrestart_delay_ms = 1000.5\n`);
    expect("value" in parsed && message(parsed.value)).toBe(
      "invalid type: floating point `1000.5`, expected u64",
    );
  });
});

describe("what is of a wrong shape is told as zinit tells it", () => {
  test.each([
    [{}, "missing field `service`"],
    [5, "invalid type: integer `5`, expected struct ServiceConfig"],
    [null, "invalid type: null, expected struct ServiceConfig"],
    [{ service: 5 }, "invalid type: integer `5`, expected struct ServiceDef"],
    [{ service: {} }, "missing field `name`"],
    [{ service: { name: "x" } }, "missing field `exec`"],
    [{ service: { name: 5, exec: "x" } }, "invalid type: integer `5`, expected a string"],
    [{ service: { ...X, oneshot: "yes" } }, 'invalid type: string "yes", expected a boolean'],
    [{ service: { ...X, oneshot: null } }, "invalid type: null, expected a boolean"],
    [{ service: { ...X, dir: null } }, "fine"],
    [{ service: { ...X, dir: 4 } }, "invalid type: integer `4`, expected a string"],
    [
      { service: { ...X, status: "foo" } },
      "unknown variant `foo`, expected one of `start`, `stop`, `ignore`",
    ],
    [{ service: { ...X, status: 3 } }, "invalid type: integer `3`, expected string or map"],
    [{ service: { ...X, ports: [70_000] } }, "invalid value: integer `70000`, expected u16"],
    [{ service: { ...X, ports: [-1] } }, "invalid value: integer `-1`, expected u16"],
    [{ service: { ...X, ports: 80 } }, "invalid type: integer `80`, expected a sequence"],
    [{ service: { ...X, ports: ["80"] } }, 'invalid type: string "80", expected u16'],
    [{ service: { ...X, env: { A: 1 } } }, "invalid type: integer `1`, expected a string"],
    [{ service: { ...X, env: [] } }, "invalid type: sequence, expected a map"],
    [{ service: X, dependencies: null }, "invalid type: null, expected struct DependencyDef"],
    [{ service: X, dependencies: { after: "x" } }, 'invalid type: string "x", expected a sequence'],
    [{ service: X, dependencies: { after: [1] } }, "invalid type: integer `1`, expected a string"],
    [
      { service: X, lifecycle: { restart: "sometimes" } },
      "unknown variant `sometimes`, expected one of `always`, `on-failure`, `never`",
    ],
    [{ service: X, lifecycle: { restart_delay_ms: -1 } }, "invalid value: integer `-1`, expected u64"],
    [
      { service: X, lifecycle: { max_restarts: 5_000_000_000 } },
      "invalid value: integer `5000000000`, expected u32",
    ],
    [{ service: X, lifecycle: { stop_signal: 15 } }, "invalid type: integer `15`, expected a string"],
    [{ service: X, health: null }, "fine"],
    [{ service: X, health: {} }, "missing field `type`"],
    [{ service: X, health: { type: "x" } }, "unknown variant `x`, expected one of `tcp`, `http`, `exec`"],
    [{ service: X, health: { type: 5 } }, "invalid type: integer `5`, expected variant identifier"],
    [{ service: X, health: { type: "tcp" } }, "missing field `target`"],
    [
      { service: X, health: { type: "http", target: "a", expect_status: 99_999 } },
      "invalid value: integer `99999`, expected u16",
    ],
    [
      { service: X, health: { type: "tcp", target: "a", expect_status: "x", retries: 1.5 } },
      "invalid type: floating point `1.5`, expected u32",
    ],
    [{ service: X, health: 5 }, "invalid type: integer `5`, expected internally tagged enum HealthDef"],
    [{ service: X, logging: { buffer_lines: -1 } }, "invalid value: integer `-1`, expected usize"],
    [{ service: X, logging: { buffer_lines: 0, file: 3 } }, "invalid type: integer `3`, expected a string"],
  ])("%j: %s", (value, expected) => {
    expect(message(value)).toBe(expected);
  });
});
