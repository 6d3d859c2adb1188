/**
 * A TOML file as a tree in which every key and every value knows its place. Variables are
 * expanded on the way, because only here it is known where in the file a `${` stands.
 */
import { type AST, ParseError, parseTOML } from "toml-eslint-parser";
import { type Environment, expand } from "./expand.ts";
import type { Issues, Place } from "./issues.ts";
import { showPlace } from "./issues.ts";

export interface TableNode {
  readonly type: "table";
  readonly place: Place;
  readonly entries: Map<string, TableEntry>;
}

export interface TableEntry {
  /** Of the key. */
  readonly place: Place;
  readonly node: Node;
}

export interface ListNode {
  readonly type: "list";
  readonly place: Place;
  readonly items: Node[];
  /** Made by `[[name]]`. */
  readonly ofTables: boolean;
}

export interface ScalarNode {
  readonly type: "scalar";
  readonly place: Place;
  readonly value: string | number | boolean | Date;
  /** As it stands in the file, quotes included. */
  readonly raw: string;
  /** A variable is in it, so its value may be a secret and is never shown. */
  readonly expanded: boolean;
}

export type Node = TableNode | ListNode | ScalarNode;

/** `null` if the text is not TOML; the reason is among the issues then. */
export function readDocument(
  file: string,
  source: string,
  environment: Environment,
  issues: Issues,
): TableNode | null {
  // The parser counts from behind a byte order mark, so it must not see one.
  const text = source.replace(/^\ufeff/, "");
  const strange = text.indexOf("\ufffd");
  if (strange >= 0) {
    issues.at(placeAt(file, text, strange), "not UTF-8 text", "save the file as UTF-8");
    return null;
  }
  try {
    const program = parseTOML(text, { tomlVersion: "1.1" });
    return new Reader(file, text, environment, issues).read(program.body[0]);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    reportSyntax(file, text, error, issues);
    return null;
  }
}

export function placeAt(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return { file, line: before.split("\n").length, column: offset - start + 1 };
}

class Reader {
  private readonly file: string;
  private readonly text: string;
  private readonly environment: Environment;
  private readonly issues: Issues;

  constructor(file: string, text: string, environment: Environment, issues: Issues) {
    this.file = file;
    this.text = text;
    this.environment = environment;
    this.issues = issues;
  }

  read(top: AST.TOMLTopLevelTable): TableNode {
    const root = table({ file: this.file, line: 1, column: 1 });
    for (const part of top.body) {
      if (part.type === "TOMLKeyValue") this.addPair(root, part);
      else this.addTable(root, part);
    }
    return root;
  }

  /** `[a.b]` or `[[a.b]]`; the parser has made sure that nothing is defined twice. */
  private addTable(root: TableNode, part: AST.TOMLTable): void {
    const keys = part.key.keys;
    const last = keys.at(-1);
    if (last === undefined) return;
    const parent = this.descend(root, keys.slice(0, -1));
    let target: TableNode;
    if (part.kind === "array") {
      const found = parent.entries.get(name(last))?.node;
      const list: ListNode =
        found?.type === "list" ? found : { type: "list", place: this.place(last), items: [], ofTables: true };
      this.set(parent, last, list);
      target = table(this.place(last));
      list.items.push(target);
    } else target = this.descend(parent, [last]);
    for (const pair of part.body) this.addPair(target, pair);
  }

  private addPair(parent: TableNode, pair: AST.TOMLKeyValue): void {
    const keys = pair.key.keys;
    const last = keys.at(-1);
    if (last !== undefined) this.set(this.descend(parent, keys.slice(0, -1)), last, this.value(pair.value));
  }

  /** The table below `from` by these keys, made where it is missing. */
  private descend(from: TableNode, keys: readonly (AST.TOMLBare | AST.TOMLQuoted)[]): TableNode {
    let here = from;
    for (const key of keys) {
      let next = here.entries.get(name(key))?.node;
      if (next?.type === "list") next = next.items.at(-1);
      if (next?.type !== "table") {
        next = table(this.place(key));
        this.set(here, key, next);
      }
      here = next;
    }
    return here;
  }

  private set(parent: TableNode, key: AST.TOMLBare | AST.TOMLQuoted, node: Node): void {
    if (name(key) === "__proto__") this.issues.at(this.place(key), '"__proto__" cannot be a key');
    else if (!parent.entries.has(name(key))) parent.entries.set(name(key), { place: this.place(key), node });
  }

  private value(node: AST.TOMLContentNode): Node {
    const place = this.place(node);
    if (node.type === "TOMLArray") {
      return { type: "list", place, items: node.elements.map((item) => this.value(item)), ofTables: false };
    }
    if (node.type === "TOMLInlineTable") {
      const made = table(place);
      for (const pair of node.body) this.addPair(made, pair);
      return made;
    }
    const raw = this.text.slice(node.range[0], node.range[1]);
    if (node.kind !== "string") return { type: "scalar", place, value: node.value, raw, expanded: false };
    return this.string(node, place, raw);
  }

  private string(node: AST.TOMLStringValue, place: Place, raw: string): ScalarNode {
    const { text, expanded, problems } = expand(node.value, this.environment);
    for (const problem of problems) {
      const at = placeWithin({ place, raw }, node.value, problem.offset ?? 0);
      this.issues.at(at, problem.message, problem.hint);
    }
    if (text.includes("\0")) this.issues.at(place, "a string with a NUL character", "remove it");
    return { type: "scalar", place, value: text, raw, expanded };
  }

