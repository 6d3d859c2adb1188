import { describe, expect, test } from "vitest";
import { good } from "./helpers.ts";

/** The whole format in one file, as far as its features exist. */
const EVERYTHING = `
[service.api]
command = "node server.js"
requires = ["db", { task = "migrate" }]
wants = ["cache"]
after = ["logger"]
conflicts = ["legacy-api"]
autostart = true
main = false

directory = "/srv/api"
user = "www"
group = "www"
groups = ["video"]
umask = "022"
environment = { PORT = "8080" }
environment-file = [".env", "?.env.local"]
clean-environment = false
nice = 0
oom-score-adjust = 0
limits = { nofile = 65536, core = "0" }
no-new-privileges = false

restart = "always"
restart-delay = "100ms"
restart-delay-max = "30s"
restart-reset = "10s"
restart-limit = 0
restart-window = "1m"
success-codes = [0]
no-restart-codes = []
on-failure = "ignore"

ready = { tcp = 5432 }
start-timeout = "30s"
stop = { signal = "TERM", timeout = "10s", tree = true }

log = { file = "logs/api.log", max-size = "10MiB", keep = 5, format = "text", console = true, lines = 1000 }
labels = { tier = "web" }

[service.db]
command = ["postgres", "-D", "data"]

[task.migrate]
command = "node migrate.js && echo done"
shell = true

[service.cache]
command = "redis-server"

[service.logger]
command = "logger"

[service.legacy-api]
command = "old"
autostart = false

[target.web]
requires = ["api"]
wants = ["cache"]

[supervisor]
shutdown-timeout = "60s"
api-listen = ""
api-token-file = ""
log-format = "text"
`;

describe("the format as a whole", () => {
  test("loads, and what is the default anyway is left out", () => {
    const { services } = good({ "oneup.toml": EVERYTHING, ".env": "TOKEN=1" }).config;
    expect(services[0]).toEqual({
      name: "api",
      argv: ["node", "server.js"],
      requires: [
        { name: "db", bind: false, start: true },
        { name: "migrate", bind: false, start: true },
      ],
      wants: ["cache"],
      after: [{ name: "logger", until: "ready" }],
      conflicts: [{ name: "legacy-api", wait: false }],
      directory: "/srv/api",
      user: "www",
      group: "www",
      groups: ["video"],
      umask: 18,
      environment: { TOKEN: "1", PORT: "8080" },
      nice: 0,
      oomScoreAdjust: 0,
      limits: { nofile: { soft: 65536, hard: 65536 }, core: { soft: 0, hard: 0 } },
      ready: [{ type: "tcp", host: "127.0.0.1", port: 5432 }],
      log: {
        file: "/proj/logs/api.log",
        maxSize: 10_485_760,
        keep: 5,
        split: false,
        stamp: false,
        format: "text",
        console: true,
        lines: 1000,
      },
      labels: { tier: "web" },
    });
    expect(services.slice(1)).toEqual([
      { name: "db", argv: ["postgres", "-D", "data"], directory: "/proj" },
      { name: "cache", argv: ["redis-server"], directory: "/proj" },
      { name: "logger", argv: ["logger"], directory: "/proj" },
      { name: "legacy-api", argv: ["old"], directory: "/proj", autostart: false },
      {
        name: "migrate",
        kind: "task",
        argv: ["/bin/sh", "-c", "node migrate.js && echo done"],
        directory: "/proj",
        restart: "never",
        startTimeoutMs: 0,
      },
      {
        name: "web",
        kind: "target",
        requires: [{ name: "api", bind: false, start: true }],
        wants: ["cache"],
      },
    ]);
  });
});
