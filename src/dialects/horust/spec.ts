/**
 * From a service file to the native model. Whatever is particular about Horust's services is said
 * here by fields that every service has; the engine knows nothing of it.
 */
import type { FileHost } from "../../cli/host.ts";
import { absolutePath, joinPath } from "../../config/paths.ts";
import { DEFAULTS, HTTP_DEFAULTS } from "../../model/defaults.ts";
import { parseHttpUrl } from "../../model/probes.ts";
import { SIGNAL_NAMES } from "../../model/signals.ts";
import type { Following, HealthSpec, ProbeCondition, ReadyCondition, SparseSpec } from "../../model/spec.ts";
import { type Draft, sparse } from "../sparse.ts";
import { type HorustService, STDERR, STDOUT } from "./document.ts";
import { splitCommand } from "./words.ts";

/** What is beside a definition. */
export interface Surroundings {
  readonly host: Pick<FileHost, "stat">;
  /** The folder and the environment of the supervisor. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly hostname: string;
  /** Who the supervisor is. */
  readonly self: { readonly name: string; readonly home: string };
  /** Is there such a user id in the system's list? */
  readonly isKnownUser: (uid: number) => boolean;
  /** Services have the supervisor's own streams; otherwise they write into its logs. */
  readonly inherit: boolean;
}

/** What others have said of a service. */
export interface Ties {
  /** Those whose failure ends its run. */
  readonly failWith: readonly string[];
  /** Those that are to stop after it. */
  readonly stopsBefore: readonly string[];
}

/** How often it is looked whether it is well, and how long an answer may take. */
const CHECK_EVERY_MS = 1000;
const HTTP_TIMEOUT_MS = 1000;
const COMMAND_TIMEOUT_MS = 30_000;
const REDIRECTS = 10;
/** A run that was shorter was none, where nothing else tells. */
const TOO_QUICK_MS = 1000;
/** Where no backoff is set, what fails again and again at once is started less and less often. */
const QUICK_BACKOFF_MS = 100;
const QUICK_BACKOFF_MAX_MS = 1000;
const BACKOFF_MAX_MS = 300_000;
/** Stands for death by any signal among the exit codes. */
const BY_SIGNAL = -137;
const FILE_MODE = 0o700;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games";

/** `words`: its command's, where they are known; otherwise it is split. */
export function specOf(
  service: HorustService,
  ties: Ties,
  surroundings: Surroundings,
  words: readonly string[] | null = null,
): SparseSpec {
  return sparse(service.name, {
    // A command that cannot be split is one that cannot be started.
    ...commandFields(service, words ?? splitCommand(service.command) ?? [], surroundings),
    ...outputFields(service, surroundings),
    ...restartFields(service),
    ...healthFields(service, surroundings),
    ...failureFields(service),
    after: followings(service, ties),
    failWith: unique([...service.termination.dieIfFailed, ...ties.failWith]).filter(
      (name) => name !== service.name,
    ),
    startDelayMs: service.startDelayMs,
    startTimeoutMs: 0,
    remainAfterExit: true,
    stop: {
      signal: service.termination.signal,
      timeoutMs: service.termination.waitMs,
      evict: "stop",
      // What has left its process group is a daemon of its own, and goes on.
      tree: false,
    },
    resources: resourcesOf(service),
  });
}

/** Stops know nothing of `start-after`, nor starts of `shutdown-after`. */
function followings({ startAfter, name }: HorustService, { stopsBefore }: Ties): readonly Following[] {
  const up = unique(startAfter).map((other): Following => ({ name: other, until: "up" }));
  const before = unique(stopsBefore).map((other): Following => ({ name: other, until: "any" }));
  return [...up, ...before].filter((other) => other.name !== name);
}

