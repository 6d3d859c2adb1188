/** What changes which services there are, over the socket. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, ours, type Status, test, type Zinit } from "./harness.ts";

const OK = { ok: true };

function set(
  zinit: Zinit,
  name: string,
  more: { service?: object; [section: string]: object | undefined } = {},
) {
  const { service, ...rest } = more;
  return zinit.call("service.set", { config: { service: { name, exec: "sleep 99", ...service }, ...rest } });
}

function names(zinit: Zinit): Promise<unknown> {
  return zinit.call("service.list");
}

test("a new service runs, and is written to its file", async ({ zinit }) => {
  await zinit.start();
  expect(await set(zinit, "web", { service: { env: { A: "1" } } })).toEqual({
    name: "web",
    path: join(zinit.configDir, "web.toml"),
    warnings: [],
  });
  expect(await zinit.status("web")).toMatchObject({ state: "running" });
  expect(zinit.box.read("services/web.toml")).toContain('exec = "sleep 99"');
  // The definition may stand there without `config` around it.
  expect(await zinit.call("service.set", { service: { name: "bare", exec: "sleep 99" } })).toMatchObject({
    name: "bare",
  });
  await set(zinit, "off", { service: { status: "stop" } });
  expect(await zinit.status("off")).toMatchObject({ state: "inactive" });
  expect(await names(zinit)).toEqual(["web", "bare", "off"]);
});

test("what is wrong with a definition", async ({ zinit }) => {
  await zinit.start();
  const error = (config: object) => zinit.error("service.set", { config });
  expect(await error({ service: { name: "a b", exec: "" } })).toEqual({
    code: -32011,
    message: "Validation failed",
    data: {
      errors: [
        "service.name 'a b' contains invalid characters (use alphanumeric, dash, underscore)",
        "service.exec cannot be empty",
      ],
    },
  });
  expect(await error({ service: { name: "x", exec: "/no/such/program --flag" } })).toEqual({
    code: -32013,
    message: "Executable not found: /no/such/program",
  });
  const service = { name: "x", exec: "sleep 99" };
  expect(await error({ service, dependencies: { requires: ["ghost"] } })).toEqual({
    code: -32012,
    message: "Dependency 'ghost' not found",
  });
  for (const config of [{}, { service: { name: "x" } }, { service: { ...service, oneshot: "yes" } }]) {
    expect(await error(config)).toMatchObject({ code: -32602, message: expect.any(String) });
  }
  expect(await error({ service: { ...service, class: "none" } })).toEqual({
    code: -32602,
    message: "unknown variant `none`, expected `user` or `system`",
  });
  expect(await names(zinit)).toEqual([]);
});

ours("24: a definition replaces another in place", async ({ zinit }) => {
  zinit.file("first.toml", '[service]\nname = "web"\nexec = "sleep 98"\n');
  zinit.service("db", "sleep 99");
  zinit.service("app", "sleep 99", { dependencies: { requires: ["web"] } });
  await zinit.start();
  const before = await zinit.reaches("web", "running");
  const app = await zinit.reaches("app", "running");
  // 15: to the file that defines it, whatever its name.
  expect(await set(zinit, "web", { lifecycle: { restart: "never" } })).toEqual({
    name: "web",
    path: join(zinit.configDir, "first.toml"),
    warnings: [],
  });
  const after = await zinit.status("web");
  expect(after).toMatchObject({ state: "running" });
  expect(after.pid).not.toBe(before.pid);
  expect(await zinit.call("service.get", { name: "web" })).toMatchObject({
    service: { exec: "sleep 99" },
    lifecycle: { restart: "never" },
  });
  expect(zinit.box.has("services/web.toml")).toBe(false);
  expect(await zinit.status("app")).toMatchObject({ state: "running", pid: app.pid });
  expect(await names(zinit)).toEqual(["app", "db", "web"]);
});

ours("24: what is not to be started by itself does not run after it was defined", async ({ zinit }) => {
  const define = (status: string, exec: string) =>
    zinit.call("service.set", { config: { service: { name: "web", exec, status } } });
  await zinit.start();
  for (const status of ["stop", "ignore"]) {
    await define("start", "sleep 99");
    await zinit.reaches("web", "running");
    await define(status, "sleep 98");
    await zinit.reaches("web", ["exited", "inactive"]);
    await zinit.call("service.start", { name: "web" });
    await zinit.reaches("web", "running");
    await define(status, "sleep 97");
    await zinit.reaches("web", ["exited", "inactive"]);
  }
  await define("start", "sleep 96");
  await zinit.reaches("web", "running");
});

ours("24: what is wanted need not be there, but nobody waits for itself", async ({ zinit }) => {
  await zinit.start();
  await set(zinit, "web", { dependencies: { wants: ["ghost"] } });
  expect(await zinit.status("web")).toMatchObject({ state: "running" });
  const config = { service: { name: "self", exec: "sleep 99" }, dependencies: { requires: ["self"] } };
  expect(await zinit.error("service.set", { config })).toMatchObject({ code: expect.any(Number) });
});

test("delete stops a service and removes its file", async ({ zinit }) => {
  zinit.service("web", "sleep 99");
  zinit.service("off", "sleep 99", { service: { status: "stop" } });
  await zinit.start();
  const { pid } = await zinit.reaches("web", "running");
  expect(pid).toBeGreaterThan(0);
  expect(await zinit.call("service.delete", { name: "web" })).toEqual(OK);
  expect(await zinit.call("service.remove", { name: "off" })).toEqual(OK);
  expect(await names(zinit)).toEqual([]);
  expect(zinit.box.has("services/web.toml")).toBe(false);
  expect(zinit.box.has("services/off.toml")).toBe(false);
});

ours("14, 15, 16: delete takes along what requires it, with the files that define it", async ({ zinit }) => {
  zinit.file("other.toml", '[service]\nname = "db"\nexec = "sleep 99"\n');
  zinit.service("web", "echo up; sleep 99", { dependencies: { requires: ["db"] } });
  zinit.service("beside", "echo up; sleep 99", { dependencies: { after: ["db"], wants: ["db"] } });
  await zinit.start();
  await zinit.reaches("web", "running");
  const { pid } = await zinit.reaches("beside", "running");
  const lines = () => zinit.call("logs.get", { name: "beside" });
  const [line] = await zinit.until("its line", async () => {
    const found = await lines();
    return Array.isArray(found) && found.length > 0 ? found : null;
  });
  await zinit.call("service.delete", { name: "db" });
  expect(await names(zinit)).toEqual(["beside"]);
  for (const [file, there] of Object.entries({ other: false, db: false, web: false, beside: true })) {
    expect({ file, there: zinit.box.has(`services/${file}.toml`) }).toEqual({ file, there });
  }
  expect(await zinit.status("beside")).toMatchObject({ state: "running", pid });
  expect(await lines()).toEqual([line]);
});

ours("25: nobody waits for a delete that takes long", async ({ zinit }) => {
  const stubborn = "trap '' TERM; echo up; while :; do sleep 0.1; done";
  zinit.service("slow", stubborn, { lifecycle: { stop_timeout_ms: 60_000 } });
  zinit.service("web", "sleep 99");
  await zinit.start();
  await zinit.reaches("slow", "running");
  await zinit.until("its trap", async () => {
    const lines = await zinit.call("logs.get", { name: "slow" });
    return Array.isArray(lines) && lines.length > 0;
  });
  const deleted = zinit.call("service.delete", { name: "slow" });
  expect(await zinit.call("service.restart", { name: "web" })).toEqual(OK);
  expect(await deleted).toEqual(OK);
  await zinit.call("service.kill", { name: "slow", signal: "KILL" });
  await zinit.until("its end", async () => JSON.stringify(await names(zinit)) === '["web"]');
});

ours("older ways to add a service", async ({ zinit }) => {
  await zinit.start();
  const config = (name: string) => ({ config: { service: { name, exec: "sleep 99" } } });
  const path = (name: string) => join(zinit.configDir, `${name}.toml`);
  expect(await zinit.call("service.add", config("a"))).toEqual({ name: "a", warnings: [] });
  expect(await zinit.call("service.create", { ...config("b"), persist: true })).toEqual({
    name: "b",
    path: path("b"),
    warnings: [],
  });
  expect(await zinit.call("service.register", config("c"))).toMatchObject({ path: path("c") });
  expect(await zinit.call("service.monitor", config("d"))).toEqual({ name: "d", warnings: [] });
  expect(await zinit.error("service.add", config("a"))).toMatchObject({ code: -32010 });
  for (const name of ["a", "b", "c", "d"]) {
    expect(await zinit.status(name)).toMatchObject({ state: "running" });
    expect(zinit.box.has(`services/${name}.toml`)).toBe(name === "b" || name === "c");
  }
});

ours("28: the folder is read again", async ({ zinit }) => {
  for (const name of ["kept", "changed", "gone"]) zinit.service(name, "sleep 99");
  await zinit.start();
  const before: Record<string, Status> = {};
  for (const name of ["kept", "changed", "gone"]) before[name] = await zinit.reaches(name, "running");
  await zinit.call("service.add", { config: { service: { name: "tmp", exec: "sleep 99" } } });
  zinit.service("changed", "sleep 98");
  zinit.service("added", "sleep 99");
  zinit.service("waiting", "sleep 99", { dependencies: { requires: ["ghost"] } });
  zinit.file("bad.toml", "this is no file of zinit's");
  rmSync(join(zinit.configDir, "gone.toml"));
  expect(await zinit.call("service.reload")).toEqual({
    added: ["added", "waiting"],
    removed: ["gone"],
    changed: ["changed"],
    config_errors: [["waiting", "ghost"]],
  });
  expect(await zinit.status("added")).toMatchObject({ state: "running" });
  expect(await zinit.status("waiting")).toMatchObject({ error: "missing dependency 'ghost'" });
  expect(await zinit.error("service.status", { name: "gone" })).toMatchObject({ code: -32000 });
  expect(await zinit.status("tmp")).toMatchObject({ state: "running" });
  expect(await zinit.status("kept")).toEqual(before.kept);
  // Not before its next start.
  expect(await zinit.status("changed")).toEqual(before.changed);
  await zinit.call("service.restart", { name: "changed" });
  const { pid } = await zinit.reaches("changed", "running", (status) => status.pid !== before.changed?.pid);
  expect(pid).toBeGreaterThan(0);
  const { output } = (await zinit.call("debug.state")) as { output: string };
  expect(output).toContain("[+] changed - Running");
  expect(await zinit.call("service.get", { name: "changed" })).toMatchObject({
    service: { exec: "sleep 98" },
  });
});
