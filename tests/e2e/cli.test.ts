/** The command line: verbs, exit codes, JSON documents, finding the right supervisor. */
import { readdirSync, readlinkSync } from "node:fs";
import { describe } from "vitest";
import { expect, test } from "./harness/box.ts";
import { oneup } from "./harness/paths.ts";
import * as shapes from "./harness/shapes.ts";
import { until } from "./harness/wait.ts";

const config = `
[service.db]
command = "imp pause"
[service.web]
command = "imp pause"
requires = ["db"]
[service.off]
command = "imp pause"
autostart = false
[task.setup]
command = "imp exit 0"
[service.broken]
command = "/no/such/program"
`;

/** What they answer to `--version`: to Lua it is a comment, and horust does not know it. */
const VERSIONS: Readonly<Record<string, [number, string]>> = {
  horust: [2, ""],
  horustctl: [0, "horustctl 0.1.14\n"],
  luavisors: [0, ""],
  supervisors: [0, "supervisors 0.1.4\n"],
};

describe("without a supervisor", () => {
  test("version, --version, --help, help of each verb", async ({ box }) => {
    const version = await box.oneup(["version"]);
    expect(version).toMatchObject({ code: 0, err: "" });
    expect(version.out).toMatch(/^oneup \d+\.\d+\.\d+\n$/);
    expect((await box.oneup(["--version"])).out).toMatch(/\d+\.\d+\.\d+/);
    expect((await box.oneup(["version", "--json"])).json()).toEqual({
      name: "oneup",
      version: expect.stringMatching(/^\d/),
    });
    const help = await box.oneup(["--help"]);
    expect(help.code).toBe(0);
    for (const verb of [
      "run",
      "check",
      "status",
      "tree",
      "why",
      "start",
      "stop",
      "restart",
      "kill",
      "wait",
      "logs",
      "events",
      "shutdown",
      "link",
      "as",
      "completion",
      "version",
    ]) {
      expect(help.out).toContain(verb);
      const own = await box.oneup([verb, "--help"]);
      expect(own.code, verb).toBe(0);
      expect(own.out, verb).toMatch(/example/i);
      expect(own.out).toContain(`oneup ${verb}`);
    }
  });

  test("wrong usage is 2, with the way out on stderr", async ({ box }) => {
    for (const args of [
      ["no-such-verb"],
      ["status", "--no-such-flag"],
      ["start"],
      ["stop"],
      ["restart"],
      ["why"],
      ["kill"],
      ["wait"],
      ["wait", "a", "--for", "lunch"],
      ["start", "a", "--timeout", "soon"],
      ["completion", "tcsh"],
      ["--socket"],
    ]) {
      const end = await box.oneup(args, { env: { ONEUP_SOCKET: box.path("none") } });
      expect(end.code, args.join(" ")).toBe(2);
      expect(end.err, args.join(" ")).not.toBe("");
      expect(end.out, args.join(" ")).toBe("");
    }
    expect((await box.oneup(["statu"])).err).toMatch(/status/);
  });

  test("no supervisor at that socket is 5, and the message names the socket", async ({ box }) => {
    for (const args of [
      ["status"],
      ["tree"],
      ["why", "a"],
      ["start", "a"],
      ["stop", "a"],
      ["restart", "a"],
      ["kill", "a"],
      ["wait", "a"],
      ["logs"],
      ["events"],
      ["shutdown"],
    ]) {
      const end = await box.oneup([...args, "--socket", box.path("none")]);
      expect(end.code, args.join(" ")).toBe(5);
      expect(end.err).toContain(box.path("none"));
    }
  });

  test("nothing said, nobody there: the help", async ({ box }) => {
    const end = await box.oneup([], { env: { XDG_RUNTIME_DIR: box.path("x"), ONEUP_SOCKET: undefined } });
    expect(end.out + end.err).toMatch(/oneup run/);
  });

  test("completion for three shells, which they can read", async ({ box }) => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const end = await box.oneup(["completion", shell]);
      expect(end).toMatchObject({ code: 0, err: "" });
      expect(end.out).toContain("oneup");
    }
    const script = (await box.oneup(["completion", "bash"])).out;
    const bash = await box.run(["bash", "--norc", "-n"], { input: script });
    expect(bash).toMatchObject({ code: 0, err: "" });
    const complete = await box.run([
      "bash",
      "--norc",
      "-c",
      `${script}\nCOMP_WORDS=(oneup sta); COMP_CWORD=1; COMP_LINE="oneup sta"; COMP_POINT=9; $(complete -p oneup | sed 's/.*-F \\([^ ]*\\).*/\\1/') oneup sta oneup; echo "\${COMPREPLY[@]}"`,
    ]);
    expect(complete.out).toMatch(/start.*status|status.*start/);
  });

  test("link makes the personalities; `as` acts as one", async ({ box }) => {
    const bin = box.copy(oneup(), "bin/oneup");
    box.write("links/keep", "");
    const end = await box.oneup(["link", box.path("links")], { bin });
    expect(end.code, end.err).toBe(0);
    const names = readdirSync(box.path("links"))
      .filter((name) => name !== "keep")
      .sort();
    expect(names).toEqual([
      "horust",
      "horustctl",
      "luavisors",
      "supervisors",
      "zinit",
      "zinit-pid1",
      "zinit-server",
    ]);
    for (const name of names) expect(readlinkSync(box.path("links", name))).toContain("oneup");
    for (const name of names) {
      const called = await box.run([box.path("links", name), "--version"]);
      const as = await box.oneup(["as", name, "--version"]);
      expect([as.code, as.out, as.err], name).toEqual([called.code, called.out, called.err]);
      expect([called.code, called.out], name).toEqual(VERSIONS[name] ?? [0, `${name} 0.3.9\n`]);
    }
    expect((await box.oneup(["as", "systemd"])).code).toBe(2);
  });

  test("a reader that goes away ends a verb quietly", async ({ box }) => {
    const end = await box.run(["sh", "-c", `"${oneup()}" --help | head -c 1; :`]);
    expect(end.err).toBe("");
  });
});

