/**
 * A starved machine: what does not answer in time may be well and only not get its turn. So that
 * load alone ends nothing, it is given more time once, by as much as the machine is slower.
 */

/** PSI `some avg10` in percent: from here on the machine is to blame. */
const STARVED_PERCENT = 40;
const FACTOR_MAX = 10;

/** How many times as long it should be given; 1: the machine is not to blame. */
export function stretchFactor(pressure: number | null): number {
  if (pressure === null || pressure < STARVED_PERCENT) return 1;
  return Math.min(FACTOR_MAX, Math.round(10 / (1 - Math.min(pressure, 100) / 100)) / 10);
}

export function starvedText(pressure: number | null): string {
  return `machine starved (${Math.round(pressure ?? 0)} %)`;
}
