/** Proxies: listeners that start a service when somebody connects. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe } from "vitest";
import { call } from "../../e2e/harness/http.ts";
import { oneupFaults } from "../../e2e/harness/paths.ts";
import { freePort } from "../../e2e/harness/ports.ts";
import { descriptorsOf, memoryOf } from "../../e2e/harness/proc.ts";
import { expect, ours, pause, type StartOptions, test, type Zinit } from "./harness.ts";
import { ask, Backend, closed, next, open, type Place, rest, shout } from "./sockets.ts";

const OFF = { service: { status: "stop" } } as const;
const NEVER = { lifecycle: { restart: "never" } } as const;

interface Options {
  readonly connect_timeout?: number;
  readonly idle_timeout?: number;
  readonly single_connection?: boolean;
  readonly persist?: boolean;
}

interface Definition extends Options {
  readonly listen: string | readonly string[];
  readonly backend: string;
  readonly service?: string;
}

interface ProxyStatus {
  readonly name: string;
  readonly listen: string;
  readonly backend: string;
  readonly service: string;
  readonly total_connections: number;
  readonly active_connections: number;
  readonly bytes_to_backend: number;
  readonly bytes_from_backend: number;
  readonly running: boolean;
}

/** A backend that shouts, whose service is up, behind a proxy `p`. The bare paths are for both. */
async function withProxy(
  zinit: Zinit,
  more: Options = {},
  how: StartOptions = {},
): Promise<{ front: string; backend: Backend }> {
  const [front, back] = [zinit.box.path("front"), zinit.box.path("back")];
  const backend = await Backend.open(back, shout);
  zinit.service("web", "sleep 999", NEVER);
  await zinit.start(how);
  await zinit.reaches("web", "running");
  await set(zinit, { listen: [front], backend: back, ...more });
  return { front, backend };
}

async function set(zinit: Zinit, config: Definition): Promise<void> {
  expect(await zinit.call("xinet.set", { name: "p", service: "web", ...config })).toEqual({ ok: true });
  await zinit.until("a listener", async () => (await status(zinit)).running && listens(config.listen));
}

function listens(listen: Definition["listen"]): boolean {
  const all = typeof listen === "string" ? [listen] : listen;
  return all.filter((address) => address.startsWith("/")).every((path) => existsSync(path));
}

async function all(zinit: Zinit): Promise<readonly ProxyStatus[]> {
  return (await zinit.call("xinet.status_all")) as readonly ProxyStatus[];
}

async function status(zinit: Zinit, name = "p"): Promise<ProxyStatus> {
  const found = (await all(zinit)).find((proxy) => proxy.name === name);
  if (found === undefined) throw new Error(`no proxy ${name}`);
  return found;
}

function active(zinit: Zinit, count: number): Promise<unknown> {
  return zinit.until(`${count} connections`, async () => (await status(zinit)).active_connections === count);
}

