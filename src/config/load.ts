/** The whole way from PATHs to a configuration, or to everything that is wrong with it. */
import type { FileHost } from "../cli/host.ts";
import type { Definition, Dialect, ReadContext, Reading } from "../dialects/dialect.ts";
import { foreignFormat, foreignText } from "../dialects/foreign.ts";
import { readNative } from "../dialects/native/read.ts";
import { SUPERVISOR_DEFAULTS } from "../model/defaults.ts";
import type { Node } from "../model/node.ts";
import { lookup } from "../model/objects.ts";
import type { SupervisorSettings } from "../model/spec.ts";
import type { ConfigIssue, Elsewhere, Loaded, LoadInput, LoadOutput } from "./contract.ts";
import { readDocument } from "./document.ts";
import { readSources, type SourceFile, type Sources } from "./files.ts";
import { checkGraph } from "./graph.ts";
import { Issues, showPlace, sortIssues } from "./issues.ts";
import { Zones } from "./zones.ts";

/** Dialects beside the native one, as `foreignFormat` calls them. */
export type Dialects = Readonly<Record<string, Dialect>>;

export function load(input: LoadInput, host: FileHost, dialects: Dialects): LoadOutput | Elsewhere {
  const issues = new Issues();
  const extra = new Issues();
  const sources = readSources(input, host, issues);
  const zones = new Zones(host, input.environment);
  const means: Means = { host, issues, warnings: extra, zones };
  const readings: Reading[] = [];
  for (const file of sources.files) {
    const reading = readFile(file, input, dialects, means);
    if (reading === "elsewhere") return { elsewhere: true };
    if (reading !== null) readings.push(reading);
  }
  let definitions: readonly Definition[] = readings.flatMap((reading) => reading.definitions);
  for (const dialect of Object.values(dialects))
    definitions = dialect.tie?.(definitions, means) ?? definitions;
  checkGraph(definitions, issues);
  const settings = mergeSettings(readings, issues);
  if (definitions.every(({ kind }) => kind === "target") && issues.list.length === 0)
    reportNothing(sources, issues);

  const loaded: Loaded = {
    names: [...new Set(definitions.map(({ name }) => name))],
    definitions: definitions.map(({ name, kind }) => ({ name, kind })),
    sources: sources.files.map(({ shown }) => shown),
    root: sources.root,
    warnings: [...warnings(sources), ...extra.list],
  };
  if (issues.list.length > 0) return { ok: false, errors: finish(issues, loaded.sources), ...loaded };
  return { ok: true, ...loaded, ...result(definitions, settings, zones) };
}

type Means = Pick<ReadContext, "host" | "issues" | "warnings" | "zones">;

function readFile(
  file: SourceFile,
  input: LoadInput,
  dialects: Dialects,
  means: Means,
): Reading | "elsewhere" | null {
  const { issues } = means;
  const problems = new Issues();
  const tree = readDocument(file.shown, file.text, problems);
  const { cwd, environment } = input;
  const { shown, path, folder, text } = file;
  const context = { file: shown, path, folder, text, cwd, environment, ...means };
  const foreign = tree ? foreignFormat(tree.root) : foreignText(text);
  if (tree === null && foreign === null) issues.list.push(...problems.list);
  if (foreign === null) {
    if (tree === null) return null;
    tree.expand(environment);
    issues.list.push(...problems.list);
    return readNative(tree.root, context);
  }
  // Who reads this file at all is `config-all`, which has every dialect.
  const reader = lookup(dialects, foreign);
  return reader === undefined ? "elsewhere" : reader.read(tree?.root ?? null, context);
}

/** `[supervisor]` of all files; each setting can be made once. */
function mergeSettings(readings: readonly Reading[], issues: Issues): SupervisorSettings {
  const nodes = new Map<string, Node>();
  for (const { key, node } of readings.flatMap((reading) => reading.settings)) {
    const first = nodes.get(key);
    if (first)
      issues.at(
        node.keyPlace,
        `"supervisor.${key}" is defined twice, first at ${showPlace(first.keyPlace)}`,
        "remove one of them",
      );
    else nodes.set(key, node);
  }
  const settings: SupervisorSettings = Object.assign(
    {},
    SUPERVISOR_DEFAULTS,
    ...readings.map((one) => one.supervisor),
  );
  const listen = nodes.get("api-listen");
  if (listen && settings.apiListen !== "" && settings.apiTokenFile === "") {
    issues.at(
      listen.keyPlace,
      "api-listen needs api-token-file: no TCP without a token",
      'write api-token-file = "…" beside it',
    );
  }
  return settings;
}

function reportNothing(sources: Sources, issues: Issues): void {
  const [first] = sources.files;
  if (!first) return;
  issues.inFile(
    first.shown,
    "nothing to run: no service is defined",
    'write [service.NAME] and command = "…" below it',
  );
}

/** In a folder, an `oneup.toml` stands alone; whoever put services beside it should know. */
function warnings(sources: Sources): ConfigIssue[] {
  return sources.beside
    .filter(({ text }) => /^\s*\[(?:service|task|target|supervisor)[.\]]/m.test(text))
    .map(({ shown }) => ({
      file: shown,
      line: null,
      column: null,
      message: "not read, because there is an oneup.toml in its folder",
      hint: "name it as a PATH too, or move it into a folder of its own",
    }));
}

/** In reading order, each once (a file that two services share is read twice). */
function finish(issues: Issues, files: readonly string[]): ConfigIssue[] {
  const unique = new Map(issues.list.map((issue) => [JSON.stringify(issue), issue]));
  return sortIssues([...unique.values()], files);
}

function result(definitions: readonly Definition[], settings: SupervisorSettings, { used }: Zones) {
  const { shutdownTimeoutMs, startConcurrency, restartBudget, leaveWhenDone, failedExitCode } = settings;
  const { apiListen, apiTokenFile, logFormat } = settings;
  const listen = apiListen === "" ? null : { address: apiListen, tokenFile: apiTokenFile };
  return {
    config: {
      services: definitions.map(({ spec }) => spec),
      supervisor: {
        shutdownTimeoutMs,
        ...(startConcurrency > 0 ? { startConcurrency } : {}),
        ...(restartBudget.restarts > 0 ? { restartBudget } : {}),
        ...(leaveWhenDone ? { leaveWhenDone } : {}),
        ...(failedExitCode === null ? {} : { failedExitCode }),
        single: false,
      },
      ...(Object.keys(used).length > 0 ? { zones: used } : {}),
    },
    supervise: { listen, consoleFormat: logFormat },
  };
}
