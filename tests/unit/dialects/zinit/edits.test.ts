import { describe, expect, test } from "vitest";
import type { ZinitKnown } from "../../../../src/config/contract.ts";
import { documentOf, isTarget } from "../../../../src/dialects/zinit/document.ts";
import { deleteServices, readService } from "../../../../src/dialects/zinit/edits.ts";
import { DENIED, DIR, document, FakeEditHost, known, SYSTEM, service, set } from "./helpers.ts";

const WEB = { service: { name: "web", exec: "sleep 99" } };
const FILE = `${DIR}/web.toml`;

describe("a service is set", () => {
  test("from its definition, wrapped or bare, and written with every key spelled out", () => {
    for (const params of [WEB, { config: WEB }]) {
      const host = new FakeEditHost();
      const answer = set(params, host);
      expect(answer).toMatchObject({ ok: true, name: "web", path: FILE, warnings: [] });
      const text = host.files.get(FILE) ?? "";
      expect(document(text)).toEqual(document(service("web")));
      expect(text).toContain("stability_period_ms = 30000\n");
      expect(answer).toMatchObject({ spec: { name: "web", origin: { file: FILE } } });
    }
  });

  test("without a file if it is not to be kept", () => {
    const host = new FakeEditHost();
    const before = [...host.files.keys()];
    expect(set(WEB, host, { persist: false })).toMatchObject({
      ok: true,
      path: null,
      spec: { origin: { file: null } },
    });
    expect([...host.files.keys()]).toEqual(before);
  });

  test("although it wants what does not exist, with a warning", () => {
    const answer = set({ ...WEB, dependencies: { wants: ["cache"] } }, new FakeEditHost());
    expect(answer).toMatchObject({
      ok: true,
      warnings: ["'cache', which it wants, does not exist (yet)"],
    });
  });

  test("although a key means nothing, with a warning", () => {
    const answer = set({ ...WEB, lifecycle: { restart_dely_ms: 5 } }, new FakeEditHost());
    expect(answer).toMatchObject({
      warnings: [
        expect.stringMatching(/^unknown key 'lifecycle.restart_dely_ms' is ignored: .*restart_delay_ms/),
      ],
    });
  });
});

describe("a service is not set", () => {
  test.each([
    ["no definition", undefined, -32602, "missing field `service`"],
    ["parameters by position", [WEB], -32602, "missing field `service`"],
    ["a wrong type", { config: 5 }, -32602, "invalid type: integer `5`, expected struct ServiceConfig"],
    ["an unknown program", { service: { name: "x", exec: "nope 1" } }, -32013, "Executable not found: nope"],
    [
      "an unknown dependency",
      { ...WEB, dependencies: { after: ["db"], requires: ["zz"] } },
      -32012,
      "Dependency 'db' not found",
    ],
    [
      "an unknown conflict",
      { ...WEB, dependencies: { conflicts: ["zz"] } },
      -32012,
      "Dependency 'zz' not found",
    ],
  ])("%s", (_, params, code, message) => {
    const host = new FakeEditHost();
    const before = new Map(host.files);
    expect(set(params, host)).toEqual({ ok: false, code, message });
    expect(host.files).toEqual(before);
  });

  test("wrong values, all of which are told", () => {
    expect(set({ config: { service: { name: "a b", exec: "" } } }, new FakeEditHost())).toEqual({
      ok: false,
      code: -32011,
      message: "Validation failed",
      data: {
        errors: [
          "service.name 'a b' contains invalid characters (use alphanumeric, dash, underscore)",
          "service.exec cannot be empty",
        ],
      },
    });
  });

  // Defect 24: accepted, and blocked for ever.
  test("that depends on itself", () => {
    expect(set({ ...WEB, dependencies: { requires: ["web"] } }, new FakeEditHost())).toMatchObject({
      code: -32011,
      data: { errors: ["dependencies.requires contains the service itself 'web'"] },
    });
  });

  test("that makes a cycle with those that are there", () => {
    const others: readonly ZinitKnown[] = [
      { name: "db", file: null, waitsFor: ["net"] },
      { name: "net", file: null, waitsFor: ["web"] },
    ];
    const answer = set({ ...WEB, dependencies: { after: ["db"] } }, new FakeEditHost(), { known: others });
    expect(answer).toMatchObject({
      code: -32011,
      data: { errors: ["cyclic dependency detected: web -> db -> net"] },
    });
  });

  test("that cannot be written", () => {
    const host = new FakeEditHost();
    host.failures.set(`write ${FILE}`, DENIED);
    expect(set(WEB, host)).toEqual({
      ok: false,
      code: -32014,
      message: `Failed to write ${FILE}: Permission denied (EACCES)`,
    });
  });
});