describe("over JSON-RPC", () => {
  test("set, list, status, delete", async ({ zinit }) => {
    const { front } = await withProxy(zinit);
    expect(await zinit.call("xinet.list")).toEqual(["p"]);
    expect(await zinit.call("xinet.status", { name: "p" })).toMatchObject({
      name: "p",
      running: true,
      connections: 0,
    });
    expect(await all(zinit)).toEqual([
      {
        name: "p",
        listen: `unix:${front}`,
        backend: `unix:${zinit.box.path("back")}`,
        service: "web",
        total_connections: 0,
        active_connections: 0,
        bytes_to_backend: 0,
        bytes_from_backend: 0,
        running: true,
      },
    ]);
    expect(await ask(front, "hello")).toBe("HELLO");
    expect(await zinit.call("xinet.delete", { name: "p" })).toEqual({ ok: true });
    await zinit.until("no socket", () => !existsSync(front));
    expect(await zinit.call("xinet.list")).toEqual([]);
    expect((await zinit.status("web")).state).toBe("running");
  });

  ours("a proxy listens as soon as it is set", async ({ zinit }) => {
    await withProxy(zinit);
    const backend = zinit.box.path("back");
    for (let index = 0; index < 20; index++) {
      const [name, front] = [`p${index}`, zinit.box.path(`front${index}`)];
      await zinit.call("xinet.set", { name, listen: [front], backend, service: "web" });
      expect(await zinit.call("xinet.status", { name })).toMatchObject({ running: true });
      expect(await ask(front, "hello")).toBe("HELLO");
    }
    // What cannot be had keeps nobody waiting.
    const taken = { name: "taken", listen: ["tcp:no-such-name:1"], backend, service: "web" };
    expect(await zinit.call("xinet.set", taken)).toEqual({ ok: true });
    expect(await zinit.call("xinet.status", { name: "taken" })).toMatchObject({ running: false });
  });

  test("what is wrong with a definition", async ({ zinit }) => {
    await zinit.start();
    const good = { name: "p", listen: ["/tmp/front"], backend: "/tmp/back", service: "web" };
    const internal = (message: string) => ({ code: -32603, message });
    expect(await zinit.error("xinet.set", { ...good, name: "" })).toEqual(internal("name is required"));
    expect(await zinit.error("xinet.set", { ...good, listen: [] })).toEqual(
      internal("at least one listen address is required"),
    );
    expect(await zinit.error("xinet.set", { ...good, service: "" })).toEqual(
      internal("service name is required"),
    );
    for (const key of Object.keys(good)) {
      const { code, message } = await zinit.error("xinet.set", { ...good, [key]: undefined });
      expect(code).toBe(-32602);
      expect(message).toContain(`Invalid xinet config: missing field \`${key}\``);
    }
    expect(await zinit.error("xinet.delete", { name: "none" })).toEqual(internal("Proxy 'none' not found"));
    expect(await zinit.error("xinet.status", { name: "none" })).toEqual({
      code: -32000,
      message: "proxy not found",
    });
    for (const method of ["xinet.delete", "xinet.status"]) {
      expect(await zinit.error(method, {})).toEqual({ code: -32602, message: "missing 'name' parameter" });
    }
  });

  ours("every spelling of an address (30)", async ({ zinit }) => {
    zinit.service("web", "sleep 999", NEVER);
    await zinit.start();
    const [port, back] = [await freePort(), zinit.box.path("back")];
    const backend = await Backend.open(back, shout);
    const front = zinit.box.path("front");
    const spellings: readonly (readonly [string, string, Place])[] = [
      [`unix:${front}`, `unix:${front}`, front],
      [front, `unix:${front}`, front],
      [`tcp:127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`, port],
      [`127.0.0.1:${port}`, `tcp:127.0.0.1:${port}`, port],
      [`localhost:${port}`, `tcp:localhost:${port}`, port],
      [`:${port}`, `tcp:0.0.0.0:${port}`, port],
      [`tcp::${port}`, `tcp:0.0.0.0:${port}`, port],
    ];
    for (const [written, shown, place] of spellings) {
      for (const listen of [written, [written]]) {
        await set(zinit, { listen, backend: back });
        expect((await status(zinit)).listen).toBe(shown);
        expect(await ask(place, "hello"), written).toBe("HELLO");
      }
    }
    for (const wrong of ["", "localhost", "tcp:", "unix:", "tcp:h:0", "h:65536", "h:http", "a:b:80"]) {
      const { code, message } = await zinit.error("xinet.set", {
        name: "p",
        listen: [wrong],
        backend: back,
        service: "web",
      });
      expect([code, message]).toEqual([
        -32602,
        `Invalid xinet config: ${JSON.stringify(wrong)} is no address: expected HOST:PORT, tcp:HOST:PORT, unix:/PATH or /PATH`,
      ]);
    }
    backend.close();
  });

  ours("tcp and unix in any mix, on several addresses (30)", async ({ zinit }) => {
    zinit.service("web", "sleep 999", NEVER);
    await zinit.start();
    const [port, backPort] = [await freePort(), await freePort()];
    const [front, back] = [zinit.box.path("front"), zinit.box.path("back")];
    const byUnix = await Backend.open(back, shout);
    const byTcp = await Backend.open(backPort, shout);
    for (const backend of [back, `tcp:localhost:${backPort}`]) {
      await set(zinit, { listen: [`tcp:127.0.0.1:${port}`, front], backend });
      expect((await status(zinit)).listen).toBe(`tcp:127.0.0.1:${port}, unix:${front}`);
      expect(await ask(port, "by tcp")).toBe("BY TCP");
      expect(await ask(front, "by unix")).toBe("BY UNIX");
    }
    byUnix.close();
    byTcp.close();
  });

  ours("a definition stands alone or in config (31); counts have both names (32)", async ({ zinit }) => {
    const { front } = await withProxy(zinit);
    const socket = await open(front);
    await active(zinit, 1);
    expect(await zinit.call("xinet.status", { name: "p" })).toEqual({
      name: "p",
      running: true,
      connections: 1,
      active_connections: 1,
    });
    socket.destroy();
    const config = {
      name: "q",
      listen: zinit.box.path("q"),
      backend: zinit.box.path("back"),
      service: "web",
    };
    expect(await zinit.call("xinet.set", { config })).toEqual({ ok: true });
    expect(await zinit.call("xinet.list")).toEqual(["p", "q"]);
    await zinit.until("its socket", () => existsSync(config.listen));
    expect(await ask(config.listen, "hello")).toBe("HELLO");
  });
});

