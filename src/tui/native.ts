/** Facts from a supervisor's own API (`/v1`). */

import { servicePath } from "../cli/client.ts";
import { ending, type Fields, list, number, object, objects, text, textOrNull } from "../cli/documents.ts";
import type { HostError } from "../cli/host.ts";
import type { Reply } from "../cli/screen.ts";
import { clockTime } from "../cli/words.ts";
import type { Action, Manner, Message, Need, Request, Service, Why } from "./model.ts";
import { ACTION_MS, failed, QUESTION_MS, type Source, type Step } from "./source.ts";

const MANNER: Manner = {
  program: "oneup",
  title: "top",
  look: "table",
  actions: ["start", "stop", "restart", "kill"],
  whyTitle: "Why?",
};

export class NativeSource implements Source {
  readonly manner = MANNER;
  readonly #socket: string;
  readonly #now: () => number;

  constructor(socket: string, now: () => number) {
    this.#socket = socket;
    this.#now = now;
  }

  begin(request: Request): Step {
    switch (request.type) {
      case "services":
        return this.#services(request);
      case "details":
        return this.#details(request, request.name);
      case "logs":
        return this.#get(request, servicePath(request.name, `/logs?lines=${request.lines}`), (document) => ({
          type: "logs",
          name: request.name,
          lines: objects(document).map((record) => logText(record, this.#now())),
        }));
      case "why":
        return this.#get(request, servicePath(request.name, "/why"), (document) => ({
          type: "why",
          name: request.name,
          why: whyOf(object(document), this.#now()),
        }));
      case "tree":
        return this.#get(request, "/v1/tree", (document) => ({
          type: "tree",
          lines: graphLines(objects(object(document).services)),
        }));
      case "act":
        return this.#act(request, request.action, request.name);
    }
  }

  #services(request: Request): Step {
    return this.#get(request, "/v1/services", (services) =>
      this.#get(request, "/v1/usage", (usage) => ({
        type: "services",
        services: withUsage(objects(services), objects(usage)),
      })),
    );
  }

  #details(request: Request, name: string): Step {
    return this.#get(request, servicePath(name, "/processes"), (document) =>
      this.#get(request, "/v1/tree", (tree) => ({
        type: "details",
        details: {
          name,
          error: null,
          uptimeMs: null,
          memoryBytes: null,
          cpuPercent: null,
          children: objects(document).map((process) => ({
            pid: number(process, "pid") ?? 0,
            name: text(process, "command"),
            memoryBytes: number(process, "memory_bytes"),
          })),
          needs: needsOf(objects(object(tree).services), name),
        },
      })),
    );
  }

  #act(request: Request, action: Action, name: string): Step {
    const body = action === "kill" ? JSON.stringify({ signal: "KILL", scope: "group" }) : undefined;
    return {
      call: {
        kind: "http",
        socket: this.#socket,
        method: "POST",
        target: servicePath(name, `/${action}`),
        ...(body === undefined ? {} : { body }),
        timeoutMs: ACTION_MS,
      },
      read: (reply) => answered(request, reply, () => ({ type: "done", action, name })),
    };
  }

  #get(request: Request, target: string, then: (document: unknown) => Step | Message): Step {
    return {
      call: { kind: "http", socket: this.#socket, method: "GET", target, timeoutMs: QUESTION_MS },
      read: (reply) => answered(request, reply, then),
    };
  }
}

function answered(
  request: Request,
  reply: Reply,
  then: (document: unknown) => Step | Message,
): Step | Message {
  if (isError(reply)) return failed(request, reply.message, true);
  if ("text" in reply) return failed(request, "an answer of another kind");
  let document: unknown;
  try {
    document = JSON.parse(reply.body);
  } catch {
    return failed(request, `the answer (status ${reply.status}) is not JSON`);
  }
  if (reply.status < 300) return then(document);
  const detail = textOrNull(object(document), "detail") ?? `status ${reply.status}`;
  return failed(request, detail);
}

function isError(reply: Reply): reply is HostError {
  return "error" in reply;
}

function withUsage(services: readonly Fields[], usage: readonly Fields[]): Service[] {
  const used = new Map(usage.map((one) => [text(one, "name"), one]));
  return services.map((service) => {
    const name = text(service, "name");
    const own = used.get(name) ?? {};
    const state = text(service, "state");
    const exit = object(service.exit);
    const troubled = state === "failed" || state === "backoff" || state === "waiting";
    return {
      name,
      state,
      pid: number(service, "pid"),
      exitCode: number(exit, "code"),
      error: troubled ? text(service, "cause") || ending(exit) : null,
      uptimeMs: number(service, "uptime_ms"),
      memoryBytes: number(own, "memory_bytes"),
      cpuMs: number(own, "cpu_ms"),
      restarts: number(service, "restarts"),
    };
  });
}

function logText(record: Fields, now: number): string {
  const at = clockTime(Date.parse(text(record, "time")), now);
  const lost = number(record, "lost_lines");
  return `${at} ${lost === null ? text(record, "line") : `[${lost} lines lost]`}`;
}

function whyOf(document: Fields, now: number): Why {
  const answer = `${text(document, "service")} ${textOrNull(document, "answer") ?? text(document, "state")}`;
  const chain = objects(document.chain)
    .map((link) => ({ at: Date.parse(text(link, "time")), link }))
    .sort((a, b) => a.at - b.at)
    .map(
      ({ at, link }) =>
        `${clockTime(at, now)}  ${text(link, "service")}  ${text(link, "what")}  ${text(link, "because")}`,
    );
  return { calm: null, lines: [answer, "", ...chain], facts: [] };
}

function needsOf(services: readonly Fields[], name: string): Need[] {
  const own = services.find((service) => text(service, "name") === name) ?? {};
  return ["requires", "wants", "after", "conflicts"].flatMap((how) =>
    list(own, how).map((other) => ({ name: other, how, satisfied: null })),
  );
}

function graphLines(services: readonly Fields[]): string[] {
  const lines = services.flatMap((service) => {
    const name = text(service, "name");
    const needs = needsOf(services, name);
    return [
      name,
      ...needs.map((need, index) => `${index === needs.length - 1 ? "└─" : "├─"} ${need.how} ${need.name}`),
    ];
  });
  return lines.length === 0 ? ["no services"] : lines;
}
