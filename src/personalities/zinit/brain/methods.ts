/** Every method: by this table calls find their handlers, and `rpc.discover` is written from it. */
import * as acting from "./acting.ts";
import { discovery } from "./discover.ts";
import * as editing from "./editing.ts";
import * as logs from "./logs.ts";
import * as looking from "./looking.ts";
import type { Method } from "./method.ts";
import { result } from "./method.ts";
import type { Schema } from "./params.ts";
import { prepareRestart } from "./restart.ts";
import * as system from "./system.ts";
import { XINET_METHODS } from "./xinet.ts";

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function list(items: Schema): Schema {
  return { type: "array", items };
}

const TEXT: Schema = { type: "string" };
const SUCCESS = { name: "success", schema: ref("OkResponse") };
const OUTPUT = { name: "output", schema: ref("OutputResponse") };
const ADDED = { name: "result", schema: ref("SetResult") };
const CONFIG = { name: "config", required: true, schema: ref("ServiceDef") };

function bulk(what: string): Method["result"] {
  const properties = { [what]: list(TEXT), count: { type: "integer" } };
  return { name: "result", schema: { type: "object", properties, required: [what, "count"] } };
}

export const METHODS: readonly Method[] = [
  {
    name: "rpc.discover",
    summary: "This document",
    result: { name: "spec", schema: { type: "object" } },
    handle: () => result(discovery(METHODS)),
  },
  {
    name: "system.ping",
    summary: "Is the server there, and which version is it?",
    result: { name: "pong", schema: ref("PingResponse") },
    handle: system.ping,
  },
  {
    name: "system.shutdown",
    summary: "Stop all services in order, then leave",
    result: SUCCESS,
    handle: system.shutdown,
  },
  {
    name: "system.reboot",
    summary: "Stop all services in order, then restart the machine (as PID 1 only)",
    result: SUCCESS,
    handle: system.reboot,
  },
  {
    name: "system.prepare_restart",
    summary: "Leave without stopping the services, which the next server takes over",
    result: { name: "result", schema: ref("PrepareRestartResult") },
    handle: prepareRestart,
  },
  {
    name: "service.set",
    summary: "Add a service or replace it, and write it to its file",
    reads: [CONFIG],
    result: ADDED,
    handle: editing.set,
  },
  {
    name: "service.get",
    summary: "A service's whole configuration, defaults included",
    needs: ["name"],
    result: { name: "config", schema: ref("ServiceDef") },
    handle: looking.get,
  },
  {
    name: "service.delete",
    summary: "Stop a service and all that require it, and delete their files",
    needs: ["name"],
    result: SUCCESS,
    handle: editing.remove,
  },
  {
    name: "service.list",
    summary: "Names of all services and targets",
    result: { name: "services", schema: list(TEXT) },
    handle: looking.list,
  },
  {
    name: "service.list_full",
    summary: "All services and targets with their states",
    result: { name: "services", schema: list(ref("ServiceInfo")) },
    handle: looking.listFull,
  },
  {
    name: "service.start",
    summary: "Start a service",
    needs: ["name"],
    result: SUCCESS,
    handle: acting.start,
  },
  {
    name: "service.stop",
    summary: "Stop a service, and before it all that require it",
    needs: ["name"],
    result: SUCCESS,
    handle: acting.stop,
  },
  {
    name: "service.restart",
    summary: "Stop a service and start it again, with all that require it and were up",
    needs: ["name"],
    result: SUCCESS,
    handle: acting.restart,
  },
  {
    name: "service.kill",
    summary: "Send a signal to the process group of a service",
    needs: ["name"],
    takes: ["signal"],
    result: SUCCESS,
    handle: acting.kill,
  },
  {
    name: "service.status",
    summary: "A service's state in a few words",
    needs: ["name"],
    result: { name: "status", schema: ref("ServiceStatus") },
    handle: looking.status,
  },
  {
    name: "service.status_full",
    summary: "A service's state, its dependencies and theirs, and how long it has been up",
    needs: ["name"],
    result: { name: "status", schema: ref("ServiceStatusFull") },
    handle: looking.statusFull,
  },
  {
    name: "service.stats",
    summary:
      "Memory of a service's main process, and its processor time since the last time it was asked for",
    needs: ["name"],
    result: { name: "stats", schema: ref("ServiceStats") },
    handle: looking.stats,
  },
  {
    name: "service.children",
    summary: "All processes below a service's main one",
    needs: ["name"],
    result: { name: "children", schema: ref("ChildrenResponse") },
    handle: looking.children,
  },
  {
    name: "service.is_running",
    summary: "Is a service running? One that is not known is not",
    needs: ["name"],
    result: { name: "running", schema: { type: "boolean" } },
    handle: looking.isRunning,
  },
  {
    name: "service.why",
    summary: "What keeps a service from starting",
    needs: ["name"],
    result: { name: "info", schema: ref("WhyBlocked") },
    handle: looking.why,
  },
  {
    name: "service.tree",
    summary: "All services and their dependencies as text",
    result: { name: "tree", schema: ref("TreeResponse") },
    handle: looking.tree,
  },
  {
    name: "logs.get",
    summary: "The last lines of a service, or of all, as text",
    takes: ["name", "lines"],
    result: { name: "logs", schema: list(TEXT) },
    handle: logs.get,
  },
  {
    name: "logs.tail",
    summary: "The last lines of a service with their times and streams",
    needs: ["name"],
    takes: ["lines"],
    result: { name: "logs", schema: list(ref("LogLine")) },
    handle: logs.tail,
  },
  {
    name: "logs.filter",
    summary: "Lines of a service by stream and time",
    takes: ["name", "service", "stream", "since", "lines"],
    result: { name: "logs", schema: list(ref("LogLine")) },
    handle: logs.filter,
  },
  {
    name: "debug.state",
    summary: "All that is known of all services, as text",
    result: OUTPUT,
    handle: looking.debugState,
  },
  {
    name: "debug.process_tree",
    summary: "The processes of a service, as text",
    needs: ["name"],
    result: OUTPUT,
    handle: looking.debugProcessTree,
  },
  ...XINET_METHODS,
  {
    name: "service.remove",
    summary: "The same as service.delete",
    needs: ["name"],
    result: SUCCESS,
    unlisted: true,
    handle: editing.remove,
  },
  {
    name: "service.add",
    summary: "Add a service; it is written to a file if that is asked for",
    takes: ["persist"],
    reads: [CONFIG],
    result: ADDED,
    unlisted: true,
    handle: editing.add,
  },
  {
    name: "service.create",
    summary: "The same as service.add",
    takes: ["persist"],
    reads: [CONFIG],
    result: ADDED,
    unlisted: true,
    handle: editing.add,
  },
  {
    name: "service.register",
    summary: "Add a service and write it to a file",
    reads: [CONFIG],
    result: ADDED,
    unlisted: true,
    handle: editing.register,
  },
  {
    name: "service.monitor",
    summary: "Add a service until the server leaves",
    reads: [CONFIG],
    result: ADDED,
    unlisted: true,
    handle: editing.monitor,
  },
  {
    name: "service.reload",
    summary: "Read the folders again: new services start, those that are gone stop",
    result: { name: "result", schema: ref("ReloadResult") },
    unlisted: true,
    handle: editing.reload,
  },
  {
    name: "service.start_all",
    summary: "Start all services of class user that are meant to run",
    result: bulk("started"),
    unlisted: true,
    handle: acting.startAll,
  },
  {
    name: "service.stop_all",
    summary: "Stop all services of class user",
    result: bulk("stopped"),
    unlisted: true,
    handle: acting.stopAll,
  },
  {
    name: "service.delete_all",
    summary: "Delete all services of class user",
    result: bulk("deleted"),
    unlisted: true,
    handle: editing.deleteAll,
  },
];