// Defect 15: only DIR/NAME.toml was ever looked at.
describe("the file of a set service", () => {
  test("is the one that defines the name, whatever it is called", () => {
    const file = `${DIR}/00-frontend.toml`;
    const host = new FakeEditHost({ [file]: service("web", "ports = [80]") });
    const there = [known(service("web"), file)];
    expect(set(WEB, host, { known: there })).toMatchObject({ ok: true, path: file });
    expect(document(host.files.get(file) ?? "").service.ports).toEqual([]);
    expect(host.files.has(FILE)).toBe(false);
  });

  test("is found by its content where it was moved since", () => {
    const file = `${DIR}/moved.toml`;
    const host = new FakeEditHost({ [file]: service("web"), [FILE]: service("other") });
    expect(set(WEB, host, { known: [known(service("web"), FILE)] })).toMatchObject({ path: file });
    expect(host.files.get(FILE)).toBe(service("other"));
  });

  test("is never that of another service", () => {
    const host = new FakeEditHost({ [FILE]: service("other") });
    expect(set(WEB, host)).toMatchObject({
      path: `${DIR}/web-2.toml`,
      warnings: [`web.toml defines another service: saved to ${DIR}/web-2.toml`],
    });
    expect(host.files.get(FILE)).toBe(service("other"));
  });

  test("takes the place of one that is no definition", () => {
    const host = new FakeEditHost({ [FILE]: "half a definition" });
    expect(set(WEB, host)).toMatchObject({
      path: FILE,
      warnings: [`replaced ${FILE}, which was not valid`],
    });
  });

  test("of the system's folder stays there, and its service protected", () => {
    const file = `${SYSTEM}/web.toml`;
    const host = new FakeEditHost({ [file]: service("web") });
    const answer = set(WEB, host, { systemDir: SYSTEM, known: [known(service("web"), file)] });
    expect(answer).toMatchObject({ path: file });
    const found = answer.ok && answer.spec.origin ? documentOf(answer.spec.origin) : null;
    expect(found !== null && !isTarget(found) && found.service.class).toBe("system");
  });
});

describe("services are deleted", () => {
  function remove(host: FakeEditHost, name: string, file: string | null) {
    return deleteServices(
      { zinit: "delete", configDir: DIR, systemDir: null, services: [{ name, file }] },
      host,
    );
  }

  // Defect 15 again.
  test("with the file that defines the name, whatever it is called", () => {
    const file = `${DIR}/00-frontend.toml`;
    const host = new FakeEditHost({ [file]: service("web"), [FILE]: service("other") });
    expect(remove(host, "web", file)).toEqual({ ok: true, removed: [file] });
    expect(host.files.get(FILE)).toBe(service("other"));
  });

  test("with all files that define it, so that it does not come back", () => {
    const host = new FakeEditHost({ [`${DIR}/a.toml`]: service("web"), [FILE]: service("web") });
    expect(remove(host, "web", `${DIR}/a.toml`)).toEqual({ ok: true, removed: [`${DIR}/a.toml`, FILE] });
  });

  test.each(["yaml", "yml"])("with the .%s file of that name where there is no other", (extension) => {
    const file = `${DIR}/web.${extension}`;
    const host = new FakeEditHost({ [file]: "exec: x" });
    expect(remove(host, "web", FILE)).toEqual({ ok: true, removed: [file] });
  });

  test("with their file that was spoilt since, but not with one that is another's by now", () => {
    const host = new FakeEditHost({ [FILE]: "half" });
    expect(remove(host, "web", FILE)).toEqual({ ok: true, removed: [FILE] });
    host.files.set(FILE, service("other"));
    expect(remove(host, "web", FILE)).toEqual({ ok: true, removed: [] });
  });

  test("without a file if they have none", () => {
    const host = new FakeEditHost({ [FILE]: service("web") });
    expect(remove(host, "web", null)).toEqual({ ok: true, removed: [] });
    expect(host.files.has(FILE)).toBe(true);
  });

  test("unless the file cannot be removed", () => {
    const host = new FakeEditHost({ [FILE]: service("web") });
    host.failures.set(`remove ${FILE}`, DENIED);
    expect(remove(host, "web", FILE)).toEqual({
      ok: false,
      code: -32603,
      message: `failed to delete config file for service 'web': ${FILE}: Permission denied (EACCES)`,
    });
  });
});

describe("a file for a server", () => {
  const file = "/home/me/web.toml";
  const readIt = (text: string) => readService({ zinit: "read", file }, new FakeEditHost({ [file]: text }));

  test("is read with its defaults", () => {
    expect(readIt(`${service("web")}[lifecyle]\n`)).toEqual({
      ok: true,
      document: document(service("web")),
      warnings: [expect.stringMatching(/^unknown key 'lifecyle' is ignored: .*lifecycle/)],
    });
  });

  test.each([
    ["x", /^Failed to parse .*web.toml: .* at line 1, column/],
    ["[service]\nname = 5\n", /web.toml: invalid type: integer `5`, expected a string \(service.name\)$/],
  ])("%j is refused", (text, message) => {
    expect(readIt(text)).toMatchObject({ ok: false, message: expect.stringMatching(message) });
  });

  test("has to be there", () => {
    expect(readService({ zinit: "read", file }, new FakeEditHost())).toMatchObject({
      message: `Failed to read ${file}: No such file or directory (ENOENT)`,
    });
  });
});
