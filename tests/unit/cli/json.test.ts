import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { SCHEMAS } from "../../../src/api/schemas.ts";
import { CLI_SCHEMAS } from "../../../src/cli/documentation.ts";
import { DOWN, receipt, view } from "../api/stub.ts";
import { answer, FakeHost, giving, oneup, SYSTEM, withSupervisor } from "./fake.ts";

/** The schemas as `docs/json.md` has them. */
const schemas = new Map<string, Record<string, unknown>>();

beforeAll(() => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/json.md"), "utf8");
  for (const [, name, text] of page.matchAll(/### (\w+)\n```json\n([\s\S]*?)\n```/g)) {
    schemas.set(name ?? "", JSON.parse(text ?? ""));
  }
});

function fits(name: string, document: unknown): void {
  const schema = schemas.get(name);
  expect(schema, `docs/json.md has ${name}`).toBeDefined();
  const whole = { ...schema, $defs: Object.fromEntries(schemas) };
  const result = z.fromJSONSchema(whole as Parameters<typeof z.fromJSONSchema>[0]).safeParse(document);
  expect(result.error?.issues ?? []).toEqual([]);
}

it("docs/json.md has every schema", () => {
  const all = [...Object.keys(SCHEMAS), ...Object.keys(CLI_SCHEMAS)].filter((name) => name !== "OpenApi");
  expect([...schemas.keys()].sort()).toEqual(all.sort());
});

it("a document that does not fit is told from one that does", () => {
  expect(() => fits("Services", [{ ...view("web"), pid: "100" }])).toThrow();
  expect(() => fits("Services", [{ ...view("web"), environment: { SECRET: "x" } }])).toThrow();
  expect(() => fits("Receipts", [{ ...receipt("web"), empty: undefined }])).toThrow();
});

describe("the document of", () => {
  it.each([
    ["Services", ["status"]],
    ["Services", ["status", "web"]],
    ["Tree", ["tree"]],
    ["Why", ["why", "web"]],
    ["Services", ["start", "web", "db"]],
    ["Services", ["start", "web", "--no-wait"]],
    ["Services", ["restart", "web"]],
    ["Receipts", ["stop", "web"]],
    ["Receipts", ["shutdown", "--no-wait"]],
    ["Service", ["kill", "web"]],
    ["Services", ["wait", "web"]],
    ["LogRecords", ["logs"]],
    ["Events", ["events"]],
    ["Boot", ["boot"]],
    ["Version", ["version"]],
    ["Problem", ["why", "nope"]],
    ["Problem", ["frobnicate"]],
  ])("%s: oneup %j", (name, args) => {
    const { host, bench } = withSupervisor();
    bench.set("done", { ...DOWN, state: "exited", exit: { signal: "TERM", at: "2026-01-31T11:58:00.000Z" } });
    const { out, json } = oneup(host, ...args, "--json");
    expect(out.trimEnd()).not.toContain("\n");
    fits(name, json);
  });

  it("several whys is an array of them", () => {
    const { json } = oneup(withSupervisor().host, "why", "web", "db", "--json");
    expect(json).toHaveLength(2);
    for (const document of json as unknown[]) fits("Why", document);
  });

  it("a stop has its receipts", () => {
    const host = new FakeHost();
    host.sockets.set(SYSTEM, giving([receipt("web"), receipt(null, { processes: [] })]));
    fits("Receipts", oneup(host, "stop", "web", "--json").json);
  });

  it("check: what is right, and what is wrong", () => {
    const host = new FakeHost();
    host.config = { ok: true, config: { services: [] }, names: ["web"], warnings: [], root: null };
    expect(oneup(host, "check", "--json")).toMatchObject({
      exit: 0,
      json: { ok: true, services: ["web"], errors: [] },
    });
    const error = {
      file: "oneup.toml",
      line: 3,
      column: 1,
      message: 'unknown key "comand"',
      hint: 'did you mean "command"?',
    };
    host.config = {
      ok: false,
      errors: [error, { ...error, line: null, column: null, hint: null }],
      names: ["web"],
      warnings: [],
    };
    const ended = oneup(host, "check", "--json");
    expect(ended).toMatchObject({ exit: 2, json: { ok: false, services: [], errors: [error, {}] } });
    fits("Check", ended.json);
  });

  it("link: what was made", () => {
    const host = new FakeHost().file("/usr/bin/oneup").folder("/opt/bin");
    fits("Links", oneup(host, "link", "/opt/bin", "--json").json);
  });

  it("the other answers of the socket", () => {
    const { bench } = withSupervisor();
    fits("Status", bench.ask("GET", "/status").json);
    fits("Supervisor", bench.ask("GET", "/v1/supervisor").json);
    fits("Health", bench.ask("GET", "/health").json);
    fits("Problem", bench.ask("GET", "/nope").json);
    fits("Processes", [
      { pid: 1, parent: 0, command: "x", found: "child", started_at: null, memory_bytes: 1, cpu_ms: 2.5 },
    ]);
    fits("LogRecords", [
      { time: "2026-01-31T12:00:00.000Z", service: "web", stream: "out", pid: 3, line: "x" },
      { time: "2026-01-31T12:00:00.000Z", service: "web", stream: "out", pid: 3, line: "x", partial: true },
      { time: "2026-01-31T12:00:00.000Z", service: "web", lost_lines: 3, lost_bytes: 10 },
    ]);
    const event = {
      seq: 1,
      time: "2026-01-31T12:00:00.000Z",
      service: null,
      event: "supervisor",
      from: null,
      to: null,
      cause: "x",
    };
    fits("Events", [event, { ...event, event: "receipt", receipt: receipt("web") }]);
  });

  it("a follower is one record a line", () => {
    const { host } = withSupervisor();
    host.pieces = ['data: {"a":1}\n\ndata: {"a":2}\n\n'];
    expect(oneup(host, "events", "-f", "--json").out).toBe('{"a":1}\n{"a":2}\n');
    expect(answer([]).status).toBe(200);
  });
});
