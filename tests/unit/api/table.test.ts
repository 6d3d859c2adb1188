import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OPERATION_WORDS, PARAMETER_WORDS } from "../../../src/api/documentation.ts";
import { openApiDocument } from "../../../src/api/openapi.ts";
import { NOTHING_GIVEN } from "../../../src/api/parameters.ts";
import { allParameters, isLater, ROUTES } from "../../../src/api/routes.ts";
import { SCHEMAS } from "../../../src/api/schemas.ts";
import { FAULT_ROUTES } from "../../../src/brain/faults.ts";
import { generatedDocuments } from "../../../src/cli/pages.ts";
import { Bench } from "./stub.ts";

const root = join(import.meta.dirname, "../../..");
const document = openApiDocument() as {
  paths: Record<
    string,
    Record<
      string,
      {
        operationId: string;
        parameters?: { name: string }[];
        requestBody?: { content: { "application/json": { schema: { properties: object } } } };
      }
    >
  >;
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

describe("the table of operations", () => {
  it("names no operation and no place twice", () => {
    expect(new Set(ROUTES.map((route) => route.id)).size).toBe(ROUTES.length);
    expect(new Set(ROUTES.map((route) => `${route.method} ${route.path}`)).size).toBe(ROUTES.length);
  });

  it("has words for every operation and parameter, and none that lead nowhere", () => {
    expect(Object.keys(OPERATION_WORDS).sort()).toEqual(ROUTES.map((route) => route.id).sort());
    expect(Object.keys(PARAMETER_WORDS).sort()).toEqual(Object.keys(NOTHING_GIVEN).sort());
  });

  it("names an answer that has a schema", () => {
    for (const route of ROUTES) expect(SCHEMAS).toHaveProperty(route.answer);
  });

  it("has everything that the contract promises", () => {
    const promised = `GET /v1/services|GET /v1/services/{name}|PUT /v1/services/{name}|DELETE /v1/services/{name}
      |POST /v1/services/{name}/start|POST /v1/services/{name}/stop|POST /v1/services/{name}/restart
      |POST /v1/services/{name}/reload|POST /v1/services/{name}/kill|GET /v1/services/{name}/logs
      |GET /v1/services/{name}/why|GET /v1/services/{name}/processes|GET /v1/logs|GET /v1/events|POST /v1/plan
      |POST /v1/apply|POST /v1/shutdown|GET /health|GET /status|GET /metrics|GET /openapi.json`;
    const there = ROUTES.map((route) => `${route.method} ${route.path}`);
    expect(there).toEqual(expect.arrayContaining(promised.split("|").map((line) => line.trim())));
  });

  it("and the OpenAPI document say the same", () => {
    const described = operations.map(({ path, method, operation }) => ({
      id: operation.operationId,
      at: `${method} ${path}`,
      parameters: [
        ...(operation.parameters ?? []).map((parameter) => parameter.name),
        ...Object.keys(operation.requestBody?.content["application/json"].schema.properties ?? {}),
      ].sort(),
    }));
    const routes = ROUTES.map((route) => ({
      id: route.id,
      at: `${route.method} ${route.path}`,
      parameters: allParameters(route).sort(),
    }));
    const byId = (a: { id: string }, b: { id: string }) => a.id.localeCompare(b.id);
    expect(described.sort(byId)).toEqual(routes.sort(byId));
  });

  it("is what JSON-RPC answers to: every operation id is a method that takes the same parameters", () => {
    for (const route of ROUTES) {
      const ask = (params: object) =>
        new Bench().rpc({ jsonrpc: "2.0", id: 1, method: route.id, params }) as {
          error?: { code: number; message: string };
        };
      if (isLater(route)) {
        expect(ask({}).error?.code).toBe(-32001);
        continue;
      }
      const refusal = ask({ "no-such-parameter": 1 }).error?.message ?? "";
      const list = allParameters(route).join(", ");
      expect(refusal).toContain(list === "" ? "it takes none" : `it takes ${list}`);
    }
  });

  it("has no way to break the brain", () => {
    expect(FAULT_ROUTES).toEqual([]);
    expect(new Bench().ask("POST", "/v1/debug/brain", { fault: "throw" }).status).toBe(404);
  });
});

it("every reference in the OpenAPI document leads somewhere", () => {
  const text = JSON.stringify(document);
  const names = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1] ?? "");
  expect(names.length).toBeGreaterThan(20);
  for (const name of names) expect(SCHEMAS).toHaveProperty(name);
});

it.each(Object.entries(generatedDocuments()))("%s is up to date (npm run docs)", (path, text) => {
  expect(readFileSync(join(root, path), "utf8")).toBe(text);
});
