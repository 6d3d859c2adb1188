/**
 * Variables in the text of a whole service file, put in before it is read as TOML: `$NAME`, `${NAME}`,
 * `${NAME:-default}`, and `$$` for a dollar. Any other `$` stays as it is.
 */
import type { Shift } from "../../config/document.ts";

export interface Undefined {
  readonly name: string;
  /** Where its `$` stands in the file. */
  readonly offset: number;
}

export interface Expanded extends Shift {
  readonly text: string;
  readonly undefined: readonly Undefined[];
}

const NAME = /[\p{Alphabetic}\p{N}_]+/uy;

/** A part of the expanded text, and where it comes from. */
interface Piece {
  readonly at: number;
  readonly from: number;
  /** What was put in for a variable. */
  readonly put: boolean;
}

export function expandTemplate(original: string, environment: Readonly<Record<string, string>>): Expanded {
  const pieces: Piece[] = [{ at: 0, from: 0, put: false }];
  const missing: Undefined[] = [];
  let text = "";
  let at = 0;
  for (let dollar = original.indexOf("$"); dollar >= 0; dollar = original.indexOf("$", at)) {
    text += original.slice(at, dollar);
    at = dollar + 1;
    const found = variableAt(original, at);
    if (found === null) {
      text += "$";
      continue;
    }
    at = found.end;
    const value = found.name === null ? "$" : (lookUp(found.name, environment) ?? found.fallback);
    if (value === null) missing.push({ name: found.name ?? "", offset: dollar });
    pieces.push({ at: text.length, from: dollar, put: true });
    text += value ?? "";
    pieces.push({ at: text.length, from: at, put: false });
  }
  text += original.slice(at);
  return { text, original, undefined: missing, back: back(pieces), touches: touches(pieces) };
}

interface Variable {
  /** `null`: of `$$`. */
  readonly name: string | null;
  readonly fallback: string | null;
  readonly end: number;
}

/** Behind a dollar. */
function variableAt(text: string, start: number): Variable | null {
  const next = text.charAt(start);
  if (next === "$") return { name: null, fallback: null, end: start + 1 };
  if (next === "{") {
    const close = text.indexOf("}", start);
    if (close < 0) return null;
    const inner = text.slice(start + 1, close);
    const cut = inner.indexOf(":-");
    if (cut < 0) return { name: inner, fallback: null, end: close + 1 };
    return { name: inner.slice(0, cut), fallback: inner.slice(cut + 2), end: close + 1 };
  }
  NAME.lastIndex = start;
  const name = NAME.exec(text)?.[0];
  return name === undefined ? null : { name, fallback: null, end: start + name.length };
}

function lookUp(name: string, environment: Readonly<Record<string, string>>): string | null {
  return Object.hasOwn(environment, name) ? (environment[name] ?? null) : null;
}

function back(pieces: readonly Piece[]) {
  return (offset: number): number => {
    const piece = pieces.findLast(({ at }) => at <= offset);
    if (piece === undefined) return offset;
    return piece.put ? piece.from : piece.from + (offset - piece.at);
  };
}

function touches(pieces: readonly Piece[]) {
  return (start: number, end: number): boolean =>
    pieces.some(({ at, put }, index) => {
      if (!put) return false;
      const stop = pieces[index + 1]?.at ?? at;
      return at < end && stop >= start;
    });
}
