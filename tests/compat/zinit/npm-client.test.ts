/** The npm client's `Zinit`, through each of its calls. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ConnectionError, RpcError, Zinit } from "../../../packages/client/src/index.ts";
import { root } from "../../e2e/harness/paths.ts";
import { expect, ours, test } from "./harness.ts";

test("services", async ({ zinit }) => {
  zinit.service("db", "echo out; echo err >&2; sleep 999");
  zinit.service("web", "sleep 999", { dependencies: { requires: ["db"] } });
  await zinit.start();
  const { pid } = await zinit.reaches("web", "running");
  await using client = new Zinit({ socket: zinit.socket });
  expect(await client.ping()).toEqual({ version: "0.3.9" });
  expect(await client.discover()).toMatchObject({ info: { title: "Zinit RPC API" } });
  expect((await client.list()).toSorted()).toEqual(["db", "web"]);
  expect(await client.listFull()).toContainEqual({
    name: "web",
    state: { state: "running", pid },
    is_target: false,
  });
  expect(await client.status("web")).toMatchObject({ name: "web", state: "running", pid });
  expect((await client.statusFull("web")).dependencies).toMatchObject([{ name: "db", satisfied: true }]);
  expect((await client.stats("web")).memory_bytes).toBeGreaterThan(0);
  expect(await client.children("web")).toBeInstanceOf(Array);
  expect([await client.isRunning("web"), await client.isRunning("nobody")]).toEqual([true, false]);
  expect(await client.why("web")).toMatchObject({ blocked: false, waiting_on: [] });
  expect(await client.tree()).toContain("[+] web (running)");
  expect(await client.debugState()).toContain("web");
  expect(await client.debugProcessTree("web")).toContain("sleep");
  await zinit.until("both lines", async () => (await client.logs("db", 10)).length === 2);
  expect(await client.logsTail("db", 10)).toContainEqual({
    timestamp_ms: expect.any(Number),
    service: "db",
    stream: "stderr",
    content: "err",
  });
});

test("what is done to them", async ({ zinit }) => {
  await zinit.start();
  await using client = new Zinit({ socket: zinit.socket });
  const set = await client.serviceSet({
    service: { name: "added", exec: "sleep 999" },
    lifecycle: { restart: "never" },
  });
  expect(set).toEqual({ name: "added", path: join(zinit.configDir, "added.toml"), warnings: [] });
  const first = await zinit.reaches("added", "running");
  expect((await client.serviceGet("added")).lifecycle).toMatchObject({ restart: "never", max_restarts: 10 });
  await client.restart("added");
  await zinit.reaches("added", "running", ({ pid }) => pid !== first.pid);
  await client.kill("added", "SIGKILL");
  await zinit.reaches("added", "failed");
  await client.start("added");
  await zinit.reaches("added", "running");
  await client.stop("added");
  await zinit.reaches("added", "exited");
  await client.serviceDelete("added");
  expect(await client.list()).toEqual([]);
});

ours("kill by number, filtered logs and proxies (defects 22, 23, 31, 32)", async ({ zinit }) => {
  zinit.service("talker", "echo one; echo two >&2; sleep 999", { lifecycle: { restart: "never" } });
  await zinit.start();
  await using client = new Zinit({ socket: zinit.socket });
  await zinit.until("the line", async () => {
    const found = await client.logsFilter({ name: "talker", stream: "stderr", lines: 5 });
    return found.length === 1 && found[0]?.content === "two";
  });
  await client.xinetSet({
    name: "front",
    listen: [`unix:${zinit.box.path("front.sock")}`],
    backend: zinit.box.path("back.sock"),
    service: "talker",
  });
  expect(await client.xinetList()).toEqual(["front"]);
  await zinit.until("it to listen", async () => (await client.xinetStatus("front")).running);
  expect(await client.xinetStatus("front")).toMatchObject({ running: true, connections: 0 });
  expect(await client.xinetStatusAll()).toMatchObject([{ name: "front", total_connections: 0 }]);
  await client.xinetDelete("front");
  await client.kill("talker", 9);
  await zinit.reaches("talker", "failed");
});

test("errors, and many calls at a time", async ({ zinit }) => {
  zinit.service("web", "sleep 999");
  await zinit.start();
  const client = new Zinit({ socket: zinit.socket });
  const unknown = await client.status("nobody").catch((error: unknown) => error);
  expect(unknown).toBeInstanceOf(RpcError);
  expect(unknown).toMatchObject({ code: -32000, message: "service not found" });
  await expect(client.reboot()).rejects.toThrow("PID 1");
  const all = await Promise.all(Array.from({ length: 100 }, () => client.isRunning("web")));
  expect(all).toHaveLength(100);
  await client.shutdown();
  expect((await zinit.up.ends()).code).toBe(0);
  await expect(client.ping()).rejects.toBeInstanceOf(ConnectionError);
  client.close();
});

ours("a restart is prepared (defect 34)", async ({ zinit }) => {
  zinit.service("web", "sleep 999");
  await zinit.start();
  await zinit.reaches("web", "running");
  await using client = new Zinit({ socket: zinit.socket });
  expect(await client.prepareRestart()).toMatchObject({ ready: true });
  expect((await zinit.up.ends()).code).toBe(0);
});

test("no call is left out", () => {
  const source = readFileSync(join(root, "packages/client/src/zinit.ts"), "utf8");
  const own = readFileSync(join(root, "tests/compat/zinit/npm-client.test.ts"), "utf8");
  const calls = [...source.matchAll(/^ {2}(?:async )?(\w+)\(/gm)].map(([, name]) => name);
  expect(calls.length).toBeGreaterThan(30);
  const made = calls.filter((name) => name === "constructor" || own.includes(`client.${name}(`));
  expect(made).toEqual(calls);
});
