/** HTTP → operation → reply. Framing, limits and access are the nucleus's. */
import type { Call, Command } from "../generated/protocol.ts";
import { isObject } from "../model/objects.ts";
import { orNearest } from "../model/suggest.ts";
import { type Answer, type Problem, type ProblemAnswer, problem, type Waiting } from "./answer.ts";
import type { Context } from "./context.ts";
import { completeArguments, NOTHING_GIVEN, REPEATABLE, readArguments } from "./parameters.ts";
import { allParameters, isLater, pathParameters, type Route } from "./routes.ts";

type HttpCall = Extract<Call, { type: "http" }>;
type Reply = Extract<Command, { type: "reply" }>;

export function dispatchHttp(routes: readonly Route[], call: HttpCall, context: Context): Answer | Waiting {
  const { template, name } = templateOf(call.path);
  const here = routes.filter((route) => route.path === template);
  if (here.length === 0) return noSuchPath(routes, call.path);
  // HEAD is GET; the nucleus leaves the body out.
  const method = call.method === "HEAD" ? "GET" : call.method;
  const route = here.find((candidate) => candidate.method === method);
  return route === undefined ? wrongMethod(call, here) : perform(route, name, call, context);
}

/** The only parameter that stands in paths is a service's name, and always in the same place. */
function templateOf(path: string): { template: string; name: string } {
  const match = /^\/v1\/services\/([^/]+)(\/[^/]+)?$/.exec(path);
  if (match === null) return { template: path, name: "" };
  return { template: `/v1/services/{name}${match[2] ?? ""}`, name: match[1] ?? "" };
}

function perform(route: Route, name: string, call: HttpCall, context: Context): Answer | Waiting {
  if (isLater(route)) return route.handle(context, NOTHING_GIVEN);
  const given = {};
  const wall = context.services.clock.wall;
  const wrong =
    readPath(route, name, wall, given) ??
    readQuery(route, call.query, wall, given) ??
    (route.method === "GET" ? null : readBody(route, call.body, wall, given));
  if (wrong !== null) return wrong;
  const args = completeArguments(allParameters(route), given);
  return "problem" in args ? args : route.handle(context, args);
}

type Given = Parameters<typeof readArguments>[4];

function readPath(route: Route, encoded: string, wall: number, into: Given): ProblemAnswer | null {
  const takes = pathParameters(route);
  if (takes.length === 0) return null;
  const name = decode(encoded);
  return name === null ? badEncoding("path") : readArguments(takes, { name }, "path", wall, into);
}

function readQuery(route: Route, query: string, wall: number, into: Given): ProblemAnswer | null {
  const given = new Map<string, string | string[]>();
  for (const piece of query.split("&").filter((text) => text !== "")) {
    const cut = piece.indexOf("=");
    const key = decode(cut < 0 ? piece : piece.slice(0, cut), true);
    const value = decode(cut < 0 ? "" : piece.slice(cut + 1), true);
    if (key === null || value === null) return badEncoding("query");
    const before = given.get(key);
    if (REPEATABLE.includes(key)) {
      given.set(key, Array.isArray(before) ? [...before, value] : [value]);
    } else if (before === undefined) {
      given.set(key, value);
    } else {
      return problem("bad-request", `query: "${key}" stands there twice`, { parameter: key });
    }
  }
  return readArguments(route.query ?? [], Object.fromEntries(given), "query", wall, into);
}

function readBody(route: Route, body: string, wall: number, into: Given): ProblemAnswer | null {
  if (body.trim() === "") return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "no JSON";
    return problem("bad-request", `body: expected a JSON object; ${reason}`);
  }
  if (!isObject(parsed)) return problem("bad-request", "body: expected a JSON object");
  return readArguments(route.body ?? [], parsed, "body", wall, into);
}

function decode(text: string, form = false): string | null {
  try {
    return decodeURIComponent(form ? text.replace(/\+/g, " ") : text);
  } catch {
    return null;
  }
}

function badEncoding(where: string): ProblemAnswer {
  return problem("bad-request", `${where}: a "%" is not followed by two hexadecimal digits of valid UTF-8`);
}

function noSuchPath(routes: readonly Route[], path: string): ProblemAnswer {
  const segments = path.split("/");
  const candidates = routes.map((route) => route.path.replace("{name}", segments[3] || "{name}"));
  return problem("no-such-path", `there is nothing at ${path}${orNearest(path, [...new Set(candidates)])}`);
}

function wrongMethod(call: HttpCall, here: readonly Route[]): ProblemAnswer {
  const methods = here.map((route) => route.method);
  const allowed = methods.includes("GET") ? ["HEAD", ...methods] : methods;
  const allow = allowed.sort().join(", ");
  return {
    ...problem("method-not-allowed", `${call.path} takes ${allow}, not ${call.method}`),
    headers: { Allow: allow },
  };
}

/** The reply over HTTP. */
export function httpReply(request: number, answer: Answer): Reply {
  const reply = (contentType: string, parts: Reply["parts"], headers: Reply["headers"] = {}): Reply => ({
    type: "reply",
    request,
    status: answer.status,
    contentType,
    headers,
    parts,
  });
  if ("problem" in answer) {
    return reply("application/problem+json", [document(answer.problem)], { ...answer.headers });
  }
  if ("plain" in answer) {
    return reply(answer.contentType, [{ type: "text", text: answer.plain }], { ...answer.headers });
  }
  if ("text" in answer) return reply("application/json", [{ type: "text", text: answer.text }]);
  if ("parts" in answer) return reply(answer.contentType ?? "application/json", [...answer.parts]);
  return reply("application/json", [document(answer.json)]);
}

function document(value: Problem | unknown): { type: "text"; text: string } {
  return { type: "text", text: JSON.stringify(value) };
}