  private place(node: { readonly loc: AST.HasLocs["loc"] }): Place {
    return { file: this.file, line: node.loc.start.line, column: node.loc.start.column + 1 };
  }
}

function table(place: Place): TableNode {
  return { type: "table", place, entries: new Map() };
}

function name(key: AST.TOMLBare | AST.TOMLQuoted): string {
  return key.type === "TOMLBare" ? key.name : key.value;
}

/**
 * The place of a character of a string's value, where the string is written in such a way that
 * its value stands in the file letter by letter; else the place of the string.
 */
export function placeWithin(
  node: { readonly place: Place; readonly raw: string },
  value: string,
  offset: number,
): Place {
  const { place, raw } = node;
  const quotes = /^("""|'''|"|')(\r?\n)?/.exec(raw);
  const open = quotes?.[1]?.length === 3 ? quotes[0].length : 1;
  const close = quotes?.[1]?.length ?? 1;
  if (raw.slice(open, raw.length - close) !== value) return place;
  const before = raw.slice(0, open + offset);
  const newline = before.lastIndexOf("\n");
  if (newline < 0) return { ...place, column: place.column + before.length };
  return { ...place, line: place.line + before.split("\n").length - 1, column: before.length - newline };
}

/** As the schema library wants it. */
export function plain(node: Node): unknown {
  if (node.type === "scalar") return node.value;
  if (node.type === "list") return node.items.map(plain);
  const object: Record<string, unknown> = {};
  for (const [key, entry] of node.entries) object[key] = plain(entry.node);
  return object;
}

/** The parser's terse words, made into what is wrong and what to do. */
function reportSyntax(file: string, text: string, error: ParseError, issues: Issues): void {
  const place = { file, line: error.lineNumber, column: error.column + 1 };
  if (/multiple times/.test(error.message)) {
    reportTwice(text, place, issues);
    return;
  }
  const { offset, message, hint } = explain(error.message, text, Math.min(error.index, text.length));
  issues.at(placeAt(file, text, offset), `not TOML: ${message}`, hint);
}

interface Explained {
  readonly offset: number;
  readonly message: string;
  readonly hint?: string;
}

function explain(reason: string, text: string, offset: number): Explained {
  const before = text.slice(0, offset);
  const end = before.trimEnd().length;
  const lastLine = before.trimEnd().split("\n").at(-1) ?? "";
  const found = /^[^\s,\]}=#]+/.exec(text.slice(offset))?.[0] ?? "";
  const gap = before.slice(end);
  if (/^\s*\[[^\]]*$/.test(lastLine)) {
    return {
      offset: end - lastLine.trimStart().length,
      message: "a section's header without its bracket",
      hint: 'end it with "]"',
    };
  }
  if (before.endsWith("=", end) && (found === "" || gap.includes("\n"))) {
    return { offset: end - 1, message: "a key without a value", hint: "write a value behind the =" };
  }
  if (/equal/.test(reason)) {
    const start = end - (/\S+$/.exec(lastLine)?.[0].length ?? 0);
    return {
      offset: start,
      message: "a key without =",
      hint: "write key = value, or [service.NAME] for a section",
    };
  }
  if (before.endsWith("=", end)) return { offset, ...badValue(found) };
  if (/newline/.test(reason) && /=\s*[0-9.]+$/.test(lastLine)) {
    const hint = 'write durations and sizes in quotes, such as "10s" or "64MiB"';
    return { offset, message: "a number with something behind it", hint };
  }
  if (/unexpected/i.test(reason) && found !== "") {
    const hint = 'perhaps a "]", "}" or quote is missing before it';
    return { offset, message: `"${found.charAt(0)}" is not expected here`, hint };
  }
  return { offset, message: reason.charAt(0).toLowerCase() + reason.slice(1) };
}

function badValue(found: string): Omit<Explained, "offset"> {
  if (/^(?:true|false)$/i.test(found))
    return { message: `"${found}" is not a value`, hint: "write true or false in small letters" };
  return { message: "a value that is neither quoted nor a number", hint: "put text in quotes" };
}

const HEADER = /^(\s*\[\s*)([^[\]]+?)\s*\]/;
const PAIR = /^(\s*)([^=\s]+)\s*=/;

/** A section or key that is there already: say where it was first. */
function reportTwice(text: string, place: Place, issues: Issues): void {
  const lines = text.split("\n");
  const again = lines[place.line - 1] ?? "";
  const isHeader = HEADER.test(again);
  const pattern = isHeader ? HEADER : PAIR;
  const [, lead = "", key = ""] = pattern.exec(again) ?? [];
  const label = isHeader ? `[${key}]` : key === "" ? "a key" : `"${key}"`;
  const first = earlier(lines, place.line - 2, pattern, key);
  // The same text stands there, so the same part of it is as far from its start.
  const shift = place.column - lead.length;
  const at = first && { ...place, line: first.line, column: first.lead + shift };
  const where = at ? `, first at ${showPlace(at)}` : "";
  issues.at(place, `${label} is defined twice${where}`, "remove or rename one of them");
}

/** A key is looked for only in its own section. */
function earlier(lines: readonly string[], from: number, pattern: RegExp, key: string) {
  for (let index = from; index >= 0 && key !== ""; index--) {
    const line = lines[index] ?? "";
    const [, lead = "", found] = pattern.exec(line) ?? [];
    if (found === key) return { line: index + 1, lead: lead.length };
    if (pattern === PAIR && HEADER.test(line)) return undefined;
  }
  return undefined;
}
