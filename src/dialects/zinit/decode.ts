/**
 * From plain data (a parsed file, or JSON that a client sent) to a document with every default
 * spelled out. The first thing of a wrong shape ends it, in the words that zinit's clients know.
 */
import type {
  DependencySection,
  HealthSection,
  LifecycleSection,
  LoggingSection,
  ServiceDocument,
  ServiceSection,
  TargetDocument,
} from "./document.ts";

/** Where something stands: keys from the root. */
export type Path = readonly (string | number)[];

export interface Misshapen {
  readonly message: string;
  readonly path: Path;
}

/** A key that means nothing. */
export interface Unknown {
  readonly path: Path;
  /** What is known in its section. */
  readonly known: readonly string[];
}

export interface Decoded<Document> {
  readonly document: Document;
  readonly unknown: readonly Unknown[];
}

export function decodeService(value: unknown): Decoded<ServiceDocument> | Misshapen {
  return attempt((unknown) => {
    const root = new Section(value, [], "struct ServiceConfig", unknown);
    // By their names, which decides what is told where several are wrong.
    const dependencies = root.section("dependencies", decodeDependencies);
    const health = root.optional("health", null, (found, path) =>
      found === null ? null : decodeHealth(found, path, unknown),
    );
    const lifecycle = root.section("lifecycle", decodeLifecycle);
    const logging = root.section("logging", decodeLogging);
    const service = root.requiredSection("service", decodeServiceSection);
    root.end();
    return { service, dependencies, lifecycle, health, logging };
  });
}

export function decodeTarget(value: unknown): Decoded<TargetDocument> | Misshapen {
  return attempt((unknown) => {
    const root = new Section(value, [], "struct TargetConfig", unknown);
    const dependencies = root.section("dependencies", decodeDependencies);
    const target = root.requiredSection("target", decodeTargetSection);
    root.end();
    return { target, dependencies };
  });
}

function decodeServiceSection(value: unknown, path: Path, unknown: Unknown[]): ServiceSection {
  const section = new Section(value, path, "struct ServiceDef", unknown);
  const document = {
    class: section.optional("class", "user", choice("user", "system")),
    critical: section.optional("critical", false, boolean),
    dir: section.optional("dir", null, textOrNull),
    env: section.optional("env", {}, texts),
    exec: section.requiredText("exec"),
    kill_others: section.optional("kill_others", false, boolean),
    name: section.requiredText("name"),
    oneshot: section.optional("oneshot", false, boolean),
    ports: section.optional("ports", [], list(u16)),
    process_filters: section.optional("process_filters", [], list(text)),
    status: section.optional("status", "start", choice("start", "stop", "ignore")),
  };
  section.end("name", "exec");
  return document;
}

function decodeTargetSection(value: unknown, path: Path, unknown: Unknown[]): TargetDocument["target"] {
  const section = new Section(value, path, "struct TargetDef", unknown);
  const critical = section.optional("critical", false, boolean);
  const name = section.requiredText("name");
  section.end("name");
  return { name, critical };
}

function decodeDependencies(value: unknown, path: Path, unknown: Unknown[]): DependencySection {
  const section = new Section(value, path, "struct DependencyDef", unknown);
  const document = {
    after: section.optional("after", [], list(text)),
    conflicts: section.optional("conflicts", [], list(text)),
    requires: section.optional("requires", [], list(text)),
    wants: section.optional("wants", [], list(text)),
  };
  section.end();
  return document;
}

function decodeLifecycle(value: unknown, path: Path, unknown: Unknown[]): LifecycleSection {
  const section = new Section(value, path, "struct LifecycleDef", unknown);
  const document = {
    max_restarts: section.optional("max_restarts", 10, u32),
    restart: section.optional("restart", "on-failure", restartPolicy),
    restart_delay_max_ms: section.optional("restart_delay_max_ms", 300_000, u64),
    restart_delay_ms: section.optional("restart_delay_ms", 1000, u64),
    stability_period_ms: section.optional("stability_period_ms", 30_000, u64),
    start_timeout_ms: section.optional("start_timeout_ms", 30_000, u64),
    stop_signal: section.optional("stop_signal", "SIGTERM", text),
    stop_timeout_ms: section.optional("stop_timeout_ms", 10_000, u64),
  };
  section.end();
  return document;
}

function decodeHealth(value: unknown, path: Path, unknown: Unknown[]): HealthSection {
  const section = new Section(value, path, "internally tagged enum HealthDef", unknown);
  const type = section.tag("type", HEALTH_TYPES);
  const status = type === "http" ? section.optional("expect_status", 200, u16) : 0;
  const document = {
    interval_ms: section.optional("interval_ms", 10_000, u64),
    retries: section.optional("retries", 3, u32),
    start_period_ms: section.optional("start_period_ms", 0, u64),
    target: section.requiredText("target", "endpoint"),
    timeout_ms: section.optional("timeout_ms", 5000, u64),
  };
  section.end("target");
  return type === "http" ? { type, expect_status: status, ...document } : { type, ...document };
}

function decodeLogging(value: unknown, path: Path, unknown: Unknown[]): LoggingSection {
  const section = new Section(value, path, "struct LoggingDef", unknown);
  const document = {
    buffer_lines: section.optional("buffer_lines", 1000, integer("usize", Number.MAX_SAFE_INTEGER)),
    file: section.optional("file", null, textOrNull),
    forward: section.optional("forward", null, textOrNull),
  };
  section.end();
  return document;
}

// ---- values

type Decoder<T> = (value: unknown, path: Path) => T;
type SectionDecoder<T> = (value: unknown, path: Path, unknown: Unknown[]) => T;

const HEALTH_TYPES = ["tcp", "http", "exec"] as const;

