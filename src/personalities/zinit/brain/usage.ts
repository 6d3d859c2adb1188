/** How much of a processor services use, measured between one question and the next. */

interface Sample {
  readonly pid: number;
  /** Monotonic ms. */
  readonly at: number;
  readonly cpuMs: number;
  /** What was answered then, for those who ask again too soon. */
  readonly percent: number;
}

/** Processor time is told in steps of 10 ms: over less time than this they are all one would see. */
const SHORTEST_MS = 200;
/** Of services that nobody asks about any more the oldest are forgotten. */
const MOST_SAMPLES = 4096;

export class Usage {
  readonly #samples = new Map<string, Sample>();

  /**
   * Percent of one processor since the last question about this process; at the first one since
   * its start.
   */
  percent(service: string, pid: number, cpuMs: number, uptimeMs: number, now: number): number {
    const last = this.#samples.get(service);
    const known = last !== undefined && last.pid === pid ? last : null;
    const since = known ?? { at: now - uptimeMs, cpuMs: 0, percent: 0 };
    if (now - since.at < SHORTEST_MS) return since.percent;
    const share = (100 * (cpuMs - since.cpuMs)) / (now - since.at);
    const percent = Math.max(0, Math.round(share * 10) / 10);
    this.#keep(service, { pid, at: now, cpuMs, percent });
    return percent;
  }

  #keep(service: string, sample: Sample): void {
    this.#samples.delete(service);
    this.#samples.set(service, sample);
    for (const oldest of this.#samples.keys()) {
      if (this.#samples.size <= MOST_SAMPLES) break;
      this.#samples.delete(oldest);
    }
  }
}
