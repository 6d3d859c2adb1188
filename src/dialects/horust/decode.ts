/**
 * From a file's tree to the service it defines. Everything that is wrong is reported with its
 * place; what is odd but allowed is a warning.
 */
import { Issues } from "../../config/issues.ts";
import { kindOf } from "../../model/kit.ts";
import type { Node, Place } from "../../model/node.ts";
import { parseHttpUrl } from "../../model/probes.ts";
import { SIGNAL_NAMES } from "../../model/signals.ts";
import { didYouMean } from "../../model/suggest.ts";
import type { Parsed } from "../../model/units.ts";
import { type HorustService, type Limits, plainService, STDERR, STDOUT } from "./document.ts";
import { parseBytes, parseTime } from "./units.ts";
import { splitCommand } from "./words.ts";

export interface Reports {
  readonly issues: Issues;
  readonly warnings: Issues;
}

/** `null` if anything is wrong with it. */
export function decodeService(root: Node, fileName: string, reports: Reports): HorustService | null {
  const own: Reports = { issues: new Issues(), warnings: reports.warnings };
  const service = decode(root, fileName, own);
  reports.issues.list.push(...own.issues.list);
  return own.issues.list.length === 0 ? service : null;
}

function decode(root: Node, fileName: string, reports: Reports): HorustService {
  const top = new Section(root, "", reports);
  const name = top.text("name") ?? "";
  const command = top.text("command");
  if (command === null && root.get("command") === undefined) {
    reports.issues.at(START(root.place), "no command in this file", 'write command = "program argument …"');
  }
  const plain = plainService(name === "" ? fileName : name, command ?? "");
  const service: HorustService = {
    ...plain,
    user: readUser(top),
    workingDirectory: top.text("working-directory"),
    stdout: top.text("stdout") ?? STDOUT,
    stderr: top.text("stderr") ?? STDERR,
    rotateSize: top.parsed("stdout-rotate-size", parseBytes) ?? 0,
    stamp: top.flag("stdout-should-append-timestamp-to-filename") ?? false,
    startDelayMs: top.parsed("start-delay", parseTime) ?? 0,
    startAfter: top.texts("start-after") ?? [],
    shutdownAfter: top.texts("shutdown-after") ?? [],
    restart: readRestart(top.section("restart"), plain),
    healthiness: readHealthiness(top.section("healthiness"), plain),
    failure: readFailure(top.section("failure"), plain),
    environment: readEnvironment(top.section("environment"), plain),
    termination: readTermination(top.section("termination"), plain),
    limits: readLimits(top, reports),
  };
  if (top.text("signal-rewrite") !== null)
    top.warn("signal-rewrite", "signal-rewrite has no effect", "remove it");
  top.end();
  remark(top, service);
  return service;
}

const START = ({ file }: Place): Place => ({ file, line: 1, column: 1 });

function readUser(top: Section): number | string | null {
  const node = top.take("user");
  if (node === undefined) return null;
  const { value } = node;
  if (typeof value === "number" && node.type === "integer" && value >= 0 && value < 2 ** 32) return value;
  if (typeof value === "string" && value !== "") return value;
  return top.mismatch("user", node, "a user's name, or its number without quotes");
}

function readRestart(section: Section, { restart }: HorustService): HorustService["restart"] {
  const found = {
    strategy: section.choice("strategy", ["always", "on-failure", "never"]) ?? restart.strategy,
    backoffMs: section.parsed("backoff", parseTime) ?? restart.backoffMs,
    attempts: section.integer("attempts", 0, 2 ** 32 - 1) ?? restart.attempts,
  };
  section.end();
  return found;
}

function readHealthiness(section: Section, { healthiness }: HorustService): HorustService["healthiness"] {
  const found = {
    http: section.text("http-endpoint"),
    file: section.text("file-path"),
    command: section.text("command"),
    maxFailed: section.integer("max-failed", -(2 ** 31), 2 ** 31 - 1) ?? healthiness.maxFailed,
    afterMs: section.parsed("healthy-after", parseTime) ?? healthiness.afterMs,
  };
  section.end();
  return found;
}

function readFailure(section: Section, { failure }: HorustService): HorustService["failure"] {
  const found = {
    successCodes: section.integers("successful-exit-code") ?? failure.successCodes,
    strategy: section.choice("strategy", ["shutdown", "kill-dependents", "ignore"]) ?? failure.strategy,
  };
  section.end();
  return found;
}

function readEnvironment(section: Section, { environment }: HorustService): HorustService["environment"] {
  const found = {
    keep: section.flag("keep-env") ?? environment.keep,
    reExport: section.texts("re-export") ?? environment.reExport,
    additional: section.map("additional") ?? environment.additional,
  };
  // The one section whose unknown keys are passed over.
  section.end("warning");
  return found;
}

