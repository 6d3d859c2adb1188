/** What is in the way of a start, found among real processes and real sockets. */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import type { Supervisor } from "./harness/supervisor.ts";

/** Others are seen only from where they are. */
const OUTSIDE = { as: "bare" } as const;

/** A free port, and who listens on it until he is ended. */
async function listener(box: Box): Promise<{ port: number; child: ChildProcess; ended: Promise<void> }> {
  const probe = createServer();
  const port = await new Promise<number>((found) => {
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const number = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => found(number));
    });
  });
  const script = `require("net").createServer().listen(${port}, "127.0.0.1", () => console.log("listens"))`;
  const child = spawn(process.execPath, ["-e", script], {
    cwd: box.folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  await new Promise((ready) => child.stdout?.once("data", ready));
  return { port, child, ended };
}

/** A process of a name that no other has. */
function named(box: Box, name: string): { child: ChildProcess; ended: Promise<void> } {
  copyFileSync("/bin/sleep", box.path(name));
  const child = spawn(box.path(name), ["1000"], { stdio: "ignore" });
  const ended = new Promise<void>((done) => child.once("exit", () => done()));
  return { child, ended };
}

async function waits(up: Supervisor, cause: RegExp): Promise<void> {
  await up.until(`${cause}`, async () => {
    const web = await up.service("web");
    return web.state === "waiting" && cause.test(web.cause ?? "");
  });
}

describe("guard", () => {
  test("a port that somebody listens on is waited for, and named", async ({ box }) => {
    const { port, child, ended } = await listener(box);
    const up = await box.supervise(
      `[service.web]\ncommand = "imp pause"\nguard = { ports = [${port}] }\n`,
      OUTSIDE,
    );
    await waits(up, new RegExp(`^port ${port} in use by external process: \\S+ \\(PID ${child.pid}\\)$`));
    child.kill();
    await ended;
    await up.ready("web");
  });

  test("kill clears the way, and spares what is a service's", async ({ box }) => {
    const { port, child, ended } = await listener(box);
    const tag = `oup${process.pid}k`;
    const { ended: rivalEnded } = named(box, tag);
    copyFileSync("/bin/sleep", box.path(`${tag}s`));
    const up = await box.supervise(
      `[service.own]
command = "${box.path(`${tag}s`)} 1000"
[service.web]
command = "imp pause"
requires = ["own"]
guard = { ports = [${port}], processes = ["${tag.toUpperCase()}"], kill = true }
`,
      OUTSIDE,
    );
    await ended;
    await rivalEnded;
    expect(child.signalCode).toBe("SIGKILL");
    await up.ready("web");
    const own = await up.service("own");
    expect([own.state, own.restarts]).toEqual(["running", 0]);
  });

  test("a process of a name is waited for", async ({ box }) => {
    const tag = `oup${process.pid}n`;
    const { child, ended } = named(box, tag);
    const up = await box.supervise(
      `[service.web]\ncommand = "imp pause"\nguard = { processes = ["${tag.toUpperCase()}"] }\n`,
      OUTSIDE,
    );
    await waits(up, new RegExp(`matched 1 running process\\(es\\): ${tag} \\(PID ${child.pid}\\)$`));
    child.kill();
    await ended;
    await up.ready("web");
  });

  test("a port of another service is free when that has stopped", async ({ box }) => {
    const { port, child, ended } = await listener(box);
    child.kill();
    await ended;
    const up = await box.supervise(
      `[service.old]
command = "imp pause"
guard = { ports = [${port}] }
[service.web]
command = "imp pause"
after = ["old"]
guard = { ports = [${port}] }
`,
      OUTSIDE,
    );
    await up.ready("old");
    await waits(up, new RegExp(`^port ${port} in use by service old$`));
    await up.stop("old");
    await up.ready("web");
  });
});
