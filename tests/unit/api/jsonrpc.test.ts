import { describe, expect, it } from "vitest";
import { answered, Bench, receipt } from "./stub.ts";

function call(method: string, params?: unknown, id: unknown = 1) {
  return { jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) };
}

describe("JSON-RPC", () => {
  it("answers a call with its id", () => {
    const bench = new Bench();
    expect(bench.rpc(call("services.get", { name: "web" }, "x"))).toMatchObject({
      jsonrpc: "2.0",
      id: "x",
      result: { name: "web" },
    });
    expect(bench.rpc(call("status"))).toMatchObject({ result: [{ name: "web" }, {}, {}] });
  });

  it("takes every parameter by name, wherever HTTP has it", () => {
    const bench = new Bench();
    bench.rpc(call("services.kill", { name: "web", signal: "HUP", scope: "group" }));
    bench.rpc(call("stop", { names: ["web"], wait: false }));
    expect(bench.world.asks).toMatchObject([
      { type: "kill", signal: "HUP", scope: "group" },
      { type: "stop", names: ["web"] },
    ]);
  });

  it.each([
    ["{", -32700],
    ["[1,", -32700],
    ["[]", -32600],
    ["1", -32600],
    [JSON.stringify({ id: 1, method: "status" }), -32600],
    [JSON.stringify({ jsonrpc: "2.0", id: {}, method: "status" }), -32600],
    [JSON.stringify({ jsonrpc: "2.0", id: 1, method: 7 }), -32600],
    [JSON.stringify(call("statsu")), -32601],
    [JSON.stringify(call("services.get", ["web"])), -32602],
    [JSON.stringify(call("services.get", "web")), -32602],
    [JSON.stringify(call("services.get", {})), -32602],
    [JSON.stringify(call("services.get", { name: 5 })), -32602],
    [JSON.stringify(call("services.get", { name: "web", nmae: 1 })), -32602],
    [JSON.stringify(call("services.get", { name: "nope" })), -32004],
    [JSON.stringify(call("services.kill", { name: "migrate" })), -32003],
    [JSON.stringify(call("plan")), -32001],
  ])("answers %s with error %i", (line, code) => {
    expect(new Bench().rpc(line)).toMatchObject({ jsonrpc: "2.0", error: { code } });
  });

  it("survives a line of brackets alone", () => {
    expect(new Bench().rpc("[".repeat(100_000))).toMatchObject({ id: null, error: { code: -32700 } });
  });

  it("does nothing of a batch that is too long to be done in time", () => {
    const bench = new Bench();
    const batch = (length: number) =>
      JSON.stringify(Array(length).fill(call("stop", { names: ["web"], wait: false })));
    expect(bench.rpc(batch(1001))).toMatchObject({
      id: null,
      error: { code: -32600, message: "a batch may have 1000 requests, this one has 1001" },
    });
    expect(bench.world.asks).toEqual([]);
    expect(bench.rpc(batch(1000))).toHaveLength(1000);
  });

  it("gives the problem as the error's data", () => {
    expect(new Bench().rpc(call("services.get", { name: "wbe" }))).toMatchObject({
      id: 1,
      error: {
        code: -32004,
        message: 'there is no service "wbe"; did you mean "web"?',
        data: { type: "urn:oneup:problem:no-such-service", status: 404 },
      },
    });
  });

  it("answers a notification with nothing, but does it", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    const { commands } = bench.line({ jsonrpc: "2.0", method: "services.start", params: { name: "web" } });
    expect(commands).toMatchObject([{ type: "reply", parts: [] }]);
    expect(bench.world.asks).toHaveLength(1);
  });

  it("answers a batch in its order, leaving notifications out", () => {
    const answers = new Bench().rpc([
      call("services.get", { name: "db" }, 1),
      { jsonrpc: "2.0", method: "status" },
      call("nope", undefined, 2),
      7,
    ]);
    expect(answers).toMatchObject([
      { id: 1, result: { name: "db" } },
      { id: 2, error: { code: -32601 } },
      { id: null, error: { code: -32600 } },
    ]);
    expect(answers).toHaveLength(3);
    expect(new Bench().rpc([{ jsonrpc: "2.0", method: "status" }])).toBeUndefined();
  });

  it("waits for the slowest of a batch, each with its own patience", () => {
    const bench = new Bench();
    bench.world.outcomes.set("web", "pending");
    bench.world.outcomes.set("db", "pending");
    const { request, commands } = bench.line([
      call("services.start", { name: "web", timeout: "1s" }, 1),
      call("services.stop", { name: "db" }, 2),
    ]);
    expect(commands).toEqual([{ type: "arm", key: `api:${request}:0`, at: 2000 }]);
    expect(bench.send({ type: "timer", key: `api:${request}:0`, at: 2000 })).toEqual([]);
    bench.world.outcomes.set("db", "done");
    expect(answered(bench.stopped(2, receipt("db"))).json).toMatchObject([
      { id: 1, error: { code: -32024 } },
      { id: 2, result: [{ service: "db" }] },
    ]);
  });

  it("puts logs into the answer without touching them", () => {
    const { commands } = new Bench().line([call("logs.read", { lines: 2 }, 1), call("status", undefined, 2)]);
    const { parts } = answered(commands);
    expect(parts.map((part) => part.type)).toEqual(["text", "logs", "text"]);
    expect(parts[0]).toEqual({ type: "text", text: '[{"jsonrpc":"2.0","id":1,"result":' });
    const written = parts.map((part) => (part.type === "text" ? part.text : "[]")).join("");
    expect(JSON.parse(written)).toMatchObject([
      { id: 1, result: [] },
      { id: 2, result: [{}, {}, {}] },
    ]);
    expect(written).not.toContain("\n");
  });

  it("refuses streams, pointing to HTTP", () => {
    for (const method of ["logs.read", "events.read"]) {
      expect(new Bench().rpc(call(method, { follow: true }))).toMatchObject({
        error: { code: -32602, message: expect.stringContaining("HTTP") },
      });
    }
  });

  it("gives text as a string and the OpenAPI document as itself", () => {
    expect(new Bench().rpc(call("metrics"))).toMatchObject({ result: expect.stringContaining("# EOF") });
    const { parts } = answered(new Bench().line(call("openapi")).commands);
    expect(parts.map((part) => part.type)).toEqual(["text", "openApi", "text"]);
  });
});
