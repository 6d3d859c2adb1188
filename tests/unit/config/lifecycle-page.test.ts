import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { serviceFields } from "../../../src/model/schema.ts";
import { shown } from "./helpers.ts";

const page = readFileSync(new URL("../../../docs/lifecycle.md", import.meta.url), "utf8");

test("every configuration of docs/lifecycle.md loads", () => {
  const blocks = [...page.matchAll(/```toml\n([\s\S]*?)```/g)].map((found) => found[1] ?? "");
  expect(blocks.length).toBeGreaterThan(3);
  for (const block of blocks) expect(shown(block, { environment: { STATE: "/tmp/x" } })).toEqual([]);
});

test("docs/lifecycle.md speaks of every hook", () => {
  for (const key of Object.keys(serviceFields.hooks.fields)) expect(page).toContain(`\`${key}\``);
});
