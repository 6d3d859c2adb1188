/** horustctl, and what it speaks. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe } from "vitest";
import { root } from "../../e2e/harness/paths.ts";
import { expect, type Horust, original, ours, test } from "./harness.ts";

const up = (horust: Horust, name: string, more = "") =>
  horust.script(name, `echo $$ >> ${horust.path(`${name}-up`)}; while true; do sleep 0.1; done`, more);

async function socketOf(horust: Horust): Promise<string> {
  return horust.until("the socket", () => {
    const name = readdirSync(horust.folder).find((entry) => /^horust-\d+\.sock$/.test(entry));
    return name === undefined ? null : horust.path(name);
  });
}

/** Bytes out, bytes back, as a client does it that keeps to the protocol or does not. */
async function exchange(path: string, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const pieces: Buffer[] = [];
    socket.on("data", (piece) => pieces.push(piece));
    socket.on("end", () => {
      socket.destroy();
      resolve(Buffer.concat(pieces));
    });
    socket.on("error", reject);
    socket.end(bytes);
  });
}

describe("horustctl", () => {
  test("34: --help", async ({ horust }) => {
    const { code, out } = await horust.box.run([horust.program("horustctl"), "--help"]);
    expect(code).toBe(0);
    expect(out).toContain("status");
  });

  test("35: status of one service", async ({ horust }) => {
    horust.file("terminated.toml", 'command = "printenv"\n');
    const first = await horust.run();
    expect(first.code).toBe(0);
    expect(first.out).not.toContain("bar");
    up(horust, "running");
    horust.start();
    await horust.makes("running-up");
    await horust.reaches("running.toml", "RUNNING");
    await horust.reaches("terminated.toml", "FINISHED");
    const { code, out } = await horust.ctl("status", "terminated.toml");
    expect({ code, out }).toEqual({ code: 0, out: "Current status for 'terminated.toml' is: 'FINISHED'.\n" });
  });

  test("a service that is not there", async ({ horust }) => {
    up(horust, "a");
    horust.start();
    await horust.reaches("a.toml", "RUNNING");
    const { code, err } = await horust.ctl("status", "nobody");
    expect(code).toBe(1);
    expect(err).toContain("service nobody not found.");
  });

  test("which socket", async ({ horust }) => {
    const ctl = (...args: string[]) => horust.box.run([horust.program("horustctl"), ...args]);
    mkdirSync(horust.path("none"));
    for (const folder of ["none", "nowhere"]) {
      const { code, err } = await ctl("--uds-folder-path", horust.path(folder), "status", "a");
      expect(code).toBe(101);
      if (folder === "none") expect(err).toContain("No socket found in");
    }
    mkdirSync(horust.path("two"));
    writeFileSync(horust.path("two", "horust-0.sock"), "no socket");
    const servers = [1, 2].map((pid) => createServer().listen(horust.path("two", `horust-${pid}.sock`)));
    try {
      const two = await ctl("--uds-folder-path", horust.path("two"), "status", "a");
      expect(two.code).toBe(101);
      expect(two.err).toContain("There is more than one socket in");
    } finally {
      for (const server of servers) server.close();
    }
    const refused = await ctl("--uds-folder-path", horust.path("two"), "--pid", "3", "status", "a");
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("Could not create stream");
    up(horust, "a");
    horust.start();
    const socket = await socketOf(horust);
    await horust.reaches("a.toml", "RUNNING");
    const given = await ctl(
      "--socket-path",
      socket,
      "--uds-folder-path",
      horust.path("none"),
      "status",
      "a.toml",
    );
    expect(given.out).toContain("RUNNING");
  });

  test("36: two clients, one after the other", async ({ horust }) => {
    // RUNNING for the first, STARTED for the second.
    const states = [2, 1];
    mkdirSync(horust.path("mock"));
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.resume();
      socket.on("end", () => {
        const inner = Buffer.from([0x0a, 1, 0x61, 0x10, states.shift() ?? 0]);
        const response = Buffer.concat([Buffer.from([0x12, inner.length]), inner]);
        socket.end(Buffer.concat([Buffer.from([0x12, response.length]), response]));
      });
    });
    await new Promise<void>((resolve) => server.listen(horust.path("mock", "horust-7.sock"), resolve));
    try {
      const ask = () =>
        horust.box.run([horust.program("horustctl"), "-u", horust.path("mock"), "status", "a"]);
      expect((await ask()).out).toContain("'RUNNING'");
      expect((await ask()).out).toContain("'STARTED'");
    } finally {
      server.close();
    }
  });

  ours("defect 8: the status of all", async ({ horust }) => {
    up(horust, "b");
    horust.script("a", "exit 3");
    horust.start();
    await horust.reaches("a.toml", "FINISHEDFAILED");
    await horust.reaches("b.toml", "RUNNING");
    const { code, out } = await horust.ctl("status");
    expect(code).toBe(0);
    expect(out).toBe("SERVICE  STATUS\na.toml   FAILED (finished)\nb.toml   RUNNING\n");
  });

  ours("stop reaches that service only, and holds against its strategy", async ({ horust }) => {
    up(horust, "a", '[restart]\nstrategy = "always"');
    up(horust, "b", 'start-after = ["a.toml"]');
    horust.start();
    await horust.reaches("b.toml", "RUNNING");
    const { code, out } = await horust.ctl("stop", "a.toml");
    expect({ code, out }).toEqual({ code: 0, out: "Stop command accepted for 'a.toml'.\n" });
    await horust.reaches("a.toml", "FINISHED");
    expect(await horust.status("b.toml")).toBe("RUNNING");
    expect(horust.linesNow("a-up")).toHaveLength(1);
    expect((await horust.ctl("change", "a.toml", "start")).out).toBe(
      "Start command accepted for 'a.toml'.\n",
    );
    await horust.reaches("a.toml", "RUNNING");
    await horust.lines("a-up", 2);
    expect((await horust.ctl("change", "a.toml", "stop")).code).toBe(0);
    await horust.reaches("a.toml", "FINISHED");
    expect((await horust.ctl("change", "a.toml", "up")).code).toBe(2);
  });

  ours("restart gives that service another process, and no other", async ({ horust }) => {
    up(horust, "a");
    up(horust, "b", 'start-after = ["a.toml"]');
    horust.start();
    await horust.reaches("b.toml", "RUNNING");
    expect((await horust.ctl("restart", "a.toml")).out).toBe("Restart command accepted for 'a.toml'.\n");
    const [first, second] = await horust.lines("a-up", 2);
    expect(first).not.toBe(second);
    await horust.reaches("a.toml", "RUNNING");
    expect(horust.linesNow("b-up")).toHaveLength(1);
  });

  ours("what was stopped by hand has not failed; the last one ends it all", async ({ horust }) => {
    up(horust, "a");
    horust.start(["--unsuccessful-exit-finished-failed"]);
    await horust.reaches("a.toml", "RUNNING");
    expect((await horust.ctl("stop", "a.toml")).code).toBe(0);
    expect((await horust.running.outcome()).code).toBe(0);
  });

  ours("states on the way", async ({ horust }) => {
    horust.script("slow", "true", 'start-delay = "100s"');
    horust.script("late", "true", 'start-after = ["slow.toml"]');
    horust.script("sick", "exec sleep 99", `[healthiness]\nfile-path = "${horust.path("never")}"`);
    horust.script(
      "stubborn",
      `trap : TERM; touch ${horust.path("up")}; while true; do sleep 0.1; done`,
      '[termination]\nwait = "100s"',
    );
    horust.start();
    await horust.reaches("slow.toml", "STARTING");
    await horust.reaches("late.toml", "INITIAL");
    await horust.reaches("sick.toml", "STARTED");
    await horust.makes("up");
    await horust.ctl("stop", "stubborn.toml");
    await horust.reaches("stubborn.toml", "INKILLING");
    expect((await horust.ctl("status")).out).toContain("stubborn.toml  STOPPING\n");
  });
});

