/**
 * A TOML file as a tree of nodes, its variables expanded if its dialect has any. Where something stands in the file
 * is looked up when somebody asks, which nobody does as long as nothing is wrong.
 */
import { parse, TomlError } from "smol-toml";
import type { Node, NodeType, Place } from "../model/node.ts";
import { type Environment, expand } from "./expand.ts";
import { Issues } from "./issues.ts";
import { locate, type Spot } from "./locate.ts";
import { reportSyntax } from "./syntax.ts";

/** A file that is TOML. */
export interface Tree {
  readonly root: Node;
  /** Puts the values of variables into its strings, which not every dialect has. */
  expand(environment: Environment): void;
}

/** Of a text that was made of a file's: what stands where in the file. */
export interface Shift {
  /** The file's text. */
  readonly original: string;
  /** The place in the file that a place in the text comes from. */
  back(offset: number): number;
  /** Something was put in here, which may be a secret. */
  touches(start: number, end: number): boolean;
}

/** `null` if the text is not TOML; the reason is among the issues then. */
export function readDocument(
  file: string,
  source: string,
  issues: Issues,
  shift: Shift | null = null,
): Tree | null {
  // Counted from behind a byte order mark, as editors do.
  const text = source.replace(/^\ufeff/, "");
  const strange = text.indexOf("\ufffd");
  if (strange >= 0) {
    issues.at(new Document(file, text, shift).place(strange), "not UTF-8 text", "save the file as UTF-8");
    return null;
  }
  try {
    const value = parse(text, { maxDepth: 32 });
    const document = new Document(file, text, shift);
    const root = new DocumentNode(document, null, "", value);
    const expand = (environment: Environment) => {
      // Most files have neither variables nor a NUL in them.
      if (text.includes("$") || text.includes("\\")) new Expander(document, environment, issues).all(root);
    };
    return { root, expand };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    if (shift === null) reportSyntax(file, text, error, issues);
    else reportShifted(file, text, error, issues, shift);
    return null;
  }
}

/** What was put in may be a secret, so no more is said than what and where. */
function reportShifted(file: string, text: string, error: TomlError, issues: Issues, shift: Shift): void {
  const found = new Issues();
  reportSyntax(file, text, error, found);
  const document = new Document(file, text, shift);
  for (const { line, column, message, hint } of found.list) {
    const offset = document.offset(line ?? 1, column ?? 1);
    issues.at(document.place(offset), message, hint ?? undefined);
  }
}

/** Keys of containers. */
class Marks {
  private readonly keys = new Map<unknown, Set<string | number>>();

  add(container: unknown, key: string | number): void {
    const keys = this.keys.get(container);
    if (keys) keys.add(key);
    else this.keys.set(container, new Set([key]));
  }

  has(container: unknown, key: string | number): boolean {
    return this.keys.size > 0 && this.keys.get(container)?.has(key) === true;
  }
}

class Document {
  readonly file: string;
  readonly text: string;
  /** Containers, and which of their keys hold a string with a variable in it. */
  readonly expanded = new Marks();
  /** And which of them hold, at any depth, one whose variables are not right. */
  readonly broken = new Marks();
  readonly shift: Shift | null;
  private root: Spot | undefined;
  private lineStarts: number[] | undefined;

  constructor(file: string, text: string, shift: Shift | null) {
    this.file = file;
    this.text = text;
    this.shift = shift;
  }

  spot(path: readonly (string | number)[]): Spot {
    this.root ??= locate(this.text);
    let here = this.root;
    for (const key of path) here = here.children.get(key) ?? here;
    return here;
  }

  /** Of a place in the text itself. */
  offset(line: number, column: number): number {
    const start = this.text
      .split("\n")
      .slice(0, line - 1)
      .join("\n").length;
    return start + (line > 1 ? 1 : 0) + column - 1;
  }

  place(given: number): Place {
    const { shift } = this;
    const offset = shift === null ? given : shift.back(given);
    const text = shift === null ? this.text : shift.original;
    this.lineStarts ??= [0, ...[...text.matchAll(/\n/g)].map((found) => found.index + 1)];
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { file: this.file, line: low + 1, column: offset - (this.lineStarts[low] ?? 0) + 1 };
  }
}

