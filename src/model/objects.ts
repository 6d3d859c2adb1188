/** An object as JSON has it: by its members' names, no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * What a table of constants has for a word that somebody wrote. Objects inherit `constructor` and
 * others, and people may write those too.
 */
export function lookup<V>(table: Readonly<Record<string, V>>, word: string): V | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