describe("the protocol", () => {
  test("bytes that are no message get no answer, and others do", async ({ horust }) => {
    up(horust, "a");
    horust.start();
    await horust.reaches("a.toml", "RUNNING");
    const socket = await socketOf(horust);
    for (const bytes of [Buffer.from("ffff", "hex"), Buffer.from("0a0512", "hex"), Buffer.alloc(0)]) {
      expect(await exchange(socket, bytes)).toHaveLength(0);
    }
    // { request: { status_request: { service_name: "a.toml" } } }
    const name = Buffer.concat([Buffer.from([0x0a, 6]), Buffer.from("a.toml")]);
    const status = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
    const request = Buffer.concat([Buffer.from([0x0a, status.length]), status]);
    const answer = await exchange(socket, request);
    const inner = Buffer.concat([name, Buffer.from([0x10, 2])]);
    const response = Buffer.concat([Buffer.from([0x12, inner.length]), inner]);
    expect(answer).toEqual(Buffer.concat([Buffer.from([0x12, response.length]), response]));
  });

  ours("the native API is on the same socket", async ({ horust }) => {
    up(horust, "a");
    horust.start();
    await horust.reaches("a.toml", "RUNNING");
    const { code, out } = await horust.box.oneup(["status", "--json", "--socket", await socketOf(horust)]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject([{ name: "a.toml", state: "running" }]);
  });
});

/** Where the original's programs are beside ours: each client against the other's server. */
const beside = process.env.HORUST_BESIDE ?? join(root, "build/originals/horust/bin");
if (original === null && !existsSync(beside)) {
  throw new Error(`${beside} is missing: run "node scripts/originals.mjs"`);
}
const both = original === null ? test : test.skip;

describe("ours and theirs", () => {
  both("the original's horustctl and our horust", async ({ horust }) => {
    up(horust, "a");
    horust.start();
    await horust.reaches("a.toml", "RUNNING");
    const { code, out } = await horust.ctlOf(`${beside}/horustctl`, "status", "a.toml");
    expect({ code, out }).toEqual({ code: 0, out: "Current status for 'a.toml' is: 'RUNNING'.\n" });
    const nobody = await horust.ctlOf(`${beside}/horustctl`, "status", "nobody");
    expect(nobody.code).toBe(1);
    expect(nobody.err).toContain("service nobody not found.");
  });

  both("our horustctl and the original's horust", async ({ horust }) => {
    up(horust, "a");
    const args = ["--uds-folder-path", horust.folder, "--services-path", horust.folder];
    horust.box.start([`${beside}/horust`, ...args], { as: "child" });
    await horust.reaches("a.toml", "RUNNING");
    const all = await horust.ctl("status");
    expect(all.code).toBe(1);
    expect(all.err).toContain("one service at a time");
    const stop = await horust.ctl("stop", "a.toml");
    expect(stop).toMatchObject({ code: 1 });
    expect(stop.err).toContain("Unimplemented!");
  });
});
