/** "Did you mean": the known word nearest to a mistyped one. */
import { lookup } from "./objects.ts";

/** What other programs call a field, and what it is called here. */
const ALIASES: Readonly<Record<string, string>> = {
  cmd: "command",
  exec: "command",
  env: "environment",
  "env-file": "environment-file",
  cwd: "directory",
  dir: "directory",
  workdir: "directory",
  "working-dir": "directory",
  "working-directory": "directory",
  "depends-on": "requires",
  depends: "requires",
  dependencies: "requires",
  needs: "requires",
  autorestart: "restart",
  "restart-policy": "restart",
  backoff: "restart-delay",
  "max-restarts": "restart-limit",
  "stop-signal": "stop.signal",
  "stop-timeout": "stop.timeout",
  "log-file": "log.file",
  logfile: "log.file",
  enabled: "autostart",
  interval: "every",
  period: "every",
  retries: "failures",
  "watchdog-sec": "watchdog",
  url: "http",
};

function suggest(word: string, known: readonly string[]): string | undefined {
  const plain = word.toLowerCase().replaceAll("_", "-");
  if (known.includes(plain)) return plain;
  const alias = lookup(ALIASES, plain);
  if (alias !== undefined && known.includes(alias.replace(/\..*/, ""))) return alias;
  return nearest(plain, known);
}

/** The known word that differs least, if it does not differ too much to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  const lower = word.toLowerCase();
  for (const candidate of known) {
    const distance = editDistance(lower, candidate.toLowerCase(), least);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const best = suggest(word, known);
  return best === undefined ? undefined : `did you mean "${best}"?`;
}

/** The end of a message about a word that is no field: `; did you mean "x"?`, or nothing. */
export function orNearest(word: string, known: readonly string[]): string {
  const best = nearest(word, known);
  return best === undefined ? "" : `; did you mean "${best}"?`;
}

/**
 * Insertions, deletions, replacements and swaps of neighbours that lead from one word to the
 * other; anything from `limit` on counts as `limit`.
 */
function editDistance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit;
  let older: number[] = [];
  let old = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let cost = Math.min(at(old, j) + 1, at(row, j - 1) + 1, at(old, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, at(older, j - 2) + 1);
      }
      row.push(cost);
    }
    older = old;
    old = row;
  }
  return Math.min(limit, at(old, to.length));
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
