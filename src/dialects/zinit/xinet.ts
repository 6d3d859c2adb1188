/** Xinet proxies: their definitions as clients write them, and the file of those that are to stay. */
import type { EditHost, FileHost } from "../../cli/host.ts";
import type { ZinitFailure, ZinitXinetInput, ZinitXinetOutput } from "../../config/contract.ts";
import { joinPath } from "../../config/paths.ts";
import type { Address } from "../../generated/protocol.ts";
import type { ProxySpec } from "../../model/spec.ts";

/** What a client calls a proxy: the parameters of `xinet.set`, and an entry of the file. */
export interface XinetDocument {
  readonly name: string;
  readonly listen: readonly string[];
  readonly backend: string;
  readonly service: string;
  readonly connect_timeout: number;
  readonly idle_timeout: number;
  readonly single_connection: boolean;
}

export type XinetProblem = {
  /** `shape`: it is no definition. `invalid`: something in it is wrong. */
  readonly kind: "shape" | "invalid";
  readonly message: string;
};

const CONNECT_TIMEOUT_S = 30;
const ANY_HOST = "0.0.0.0";

// ---- reading

/** Of `{name, listen, …}`. */
export function readProxy(raw: unknown): ProxySpec | XinetProblem {
  try {
    return specOf(raw);
  } catch (error) {
    if (error instanceof Wrong) return { kind: error.kind, message: error.message };
    throw error;
  }
}

class Wrong extends Error {
  readonly kind: XinetProblem["kind"];

  constructor(kind: XinetProblem["kind"], message: string) {
    super(kind === "shape" ? `Invalid xinet config: ${message}` : message);
    this.kind = kind;
  }
}

function specOf(raw: unknown): ProxySpec {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    throw new Wrong("shape", "expected an object with name, listen, backend and service");
  }
  const fields: Readonly<Record<string, unknown>> = { ...raw };
  const name = text(fields, "name");
  const listen = texts(fields, "listen");
  const backend = text(fields, "backend");
  const service = text(fields, "service");
  const connectS = seconds(fields, "connect_timeout", CONNECT_TIMEOUT_S);
  const idleS = seconds(fields, "idle_timeout", 0);
  const single = flag(fields, "single_connection");
  if (name === "") throw new Wrong("invalid", "name is required");
  if (listen.length === 0) throw new Wrong("invalid", "at least one listen address is required");
  if (service === "") throw new Wrong("invalid", "service name is required");
  const proxy = {
    listen: listen.map(addressOf),
    backend: addressOf(backend),
    connectTimeoutMs: connectS * 1000,
    idleMs: idleS * 1000,
    single,
    up: false,
  };
  return { name, service, proxy };
}

function text(fields: Readonly<Record<string, unknown>>, key: string): string {
  const value = given(fields, key);
  if (typeof value !== "string") throw new Wrong("shape", `${key}: expected a string`);
  return value;
}

function texts(fields: Readonly<Record<string, unknown>>, key: string): string[] {
  const value = given(fields, key);
  const all: unknown[] = Array.isArray(value) ? value : [value];
  return all.map((one) => {
    if (typeof one !== "string") throw new Wrong("shape", `${key}: expected a string or an array of strings`);
    return one;
  });
}

function given(fields: Readonly<Record<string, unknown>>, key: string): unknown {
  const value = fields[key];
  if (value === undefined) throw new Wrong("shape", `missing field \`${key}\``);
  return value;
}

function seconds(fields: Readonly<Record<string, unknown>>, key: string, absent: number): number {
  const value = fields[key] ?? absent;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw new Wrong("shape", `${key}: expected a number of seconds`);
  }
  return value;
}

function flag(fields: Readonly<Record<string, unknown>>, key: string): boolean {
  const value = fields[key] ?? false;
  if (typeof value !== "boolean") throw new Wrong("shape", `${key}: expected true or false`);
  return value;
}

// ---- addresses

/** `unix:PATH`, a bare path, `tcp:HOST:PORT`, `HOST:PORT`, `:PORT`. */
function addressOf(written: string): Address {
  if (written.startsWith("unix:")) return unixAddress(written, written.slice("unix:".length));
  if (written.startsWith("tcp:")) return tcpAddress(written, written.slice("tcp:".length));
  return /^\.{0,2}\//.test(written) ? unixAddress(written, written) : tcpAddress(written, written);
}

function unixAddress(written: string, path: string): Address {
  if (path === "" || path.includes("\0")) throw noAddress(written);
  return { type: "unix", path };
}

function tcpAddress(written: string, place: string): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]/\s]*)):(\d{1,5})$/.exec(place) ?? [];
  const port = Number(digits);
  if (digits === undefined || port < 1 || port > 65_535) throw noAddress(written);
  const host = bracketed ?? plain ?? "";
  return { type: "tcp", host: host === "" || host === "*" ? ANY_HOST : host, port };
}

function noAddress(written: string): Wrong {
  const expected = "expected HOST:PORT, tcp:HOST:PORT, unix:/PATH or /PATH";
  return new Wrong("shape", `${JSON.stringify(written)} is no address: ${expected}`);
}

/** With its kind, as it is shown everywhere. */
export function addressText(address: Address): string {
  if (address.type === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `tcp:${host}:${address.port}`;
}

export function listenText({ proxy }: ProxySpec): string {
  return proxy.listen.map(addressText).join(", ");
}

function documentOf({ name, service, proxy }: ProxySpec): XinetDocument {
  return {
    name,
    listen: proxy.listen.map(addressText),
    backend: addressText(proxy.backend),
    service,
    connect_timeout: proxy.connectTimeoutMs / 1000,
    idle_timeout: proxy.idleMs / 1000,
    single_connection: proxy.single,
  };
}

// ---- the file

/** Beside the service files; none of them ends so. */
const FILE = ".xinet.json";
const FILE_MODE = 0o644;
/** As zinit's clients know it. */
const PERSIST = -32014;

/** Writes those that are to be there after the next start. */
export function keepProxies({ configDir, proxies }: ZinitXinetInput, host: EditHost): ZinitXinetOutput {
  const file = joinPath(configDir, FILE);
  const content = `${JSON.stringify({ proxies: proxies.map(documentOf) }, null, 2)}\n`;
  const failed = host.writeFile(file, content, FILE_MODE);
  if (failed === null) return { ok: true };
  const message = `Failed to write ${file}: ${failed.message} (${failed.error})`;
  return { ok: false, code: PERSIST, message } satisfies ZinitFailure;
}

/** What is wrong with the file, or with one in it, is a warning. */
export function loadProxies(
  configDir: string,
  host: FileHost,
  warn: (text: string) => void,
): readonly ProxySpec[] {
  const file = joinPath(configDir, FILE);
  const answer = host.readFile(file);
  if ("error" in answer) {
    if (answer.error !== "ENOENT") warn(`${file}: ${answer.message} (${answer.error})`);
    return [];
  }
  const all = new Map<string, ProxySpec>();
  for (const raw of entriesOf(answer.text, file, warn)) {
    const spec = readProxy(raw);
    if ("kind" in spec) warn(`${file}: ${spec.message}`);
    else all.set(spec.name, { ...spec, persist: true });
  }
  return [...all.values()];
}

function entriesOf(content: string, file: string, warn: (text: string) => void): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === "object" && value !== null && "proxies" in value && Array.isArray(value.proxies)) {
      return value.proxies;
    }
    warn(`${file}: expected {"proxies": […]}`);
  } catch (error) {
    warn(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return [];
}
