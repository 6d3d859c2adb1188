/** When a service counts as ready: every way to say so, with real programs. */
import { describe } from "vitest";
import { type Box, expect, test } from "./harness/box.ts";
import { teller } from "./harness/paths.ts";
import { freePort } from "./harness/ports.ts";
import { pause } from "./harness/wait.ts";

/** One service `web` that is ready by this. */
const web = (command: string, ready: string, more = "") =>
  `[service.web]\ncommand = '''${command}'''\nready = ${ready}\n${more}\n`;

async function ready(box: Box, toml: string) {
  const up = await box.supervise(toml);
  await up.ready("web");
  return up;
}

describe("redis-server", () => {
  const server = (port: number) => `redis-server --port ${port} --save "" --appendonly no --bind 127.0.0.1`;

  test("by its port", async ({ box }) => {
    const port = await freePort();
    await ready(box, web(server(port), `{ tcp = ${port} }`));
  });

  test("by its own client", async ({ box }) => {
    const port = await freePort();
    await ready(box, web(server(port), `{ exec = "redis-cli -p ${port} ping" }`));
  });

  test("by what it logs", async ({ box }) => {
    const port = await freePort();
    const up = await ready(box, web(server(port), `{ log = "Ready to accept connections" }`));
    expect((await up.logText("web")).join("\n")).toContain("Ready to accept connections");
  });

  test("by its listening socket, and by all of them together", async ({ box }) => {
    const port = await freePort();
    const all = `{ listen = true, tcp = ${port}, exec = "redis-cli -p ${port} ping", log = "Ready to accept" }`;
    await ready(box, web(server(port), all));
  });
});

