import { describe, expect, it } from "vitest";
import { problem } from "../../../src/api/answer.ts";
import { DOWN, view } from "../api/stub.ts";
import { answer, FakeHost, giving, oneup, SYSTEM, withSupervisor } from "./fake.ts";

describe("exit code", () => {
  it("0: done", () => {
    for (const args of [
      ["status"],
      ["tree"],
      ["why", "web"],
      ["start", "web"],
      ["stop", "web"],
      ["restart", "web"],
    ]) {
      expect(oneup(withSupervisor().host, ...args)).toMatchObject({ exit: 0, err: "" });
    }
    for (const args of [
      ["kill", "web", "HUP"],
      ["wait", "web"],
      ["logs"],
      ["events"],
      ["version"],
      ["--version"],
    ]) {
      expect(oneup(withSupervisor().host, ...args)).toMatchObject({ exit: 0, err: "" });
    }
  });

  it("1: it failed, with the cause and where to look", () => {
    const { host, bench } = withSupervisor();
    bench.world.outcomes.set("web", { failed: "left with exit code 3" });
    expect(oneup(host, "start", "web")).toMatchObject({
      exit: 1,
      out: "",
      err: 'oneup: "web": left with exit code 3\n  see: oneup why web\n',
    });
  });

  it("1: something could not be ended", () => {
    const host = new FakeHost();
    host.sockets.set(SYSTEM, giving([{ service: "web", empty: false, duration_ms: 1, processes: [] }]));
    expect(oneup(host, "stop", "web")).toMatchObject({ exit: 1, out: "web: something is still there\n" });
    expect(oneup(host, "shutdown", "--json").exit).toBe(1);
  });

  it("1: nothing to send a signal to", () => {
    expect(oneup(withSupervisor().host, "kill", "migrate")).toMatchObject({
      exit: 1,
      err: 'oneup: "migrate" has no process to send TERM to\n  see: oneup why migrate\n',
    });
  });

  it.each([
    [["frobnicate"], 'unknown verb "frobnicate"'],
    [["staus"], 'did you mean "status"?'],
    [["status", "--wat"], 'unknown option "--wat"'],
    [["status", "--jsn"], 'did you mean "--json"?'],
    [["status", "--timeout", "1s"], '"status" takes no --timeout'],
    [["start"], "usage: oneup start NAME…"],
    [["tree", "web"], 'one argument too many: "web"'],
    [["kill", "web", "FOO"], 'unknown signal "FOO"'],
    [["kill", "web", "HUP", "now"], "one argument too many"],
    [["start", "web", "--timeout", "5"], '--timeout "5": a duration without a unit; write "5s"'],
    [["start", "web", "--timeout"], "--timeout needs a value"],
    [["start", "web", "--no-wait=yes"], "--no-wait takes no value"],
    [["wait", "web", "--for", "lunch"], "none of ready, stopped, succeeded"],
    [["logs", "-n", "many"], '"many" is not a whole number'],
    [["logs", "--since", "yesterday"], '"yesterday" is neither'],
    [["logs", "--stream", "both"], "none of out, err"],
    [["logs", "-x"], 'unknown option "-x"'],
    [["completion", "tcsh"], '"tcsh" is none of bash, zsh, fish'],
    [["as", "zinitt"], 'did you mean "zinit"?'],
    [["--"], "-- needs a command"],
    [["run", "x.toml", "--", "true"], "not both"],
    [["run", "--stop-timeout", "1s"], "goes with a command"],
    [["--stop-timeout", "soon", "--", "true"], '--stop-timeout "soon": not a duration'],
  ])("2: wrong usage: %j", (args, message) => {
    const { exit, out, err } = oneup(withSupervisor().host, ...args);
    expect({ exit, out }).toEqual({ exit: 2, out: "" });
    expect(err).toContain(message);
    expect(err.startsWith("oneup: ")).toBe(true);
    const verb = args[0] ?? "";
    if (["wait", "logs", "start", "completion"].includes(verb))
      expect(err).toContain(`see: oneup ${verb} --help`);
  });

  it("2: a pattern that the supervisor would not take", () => {
    const { host } = withSupervisor();
    host.badPatterns["("] = "unclosed group";
    expect(oneup(host, "logs", "--grep", "(")).toMatchObject({
      exit: 2,
      err: expect.stringContaining("unclosed group"),
    });
  });

  it.each(["plan", "apply", "upgrade", "simulate"])("2: %s is not supported yet", (verb) => {
    const ended = oneup(new FakeHost(), verb, "web", "--seed", "3", "--kill", "web@5s");
    expect(ended).toMatchObject({ exit: 2, out: "", err: `oneup: "${verb}" is not supported yet\n` });
  });

  it.each(["horust", "horustctl", "zinit", "zinit-server", "zinit-pid1", "luavisors", "supervisors"])(
    "0: as %s it becomes that program",
    (name) => {
      const host = new FakeHost();
      expect(oneup(host, "as", name, "--help")).toMatchObject({ exit: 0, out: "", err: "" });
      expect(host.becomes).toEqual([name, "--help"]);
    },
  );

  it("3: the service is not running", () => {
    const { host, bench } = withSupervisor();
    bench.set("web", DOWN);
    expect(oneup(host, "status", "web").exit).toBe(3);
    expect(oneup(host, "status", "db", "web").exit).toBe(3);
    expect(oneup(host, "status").exit).toBe(0);
    for (const state of ["waiting", "backoff", "failed", "exited"] as const) {
      bench.set("web", { ...DOWN, state });
      expect(oneup(host, "status", "web").exit).toBe(3);
    }
    expect(oneup(host, "status", "migrate").exit).toBe(0);
  });

  it("4: no such service", () => {
    const { host } = withSupervisor();
    for (const verb of ["status", "start", "stop", "restart", "kill", "wait", "logs", "why"]) {
      expect(oneup(host, verb, "wbe")).toMatchObject({
        exit: 4,
        out: "",
        err: 'oneup: there is no service "wbe"; did you mean "web"?\n',
      });
    }
  });

  it("4: where there is nothing to guess, it says where the names are", () => {
    for (const verb of ["status", "start", "why"]) {
      expect(oneup(withSupervisor().host, verb, "quux").err).toBe(
        'oneup: there is no service "quux"\n  see the names there are: oneup status\n',
      );
    }
  });

  it("5: no supervisor", () => {
    const host = new FakeHost();
    for (const args of [
      ["status"],
      ["stop", "web"],
      ["shutdown"],
      ["logs", "-f"],
      ["events"],
      ["wait", "web"],
    ]) {
      expect(oneup(host, ...args)).toMatchObject({
        exit: 5,
        out: "",
        err: expect.stringMatching(
          new RegExp(`^oneup: no supervisor at ${SYSTEM}\n  start one with: oneup run; .*--socket\n$`),
        ),
      });
    }
    expect(oneup(host, "status", "--socket", "/tmp/x.sock").err).toContain("no supervisor at /tmp/x.sock");
  });

  it("124: time ran out, by the supervisor's clock or the host's", () => {
    const host = new FakeHost();
    const late = problem("timed-out", 'not done within 1000 ms: "web" is starting').problem;
    host.sockets.set(SYSTEM, giving(late, 504));
    for (const verb of ["start", "stop", "restart", "wait"]) {
      expect(oneup(host, verb, "web", "--timeout", "1s")).toMatchObject({
        exit: 124,
        err: `oneup: ${late.detail}\n`,
      });
      expect(host.calls.at(-1)).toMatchObject({ timeoutMs: 6000 });
    }
    host.sockets.set(SYSTEM, () => ({ error: "ETIMEDOUT", message: "timed out" }));
    expect(oneup(host, "start", "web", "--timeout", "1s").exit).toBe(124);
  });
});