/** KILL is not among them: it follows by itself. */
const SIGNALS = SIGNAL_NAMES.filter((name) => name !== "KILL");

function readTermination(section: Section, { termination }: HorustService): HorustService["termination"] {
  const found = {
    signal: section.choice("signal", SIGNALS) ?? termination.signal,
    waitMs: section.parsed("wait", parseTime) ?? termination.waitMs,
    dieIfFailed: section.texts("die-if-failed") ?? termination.dieIfFailed,
  };
  section.end();
  return found;
}

const LIMIT_SECTIONS = ["resource-limit", "resource"] as const;

/** By either name, and the processors in either unit. */
function readLimits(top: Section, { issues }: Reports): Limits {
  const [first, second] = LIMIT_SECTIONS.map((key) => top.section(key));
  const both = top.node?.get("resource-limit") !== undefined && top.node.get("resource") !== undefined;
  const again = top.node?.get("resource");
  if (both && again)
    issues.at(again.keyPlace, "[resource] beside [resource-limit]: they are the same", "keep one");
  const limits = first && first.node !== undefined ? first : second;
  const found = limits === undefined ? { cpu: null, memory: null, pids: null } : readLimitsIn(limits, issues);
  first?.end();
  second?.end();
  return found;
}

function readLimitsIn(section: Section, issues: Issues): Limits {
  const cpu = section.processors("cpu");
  const percent = section.number("cpu-percent");
  if (cpu !== null && percent !== null) {
    const place = section.node?.get("cpu-percent")?.keyPlace;
    if (place) issues.at(place, "cpu-percent beside cpu: they are the same", "keep one");
  }
  return {
    cpu: cpu ?? (percent === null ? null : percent / 100),
    memory: section.parsed("memory", parseBytes),
    pids: section.integer("pids-max", 0, Number.MAX_SAFE_INTEGER),
  };
}

// ---- what is odd

function remark(top: Section, service: HorustService): void {
  const { stdout, stderr, rotateSize, stamp, healthiness } = service;
  if (rotateSize > 0 && (stdout === STDOUT || stdout === STDERR)) {
    top.warn("stdout-rotate-size", "stdout is no file, so nothing is rotated", 'write stdout = "PATH"');
  }
  if (stamp && rotateSize === 0) {
    const hint = "write stdout-rotate-size beside it";
    top.warn("stdout-should-append-timestamp-to-filename", "nothing is rotated, so this has no effect", hint);
  }
  for (const [key, value] of [
    ["stdout", stdout],
    ["stderr", stderr],
  ] as const) {
    const upper = value.toUpperCase();
    if (value !== upper && (upper === STDOUT || upper === STDERR)) {
      top.warn(key, `a file called "${value}"`, `write "${upper}" for the supervisor's own`);
    }
  }
  const { http, command } = healthiness;
  if (http !== null) {
    const parsed = parseHttpUrl(http);
    if (!("value" in parsed))
      top.warnAt(["healthiness", "http-endpoint"], `this check always fails: ${parsed.message}`, parsed.hint);
  }
  if (command !== null && !splitCommand(command)?.length) {
    top.warnAt(
      ["healthiness", "command"],
      "this check always fails: it has no words, or a quote is not closed",
    );
  }
}

// ---- a table, key by key

class Section {
  readonly node: Node | undefined;
  readonly #prefix: string;
  readonly #reports: Reports;
  readonly #asked: string[] = [];

  constructor(node: Node | undefined, prefix: string, reports: Reports) {
    this.node = node;
    this.#prefix = prefix;
    this.#reports = reports;
  }

  take(key: string): Node | undefined {
    this.#asked.push(key);
    return this.node?.get(key);
  }

  section(key: string): Section {
    const node = this.take(key);
    if (node !== undefined && node.type !== "table") {
      this.mismatch(key, node, `a section: [${this.#prefix}${key}]`);
      return new Section(undefined, `${key}.`, this.#reports);
    }
    return new Section(node, `${key}.`, this.#reports);
  }

  text(key: string): string | null {
    const node = this.take(key);
    if (node === undefined) return null;
    return this.#textOf(key, node, "a string");
  }

  #textOf(key: string, node: Node, expected: string): string | null {
    const { value } = node;
    if (typeof value !== "string") return this.mismatch(key, node, expected);
    if (!value.includes("\0")) return value;
    this.#reports.issues.at(node.place, `${this.#prefix}${key}: a NUL character in it`, "remove it");
    return null;
  }

  texts(key: string): readonly string[] | null {
    const node = this.take(key);
    if (node === undefined) return null;
    if (node.type !== "list") return this.mismatch(key, node, "a list of strings");
    return node.items().flatMap((item) => this.#textOf(key, item, "a list of strings") ?? []);
  }

  flag(key: string): boolean | null {
    const node = this.take(key);
    if (node === undefined) return null;
    return typeof node.value === "boolean" ? node.value : this.mismatch(key, node, "true or false");
  }

  integer(key: string, least: number, most: number): number | null {
    const node = this.take(key);
    return node === undefined ? null : this.#integerOf(key, node, least, most);
  }

  #integerOf(key: string, node: Node, least: number, most: number): number | null {
    const { value } = node;
    if (typeof value !== "number" || node.type !== "integer")
      return this.mismatch(key, node, "a whole number");
    if (value >= least && value <= most) return value;
    this.#reports.issues.at(
      node.place,
      `${this.#prefix}${key}: expected a whole number from ${least} to ${most}`,
    );
    return null;
  }

