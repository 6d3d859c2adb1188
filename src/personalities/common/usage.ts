/**
 * Help and usage errors. The words and their layout are those that users of these programs know,
 * down to the line breaks, since scripts look at them.
 */
import type { CliHost } from "../../cli/host.ts";
import type { Command, Flag, Input, Word } from "./command.ts";

/** Ends the program before it has done anything. */
export class Stop extends Error {
  readonly exit: number;

  constructor(text: string, exit: number) {
    super(text);
    this.exit = exit;
  }
}

/** Says it where it belongs; the exit code. */
export function tellStop(host: Pick<CliHost, "write">, { exit, message }: Stop): number {
  host.write(exit === 0 ? 1 : 2, message);
  return exit;
}

const MORE = "For more information, try '--help'.\n";

/** `logs` as it is called: `zinit logs`. */
export type Called<Run> = {
  readonly path: string;
  readonly command: Command<Run>;
  readonly common: readonly Flag[];
};

export function shown(flag: Flag): string {
  return flag.value === undefined ? `--${flag.long}` : `--${flag.long} <${flag.value}>`;
}

function shownWord(word: Word): string {
  const shown = word.required === true ? `<${word.name}>` : `[${word.name}]`;
  return word.rest === true ? `${shown}...` : shown;
}

export function wrong<Run>(called: Called<Run> | null, message: string, usage?: string): Stop {
  const line = called === null ? "" : `Usage: ${usage ?? usageOf(called)}\n\n`;
  return new Stop(`error: ${message}\n\n${line}${MORE}`, 2);
}

function usageOf<Run>({ path, command, common }: Called<Run>): string {
  const flags = [...(command.flags ?? []), ...common];
  return [
    path,
    ...(flags.some((flag) => flag.required !== true) ? ["[OPTIONS]"] : []),
    ...(command.flags ?? []).filter((flag) => flag.required === true).map(shown),
    ...(command.words ?? []).map(shownWord),
    ...(command.commands === undefined ? [] : ["<COMMAND>"]),
  ].join(" ");
}

/** With what was given so far, and what must be. */
export function usageFor<Run>(called: Called<Run>, input: Input, missing: readonly string[] = []): string {
  const flags = (called.command.flags ?? []).filter(
    (flag) => flag.required === true || input.has(flag.long) || missing.includes(flag.long),
  );
  const words = (called.command.words ?? []).map(shownWord);
  return [called.path, ...flags.map(shown), ...words].join(" ");
}

/** An argument that nobody expected. */
export function unexpected<Run>(called: Called<Run>, argument: string, similar?: Flag): Stop {
  let message = `unexpected argument '${argument}' found`;
  if (similar !== undefined) {
    const words = (called.command.words ?? []).map(shownWord);
    message += `\n\n  tip: a similar argument exists: '--${similar.long}'`;
    return wrong(called, message, [called.path, shown(similar), ...words].join(" "));
  }
  if (argument.startsWith("-") && (called.command.words ?? []).length > 0) {
    message += `\n\n  tip: to pass '${argument}' as a value, use '-- ${argument}'`;
  }
  return wrong(called, message);
}

// ---- help

function commandRows<Run>(commands: readonly Command<Run>[]): [string, string][] {
  if (commands.length === 0) return [];
  const help = "Print this message or the help of the given subcommand(s)";
  return [...commands.map((each): [string, string] => [each.name, each.about]), ["help", help]];
}

export function help<Run>(called: Called<Run>, isLong: boolean): string {
  const { command } = called;
  const roomy = isLong && command.long !== undefined;
  const parts = [
    roomy ? command.long : command.about,
    `Usage: ${usageOf(called)}`,
    section("Commands", table(commandRows(command.commands ?? []))),
    section("Arguments", table((command.words ?? []).map((word) => [shownWord(word), word.help]))),
    section("Options", options(called, roomy)),
    examples(command.examples ?? []),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}:\n${lines.join("\n")}`;
}

function examples(lines: readonly string[]): string {
  return section(
    lines.length === 1 ? "Example" : "Examples",
    lines.map((line) => `  ${line}`),
  );
}

function table(rows: readonly (readonly [left: string, right: string])[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

function options<Run>({ command, common }: Called<Run>, roomy: boolean): string[] {
  const more = roomy
    ? " (see a summary with '-h')"
    : command.long === undefined
      ? ""
      : " (see more with '--help')";
  const rows = sorted(command.flags ?? [], common).map((flag) => [spelling(flag), described(flag)] as const);
  const all: (readonly [string, string])[] = [...rows, ["-h, --help", `Print help${more}`]];
  if (command.version !== undefined) all.push(["-V, --version", "Print version"]);
  if (roomy)
    return all.flatMap(([left, right], at) => [...(at > 0 ? [""] : []), `  ${left}`, `          ${right}`]);
  if (command.wide === true) return all.flatMap(([left, right]) => [`  ${left}`, `          ${right}`]);
  return table(all);
}

/** What all commands take stands beside the first option of the command's own, by the letter. */
function sorted(own: readonly Flag[], common: readonly Flag[]): Flag[] {
  const [first, ...rest] = own;
  if (first === undefined) return [...common];
  const key = (flag: Flag) => flag.short ?? flag.long;
  return [...[first, ...common].sort((a, b) => (key(a) < key(b) ? -1 : 1)), ...rest];
}

function spelling(flag: Flag): string {
  return `${flag.short === undefined ? "    " : `-${flag.short}, `}${shown(flag)}`;
}

function described(flag: Flag): string {
  return flag.fallback === undefined ? flag.help : `${flag.help} [default: ${flag.fallback}]`;
}
