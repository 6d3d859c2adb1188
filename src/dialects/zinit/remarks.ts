/** What is odd about a valid document: it works, but hardly as whoever wrote it thinks. */
import type { Path } from "./decode.ts";
import { isTarget, type ZinitDocument } from "./document.ts";
import { signalName } from "./signal.ts";
import { BUILTIN } from "./spec.ts";
import { targetProblem } from "./target.ts";

export interface Remark {
  readonly path: Path;
  readonly message: string;
}

export function remarks(document: ZinitDocument): readonly Remark[] {
  if (isTarget(document)) return [];
  const { service, lifecycle, health, logging } = document;
  const all: Remark[] = [];
  const say = (path: Path, message: string) => all.push({ path, message });
  if (service.exec.startsWith(BUILTIN)) {
    const name = service.exec.slice(BUILTIN.length);
    say(["service", "exec"], `builtin service '${name}' is skipped: it counts as done at once`);
  }
  if (signalName(lifecycle.stop_signal) === null) {
    const message = `lifecycle.stop_signal ${lifecycle.stop_signal.trim()} cannot be sent: SIGTERM is used`;
    say(["lifecycle", "stop_signal"], message);
  }
  if (health !== null && service.oneshot) {
    say(["health"], "health is not checked: a oneshot is up when it has succeeded");
  } else if (health !== null && health.type !== "exec") {
    const problem = targetProblem(health.type, health.target);
    if (problem !== null) say(["health", "target"], `health.target '${health.target}' ${problem}`);
  }
  if (logging.forward !== null) say(["logging", "forward"], "logging.forward has no effect");
  return all;
}
