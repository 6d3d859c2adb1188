/** Every configuration of docs/health.md runs: all that it defines becomes ready, and stays well. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { root } from "./harness/paths.ts";
import { freePort } from "./harness/ports.ts";

const page = readFileSync(join(root, "docs/health.md"), "utf8");
const blocks = [...page.matchAll(/\n## (.*)\n|```toml\n([\s\S]*?)```/g)];

describe("docs/health.md", () => {
  let heading = "";
  for (const [, title, toml] of blocks) {
    if (title !== undefined) heading = title;
    if (toml === undefined) continue;
    test(`${heading}: ${toml.split("\n")[0]}`, async ({ box }) => {
      const env = { PORT: String(await freePort()), HEARTBEAT: box.path("heartbeat") };
      const up = await box.supervise(toml, { env });
      for (const { name } of await up.services()) {
        const { health } = await up.ready(name);
        if (health !== null) await up.reaches(name, "running", ({ healthy }) => healthy === true);
      }
      for (const service of await up.services()) expect(service).toMatchObject({ restarts: 0 });
    });
  }
});
