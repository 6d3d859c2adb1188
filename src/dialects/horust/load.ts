/** From the paths of a command line to all services, and to all that is wrong with them. */
import type { FileHost, HostError } from "../../cli/host.ts";
import type { HorustLoadInput, HorustLoadOutput, HorustTrouble } from "../../config/contract.ts";
import { type ConfigIssue, Issues } from "../../config/issues.ts";
import { absolutePath, joinPath } from "../../config/paths.ts";
import type { Reports } from "./decode.ts";
import { plainService } from "./document.ts";
import { type Found, readServiceFile } from "./file.ts";
import { checkAll, tiesOf } from "./graph.ts";
import { specOf } from "./spec.ts";
import { surroundingsOf } from "./surroundings.ts";

type Host = FileHost & { readonly uid: number };

export function loadHorust(input: HorustLoadInput, host: Host): HorustLoadOutput {
  const surroundings = surroundingsOf({ host, inherit: true, ...input });
  if (input.command !== undefined) {
    const { name, words, line } = input.command;
    const spec = specOf(plainService(name, line), NO_TIES, surroundings, words);
    return { services: [spec], troubles: [], refused: [] };
  }
  const loader = new Loader(input, host);
  for (const path of input.paths) loader.add(path);
  if (loader.unreadable.length > 0) return { services: [], troubles: [], refused: loader.unreadable };
  const ties = tiesOf(loader.found.map(({ service }) => service));
  const reports: Reports = { issues: new Issues(), warnings: new Issues() };
  checkAll(loader.found, reports);
  loader.take("warn", reports.warnings);
  for (const { service, file, root } of loader.found) {
    for (const name of service.environment.reExport) {
      if (Object.hasOwn(input.environment, name)) continue;
      const place = (root.get("environment")?.get("re-export") ?? root).place;
      loader.tell("error", {
        ...place,
        file,
        message: `re-export: the variable "${name}" is not set`,
        hint: null,
      });
    }
  }
  return {
    services: loader.found.map(({ service }) => specOf(service, ties(service), surroundings)),
    troubles: loader.troubles,
    refused: reports.issues.list.map(issueText),
  };
}

const NO_TIES = { failWith: [], stopsBefore: [] };

class Loader {
  readonly found: Found[] = [];
  readonly troubles: HorustTrouble[] = [];
  /** Paths that cannot be read at all. */
  readonly unreadable: string[] = [];
  readonly #input: HorustLoadInput;
  readonly #host: Host;
  readonly #seen = new Set<string>();

  constructor(input: HorustLoadInput, host: Host) {
    this.#input = input;
    this.#host = host;
  }

  add(path: string): void {
    const absolute = absolutePath(path, this.#input.cwd);
    const status = this.#host.stat(absolute);
    if ("error" in status) this.#fail(path, status);
    else if (status.kind !== "folder") {
      if (isServiceFile(path)) this.#read(path);
      else this.troubles.push({ level: "warn", text: `${path} is passed over: it does not end with .toml` });
    } else this.#addFolder(path);
  }

  /** In the order of their names. */
  #addFolder(path: string): void {
    const listing = this.#host.readFolder(absolutePath(path, this.#input.cwd));
    if ("error" in listing) {
      this.#fail(path, listing);
      return;
    }
    const files = listing.names.filter(isServiceFile).map((name) => joinPath(path, name));
    const before = this.found.length;
    for (const file of files.sort()) {
      const status = this.#host.stat(absolutePath(file, this.#input.cwd));
      if ("kind" in status && status.kind === "file") this.#read(file);
    }
    if (this.found.length === before) {
      this.troubles.push({ level: "error", text: `no service could be read from ${path}` });
    }
  }

  /** The same file by two paths is one. */
  #read(file: string): void {
    const absolute = absolutePath(file, this.#input.cwd);
    const real = this.#host.realPath(absolute);
    const key = "path" in real ? real.path : absolute;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const answer = this.#host.readFile(absolute);
    if ("error" in answer) {
      this.troubles.push({ level: "error", text: `skipping ${file}: ${answer.message}` });
      return;
    }
    const reports: Reports = { issues: new Issues(), warnings: new Issues() };
    const found = readServiceFile({ file, text: answer.text }, this.#input.environment, reports);
    this.take("warn", reports.warnings);
    if (found !== null) this.found.push(found);
    else {
      for (const issue of reports.issues.list) {
        this.troubles.push({ level: "error", text: `skipping ${file}: ${issueText(issue)}` });
      }
    }
  }

  take(level: HorustTrouble["level"], { list }: Issues): void {
    for (const issue of list) this.tell(level, issue);
  }

  tell(level: HorustTrouble["level"], issue: ConfigIssue): void {
    this.troubles.push({ level, text: issueText(issue) });
  }

  #fail(path: string, { message }: HostError): void {
    this.unreadable.push(`Failed loading services from ${path}: ${message}`);
  }
}

/** Whatever its extension ends with: `x.toml`, `x.mytoml`. */
function isServiceFile(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return /^.+\.[^.]*toml$/.test(name);
}

/** `file:line:column: message (hint)` */
function issueText({ file, line, column, message, hint }: ConfigIssue): string {
  const place = line === null ? file : `${file}:${line}:${column}`;
  return `${place}: ${message}${hint === null ? "" : ` (${hint})`}`;
}
