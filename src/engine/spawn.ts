/** What the nucleus needs to know to start a process of a service. */
import type { SpawnSpec } from "../generated/protocol.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { notifyOf } from "./notify.ts";

export function spawnSpec(spec: ServiceSpec, role: "main" | "probe", argv: readonly string[]): SpawnSpec {
  return {
    service: spec.name,
    role,
    argv: [...argv],
    log: spec.stdio === "log" ? spec.name : null,
    directory: spec.directory,
    user: spec.user,
    group: spec.group,
    groups: spec.groups === null ? null : [...spec.groups],
    umask: spec.umask,
    environment: spec.environment,
    cleanEnvironment: spec.cleanEnvironment,
    nice: spec.nice,
    oomScoreAdjust: spec.oomScoreAdjust,
    limits: spec.limits,
    noNewPrivileges: spec.noNewPrivileges,
    notify: role === "main" ? notifyOf(spec) : null,
    foreground: spec.stdio === "inherit" && role === "main",
  };
}
