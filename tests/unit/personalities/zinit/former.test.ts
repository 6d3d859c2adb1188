import { expect, test } from "vitest";
import { objection, statePath } from "../../../../src/personalities/zinit/former.ts";

const SUCCESSOR = { configDir: "/etc/zinit", socket: "/run/zinit.sock", now: 1_000_000 };
const STATE = { version: 1, saved_at: 900_000, config_dir: "/etc/zinit", socket_path: "/run/zinit.sock" };

function told(changes: object): string | null {
  return objection(JSON.stringify({ ...STATE, ...changes }), SUCCESSOR);
}

test("only what was left for this very server, and lately, is gone on with", () => {
  expect(told({})).toBeNull();
  expect(told({ services: {} })).toBeNull();
  expect(told({ version: 2 })).toContain("version");
  expect(told({ saved_at: 600_000 })).toContain("five minutes");
  expect(told({ config_dir: "/srv" })).toContain("/srv");
  expect(told({ socket_path: "/tmp/z.sock" })).toContain("/tmp/z.sock");
  for (const text of ["", "{", "[]", "null"]) expect(objection(text, SUCCESSOR)).toContain("no JSON object");
});

test("its place is the socket's folder", () => {
  expect(statePath("/run/zinit/a.sock")).toBe("/run/zinit/state.json");
  expect(statePath("/zinit.sock")).toBe("/state.json");
});
