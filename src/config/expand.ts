/**
 * `${VAR}`, `${VAR:-default}` and `$$`. Any other `$` stays as it is, so that `$NAME` in a shell
 * command and `$` in a regular expression need no care.
 */
import type { Problem } from "../model/units.ts";

export interface Expansion {
  readonly text: string;
  /** True if a variable or its default is in the text. */
  readonly expanded: boolean;
  readonly problems: readonly Problem[];
}

export type Environment = Readonly<Record<string, string>>;

interface State {
  readonly text: string;
  readonly environment: Environment;
  readonly problems: Problem[];
  at: number;
  expanded: boolean;
}

export function expand(text: string, environment: Environment): Expansion {
  if (!text.includes("$")) return { text, expanded: false, problems: [] };
  const state: State = { text, environment, problems: [], at: 0, expanded: false };
  const result = take(state, false);
  return { text: result, expanded: state.expanded, problems: state.problems };
}

/** Up to the end, or (in a default) up to the closing brace, which is left to the caller. */
function take(state: State, inDefault: boolean): string {
  let out = "";
  while (state.at < state.text.length) {
    const rest = state.text.charAt(state.at);
    const next = state.text.charAt(state.at + 1);
    if (inDefault && rest === "}") break;
    if (rest === "$" && next === "$") {
      out += "$";
      state.at += 2;
    } else if (rest === "$" && next === "{") out += takeVariable(state);
    else {
      out += rest;
      state.at += 1;
    }
  }
  return out;
}

function takeVariable(state: State): string {
  const offset = state.at;
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(state.text.slice(offset + 2))?.[0] ?? "";
  state.expanded = true;
  state.at += 2 + name.length;
  let fallback: string | undefined;
  let usable = name !== "";
  if (state.text.startsWith(":-", state.at)) {
    state.at += 2;
    const before = state.problems.length;
    fallback = take(state, true);
    // A default that is not used may name variables that are not set.
    if (usable && lookUp(state, name)) state.problems.length = before;
  } else if (state.text.charAt(state.at) !== "}") {
    usable = false;
    const end = state.text.indexOf("}", state.at);
    state.at = end < 0 ? state.text.length : end;
  }
  const closed = state.text.charAt(state.at) === "}";
  state.at += 1;
  if (!closed) return fail(state, unclosed(offset));
  if (!usable) return fail(state, malformed(state.text.slice(offset, state.at), offset));
  const value = lookUp(state, name);
  if (fallback !== undefined) return value || fallback;
  return value ?? fail(state, unset(name, offset));
}

function lookUp(state: State, name: string): string | undefined {
  return Object.hasOwn(state.environment, name) ? state.environment[name] : undefined;
}

function fail(state: State, problem: Problem): string {
  state.problems.push(problem);
  return "";
}

function unclosed(offset: number): Problem {
  return {
    message: '"${" without "}"',
    hint: 'close it, or write "$${" for the characters themselves',
    offset,
  };
}

function malformed(text: string, offset: number): Problem {
  return {
    message: `"${text}" is not a variable`,
    hint: `write \${NAME} or \${NAME:-default}; for the shell's own, write $${text}`,
    offset,
  };
}

function unset(name: string, offset: number): Problem {
  return {
    message: `the variable ${name} is not set`,
    hint: `set it, give a default as in \${${name}:-…}, or, for a variable of the shell (shell = true), write $$${name}`,
    offset,
  };
}
