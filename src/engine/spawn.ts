/** What the nucleus needs to know to start a process of a service. */
import type { SpawnSpec } from "../generated/protocol.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { notifyOf } from "./notify.ts";
import type { Role } from "./world.ts";

type Environment = Readonly<Record<string, string>>;

/** `more`: what its environment has on top of the configured one. */
export function spawnSpec(
  spec: ServiceSpec,
  role: "main" | "probe" | Role,
  argv: readonly string[],
  more: Environment | null = null,
): SpawnSpec {
  const log = role === "main" || role === "probe" ? spec.name : `${spec.name}/${role}`;
  return {
    service: spec.name,
    role,
    argv: [...argv],
    log: spec.stdio === "log" ? log : null,
    directory: spec.directory,
    user: spec.user,
    group: spec.group,
    groups: spec.groups === null ? null : [...spec.groups],
    umask: spec.umask,
    environment: more === null ? spec.environment : { ...spec.environment, ...more },
    cleanEnvironment: spec.cleanEnvironment,
    nice: spec.nice,
    oomScoreAdjust: spec.oomScoreAdjust,
    limits: spec.limits,
    noNewPrivileges: spec.noNewPrivileges,
    notify: role === "main" ? notifyOf(spec) : null,
    foreground: spec.stdio === "inherit" && role === "main",
  };
}
