/** Wake-ups and processor time of the supervisor's own processes while ten services only wait. */
import { readdirSync } from "node:fs";
import { row } from "./lib/figures.mjs";
import { pause, read, serviceNames, sideBySide } from "./lib/instance.mjs";
import { supervisors } from "./lib/peers.mjs";

const COUNT = 10;
const SETTLE_MS = 3_000;
const WATCH_MS = 20_000;

export const title = "idle";

export function measure() {
  return sideBySide(supervisors(), serviceNames(COUNT), {}, async (instances) => {
    await pause(SETTLE_MS);
    const before = instances.map((instance) => look(instance.own()));
    await pause(WATCH_MS);
    const wakes = new Map();
    const time = new Map();
    for (const [n, instance] of instances.entries()) {
      const after = look(instance.own());
      wakes.set(instance.peer.name, [((after.switches - before[n].switches) * 1_000) / WATCH_MS]);
      time.set(instance.peer.name, [(((after.ns - before[n].ns) / 1e6) * 60_000) / WATCH_MS]);
    }
    return [
      row("wake-ups when idle, 10 services", "1/s", 0, wakes),
      row("processor time when idle", "ms/min", null, time),
    ];
  });
}

/** Switches away from the processor and time on it, over all threads. */
function look(pids) {
  let switches = 0;
  let ns = 0;
  for (const pid of pids) {
    for (const task of tasks(pid)) {
      const status = read(`/proc/${pid}/task/${task}/status`) ?? "";
      for (const [, count] of status.matchAll(/^(?:non)?voluntary_ctxt_switches:\s+(\d+)$/gm))
        switches += Number(count);
      ns += Number((read(`/proc/${pid}/task/${task}/schedstat`) ?? "0").split(" ")[0]);
    }
  }
  return { switches, ns };
}

function tasks(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}