describe("a supervisor that renews its brain", () => {
  it("is asked again by verbs that may ask twice", () => {
    const host = new FakeHost();
    let left = 3;
    host.sockets.set(SYSTEM, () => (left-- > 0 ? answer({ status: 503 }, 503) : answer([view("web")])));
    expect(oneup(host, "start", "web").exit).toBe(0);
    expect(host.calls).toHaveLength(4);
  });

  it("is given up after ten seconds", () => {
    const host = new FakeHost();
    const before = host.clock;
    host.sockets.set(SYSTEM, giving({ detail: "starting anew", status: 503 }, 503));
    expect(oneup(host, "status")).toMatchObject({ exit: 1, err: "oneup: starting anew\n" });
    expect(host.clock - before).toBeGreaterThanOrEqual(10_000);
  });

  it.each([
    ["kill", "web"],
    ["restart", "web"],
  ])("is not asked again to %s", (...args) => {
    const host = new FakeHost();
    host.sockets.set(SYSTEM, giving({ detail: "starting anew" }, 503));
    expect(oneup(host, ...args).exit).toBe(1);
    expect(host.calls).toHaveLength(1);
  });

  it("may have left before it could be asked again to shut down", () => {
    const host = new FakeHost();
    host.sockets.set(SYSTEM, () => {
      host.sockets.delete(SYSTEM);
      return answer({ detail: "starting anew" }, 503);
    });
    expect(oneup(host, "shutdown")).toMatchObject({
      exit: 0,
      out: "nothing was running\n",
      err: "oneup: the supervisor has left; its receipt was lost\n",
    });
  });
});

describe("without a verb", () => {
  it("as PID 1 it runs", () => {
    const host = new FakeHost();
    host.pid = 1;
    host.config = { ok: true, config: { services: [] }, names: [], root: "/etc/oneup", warnings: [] };
    expect(oneup(host).exit).toBe(0);
    expect(host.supervised).toMatchObject({ socket: SYSTEM, single: false });
  });

  it("it shows the status of a supervisor that answers", () => {
    const { host } = withSupervisor();
    expect(oneup(host)).toMatchObject({ exit: 0, out: expect.stringContaining("web") });
    expect(oneup(host, "--json").json).toHaveLength(4);
  });

  it("else the help", () => {
    expect(oneup(new FakeHost())).toMatchObject({
      exit: 0,
      err: "",
      out: expect.stringContaining("oneup VERB --help"),
    });
  });
});

it("with --json a failure is a document too", () => {
  const { host } = withSupervisor();
  expect(oneup(host, "stop", "wbe", "--json")).toMatchObject({
    exit: 4,
    json: { type: "urn:oneup:problem:no-such-service", service: "wbe" },
    err: expect.stringContaining("wbe"),
  });
  expect(oneup(host, "--json", "stop")).toMatchObject({
    exit: 2,
    json: { type: "about:blank", exit_code: 2 },
  });
  expect(oneup(new FakeHost(), "tree", "--json").json).toMatchObject({ exit_code: 5 });
});

it("says so when the answer is no document", () => {
  const host = new FakeHost();
  host.sockets.set(SYSTEM, () => ({ status: 200, contentType: "text/html", body: "<html>" }));
  expect(oneup(host, "status")).toMatchObject({ exit: 1, err: expect.stringContaining("not JSON") });
});