describe("bytes", () => {
  test("the end of each direction is passed on by itself", async ({ zinit }) => {
    const { front, backend } = await withProxy(zinit);
    const socket = await open(front);
    const answer = rest(socket);
    socket.end("all I have to say");
    expect(await answer).toBe("ALL I HAVE TO SAY");
    socket.destroy();
    await active(zinit, 0);
    backend.close();
  });

  test("numbers", async ({ zinit }) => {
    const { front } = await withProxy(zinit);
    for (let count = 0; count < 3; count++) await ask(front, "12345");
    await zinit.until("all of them", async () => {
      const { total_connections, bytes_to_backend, bytes_from_backend } = await status(zinit);
      return total_connections === 3 && bytes_to_backend === 15 && bytes_from_backend === 15;
    });
    await active(zinit, 0);
  });

  ours("numbers are those of now, not of the last end", async ({ zinit }) => {
    const { front } = await withProxy(zinit);
    const socket = await open(front);
    socket.write("hello");
    expect(await next(socket, 5)).toBe("HELLO");
    expect(await status(zinit)).toMatchObject({ active_connections: 1, bytes_to_backend: 5 });
    socket.destroy();
  });

  test("one client at a time, if that is wanted", async ({ zinit }) => {
    const { front } = await withProxy(zinit, { single_connection: true });
    const first = await open(front);
    first.write("a");
    await next(first, 1);
    expect(await rest(await open(front))).toBe("");
    first.destroy();
    await active(zinit, 0);
    expect(await ask(front, "next")).toBe("NEXT");
  });

  ours("a reset of either side is passed on at once (46)", async ({ zinit }) => {
    zinit.service("web", "sleep 999", NEVER);
    await zinit.start();
    const [port, backPort] = [await freePort(), await freePort()];
    const backend = await Backend.open(backPort, () => {});
    await set(zinit, { listen: `127.0.0.1:${port}`, backend: `127.0.0.1:${backPort}` });
    const client = await open(port);
    await zinit.until("its backend", () => backend.sockets.length === 1);
    client.resetAndDestroy();
    await closed(backend.sockets[0] ?? client);
    const other = await open(port);
    await zinit.until("its backend", () => backend.sockets.length === 2);
    backend.sockets[1]?.resetAndDestroy();
    await closed(other);
    await active(zinit, 0);
    backend.close();
  });

  ours("a slow reader holds up a fast writer and costs no memory", async ({ zinit }) => {
    const { front } = await withProxy(zinit);
    const pid = await zinit.up.pid();
    const [path, size] = [zinit.box.path("slow"), 256 << 20];
    let received = 0;
    const server = createServer((socket) => {
      socket.pause();
      const read = () => {
        const bytes: Buffer | null = socket.read();
        received += bytes?.length ?? 0;
      };
      socket.on("readable", () => setTimeout(read, received < 4 << 20 ? 5 : 0));
    }).listen(path);
    await set(zinit, { listen: [front], backend: path });
    // One connection before, so that what all of them need is there.
    (await open(front)).end("x");
    await zinit.until("the first byte", () => received === 1);
    const before = memoryOf(pid, "Rss") ?? 0;
    let most = 0;
    const socket = await open(front);
    const piece = Buffer.alloc(1 << 20, 1);
    for (let sent = 0; sent < size; sent += piece.length) {
      if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve));
      most = Math.max(most, memoryOf(pid, "Rss") ?? 0);
    }
    socket.end();
    await zinit.until("all of it", () => received === size + 1);
    expect(most - before).toBeLessThan(1024);
    server.close();
  });
});

