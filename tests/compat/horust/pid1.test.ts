/** horust as the first process of a container. */
import { describe } from "vitest";
import { childrenOf, commandLine } from "../../e2e/harness/proc.ts";
import { expect, type Horust, ours, test } from "./harness.ts";

/** Processes of the namespace that have ended and that nobody has fetched. */
async function zombies(horust: Horust): Promise<number[]> {
  return childrenOf(await horust.pid())
    .filter(({ state }) => state === "Z")
    .map(({ pid }) => pid);
}

/** Of its children, those it has adopted included. */
async function commands(horust: Horust): Promise<string[]> {
  return childrenOf(await horust.pid()).map(({ pid }) => commandLine(pid).join(" "));
}

describe("as PID 1", () => {
  test("orphans are reaped", async ({ horust }) => {
    horust.script("a", `for i in 1 2 3; do (sleep 0.2 &); done; touch ${horust.path("up")}; exec sleep 99`);
    horust.start([], { as: "init" });
    await horust.makes("up");
    await horust.until("the orphans' end", async () => {
      const left = (await commands(horust)).filter((command) => command === "sleep 0.2");
      return left.length === 0 && (await zombies(horust)).length === 0;
    });
  });

  test("what services left behind ends with everything", async ({ horust }) => {
    const daemon = `trap 'echo left >> ${horust.path("ends")}; exit 0' TERM; touch ${horust.path("up")}; while true; do sleep 0.1; done`;
    horust.box.write("daemon.sh", daemon);
    horust.script(
      "a",
      `setsid bash ${horust.path("daemon.sh")} > /dev/null 2>&1 & until [ -e ${horust.path("up")} ]; do sleep 0.1; done`,
    );
    const { code } = await horust.run([], { as: "init" });
    expect(code).toBe(0);
    expect(horust.linesNow("ends")).toEqual(["left"]);
  });

  test("TERM ends everything in order", async ({ horust }) => {
    const script = (name: string) =>
      `trap 'echo ${name} >> ${horust.path("order")}; exit 0' TERM; touch ${horust.path(`${name}-up`)}; while true; do sleep 0.1; done`;
    horust.script("web", script("web"));
    horust.script("db", script("db"), 'shutdown-after = ["web.toml"]');
    horust.start([], { as: "init" });
    await horust.makes("web-up");
    await horust.makes("db-up");
    await horust.signal("SIGTERM");
    expect((await horust.running.outcome()).code).toBe(0);
    expect(horust.linesNow("order")).toEqual(["web", "db"]);
  });

  ours("a daemon that a service started outlives the service", async ({ horust }) => {
    horust.box.write("daemon.sh", `touch ${horust.path("daemon-up")}; while true; do sleep 0.1; done`);
    horust.script(
      "a",
      `setsid bash ${horust.path("daemon.sh")} > /dev/null 2>&1 & until [ -e ${horust.path("daemon-up")} ]; do sleep 0.1; done`,
    );
    horust.script("b", `touch ${horust.path("up")}; exec sleep 99`, 'start-after = ["a.toml"]');
    horust.start([], { as: "init" });
    await horust.makes("up");
    // It is ours now; its service has ended.
    await horust.until("the daemon", async () =>
      (await commands(horust)).some((command) => /^bash .*daemon\.sh$/.test(command)),
    );
    await horust.reaches("a.toml", "FINISHED");
    expect((await commands(horust)).some((command) => command.includes("daemon.sh"))).toBe(true);
  });
});
