import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { serviceFields } from "../../../src/model/schema.ts";
import { shown } from "./helpers.ts";

const page = readFileSync(new URL("../../../docs/health.md", import.meta.url), "utf8");

test("every configuration of docs/health.md loads", () => {
  const blocks = [...page.matchAll(/```toml\n([\s\S]*?)```/g)].map((found) => found[1] ?? "");
  expect(blocks.length).toBeGreaterThan(5);
  const environment = { PORT: "6379", HEARTBEAT: "/tmp/x" };
  for (const block of blocks) expect(shown(block, { environment })).toEqual([]);
});

test("docs/health.md speaks of every key", () => {
  const keys = [...Object.keys(serviceFields.ready.fields), ...Object.keys(serviceFields.health.fields)];
  for (const key of [...keys, "watchdog"]) expect(page).toMatch(new RegExp(`\`${key}\\b|\\b${key} = `));
});