describe("the service", () => {
  ours("is started by the first client, who waits for it (5, 33)", async ({ zinit }) => {
    const [front, back] = [zinit.box.path("front"), zinit.box.path("back")];
    zinit.service("web", "sleep 999", { ...OFF, ...NEVER });
    await zinit.start();
    await set(zinit, { listen: [front], backend: back });
    const answers = [ask(front, "one"), ask(front, "two")];
    await zinit.reaches("web", "running");
    await active(zinit, 2);
    // It runs, but takes no connections yet.
    await pause(50);
    const backend = await Backend.open(back, shout);
    expect(await Promise.all(answers)).toEqual(["ONE", "TWO"]);
    backend.close();
  });

  ours("has until the client's time is over, also when its start fails", async ({ zinit }) => {
    const front = zinit.box.path("front");
    zinit.service("web", "exit 1", { ...OFF, ...NEVER });
    await zinit.start();
    await set(zinit, { listen: [front], backend: zinit.box.path("back"), connect_timeout: 1 });
    const start = Date.now();
    expect(await ask(front, "hello")).toBe("");
    expect(Date.now() - start).toBeGreaterThanOrEqual(950);
    await zinit.reaches("web", "failed");
    await active(zinit, 0);
  });

  test("that is up is asked once", async ({ zinit }) => {
    const { front, backend } = await withProxy(zinit);
    backend.close();
    expect(await ask(front, "hello")).toBe("");
    await active(zinit, 0);
  });

  ours("that does not exist turns clients away", async ({ zinit }) => {
    const front = zinit.box.path("front");
    await zinit.start();
    await set(zinit, { listen: [front], backend: zinit.box.path("back"), service: "nobody" });
    expect(await ask(front, "hello")).toBe("");
    expect((await status(zinit)).running).toBe(true);
  });

  ours("is stopped when nobody has used it for long enough, and not before (33)", async ({ zinit }) => {
    const { front } = await withProxy(zinit, { idle_timeout: 1 });
    const socket = await open(front);
    await active(zinit, 1);
    const held = Date.now();
    await pause(1500);
    expect((await zinit.status("web")).state).toBe("running");
    socket.destroy();
    const freed = Date.now();
    await zinit.reaches("web", "exited");
    expect(Date.now() - Math.max(held, freed)).toBeGreaterThanOrEqual(950);
    expect(await ask(front, "again")).toBe("AGAIN");
    expect((await zinit.status("web")).state).toBe("running");
  });
});

