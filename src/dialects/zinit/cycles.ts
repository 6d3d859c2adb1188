/** Cycles in zinit's words. */

/** As zinit puts it. */
export function cycleText(cycle: readonly string[]): string {
  return `cyclic dependency detected: ${cycle.join(" -> ")}`;
}
