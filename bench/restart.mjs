/**
 * kill -9 of a service to its successor's own first breath, no delay asked for. All supervisors
 * run side by side and take turns, so that each service has lived for more than a second (some
 * hold back one that has not).
 */
import { row } from "./lib/figures.mjs";
import { pause, serviceNames, sideBySide } from "./lib/instance.mjs";
import { supervisors } from "./lib/peers.mjs";

const UPTIME_MS = 1_200;

export const title = "restart";

export function measure({ runs }) {
  return sideBySide(supervisors(), serviceNames(1), { noDelay: true }, async (instances) => {
    const measured = new Map(instances.map((instance) => [instance.peer.name, []]));
    for (let run = 0; run < runs * 2; run++) {
      await pause(UPTIME_MS);
      for (const instance of run % 2 === 0 ? instances : [...instances].reverse()) {
        measured.get(instance.peer.name).push(await latencyMs(instance));
      }
    }
    return [row("kill -9 to successor running", "ms", 1, measured)];
  });
}

async function latencyMs(instance) {
  const before = await instance.started(1);
  const pid = instance.outer(before.at(-1).pid);
  const start = process.hrtime.bigint();
  process.kill(pid, "SIGKILL");
  const after = await instance.started(before.length + 1);
  return Number(after.at(-1).ns - start) / 1e6;
}
