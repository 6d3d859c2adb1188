/** From the fields as they were read to the spec: what needs the machine or more than one field. */

import { parseDotenv } from "../../config/dotenv.ts";
import { absolutePath, folderOf, joinPath } from "../../config/paths.ts";
import { commandWords } from "../../model/commands.ts";
import {
  DEFAULTS,
  GUARD_DEFAULTS,
  HOOK_TIMEOUT_MS,
  MAIN_DEFAULTS,
  TASK_DEFAULTS,
} from "../../model/defaults.ts";
import type { Node } from "../../model/node.ts";
import type { serviceFields, taskFields } from "../../model/schema.ts";
import type {
  GuardSpec,
  HookName,
  HookSpec,
  HookSpecs,
  Kind,
  Requirement,
  ServiceSpec,
  SparseSpec,
} from "../../model/spec.ts";
import type { ReadContext } from "../dialect.ts";
import { type Draft, sparse } from "../sparse.ts";
import { checkHealthCondition, checkWatchdog, readConditions, readHealth } from "./probes.ts";
import { readSchedule } from "./schedule.ts";
import type { Read } from "./table.ts";

interface Source {
  readonly kind: Kind;
  readonly name: string;
  readonly table: Node;
}

type ReadFields = Read<typeof serviceFields> & Pick<Read<typeof taskFields>, "schedule">;

export function makeSpec(source: Source, read: ReadFields, context: ReadContext): SparseSpec {
  const {
    command,
    shell,
    ready,
    health,
    hooks,
    guard,
    stop,
    log,
    schedule,
    "environment-file": files,
    ...same
  } = read;
  const draft: Draft = { kind: source.kind, ...same };
  if (read.requires) draft.requires = stricterOf(read.requires);
  if (read.after) draft.after = lastOf(read.after);
  if (read.conflicts) draft.conflicts = lastOf(read.conflicts);
  if (source.kind !== "target") {
    draft.argv = readCommand(source, read, context);
    draft.directory =
      read.directory === undefined ? context.folder : absolutePath(read.directory, context.folder);
    const environment = readEnvironment(source, read, context);
    if (environment) draft.environment = environment;
    checkPeople(source, read, context);
    readDelays(source, read, draft, context);
    if (read.stdout) draft.stdout = absoluteFile(read.stdout, context);
    if (read.stderr) draft.stderr = absoluteFile(read.stderr, context);
    if (read.failWith) draft.failWith = [...new Set(read.failWith)];
  }
  readProbes(source, read, draft, context);
  if (schedule) {
    draft.schedule = readSchedule(source.table, schedule, context);
    draft.autostart = schedule.atStart ?? false;
  }
  if (hooks) draft.hooks = readHooks(source, hooks, context);
  if (guard) draft.guard = readGuard(source, guard, context);
  if (stop) {
    const { command: stopCommand, ...rest } = stop;
    draft.stop = { ...DEFAULTS.stop, ...rest };
    if (stopCommand) draft.stopCommand = stopCommand;
  }
  if (log) {
    const file = log.file === undefined ? null : absolutePath(log.file, context.folder);
    draft.log = { ...DEFAULTS.log, ...log, file };
    checkSplit(source, log, context);
  }
  const standard = {
    ...(source.kind === "task" ? TASK_DEFAULTS : {}),
    ...(read.main ? MAIN_DEFAULTS : {}),
  };
  return sparse(source.name, { ...standard, ...draft });
}

/** A name twice is once; the stricter of the two counts. */
function stricterOf(list: ServiceSpec["requires"]): ServiceSpec["requires"] {
  const byName = new Map<string, Requirement>();
  for (const { name, bind, start } of list) {
    const former = byName.get(name) ?? { name, bind: false, start: false };
    byName.set(name, { name, bind: bind || former.bind, start: start || former.start });
  }
  return [...byName.values()];
}

/** A name twice is once, as it was written last. */
function lastOf<Item extends { readonly name: string }>(list: readonly Item[]): readonly Item[] {
  return [...new Map(list.map((item) => [item.name, item])).values()];
}

