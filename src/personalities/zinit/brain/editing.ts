/**
 * Methods that change which services there are. Reading, checking and writing of files is done by
 * the config program; here is decided what to ask of it, and what of the engine afterwards.
 */
import type { Services, Ticket } from "../../../api/services.ts";
import type {
  ZinitDeleteOutput,
  ZinitFailure,
  ZinitInput,
  ZinitLoadOutput,
  ZinitSetOutput,
} from "../../../config/contract.ts";
import { reload as compare, knownServices } from "../../../dialects/zinit/running.ts";
import type { QueryAnswer } from "../../../generated/protocol.ts";
import { isObject } from "../../../model/objects.ts";
import type { ServiceSpec } from "../../../model/spec.ts";
import { zinitPersonality } from "../personality.ts";
import { hasBegun, refusal } from "./acting.ts";
import { type Work, when } from "./changes.ts";
import { failure, noSuchService } from "./errors.ts";
import { type Call, OK, type Result, result } from "./method.ts";
import type { Arguments } from "./params.ts";
import { bulkNames, closureOf } from "./roles.ts";

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
    const known = knownServices(specsOf(services));
    const answer = yield configure(services, { zinit: "set", ...places(services), params, persist, known });
    const output = outputOf<ZinitSetOutput>(answer);
    if (!output.ok) return rpcError(output);
    const { name, path, warnings, spec } = output;
    const starts = spec.autostart !== false;
    services.ask({ type: "change", set: [spec], remove: [], restart: starts, because });
    // What ran by the former definition does not go on by one that starts nothing.
    if (!starts) services.ask({ type: "stop", names: [name], because });
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
  const { services } = call;
  return call.changes.enter(function* (): Work {
    const refused = refusal(services);
    if (refused !== null) return refused;
    return takeLoaded(call, yield configure(services, { zinit: "load", ...places(services) }));
  });
}

/** What the folders say is what there is from now on. */
function takeLoaded({ services, because }: Call, answer: QueryAnswer): Result {
  const output = outputOf<ZinitLoadOutput | ZinitFailure>(answer);
  if ("ok" in output) return rpcError(output);
  for (const warning of output.warnings) services.say(warning);
  const plan = compare(specsOf(services), output);
  if ("refused" in plan) return failure("internal", plan.refused);
  const { set, ...report } = plan;
  const { added, removed } = report;
  services.ask({ type: "change", set, remove: removed, restart: false, because });
  const shows = () =>
    added.every((name) => hasBegun(services, name)) && removed.every((name) => services.view(name) === null);
  return when(shows, result(report));
}

/** The same for nobody who asks: what is wrong is said. */
export function readAgain(call: Call): void {
  call.changes.enter(function* (): Work {
    const answer = yield configure(call.services, { zinit: "load", ...places(call.services) });
    const answered = takeLoaded(call, answer);
    if ("code" in answered) call.services.say(`the services cannot be read again: ${answered.message}`);
    return answered;
  });
}

// --- the config program

export function configure(services: Services, input: ZinitInput): Ticket {
  return services.query({ type: "configure", input: JSON.stringify(input) });
}

function places(services: Services) {
  const { configDir, systemDir } = zinitPersonality(services.personality);
  return { configDir, systemDir };
}

export function outputOf<Output>(answer: QueryAnswer): Output | ZinitFailure {
  if (answer.type === "configured") {
    // The config program of the same executable wrote it, from the types that these are.
    const output: Output = JSON.parse(answer.output);
    return output;
  }
  const message = answer.type === "failed" ? answer.message : `a "${answer.type}" for a configuration`;
  return { ok: false, code: failure("internal", message).code, message };
}

export function rpcError({ code, message, data }: ZinitFailure): Result {
  return { code, message, ...(data === undefined ? {} : { data }) };
}

function specsOf(services: Services): ServiceSpec[] {
  return services
    .names()
    .map((name) => services.specOf(name))
    .filter((spec) => spec !== null);
}
