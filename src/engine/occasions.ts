/** What the engine keeps of a task's schedule: data, no rule (`schedule.ts` has those). */
import type { Exit } from "../generated/protocol.ts";

/** Wall times are ms since 1970; 0: none. */
export interface Occasions {
  /** When it is due next. */
  next: number;
  /** Everything that was due up to here has been dealt with. */
  dealt: number;
  /** Wall clock minus monotonic clock when it was looked at last: it tells when a clock was set. */
  offset: number;
  /** What the run that is about to start is due to. */
  occasion: number;
  /** Due while a run was at work, and to follow it. */
  queued: number;
  /** The newest of `runs` is at work. */
  open: boolean;
  /** Oldest first. */
  runs: readonly Run[];
}

/** One run, or one that was missed. */
export interface Run {
  /** 0: somebody asked for it, or needed it. */
  readonly scheduled: number;
  /** 0: it was missed, or, if it is open, its process is still to come. */
  readonly started: number;
  readonly ended: number;
  readonly durationMs: number;
  readonly exit: Exit | null;
  readonly success: boolean;
  /** How often it was due once more meanwhile, in vain. */
  readonly skipped: number;
  readonly cause: string;
}

export function newOccasions(): Occasions {
  return { next: 0, dealt: 0, offset: 0, occasion: 0, queued: 0, open: false, runs: [] };
}