function readGuard(
  source: Source,
  given: NonNullable<ReadFields["guard"]>,
  { issues }: ReadContext,
): GuardSpec {
  const table = source.table.get("guard");
  if (table && table.get("ports") === undefined && table.get("processes") === undefined) {
    const hint = 'write ports = [80] or processes = ["nginx"], or remove "guard"';
    issues.at(table.place, "guard: neither ports nor processes in it", hint);
  }
  return { ...GUARD_DEFAULTS, ...given };
}

function absoluteFile<T extends ServiceSpec["stdout" | "stderr"]>(output: T, { folder }: ReadContext): T {
  return output.type === "file" ? { ...output, path: absolutePath(output.path, folder) } : output;
}

/** Pieces of a log: what would have no effect with them, or without. */
function checkSplit(source: Source, log: NonNullable<ReadFields["log"]>, { issues }: ReadContext): void {
  const table = source.table.get("log");
  const complain = (key: string, message: string, hint: string) => {
    const place = table?.get(key)?.place ?? source.table.keyPlace;
    issues.at(place, `log.${key}: ${message}`, hint);
  };
  if (log.split !== true) {
    if (log.stamp === true) complain("stamp", "goes with split", "write split = true, or remove it");
    return;
  }
  if (log.file === undefined) complain("split", "there is no file to split", 'write file = "…" beside it');
  if (log.maxSize === 0) complain("max-size", "pieces of no size", 'write a size such as "10MiB"');
  if (log.keep !== undefined) complain("keep", "split deletes nothing", "remove it, or split");
  if (log.format === "json") {
    complain("format", "split cuts bytes, not records", 'write format = "text", or remove split');
  }
}

/** How a value may be shown: never what came out of a variable. */
function show(node: Node | undefined, value: string): string {
  return node?.expanded ? node.raw : `"${value}"`;
}

function readCommand(source: Source, read: ReadFields, context: ReadContext): readonly string[] {
  const node = source.table.get("command");
  const { command, shell } = read;
  if (!node) {
    const hint = 'write command = "program argument …" below it';
    context.issues.at(source.table.keyPlace, `${source.kind} "${source.name}" has no command`, hint);
    return [];
  }
  if (command === undefined) return [];
  if (typeof command !== "string") {
    if (shell)
      context.issues.at(node.place, "command: with shell = true it is one string", "write it as one string");
    else if (!command[0])
      context.issues.at(node.place, "command: the program's name is empty", "write the program first");
    return command;
  }
  if (shell) {
    if (command.trim() === "")
      context.issues.at(node.place, "command: an empty command", "write what the shell is to run");
    return ["/bin/sh", "-c", command];
  }
  const words = commandWords(command, "write shell = true");
  if ("value" in words) return words.value;
  const exact = words.offset === undefined || node.expanded ? node.place : node.placeOf(words.offset);
  context.issues.at(exact, `command: ${words.message}`, words.hint);
  return [];
}

function checkPeople(source: Source, read: ReadFields, { host, issues }: ReadContext): void {
  const unknown = (node: Node | undefined, what: "user" | "group", name: string) => {
    if (/^[0-9]+$/.test(name) || (what === "user" ? host.userExists(name) : host.groupExists(name))) return;
    const database = what === "user" ? "/etc/passwd" : "/etc/group";
    const hint = `add it to ${database}, or write a number, which needs no entry`;
    issues.at(node?.place ?? source.table.keyPlace, `${what}: unknown ${what} ${show(node, name)}`, hint);
  };
  if (read.user !== undefined) unknown(source.table.get("user"), "user", read.user);
  if (read.group !== undefined) unknown(source.table.get("group"), "group", read.group);
  const list = source.table.get("groups");
  for (const [index, name] of (read.groups ?? []).entries()) {
    unknown(list?.items()[index], "group", name);
  }
}

function readEnvironment(
  source: Source,
  read: ReadFields,
  context: ReadContext,
): Record<string, string> | null {
  const files = read["environment-file"];
  if (!files && !read.environment) return null;
  const list = source.table.get("environment-file");
  const environment: Record<string, string> = Object.create(null);
  for (const [index, path] of (files ?? []).entries()) {
    const node = list?.items()[index];
    Object.assign(environment, readEnvironmentFile(path, node, source, context));
  }
  return Object.assign(environment, read.environment);
}

