/**
 * Environment files: `NAME=value` lines with `#` comments, an optional `export`, and quotes. A
 * value is taken as it is; nothing is expanded. No message ever shows a value.
 */

export interface DotenvProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string;
}

export interface Dotenv {
  readonly values: Readonly<Record<string, string>>;
  readonly problems: readonly DotenvProblem[];
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  '"': '"',
  "\\": "\\",
  $: "$",
  "`": "`",
  "\n": "",
};

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*/;

export function parseDotenv(source: string): Dotenv {
  const text = source.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
  const values: Record<string, string> = {};
  const problems: DotenvProblem[] = [];
  const report = (offset: number, message: string, hint: string) => {
    const before = text.slice(0, offset).split("\n");
    problems.push({ line: before.length, column: (before.at(-1) ?? "").length + 1, message, hint });
  };
  let at = 0;
  while (at < text.length) {
    const end = lineEnd(text, at);
    const line = text.slice(at, end);
    const start = at;
    at = end + 1;
    if (/^[ \t]*(?:#|$)/.test(line)) continue;
    const [matched, name] = ASSIGNMENT.exec(line) ?? [];
    if (matched === undefined || name === undefined) {
      report(start + line.search(/[^ \t]/), "not a line of the form NAME=value", "a comment starts with #");
      continue;
    }
    const value = takeValue(text, start + matched.length);
    if ("message" in value) report(value.offset, value.message, value.hint);
    else
      Object.defineProperty(values, name, {
        value: value.text,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    at = Math.max(at, value.next);
  }
  return { values, problems };
}

type Taken =
  | { readonly text: string; readonly next: number }
  | { readonly message: string; readonly hint: string; readonly offset: number; readonly next: number };

function takeValue(text: string, at: number): Taken {
  const quote = text.charAt(at);
  if (quote !== '"' && quote !== "'") {
    const end = lineEnd(text, at);
    const raw = text.slice(at, end);
    return { text: raw.replace(/(?:^|[ \t]+)#.*$/, "").trimEnd(), next: end + 1 };
  }
  const taken = quote === '"' ? takeDouble(text, at) : takeSingle(text, at);
  if ("message" in taken) return taken;
  const end = lineEnd(text, taken.next);
  if (/^[ \t]*(?:#.*)?$/.test(text.slice(taken.next, end))) return { text: taken.text, next: end + 1 };
  const hint = "quote the whole value, or escape the quotes in it";
  return { message: "something follows the closing quote", hint, offset: taken.next, next: end + 1 };
}

function takeSingle(text: string, at: number): Taken {
  const end = text.indexOf("'", at + 1);
  const line = lineEnd(text, at);
  if (end < 0 || end > line) {
    return {
      message: "a ' that is not closed on its line",
      hint: 'only " may span lines',
      offset: at,
      next: line + 1,
    };
  }
  return { text: text.slice(at + 1, end), next: end + 1 };
}

function takeDouble(text: string, at: number): Taken {
  let out = "";
  let here = at + 1;
  while (here < text.length) {
    const character = text.charAt(here);
    if (character === '"') return { text: out, next: here + 1 };
    if (character === "\\" && here + 1 < text.length) {
      const next = text.charAt(here + 1);
      out += ESCAPES[next] ?? `\\${next}`;
      here += 2;
    } else {
      out += character;
      here += 1;
    }
  }
  return {
    message: 'a " that is never closed',
    hint: 'close it, or write \\" for the character itself',
    offset: at,
    next: text.length,
  };
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}
