/** What is embedded: pure ECMAScript, small, and without what only documents and test builds need. */
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { type BuildResult, build } from "esbuild";
import { describe, expect, it } from "vitest";
import { FakeHost } from "./fake.ts";

const root = join(import.meta.dirname, "../../..");

/** As `scripts/build.mjs` does it. */
async function bundle(entry: string, faults = false): Promise<{ text: string; inputs: string[] }> {
  const result: BuildResult<{ write: false; metafile: true }> = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: "iife",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
    define: { FAULTS: String(faults) },
    logLevel: "silent",
  });
  const [output] = Object.values(result.metafile.outputs);
  const used = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { text: result.outputFiles[0]?.text ?? "", inputs: used.map(([path]) => path) };
}

/** A place with nothing but the language: no console, no timers, no process. */
function bareContext(globals: object) {
  return createContext({ ...globals });
}

describe("the command-line program", () => {
  it("runs with the language and the host alone", async () => {
    const { text } = await bundle("src/cli/main.ts");
    for (const args of [
      ["--help"],
      ["status"],
      ["completion", "fish"],
      ["run"],
      ["--", "true"],
      ["nonsense"],
    ]) {
      const host = new FakeHost();
      host.argv = ["oneup", ...args];
      const context = bareContext({ host });
      runInContext(text, context);
      expect(runInContext("main()", context)).toBeTypeOf("number");
      expect(host.out.length + host.err.length > 0 || host.supervised !== null || host.loaded !== null).toBe(
        true,
      );
    }
  });

  it("carries no documents and stays small", async () => {
    const { text, inputs } = await bundle("src/cli/main.ts");
    expect(
      inputs.filter((path) => /schemas|documentation|pages|openapi|routes|node_modules/.test(path)),
    ).toEqual([]);
    expect(text.length).toBeLessThan(52_000);
  });
});

describe("the brain", () => {
  it("runs with the language alone", async () => {
    const { text } = await bundle("src/brain/main.ts");
    const context = bareContext({});
    runInContext(text, context);
    const boot = {
      type: "boot",
      lost: null,
      config: { services: [], supervisor: { shutdownTimeoutMs: 60_000, single: false } },
      seed: 1,
      nextId: 1,
      nextSeq: 1,
      children: [],
      slate: {},
      pid: 1,
      pidOne: false,
      wallStarted: 0,
    };
    const call = { type: "http", method: "GET", path: "/v1/services", query: "", body: "" };
    const request = { type: "request", request: 1, uid: 0, pid: 5, call };
    context.input = JSON.stringify({ now: 0, wall: 0, events: [boot, request] });
    const commands = JSON.parse(runInContext("batch(input)", context)) as { type: string }[];
    expect(commands.filter((command) => command.type === "reply")).toEqual([
      {
        type: "reply",
        request: 1,
        status: 200,
        contentType: "application/json",
        headers: {},
        parts: [{ type: "text", text: "[]" }],
      },
    ]);
  });

  it("carries no documents", async () => {
    const { inputs } = await bundle("src/brain/main.ts");
    expect(
      inputs.filter((path) => /schemas|documentation|pages|openapi|src\/cli|node_modules/.test(path)),
    ).toEqual([]);
  });

  it("can be broken only in builds made for that", async () => {
    const trigger = "/v1/debug/brain";
    expect((await bundle("src/brain/main.ts")).text).not.toContain(trigger);
    expect((await bundle("src/brain/main.ts", true)).text).toContain(trigger);
  });
});
