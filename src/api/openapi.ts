/** The OpenAPI 3.1 document, made from the table of operations. Written to `docs/openapi.json`. */
import { OPERATION_WORDS, PARAMETER_WORDS, PROBLEMS_OF } from "./documentation.ts";
import type { ParameterName } from "./parameters.ts";
import { isLater, pathParameters, ROUTES, type Route } from "./routes.ts";
import { ref, SCHEMAS, type Schema } from "./schemas.ts";

const DESCRIPTION = [
  "The control socket of a supervisor: HTTP/1.1 over a Unix socket, or over TCP with a bearer token.",
  "The same operations go by newline-framed JSON-RPC 2.0 on the same socket (a connection whose first byte is `{`): a method is an operation id, and its parameters, by name in one object, are those of path, query and body together. A line answers a line; notifications are done, but not answered. `follow` exists over HTTP only.",
  "Errors are `application/problem+json`; over JSON-RPC the problem is the error's `data`.",
  "While the supervisor renews its brain, requests are answered with 503 and `Retry-After`.",
].join("\n\n");

export function openApiDocument(): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "oneup", version: "1", description: DESCRIPTION },
    paths,
    components: { schemas: SCHEMAS },
  };
}

function operation(route: Route): Schema {
  const parameters = [
    ...pathParameters(route).map((name) => parameter(name, "path")),
    ...(route.query ?? []).map((name) => parameter(name, "query")),
  ];
  return {
    operationId: route.id,
    summary: OPERATION_WORDS[route.id] ?? "",
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: body(route.body) }),
    responses: responses(route),
  };
}

function parameter(name: ParameterName, where: "path" | "query"): Schema {
  const { description, ...schema } = PARAMETER_WORDS[name];
  return { name, in: where, description, ...(where === "path" ? { required: true } : {}), schema };
}

function body(names: readonly ParameterName[]): Schema {
  const properties = Object.fromEntries(names.map((name) => [name, PARAMETER_WORDS[name]]));
  const required = names.filter((name) => name === "names");
  const schema = {
    type: "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
  return { required: required.length > 0, content: { "application/json": { schema } } };
}

function responses(route: Route): Schema {
  if (isLater(route)) return { 501: problemResponse("Not supported yet.") };
  const good = { description: "Done.", content: content(route) };
  const statuses = [
    400,
    ...(pathParameters(route).length > 0 ? [404] : []),
    ...(PROBLEMS_OF[route.id] ?? []),
  ];
  const problems = Object.fromEntries(
    statuses.map((status) => [status, problemResponse(STATUS_WORDS[status] ?? "")]),
  );
  const accepted =
    route.query?.includes("wait") === true ? { 202: { ...good, description: "Under way." } } : {};
  return { 200: good, ...accepted, ...problems };
}

const STATUS_WORDS: Readonly<Record<number, string>> = {
  400: "The request is wrong.",
  404: "There is no such service.",
  409: "Not possible as things are: nothing is running, the supervisor is shutting down, or another request wants something else.",
  500: "It was tried and failed; `cause` says why.",
  503: "Something that should run does not; `reasons` says what.",
  504: "The request's `timeout` is over.",
};

function content(route: Route): Schema {
  if (route.answer === "Metrics") {
    return { "application/openmetrics-text; version=1.0.0; charset=utf-8": { schema: ref("Metrics") } };
  }
  const json = { "application/json": { schema: ref(route.answer) } };
  const streamed = SCHEMAS[route.answer]?.items;
  if (route.query?.includes("follow") !== true || streamed === undefined) return json;
  return {
    ...json,
    "text/event-stream": { schema: { type: "string", description: "`data:` is one record each." } },
  };
}

function problemResponse(description: string): Schema {
  return { description, content: { "application/problem+json": { schema: ref("Problem") } } };
}
