/** A broken assumption ends the brain; a fresh one starts from the nucleus's facts. */
export function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`assertion failed: ${what}`);
}
