/** The files of examples/horust, each folder as its README says to run it. */
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { root } from "../../e2e/harness/paths.ts";
import { freePort } from "../../e2e/harness/ports.ts";
import { expect, type Horust, ours, TELL, test } from "./harness.ts";

const examples = join(root, "examples/horust");

/** In a copy of its folder. */
function start(horust: Horust, name: string, env: Readonly<Record<string, string>> = {}, ...args: string[]) {
  const folder = horust.path(name);
  cpSync(join(examples, name), folder, { recursive: true });
  const own = ["--services-path", ".", "--uds-folder-path", horust.folder];
  return horust.startBare([...own, ...args], { cwd: folder, env });
}

describe("examples/horust", () => {
  test("tutorial", async ({ horust }) => {
    const port = await freePort();
    const up = start(horust, "tutorial", { APP_PORT: String(port) });
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    await horust.until("an answer", async () => (await get("/")) === "Hello!\n");
    await expect(get("/user")).rejects.toThrow();
    await horust.until("another answer", async () => (await get("/")) === "Hello!\n");
    await horust.signal("SIGINT");
    expect((await up.outcome()).code).toBe(0);
  });

  test("chain", async ({ horust }) => {
    const { code, out } = await start(horust, "chain").outcome();
    expect({ code, out }).toEqual({ code: 0, out: "database\nbackend\nfrontend\n" });
  });

  ours("overview", async ({ horust }) => {
    const { code, out, err } = await start(horust, "overview", {}, TELL).outcome();
    expect({ code, out, err }).toEqual({ code: 0, out: "hello world\n", err: "" });
  });

  test("templating", async ({ horust }) => {
    const env = { NAME: "you", STATE: horust.folder };
    const { code, out } = await start(horust, "templating", env).outcome();
    expect({ code, out }).toEqual({ code: 0, out: "hello you, this is /bin/sh\n" });
    expect(horust.box.read("greeting.err")).toBe("");
  });

  test("health", async ({ horust }) => {
    const port = await freePort();
    const { code, out } = await start(horust, "health", { PAGE_PORT: String(port) }).outcome();
    expect({ code, out }).toEqual({ code: 0, out: "all are running\n" });
  });

  test("failure", async ({ horust }) => {
    expect((await start(horust, "failure").outcome()).code).toBe(0);
    expect((await start(horust, "failure", {}, TELL).outcome()).code).toBe(101);
  });

  test("termination", async ({ horust }) => {
    const up = start(horust, "termination");
    for (const name of ["stubborn.toml", "log.toml"]) await horust.reaches(name, "RUNNING");
    await horust.signal("SIGTERM");
    const { code, out } = await up.outcome();
    expect({ code, out }).toEqual({ code: 0, out: "the last one\n" });
  });

  ours("are all without errors and warnings for oneup check, too", async ({ horust }) => {
    const folders = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders).toHaveLength(7);
    for (const { name } of folders) {
      const { code, err } = await horust.box.oneup(["check", join(examples, name)], {
        env: { APP_PORT: "1" },
      });
      // What it is meant to show: a size of which nothing comes, beside STDOUT.
      const odd = name === "overview" ? /^.*rotated.*\n.*\n$/ : /^$/;
      expect({ name, code }).toEqual({ name, code: 0 });
      expect(err).toMatch(odd);
    }
  });
});
