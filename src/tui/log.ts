/** Putting together what was seen of a log with what is there now. */

export interface Merged {
  readonly lines: readonly string[];
  /** By how much the number of a line that was there before has changed. */
  readonly shift: number;
}

/**
 * `fresh` are the last lines of the log; what `known` has beyond them stays, so that somebody who
 * reads further up is not disturbed. At most `keep` lines.
 */
export function merge(known: readonly string[], fresh: readonly string[], keep: number): Merged {
  const begin = fresh.length === 0 ? null : beginning(known, fresh);
  // Not one line in common: it was emptied, or more came than was looked at.
  const lines = begin === null ? fresh : [...known.slice(0, Math.max(0, begin)), ...fresh];
  const dropped = Math.max(0, lines.length - keep);
  const shift = begin === null ? -known.length : Math.max(0, -begin);
  return { lines: lines.slice(dropped), shift: shift - dropped };
}

/**
 * Which number the first of the fresh lines has among the known ones; below 0 if it reaches further
 * back than they do. The longest overlap counts: nothing new is the most frequent case.
 */
function beginning(known: readonly string[], fresh: readonly string[]): number | null {
  if (known.length === 0) return 0;
  for (let begin = known.length - fresh.length; begin < known.length; begin++) {
    if (fits(known, fresh, begin)) return begin;
  }
  return null;
}

function fits(known: readonly string[], fresh: readonly string[], begin: number): boolean {
  for (let index = Math.max(0, begin); index < known.length; index++) {
    if (known[index] !== fresh[index - begin]) return false;
  }
  return true;
}
