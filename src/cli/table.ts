/** Text in columns, as wide as needed. */

export type Paint = (text: string, row: number, column: number) => string;

/** What becomes of a last column that the terminal has no room for: one line, or as many as needed. */
export type Overflow = "cut" | "wrap";

/** A head and rows; the last column ends where the terminal ends (`width`; `null`: nowhere). */
export function table(
  rows: readonly (readonly string[])[],
  width: number | null,
  paint?: Paint,
  overflow: Overflow = "cut",
): string[] {
  const measure = isPlain(rows) ? plainLength : lengthOf;
  const widths = widthsOf(rows, measure);
  const lines: string[] = [];
  for (const [index, row] of rows.entries()) {
    const painted = (cell: string, column: number) =>
      paint === undefined ? cell : paint(cell, index, column);
    const last = row.length - 1;
    let line = "";
    let used = 0;
    for (let column = 0; column < last; column++) {
      const cell = row[column] ?? "";
      const room = (widths[column] ?? 0) + GAP;
      line += painted(cell, column) + " ".repeat(room - measure(cell));
      used += room;
    }
    const end = row[last] ?? "";
    if (end === "") {
      lines.push(line.trimEnd());
      continue;
    }
    const [first = "", ...more] = fitted(end, width === null ? null : width - used, overflow);
    lines.push(line + painted(first, last));
    for (const part of more) lines.push(" ".repeat(used) + painted(part, last));
  }
  return lines;
}

const GAP = 2;

function widthsOf(rows: readonly (readonly string[])[], measure: (text: string) => number): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (let column = 0; column < row.length; column++) {
      widths[column] = Math.max(widths[column] ?? 0, measure(row[column] ?? ""));
    }
  }
  return widths;
}

/** Narrower than this, a part of a text says nothing: the terminal may wrap it as it likes. */
const ROOM_LEAST = 10;

function fitted(text: string, room: number | null, overflow: Overflow): string[] {
  if (room === null || room < ROOM_LEAST) return [text];
  return overflow === "wrap" ? wrap(text, room) : [cut(text, room)];
}

/** Lines of at most so many characters, broken between words; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && lengthOf(last) + 1 + lengthOf(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** Most texts are plain, and counting characters one by one is dear. */
const BEYOND_ASCII = /[^\x20-\x7e]/;

/** Asked once for all, because even the question is dear when it is put for each cell. */
function isPlain(rows: readonly (readonly string[])[]): boolean {
  return !BEYOND_ASCII.test(rows.map((row) => row.join("")).join(""));
}

function plainLength(text: string): number {
  return text.length;
}

function lengthOf(text: string): number {
  return BEYOND_ASCII.test(text) ? [...text].length : text.length;
}

function cut(text: string, room: number): string {
  return lengthOf(text) <= room ? text : `${[...text].slice(0, room - 1).join("")}…`;
}
