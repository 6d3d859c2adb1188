/** The scripts in examples/luavisors. */
import { join } from "node:path";
import { root } from "../../e2e/harness/paths.ts";
import { expect, test } from "./harness.ts";

const example = (name: string) => join(root, "examples/luavisors", name);

test("simple.lua", async ({ lua }) => {
  expect(await lua.call(example("simple.lua"))).toMatchObject({ code: 0, out: "", err: "" });
});

test("api.lua", async ({ lua }) => {
  const end = await lua.call(example("api.lua"));
  expect(end).toMatchObject({ code: 0, err: "" });
  expect(end.out).toMatch(/^this is process \d+\nit wrote one and two\n(\d\d:\d\d:\d\d\ttick\t42\n){1,3}$/);
});

test("advanced.lua", async ({ lua }) => {
  const end = await lua.box.run([lua.program, example("advanced.lua")], { as: "child" });
  expect(end).toMatchObject({ code: 0, err: "" });
  const [first, down, through, second] = end.out.split("\n");
  expect(first).toMatch(/^main program runs as \d+$/);
  expect([down, through]).toEqual(["main program is down for an update", "the update is through"]);
  expect(second).toMatch(/^main program runs as \d+$/);
  expect(second).not.toBe(first);
});
