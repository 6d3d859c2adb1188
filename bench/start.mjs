/** From the supervisor's exec to the last service's own first breath: 100 and 1,000 of them. */
import { interleave, row } from "./lib/figures.mjs";
import { serviceNames, withInstance } from "./lib/instance.mjs";
import { supervisors } from "./lib/peers.mjs";

/** In ms. */
const goals = { 100: 44, 1000: 500 };

export const title = "start";

export async function measure({ runs, counts = [100, 1000] }) {
  const rows = [];
  for (const count of counts) {
    const times = await interleave(supervisors(), count > 500 ? Math.min(runs, 3) : runs, (peer) =>
      withInstance(peer, serviceNames(count), {}, (instance) => instance.upAfterMs()),
    );
    rows.push(row(`${count} services up`, "ms", goals[count] ?? null, times));
  }
  return rows;
}
