/** One message of a client, and the answer to it. */
import { because, type Context } from "../../../api/context.ts";
import { decodeRequest, encodeResponse, type NamedStatus, type Request, type Response } from "../messages.ts";
import { Malformed } from "../wire.ts";
import { statusOf } from "./states.ts";

/** Empty: what nobody can make sense of gets no answer. */
export function answerMessage(bytes: string, context: Context): string {
  const request = readRequest(bytes, context);
  return request === null ? "" : encodeResponse(answer(request, context));
}

function readRequest(bytes: string, { services }: Context): Request | null {
  try {
    const request = decodeRequest(bytes);
    if (request === null) services.say("a message on the control socket asks for nothing that is known");
    return request;
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    services.say(`a message on the control socket cannot be read: ${error.message}`);
    return null;
  }
}

function answer(request: Request, context: Context): Response {
  if (request.type === "all-status") return allStatus(context);
  const { name } = request;
  if (context.services.view(name) === null) {
    const verb = request.type === "status" ? "status" : "change";
    return failure(`Error from ${verb} handler: Error: service ${name} not found.`);
  }
  switch (request.type) {
    case "status":
      return { type: "status", ...statusNamed(name, context) };
    case "restart":
      return change("restart", name, context);
    case "change":
      if (request.status === "INITIAL") return change("start", name, context);
      if (request.status === "INKILLING") return change("stop", name, context);
      return failure(`a service cannot be made ${request.status}: INITIAL starts it, INKILLING stops it`);
  }
}

function allStatus(context: Context): Response {
  const services = [...context.services.names()].sort().map((name) => statusNamed(name, context));
  return { type: "all-status", services };
}

function statusNamed(name: string, { services }: Context): NamedStatus {
  const view = services.view(name);
  if (view === null) throw new Error(`"${name}" is among the services and has no state`);
  return { name, status: statusOf(view, services.specOf(name)) };
}

/** It is heard; how it goes on shows in the service's state. */
function change(verb: "start" | "stop" | "restart", name: string, context: Context): Response {
  const { services } = context;
  if (services.phase() !== "running") return failure("the supervisor is shutting down");
  const held = services.refusal(name, verb);
  if (held !== null) return failure(`cannot ${verb} ${name}: ${held}`);
  services.ask({ type: verb, names: [name], because: because(context) });
  return { type: verb === "restart" ? "restart" : "change", name, accepted: true };
}

function failure(message: string): Response {
  return { type: "error", message };
}