class DocumentNode implements Node {
  private readonly document: Document;
  private readonly parent: DocumentNode | null;
  private readonly key: string | number;
  readonly value: unknown;

  constructor(document: Document, parent: DocumentNode | null, key: string | number, value: unknown) {
    this.document = document;
    this.parent = parent;
    this.key = key;
    this.value = value;
  }

  get type(): NodeType {
    const { value } = this;
    if (typeof value === "string") return "string";
    if (typeof value === "boolean") return "boolean";
    if (typeof value === "number") return Number.isInteger(value) ? "integer" : "float";
    if (Array.isArray(value)) return "list";
    return value instanceof Date ? "date" : "table";
  }

  get place(): Place {
    return this.document.place(this.spot.start);
  }

  get keyPlace(): Place {
    return this.document.place(this.spot.key);
  }

  get expanded(): boolean {
    const { shift } = this.document;
    if (shift?.touches(this.spot.start, this.spot.end)) return true;
    return this.document.expanded.has(this.parent?.value, this.key);
  }

  get broken(): boolean {
    return this.document.broken.has(this.parent?.value, this.key);
  }

  get raw(): string {
    return this.document.text.slice(this.spot.start, this.spot.end);
  }

  entries(): (readonly [string, Node])[] {
    if (this.type !== "table") return [];
    // A table is an object without a prototype, whatever its keys are called.
    return Object.entries(Object(this.value)).map(([key, value]) => [key, this.child(key, value)]);
  }

  get(key: string): Node | undefined {
    const value: unknown = this.type === "table" ? Object(this.value)[key] : undefined;
    return value === undefined ? undefined : this.child(key, value);
  }

  items(): Node[] {
    return Array.isArray(this.value)
      ? this.value.map((value: unknown, index) => this.child(index, value))
      : [];
  }

  placeOf(offset: number): Place {
    const { raw } = this;
    const quotes = /^("""|'''|"|')(\r?\n)?/.exec(raw);
    const open = quotes?.[1]?.length === 3 ? quotes[0].length : 1;
    const close = quotes?.[1]?.length ?? 1;
    // Behind an escape, a character of the value stands who knows where.
    if (raw.slice(open, raw.length - close) !== this.value) return this.place;
    return this.document.place(this.spot.start + open + offset);
  }

  private get spot(): Spot {
    const path: (string | number)[] = [];
    for (let node: DocumentNode = this; node.parent; node = node.parent) path.unshift(node.key);
    return this.document.spot(path);
  }

  private child(key: string | number, value: unknown): DocumentNode {
    return new DocumentNode(this.document, this, key, value);
  }
}

/** Puts the variables' values into every string, in place. */
class Expander {
  private readonly document: Document;
  private readonly environment: Environment;
  private readonly issues: Issues;

  constructor(document: Document, environment: Environment, issues: Issues) {
    this.document = document;
    this.environment = environment;
    this.issues = issues;
  }

  /** Tells whether a variable somewhere in it is not right. The parser has bounded the depth. */
  all(node: Node): boolean {
    const children =
      node.type === "list" ? node.items().map((item, index) => [index, item] as const) : node.entries();
    let broken = false;
    for (const [key, child] of children) {
      const { value } = child;
      const wrong = typeof value === "string" ? this.one(value, child, node.value, key) : this.all(child);
      if (!wrong) continue;
      this.document.broken.add(node.value, key);
      broken = true;
    }
    return broken;
  }

  private one(text: string, node: Node, container: unknown, key: string | number): boolean {
    const { text: whole, expanded, problems } = expand(text, this.environment);
    for (const { offset, message, hint } of problems) {
      this.issues.at(node.placeOf(offset ?? 0), message, hint);
    }
    const nul = whole.includes("\0");
    if (nul) this.issues.at(node.place, "a string with a NUL character", "remove it");
    if (expanded) this.document.expanded.add(container, key);
    // The parser made this container for us alone.
    Object.assign(Object(container), { [key]: whole });
    return nul || problems.length > 0;
  }
}
