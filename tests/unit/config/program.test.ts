import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import type { LoadOutput } from "../../../src/config/contract.ts";
import { CONFIG_SCHEMA } from "../../../src/generated/config-schema.ts";
import { api, FakeHost, good } from "./helpers.ts";

/**
 * Bytes of the bundle beside the JSON Schema, which is one constant. It is loaded at every start,
 * so it stays small; raise this with a reason.
 */
const SIZE_LIMIT = 110_000;

let bundle = "";

beforeAll(async () => {
  const entry = fileURLToPath(new URL("../../../src/config/main.ts", import.meta.url));
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
  bundle = result.outputFiles[0]?.text ?? "";
});

/** In a world with nothing but ECMAScript and the host. */
function run(files: Readonly<Record<string, string>>, input: object): LoadOutput {
  const world = vm.createContext({ host: new FakeHost(files), input: JSON.stringify(input) });
  vm.runInContext(bundle, world);
  return JSON.parse(vm.runInContext("loadConfig(input)", world));
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