  integers(key: string): readonly number[] | null {
    const node = this.take(key);
    if (node === undefined) return null;
    if (node.type !== "list") return this.mismatch(key, node, "a list of whole numbers");
    return node.items().flatMap((item) => this.#integerOf(key, item, -(2 ** 31), 2 ** 31 - 1) ?? []);
  }

  /** -1 is no limit. */
  processors(key: string): number | null {
    return this.node?.get(key)?.value === -1 ? this.#nothing(key) : this.number(key);
  }

  #nothing(key: string): null {
    this.take(key);
    return null;
  }

  /** Above 0. */
  number(key: string): number | null {
    const node = this.take(key);
    if (node === undefined) return null;
    const { value } = node;
    if (typeof value !== "number") return this.mismatch(key, node, "a number");
    if (value > 0 && Number.isFinite(value)) return value;
    this.#reports.issues.at(node.place, `${this.#prefix}${key}: expected a number above 0`);
    return null;
  }

  choice<T extends string>(key: string, names: readonly T[]): T | null {
    const node = this.take(key);
    if (node === undefined) return null;
    if (typeof node.value !== "string") return this.mismatch(key, node, "a string");
    const found = names.find((name) => name === node.value);
    if (found !== undefined) return found;
    const shown = node.expanded ? "this value" : `"${node.value}"`;
    const nearest = didYouMean(node.value.replace(/^SIG/, ""), names);
    const hint =
      nearest ?? (names.length > 6 ? 'write a name such as "TERM"' : `the values are ${names.join(", ")}`);
    this.#reports.issues.at(node.place, `${this.#prefix}${key}: ${shown} is not known here`, hint);
    return null;
  }

  map(key: string): Readonly<Record<string, string>> | null {
    const node = this.take(key);
    if (node === undefined) return null;
    if (node.type !== "table") return this.mismatch(key, node, 'a table such as { KEY = "value" }');
    const pairs = node.entries().flatMap(([name, value]) => {
      const text = this.#textOf(`${key}.${name}`, value, "a string");
      if (!/^[^=\0]+$/.test(name)) {
        const problem = `${this.#prefix}${key}: a variable's name cannot be empty or have "=" in it`;
        this.#reports.issues.at(value.keyPlace, problem);
        return [];
      }
      return text === null ? [] : [[name, text] as const];
    });
    return Object.fromEntries(pairs);
  }

  parsed<T>(key: string, parse: (text: string) => Parsed<T>): T | null {
    const node = this.take(key);
    if (node === undefined) return null;
    if (typeof node.value !== "string") return this.mismatch(key, node, "a string in quotes");
    const parsed = parse(node.value);
    if ("value" in parsed) return parsed.value;
    const message = node.expanded ? "not understood" : parsed.message;
    this.#reports.issues.at(
      node.place,
      `${this.#prefix}${key}: ${message}`,
      node.expanded ? undefined : parsed.hint,
    );
    return null;
  }

  /** All keys have been asked for: what nobody asked for is unknown. */
  end(severity: "error" | "warning" = "error"): void {
    for (const [key, node] of this.node?.entries() ?? []) {
      if (this.#asked.includes(key)) continue;
      const list = severity === "error" ? this.#reports.issues : this.#reports.warnings;
      const known =
        this.#prefix === "" ? "see horust --sample-service" : `known here: ${this.#asked.join(", ")}`;
      list.at(node.keyPlace, `unknown key "${this.#prefix}${key}"`, didYouMean(key, this.#asked) ?? known);
    }
  }

  mismatch(key: string, node: Node, expected: string): null {
    this.#reports.issues.at(node.place, `${this.#prefix}${key}: expected ${expected}, got ${kindOf(node)}`);
    return null;
  }

  warn(key: string, message: string, hint?: string): void {
    this.warnAt([key], message, hint);
  }

  warnAt(path: readonly string[], message: string, hint?: string): void {
    let node = this.node;
    for (const key of path) node = node?.get(key);
    if (node) this.#reports.warnings.at(node.place, message, hint);
  }
}