describe("status", () => {
  test("0 with a supervisor, 3 for what does not run, 4 for who is not there", async ({ box }) => {
    const up = await box.supervise(config);
    await up.reaches("web", "running");
    await up.reaches("broken", "failed");
    await up.reaches("setup", "exited");
    const code = async (...names: string[]) => (await up.cli(["status", ...names])).code;
    expect(await code()).toBe(0);
    expect(await code("db")).toBe(0);
    expect(await code("setup")).toBe(0);
    expect(await code("off")).toBe(3);
    expect(await code("broken")).toBe(3);
    expect(await code("db", "off")).toBe(3);
    expect(await code("nobody")).toBe(4);
    expect((await up.cli(["status", "nobdy", "web"])).code).toBe(4);
    expect((await up.cli(["status", "dd"])).err).toMatch(/dd/);
    const text = (await up.cli(["status"])).out;
    for (const name of ["db", "web", "off", "setup", "broken"]) expect(text).toContain(name);
    expect(text).toMatch(/cannot start|failed/);
    const services = shapes.services.parse(await up.json(["status"]));
    expect(services.map((each) => each.name).sort()).toEqual(["broken", "db", "off", "setup", "web"]);
    const two = shapes.services.parse((await up.cli(["status", "--json", "db", "off"])).json());
    expect(two.map((each) => each.name)).toEqual(["db", "off"]);
  });
});