function readEnvironmentFile(
  path: string,
  node: Node | undefined,
  source: Source,
  { host, issues, folder, file }: ReadContext,
): Readonly<Record<string, string>> {
  const optional = path.startsWith("?");
  const written = optional ? path.slice(1) : path;
  const answer = host.readFile(absolutePath(written, folder));
  if ("error" in answer) {
    if (optional && (answer.error === "ENOENT" || answer.error === "ENOTDIR")) return {};
    const missing = answer.error === "ENOENT";
    const message = `environment-file: ${missing ? "no such file:" : `${answer.message}:`} ${show(node, written)}`;
    const hint = missing
      ? 'make it, or put "?" in front of its name if it may be missing'
      : "make it readable";
    issues.at(node?.place ?? source.table.keyPlace, message, hint);
    return {};
  }
  const { values, problems } = parseDotenv(answer.text);
  const shown = written.startsWith("/") ? written : joinPath(folderOf(file), written);
  for (const problem of problems) {
    issues.at({ file: shown, line: problem.line, column: problem.column }, problem.message, problem.hint);
  }
  return values;
}

/** What `ready`, `health` and `watchdog` come to. */
function readProbes(source: Source, read: ReadFields, draft: Draft, context: ReadContext): void {
  const node = (key: string) => source.table.get(key) ?? source.table;
  if (read.ready) {
    draft.ready = readConditions(read.ready, node("ready"), context);
    if (read.ready.initialDelayMs !== undefined) draft.readyDelayMs = read.ready.initialDelayMs;
  }
  if (read.health) draft.health = readHealth(read.health, node("health"), context);
  checkHealthCondition(source.table, context);
  if (read.watchdogMs !== undefined) {
    checkWatchdog(read.watchdogMs, node("watchdog"), draft.ready ?? [], context);
  }
}

function readHooks(
  source: Source,
  { timeoutMs, ...given }: NonNullable<ReadFields["hooks"]>,
  { issues }: ReadContext,
): HookSpecs | null {
  const table = source.table.get("hooks");
  const written = table?.entries() ?? [];
  if (table && !written.some(([key]) => key !== "timeout")) {
    const hint = 'write one, such as hooks = { before-start = "…" }, or remove "hooks"';
    issues.at(table.place, "hooks: no hook in it", hint);
  }
  for (const [key, node] of written) {
    const own = key === "timeout" ? node : node.get("timeout");
    const isZero =
      key === "timeout"
        ? timeoutMs === 0
        : HOOKS.some(([hook, to]) => hook === key && given[to]?.timeoutMs === 0);
    if (own && isZero) issues.at(own.place, "hooks: a hook needs time", 'write a duration such as "30s"');
  }
  const hooks: { [K in HookName]?: HookSpec } = {};
  for (const [hook, to] of HOOKS) {
    const side = given[to];
    if (side) hooks[hook] = { argv: side.argv, timeoutMs: side.timeoutMs ?? timeoutMs ?? HOOK_TIMEOUT_MS };
  }
  return Object.keys(hooks).length === 0 ? null : hooks;
}

const HOOKS = [
  ["before-start", "beforeStart"],
  ["after-start", "afterStart"],
  ["before-stop", "beforeStop"],
  ["after-exit", "afterExit"],
] as const;

/** A first delay beyond the standard maximum raises it; beyond one that was written it is an error. */
function readDelays(source: Source, read: ReadFields, draft: Draft, { issues }: ReadContext): void {
  const { restartDelayMs: first, restartDelayMaxMs: most } = read;
  if (first === undefined) return;
  if (most === undefined) {
    if (first > DEFAULTS.restartDelayMaxMs) draft.restartDelayMaxMs = first;
  } else if (first > most) {
    const node = source.table.get("restart-delay-max");
    issues.at(
      node?.place ?? source.table.keyPlace,
      "restart-delay-max: less than restart-delay",
      "raise it, or lower restart-delay",
    );
  }
}
