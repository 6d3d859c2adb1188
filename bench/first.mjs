/** From exec to the first service running, one service; tini beside the supervisors. */
import { interleave, row } from "./lib/figures.mjs";
import { serviceNames, withInstance } from "./lib/instance.mjs";
import { present } from "./lib/peers.mjs";

export const title = "first";

export async function measure({ runs }) {
  const times = await interleave(present(), runs * 2, (peer) =>
    withInstance(peer, serviceNames(1), {}, (instance) => instance.upAfterMs()),
  );
  return [row("exec to first service running", "ms", 7, times)];
}
