/** The HTTP API. */

import { Agent, request } from "node:http";
import { connect, createServer } from "node:net";
import { describe } from "vitest";
import { expect, ours, type Supervisors, sh, test, theirs } from "./harness.ts";

const HELLO = "Supervisor Running. Check /status";

async function withOne(supervisors: Supervisors): Promise<void> {
  await supervisors.programs({ web: sh("exec sleep 99") });
  await supervisors.start();
}

describe("what is answered", () => {
  test("GET /", async ({ supervisors }) => {
    await withOne(supervisors);
    const answer = await supervisors.get("/");
    expect(answer).toMatchObject({ status: 200, text: HELLO });
    expect(answer.headers).toMatchObject({
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(HELLO.length),
      date: expect.stringMatching(/GMT$/),
    });
  });

  test("GET /status", async ({ supervisors }) => {
    await withOne(supervisors);
    await supervisors.isRunning("web", true);
    const answer = await supervisors.get("/status");
    expect(answer).toMatchObject({ status: 200, text: '[{"name":"web","running":true}]' });
    expect(answer.headers["content-type"]).toBe("application/json");
  });

  test("HEAD of both: the same without a body", async ({ supervisors }) => {
    await withOne(supervisors);
    await supervisors.isRunning("web", true);
    for (const path of ["/", "/status"]) {
      const [full, head] = [await supervisors.get(path), await supervisors.get(path, "HEAD")];
      expect(head).toMatchObject({ status: 200, text: "" });
      for (const name of ["content-type", "content-length"])
        expect(head.headers[name]).toBe(full.headers[name]);
    }
  });

  test("other methods are not allowed", async ({ supervisors }) => {
    await withOne(supervisors);
    for (const path of ["/", "/status"]) {
      for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
        const answer = await supervisors.get(path, method);
        expect([method, answer.status, answer.text]).toEqual([method, 405, ""]);
        expect(answer.headers.allow).toBe("GET,HEAD");
      }
    }
  });

  test("nothing else is there, of oneup neither", async ({ supervisors }) => {
    await withOne(supervisors);
    for (const path of [
      "/status/",
      "/Status",
      "/nothing",
      "//",
      "/v1/services",
      "/metrics",
      "/openapi.json",
    ]) {
      const answer = await supervisors.get(path);
      expect([path, answer.status, answer.text]).toEqual([path, 404, ""]);
    }
    expect((await supervisors.get("/v1/shutdown", "POST")).status).toBe(404);
  });

  test("a query is ignored", async ({ supervisors }) => {
    await withOne(supervisors);
    expect((await supervisors.get("/?a=b&c")).text).toBe(HELLO);
    expect((await supervisors.get("/status?x")).status).toBe(200);
  });

  test("by whatever name it is called, from whatever page", async ({ supervisors }) => {
    await withOne(supervisors);
    const headers = { host: "example.org", origin: "https://example.org" };
    expect((await supervisors.get("/", "GET", headers)).status).toBe(200);
  });

  test("several requests on one connection", async ({ supervisors }) => {
    await withOne(supervisors);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (const path of ["/", "/status", "/"]) {
      await new Promise<void>((resolve, reject) => {
        const sent = request({ host: "127.0.0.1", port: supervisors.port, path, agent }, (got) => {
          ports.add(got.socket.localPort);
          got.resume().on("end", () => resolve());
        });
        sent.on("error", reject);
        sent.end();
      });
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  ours("B4: GET /health as the documents promise it", async ({ supervisors }) => {
    await withOne(supervisors);
    expect(await supervisors.get("/health")).toMatchObject({ status: 200, text: HELLO });
    expect(await supervisors.get("/health", "HEAD")).toMatchObject({ status: 200, text: "" });
    expect((await supervisors.get("/health", "POST")).status).toBe(405);
  });

  theirs("B4: there is none", async ({ supervisors }) => {
    await withOne(supervisors);
    expect((await supervisors.get("/health")).status).toBe(404);
  });
});

describe("who only wants to be in the way", () => {
  ours("may announce a megabyte: it is not waited for", async ({ supervisors }) => {
    await withOne(supervisors);
    const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    const socket = connect(supervisors.port, "127.0.0.1");
    const answer = await new Promise<string>((resolve, reject) => {
      socket.on("data", (data) => resolve(data.toString())).on("error", reject);
      socket.on("close", () => reject(new Error("closed without an answer")));
      socket.write(head);
    });
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
  });

  // The places for clients are numbered.
  ours("and takes no answers is left", async ({ supervisors }) => {
    await withOne(supervisors);
    const script = `
import select, socket, sys
client = socket.socket()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
client.connect(("127.0.0.1", int(sys.argv[1])))
client.setblocking(False)
try:
    while select.select([], [client], [], 1)[1]:
        client.send(b"GET /status HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 100)
    print("full", flush=True)
except ConnectionError:
    pass
poll = select.poll()
poll.register(client, select.POLLERR | select.POLLHUP)
print("left" if poll.poll(60000) else "still there")`;
    const end = await supervisors.box.run(["python3", "-c", script, String(supervisors.port)]);
    expect(end).toMatchObject({ out: "full\nleft\n", err: "" });
    expect((await supervisors.get("/status")).status).toBe(200);
  });
});

describe("running", () => {
  test("until its end, not in the pause after it, and again", async ({ supervisors }) => {
    await supervisors.programs({
      a: sh("while [ ! -e stop ]; do sleep 0.01; done; rm stop", { autorestart: true }),
    });
    await supervisors.start();
    await supervisors.isRunning("a", true);
    supervisors.box.write("stop", "");
    await supervisors.isRunning("a", false);
    await supervisors.isRunning("a", true);
  });
});

describe("where it listens", () => {
  test("is told as it was written", async ({ supervisors }) => {
    await withOne(supervisors);
    expect(await supervisors.lines(/^API/)).toEqual([
      `API listening on http://127.0.0.1:${supervisors.port}`,
    ]);
  });

  test("nowhere, with an empty address", async ({ supervisors }) => {
    await supervisors.programs({ web: sh("exec sleep 99") }, "");
    await supervisors.start();
    await supervisors.lines(/^\[web\] Starting/);
    expect(supervisors.running.out).not.toContain("API");
  });

  test("at localhost:3000 unless it is said", async ({ supervisors }) => {
    await supervisors.programs({ web: sh("exec sleep 99") }, null);
    await supervisors.start({ network: true, prelude: "ip link set lo up 2>/dev/null || :" });
    expect(await supervisors.lines(/^API/)).toEqual(["API listening on http://localhost:3000"]);
    const seen = await supervisors.until("its answer", async () => {
      const target = String(await supervisors.up.initPid());
      const argv = [
        "nsenter",
        "--target",
        target,
        "--net",
        "--",
        "curl",
        "-sf",
        "http://localhost:3000/status",
      ];
      const end = await supervisors.box.run(argv);
      return end.code === 0 ? end.out : null;
    });
    expect(seen).toBe('[{"name":"web","running":true}]');
  });
});

describe("B5: an address that cannot be had", () => {
  async function taken(use: (port: number) => Promise<void>): Promise<void> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    try {
      await use(address !== null && typeof address === "object" ? address.port : 0);
    } finally {
      server.close();
    }
  }

  test("is exit 101", async ({ supervisors }) => {
    await taken(async (port) => {
      await supervisors.programs({ a: sh("exec sleep 99") }, `127.0.0.1:${port}`);
      expect((await supervisors.run()).code).toBe(101);
    });
  });

  ours("B5: and nothing was started", async ({ supervisors }) => {
    await taken(async (port) => {
      await supervisors.programs({ a: sh("echo ran > marker") }, `127.0.0.1:${port}`);
      const end = await supervisors.run();
      expect(end).toMatchObject({ code: 101, out: "" });
      expect(end.err).toContain(`cannot listen on 127.0.0.1:${port}: Address already in use`);
      expect(supervisors.box.has("marker")).toBe(false);
    });
  });

  ours("B5: a host that nobody knows", async ({ supervisors }) => {
    await supervisors.programs({ a: sh("echo ran > marker") }, "no-such-host.invalid:3000");
    expect(await supervisors.run()).toMatchObject({ code: 101, out: "" });
    expect(supervisors.box.has("marker")).toBe(false);
  });
});
