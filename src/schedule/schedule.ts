/** When a task runs by itself, as the configuration program hands it to the brain. */
import type { Cron } from "./match.ts";

/** What happens when an occasion comes and the run before it is still at work. */
export type Overlap = "skip" | "queue" | "kill";

/** What happens to an occasion that nobody was awake for. */
export type Missed = "skip" | "once";

export interface Schedule {
  /** As it was written: `0 3 * * *`, or `every 15m`. */
  readonly text: string;
  /** `null`: by `everyMs`. */
  readonly cron: Cron | null;
  /** From start to start; 0 with `cron`. */
  readonly everyMs: number;
  readonly overlap: Overlap;
  readonly missed: Missed;
  /** A name among `Config.zones`; `null`: UTC. */
  readonly zone: string | null;
}