describe("one after another", () => {
  test("a set proxy takes the place of the former, whose connections go on", async ({ zinit }) => {
    const { front } = await withProxy(zinit);
    const socket = await open(front);
    socket.write("a");
    await next(socket, 1);
    const [newFront, newBack] = [zinit.box.path("new-front"), zinit.box.path("new-back")];
    const other = await Backend.open(newBack, (served) => served.end("other"));
    await set(zinit, { listen: [newFront], backend: newBack });
    expect(existsSync(front)).toBe(false);
    expect(await ask(newFront, "x")).toBe("other");
    socket.write("b");
    expect(await next(socket, 1)).toBe("B");
    socket.destroy();
    other.close();
  });

  test("a dead socket makes room", async ({ zinit }) => {
    const dead = zinit.box.path("front");
    leaveDeadSocket(dead);
    const { front } = await withProxy(zinit);
    expect(await ask(front, "hello")).toBe("HELLO");
  });

  ours("a live one, and any other file, is left alone", async ({ zinit }) => {
    const { front } = await withProxy(zinit);
    const file = zinit.box.path("file");
    writeFileSync(file, "precious");
    const listen = [front, file];
    await zinit.call("xinet.set", { name: "q", listen, backend: zinit.box.path("back"), service: "web" });
    await zinit.until("what is wrong", () =>
      /cannot listen on unix:.*file/.test(zinit.running.out + zinit.running.err),
    );
    expect(readFileSync(file, "utf8")).toBe("precious");
    expect((await status(zinit, "q")).running).toBe(false);
    expect(await ask(front, "hello")).toBe("HELLO");
  });

  ours("sockets go with the server", async ({ zinit }) => {
    const { front } = await withProxy(zinit);
    await zinit.shutdown();
    expect(existsSync(front)).toBe(false);
  });
});

/** Its file stays only if nobody closes it in order. */
function leaveDeadSocket(path: string): void {
  const script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()";
  execFileSync("python3", ["-c", script, path]);
  expect(existsSync(path)).toBe(true);
}

describe("persistence", () => {
  ours("what is to stay is there after the next start; the rest is not", async ({ zinit }) => {
    const { front } = await withProxy(zinit, { persist: true });
    const more = { backend: zinit.box.path("back"), service: "web" };
    await zinit.call("xinet.set", { config: { ...more, name: "gone", listen: [zinit.box.path("gone")] } });
    expect(kept(zinit)).toEqual({
      proxies: [
        {
          name: "p",
          listen: [`unix:${front}`],
          backend: `unix:${zinit.box.path("back")}`,
          service: "web",
          connect_timeout: 30,
          idle_timeout: 0,
          single_connection: false,
        },
      ],
    });
    await zinit.shutdown();
    await zinit.start();
    expect(await zinit.call("xinet.list")).toEqual(["p"]);
    expect(await ask(front, "hello")).toBe("HELLO");
    await zinit.call("xinet.delete", { name: "p" });
    expect(kept(zinit)).toEqual({ proxies: [] });
    await zinit.shutdown();
    await zinit.start();
    expect(await zinit.call("xinet.list")).toEqual([]);
  });
});

function kept(zinit: Zinit): unknown {
  return JSON.parse(readFileSync(`${zinit.configDir}/.xinet.json`, "utf8"));
}

describe("a lost brain", () => {
  ours("costs no connection and no proxy", async ({ zinit }) => {
    mkdirSync(zinit.box.path("bin"), { recursive: true });
    symlinkSync(oneupFaults(), zinit.box.path("bin/zinit-server"));
    const { front } = await withProxy(zinit, { idle_timeout: 1 });
    const socket = await open(front);
    socket.write("before");
    expect(await next(socket, 6)).toBe("BEFORE");
    const lost = await call(zinit.socket, "POST", "/v1/debug/brain", { body: { fault: "throw" } });
    expect(lost.status).toBe(503);
    socket.write("after");
    expect(await next(socket, 5)).toBe("AFTER");
    expect(await ask(front, "new")).toBe("NEW");
    expect(await status(zinit)).toMatchObject({ active_connections: 1, total_connections: 2 });
    socket.destroy();
    await zinit.reaches("web", "exited");
    expect(await ask(front, "again")).toBe("AGAIN");
  });
});

