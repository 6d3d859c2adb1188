/** What the nucleus needs to know to start a process of a service. */
import type { SpawnSpec } from "../generated/protocol.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { notifyOf } from "./notify.ts";
import type { Role } from "./world.ts";

type Environment = Readonly<Record<string, string>>;

export function probeSpec(spec: ServiceSpec, argv: readonly string[]): SpawnSpec {
  return spawnSpec(spec, "probe", argv);
}

const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A probe that runs as the supervisor does. */
export function outsideSpec(spec: ServiceSpec, argv: readonly string[], searchPath = SYSTEM_PATH): SpawnSpec {
  return {
    ...probeSpec(spec, argv),
    directory: null,
    user: null,
    group: null,
    groups: null,
    umask: null,
    environment: { PATH: searchPath },
    cleanEnvironment: false,
    nice: null,
    oomScoreAdjust: null,
    limits: {},
    noNewPrivileges: false,
  };
}

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
