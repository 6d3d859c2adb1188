/** Every function and method that scripts have, with what it takes. */
import type { Parameter } from "../../../cli/rhai.ts";
import type { Context } from "./context.ts";
import { Factory } from "./factory.ts";
import { PLAIN } from "./functions.ts";
import { FACTORY, HANDLE, PROXY, SERVICE } from "./objects.ts";
import { ProxyBuilder } from "./proxy.ts";
import { clamped, ServiceBuilder } from "./service.ts";
import type { Values } from "./values.ts";

export interface Entry {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly run: (values: Values, context: Context) => unknown;
}

type Run = Entry["run"];
type Rows = Readonly<Record<string, Run>>;

/** Several functions with the same parameters. */
function all(parameters: readonly Parameter[], rows: Rows): Entry[] {
  return Object.entries(rows).map(([name, run]) => ({ name, parameters, run }));
}

const FACTORY_METHODS: readonly Entry[] = [
  ...all([FACTORY, "text"], { socket: (values) => values.factory().socket(values.text(1)) }),
  ...all([FACTORY, "whole"], { log_level: (values) => values.factory().logLevel(values.whole(1)) }),
  ...all([FACTORY], { connect: (values, context) => values.factory().connect(context) }),
];

const HANDLE_METHODS: readonly Entry[] = [
  ...all([HANDLE], {
    list: (values) => values.handle().list(),
    service_new: () => new ServiceBuilder(),
    xinet_proxy_new: () => new ProxyBuilder(),
    tree: (values) => values.handle().tree(),
    logs: (values) => values.handle().logs(null, null),
    ping: (values) => values.handle().ping(),
    shutdown: (values) => values.handle().shutdown(),
    reboot: (values) => values.handle().reboot(),
    debug_state: (values) => values.handle().debugState(),
    xinet_list: (values) => values.handle().xinetList(),
    xinet_status: (values) => values.handle().xinetStatusAll(),
    xinet_status_all: (values) => values.handle().xinetStatusAll(),
  }),
  ...all([HANDLE, "text"], {
    status: (values) => values.handle().status(values.text(1)),
    start: (values, context) => values.handle().start(context, values.text(1)),
    stop: (values, context) => values.handle().stop(context, values.text(1)),
    restart: (values, context) => values.handle().restart(context, values.text(1)),
    kill: (values, context) => values.handle().kill(context, values.text(1), "SIGTERM"),
    delete: (values, context) => values.handle().delete(context, values.text(1)),
    service_delete: (values, context) => values.handle().delete(context, values.text(1)),
    logs: (values) => values.handle().logs(values.text(1), null),
    why: (values) => values.handle().why(values.text(1)),
    stats: (values) => values.handle().stats(values.text(1)),
    children: (values) => values.handle().children(values.text(1)),
    is_running: (values) => values.handle().isRunning(values.text(1)),
    service_get: (values) => values.handle().serviceGet(values.text(1)),
    debug_process_tree: (values) => values.handle().debugProcesses(values.text(1)),
    xinet_delete: (values) => values.handle().xinetDelete(values.text(1)),
    xinet_status: (values) => values.handle().xinetStatus(values.text(1)),
  }),
  ...all([HANDLE, "text", "text"], {
    kill: (values, context) => values.handle().kill(context, values.text(1), values.text(2)),
    logs_filter: (values) => values.handle().logsFilter(values.text(1), values.text(2)),
  }),
  ...all([HANDLE, "text", "whole"], {
    logs: (values) => values.handle().logs(values.text(1), values.whole(2)),
    wait_for: (values, context) => values.handle().waitFor(context, values.text(1), values.whole(2)),
  }),
  ...all([HANDLE, SERVICE], {
    service_set: (values, context) => values.handle().set(context, values.service(1)),
  }),
  ...all([HANDLE, PROXY], { xinet_set: (values) => values.handle().setProxy(values.proxy(1)) }),
  ...all([HANDLE, "any"], {
    service_set: (values, context) => values.handle().serviceSet(context, values.any(1)),
    xinet_set: (values) => values.handle().xinetSet(values.any(1)),
  }),
];

const RESTARTS = { always: "always", never: "never" } as const;
const STATUSES = { stop: "stop", ignore: "ignore" } as const;

/** The word if it is one of these, in small letters; else what is usual. */
function oneOf<T extends string, U extends string>(
  known: Readonly<Record<string, T>>,
  usual: U,
  word: string,
): T | U {
  return known[word.toLowerCase()] ?? usual;
}

