/** The npm client: its calls against a real supervisor, and the package as its users get it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { ConnectionError, Oneup, OneupError } from "../../packages/client/src/index.ts";
import { type Box, expect, test } from "./harness/box.ts";
import { root } from "./harness/paths.ts";
import { freePort } from "./harness/ports.ts";
import { until } from "./harness/wait.ts";

const TALKER = `command = "sh -c 'echo one; echo two >&2; echo ready; exec sleep 999'"`;

describe("calls", () => {
  test("looking", async ({ box }) => {
    const up = await box.supervise(`[service.db]\n${TALKER}\n[service.web]\n${TALKER}\nrequires = ["db"]`);
    const oneup = new Oneup({ socket: up.socket });
    const web = await oneup.waitFor("web");
    expect(web).toMatchObject({ name: "web", state: "running", ready: true, pid: expect.any(Number) });
    expect((await oneup.services()).map(({ name }) => name)).toEqual(["db", "web"]);
    expect(await oneup.isRunning("web")).toBe(true);
    expect(await oneup.why("web")).toMatchObject({ service: "web", state: "running" });
    expect(await oneup.processes("web")).toMatchObject([{ pid: web.pid }]);
    expect((await oneup.tree()).services[1]).toMatchObject({ name: "web", requires: ["db"] });
    expect(await oneup.boot()).toMatchObject({ done: true });
    expect(await oneup.supervisor()).toMatchObject({ state: "running" });
    expect(await oneup.status()).toContainEqual({ name: "db", running: true });
    expect(await oneup.metrics()).toContain("# EOF");
    expect(await oneup.runs("web")).toEqual([]);
    oneup.close();
  });

  test("doing", async ({ box }) => {
    const up = await box.supervise(
      `[service.web]\n${TALKER}\nrestart = "never"\nreload = { signal = "CONT" }\n[service.other]\n${TALKER}\nautostart = false`,
    );
    const oneup = new Oneup({ socket: up.socket });
    const [first] = await oneup.start(["web", "other"]);
    const [again] = await oneup.restart("web");
    expect(again?.pid).not.toBe(first?.pid);
    await oneup.reload("web");
    const [receipt] = await oneup.stop("other", { timeout: "1m" });
    expect(receipt).toMatchObject({ service: "other", empty: true });
    expect(await oneup.waitFor("other", "stopped")).toMatchObject({ state: "inactive" });
    expect(await oneup.pin("other", "down")).toMatchObject({ pinned: "down" });
    expect(await oneup.unpin("other")).toMatchObject({ pinned: null });
    expect(await oneup.mask("other")).toMatchObject({ masked: true });
    expect(await oneup.unmask("other")).toMatchObject({ masked: false });
    await oneup.kill("web", "KILL", "tree");
    await until("web to have failed", async () => (await oneup.service("web")).state === "failed");
    expect(await oneup.shutdown()).toMatchObject([{ service: null, empty: true }]);
    expect((await up.ends()).code).toBe(0);
    oneup.close();
  });

  test("what cannot be done says why; where nobody is, nobody answers", async ({ box }) => {
    const up = await box.supervise(`[service.web]\ncommand = "false"\nrestart = "never"`);
    const oneup = new Oneup({ socket: up.socket });
    const unknown = await oneup.start("nobody").catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(OneupError);
    expect(unknown).toMatchObject({ kind: "no-such-service", status: 404 });
    await expect(oneup.waitFor("web")).rejects.toMatchObject({
      kind: "failed",
      message: expect.stringContaining("exited with code 1"),
    });
    const nobody = new Oneup({ socket: box.path("none.sock") });
    await expect(nobody.services()).rejects.toBeInstanceOf(ConnectionError);
    await expect(nobody.services()).rejects.toMatchObject({ code: "ENOENT" });
    const gone = AbortSignal.abort(new Error("enough"));
    await expect(oneup.logs("web", { signal: gone })).rejects.toThrow("enough");
    oneup.close();
  });
});

describe("streams", () => {
  test("logs are followed until the loop is left", async ({ box }) => {
    const up = await box.supervise(`[service.web]\n${TALKER}\n[service.b]\n${TALKER}`);
    const oneup = new Oneup({ socket: up.socket });
    const lines: string[] = [];
    for await (const record of oneup.followLogs("web", { lines: 100 })) {
      if ("line" in record) lines.push(`${record.service} ${record.stream} ${record.line}`);
      if (lines.length === 3) break;
    }
    expect(lines.toSorted()).toEqual(["web err two", "web out one", "web out ready"]);
    expect(await oneup.logs("web", { stream: "err" })).toMatchObject([{ line: "two" }]);
    oneup.close();
  });

  test("events are followed until they are aborted", async ({ box }) => {
    const up = await box.supervise(`[service.web]\n${TALKER}\nautostart = false`);
    const oneup = new Oneup({ socket: up.socket });
    const enough = new AbortController();
    const states: (string | null)[] = [];
    const following = (async () => {
      for await (const event of oneup.followEvents({ signal: enough.signal })) {
        if (event.service === "web" && event.event === "state") states.push(event.to);
        if (event.to === "running") enough.abort(new Error("seen"));
      }
    })();
    // It may be aborted before the start has been answered.
    const aborted = expect(following).rejects.toThrow("seen");
    await oneup.start("web");
    await aborted;
    expect(states).toContain("running");
    expect((await oneup.events()).length).toBeGreaterThan(0);
    oneup.close();
  });

  test("a supervisor that goes away ends them", async ({ box }) => {
    const up = await box.supervise(`[service.web]\n${TALKER}`);
    const oneup = new Oneup({ socket: up.socket });
    const seen = (async () => {
      for await (const record of oneup.followLogs("web", { lines: 1 }))
        if ("line" in record) await oneup.shutdown();
    })();
    await seen;
    expect((await up.ends()).code).toBe(0);
    oneup.close();
  });
});

/** A supervisor that also listens on TCP, in the network of the test. */
async function onTcp(box: Box) {
  const port = await freePort();
  const token = "a-token-of-thirty-two-characters";
  box.write("token", `${token}\n`);
  const up = await box.supervise(
    `[supervisor]\napi-listen = "127.0.0.1:${port}"\napi-token-file = "${box.path("token")}"\n[service.web]\n${TALKER}`,
  );
  return { up, token, url: `http://127.0.0.1:${port}` };
}

