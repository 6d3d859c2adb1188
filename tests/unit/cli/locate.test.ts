import { describe, expect, it } from "vitest";
import { nameOf, placesToAsk, placeToListen } from "../../../src/cli/locate.ts";
import { FakeHost, giving, oneup, SYSTEM } from "./fake.ts";

const PROJECT = "/home/me/project/oneup.toml";
const SOCKET = `/run/user/1000/oneup/${nameOf(PROJECT)}.sock`;

function inProject(): FakeHost {
  return new FakeHost().file(PROJECT);
}

describe("the socket's name", () => {
  // Published values of FNV-1a with 64 bits.
  it.each([
    ["", "cbf29ce484222325"],
    ["a", "af63dc4c8601ec8c"],
    ["foobar", "85944171f73967e8"],
  ])("of %j is %s", (text, hash) => {
    expect(nameOf(text)).toBe(hash);
  });

  it("is made from UTF-8", () => {
    const bytes = [...new TextEncoder().encode("/häuser/日本/😀")];
    let hash = 0xcbf29ce484222325n;
    for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
    expect(nameOf("/häuser/日本/😀")).toBe(hash.toString(16).padStart(16, "0"));
  });
});

describe("which supervisor a verb talks to", () => {
  const sockets = (host: FakeHost, option: string | null = null) =>
    placesToAsk(host, option).map((place) => place.socket);

  it("is the one named with --socket, before all others", () => {
    const host = inProject();
    host.environment.ONEUP_SOCKET = "/tmp/b.sock";
    expect(sockets(host, "/tmp/a.sock")).toEqual(["/tmp/a.sock"]);
    expect(sockets(host, "a.sock")).toEqual(["/home/me/project/a.sock"]);
  });

  it("else the one of ONEUP_SOCKET, if that says anything", () => {
    const host = inProject();
    host.environment.ONEUP_SOCKET = "/tmp/b.sock";
    expect(sockets(host)).toEqual(["/tmp/b.sock"]);
    host.environment.ONEUP_SOCKET = "";
    expect(sockets(host)).toEqual([SOCKET, SYSTEM]);
  });

  it("else that of the nearest oneup.toml upwards, by its real path", () => {
    const host = inProject();
    host.cwd = "/home/me/project/src/deep";
    expect(sockets(host)).toEqual([SOCKET, SYSTEM]);
    host.file("/home/me/project/src/oneup.toml");
    host.links.set("/home/me/project/src/oneup.toml", PROJECT);
    expect(sockets(host)).toEqual([SOCKET, SYSTEM]);
    host.cwd = "/";
    expect(sockets(host)).toEqual([SYSTEM]);
    host.file("/oneup.toml");
    host.cwd = "/srv";
    expect(sockets(host)[0]).toContain(nameOf("/oneup.toml"));
  });

  it("takes no folder called oneup.toml for a configuration", () => {
    expect(sockets(new FakeHost().folder(PROJECT))).toEqual([SYSTEM]);
  });

  it("is the system's where the project's does not answer", () => {
    const host = inProject();
    host.sockets.set(SYSTEM, giving([]));
    expect(oneup(host, "status").exit).toBe(0);
    expect(host.calls.map((call) => call.socket)).toEqual([SOCKET, SYSTEM]);
  });

  it("is not the system's where the project's fails in another way", () => {
    const host = inProject();
    host.sockets.set(SYSTEM, giving([]));
    host.sockets.set(SOCKET, () => ({ error: "EACCES", message: "permission denied" }));
    expect(oneup(host, "status")).toMatchObject({
      exit: 1,
      err: expect.stringContaining("permission denied"),
    });
  });

  it("is not one in a folder that somebody else made", () => {
    const host = inProject();
    host.sockets.set(SOCKET, giving([]));
    host.folder("/run/user/1000/oneup", { uid: 66 });
    expect(oneup(host, "status")).toMatchObject({ exit: 1, err: expect.stringContaining("not safe") });
    host.folder("/run/user/1000/oneup", { mode: 0o777 });
    expect(oneup(host, "status").exit).toBe(1);
    host.folder("/run/user/1000/oneup");
    expect(oneup(host, "status").exit).toBe(0);
  });

  it("refuses a path that no socket can have", () => {
    const long = `/${"x".repeat(107)}`;
    const asking = oneup(new FakeHost(), "status", "--socket", long);
    expect(asking).toMatchObject({
      exit: 2,
      err: expect.stringContaining("at most 107 bytes, this one has 108"),
    });
    for (const args of [["run"], ["--", "true"]]) {
      const host = new FakeHost();
      host.config = { ok: true, config: {}, names: [], warnings: [], root: null };
      expect(oneup(host, "--socket", long, ...args)).toMatchObject({ exit: 2 });
      expect(host.supervised).toBeNull();
    }
  });
});

describe("where a supervisor listens", () => {
  it("is its user's private folder", () => {
    const host = inProject();
    expect(placeToListen(host, null, PROJECT)).toEqual({
      socket: SOCKET,
      by: "project",
      configuration: PROJECT,
    });
    delete host.environment.XDG_RUNTIME_DIR;
    expect(placeToListen(host, null, PROJECT).socket).toBe(`/tmp/oneup-1000/${nameOf(PROJECT)}.sock`);
    host.environment.TMPDIR = "/var/tmp/";
    expect(placeToListen(host, null, PROJECT).socket).toBe(`/var/tmp/oneup-1000/${nameOf(PROJECT)}.sock`);
    host.environment.TMPDIR = "relative";
    expect(placeToListen(host, null, PROJECT).socket).toBe(`/tmp/oneup-1000/${nameOf(PROJECT)}.sock`);
  });

  it("is the system's place as PID 1, or from /etc/oneup", () => {
    const host = inProject();
    expect(placeToListen(host, null, "/etc/oneup").socket).toBe(SYSTEM);
    expect(placeToListen(host, null, "/etc/oneup/web.toml").socket).toBe(SYSTEM);
    expect(placeToListen(host, null, "/etc/oneup2/web.toml").socket).not.toBe(SYSTEM);
    host.pid = 1;
    expect(placeToListen(host, null, PROJECT).socket).toBe(SYSTEM);
    expect(placeToListen(host, "/tmp/a.sock", PROJECT).socket).toBe("/tmp/a.sock");
  });

  it("is where verbs in the project look", () => {
    const host = inProject();
    expect(placesToAsk(host, null)[0]).toEqual(placeToListen(host, null, PROJECT));
  });
});
