/** The nine states of Horust, made of the engine's. */
import type { ServiceView } from "../../../engine/index.ts";
import type { ServiceSpec } from "../../../model/spec.ts";
import type { Status } from "../messages.ts";

export function statusOf(view: ServiceView, spec: ServiceSpec | null): Status {
  switch (view.state) {
    case "inactive":
      return view.reason === null ? "FINISHED" : "FINISHEDFAILED";
    case "waiting":
      // With a time to it, it only waits for its start-delay.
      return view.next_start_at === null ? "INITIAL" : "STARTING";
    case "backoff":
      return "STARTING";
    case "starting":
      return view.pid === null ? "STARTING" : "STARTED";
    case "running":
      return "RUNNING";
    case "stopping":
      return stoppingStatus(view, spec);
    case "exited":
      return "FINISHED";
    case "failed":
      return "FINISHEDFAILED";
  }
}

/** It is being stopped; or it has ended by itself, and only what it left behind is. */
function stoppingStatus({ pid, exit, goal }: ServiceView, spec: ServiceSpec | null): Status {
  if (pid !== null || exit === null || goal === "down" || spec === null) return "INKILLING";
  if ("signal" in exit) return spec.successSignals.includes(exit.signal) ? "SUCCESS" : "FAILED";
  return "code" in exit && !spec.successCodes.includes(exit.code) ? "FAILED" : "SUCCESS";
}
