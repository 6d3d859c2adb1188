/** Help, made from the table of verbs. */
import { EVERYWHERE, OPTIONS, type OptionName } from "./options.ts";
import { table, wrap } from "./table.ts";
import type { Verb } from "./verb.ts";

/** Lines longer than this are hard to read, however wide the terminal is. */
const PROSE_WIDTH = 100;

/** `width`: the terminal's; `null`: there is none, and every paragraph is a line. */
export function generalHelp(verbs: readonly Verb[], width: number | null): string {
  const shown = verbs.filter((verb) => verb.hidden !== true);
  const groups = [...new Set(shown.map((verb) => verb.group))];
  const sections = groups.map((group) => {
    const rows = shown.filter((verb) => verb.group === group).map(row);
    return `${group}:\n${table(rows, width === null ? null : width - 2, undefined, "wrap")
      .map((line) => `  ${line}`)
      .join("\n")}`;
  });
  return [
    "oneup: a process supervisor and PID 1",
    "usage: oneup VERB …  |  oneup -- CMD ARG…",
    ...sections,
    `Everywhere:\n${optionLines(EVERYWHERE, width)}`,
    "Example:\n  oneup run            supervise what ./oneup.toml describes\n  oneup VERB --help    more about one verb",
  ].join("\n\n");
}

export function verbHelp(verb: Verb, width: number | null): string {
  const prose = (text: string) =>
    width === null ? text : wrap(text, Math.min(width, PROSE_WIDTH)).join("\n");
  const usages = verb.usage.map((usage, index) => `${index === 0 ? "usage:" : "      "} oneup ${usage}`);
  const examples = verb.examples.map((example) => `  ${example}`);
  return [
    usages.join("\n"),
    `${verb.summary[0]?.toUpperCase()}${verb.summary.slice(1)}.`,
    ...verb.detail.map(prose),
    `Options:\n${optionLines([...verb.options, ...EVERYWHERE], width)}`,
    `Example:\n${examples.join("\n")}`,
  ].join("\n\n");
}

function row(verb: Verb): string[] {
  return [
    verb.usage[0]?.replace(/ \[--.*$/, "") ?? verb.name,
    verb.summary + (verb.later === true ? " (not yet)" : ""),
  ];
}

function optionLines(names: readonly OptionName[], width: number | null): string {
  const rows = names.map((name) => {
    const { short, value, help } = OPTIONS[name];
    const letter = short === undefined ? "    " : `-${short}, `;
    return [`  ${letter}--${name}${value === undefined ? "" : ` ${value}`}`, help];
  });
  return table(rows, width, undefined, "wrap").join("\n");
}