describe("start, stop, restart, kill", () => {
  test("done is 0, what failed is 1, who is not there is 4", async ({ box }) => {
    const up = await box.supervise(config);
    await up.reaches("web", "running");
    expect((await up.cli(["start", "off"])).code).toBe(0);
    expect(await up.state("off")).toBe("running");
    expect((await up.cli(["stop", "off"])).code).toBe(0);
    expect(await up.state("off")).toBe("inactive");
    expect((await up.cli(["stop", "off"])).code).toBe(0);
    expect((await up.cli(["restart", "web", "off"])).code).toBe(0);
    expect(await up.states()).toMatchObject({ web: "running", off: "running" });
    const failed = await up.cli(["start", "broken"]);
    expect(failed.code).toBe(1);
    expect(failed.err).toMatch(/broken.*cannot start/s);
    for (const verb of ["start", "stop", "restart", "kill", "wait", "why", "logs"]) {
      expect((await up.cli([verb, "nobody"])).code, verb).toBe(4);
    }
    // One wrong name and nothing is done.
    expect((await up.cli(["stop", "web", "nobody"])).code).toBe(4);
    expect(await up.state("web")).toBe("running");
  });

  test("a stop prints a line per process; with --json the receipts", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp fork { touch ${box.path("up")} pause } pause"`,
    );
    await until("both", () => box.has("up"));
    const { pid } = await up.service("a");
    const text = await up.cli(["stop", "a"]);
    expect(text.code).toBe(0);
    expect(text.out.split("\n").filter((line) => line.includes("imp")).length).toBe(2);
    expect(text.out).toContain(String(pid));
    await up.start("a");
    const receipts = shapes.receipts.parse(await up.json(["stop", "a"]));
    expect(receipts).toMatchObject([{ service: "a", empty: true }]);
  });

  test("start and restart print services as JSON, kill the service", async ({ box }) => {
    const up = await box.supervise(config);
    await up.reaches("web", "running");
    expect(shapes.services.parse(await up.json(["start", "off", "web"])).map((each) => each.name)).toEqual([
      "off",
      "web",
    ]);
    expect(shapes.services.parse(await up.json(["restart", "off"]))).toMatchObject([
      { name: "off", state: "running" },
    ]);
    expect(shapes.service.parse(await up.json(["kill", "off", "CONT"]))).toMatchObject({ name: "off" });
  });

  test("--no-wait returns at once, --timeout ends with 124", async ({ box }) => {
    const up = await box.supervise(
      `[service.slow]\ncommand = "imp pause"\nready = { file = "${box.path("ok")}" }\nautostart = false
[service.stubborn]\ncommand = "imp ignore TERM touch ${box.path("up")} pause"\nstop = { timeout = "30s" }`,
    );
    await until("the stubborn one", () => box.has("up"));
    expect((await up.cli(["start", "slow", "--no-wait"])).code).toBe(0);
    expect(await up.state("slow")).toBe("starting");
    expect((await up.cli(["start", "slow", "--timeout", "200ms"])).code).toBe(124);
    expect((await up.cli(["stop", "stubborn", "--timeout", "200ms"])).code).toBe(124);
    expect(await up.state("stubborn")).toBe("stopping");
    box.write("ok", "");
    expect((await up.cli(["start", "slow"])).code).toBe(0);
  });

  test("kill: a signal by its name in any spelling, the default TERM", async ({ box }) => {
    const up = await box.supervise(
      `[service.a]\ncommand = "imp on USR1 ${box.path("usr1")} touch ${box.path("up")} pause"\nrestart-delay = "0s"`,
    );
    await until("the service", () => box.has("up"));
    for (const [n, name] of ["USR1", "SIGUSR1", "usr1"].entries()) {
      expect((await up.cli(["kill", "a", name])).code, name).toBe(0);
      await until("it to arrive", () => box.words("usr1").length === n + 1);
    }
    expect((await up.cli(["kill", "a", "NOPE"])).code).toBe(2);
    const { pid } = await up.service("a");
    expect((await up.cli(["kill", "a"])).code).toBe(0);
    await up.succeeded("a", pid ?? 0);
  });

  test("kill of what does not run is an error, not silence", async ({ box }) => {
    const up = await box.supervise(config);
    const end = await up.cli(["kill", "off"]);
    expect(end.code).toBe(1);
    expect(end.err).toMatch(/off/);
  });
});

describe("wait", () => {
  test("--for ready, stopped, succeeded; 124 when time is out; 1 when it cannot come any more", async ({
    box,
  }) => {
    const up = await box.supervise(`
[service.a]
command = "imp until ${box.path("go")} touch ${box.path("ok")} pause"
ready = { file = "${box.path("ok")}" }
[task.t]
command = "imp until ${box.path("done")} exit 0"
[task.bad]
command = "imp exit 1"`);
    expect((await up.cli(["wait", "a", "--timeout", "200ms"])).code).toBe(124);
    const ready = up.cli(["wait", "a", "--for", "ready"]);
    box.write("go", "");
    expect((await ready).code).toBe(0);
    const stopped = up.cli(["wait", "a", "--for", "stopped"]);
    await up.stop("a");
    expect((await stopped).code).toBe(0);
    const succeeded = up.cli(["wait", "t", "--for", "succeeded", "--json"]);
    box.write("done", "");
    const end = await succeeded;
    expect(end.code).toBe(0);
    expect(shapes.services.parse(end.json())).toMatchObject([{ name: "t", state: "exited" }]);
    expect((await up.cli(["wait", "bad", "--for", "succeeded"])).code).toBe(1);
  });
});

