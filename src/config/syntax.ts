/** What the parser says about a text that is not TOML, made into what is wrong and what to do. */
import type { TomlError } from "smol-toml";
import type { Place } from "../model/node.ts";
import { type Issues, showPlace } from "./issues.ts";

export function reportSyntax(file: string, text: string, error: TomlError, issues: Issues): void {
  const reason = (error.message.split("\n")[0] ?? "").replace("Invalid TOML document: ", "");
  const lines = text.split(/\r?\n/);
  const place = { file, line: error.line, column: error.column };
  if (/redefine/.test(reason)) {
    reportTwice(lines, place, issues);
    return;
  }
  const { message, hint, column = place.column } = explain(reason, lines[place.line - 1] ?? "", place.column);
  issues.at({ ...place, column }, `not TOML: ${message}`, hint);
}

interface Explained {
  readonly message: string;
  readonly hint?: string;
  /** Where that is better than the parser's. */
  readonly column?: number;
}

function explain(reason: string, line: string, column: number): Explained {
  const before = line.slice(0, column - 1);
  const found = /^[^\s,\]}=#]+/.exec(line.slice(column - 1))?.[0] ?? "";
  if (/key/.test(reason) && !/end-of-line/.test(reason)) return explainKey(before, found);
  if (/invalid value/.test(reason)) return explainValue(before, found);
  if (/numeric|end-of-line/.test(reason) && /[0-9]$/.test(before.trimEnd())) {
    const hint = 'write durations and sizes in quotes, such as "10s" or "64MiB"';
    return { message: "a number with something behind it", hint };
  }
  if (/control characters/.test(reason) && column > line.length) {
    return {
      message: "a string that is not closed on its line",
      hint: 'close it, or use """ for one of several lines',
    };
  }
  if (/end-of-line/.test(reason))
    return { message: "something follows the value", hint: "write one key = value a line" };
  if (/comma|unfinished (?:array|table)/.test(reason)) {
    const message =
      found === "" ? "a list or table that is not closed" : `"${found.charAt(0)}" is not expected here`;
    return { message, hint: 'perhaps a comma, "]" or "}" is missing before it' };
  }
  if (/leading zero/.test(reason)) return { message: reason, hint: 'write a umask in quotes, such as "022"' };
  return { message: reason };
}

function explainKey(before: string, found: string): Explained {
  const start = before.length - before.trimStart().length + 1;
  if (before.trimStart().startsWith("[")) {
    return { message: "a section's header that is not closed", hint: 'end it with "]"', column: start };
  }
  if (found === "" || found.startsWith("=")) {
    const hint = "write key = value, or [service.NAME] for a section";
    return {
      message: before.trim() === "" ? "a value without a key" : "a key without =",
      hint,
      column: start,
    };
  }
  if (/\s$/.test(before)) {
    const hint = "write key = value; a key with a blank in it needs quotes";
    return { message: "a key without =", hint, column: start };
  }
  return {
    message: `"${found.charAt(0)}" in a key`,
    hint: "keys with other than letters, digits, _ and - need quotes",
  };
}

function explainValue(before: string, found: string): Explained {
  if (found === "") return { message: "a key without a value", hint: "write a value behind the =" };
  if (/^(?:true|false|yes|no|on|off)$/i.test(found)) {
    return { message: `"${found}" is not a value`, hint: "write true or false in small letters" };
  }
  const column = before.length + 1;
  return { message: "a value that is neither quoted nor a number", hint: "put text in quotes", column };
}

const HEADER = /^(\s*\[\s*)([^[\]]+?)\s*\]/;
const PAIR = /^(\s*)([^=\s]+)\s*=/;

/** A section or key that is there already: say where it was first. */
function reportTwice(lines: readonly string[], place: Place, issues: Issues): void {
  const again = lines[place.line - 1] ?? "";
  const isHeader = HEADER.test(again);
  const pattern = isHeader ? HEADER : PAIR;
  const [, lead = "", key = ""] = pattern.exec(again) ?? [];
  const hint = "remove or rename one of them";
  if (!isHeader && lead.length + 1 !== place.column) {
    const inner = /^[^\s=.]+/.exec(again.slice(place.column - 1))?.[0] ?? "";
    issues.at(place, `"${inner}" is defined twice`, hint);
    return;
  }
  const column = lead.length + 1;
  const first = earlier(lines, place.line - 2, pattern, key);
  const where = first ? `, first at ${showPlace({ file: place.file, ...first })}` : "";
  issues.at({ ...place, column }, `${isHeader ? `[${key}]` : `"${key}"`} is defined twice${where}`, hint);
}

/** A key is looked for only in its own section. */
function earlier(lines: readonly string[], from: number, pattern: RegExp, key: string) {
  for (let index = from; index >= 0 && key !== ""; index--) {
    const line = lines[index] ?? "";
    const [, lead = "", found] = pattern.exec(line) ?? [];
    if (found === key) return { line: index + 1, column: lead.length + 1 };
    if (pattern === PAIR && HEADER.test(line)) return undefined;
  }
  return undefined;
}