const SERVICE_METHODS: readonly Entry[] = [
  ...all([SERVICE, "text"], {
    name: (values) => values.service().service({ name: values.text(1) }),
    exec: (values) => values.service().service({ exec: values.text(1) }),
    dir: (values) => values.service().service({ dir: values.text(1) }),
    status: (values) => values.service().service({ status: oneOf(STATUSES, "start", values.text(1)) }),
    class: (values) =>
      values.service().service({ class: oneOf({ system: "system" }, "user", values.text(1)) }),
    after: (values) => values.service().depends("after", values.text(1)),
    requires: (values) => values.service().depends("requires", values.text(1)),
    wants: (values) => values.service().depends("wants", values.text(1)),
    conflicts: (values) => values.service().depends("conflicts", values.text(1)),
    restart: (values) =>
      values.service().lifecycle({ restart: oneOf(RESTARTS, "on-failure", values.text(1)) }),
    stop_signal: (values) => values.service().lifecycle({ stop_signal: values.text(1).toUpperCase() }),
    health_tcp: (values) => values.service().health({ type: "tcp", target: values.text(1) }),
    health_http: (values) => values.service().health({ type: "http", target: values.text(1) }),
    health_exec: (values) => values.service().health({ type: "exec", target: values.text(1) }),
    log_file: (values) => values.service().logging({ file: values.text(1) }),
    log_forward: (values) => values.service().logging({ forward: values.text(1) }),
    process_filter: (values) => values.service().processFilter(values.text(1)),
  }),
  ...all([SERVICE, "text", "text"], {
    env: (values) => values.service().env(values.text(1), values.text(2)),
  }),
  ...all([SERVICE, "flag"], {
    oneshot: (values) => values.service().service({ oneshot: values.flag(1) }),
    critical: (values) => values.service().service({ critical: values.flag(1) }),
    kill_others: (values) => values.service().service({ kill_others: values.flag(1) }),
  }),
  ...all([SERVICE, "whole"], {
    port: (values) => values.service().port(values.whole(1)),
    restart_delay_ms: (values) => values.service().lifecycle({ restart_delay_ms: least(values, 0) }),
    restart_delay_max_ms: (values) => values.service().lifecycle({ restart_delay_max_ms: least(values, 0) }),
    max_restarts: (values) => values.service().lifecycle({ max_restarts: least(values, 0) }),
    stability_period_ms: (values) => values.service().lifecycle({ stability_period_ms: least(values, 0) }),
    start_timeout_ms: (values) => values.service().lifecycle({ start_timeout_ms: least(values, 0) }),
    stop_timeout_ms: (values) => values.service().lifecycle({ stop_timeout_ms: least(values, 0) }),
    health_expect_status: (values) =>
      values.service().health({ expect_status: clamped(values.whole(1), 100, 599) }),
    health_interval_ms: (values) => values.service().health({ interval_ms: least(values, 1000) }),
    health_timeout_ms: (values) => values.service().health({ timeout_ms: least(values, 0) }),
    health_retries: (values) => values.service().health({ retries: least(values, 1) }),
    health_start_period_ms: (values) => values.service().health({ start_period_ms: least(values, 0) }),
    log_buffer_lines: (values) => values.service().logging({ buffer_lines: least(values, 0) }),
    wait: (values, context) => values.service().wait(context, values.whole(1)),
  }),
  ...all([SERVICE], {
    reset: (values) => values.service().reset(),
    kill_others: (values) => values.service().service({ kill_others: true }),
    to_map: (values) => values.service().toMap(),
    to_string: (values) => values.service().toToml(),
    to_debug: (values) => values.service().toToml(),
    to_toml: (values) => values.service().toToml(),
    to_markdown: (values) => values.service().toMarkdown(),
    build: (values) => values.service(),
    register: (values, context) => values.service().register(context),
    start: (values, context) => values.service().start(context),
  }),
];

function least(values: Values, least: number): number {
  return clamped(values.whole(1), least);
}

const PROXY_METHODS: readonly Entry[] = [
  ...all([PROXY, "text"], {
    name: (values) => values.proxy().with({ name: values.text(1) }),
    listen_tcp: (values) => values.proxy().with({ listen: [`tcp:${values.text(1)}`] }),
    listen_unix: (values) => values.proxy().with({ listen: [`unix:${values.text(1)}`] }),
    add_listen_tcp: (values) => values.proxy().addListen(`tcp:${values.text(1)}`),
    add_listen_unix: (values) => values.proxy().addListen(`unix:${values.text(1)}`),
    backend_tcp: (values) => values.proxy().with({ backend: `tcp:${values.text(1)}` }),
    backend_unix: (values) => values.proxy().with({ backend: `unix:${values.text(1)}` }),
    service: (values) => values.proxy().with({ service: values.text(1) }),
  }),
  ...all([PROXY, "whole"], {
    connect_timeout: (values) => values.proxy().with({ connectTimeout: least(values, 1) }),
    idle_timeout: (values) => values.proxy().with({ idleTimeout: least(values, 0) }),
  }),
  ...all([PROXY, "flag"], { single_connection: (values) => values.proxy().with({ single: values.flag(1) }) }),
  ...all([PROXY], {
    reset: (values) => values.proxy().with({ reset: true }),
    to_map: (values) => values.proxy().config(),
    to_string: (values) => values.proxy().toToml(),
    to_debug: (values) => values.proxy().toToml(),
    to_toml: (values) => values.proxy().toToml(),
    to_markdown: (values) => values.proxy().toMarkdown(),
    register: (values, context) => values.proxy().register(context),
  }),
];

export const LIBRARY: readonly Entry[] = [
  ...all([], {
    zinit: () => new Factory(),
    zinit_service_new: () => new ServiceBuilder(),
    xinet_proxy_new: () => new ProxyBuilder(),
  }),
  ...FACTORY_METHODS,
  ...HANDLE_METHODS,
  ...SERVICE_METHODS,
  ...PROXY_METHODS,
  ...PLAIN.map(({ name, parameters, run }) => ({ name, parameters, run })),
];