describe("tree, why, events, shutdown", () => {
  test("tree as text and JSON", async ({ box }) => {
    const up = await box.supervise(
      `${config}\n[service.extra]\ncommand = "imp pause"\nwants = ["db"]\nafter = ["web"]\nconflicts = ["off"]\n`,
    );
    const text = await up.cli(["tree"]);
    expect(text.code).toBe(0);
    expect(text.out).toMatch(/web[\s\S]*db/);
    const { services } = shapes.tree.parse(await up.json(["tree"]));
    const find = (name: string) => services.find((each) => each.name === name);
    expect(find("web")).toMatchObject({ requires: ["db"], wants: [] });
    expect(find("extra")).toMatchObject({ wants: ["db"], after: ["web"], conflicts: ["off"] });
  });

  test("why as text and JSON", async ({ box }) => {
    const up = await box.supervise(config);
    await up.reaches("broken", "failed");
    const text = await up.cli(["why", "broken"]);
    expect(text.code).toBe(0);
    expect(text.out).toMatch(/ENOENT|no such/i);
    expect(shapes.why.parse(await up.json(["why", "broken"]))).toMatchObject({
      service: "broken",
      state: "failed",
    });
    const two = await up.json(["why", "broken", "web"]);
    expect(Array.isArray(two) && two.map((each) => shapes.why.parse(each).service)).toEqual([
      "broken",
      "web",
    ]);
  });

  test("events as text and JSON", async ({ box }) => {
    const up = await box.supervise(config);
    await up.reaches("web", "running");
    expect((await up.cli(["events"])).out).toMatch(/web.*running/);
    expect(shapes.events.parse(await up.json(["events"])).length).toBeGreaterThan(3);
  });

  test("shutdown: 0, the receipts; afterwards 5", async ({ box }) => {
    const up = await box.supervise(config);
    await up.reaches("web", "running");
    const end = await up.cli(["shutdown", "--json"]);
    expect(end.code).toBe(0);
    const receipts = shapes.receipts.parse(end.json());
    expect(receipts.map((each) => each.service)).toEqual(expect.arrayContaining(["db", "web"]));
    expect((await up.ends()).code).toBe(0);
    expect((await up.cli(["status"])).code).toBe(5);
  });

  test("shutdown as text is a line per process", async ({ box }) => {
    const up = await box.supervise(config);
    await up.reaches("web", "running");
    const end = await up.cli(["shutdown"]);
    expect(end.code).toBe(0);
    expect(end.out.split("\n").filter((line) => line.includes("imp")).length).toBeGreaterThanOrEqual(2);
  });
});

describe("finding the supervisor", () => {
  test("--socket beats ONEUP_SOCKET beats the nearest oneup.toml upwards", async ({ box }) => {
    box.write("run/keep", "");
    box.write("project/deep/er/keep", "");
    box.write("project/oneup.toml", '[service.near]\ncommand = "imp pause"\n');
    const env = { XDG_RUNTIME_DIR: box.path("run") };
    const near = await box.supervise("", {
      paths: [box.path("project")],
      socket: null,
      noWait: true,
      env,
      as: "child",
    });
    const byFlag = await box.supervise(`[service.flag]\ncommand = "imp pause"`);
    const byName = await box.supervise(`[service.name]\ncommand = "imp pause"`);
    const cwd = box.path("project/deep/er");
    const names = async (args: string[], more: Record<string, string> = {}) => {
      const end = await box.oneup(["status", "--json", ...args], { cwd, env: { ...env, ...more } });
      if (end.code !== 0) throw new Error(`${end.code} ${end.err}`);
      return shapes.services.parse(end.json()).map((each) => each.name);
    };
    await near.until("the project's", async () => (await names([])).join() === "near");
    expect(await names([], { ONEUP_SOCKET: byName.socket })).toEqual(["name"]);
    expect(await names(["--socket", byFlag.socket], { ONEUP_SOCKET: byName.socket })).toEqual(["flag"]);
    // No verb: status, if there is one to ask.
    const bare = await box.oneup([], { cwd, env });
    expect(bare.code).toBe(0);
    expect(bare.out).toContain("near");
  });

  test("`run` without a path takes ./oneup.toml", async ({ box }) => {
    box.configuration(`[service.here]\ncommand = "imp pause"`);
    const up = await box.supervise("", { paths: [], cwd: box.folder });
    expect(Object.keys(await up.states())).toEqual(["here"]);
  });
});

test("the language of the terminal does not matter, nor a home that is not there", async ({ box }) => {
  const up = await box.supervise(config, { env: { LANG: "C", HOME: undefined } });
  await up.reaches("db", "running");
  const end = await up.cli(["status"], {
    env: { LANG: undefined, LC_ALL: "POSIX", HOME: undefined, TERM: undefined },
  });
  expect(end.code).toBe(0);
});
