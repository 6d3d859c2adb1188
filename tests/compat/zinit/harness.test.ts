/** The harness itself, against whichever server it is. */
import { existsSync } from "node:fs";
import { expect, test } from "./harness.ts";

test("a server answers, runs what its files say, and leaves nothing", async ({ zinit }) => {
  zinit.service("web", "sleep 99", { service: { env: { A: 'quote"d' } }, lifecycle: { restart: "always" } });
  await zinit.start();
  expect(await zinit.call("system.ping")).toEqual({ version: "0.3.9" });
  expect(await zinit.call("service.list")).toEqual(["web"]);
  const { pid } = await zinit.reaches("web", "running");
  expect(pid).toBeGreaterThan(0);
  expect(await zinit.error("service.status", { name: "nobody" })).toMatchObject({ code: -32000 });
  const end = await zinit.shutdown();
  expect(end.code).toBe(0);
  expect(existsSync(zinit.socket)).toBe(false);
});

test("its command line finds the server", async ({ zinit }) => {
  await zinit.start();
  const end = await zinit.cli("ping");
  expect(end.err).toBe("");
  expect(end.out).toMatch(/zinit daemon v0\.3\.9 is running\n$/);
  expect(end.code).toBe(0);
});
