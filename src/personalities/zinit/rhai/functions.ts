/**
 * The functions `zinit_…` and `xinet_…`. They talk to the server that was connected to last, and take
 * names of services in any spelling.
 */
import { list, object } from "../../../cli/documents.ts";
import type { Parameter } from "../../../cli/rhai.ts";
import { attempt, type Context } from "./context.ts";
import {
  knownName,
  logsOf,
  proxyStatusOf,
  setService,
  statsOf,
  statusOf,
  treeOf,
  waitFor,
  whyOf,
} from "./handle.ts";
import { SERVICE } from "./objects.ts";
import { ScriptError } from "./server.ts";
import { markdownTable } from "./service.ts";
import type { Values } from "./values.ts";

interface Plain {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly run: (values: Values, context: Context) => unknown;
}

/** What is done with one service: its name as the server knows it. */
type OnService = (name: string, context: Context, values: Values) => unknown;

function plain(name: string, parameters: readonly Parameter[], run: Plain["run"]): Plain {
  return {
    name,
    parameters,
    run: (values, context) => attempt(`${name} failed: `, () => run(values, context)),
  };
}

function onService(name: string, more: readonly Parameter[], run: OnService): Plain {
  return {
    name,
    parameters: ["text", ...more],
    run: (values, context) => {
      const lead = (service: string) => `${name} '${service}' failed: `;
      const service = attempt(lead(values.text(0)), () => knownName(context.server, values.text(0)));
      return attempt(lead(service), () => run(service, context, values));
    },
  };
}

/** A proxy's name is taken as it is. */
function onProxy(name: string, run: OnService): Plain {
  return {
    name,
    parameters: ["text"],
    run: (values, context) => {
      const proxy = values.text(0);
      return attempt(`${name} '${proxy}' failed: `, () => run(proxy, context, values));
    },
  };
}

/** Done by the server, and told twice: by the library, and by the function. */
function deed(name: string, method: string, done: string): Plain {
  return onService(name, [], (service, context) => {
    context.server.call(method, { name: service });
    context.tell(`${done}: ${service}`);
    context.print(`${done}: ${service}`);
  });
}

const SYSTEM: readonly Plain[] = [
  plain("zinit_ping", [], (_, { server }) => ({ version: object(server.call("system.ping")).version })),
  plain("zinit_shutdown", [], (_, context) => {
    context.server.call("system.shutdown");
    context.print("Server shutting down");
  }),
];

const LOOKING: readonly Plain[] = [
  plain("zinit_list", [], (_, { server }) => server.call("service.list")),
  plain("zinit_list_md", [], (_, context) => {
    const names = list({ names: context.server.call("service.list") }, "names");
    const rows = names.map((name) => stateRow(context, name));
    context.print(
      rows.length === 0 ? "No services registered." : markdownTable(["Service", "State", "PID"], rows),
    );
  }),
  onService("zinit_status", [], (name, { server }) => {
    const status = statusOf(server, name);
    return {
      name: status.name,
      pid: status.pid,
      state: status.state,
      ...(status.exitCode === null ? {} : { exit_code: status.exitCode }),
      ...(status.error === null ? {} : { error: status.error }),
    };
  }),
  onService("zinit_status_md", [], (name, context) => {
    const { name: own, state, pid, exitCode, error } = statusOf(context.server, name);
    context.print(
      markdownTable(
        ["Property", "Value"],
        [
          ["Name", own],
          ["State", state],
          ["PID", String(pid)],
          ...(exitCode === null ? [] : [["Exit Code", String(exitCode)]]),
          ...(error === null ? [] : [["Error", error]]),
        ],
      ),
    );
  }),
  onService("zinit_why", [], (name, { server }) => whyOf(server, name)),
  plain("zinit_tree", [], (_, { server }) => treeOf(server)),
  plain("zinit_tree_print", [], (_, context) => context.print(treeOf(context.server))),
  onService("zinit_stats", [], (name, { server }) => statsOf(server, name)),
  onService("zinit_stats_md", [], (name, context) => {
    const { pid, memory_bytes, cpu_percent } = statsOf(context.server, name);
    context.print(
      markdownTable(
        ["Metric", "Value"],
        [
          ["PID", String(pid)],
          ["Memory", `${memory_bytes} bytes`],
          ["CPU", `${cpu_percent.value.toFixed(2)}%`],
        ],
      ),
    );
  }),
  {
    name: "zinit_is_running",
    parameters: ["text"],
    run: (values, { server }) =>
      orFalse(() => server.call("service.is_running", { name: knownName(server, values.text(0)) }) === true),
  },
  {
    name: "zinit_wait_for",
    parameters: ["text", "whole"],
    run: (values, context) => {
      const name = orFalse(() => knownName(context.server, values.text(0)));
      return name !== false && waitFor(context, context.server, name, values.whole(1));
    },
  },
];

const DEEDS: readonly Plain[] = [
  deed("zinit_start", "service.start", "Started"),
  deed("zinit_stop", "service.stop", "Stopped"),
  deed("zinit_restart", "service.restart", "Restarted"),
  deed("zinit_delete", "service.delete", "Deleted"),
  onService("zinit_kill", ["text"], (name, context, values) => {
    const signal = values.text(1);
    context.server.call("service.kill", { name, signal });
    context.tell(`Sent ${signal} to: ${name}`);
    context.print(`Sent ${signal} to: ${name}`);
  }),
  plain("zinit_service_set", [SERVICE], (values, context) => {
    const { name, path, warnings } = setService(context, context.server, values.service().document);
    const told = list({ warnings }, "warnings");
    return {
      name,
      ...(typeof path === "string" ? { path } : {}),
      ...(told.length === 0 ? {} : { warnings: told }),
    };
  }),
  onService("zinit_service_get", [], (name, { server }) => {
    const { service } = object(server.call("service.get", { name }));
    const { name: own, exec, oneshot, dir } = object(service);
    return { name: own, exec, oneshot, ...(typeof dir === "string" ? { dir } : {}) };
  }),
];

const LOGS: readonly Plain[] = [
  onService("zinit_logs", [], (name, { server }) => logsOf(server, name, null)),
  onService("zinit_logs_n", ["whole"], (name, { server }, values) => logsOf(server, name, values.whole(1))),
  onService("zinit_logs_print", [], (name, context) => {
    for (const line of logsOf(context.server, name, null)) context.print(line);
  }),
  plain("zinit_logs_all", [], (_, { server }) => logsOf(server, null, null)),
];

const PROXIES: readonly Plain[] = [
  plain("xinet_list", [], (_, { server }) => server.call("xinet.list")),
  onProxy("xinet_delete", (proxy, context) => {
    context.server.call("xinet.delete", { name: proxy });
    context.print(`Deleted xinet proxy '${proxy}'`);
  }),
  onProxy("xinet_status", (proxy, { server }) => proxyStatusOf(server, proxy)),
  plain("xinet_status_all", [], (_, { server }) => server.call("xinet.status_all")),
];

export const PLAIN: readonly Plain[] = [...SYSTEM, ...LOOKING, ...DEEDS, ...LOGS, ...PROXIES];

function stateRow(context: Context, name: string): string[] {
  const status = orFalse(() => statusOf(context.server, name));
  return status === false ? [name, "unknown", "-"] : [status.name, status.state, String(status.pid)];
}

/** False instead of an error. */
function orFalse<T>(work: () => T): T | false {
  try {
    return work();
  } catch (error) {
    if (error instanceof ScriptError) return false;
    throw error;
  }
}
