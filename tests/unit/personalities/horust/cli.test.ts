import { describe, expect, test } from "vitest";
import type { HorustLoadInput, HorustLoadOutput } from "../../../../src/config/contract.ts";
import { horust } from "../../../../src/personalities/horust/cli/horust.ts";
import { horustctl } from "../../../../src/personalities/horust/cli/horustctl.ts";
import { ownLines } from "../../../../src/personalities/horust/cli/own-lines.ts";
import {
  decodeRequest,
  encodeResponse,
  type Request,
  type Response,
} from "../../../../src/personalities/horust/messages.ts";
import { FakeHost } from "../../cli/fake.ts";

describe("HORUST_LOG", () => {
  const least = (value: string | null) => {
    const host = new FakeHost();
    if (value !== null) Object.assign(host, { environment: { HORUST_LOG: value } });
    const log = ownLines(host);
    return log.silent ? "off" : log.settings.least;
  };

  test.each([
    [null, "error"],
    ["", "error"],
    ["warn", "warn"],
    ["DEBUG", "debug"],
    ["off", "off"],
    ["horust=info", "info"],
    ["horust::supervisor=trace", "trace"],
    ["warn,horust=debug", "debug"],
    ["horust", "trace"],
    ["hyper=trace", "error"],
    ["info/regex=debug", "info"],
    ["nonsense", "error"],
  ])("%s", (value, expected) => {
    expect(least(value)).toBe(expected);
  });

  test("lines below it are left out, and go to stderr", () => {
    const host = new FakeHost();
    const log = ownLines(host);
    log.write("warn", "odd");
    log.write("error", "wrong");
    expect(host.out).toBe("");
    expect(host.err).toMatch(/^\d{4}-\S+Z ERROR wrong\n$/);
  });
});

describe("horust", () => {
  /** What it asks of the config program, and of the host. */
  function called(args: readonly string[], loaded: Partial<HorustLoadOutput> = {}) {
    const host = new FakeHost();
    const made = new Set<string>();
    host.makeFolder = (path) => {
      made.add(path);
      return null;
    };
    const { stat } = host;
    host.stat = (path) =>
      made.has(path) ? { kind: "folder", size: 0, mode: 0o755, uid: 0 } : stat.call(host, path);
    const asked: HorustLoadInput[] = [];
    host.loadConfig = (_, input) => {
      asked.push(JSON.parse(input));
      return JSON.stringify({ services: [], troubles: [], refused: [], ...loaded });
    };
    const code = horust(host, args);
    return { host, code, asked: asked[0], supervise: host.supervised };
  }

  test("paths, and what it becomes", () => {
    const args = ["--services-path", "a", "--services-path", "b", "--uds-folder-path", "run"];
    const { asked, supervise, host } = called(args);
    expect(asked).toMatchObject({ horust: "load", paths: ["a", "b"] });
    expect(asked).not.toHaveProperty("command");
    expect(supervise).toMatchObject({
      brain: "horust-brain",
      speech: "message",
      socket: `${host.cwd}/run/horust-${host.pid}.sock`,
      socketMode: 0o600,
      ownLog: { least: "error", stream: "stderr" },
      config: { supervisor: { leaveWhenDone: true, failedExitCode: 0, signals: { HUP: "shutdown" } } },
    });
  });

  test("the flag", () => {
    const { supervise } = called(["--unsuccessful-exit-finished-failed"]);
    expect(supervise).toMatchObject({ config: { supervisor: { failedExitCode: 101 } } });
  });

  test("a command", () => {
    const command = (args: readonly string[]) => called(args).asked?.command;
    expect(command(["--", "echo 'a b'"])).toEqual({ name: "echo 'a b'", line: "echo 'a b'", words: null });
    const words = ["echo", "a b", "--help"];
    expect(command(["--", ...words])).toEqual({ name: "echo a b --help", line: "echo a b --help", words });
    expect(command(["--uds-folder-path", "x", ...words])?.words).toEqual(words);
    expect(command(["echo", "--", "a"])?.words).toEqual(["echo", "--", "a"]);
  });

  test("what is wrong with all services together", () => {
    expect(() => called([], { refused: ["one"] })).toThrow("one");
    const several = () => called([], { refused: ["one", "two"] });
    expect(several).toThrow(expect.objectContaining({ cause: "one\ntwo", exit: 1 }));
  });

  test("the sample needs nothing else", () => {
    const { host, code, asked, supervise } = called(["--sample-service", "--config-path", "/nowhere/x"]);
    expect({ code, asked, supervise }).toEqual({ code: 0, asked: undefined, supervise: null });
    expect(host.out).toContain("[healthiness]");
  });
});

describe("horustctl", () => {
  /** What it asks of a server that answers so. */
  function ctl(args: readonly string[], response: Response | null) {
    const host = new FakeHost();
    const asked: Request[] = [];
    host.messages.set("/s", ({ bytes }) => {
      const request = decodeRequest(bytes);
      if (request !== null) asked.push(request);
      return { bytes: response === null ? "" : encodeResponse(response) };
    });
    const end = () => horustctl(host, ["--socket-path", "/s", ...args]);
    return { host, asked, end };
  }

  test.each([
    [
      ["status", "a"],
      { type: "status", name: "a" },
      { type: "status", name: "a", status: "RUNNING" },
      "Current status for 'a' is: 'RUNNING'.\n",
    ],
    [
      ["start", "a"],
      { type: "change", name: "a", status: "INITIAL" },
      { type: "change", name: "a", accepted: true },
      "Start command accepted for 'a'.\n",
    ],
    [
      ["stop", "a"],
      { type: "change", name: "a", status: "INKILLING" },
      { type: "change", name: "a", accepted: true },
      "Stop command accepted for 'a'.\n",
    ],
    [
      ["change", "a", "stop"],
      { type: "change", name: "a", status: "INKILLING" },
      { type: "change", name: "a", accepted: true },
      "Stop command accepted for 'a'.\n",
    ],
    [
      ["restart", "a"],
      { type: "restart", name: "a" },
      { type: "restart", name: "a", accepted: true },
      "Restart command accepted for 'a'.\n",
    ],
  ] as const)("%j", (args, request, response, said) => {
    const { host, asked, end } = ctl(args, response);
    expect(end()).toBe(0);
    expect(asked).toEqual([request]);
    expect(host.out).toBe(said);
  });

  test("all, by name", () => {
    const services = [
      { name: "web.toml", status: "INKILLING" },
      { name: "a", status: "FINISHEDFAILED" },
    ] as const;
    const { host, end } = ctl(["status"], { type: "all-status", services });
    expect(end()).toBe(0);
    expect(host.out).toBe("SERVICE   STATUS\na         FAILED (finished)\nweb.toml  STOPPING\n");
  });

  test.each([
    [["status", "x"], { type: "error", message: "service x not found." }, "service x not found."],
    [["start", "x"], { type: "change", name: "x", accepted: false }, "Start command refused for 'x'."],
    [["status", "x"], { type: "change", name: "x", accepted: true }, "the answer is about something else"],
    [["status"], null, "horust gave no answer"],
  ] as const)("%j fails", (args, response, message) => {
    expect(ctl(args, response).end).toThrow(message);
  });

  test("nobody there", () => {
    expect(() => horustctl(new FakeHost(), ["--socket-path", "/nobody", "status", "a"])).toThrow(
      expect.objectContaining({ message: "Could not create stream", exit: 1 }),
    );
  });
});
