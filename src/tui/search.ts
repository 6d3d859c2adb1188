/** Finding a text in log lines. Capitals count only if it has some. */

export type Matcher = (line: string) => readonly (readonly [number, number])[];

/** The places of a text in a line, as `[from, to)`. */
export function matcher(text: string): Matcher {
  const exact = text !== text.toLowerCase();
  return (line) => {
    const places: (readonly [number, number])[] = [];
    if (text === "") return places;
    const within = exact ? line : line.toLowerCase();
    for (let at = within.indexOf(text); at >= 0; at = within.indexOf(text, at + text.length)) {
      places.push([at, at + text.length]);
    }
    return places;
  };
}

/** The next line with the text from `from` on, going up (`-1`) or down (`1`); `null`: none. */
export function find(lines: readonly string[], text: string, from: number, direction: 1 | -1): number | null {
  const places = matcher(text);
  for (let index = from; index >= 0 && index < lines.length; index += direction) {
    if (places(lines[index] ?? "").length > 0) return index;
  }
  return null;
}
