import { orNearest } from "../../model/suggest.ts";
import type { Input } from "../arguments.ts";
import { namesHint } from "../client.ts";
import { type Fields, objects, text } from "../documents.ts";
import { EXIT, Failure } from "../failure.ts";
import { serviceTable } from "../services.ts";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";

export const status: Verb = {
  name: "status",
  group: "Look",
  summary: "state of services",
  usage: ["status [NAME…]"],
  detail: [
    "Exit code 3 if a named service is not running (what is starting or stopping still counts as running, and so does a task that succeeded), 4 if there is no such service. Without a name: 0 if a supervisor answers.",
  ],
  examples: ["oneup status", "oneup status web && echo up"],
  options: [],
  takes: "services",
  least: 0,
  most: Number.POSITIVE_INFINITY,
  run: showStatus,
};

function showStatus(session: Session, input: Input): number {
  const all = objects(session.client().get("/v1/services"));
  const services = input.words.length === 0 ? all : pick(all, input.words);
  if (session.json) session.document(services);
  else if (services.length === 0) session.print("no services");
  else session.printAll(serviceTable(session, services));
  return input.words.length === 0 || services.every(runs) ? EXIT.done : EXIT.notRunning;
}

function pick(all: readonly Fields[], names: readonly string[]): Fields[] {
  return names.map((name) => {
    const service = all.find((candidate) => text(candidate, "name") === name);
    if (service !== undefined) return service;
    const known = all.map((candidate) => text(candidate, "name"));
    const message = `there is no service "${name}"${orNearest(name, known)}`;
    throw new Failure(EXIT.noSuchService, message, namesHint(message));
  });
}

function runs(service: Fields): boolean {
  const state = text(service, "state");
  // A task is there to end well.
  if (state === "exited") return text(service, "kind") === "task";
  return state === "running" || state === "starting" || state === "stopping";
}
