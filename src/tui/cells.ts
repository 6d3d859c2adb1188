/** Text in cells of a terminal: what is safe to show, how wide it is, where it breaks. */

/** Orders to the terminal: colours, cursor movements, titles. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const ORDERS = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const CONTROLS = /\p{Cc}|[\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const PLAIN = /^[\x20-\x7e]*$/;
const TAB = 8;

/** What a service wrote, without power over the terminal: no colours, tabs as spaces. */
export function clean(text: string): string {
  if (PLAIN.test(text)) return text;
  return expandTabs(text.replace(ORDERS, "")).replace(CONTROLS, "\ufffd");
}

function expandTabs(text: string): string {
  if (!text.includes("\t")) return text;
  let line = "";
  for (const part of text.split("\t")) {
    line += line === "" && part === "" ? "" : part;
    line += " ".repeat(TAB - (widthOf(line) % TAB));
  }
  return line.trimEnd();
}

const NONE = /^(?:\p{Mn}|\p{Me}|\p{Cf})$/u;
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

function cellsOf(letter: string): number {
  const code = letter.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (NONE.test(letter)) return 0;
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let cells = 0;
  for (const letter of text) cells += cellsOf(letter);
  return cells;
}

/** A line in rows of at most so many cells; an empty line is one row. */
export function rowsOf(text: string, width: number): string[] {
  const room = Math.max(2, width);
  if (PLAIN.test(text)) {
    const rows = [];
    for (let at = 0; at < text.length; at += room) rows.push(text.slice(at, at + room));
    return rows.length === 0 ? [""] : rows;
  }
  const rows: string[] = [];
  let row = "";
  let used = 0;
  for (const letter of text) {
    const cells = cellsOf(letter);
    if (used + cells > room) {
      rows.push(row);
      row = "";
      used = 0;
    }
    row += letter;
    used += cells;
  }
  rows.push(row);
  return rows;
}

/** How many rows a line takes. */
export function heightOf(text: string, width: number): number {
  if (PLAIN.test(text)) return Math.max(1, Math.ceil(text.length / Math.max(2, width)));
  return rowsOf(text, width).length;
}
