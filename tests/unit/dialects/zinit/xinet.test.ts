import { describe, expect, test } from "vitest";
import type { EditHost } from "../../../../src/cli/host.ts";
import {
  addressText,
  keepProxies,
  listenText,
  loadProxies,
  readProxy,
} from "../../../../src/dialects/zinit/xinet.ts";
import type { ProxySpec } from "../../../../src/model/spec.ts";

const good = { name: "p", listen: ["tcp:127.0.0.1:80"], backend: "/run/back", service: "web" };

function read(raw: unknown): ProxySpec {
  const spec = readProxy(raw);
  if ("kind" in spec) throw new Error(spec.message);
  return spec;
}

function problem(raw: unknown): string {
  const spec = readProxy(raw);
  if (!("kind" in spec)) throw new Error("nothing is wrong with it");
  return `${spec.kind}: ${spec.message}`;
}

describe("a definition", () => {
  test("has defaults", () => {
    expect(read(good)).toEqual({
      name: "p",
      service: "web",
      proxy: {
        listen: [{ type: "tcp", host: "127.0.0.1", port: 80 }],
        backend: { type: "unix", path: "/run/back" },
        connectTimeoutMs: 30_000,
        idleMs: 0,
        single: false,
        up: false,
      },
    });
    const more = { connect_timeout: 5, idle_timeout: 60, single_connection: true };
    expect(read({ ...good, ...more }).proxy).toMatchObject({
      connectTimeoutMs: 5000,
      idleMs: 60_000,
      single: true,
    });
    expect(read({ ...good, connect_timeout: null, idle_timeout: null })).toEqual(read(good));
  });

  test("says what is wrong with it", () => {
    expect(problem(null)).toContain("shape: Invalid xinet config: expected an object");
    expect(problem({ ...good, listen: 1 })).toContain("listen: expected a string or an array of strings");
    expect(problem({ ...good, listen: [1] })).toContain("listen: expected a string or an array of strings");
    expect(problem({ ...good, name: 1 })).toContain("name: expected a string");
    expect(problem({ ...good, connect_timeout: -1 })).toContain(
      "connect_timeout: expected a number of seconds",
    );
    expect(problem({ ...good, idle_timeout: "1" })).toContain("idle_timeout: expected a number of seconds");
    expect(problem({ ...good, single_connection: 1 })).toContain("single_connection: expected true or false");
    expect(problem({ ...good, backend: undefined })).toContain("missing field `backend`");
    expect(problem({ ...good, name: "" })).toBe("invalid: name is required");
    expect(problem({ ...good, listen: [] })).toBe("invalid: at least one listen address is required");
    expect(problem({ ...good, service: "" })).toBe("invalid: service name is required");
  });
});

describe("an address", () => {
  test.each([
    ["unix:/run/a", "unix:/run/a"],
    ["/run/a", "unix:/run/a"],
    ["./a", "unix:./a"],
    ["unix:a", "unix:a"],
    ["tcp:h:80", "tcp:h:80"],
    ["h:80", "tcp:h:80"],
    [":80", "tcp:0.0.0.0:80"],
    ["tcp::80", "tcp:0.0.0.0:80"],
    ["*:80", "tcp:0.0.0.0:80"],
    ["[::1]:80", "tcp:[::1]:80"],
    ["tcp:[::]:65535", "tcp:[::]:65535"],
  ])("%s", (written, shown) => {
    const spec = read({ ...good, listen: written, backend: written });
    expect(listenText(spec)).toBe(shown);
    expect(addressText(spec.proxy.backend)).toBe(shown);
    expect(read({ ...good, listen: shown }).proxy.listen).toEqual(spec.proxy.listen);
  });

  test.each([
    "",
    "a",
    "80",
    "unix:",
    "tcp:a",
    "a:0",
    "a:65536",
    "a:b",
    "::1:80",
    "[::1]",
    "a b:80",
    "unix:\0",
  ])("%j is none", (written) => {
    expect(problem({ ...good, backend: written })).toContain("is no address");
  });
});

describe("the file", () => {
  const files = new Map<string, string>();
  const host = {
    readFile: (path: string) => {
      const text = files.get(path);
      return text === undefined ? { error: "ENOENT", message: "no such file" } : { text };
    },
    writeFile: (path: string, text: string) => {
      if (path.startsWith("/full")) return { error: "ENOSPC", message: "no space left" };
      files.set(path, text);
      return null;
    },
  } as unknown as EditHost;

  function load(configDir: string): { readonly specs: readonly ProxySpec[]; readonly warnings: string[] } {
    const warnings: string[] = [];
    const specs = loadProxies(configDir, host, (text) => warnings.push(text));
    return { specs, warnings };
  }

  test("holds what is to stay", () => {
    expect(load("/none")).toEqual({ specs: [], warnings: [] });
    const specs = [read(good), read({ ...good, name: "q", listen: ["/a", ":80"], idle_timeout: 9 })];
    expect(keepProxies({ zinit: "xinet", configDir: "/etc/z", proxies: specs }, host)).toEqual({ ok: true });
    expect(load("/etc/z")).toEqual({
      specs: specs.map((spec) => ({ ...spec, persist: true })),
      warnings: [],
    });
  });

  test("may be wrong in any way", () => {
    files.set("/bad/.xinet.json", "{");
    files.set("/odd/.xinet.json", "[]");
    files.set("/half/.xinet.json", JSON.stringify({ proxies: [good, { name: "q" }] }));
    expect(load("/bad")).toMatchObject({
      specs: [],
      warnings: [expect.stringContaining("/bad/.xinet.json")],
    });
    expect(load("/odd")).toMatchObject({
      specs: [],
      warnings: ['/odd/.xinet.json: expected {"proxies": […]}'],
    });
    const half = load("/half");
    expect(half.specs.map(({ name }) => name)).toEqual(["p"]);
    expect(half.warnings).toEqual(["/half/.xinet.json: Invalid xinet config: missing field `listen`"]);
  });

  test("that cannot be written is an error", () => {
    expect(keepProxies({ zinit: "xinet", configDir: "/full", proxies: [] }, host)).toEqual({
      ok: false,
      code: -32014,
      message: "Failed to write /full/.xinet.json: no space left (ENOSPC)",
    });
  });
});
