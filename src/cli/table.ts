/** Text in columns, as wide as needed. */

export type Paint = (text: string, row: number, column: number) => string;

/** A head and rows; the last column is cut where the terminal ends (`width`; `null`: never). */
export function table(rows: readonly (readonly string[])[], width: number | null, paint?: Paint): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(0, ...rows.map((row) => lengthOf(row[column] ?? ""))),
  );
  return rows.map((row, index) => {
    let line = "";
    let used = 0;
    for (let column = 0; column < row.length; column++) {
      const last = column === row.length - 1;
      const cell = last ? cut(row[column] ?? "", width === null ? null : width - used) : (row[column] ?? "");
      const room = widths[column] ?? 0;
      line += paint === undefined ? cell : paint(cell, index, column);
      if (!last) line += " ".repeat(room - lengthOf(cell) + 2);
      used += room + 2;
    }
    return line.trimEnd();
  });
}

function lengthOf(text: string): number {
  return [...text].length;
}

function cut(text: string, room: number | null): string {
  if (room === null || lengthOf(text) <= room) return text;
  // Narrower than this, a cut text says nothing: let the terminal wrap it.
  return room < 10 ? text : `${[...text].slice(0, room - 1).join("")}…`;
}
