/** What the nucleus needs to know to start a process of a service. */
import type { SpawnSpec } from "../generated/protocol.ts";
import type { ServiceSpec } from "../model/spec.ts";
import { sideLog } from "./logs.ts";
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

/** Of the service itself; what runs beside it reads nothing and writes into its logs. */
function mainStdio(spec: ServiceSpec): Pick<SpawnSpec, "stdin" | "stdout" | "stderr" | "remove"> {
  const { stdin, stdout, stderr } = spec;
  const remove = freshFiles(spec);
  return {
    ...(stdin === "null" ? {} : { stdin }),
    ...(stdout.type === "log" ? {} : { stdout }),
    ...(stderr.type === "log" ? {} : { stderr }),
    ...(remove.length === 0 ? {} : { remove }),
  };
}

/** What a run before has left must not make this one ready, or well. */
function freshFiles({ ready, health }: ServiceSpec): string[] {
  if (ready.length === 0 && health === null) return [];
  const probes = [...ready, ...(health?.probes ?? [])];
  const paths = probes.flatMap((probe) => (probe.type === "file" && probe.fresh ? [probe.path] : []));
  return [...new Set(paths)];
}

/** `more`: what its environment has on top of the configured one. */
export function spawnSpec(
  spec: ServiceSpec,
  role: "main" | "probe" | Role,
  argv: readonly string[],
  more: Environment | null = null,
): SpawnSpec {
  const log = role === "main" || role === "probe" ? spec.name : sideLog(spec, role);
  return {
    service: spec.name,
    role,
    argv: [...argv],
    log: spec.stdio === "log" ? log : null,
    ...(role === "main" ? mainStdio(spec) : {}),
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
    ...(role === "main" && spec.resources !== null ? { resources: spec.resources } : {}),
    noNewPrivileges: spec.noNewPrivileges,
    notify: role === "main" ? notifyOf(spec) : null,
    foreground: spec.stdio === "inherit" && role === "main",
  };
}
