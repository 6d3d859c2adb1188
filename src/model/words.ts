/**
 * A command line into words, as a shell splits it, without any shell: quotes and backslashes
 * count, `$`, `*` and `~` are plain characters. What only a shell could do (pipes, redirections,
 * several commands) is refused, because passing it on as a word is never what was meant.
 */
import type { Parsed, Problem } from "./units.ts";

const OPERATORS = "|&;<>()`";

type Quote = "" | "'" | '"';

/** What else counts than quotes and backslashes. */
interface Rules {
  readonly isBlank: (character: string) => boolean;
  /** A word that begins with `#` is a comment, to the end of its line. */
  readonly comments: boolean;
  /** The advice about what only a shell could do; `null`: that is text. */
  readonly useShell: string | null;
}

interface State {
  readonly text: string;
  readonly rules: Rules;
  at: number;
  word: string;
  /** Set once the word has begun; `''` is a word too. */
  begun: boolean;
  readonly words: string[];
}

/** `useShell` is the advice for whoever does want a shell: how one is had there. */
export function splitWords(text: string, useShell: string): Parsed<readonly string[]> {
  // Most commands are plain words, and there can be a thousand of them.
  if (!/["'\\|&;<>()`=]/.test(text)) return { value: text.split(/\s+/).filter((word) => word !== "") };
  const assignment = /^\s*([A-Za-z_][A-Za-z0-9_]*)=/.exec(text);
  if (assignment) {
    return {
      message: `"${assignment[1]}=" in front of a command sets a variable only in a shell`,
      hint: `use environment = { … }, or ${useShell}`,
      offset: assignment[0].length - (assignment[1] ?? "").length - 1,
    };
  }
  return split(text, { isBlank: (character) => /\s/.test(character), comments: false, useShell });
}

/** By a shell's quoting alone: pipes and variables are text, too, and there are comments. */
export function splitQuoted(text: string): Parsed<readonly string[]> {
  return split(text, {
    isBlank: (character) => " \t\n".includes(character),
    comments: true,
    useShell: null,
  });
}

function split(text: string, rules: Rules): Parsed<readonly string[]> {
  const state: State = { text, rules, at: 0, word: "", begun: false, words: [] };
  while (state.at < text.length) {
    const problem = takeCharacter(state);
    if (problem) return problem;
  }
  endWord(state);
  return { value: state.words };
}

function takeCharacter(state: State): Problem | undefined {
  const character = state.text.charAt(state.at);
  if (character === "'" || character === '"') return takeQuoted(state, character);
  if (character === "\\") return takeBackslash(state, "");
  const { isBlank, comments, useShell } = state.rules;
  if (comments && character === "#" && !state.begun) return skipLine(state);
  if (isBlank(character)) endWord(state);
  else if (useShell !== null && OPERATORS.includes(character)) return operatorProblem(state, useShell);
  else add(state, character);
  state.at += 1;
  return undefined;
}

function takeQuoted(state: State, quote: Quote): Problem | undefined {
  const start = state.at;
  state.begun = true;
  state.at += 1;
  while (state.at < state.text.length) {
    const character = state.text.charAt(state.at);
    if (character === quote) {
      state.at += 1;
      return undefined;
    }
    // A backslash at the very end is a character of a quote that is never closed.
    const escapes = character === "\\" && quote === '"' && state.at + 1 < state.text.length;
    if (escapes) takeBackslash(state, quote);
    else {
      add(state, character);
      state.at += 1;
    }
  }
  return {
    message: `a ${quote} that is never closed`,
    hint: `close it, or write \\${quote} for the character itself`,
    offset: start,
  };
}

/** Within double quotes a backslash escapes only what is special there, as in a shell. */
function takeBackslash(state: State, quote: Quote): Problem | undefined {
  const next = state.text.charAt(state.at + 1);
  if (next === "")
    return { message: "a backslash at the end", hint: "write \\\\ for a backslash", offset: state.at };
  if (next !== "\n") add(state, quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next);
  state.at += 2;
  return undefined;
}

function skipLine(state: State): undefined {
  const end = state.text.indexOf("\n", state.at);
  state.at = end < 0 ? state.text.length : end;
}

function operatorProblem(state: State, useShell: string): Problem {
  const found = /^(?:\|\||&&|>>|<<|[|&;<>()`])/.exec(state.text.slice(state.at))?.[0] ?? "";
  return {
    message: `"${found}" needs a shell, and none runs here`,
    hint: `${useShell}, or quote it ('${found}') to pass it as it is`,
    offset: state.at,
  };
}

function add(state: State, character: string): void {
  state.word += character;
  state.begun = true;
}

function endWord(state: State): void {
  if (state.begun) state.words.push(state.word);
  state.word = "";
  state.begun = false;
}
