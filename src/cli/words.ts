/** Numbers as people say them. */

const SCALE: readonly (readonly [number, string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
];

/** `12 ms`, `3.4 s`, `5 min`, `2 h`, `3 d`. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1).replace(".0", "")} s`;
  for (const [size, unit] of SCALE) {
    if (ms >= size) return `${Math.floor(ms / size)} ${unit}`;
  }
  return "0 ms";
}

/** `3 min ago`, `in 2 s`, `now`. */
export function whenFrom(time: string | null, now: number): string {
  const ms = time === null ? Number.NaN : Date.parse(time);
  if (Number.isNaN(ms)) return "-";
  if (Math.abs(now - ms) < 500) return "now";
  return now > ms ? `${span(coarse(now - ms))} ago` : `in ${span(coarse(ms - now))}`;
}

/** `14:03:05`, of another day `01-30 14:03:05`: by the clock on the wall. */
export function clockTime(ms: number, now: number): string {
  if (Number.isNaN(ms)) return "-";
  const at = new Date(ms);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(":");
  const day = [at.getMonth() + 1, at.getDate()].map(twoDigits).join("-");
  return at.toDateString() === new Date(now).toDateString() ? time : `${day} ${time}`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}

/** Nobody says "1.7 s ago". */
function coarse(ms: number): number {
  return Math.round(ms / 1000) * 1000 || 1000;
}

/** `1 process`, `3 processes`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

export function bytes(count: number): string {
  if (count < 1024) return plural(count, "byte");
  return count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 / 1024).toFixed(1)} MiB`;
}
