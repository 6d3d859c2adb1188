/** Newline-framed JSON-RPC 2.0 on the same socket. */
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import * as shapes from "./harness/shapes.ts";
import { until } from "./harness/wait.ts";

const config = `[service.a]\ncommand = "imp say hello pause"\n[service.b]\ncommand = "imp pause"\nautostart = false\n`;

describe("calls", () => {
  test("the operations of the contract", async ({ box }) => {
    const up = await box.supervise(config);
    await up.until("the line", async () => (await up.logText("a")).length === 1);
    const rpc = await up.rpc();
    expect(
      shapes.services
        .parse(await rpc.result("services.list"))
        .map((each) => each.name)
        .sort(),
    ).toEqual(["a", "b"]);
    expect(shapes.service.parse(await rpc.result("services.get", { name: "a" })).state).toBe("running");
    expect(JSON.stringify(await rpc.result("services.start", { name: "b" }))).toContain('"running"');
    const receipts = shapes.receipts.parse(await rpc.result("services.stop", { name: "b" }));
    expect(receipts).toMatchObject([{ service: "b", empty: true }]);
    await rpc.result("services.restart", { name: "a" });
    await rpc.result("services.kill", { name: "a", signal: "CONT" });
    expect(shapes.why.parse(await rpc.result("services.why", { name: "a" })).service).toBe("a");
    expect(shapes.logs.parse(await rpc.result("logs.read", { lines: 1 })).length).toBe(1);
    expect(shapes.events.parse(await rpc.result("events.read")).length).toBeGreaterThan(0);
    rpc.close();
  });

  test("ids come back as they were: numbers, strings, null; a notification gets no answer", async ({
    box,
  }) => {
    const up = await box.supervise(config);
    const rpc = await up.rpc();
    for (const id of [0, 7, -1, "text", null]) {
      rpc.send(JSON.stringify({ jsonrpc: "2.0", id, method: "services.list" }));
      expect((await rpc.answer()).id).toBe(id);
    }
    rpc.send(JSON.stringify({ jsonrpc: "2.0", method: "services.start", params: { name: "b" } }));
    rpc.send(JSON.stringify({ jsonrpc: "2.0", id: "after", method: "services.list" }));
    expect((await rpc.answer()).id).toBe("after");
    await up.reaches("b", "running");
  });

  test("a batch gets one array; notifications in it get nothing", async ({ box }) => {
    const up = await box.supervise(config);
    const rpc = await up.rpc();
    rpc.send(
      JSON.stringify([
        { jsonrpc: "2.0", id: 1, method: "services.get", params: { name: "a" } },
        { jsonrpc: "2.0", method: "services.list" },
        { jsonrpc: "2.0", id: 2, method: "no.such.method" },
        5,
      ]),
    );
    const answers = (await rpc.line()) as unknown[];
    const parsed = answers.map((each) => shapes.rpcAnswer.parse(each));
    expect(parsed.map((each) => each.id)).toEqual(expect.arrayContaining([1, 2, null]));
    expect(parsed).toHaveLength(3);
    // Nothing but notifications: no answer at all.
    rpc.send(JSON.stringify([{ jsonrpc: "2.0", method: "services.list" }]));
    rpc.send(JSON.stringify({ jsonrpc: "2.0", id: 9, method: "services.list" }));
    expect((await rpc.answer()).id).toBe(9);
  });

  test("calls on one connection need not wait for each other", async ({ box }) => {
    const up = await box.supervise(
      `[service.slow]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "1500ms" }`,
    );
    await until("the service", () => box.has("up"));
    const rpc = await up.rpc();
    rpc.send(
      JSON.stringify({ jsonrpc: "2.0", id: "stop", method: "services.stop", params: { name: "slow" } }),
    );
    rpc.send(JSON.stringify({ jsonrpc: "2.0", id: "list", method: "services.list" }));
    const ids = [(await rpc.answer()).id, (await rpc.answer()).id];
    expect(ids.sort()).toEqual(["list", "stop"]);
  });
});

describe("errors", () => {
  test("their codes", async ({ box }) => {
    const up = await box.supervise(config);
    const rpc = await up.rpc();
    expect((await rpc.error("no.such.method")).code).toBe(-32601);
    expect((await rpc.error("services.get", { nam: "a" })).code).toBe(-32602);
    expect((await rpc.error("services.get", { name: 5 })).code).toBe(-32602);
    const missing = await rpc.error("services.get", { name: "nobody" });
    expect(missing.message).toMatch(/nobody/);
    expect(missing.code).toBeGreaterThan(-32_600);
    for (const bad of [
      '{"jsonrpc":"1.0","id":1,"method":"services.list"}',
      '{"id":1}',
      '{"jsonrpc":"2.0","id":1,"method":5}',
    ]) {
      rpc.send(bad);
      expect(await rpc.answer()).toMatchObject({ error: { code: -32600 } });
    }
    rpc.send("{}");
    expect(await rpc.answer()).toMatchObject({ id: null, error: { code: -32600 } });
  });

  test("after a parse error the connection goes on", async ({ box }) => {
    const up = await box.supervise(config);
    const rpc = await up.rpc();
    rpc.send('{"jsonrpc": oops');
    expect(await rpc.answer()).toMatchObject({ id: null, error: { code: -32700 } });
    rpc.send("rubbish");
    expect(await rpc.answer()).toMatchObject({ id: null, error: { code: -32700 } });
    expect(shapes.services.parse(await rpc.result("services.list"))).toHaveLength(2);
  });

  test("empty lines are no requests; carriage returns do no harm; an empty batch is an error", async ({
    box,
  }) => {
    const up = await box.supervise(config);
    const rpc = await up.rpc();
    rpc.send('{"jsonrpc":"2.0","id":1,"method":"services.list"}\r');
    expect((await rpc.answer()).id).toBe(1);
    rpc.send("");
    rpc.send("[]");
    expect(await rpc.answer()).toMatchObject({ id: null, error: { code: -32600 } });
  });

  test("a line of 2 MB is refused, the supervisor is well", async ({ box }) => {
    const up = await box.supervise(config);
    const rpc = await up.rpc();
    rpc.send(`{"jsonrpc":"2.0","id":1,"method":"${"x".repeat(2_000_000)}"}`);
    await up.until("an error or the end", () => rpc.raw.closed || rpc.raw.text.includes("error"));
    expect((await up.services()).length).toBe(2);
  });

  test("a request in pieces, byte by byte", async ({ box }) => {
    const up = await box.supervise(config);
    const rpc = await up.rpc();
    for (const byte of '{"jsonrpc":"2.0","id":"é","method":"services.list"}\n') rpc.raw.send(byte);
    expect((await rpc.answer()).id).toBe("é");
  });
});

test("shutdown by JSON-RPC: the receipts come before the end", async ({ box }) => {
  const up = await box.supervise(config);
  await up.reaches("a", "running");
  const rpc = await up.rpc();
  const receipts = shapes.receipts.parse(await rpc.result("shutdown"));
  expect(receipts.map((each) => each.service)).toContain("a");
  expect((await up.ends()).code).toBe(0);
});