function resourcesOf({ limits }: HorustService): NonNullable<Draft["resources"]> | null {
  const { cpu, memory, pids } = limits;
  return cpu === null && memory === null && pids === null ? null : limits;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

// ---- its process

function commandFields(service: HorustService, words: readonly string[], surroundings: Surroundings): Draft {
  const { cwd, inherit, isKnownUser } = surroundings;
  const { user, workingDirectory } = service;
  const environment = environmentOf(service, surroundings);
  const fields: Draft = {
    argv: programIn(words, environment, surroundings),
    directory: workingDirectory === null ? null : absolutePath(workingDirectory, cwd),
    environment,
    cleanEnvironment: !service.environment.keep,
    stdin: inherit ? "inherit" : "null",
  };
  if (user === null) return fields;
  // A number without an entry has no group either; it has one of its own, then.
  const alone = typeof user === "number" && !isKnownUser(user);
  return { ...fields, user: String(user), ...(alone ? { group: String(user) } : {}) };
}

function environmentOf(
  { environment: wanted, user }: HorustService,
  { environment: own, hostname, self }: Surroundings,
): Readonly<Record<string, string>> {
  const environment: Record<string, string> = { HOSTNAME: hostname, PATH: own.PATH ?? PATH };
  // Those of another user are known when it is started.
  if (user === null) Object.assign(environment, { USER: self.name, HOME: self.home });
  for (const name of ["TERM", ...wanted.reExport]) {
    const value = Object.hasOwn(own, name) ? own[name] : undefined;
    if (value !== undefined && /^[^=]+$/.test(name)) environment[name] = value;
  }
  return Object.assign(environment, wanted.additional);
}

/** Programs are searched where the supervisor's own are, whatever `PATH` the service is given. */
function programIn(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  { host, cwd, environment: own }: Surroundings,
): readonly string[] {
  const [program = "", ...rest] = words;
  const path = own.PATH ?? PATH;
  if (program === "" || program.includes("/") || environment.PATH === path) return words;
  const found = path
    .split(":")
    .map((folder) => joinPath(absolutePath(folder, cwd), program))
    .find((candidate) => {
      const status = host.stat(candidate);
      return "kind" in status && status.kind === "file";
    });
  return found === undefined ? words : [found, ...rest];
}

function outputFields(service: HorustService, { cwd, inherit }: Surroundings): Draft {
  const { stdout, stderr, rotateSize, stamp } = service;
  const log = { ...DEFAULTS.log, console: !inherit };
  const rotates = rotateSize > 0 && stdout !== STDOUT && stdout !== STDERR;
  const file = rotates ? { file: absolutePath(stdout, cwd), maxSize: rotateSize, split: true, stamp } : {};
  return {
    log: { ...log, ...file },
    stdout: rotates ? { type: "log" } : targetOf(stdout, cwd, inherit),
    stderr: stderr === STDOUT ? { type: "same" } : targetOf(stderr, cwd, inherit),
  };
}

type OwnTarget = Exclude<NonNullable<Draft["stderr"]>, { readonly type: "same" }>;

function targetOf(target: string, cwd: string, inherit: boolean): OwnTarget {
  if (target !== STDOUT && target !== STDERR) {
    return { type: "file", path: absolutePath(target, cwd), mode: FILE_MODE };
  }
  if (!inherit) return { type: "log" };
  return { type: "own", stream: target === STDOUT ? "stdout" : "stderr" };
}

// ---- its life

function restartFields({ restart, healthiness }: HorustService): Draft {
  const { strategy, backoffMs, attempts } = restart;
  const isWatched = healthiness.afterMs > 0 || hasChecks(healthiness);
  return {
    // With attempts even "never" starts again what has failed.
    restart: strategy === "never" && attempts > 0 ? "on-failure" : strategy,
    restartLimit: attempts,
    restartLimitMeans: "end",
    restartWindowMs: 0,
    restartBackoff: "linear",
    restartDelayMs: backoffMs > 0 ? backoffMs : QUICK_BACKOFF_MS,
    restartDelayMaxMs: backoffMs > 0 ? Math.max(backoffMs, BACKOFF_MAX_MS) : QUICK_BACKOFF_MAX_MS,
    restartJitter: 0,
    restartResetMs: isWatched ? 0 : TOO_QUICK_MS,
    restartResetFrom: "ready",
    restartUnstartable: true,
  };
}

function hasChecks({ http, file, command }: HorustService["healthiness"]): boolean {
  return http !== null || file !== null || command !== null;
}

function healthFields(service: HorustService, surroundings: Surroundings): Draft {
  const { healthiness } = service;
  const probes = probesOf(healthiness, surroundings);
  const after: readonly ReadyCondition[] =
    healthiness.afterMs > 0 ? [{ type: "delay", ms: healthiness.afterMs }] : [];
  if (probes.length === 0) return { ready: after };
  const health: HealthSpec = {
    probes,
    everyMs: CHECK_EVERY_MS,
    timeoutMs: healthiness.command === null ? HTTP_TIMEOUT_MS : COMMAND_TIMEOUT_MS,
    // So many may fail in a row; the next one is too many.
    failures: Math.max(0, healthiness.maxFailed) + 1,
    successes: 1,
    initialDelayMs: 0,
    onFailure: "restart",
  };
  return { ready: [...probes, ...after], health };
}

function probesOf(
  { http, file, command }: HorustService["healthiness"],
  { cwd, environment }: Surroundings,
): readonly ProbeCondition[] {
  const probes: ProbeCondition[] = [];
  if (file !== null) probes.push({ type: "file", path: absolutePath(file, cwd), fresh: true });
  if (http !== null) {
    const target = parseHttpUrl(http);
    // Nobody ever answers at port 0.
    const asked = "value" in target ? target.value : { tls: false, host: http, port: 0, path: "/" };
    const status = [[200, 299]] as const;
    probes.push({ type: "http", ...HTTP_DEFAULTS, ...asked, status, method: "HEAD", redirects: REDIRECTS });
  }
  if (command !== null) {
    const argv = splitCommand(command) ?? [];
    probes.push({ type: "exec", argv, outside: true, searchPath: environment.PATH ?? PATH });
  }
  return probes;
}

function failureFields({ failure }: HorustService): Draft {
  const { successCodes, strategy } = failure;
  return {
    successCodes: unique(successCodes.filter((code) => code >= 0 && code <= 255).map(String)).map(Number),
    successSignals: successCodes.includes(BY_SIGNAL) ? SIGNAL_NAMES : [],
    onFailure: strategy === "shutdown" ? "shutdown" : "ignore",
    onFailureAt: "each",
  };
}
