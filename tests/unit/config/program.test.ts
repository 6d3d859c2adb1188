import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import type { LoadOutput } from "../../../src/config/contract.ts";
import { CONFIG_SCHEMA } from "../../../src/generated/config-schema.ts";
import { FakeEditHost } from "../dialects/zinit/helpers.ts";
import { api, FakeHost, good } from "./helpers.ts";

/**
 * Bytes of the bundle beside the JSON Schema, which is one constant. It is loaded at every start,
 * so it stays small; raise this with a reason.
 */
const SIZE_LIMIT = 130_000;

let bundle = "";
/** With every dialect. */
let whole = "";

beforeAll(async () => {
  bundle = await bundled("main.ts");
  whole = await bundled("all.ts");
});

async function bundled(name: string): Promise<string> {
  const entry = fileURLToPath(new URL(`../../../src/config/${name}`, import.meta.url));
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
  });
  return result.outputFiles[0]?.text ?? "";
}

/** In a world with nothing but ECMAScript and the host. */
function run(files: Readonly<Record<string, string>>, input: object): LoadOutput {
  return JSON.parse(answer(bundle, new FakeHost(files), input));
}

function answer(program: string, host: FakeHost, input: object): string {
  const world = vm.createContext({ host, input: JSON.stringify(input) });
  vm.runInContext(program, world);
  return vm.runInContext("loadConfig(input)", world);
}

describe("the config program", () => {
  const input = { paths: [], cwd: "/proj", environment: { USER: "www" } };

  test("takes and gives JSON, with no other library than ECMAScript's own", () => {
    const files = { "oneup.toml": api('user = "${USER}"', 'log = { file = "a.log" }') };
    const output = run(files, input);
    expect(output).toEqual(JSON.parse(JSON.stringify(good(files, input))));
  });

  test("gives errors as JSON", () => {
    expect(run({ "oneup.toml": api("x = 1") }, input)).toMatchObject({
      ok: false,
      errors: [{ file: "oneup.toml", line: 3, column: 1, message: 'unknown key "x" in [service.api]' }],
    });
  });

  test("gives the JSON Schema", () => {
    expect(run({}, { schema: true })).toEqual(JSON.parse(CONFIG_SCHEMA));
  });

  test("answers even if the host fails it", () => {
    const world = vm.createContext({ host: {}, input: JSON.stringify(input) });
    vm.runInContext(bundle, world);
    const output: LoadOutput = JSON.parse(vm.runInContext("loadConfig(input)", world));
    expect(output).toMatchObject({ ok: false, errors: [{ file: "oneup.toml", line: null, hint: null }] });
  });

  test("stays small", () => {
    expect(bundle.length - CONFIG_SCHEMA.length).toBeLessThan(SIZE_LIMIT);
  });
});

describe("files of other dialects", () => {
  const input = { paths: ["a.toml"], cwd: "/proj", environment: {} };
  const files = { "a.toml": '[service]\nname = "a"\nexec = "sleep 99"\n' };

  test("are left to the program that knows them", () => {
    expect(run(files, input)).toEqual({ elsewhere: true });
    expect(JSON.parse(answer(whole, new FakeHost(files), input))).toMatchObject({ ok: true, names: ["a"] });
  });

  test("are changed by that program alone", () => {
    const set = {
      zinit: "set",
      configDir: "/proj",
      systemDir: null,
      persist: true,
      known: [],
      params: { service: { name: "b", exec: "cd /" } },
    };
    const host = new FakeEditHost(files);
    expect(JSON.parse(answer(whole, host, set))).toMatchObject({ ok: true, path: "/proj/b.toml" });
    expect(host.files.has("/proj/b.toml")).toBe(true);
    expect(() => answer(bundle, host, set)).toThrow("knows only the native dialect");
  });
});
