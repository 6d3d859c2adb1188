/**
 * A command that lists 100 services, as a whole process. s6 has no such command; its figure is
 * that of one service.
 */
import { execFileSync } from "node:child_process";
import { median, row } from "./lib/figures.mjs";
import { serviceNames, sideBySide } from "./lib/instance.mjs";
import { supervisors } from "./lib/peers.mjs";
import { timed } from "./lib/programs.mjs";

const COUNT = 100;

export const title = "verb";

export function measure({ runs }) {
  const names = serviceNames(COUNT);
  return sideBySide(supervisors(), names, {}, (instances) => {
    const measured = new Map(instances.map((instance) => [instance.peer.name, []]));
    for (let run = 0; run < runs; run++) {
      for (const instance of run % 2 === 0 ? instances : [...instances].reverse()) {
        measured.get(instance.peer.name).push(once(instance, names));
      }
    }
    return [row("a verb that lists 100 services", "ms", 4, measured)];
  });
}

/** The median of five in a row, in ms. */
function once(instance, names) {
  const argv = instance.peer.list(instance.folder, names);
  const out = execFileSync(timed, ["5", ...argv], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return median(
    out
      .trim()
      .split("\n")
      .map((line) => Number(line.split(" ")[0]) / 1e6),
  );
}
