import { readFileSync } from "node:fs";
import { parseCron } from "../../../src/schedule/cron.ts";
import { type Cron, nextAfter } from "../../../src/schedule/match.ts";
import { parseZoneFile } from "../../../src/schedule/tzif.ts";
import { periodAt, type Zone } from "../../../src/schedule/zone.ts";

export const FOLDER = "/usr/share/zoneinfo";

export function zone(name: string): Zone {
  const found = parseZoneFile(readFileSync(`${FOLDER}/${name}`, "latin1"));
  if (found === null) throw new Error(`no zone ${name}`);
  return found;
}

export function cron(pattern: string): Cron {
  const read = parseCron(pattern);
  if (!("value" in read)) throw new Error(read.message);
  return read.value;
}

/** `2026-03-29T03:00:00+02:00` */
export function local(where: Zone | null, wall: number): string {
  const { offset } = periodAt(where, wall / 1000);
  const text = new Date(wall + offset * 1000).toISOString().slice(0, 19);
  const minutes = Math.abs(offset) / 60;
  const two = (number: number) => String(Math.floor(number)).padStart(2, "0");
  return `${text}${offset < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** The next runs after a moment, in local time. */
export function runs(pattern: string, name: string | null, after: string, count: number): string[] {
  const where = name === null ? null : zone(name);
  const found: string[] = [];
  let at = Date.parse(after);
  for (let index = 0; index < count; index++) {
    const next = nextAfter(cron(pattern), where, at);
    if (next === null) break;
    found.push(local(where, next));
    at = next;
  }
  return found;
}
