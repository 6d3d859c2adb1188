/** `schedule`: its cron pattern and its zone belong together, and one of two must be there. */
import type { Node } from "../../model/node.ts";
import type { taskFields } from "../../model/schema.ts";
import { formatDuration } from "../../model/units.ts";
import type { Schedule } from "../../schedule/schedule.ts";
import type { ReadContext } from "../dialect.ts";
import type { Read } from "./table.ts";

type ScheduleFields = NonNullable<Read<typeof taskFields>["schedule"]>;

export function readSchedule(task: Node, read: ScheduleFields, context: ReadContext): Schedule | null {
  const table = task.get("schedule");
  if (table === undefined) return null;
  const { issues } = context;
  const [cron, every, zone] = [table.get("cron"), table.get("every"), table.get("time-zone")];
  if (cron === undefined && every === undefined) {
    const hint = 'write cron = "0 3 * * *" or every = "15m"';
    issues.at(table.place, "schedule: neither cron nor every is in it", hint);
  }
  if (cron !== undefined && every !== undefined)
    issues.at(every.keyPlace, "schedule.every: beside cron", "remove one of them");
  if (cron === undefined && zone !== undefined) {
    issues.at(zone.keyPlace, "schedule.time-zone: every knows no time of day", "remove it");
  }
  const { overlap = "skip", missed = "skip" } = read;
  const common = { overlap, missed };
  // Looked for also beside a pattern that is wrong: one error hides no other.
  const place = cron === undefined ? null : findZone(read, zone ?? cron, context);
  if (read.cron !== undefined) {
    const { text, cron: pattern } = read.cron;
    return { text, cron: pattern, everyMs: 0, ...common, zone: place };
  }
  if (read.everyMs === undefined) return null;
  const text = `every ${formatDuration(read.everyMs)}`;
  return { text, cron: null, everyMs: read.everyMs, ...common, zone: null };
}

function findZone(read: ScheduleFields, node: Node, { zones, issues }: ReadContext): string | null {
  const answer = zones.find(read.timeZone ?? null);
  if ("zone" in answer) return answer.zone;
  const named = read.timeZone === undefined ? "" : ` ${node.expanded ? node.raw : `"${read.timeZone}"`}`;
  const label = read.timeZone === undefined ? "schedule" : "schedule.time-zone";
  issues.at(node.place, `${label}: ${answer.wrong}${named}`, answer.hint);
  return null;
}
