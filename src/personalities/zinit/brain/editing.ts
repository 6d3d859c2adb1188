/**
 * Methods that change which services there are. Reading, checking and writing of files is done by
 * the config program; here is decided what to ask of it, and what of the engine afterwards.
 */
import type { Services, Ticket } from "../../../api/services.ts";
import { isObject } from "../../../api/values.ts";
import type {
  ZinitDeleteOutput,
  ZinitFailure,
  ZinitInput,
  ZinitKnown,
  ZinitLoadOutput,
  ZinitSetOutput,
} from "../../../config/contract.ts";
import { documentOf } from "../../../dialects/zinit/document.ts";
import type { QueryAnswer } from "../../../generated/protocol.ts";
import { hasBegun, refusal } from "./acting.ts";
import { type Work, when } from "./changes.ts";
import { failure, noSuchService } from "./errors.ts";
import { type Call, OK, type Result, result } from "./method.ts";
import type { Arguments } from "./params.ts";
import { zinitPersonality } from "./personality.ts";
import { bulkNames, closureOf } from "./roles.ts";
import { cycleText } from "./states.ts";

// --- adding and replacing

export function set(call: Call): Result {
  return define(call, true);
}

/** Older ways to add a service. An existing one is not replaced by them. */
export function add(call: Call, { persist }: Arguments): Result {
  return define(call, persist, taken);
}

export function register(call: Call): Result {
  return define(call, true, taken);
}

export function monitor(call: Call): Result {
  return define(call, false, taken);
}

type Objection = (call: Call) => Result | null;

function taken({ services, params }: Call): Result | null {
  const name = nameIn(params);
  if (name === null || services.view(name) === null) return null;
  return failure("exists", `Service '${name}' already exists`);
}

/** Of `{config: {service: {name}}}`, or the same without `config`. */
function nameIn(params: unknown): string | null {
  const config = isObject(params) ? (params.config ?? params) : null;
  const service = isObject(config) ? config.service : null;
  return isObject(service) && typeof service.name === "string" ? service.name : null;
}

function define(call: Call, persist: boolean, objection: Objection = () => null): Result {
  const { services, params, because } = call;
  return call.changes.enter(function* (): Work {
    const refused = refusal(services) ?? objection(call);
    if (refused !== null) return refused;
    const known = knownServices(services);
    const answer = yield configure(services, { zinit: "set", ...places(services), params, persist, known });
    const output = outputOf<ZinitSetOutput>(answer);
    if (!output.ok) return rpcError(output);
    const { name, path, warnings, spec } = output;
    services.ask({ type: "change", set: [spec], remove: [], restart: true, because });
    return when(
      () => hasArrived(services, name),
      result({ name, ...(path === null ? {} : { path }), warnings }),
    );
  });
}

/** The former run has left, and it is known what became of the new one. */
function hasArrived(services: Services, name: string): boolean {
  return services.view(name)?.state !== "stopping" && hasBegun(services, name);
}

// --- removing

export function remove(call: Call, { name }: Arguments): Result {
  const { services } = call;
  return call.changes.enter(function* (): Work {
    const refused = refusal(services);
    if (refused !== null) return refused;
    if (services.view(name) === null) return noSuchService(name);
    return yield* removeAll(call, closureOf(services, [name]), OK);
  });
}

/** Those of class user; a service that one of class system needs stays. */
export function deleteAll(call: Call): Result {
  return call.changes.enter(function* (): Work {
    const refused = refusal(call.services);
    if (refused !== null) return refused;
    const names = bulkNames(call.services, () => true);
    return yield* removeAll(call, names, result({ deleted: names, count: names.length }));
  });
}

/** Files first: what cannot be deleted would be there again after the next start. */
function* removeAll(call: Call, names: readonly string[], done: ReturnType<typeof result>): Work {
  const { services, because } = call;
  const files = names.map((name) => ({ name, file: services.specOf(name)?.origin?.file ?? null }));
  const answer = yield configure(services, { zinit: "delete", ...places(services), services: files });
  const output = outputOf<ZinitDeleteOutput>(answer);
  if (!output.ok) return rpcError(output);
  services.ask({ type: "change", set: [], remove: names, restart: false, because });
  return when(() => names.every((name) => services.view(name) === null), done);
}

// --- reading the folders again

export function reload(call: Call): Result {
  const { services, because } = call;
  return call.changes.enter(function* (): Work {
    const refused = refusal(services);
    if (refused !== null) return refused;
    const answer = yield configure(services, { zinit: "load", ...places(services) });
    const output = outputOf<ZinitLoadOutput | ZinitFailure>(answer);
    if ("ok" in output) return rpcError(output);
    for (const warning of output.warnings) services.say(warning);
    const cycle = output.cycles[0];
    if (cycle !== undefined) return failure("internal", cycleText(cycle));
    const { added, removed, changed } = differences(services, output);
    const fresh = new Set([...added, ...changed]);
    services.ask({
      type: "change",
      set: output.services.filter(({ name }) => fresh.has(name)),
      remove: removed,
      restart: false,
      because,
    });
    const report = result({ added, removed, changed, config_errors: output.missing });
    const shows = () =>
      added.every((name) => hasBegun(services, name)) &&
      removed.every((name) => services.view(name) === null);
    return when(shows, report);
  });
}

/** What is in no file is not looked at, whatever a file of its name says. */
function differences(
  services: Services,
  { services: read }: ZinitLoadOutput,
): { added: string[]; removed: string[]; changed: string[] } {
  const inFiles = new Map(
    services.names().flatMap((name) => {
      const origin = services.specOf(name)?.origin;
      return origin === undefined || origin.file === null ? [] : [[name, origin.document] as const];
    }),
  );
  const names = new Set(read.map(({ name }) => name));
  return {
    added: [...names].filter((name) => services.view(name) === null),
    removed: [...inFiles.keys()].filter((name) => !names.has(name)),
    changed: read
      .filter(({ name, origin }) => inFiles.has(name) && inFiles.get(name) !== origin?.document)
      .map(({ name }) => name),
  };
}

// --- the config program

function knownServices(services: Services): ZinitKnown[] {
  return services.names().map((name) => {
    const origin = services.specOf(name)?.origin;
    if (origin === undefined) return { name, file: null, waitsFor: [] };
    const { requires, after, wants } = documentOf(origin).dependencies;
    return { name, file: origin.file, waitsFor: [...requires, ...after, ...wants] };
  });
}

function configure(services: Services, input: ZinitInput): Ticket {
  return services.query({ type: "configure", input: JSON.stringify(input) });
}

function places(services: Services) {
  const { configDir, systemDir } = zinitPersonality(services.personality);
  return { configDir, systemDir };
}

function outputOf<Output>(answer: QueryAnswer): Output | ZinitFailure {
  if (answer.type === "configured") {
    // The config program of the same executable wrote it, from the types that these are.
    const output: Output = JSON.parse(answer.output);
    return output;
  }
  const message = answer.type === "failed" ? answer.message : `a "${answer.type}" for a configuration`;
  return { ok: false, code: failure("internal", message).code, message };
}

function rpcError({ code, message, data }: ZinitFailure): Result {
  return { code, message, ...(data === undefined ? {} : { data }) };
}
