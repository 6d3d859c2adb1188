/**
 * The one table of operations. HTTP dispatch, the JSON-RPC methods and the OpenAPI document are
 * made from it; `src/api/documentation.ts` has the words that go with each line.
 */
import type { Answer, Waiting } from "./answer.ts";
import type { Context } from "./context.ts";
import * as handle from "./handlers.ts";
import type { Arguments, ParameterName } from "./parameters.ts";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

export interface Route {
  /** Operation id, and JSON-RPC method. */
  readonly id: string;
  readonly method: Method;
  /** `{name}` stands for one segment and is the parameter of that name. */
  readonly path: string;
  readonly query?: readonly ParameterName[];
  readonly body?: readonly ParameterName[];
  /** The schema of the answer, by its name in `src/api/schemas.ts`. */
  readonly answer: string;
  readonly handle: (context: Context, args: Arguments) => Answer | Waiting;
}

const WAITING: readonly ParameterName[] = ["wait", "timeout"];
const LOGS: readonly ParameterName[] = ["lines", "since", "until", "stream", "grep", "follow"];

export const ROUTES: readonly Route[] = [
  { id: "services.list", method: "GET", path: "/v1/services", answer: "Services", handle: handle.list },
  { id: "services.get", method: "GET", path: "/v1/services/{name}", answer: "Service", handle: handle.get },
  later("services.put", "PUT", "/v1/services/{name}"),
  later("services.delete", "DELETE", "/v1/services/{name}"),
  one("start", "Service", handle.startOne),
  one("stop", "Receipts", handle.stopOne),
  one("restart", "Service", handle.restartOne),
  one("reload", "Service", handle.reloadOne),
  {
    id: "services.pin",
    method: "POST",
    path: "/v1/services/{name}/pin",
    body: ["state"],
    answer: "Service",
    handle: handle.pin,
  },
  hold("unpin", handle.unpin),
  hold("mask", handle.mask),
  hold("unmask", handle.unmask),
  {
    id: "services.kill",
    method: "POST",
    path: "/v1/services/{name}/kill",
    body: ["signal", "scope"],
    answer: "Service",
    handle: handle.kill,
  },
  {
    id: "services.wait",
    method: "GET",
    path: "/v1/services/{name}/wait",
    query: ["for", "timeout"],
    answer: "Service",
    handle: handle.waitFor,
  },
  {
    id: "services.logs",
    method: "GET",
    path: "/v1/services/{name}/logs",
    query: LOGS,
    answer: "LogRecords",
    handle: handle.serviceLogs,
  },
  { id: "services.why", method: "GET", path: "/v1/services/{name}/why", answer: "Why", handle: handle.why },
  {
    id: "services.runs",
    method: "GET",
    path: "/v1/services/{name}/runs",
    answer: "Runs",
    handle: handle.runs,
  },
  {
    id: "services.processes",
    method: "GET",
    path: "/v1/services/{name}/processes",
    answer: "Processes",
    handle: handle.processes,
  },
  many("start", "Services", handle.startMany),
  many("stop", "Receipts", handle.stopMany),
  many("restart", "Services", handle.restartMany),
  many("reload", "Services", handle.reloadMany),
  {
    id: "logs.read",
    method: "GET",
    path: "/v1/logs",
    query: ["service", ...LOGS],
    answer: "LogRecords",
    handle: handle.logs,
  },
  {
    id: "events.read",
    method: "GET",
    path: "/v1/events",
    query: ["lines", "after", "follow"],
    answer: "Events",
    handle: handle.events,
  },
  { id: "usage", method: "GET", path: "/v1/usage", answer: "Usages", handle: handle.usage },
  { id: "tree", method: "GET", path: "/v1/tree", answer: "Tree", handle: handle.tree },
  { id: "boot", method: "GET", path: "/v1/boot", answer: "Boot", handle: handle.boot },
  later("plan", "POST", "/v1/plan"),
  later("apply", "POST", "/v1/apply"),
  {
    id: "shutdown",
    method: "POST",
    path: "/v1/shutdown",
    query: WAITING,
    answer: "Receipts",
    handle: handle.shutdown,
  },
  {
    id: "supervisor",
    method: "GET",
    path: "/v1/supervisor",
    answer: "Supervisor",
    handle: handle.supervisor,
  },
  { id: "health", method: "GET", path: "/health", answer: "Health", handle: handle.health },
  { id: "status", method: "GET", path: "/status", answer: "Status", handle: handle.status },
  { id: "metrics", method: "GET", path: "/metrics", answer: "Metrics", handle: handle.metrics },
  { id: "openapi", method: "GET", path: "/openapi.json", answer: "OpenApi", handle: handle.openApi },
];

type Handler = Route["handle"];

function hold(verb: string, handler: Handler): Route {
  const path = `/v1/services/{name}/${verb}`;
  return { id: `services.${verb}`, method: "POST", path, answer: "Service", handle: handler };
}

/** start, stop, restart and reload of one service … */
function one(verb: string, answer: string, handler: Handler): Route {
  const path = `/v1/services/{name}/${verb}`;
  return { id: `services.${verb}`, method: "POST", path, query: WAITING, answer, handle: handler };
}

/** … and of several in one go, in the order that their dependencies ask for. */
function many(verb: string, answer: string, handler: Handler): Route {
  const path = `/v1/${verb}`;
  return { id: verb, method: "POST", path, query: WAITING, body: ["names"], answer, handle: handler };
}

/** An operation that has its place but does nothing yet; it takes any body. */
function later(id: string, method: Method, path: string): Route {
  return { id, method, path, answer: "Problem", handle: () => handle.notYet(id) };
}

/** The parameters in the path of a route. */
export function pathParameters(route: Route): ParameterName[] {
  return route.path.includes("{name}") ? ["name"] : [];
}

/** Everything a route takes, wherever it stands over HTTP: the parameters by JSON-RPC. */
export function allParameters(route: Route): ParameterName[] {
  return [...pathParameters(route), ...(route.query ?? []), ...(route.body ?? [])];
}

export function isLater(route: Route): boolean {
  return route.answer === "Problem";
}
