/**
 * What a table of constants has for a word that somebody wrote. Objects inherit `constructor` and
 * others, and people may write those too.
 */
export function lookup<V>(table: Readonly<Record<string, V>>, word: string): V | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
