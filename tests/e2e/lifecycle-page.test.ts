/** Every configuration of docs/lifecycle.md runs and leaves in order, and does what the page says. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import { root } from "./harness/paths.ts";
import type { Supervisor } from "./harness/supervisor.ts";

const page = readFileSync(join(root, "docs/lifecycle.md"), "utf8");

/** What is claimed of each, by its heading. */
const CLAIMS: Readonly<Record<string, (up: Supervisor, box: Box) => Promise<void>>> = {
  "What is in the way": async (up) => {
    await up.ready("api");
  },
  Hooks: async (up, box) => {
    const { pid } = await up.ready("web");
    await up.until("after-start", () => box.has("web/pid") && box.read("web/pid") !== "");
    expect(box.read("web/pid")).toBe(`${pid}\n`);
    await up.stop("web");
    expect(box.has("web")).toBe(false);
    expect(await up.logText("web")).toContain("draining");
  },
  "The stop command": async (up) => {
    await up.ready("cache");
    const [receipt] = await up.stop("cache");
    expect(receipt?.processes).toMatchObject([{ signals: [], exit: { code: 0 } }]);
  },
  Reload: async (up) => {
    const { pid } = await up.ready("app");
    await up.ready("proxy");
    expect(await up.cli(["reload", "proxy", "app"])).toMatchObject({ code: 0, err: "" });
    await up.until("the trap", async () => (await up.logText("proxy")).includes("read again"));
    expect(await up.logText("app")).toContain(`${pid} reads again`);
  },
  "When it has failed": async (up, box) => {
    await up.reaches("worker", "failed");
    await up.reaches("report", "exited");
    expect(box.read("failures")).toBe("worker exited with code 3\n");
  },
  "Failing together": async (up) => {
    await up.reaches("follower", "exited");
    await up.reaches("leader", "failed");
    expect(await up.logText("follower")).toContain("left");
  },
  "Leaving by itself": async (up) => {
    expect((await up.ends()).code).toBe(3);
  },
};

describe("docs/lifecycle.md", () => {
  const found: string[] = [];
  let heading = "";
  for (const [, title, toml] of page.matchAll(/\n## (.*)\n|```toml\n([\s\S]*?)```/g)) {
    if (title !== undefined) heading = title;
    if (toml === undefined) continue;
    found.push(heading);
    const claim = CLAIMS[heading];
    test(heading, async ({ box }) => {
      const noWait = heading === "Leaving by itself";
      const up = await box.supervise(toml, { env: { STATE: box.folder }, noWait });
      await claim?.(up, box);
      if (!up.running.over) expect((await up.shutdown()).end.code).toBe(0);
    });
  }

  test("has a claim for each configuration", () => {
    expect(Object.keys(CLAIMS)).toEqual(found);
  });
});