describe("nginx", () => {
  function nginx(box: Box, port: number, tls = false): string {
    const listen = tls
      ? `listen 127.0.0.1:${port} ssl; ssl_certificate ${box.path("cert.pem")}; ssl_certificate_key ${box.path("key.pem")};`
      : `listen 127.0.0.1:${port};`;
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${box.path(name)};`)
      .join(" ");
    box.write(
      "nginx.conf",
      `daemon off; worker_processes 1; pid ${box.path("nginx.pid")}; error_log stderr;
      events { worker_connections 64; }
      http { access_log off; ${temporary}
        server { ${listen}
          location = /health { add_header Content-Type text/plain; return 200 "all is well\\n"; }
          location = /teapot { return 418; }
          location = /host { return 200 "$host $http_x_probe"; }
          location / { return 503; } } }`,
    );
    return `nginx -e stderr -c ${box.path("nginx.conf")}`;
  }

  test("by a good answer over HTTP: status, body and headers", async ({ box }) => {
    const port = await freePort();
    const probe = (path: string, more = "") => `{ http = "http://127.0.0.1:${port}${path}"${more} }`;
    const up = await box.supervise(
      [
        web(nginx(box, port), probe("/health", ", body = 'all is w[a-z]+'")),
        ...[
          ["status", probe("/teapot", ', status = "200,418"')],
          [
            "header",
            probe(
              "/host",
              `, headers = { Host = "example.org", X-Probe = "yes" }, body = '^example\\.org yes$'`,
            ),
          ],
          ["wrong-status", probe("/nothing")],
          ["wrong-body", probe("/health", ', body = "nothing is well"')],
        ].map(
          ([name, probe]) => `[service.${name}]\ncommand = "imp pause"\nrequires = ["web"]\nready = ${probe}`,
        ),
      ].join("\n"),
    );
    for (const name of ["web", "status", "header"]) await up.ready(name);
    expect(await up.states()).toMatchObject({ "wrong-status": "starting", "wrong-body": "starting" });
  });

  test("that never answers well is too late, and says what it answered", async ({ box }) => {
    const port = await freePort();
    const probe = `{ http = "http://127.0.0.1:${port}/nothing" }`;
    const more = 'start-timeout = "2s"\nrestart = "never"';
    const up = await box.supervise(web(nginx(box, port), probe, more));
    const { cause } = await up.reaches("web", "failed");
    expect(cause).toMatch(/^not ready within 2s, last: http:\/\/127\.0\.0\.1:\d+\/nothing: .*503/);
  });

  test("over HTTPS with certificates of its own", async ({ box }) => {
    const port = await freePort();
    await certificates(box);
    const probe = (more: string) => `{ http = "https://localhost:${port}/health", ${more} }`;
    const up = await box.supervise(
      [
        web(nginx(box, port, true), probe('ca-file = "ca.pem"')),
        `[service.anyhow]\ncommand = "imp pause"\nrequires = ["web"]\nready = ${probe("insecure = true")}`,
        `[service.strict]\ncommand = "imp pause"\nrequires = ["web"]\nready = ${probe("status = 200")}\nstart-timeout = "2s"\nrestart = "never"`,
      ].join("\n"),
    );
    await up.ready("web");
    await up.ready("anyhow");
    const { cause } = await up.reaches("strict", "failed");
    expect(cause).toMatch(/certificate/i);
  });

  test("by its listening socket", async ({ box }) => {
    await ready(box, web(nginx(box, await freePort()), "{ listen = true }"));
  });
});

/** A certificate for localhost, and the one that vouches for it. */
async function certificates(box: Box): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const openssl = async (...words: string[]) => {
    const end = await box.run(["openssl", ...words], { cwd: box.folder });
    if (end.code !== 0) throw new Error(end.err);
  };
  box.write("names.txt", "subjectAltName = DNS:localhost, IP:127.0.0.1\n");
  await openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=test",
    "-days",
    "2",
  );
  await openssl("req", ...key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost");
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "names.txt", "-days", "2"];
  await openssl("x509", "-req", "-in", "request.pem", "-out", "cert.pem", ...signed);
}

describe("a listening socket", () => {
  test("counts from when it is there, whichever process of it has it", async ({ box }) => {
    box.write(
      "server.py",
      [
        "import os, socket, sys, time",
        "if os.fork() == 0:",
        "    s = socket.socket(socket.AF_UNIX)",
        "    s.bind(sys.argv[1])",
        "    while not os.path.exists(sys.argv[2]): time.sleep(0.005)",
        "    s.listen()",
        "while True: time.sleep(3600)",
      ].join("\n"),
    );
    const command = `python3 ${box.path("server.py")} ${box.path("own.sock")} ${box.path("go")}`;
    const up = await box.supervise(web(command, "{ listen = true }"));
    await up.reaches("web", "starting");
    await up.until("the socket", () => box.has("own.sock"));
    await pause(300);
    expect(await up.state("web")).toBe("starting");
    box.write("go", "");
    await up.ready("web");
  });
});

describe("what it tells by itself", () => {
  for (const [title, notify, tells] of [
    ["sd_notify, an abstract socket", "sd", "tell READY=1"],
    ["sd_notify, a socket at a path", "sd:notify.sock", "tell READY=1"],
    ["a line on a descriptor", "fd:3", "tell-fd 3"],
    ["a line on another descriptor", "fd:17", "tell-fd 17"],
  ] as const) {
    test(title, async ({ box }) => {
      const command = teller(`print NOTIFY_SOCKET until ${box.path("go")} ${tells} pause`);
      const up = await box.supervise(web(command, `{ notify = "${notify}" }`));
      await up.until("its line", async () => (await up.logText("web")).length > 0);
      const [line = ""] = await up.logText("web");
      const expected = { sd: /=@/, "sd:notify.sock": /=\/.*notify\.sock$/ }[notify as string] ?? /=missing/;
      expect(line).toMatch(expected);
      expect(await up.state("web")).toBe("starting");
      box.write("go", "");
      const { cause } = await up.ready("web");
      expect(cause).toMatch(/^ready after/);
    });
  }

  test("a child of it may tell", async ({ box }) => {
    await ready(box, web(teller("fork tell READY=1 - pause"), '{ notify = "sd" }'));
  });

  test("node, too", async ({ box }) => {
    // Node has no datagram sockets of this kind; s6's way needs none.
    box.write("ready.mjs", 'import fs from "node:fs"; fs.writeSync(3, "\\n"); setInterval(() => {}, 1e6);\n');
    await ready(box, web(`node ${box.path("ready.mjs")}`, '{ notify = "fd:3" }'));
  });

  test("READY=1 of a stranger counts for nothing", async ({ box }) => {
    const up = await box.supervise(
      [
        web(teller("print NOTIFY_SOCKET pause"), '{ notify = "sd" }'),
        `[service.stranger]\ncommand = '''${teller(`until ${box.path("whom")} pause`)}'''`,
      ].join("\n"),
    );
    await up.until("its line", async () => (await up.logText("web")).length > 0);
    const [line = ""] = await up.logText("web");
    const name = line.replace("NOTIFY_SOCKET=", "");
    const liar = await up.inside(["env", `NOTIFY_SOCKET=${name}`, ...teller("tell READY=1").split(" ")]);
    expect(liar.code, liar.err).toBe(0);
    await pause(300);
    expect(await up.state("web")).toBe("starting");
  });
});

test("no try before the initial delay", async ({ box }) => {
  const file = box.write("here", "");
  const up = await box.supervise(web("imp pause", `{ file = "${file}", initial-delay = "1500ms" }`));
  const { cause } = await up.ready("web");
  expect(cause).toMatch(/^ready after (1\.[5-9]|[2-9])/);
});