describe("the command line", () => {
  test("register, list, status, unregister", async ({ zinit }) => {
    zinit.service("web", "sleep 999", NEVER);
    await zinit.start();
    expect((await zinit.cli("xinet", "list")).out).toBe("No xinet proxies registered\n");
    expect((await zinit.cli("xinet", "status")).out).toBe("No xinet proxies registered\n");
  });

  for (const [register, unregister, single] of [
    ["register", "unregister", "--single"],
    ["set", "delete", "--single-connection"],
  ] as const) {
    ours(`${register} and ${unregister} (31, 32)`, async ({ zinit }) => {
      const { backend } = await withProxy(zinit);
      const port = await freePort();
      const address = ["-l", `127.0.0.1:${port}`, "--listen", `unix:${zinit.box.path("cli")}`];
      const more = ["-b", `unix:${zinit.box.path("back")}`, "--service", "web", single];
      const set = await zinit.cli("xinet", register, "cli", ...address, ...more, "--connect-timeout", "5");
      expect([set.code, set.out]).toEqual([0, "Set xinet proxy 'cli'\n"]);
      expect((await zinit.cli("xinet", "list")).out).toBe("Registered xinet proxies:\n  p\n  cli\n");
      await zinit.until("a listener", async () => (await status(zinit, "cli")).running);
      expect(await ask(port, "hello")).toBe("HELLO");
      await zinit.until("its end", async () => (await status(zinit, "cli")).active_connections === 0);
      expect((await zinit.cli("xinet", "status", "cli")).out).toBe(
        "Proxy: cli\n  Status:  running\n  Connections: 0 active\n",
      );
      expect((await zinit.cli("xinet", "status")).out).toContain(
        [
          "Proxy: cli",
          `  Listen:  "tcp:127.0.0.1:${port}, unix:${zinit.box.path("cli")}"`,
          `  Backend: "unix:${zinit.box.path("back")}"`,
          "  Service: web",
          "  Status:  running",
          "  Connections: 0 active, 1 total",
          "  Traffic: 5 bytes in, 5 bytes out",
        ].join("\n"),
      );
      const deleted = await zinit.cli("xinet", unregister, "cli");
      expect([deleted.code, deleted.out]).toEqual([0, "Unregistered xinet proxy 'cli'\n"]);
      const again = await zinit.cli("xinet", unregister, "cli");
      expect(again.code).toBe(1);
      expect(again.err).toContain("Proxy 'cli' not found");
      backend.close();
    });
  }
});

describe("many", () => {
  ours(
    "10,000 connections one after the other, 1,000 at once, and nothing is left of them",
    async ({ zinit }) => {
      const { front } = await withProxy(zinit);
      const pid = await zinit.up.pid();
      for (let count = 0; count < 200; count++) await ask(front, "warm");
      await active(zinit, 0);
      await hold(zinit, front, 1000);
      const memory = memoryOf(pid, "Pss_Anon") ?? 0;
      const descriptors = descriptorsOf(pid).size;
      const worker = async () => {
        for (let count = 0; count < 1250; count++) await ask(front, "x");
      };
      await Promise.all(Array.from({ length: 8 }, worker));
      await active(zinit, 0);
      await hold(zinit, front, 1000);
      expect((await status(zinit)).total_connections).toBe(12_200);
      await zinit.until("all descriptors", () => descriptorsOf(pid).size <= descriptors);
      expect((memoryOf(pid, "Pss_Anon") ?? 0) - memory).toBeLessThan(512);
    },
  );
});

ours("more clients than there are descriptors: some wait, and nothing else suffers", async ({ zinit }) => {
  const { front } = await withProxy(zinit, {}, { prelude: "ulimit -n 256" });
  const sockets = await Promise.all(Array.from({ length: 200 }, () => open(front)));
  const answers = sockets.map((socket) => {
    socket.write("held");
    return next(socket, 4);
  });
  await Promise.all(answers.slice(0, 50));
  const served = (await status(zinit)).active_connections;
  expect(served).toBeLessThan(100);
  const { pid } = await zinit.status("web");
  await zinit.call("service.restart", { name: "web" });
  await zinit.reaches("web", "running", (now) => now.pid !== pid);
  for (const [index, socket] of sockets.entries()) {
    expect(await answers[index]).toBe("HELD");
    socket.destroy();
  }
  await active(zinit, 0);
});

async function hold(zinit: Zinit, place: Place, count: number): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: count }, () => open(place)));
  for (const socket of sockets) socket.write("held");
  expect(await Promise.all(sockets.map((socket) => next(socket, 4)))).toEqual(Array(count).fill("HELD"));
  await active(zinit, count);
  for (const socket of sockets) socket.destroy();
  await active(zinit, 0);
}
