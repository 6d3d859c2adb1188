/** Methods about proxies: listeners that start a service when somebody connects. */
import type { Services, Ticket } from "../../../api/services.ts";
import type { ZinitFailure, ZinitXinetOutput } from "../../../config/contract.ts";
import { addressText, listenText, readProxy } from "../../../dialects/zinit/xinet.ts";
import type { ProxyFacts, QueryAnswer } from "../../../generated/protocol.ts";
import { isObject } from "../../../model/objects.ts";
import type { ProxySpec } from "../../../model/spec.ts";
import { zinitPersonality } from "../personality.ts";
import { refusal } from "./acting.ts";
import type { Work } from "./changes.ts";
import { configure, outputOf, rpcError } from "./editing.ts";
import { failure } from "./errors.ts";
import { type Call, later, type Method, OK, type Result, result } from "./method.ts";
import type { Arguments, Schema } from "./params.ts";

// ---- changing

/** The definition stands in `config`, as documents have it, or is the parameters themselves. */
function set(call: Call, { persist }: Arguments): Result {
  const { services, params, because } = call;
  const spec = readProxy(isObject(params) && "config" in params ? params.config : params);
  if ("kind" in spec) return failure(spec.kind === "shape" ? "params" : "internal", spec.message);
  return call.changes.enter(function* (): Work {
    const refused = refusal(services);
    if (refused !== null) return refused;
    const all = services.proxies().filter(({ name }) => name !== spec.name);
    const problem = yield* keep(call, persist ? [...all, { ...spec, persist }] : all, spec.name);
    if (problem !== null) return problem;
    services.ask({ type: "proxy", set: [persist ? { ...spec, persist } : spec], remove: [], because });
    yield* untilItListens(services, spec.name);
    return OK;
  });
}

/** What cannot be had is said in the log, not in the answer, which does not wait for it any longer. */
const LISTENS_MS = 100;

/** Who has set a proxy goes to it, or asks about it, at once. */
function* untilItListens(services: Services, name: string): Generator<Ticket, void, QueryAnswer> {
  const end = services.clock.now + LISTENS_MS;
  do {
    const answer = yield services.query({ type: "proxies" });
    if (answer.type !== "proxies" || factsIn(answer, name).listening) return;
  } while (services.clock.now < end);
}

function remove(call: Call, { name }: Arguments): Result {
  const { services, because } = call;
  return call.changes.enter(function* (): Work {
    const refused = refusal(services);
    if (refused !== null) return refused;
    const all = services.proxies();
    const others = all.filter((spec) => spec.name !== name);
    if (others.length === all.length) return failure("internal", `Proxy '${name}' not found`);
    const problem = yield* keep(call, others, name);
    if (problem !== null) return problem;
    services.ask({ type: "proxy", set: [], remove: [name], because });
    return OK;
  });
}

/** Writes down those that are to stay, if `changed` is or was one of them. */
function* keep(
  { services }: Call,
  proxies: readonly ProxySpec[],
  changed: string,
): Generator<ReturnType<typeof configure>, Result | null, QueryAnswer> {
  const stays = (spec: ProxySpec) => spec.name === changed && spec.persist === true;
  if (!services.proxies().some(stays) && !proxies.some(stays)) return null;
  const { configDir } = zinitPersonality(services.personality);
  const kept = proxies.filter(({ persist }) => persist === true);
  const answer = yield configure(services, { zinit: "xinet", configDir, proxies: kept });
  const output: ZinitXinetOutput | ZinitFailure = outputOf<ZinitXinetOutput>(answer);
  return output.ok ? null : rpcError(output);
}

// ---- looking

function list({ services }: Call): Result {
  return result(services.proxies().map(({ name }) => name));
}

function status({ services }: Call, { name }: Arguments): Result {
  if (!services.proxies().some((spec) => spec.name === name)) return failure("notFound", "proxy not found");
  return later(services.query({ type: "proxies" }), (answer) => {
    const { listening, active } = factsIn(answer, name);
    // Clients of different ages look for the number under different names.
    return result({ name, running: listening, connections: active, active_connections: active });
  });
}

function statusAll({ services }: Call): Result {
  return later(services.query({ type: "proxies" }), (answer) =>
    result(services.proxies().map((spec) => statusOf(spec, factsIn(answer, spec.name)))),
  );
}

function statusOf(spec: ProxySpec, facts: ProxyFacts) {
  return {
    name: spec.name,
    listen: listenText(spec),
    backend: addressText(spec.proxy.backend),
    service: spec.service,
    total_connections: facts.total,
    active_connections: facts.active,
    bytes_to_backend: facts.bytesToBackend,
    bytes_from_backend: facts.bytesFromBackend,
    running: facts.listening,
  };
}

/** One that was closed while the nucleus was asked is not running. */
function factsIn(answer: QueryAnswer, name: string): ProxyFacts {
  const all = answer.type === "proxies" ? answer.proxies : [];
  const nothing = { listening: false, active: 0, total: 0, bytesToBackend: 0, bytesFromBackend: 0 };
  return all.find((facts) => facts.name === name) ?? { name, ...nothing };
}

// ---- the table

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

const SUCCESS = { name: "success", schema: ref("OkResponse") };

export const XINET_METHODS: readonly Method[] = [
  {
    name: "xinet.set",
    summary: "Open a proxy, in the place of one of the same name",
    takes: ["persist"],
    reads: [{ name: "config", required: true, schema: ref("XinetDef") }],
    result: SUCCESS,
    handle: set,
  },
  {
    name: "xinet.delete",
    summary: "Close a proxy; its open connections and its service go on",
    needs: ["name"],
    result: SUCCESS,
    handle: remove,
  },
  {
    name: "xinet.list",
    summary: "Names of all proxies",
    result: { name: "proxies", schema: { type: "array", items: { type: "string" } } },
    handle: list,
  },
  {
    name: "xinet.status",
    summary: "Does a proxy listen, and how many clients has it?",
    needs: ["name"],
    result: { name: "status", schema: ref("XinetStatus") },
    handle: status,
  },
  {
    name: "xinet.status_all",
    summary: "All proxies with their addresses and what went through them",
    result: { name: "statuses", schema: { type: "array", items: ref("XinetStatusFull") } },
    handle: statusAll,
  },
];
