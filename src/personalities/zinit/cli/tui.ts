/** Facts for the interface from zinit's JSON-RPC. */

import { type Fields, list, number, object, objects, text, textOrNull } from "../../../cli/documents.ts";
import type { Reply } from "../../../cli/screen.ts";
import { isObject } from "../../../model/objects.ts";
import type { Action, Details, Manner, Message, Request, Service, Why } from "../../../tui/model.ts";
import { ACTION_MS, failed, QUESTION_MS, type Source, type Step } from "../../../tui/source.ts";

const MANNER: Manner = {
  program: "zinit",
  title: "TUI",
  look: "list",
  actions: ["start", "stop", "restart", "kill", "remove", "halt+remove"],
  whyTitle: "Why Blocked?",
};

const CONNECT_MS = 1000;

const METHODS: Readonly<Record<Exclude<Action, "kill" | "halt+remove">, string>> = {
  start: "service.start",
  stop: "service.stop",
  restart: "service.restart",
  remove: "service.delete",
};

type Then = (result: unknown) => Step | Message;

export class ZinitSource implements Source {
  readonly manner = MANNER;
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  begin(request: Request): Step {
    switch (request.type) {
      case "services":
        return this.#ask(request, "service.list_full", {}, (result) => ({
          type: "services",
          services: objects(result).map(serviceOf),
        }));
      case "details":
        return this.#details(request, request.name);
      case "logs": {
        const { name, lines } = request;
        return this.#ask(request, "logs.get", { name, lines }, (result) => ({
          type: "logs",
          name,
          lines: Array.isArray(result) ? result.filter((line) => typeof line === "string") : [],
        }));
      }
      case "why":
        return this.#ask(request, "service.why", { name: request.name }, (result) => ({
          type: "why",
          name: request.name,
          why: whyOf(object(result)),
        }));
      case "tree":
        return this.#ask(request, "service.tree", {}, (result) => ({
          type: "tree",
          lines: text(object(result), "ascii").split("\n"),
        }));
      case "act":
        return this.#act(request, request.action, request.name);
    }
  }

  #details(request: Request, name: string): Step {
    return this.#ask(request, "service.status_full", { name }, (status) =>
      this.#ask(request, "service.stats", { name }, (stats) =>
        this.#ask(request, "service.children", { name }, (children) => ({
          type: "details",
          details: detailsOf(name, object(status), object(stats), object(children)),
        })),
      ),
    );
  }

  #act(request: Request, action: Action, name: string): Step {
    const done: Message = { type: "done", action, name };
    if (action === "kill") return this.#kill(request, name, () => done);
    if (action === "halt+remove") {
      const remove = () => this.#do(request, METHODS.remove, { name }, () => done);
      // What does not run needs no signal: whatever the answer is, the next step is the same.
      return { ...this.#kill(request, name, remove), read: remove };
    }
    return this.#do(request, METHODS[action], { name }, () => done);
  }

  #kill(request: Request, name: string, then: Then): Step {
    return this.#do(request, "service.kill", { name, signal: "SIGKILL" }, then);
  }

  #do(request: Request, method: string, params: Fields, then: Then): Step {
    return this.#call(request, method, params, ACTION_MS, then);
  }

  #ask(request: Request, method: string, params: Fields, then: Then): Step {
    return this.#call(request, method, params, QUESTION_MS, then);
  }

  #call(request: Request, method: string, params: Fields, timeoutMs: number, then: Then): Step {
    return {
      call: {
        kind: "line",
        socket: this.#socket,
        text: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
        connectTimeoutMs: CONNECT_MS,
        timeoutMs,
      },
      read: (reply) => answered(request, reply, then),
    };
  }
}

function answered(request: Request, reply: Reply, then: Then): Step | Message {
  if ("error" in reply) return failed(request, reply.message, true);
  let answer: unknown = null;
  try {
    if ("text" in reply) answer = JSON.parse(reply.text);
  } catch {
    // It stays no answer.
  }
  if (!isObject(answer)) return failed(request, "what answers is no zinit server");
  if (!isObject(answer.error)) return then(answer.result ?? null);
  return failed(request, text(answer.error, "message"));
}

function serviceOf(fields: Fields): Service {
  const state = object(fields.state);
  const pid = number(state, "pid");
  return {
    name: text(fields, "name"),
    state: text(state, "state"),
    pid: pid === 0 ? null : pid,
    exitCode: number(state, "exit_code"),
    error: reasonText(object(state.reason)),
    uptimeMs: null,
    memoryBytes: null,
    cpuMs: null,
    restarts: null,
  };
}

/** Why a service is failed, in words. */
function reasonText(reason: Fields): string | null {
  switch (textOrNull(reason, "type")) {
    case null:
      return null;
    case "exit_code":
      return `exit code ${number(reason, "code")}`;
    case "signal":
      return `killed by signal ${number(reason, "signal")}`;
    case "start_timeout":
      return "start timeout";
    case "stop_timeout":
      return "stop timeout";
    case "health_check_failed":
      return `health check failed after ${number(reason, "attempts")} attempts`;
    case "dependency_failed":
      return `dependency failed: ${text(reason, "service")}`;
    case "missing_dependency":
      return `missing dependency: ${text(reason, "dependency")}`;
    default:
      return textOrNull(reason, "message") ?? text(reason, "type");
  }
}

function detailsOf(name: string, status: Fields, stats: Fields, children: Fields): Details {
  const uptime = number(status, "uptime_secs");
  return {
    name,
    error: textOrNull(status, "error"),
    uptimeMs: uptime === null ? null : uptime * 1000,
    memoryBytes: number(stats, "memory_bytes"),
    cpuPercent: number(stats, "cpu_percent"),
    children: objects(children.children).map((child) => ({
      pid: number(child, "pid") ?? 0,
      name: text(child, "name"),
      memoryBytes: number(child, "memory_bytes"),
    })),
    needs: objects(status.dependencies).map((need) => ({
      name: text(need, "name"),
      how: text(need, "dep_type"),
      satisfied: typeof need.satisfied === "boolean" ? need.satisfied : null,
    })),
  };
}

function whyOf(answer: Fields): Why {
  if (answer.blocked !== true) return { calm: "Service is not blocked", lines: [], facts: [] };
  const facts: [string, string, "yellow" | "red"][] = [];
  const add = (label: string, value: string, colour: "yellow" | "red") => {
    if (value !== "") facts.push([label, value, colour]);
  };
  add("Waiting on", list(answer, "waiting_on").join(", "), "yellow");
  add("Conflicts with", list(answer, "conflicts_with").join(", "), "red");
  add("Port conflict", text(answer, "port_conflict"), "red");
  add("Process conflict", processText(object(answer.process_conflict)), "red");
  return { calm: null, lines: text(answer, "ascii").split("\n"), facts };
}

function processText(conflict: Fields): string {
  const found = objects(conflict.processes).map(
    (each) => `${text(each, "name")} (PID ${number(each, "pid")})`,
  );
  return found.length === 0 ? "" : `'${text(conflict, "filter")}' matches ${found.join(", ")}`;
}
