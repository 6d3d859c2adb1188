/**
 * From words to a verb and its input. Options may stand anywhere before `--`, also before the
 * verb. Written here because the program must answer within one synchronous call and a few
 * kilobytes; `docs/commands.md` says what was weighed.
 */

import { duration } from "../api/values.ts";
import { orNearest } from "../model/suggest.ts";
import { usage } from "./failure.ts";
import {
  EVERYWHERE,
  OPTION_NAMES,
  OPTIONS,
  type OptionName,
  optionCalled,
  optionWithShort,
} from "./options.ts";
import type { Verb } from "./verb.ts";

/** Words sorted out, before it is known whether they fit together. */
export interface Words {
  readonly verb: Verb | null;
  readonly input: Input;
}

export class Input {
  readonly words: string[] = [];
  /** What follows `--`; `null` without one. */
  rest: string[] | null = null;
  readonly options = new Map<OptionName, string>();
  /** Whose input it is, for messages; absent while no verb has been read. */
  verb: string | undefined = undefined;

  has(option: OptionName): boolean {
    return this.options.has(option);
  }

  value(option: OptionName): string | null {
    return this.options.get(option) ?? null;
  }

  /** Milliseconds. */
  duration(option: OptionName): number | null {
    const text = this.value(option);
    if (text === null) return null;
    const read = duration(text);
    if ("wrong" in read) throw usage(`--${option} "${text}": ${read.wrong}`, this.verb);
    return read.value;
  }

  count(option: OptionName): number | null {
    const text = this.value(option);
    if (text === null) return null;
    if (!/^\d{1,9}$/.test(text)) throw usage(`--${option}: "${text}" is not a whole number`, this.verb);
    return Number(text);
  }
}

export function parse(args: readonly string[], verbs: readonly Verb[]): Words {
  const input = new Input();
  let verb: Verb | null = null;
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    if (word === "--") {
      input.rest = args.slice(index + 1);
      break;
    }
    // What a later version takes is not known here: everything is accepted, and refused as a whole.
    const isOption = word.length > 1 && word.startsWith("-");
    if (isOption && !(verb?.later === true && !isEverywhere(word))) {
      index += readOption(word, args[index + 1], input, verb);
      continue;
    }
    if (verb === null) {
      if (word === "help") input.options.set("help", "");
      else verb = findVerb(word, verbs);
      input.verb = verb?.name;
      continue;
    }
    input.words.push(word);
    if (verb.raw === true) {
      input.words.push(...args.slice(index + 1));
      break;
    }
  }
  return { verb, input };
}

/** The input fits the verb, or a usage error says why not. */
export function check(verb: Verb, input: Input): void {
  for (const option of input.options.keys()) {
    if (!EVERYWHERE.includes(option) && !verb.options.includes(option)) {
      throw usage(`"${verb.name}" takes no --${option}`, verb.name);
    }
  }
  if (input.words.length < verb.least) throw usage(`usage: oneup ${verb.usage[0] ?? verb.name}`, verb.name);
  if (input.words.length > verb.most) {
    const extra = input.words[verb.most] ?? "";
    throw usage(`"${verb.name}": one argument too many: "${extra}"`, verb.name);
  }
}

function isEverywhere(word: string): boolean {
  return (
    word === "-h" || EVERYWHERE.some((option) => word === `--${option}` || word.startsWith(`--${option}=`))
  );
}

function findVerb(word: string, verbs: readonly Verb[]): Verb {
  const verb = verbs.find((candidate) => candidate.name === word);
  if (verb !== undefined) return verb;
  const known = verbs.filter((candidate) => candidate.hidden !== true).map((candidate) => candidate.name);
  throw usage(`unknown verb "${word}"${orNearest(word, known)}`);
}

/** Reads one word of options; returns how many further words it used up. */
function readOption(word: string, next: string | undefined, input: Input, verb: Verb | null): number {
  if (!word.startsWith("--")) return readShort(word, next, input, verb);
  const cut = word.indexOf("=");
  const name = optionCalled(word.slice(2, cut < 0 ? undefined : cut));
  if (name === null) throw unknownOption(word, verb);
  if (OPTIONS[name].value === undefined) {
    if (cut >= 0) throw usage(`--${name} takes no value`, verb?.name);
    input.options.set(name, "");
    return 0;
  }
  if (cut >= 0) {
    set(input, name, word.slice(cut + 1));
    return 0;
  }
  return takeNext(input, name, next);
}

/** `-f`, `-n 5`, `-n5`, `-fn5`. */
function readShort(word: string, next: string | undefined, input: Input, verb: Verb | null): number {
  for (let at = 1; at < word.length; at++) {
    const name = optionWithShort(word[at] ?? "");
    if (name === null) throw unknownOption(word, verb);
    if (OPTIONS[name].value === undefined) {
      input.options.set(name, "");
      continue;
    }
    const attached = word.slice(at + 1);
    if (attached === "") return takeNext(input, name, next);
    set(input, name, attached);
    return 0;
  }
  return 0;
}

function takeNext(input: Input, name: OptionName, next: string | undefined): number {
  if (next === undefined) throw needsValue(input, name);
  set(input, name, next);
  return 1;
}

function set(input: Input, name: OptionName, value: string): void {
  const choices = OPTIONS[name].choices;
  if (choices !== undefined && !choices.includes(value)) {
    throw usage(
      `--${name}: "${value}" is none of ${choices.join(", ")}${orNearest(value, choices)}`,
      input.verb,
    );
  }
  if (value === "") throw needsValue(input, name);
  input.options.set(name, value);
}

function needsValue(input: Input, name: OptionName): Error {
  return usage(`--${name} needs a value: --${name} ${OPTIONS[name].value ?? ""}`, input.verb);
}

function unknownOption(word: string, verb: Verb | null): Error {
  const name = word.replace(/=.*/s, "");
  const known = verb === null ? OPTION_NAMES : [...verb.options, ...EVERYWHERE];
  return usage(
    `unknown option "${name}"${orNearest(
      name,
      known.map((option) => `--${option}`),
    )}`,
    verb?.name,
  );
}