test("over TCP only with the token", async ({ box }) => {
  const { token, url } = await onTcp(box);
  const oneup = new Oneup({ url, token });
  expect((await oneup.waitFor("web")).state).toBe("running");
  const wrong = new Oneup({ url, token: "another-one-of-the-same-length!!" });
  await expect(wrong.services()).rejects.toMatchObject({ status: 401 });
  const foreign = await fetch(`${url}/v1/services`, {
    headers: { authorization: `Bearer ${token}`, origin: "http://evil.example" },
  });
  expect(foreign.status).toBe(403);
  oneup.close();
});

test("the package as it is published: the examples of its README run", async ({ box }) => {
  const { up, url } = await onTcp(box);
  const folder = join(root, "packages/client");
  execFileSync("npx", ["tsc", "-p", folder], { cwd: root });
  mkdirSync(box.path("node_modules"));
  symlinkSync(folder, box.path("node_modules/oneup-client"));
  const blocks = [...readFileSync(join(folder, "README.md"), "utf8").matchAll(/^```js\n(.*?)^```$/gms)];
  const examples = blocks.map(([, text = ""]) => text).filter((text) => !text.includes("ZINIT_SOCKET"));
  expect(examples).toHaveLength(3);
  const outs = examples.map((text, index) => {
    // The syntax is younger than the Node that is asked for.
    writeFileSync(box.path(`${index}.mjs`), text.replace("await using", "const"));
    return execFileSync(process.execPath, [box.path(`${index}.mjs`)], {
      encoding: "utf8",
      env: { ...process.env, ONEUP_SOCKET: up.socket, ONEUP_URL: url, TOKEN_FILE: box.path("token") },
      timeout: 60_000,
    });
  });
  expect(outs[0]).toMatch(/^web is running, pid \d+\nweb: running \(.+\)\n$/);
  expect(outs[1]).toMatch(/out ready\n$/);
  expect(outs[2]).toBe("running\n");
});
