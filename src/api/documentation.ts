/** The words that go with the table of operations. For documents only: nothing that runs imports this. */
import type { ParameterName } from "./parameters.ts";
import type { Schema } from "./schemas.ts";

const duration: Schema = { type: "string", examples: ["500ms", "10s", "1m30s"] };
const moment: Schema = { type: "string", examples: ["10m", "2026-01-31T12:00:00Z"] };

/** What each parameter is, in schema and words. */
export const PARAMETER_WORDS: Readonly<Record<ParameterName, Schema>> = {
  name: { type: "string", description: "The service's name." },
  names: { type: "array", items: { type: "string" }, minItems: 1, description: "Names of services." },
  wait: { type: "boolean", default: true, description: "False: answer 202 at once." },
  timeout: {
    ...duration,
    description:
      "The client's patience: 504 when it is over. Without it the services' own timeouts bound the wait.",
  },
  signal: { type: "string", default: "TERM", description: "A signal's name, with or without SIG." },
  scope: {
    enum: ["main", "group", "tree"],
    default: "main",
    description: "The main process, its process group, or every process of the service.",
  },
  lines: { type: "integer", minimum: 0, description: "Only the last so many that fit the other conditions." },
  since: { ...moment, description: "From then on: a time, or how far back." },
  until: { ...moment, description: "Up to then: a time, or how far back." },
  stream: { enum: ["out", "err"], description: "Only standard output, or only standard error." },
  grep: { type: "string", description: "Only lines that this regular expression matches." },
  follow: {
    type: "boolean",
    default: false,
    description: "Go on with what comes, as Server-Sent Events. HTTP only.",
  },
  service: { type: "array", items: { type: "string" }, description: "Only these services; may be repeated." },
  after: { type: "integer", minimum: 0, description: "Only events with a larger number." },
  for: { enum: ["ready", "stopped", "succeeded"], default: "ready", description: "What to wait for." },
  state: { enum: ["up", "down"], description: "The state to hold." },
  fault: { enum: ["throw", "loop", "memory", "stack"], description: "Test builds only." },
};

/** What each operation does. */
export const OPERATION_WORDS: Readonly<Record<string, string>> = {
  "services.list": "All services.",
  "services.get": "One service.",
  "services.put": "Not supported yet.",
  "services.delete": "Not supported yet.",
  "services.start": "Start a service with what it needs; answers when it is ready.",
  "services.stop": "Stop a service and what requires it; answers with the receipts.",
  "services.restart": "Stop a service and what requires it, then start again what was up.",
  "services.reload":
    "The service's own reload. Answers when the signal was sent, when its command has succeeded, or, after RELOADING=1, when READY=1 came.",
  "services.pin":
    "Hold a service up (started now and after every end, taken down by nothing but a shutdown) or down (stopped now, never started), whatever its rules say.",
  "services.unpin": "Let the rules decide again. What was pinned down is not started by this.",
  "services.mask": "Never start it from now on; what runs goes on.",
  "services.unmask": "It may be started again; what waited only for this starts.",
  "services.kill": "Send a signal. The service's restart rule applies to what follows.",
  "services.wait":
    "Answers when the service is ready, stopped or has succeeded, whoever brings it there. A service that failed for good ends the wait.",
  usage: "Memory and processor time of all services at once.",
  "services.logs": "A service's log.",
  "services.why": "Why a service is in its state.",
  "services.runs": "The last ten runs of a task with a schedule, newest first; of anything else: none.",
  "services.processes": "The processes that belong to a service.",
  start: "Start several services in one go.",
  stop: "Stop several services in one go, dependents first.",
  restart: "Restart several services in one go.",
  reload: "Reload several services in one go: all of them, or none if one cannot.",
  boot: "What the supervisor's start was like: the chain of services that took longest, and each one's times.",
  "logs.read": "All logs, merged in the order the lines came.",
  "events.read": "What happened.",
  tree: "The dependency graph.",
  plan: "Not supported yet.",
  apply: "Not supported yet.",
  shutdown: "Ordered stop of everything. Asked again meanwhile, it waits for nothing any more.",
  supervisor: "The supervisor's own process.",
  health: "Is everything well that should run?",
  status: "Which services run: the smallest answer.",
  metrics: "Metrics for scrapers.",
  openapi: "This document.",
};

/** Which problems an operation can answer with, beside 400. */
export const PROBLEMS_OF: Readonly<Record<string, readonly number[]>> = {
  "services.start": [409, 500, 504],
  "services.restart": [409, 500, 504],
  "services.stop": [409, 500, 504],
  "services.reload": [409, 500, 504],
  "services.pin": [409],
  "services.unpin": [409],
  "services.mask": [409],
  "services.unmask": [409],
  "services.kill": [409],
  "services.wait": [409, 500, 504],
  start: [404, 409, 500, 504],
  restart: [404, 409, 500, 504],
  stop: [404, 409, 500, 504],
  reload: [404, 409, 500, 504],
  "logs.read": [404],
  shutdown: [504],
  health: [503],
};
