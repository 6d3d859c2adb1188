/**
 * Where every key and value of a TOML text stands. The parser tells this of errors only; what
 * else is wrong with a file is found later, and then (only then) this walks through it. The text
 * is known to be TOML, so that nothing is checked here.
 */

/** Offsets into the text, in UTF-16 units. */
export interface Spot {
  readonly key: number;
  readonly start: number;
  readonly end: number;
  /** By key, or by index. */
  readonly children: Map<string | number, Spot>;
}

export function locate(text: string): Spot {
  return new Walker(text).walk();
}

interface Key {
  readonly name: string;
  readonly at: number;
}

class Walker {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  walk(): Spot {
    const root = spot(0, 0, this.text.length);
    let table = root;
    for (this.skip(/[\s\ufeff]*(?:#.*\s*)*/y); this.at < this.text.length; this.skipVoid()) {
      if (this.text.charAt(this.at) === "[") table = this.header(root);
      else this.pair(table);
    }
    return root;
  }

  private header(root: Spot): Spot {
    const isList = this.text.startsWith("[[", this.at);
    this.at += isList ? 2 : 1;
    const keys = this.keys();
    this.at += isList ? 2 : 1;
    const last = keys.pop() ?? { name: "", at: this.at };
    const parent = descend(root, keys);
    if (!isList) return descend(parent, [last]);
    const found = parent.children.get(last.name) ?? spot(last.at, last.at, this.at);
    parent.children.set(last.name, found);
    const item = spot(last.at, last.at, this.at);
    found.children.set(found.children.size, item);
    return item;
  }

  private pair(table: Spot): void {
    const keys = this.keys();
    const last = keys.pop() ?? { name: "", at: this.at };
    this.skip(/[ \t]*=[ \t]*/y);
    const parent = descend(table, keys);
    const start = this.at;
    const children = this.value();
    parent.children.set(last.name, { key: last.at, start, end: this.at, children });
  }

  /** `a . "b.c"`; ends before whatever follows the keys. */
  private keys(): Key[] {
    const keys: Key[] = [];
    do {
      this.skip(/[ \t]*\.?[ \t]*/y);
      const at = this.at;
      const quoted = this.skip(/"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y);
      keys.push({ name: quoted === "" ? this.skip(/[^\s.=\]"']+/y) : unquote(quoted), at });
      this.skip(/[ \t]*/y);
    } while (this.text.charAt(this.at) === ".");
    return keys;
  }

  /** Moves behind the value. */
  private value(): Map<string | number, Spot> {
    const first = this.text.charAt(this.at);
    if (first === "[") return this.list();
    if (first === "{") return this.inlineTable();
    // Up to two more quotes may stand directly before the closing three.
    const quoted = this.skip(
      /"""(?:[^\\]|\\[\s\S])*?"""(?:"{1,2}(?!"))?|'''[\s\S]*?'''(?:'{1,2}(?!'))?|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y,
    );
    if (quoted === "") {
      const bare = this.skip(/[^,\]}#\n]*/y);
      this.at -= bare.length - bare.trimEnd().length;
    }
    return new Map();
  }

  private list(): Map<string | number, Spot> {
    const children = new Map<string | number, Spot>();
    this.at += 1;
    for (this.skipVoid(); this.text.charAt(this.at) !== "]"; this.skipVoid()) {
      const start = this.at;
      const inner = this.value();
      children.set(children.size, { key: start, start, end: this.at, children: inner });
      this.skipVoid();
      this.skip(/,?/y);
    }
    this.at += 1;
    return children;
  }

  private inlineTable(): Map<string | number, Spot> {
    const table = spot(this.at, this.at, this.at);
    this.at += 1;
    for (this.skipVoid(); this.text.charAt(this.at) !== "}"; this.skipVoid()) {
      this.pair(table);
      this.skipVoid();
      this.skip(/,?/y);
    }
    this.at += 1;
    return table.children;
  }

  private skipVoid(): void {
    this.skip(/\s*(?:#.*\s*)*/y);
  }

  private skip(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }
}

function spot(key: number, start: number, end: number): Spot {
  return { key, start, end, children: new Map() };
}

function descend(from: Spot, keys: readonly Key[]): Spot {
  let here = from;
  for (const { name, at } of keys) {
    let next = here.children.get(name);
    if (!next) {
      next = spot(at, at, at + name.length);
      here.children.set(name, next);
    }
    // A list of tables is entered at its last one.
    const isList = next.children.has(0);
    here = isList ? (next.children.get(next.children.size - 1) ?? next) : next;
  }
  return here;
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  t: "\t",
  n: "\n",
  f: "\f",
  r: "\r",
  e: "\u001b",
};

function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith("'")) return inner;
  return inner.replace(
    /\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/g,
    (_, x, u, long, letter) => {
      const code: string | undefined = x ?? u ?? long;
      return code === undefined
        ? (ESCAPES[letter] ?? letter)
        : String.fromCodePoint(Number.parseInt(code, 16));
    },
  );
}
