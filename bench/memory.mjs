/** Memory of the supervisor's own processes with 10, 100 and 1,000 services that only wait. */
import { interleave, row } from "./lib/figures.mjs";
import { pause, read, serviceNames, withInstance } from "./lib/instance.mjs";
import { supervisors } from "./lib/peers.mjs";

/** In MB. */
const goals = { 10: { pss: 3.0, anon: 0.8 }, 100: { pss: 3.5, anon: 1.0 }, 1000: { pss: 6, anon: 3 } };
const SETTLE_MS = 3_000;

export const title = "memory";

export async function measure({ runs, counts = [10, 100, 1000] }) {
  const rows = [];
  for (const count of counts) {
    const anon = new Map();
    const pss = await interleave(supervisors(), Math.min(runs, 3), (peer) =>
      withInstance(peer, serviceNames(count), {}, async (instance) => {
        await instance.started(count);
        await pause(SETTLE_MS);
        const own = instance.own();
        if (!anon.has(peer.name)) anon.set(peer.name, []);
        anon.get(peer.name).push(sum(own, anonymous));
        return sum(own, proportional);
      }),
    );
    rows.push(row(`PSS, ${count} services`, "MB", goals[count]?.pss ?? null, pss));
    rows.push(row(`anonymous, ${count} services`, "MB", goals[count]?.anon ?? null, anon));
  }
  return rows;
}

const sum = (pids, of) => pids.reduce((total, pid) => total + of(pid), 0) / 1_000;

const kib = (text, field) =>
  (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1] ?? 0) * 1_024) / 1_000;
const proportional = (pid) => kib(read(`/proc/${pid}/smaps_rollup`), "Pss");
const anonymous = (pid) => kib(read(`/proc/${pid}/status`), "RssAnon");
