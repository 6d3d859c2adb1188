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
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(0, ...rows.map((row) => lengthOf(row[column] ?? ""))),
  );
  return rows.flatMap((row, index) => {
    const painted = (cell: string, column: number) =>
      paint === undefined ? cell : paint(cell, index, column);
    let line = "";
    let used = 0;
    for (const [column, cell] of row.slice(0, -1).entries()) {
      const room = widths[column] ?? 0;
      line += painted(cell, column) + " ".repeat(room - lengthOf(cell) + 2);
      used += room + 2;
    }
    const room = width === null ? null : width - used;
    const [first = "", ...more] = fitted(row.at(-1) ?? "", room, overflow).map((part) =>
      painted(part, row.length - 1),
    );
    return [(line + first).trimEnd(), ...more.map((part) => " ".repeat(used) + part)];
  });
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

function lengthOf(text: string): number {
  return BEYOND_ASCII.test(text) ? [...text].length : text.length;
}

function cut(text: string, room: number): string {
  return lengthOf(text) <= room ? text : `${[...text].slice(0, room - 1).join("")}…`;
}
