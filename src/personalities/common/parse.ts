/** From the words of a command line to a command and its input. */
import { nearest } from "../../model/suggest.ts";
import { type Command, type Flag, Input } from "./command.ts";
import { type Called, help, Stop, shown, unexpected, usageFor, wrong } from "./usage.ts";

export interface Parsed<Run> {
  readonly command: Command<Run>;
  readonly input: Input;
}

/** `common`: flags that may stand before and behind every command. Throws `Stop`. */
export function parse<Run>(
  root: Command<Run>,
  common: readonly Flag[],
  args: readonly string[],
): Parsed<Run> {
  return new Parser({ path: root.name, command: root, common }, args).parse();
}

class Parser<Run> {
  readonly #input = new Input();
  readonly #args: readonly string[];
  #called: Called<Run>;
  #at = 0;

  constructor(called: Called<Run>, args: readonly string[]) {
    this.#called = called;
    this.#args = args;
  }

  parse(): Parsed<Run> {
    while (this.#at < this.#args.length) {
      const arg = this.#args[this.#at++] ?? "";
      if (arg === "--") {
        for (const rest of this.#args.slice(this.#at)) this.#word(rest);
        break;
      }
      if (arg.startsWith("--")) this.#long(arg);
      else if (arg.startsWith("-") && arg.length > 1) this.#cluster(arg);
      else if (this.#startsRest()) {
        this.#input.words.push(arg, ...this.#args.slice(this.#at));
        break;
      } else this.#word(arg);
    }
    this.#check();
    return { command: this.#called.command, input: this.#input };
  }

  #startsRest(): boolean {
    return this.#called.command.words?.[this.#input.words.length]?.rest === true;
  }

  #word(text: string): void {
    const { command, path, common } = this.#called;
    if (command.commands !== undefined) {
      if (text === "help") throw this.#helpOf(this.#args.slice(this.#at));
      this.#called = { path: `${path} ${this.#find(text).name}`, command: this.#find(text), common };
      return;
    }
    const places = command.words ?? [];
    if (this.#input.words.length >= places.length && places.at(-1)?.rest !== true)
      throw unexpected(this.#called, text);
    this.#input.words.push(text);
  }

  #find(name: string): Command<Run> {
    const known = this.#called.command.commands ?? [];
    const found = known.find((each) => each.name === name || each.also?.includes(name) === true);
    if (found !== undefined) return found;
    const guess = nearest(
      name,
      known.map((each) => each.name),
    );
    const tip = guess === undefined ? "" : `\n\n  tip: a similar subcommand exists: '${guess}'`;
    throw wrong(this.#called, `unrecognized subcommand '${name}'${tip}`);
  }

  /** `help`, `help logs`, `xinet help set`. */
  #helpOf(names: readonly string[]): Stop {
    for (const name of names) {
      const command = this.#find(name);
      this.#called = { ...this.#called, path: `${this.#called.path} ${command.name}`, command };
    }
    return new Stop(help(this.#called, true), 0);
  }

  #flags(): Flag[] {
    const own = this.#called.command.flags ?? [];
    // A command's own letter wins.
    const common = this.#called.common.map((flag) =>
      own.some((each) => each.short === flag.short) ? { ...flag, short: undefined } : flag,
    );
    return [...own, ...common.map(({ short, ...flag }) => (short === undefined ? flag : { ...flag, short }))];
  }

  #long(arg: string): void {
    const cut = arg.indexOf("=");
    const name = arg.slice(2, cut < 0 ? undefined : cut);
    if (name === "help") throw new Stop(help(this.#called, true), 0);
    if (name === "version") this.#version(arg);
    const flag = this.#flags().find((each) => each.long === name || each.also?.includes(name) === true);
    if (flag === undefined) throw unexpected(this.#called, `--${name}`, this.#similar(name));
    if (flag.value === undefined && cut >= 0) {
      const value = arg.slice(cut + 1);
      throw wrong(
        this.#called,
        `unexpected value '${value}' for '${shown(flag)}' found; no more were expected`,
      );
    }
    if (flag.value === undefined) this.#set(flag, "");
    else this.#set(flag, cut >= 0 ? arg.slice(cut + 1) : this.#next(flag));
  }

  /** `-f`, `-n 5`, `-n5`, `-n=5`, `-fn5`. */
  #cluster(arg: string): void {
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at] ?? "";
      if (letter === "h") throw new Stop(help(this.#called, false), 0);
      if (letter === "V") this.#version(`-${letter}`);
      const flag = this.#flags().find((each) => each.short === letter);
      if (flag === undefined) throw unexpected(this.#called, `-${letter}`);
      if (flag.value === undefined) {
        this.#set(flag, "");
        continue;
      }
      const attached = arg.slice(at + 1).replace(/^=/, "");
      this.#set(flag, at + 1 < arg.length ? attached : this.#next(flag));
      return;
    }
  }

  #version(arg: string): void {
    const { command, path } = this.#called;
    if (command.version !== undefined) throw new Stop(`${path} ${command.version}\n`, 0);
    throw unexpected(this.#called, arg);
  }

  #similar(name: string): Flag | undefined {
    const own = this.#called.command.flags ?? [];
    const guess = nearest(
      name,
      own.map((flag) => flag.long),
    );
    return own.find((flag) => flag.long === guess);
  }

  #next(flag: Flag): string {
    const next = this.#args[this.#at];
    if (next !== undefined && !/^-./.test(next)) {
      this.#at++;
      return next;
    }
    if (next !== undefined && !this.#isFlag(next)) throw unexpected(this.#called, next);
    throw wrong(null, `a value is required for '${shown(flag)}' but none was supplied`);
  }

  #isFlag(arg: string): boolean {
    const name = arg.replace(/^--?/, "").replace(/=.*/s, "");
    return arg === "--" || this.#flags().some((flag) => flag.long === name || flag.short === name.charAt(0));
  }

  #set(flag: Flag, value: string): void {
    const given = this.#input.flags.get(flag.long);
    if (given !== undefined && flag.many !== true) {
      throw wrong(this.#called, `the argument '${shown(flag)}' cannot be used multiple times`);
    }
    const reason = flag.number === undefined ? null : notANumber(value, flag.number);
    if (reason !== null) throw wrong(null, `invalid value '${value}' for '${shown(flag)}': ${reason}`);
    if (given === undefined) this.#input.flags.set(flag.long, [value]);
    else given.push(value);
  }

  #check(): void {
    const { command } = this.#called;
    if (command.run === undefined) throw new Stop(help(this.#called, false), 2);
    for (const flag of command.flags ?? []) if (this.#input.has(flag.long)) this.#exclude(flag);
    const flags = (command.flags ?? []).filter((flag) => !this.#input.has(flag.long) && this.#isNeeded(flag));
    const words = (command.words ?? []).filter(
      (word, index) => word.required === true && index >= this.#input.words.length,
    );
    if (flags.length + words.length === 0) return;
    const missing = [...flags.map(shown), ...words.map((word) => `<${word.name}>`)];
    const list = missing.map((each) => `\n  ${each}`).join("");
    const usage = usageFor(
      this.#called,
      this.#input,
      flags.map((flag) => flag.long),
    );
    throw wrong(this.#called, `the following required arguments were not provided:${list}`, usage);
  }

  #isNeeded(flag: Flag): boolean {
    if (flag.required === true) return true;
    const given = (this.#called.command.flags ?? []).filter((each) => this.#input.has(each.long));
    return given.some((each) => each.needs?.includes(flag.long) === true);
  }

  #exclude(flag: Flag): void {
    const { command, path } = this.#called;
    const word = command.words?.find((each) => flag.excludes?.includes(each.name) === true);
    if (word !== undefined && this.#input.words.length > 0) {
      const message = `the argument '[${word.name}]' cannot be used with '${shown(flag)}'`;
      throw wrong(this.#called, message, `${path} <${word.name}>`);
    }
    const other = command.flags?.find(
      (each) => flag.excludes?.includes(each.long) === true && this.#input.has(each.long),
    );
    if (other === undefined) return;
    this.#input.flags.delete(other.long);
    const message = `the argument '${shown(flag)}' cannot be used with '${shown(other)}'`;
    throw wrong(this.#called, message, usageFor(this.#called, this.#input));
  }
}

function notANumber(text: string, kind: "u32" | "u64"): string | null {
  if (text === "") return "cannot parse integer from empty string";
  const most = kind === "u32" ? 0xffff_ffffn : 0xffff_ffff_ffff_ffffn;
  if (!/^[+-]?\d+$/.test(text) || (kind === "u64" && text.startsWith("-")))
    return "invalid digit found in string";
  const value = BigInt(text.replace(/^\+/, ""));
  if (value >= 0n && value <= most) return null;
  return kind === "u32" ? `${value} is not in 0..=${most}` : "number too large to fit in target type";
}