/** Ends the decoding of one document; never leaves this file. */
class Mismatch extends Error {
  readonly path: Path;

  constructor(message: string, path: Path) {
    super(message);
    this.path = path;
  }
}

function attempt<Document>(decode: (unknown: Unknown[]) => Document): Decoded<Document> | Misshapen {
  const unknown: Unknown[] = [];
  try {
    return { document: decode(unknown), unknown };
  } catch (error) {
    if (error instanceof Mismatch) return { message: error.message, path: error.path };
    throw error;
  }
}

/** A table whose keys are asked for one by one; what nobody asked for is unknown. */
class Section {
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly path: Path;
  private readonly asked: string[] = [];
  private readonly missing: string[] = [];
  private readonly unknown: Unknown[];

  constructor(value: unknown, path: Path, expected: string, unknown: Unknown[]) {
    if (!isTable(value)) throw invalidType(value, expected, path);
    this.values = value;
    this.path = path;
    this.unknown = unknown;
  }

  optional<T>(key: string, fallback: T, decode: Decoder<T>): T {
    const value = this.take(key);
    return value === undefined ? fallback : decode(value, [...this.path, key]);
  }

  /** That it is missing is told at the end, after all that is of a wrong type. */
  requiredText(key: string, alias?: string): string {
    const value = this.take(key);
    const other = alias === undefined ? undefined : this.take(alias);
    if (value === undefined && other === undefined) this.missing.push(key);
    if (value !== undefined) return text(value, [...this.path, key]);
    return other === undefined ? "" : text(other, [...this.path, alias ?? key]);
  }

  section<T>(key: string, decode: SectionDecoder<T>): T {
    const value = this.take(key);
    return decode(value === undefined ? {} : value, [...this.path, key], this.unknown);
  }

  requiredSection<T>(key: string, decode: SectionDecoder<T>): T {
    if (!Object.hasOwn(this.values, key)) throw missingField(key, this.path);
    return this.section(key, decode);
  }

  /** Which kind of section it is. */
  tag<T extends string>(key: string, names: readonly T[]): T {
    const value = this.take(key);
    if (value === undefined) throw missingField(key, this.path);
    if (typeof value !== "string") throw invalidType(value, "variant identifier", [...this.path, key]);
    return choice(...names)(value, [...this.path, key]);
  }

  /** All keys have been asked for. */
  end(...order: readonly string[]): void {
    const first = order.find((key) => this.missing.includes(key));
    if (first !== undefined) throw missingField(first, this.path);
    for (const key of Object.keys(this.values)) {
      if (!this.asked.includes(key)) this.unknown.push({ path: [...this.path, key], known: this.asked });
    }
  }

  private take(key: string): unknown {
    this.asked.push(key);
    return Object.hasOwn(this.values, key) ? this.values[key] : undefined;
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function boolean(value: unknown, path: Path): boolean {
  if (typeof value === "boolean") return value;
  throw invalidType(value, "a boolean", path);
}

function text(value: unknown, path: Path): string {
  if (typeof value === "string") return value;
  throw invalidType(value, "a string", path);
}

function textOrNull(value: unknown, path: Path): string | null {
  return value === null ? null : text(value, path);
}

function texts(value: unknown, path: Path): Readonly<Record<string, string>> {
  if (!isTable(value)) throw invalidType(value, "a map", path);
  const entries = Object.entries(value).map(([key, one]) => [key, text(one, [...path, key])] as const);
  return Object.fromEntries(entries);
}

function list<T>(item: Decoder<T>): Decoder<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw invalidType(value, "a sequence", path);
    return value.map((one: unknown, index) => item(one, [...path, index]));
  };
}

function choice<T extends string>(...names: readonly T[]): Decoder<T> {
  return (value, path) => {
    if (typeof value !== "string") throw invalidType(value, "string or map", path);
    const found = names.find((name) => name === value);
    if (found !== undefined) return found;
    const known = names.map((name) => `\`${name}\``);
    const expected = known.length === 2 ? known.join(" or ") : `one of ${known.join(", ")}`;
    throw new Mismatch(`unknown variant \`${value}\`, expected ${expected}`, path);
  };
}

const policy = choice("always", "on-failure", "never");

/** The documents also spell it with an underscore. */
function restartPolicy(value: unknown, path: Path): LifecycleSection["restart"] {
  return policy(value === "on_failure" ? "on-failure" : value, path);
}

/**
 * A file's integers come as `bigint`. What is larger than JavaScript keeps exactly becomes the
 * largest number that it does.
 */
function integer(type: string, most: number): Decoder<number> {
  return (value, path) => {
    const isInteger = typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
    if (!isInteger) throw invalidType(value, type, path);
    const number = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    if (number >= 0 && number <= most) return number;
    throw new Mismatch(`invalid value: integer \`${value}\`, expected ${type}`, path);
  };
}

const u16 = integer("u16", 0xffff);
const u32 = integer("u32", 0xffff_ffff);
const u64 = integer("u64", Number.MAX_SAFE_INTEGER);

function missingField(key: string, path: Path): Mismatch {
  return new Mismatch(`missing field \`${key}\``, path);
}

function invalidType(value: unknown, expected: string, path: Path): Mismatch {
  return new Mismatch(`invalid type: ${kindOf(value)}, expected ${expected}`, path);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "sequence";
  if (typeof value === "string") return `string ${JSON.stringify(value)}`;
  if (typeof value === "boolean") return `boolean \`${value}\``;
  if (typeof value === "bigint") return `integer \`${value}\``;
  if (typeof value === "number")
    return `${Number.isInteger(value) ? "integer" : "floating point"} \`${value}\``;
  return "map";
}
