/** From the PATHs of the command line to the texts of the files. */
import type { FileHost, HostError } from "../cli/host.ts";
import { lookup } from "../model/objects.ts";
import type { LoadInput } from "./contract.ts";
import type { Issues } from "./issues.ts";
import { absolutePath, folderOf, joinPath } from "./paths.ts";

export interface SourceFile {
  /** As it is shown. */
  readonly shown: string;
  /** The same, absolute. */
  readonly path: string;
  /** Absolute folder: relative paths in the file start here. */
  readonly folder: string;
  readonly text: string;
}

export interface Sources {
  readonly files: readonly SourceFile[];
  readonly root: string | null;
  /** Files beside an `oneup.toml` that may have been meant. */
  readonly beside: readonly SourceFile[];
}

const PROJECT_FILE = "oneup.toml";
const SYSTEM_FOLDER = "/etc/oneup";
/** What is run by another program than this one. */
const SCRIPTS: Readonly<Record<string, string>> = { lua: "luavisors" };
const FOREIGN: Readonly<Record<string, string>> = {
  yaml: "YAML files are",
  yml: "YAML files are",
  json: "JSON files are",
  ini: "INI files are",
};

export function readSources(input: LoadInput, host: FileHost, issues: Issues): Sources {
  return new Collector(input.cwd, host, issues).collect(input.paths);
}

class Collector {
  private readonly cwd: string;
  private readonly host: FileHost;
  private readonly issues: Issues;
  private readonly files: SourceFile[] = [];
  private readonly beside: SourceFile[] = [];
  private readonly seen = new Set<string>();
  private root: string | null = null;

  constructor(cwd: string, host: FileHost, issues: Issues) {
    this.cwd = cwd;
    this.host = host;
    this.issues = issues;
  }

  collect(paths: readonly string[]): Sources {
    const wanted = paths.length > 0 ? paths : this.standard();
    for (const path of wanted) this.add(path);
    return { files: this.files, root: this.root, beside: this.beside };
  }

  private standard(): readonly string[] {
    for (const path of [PROJECT_FILE, SYSTEM_FOLDER]) {
      const status = this.host.stat(this.absolute(path));
      // One that is there but cannot be read is not passed over in silence.
      if (!("error" in status) || (status.error !== "ENOENT" && status.error !== "ENOTDIR")) return [path];
    }
    const message = `no configuration: neither ${PROJECT_FILE} here nor ${SYSTEM_FOLDER} exists`;
    this.issues.inFile(
      PROJECT_FILE,
      message,
      `write ${PROJECT_FILE} with [service.NAME] and command = "…", or name a file`,
    );
    return [];
  }

  private add(path: string): void {
    const status = this.host.stat(this.absolute(path));
    if ("error" in status) this.failed(path, status);
    else if (status.kind === "folder") this.addFolder(path);
    else if (status.kind === "socket") this.issues.inFile(path, "a socket, not a configuration file");
    else this.addFile(path);
  }

  private addFolder(path: string): void {
    const listing = this.host.readFolder(this.absolute(path));
    if ("error" in listing) {
      this.failed(path, listing);
      return;
    }
    const names = listing.names.filter((name) => name.endsWith(".toml") && !name.startsWith(".")).sort();
    if (names.includes(PROJECT_FILE)) {
      this.addFile(joinPath(path, PROJECT_FILE));
      const others = names.filter((name) => name !== PROJECT_FILE);
      for (const name of others) this.read(joinPath(path, name), this.beside, () => undefined);
      return;
    }
    this.setRoot(path);
    for (const name of names) this.addFile(joinPath(path, name));
    if (names.length > 0) return;
    const foreign = listing.names.find(isForeign);
    if (foreign !== undefined) this.refuse(joinPath(path, foreign));
    else
      this.issues.inFile(
        path,
        "no .toml file in this folder",
        `write ${PROJECT_FILE} in it, with [service.NAME]`,
      );
  }

  private addFile(path: string): void {
    if (isForeign(path)) {
      this.refuse(path);
      return;
    }
    const real = this.setRoot(path);
    if (this.seen.has(real)) return;
    this.seen.add(real);
    this.read(path, this.files, (error) => this.failed(path, error));
  }

  private read(path: string, into: SourceFile[], fail: (error: HostError) => void): void {
    const absolute = this.absolute(path);
    const answer = this.host.readFile(absolute);
    if ("error" in answer) fail(answer);
    else into.push({ shown: path, path: absolute, folder: folderOf(absolute), text: answer.text });
  }

  /** The first path that is read is the one the supervisor is known by. */
  private setRoot(path: string): string {
    const absolute = this.absolute(path);
    const answer = this.host.realPath(absolute);
    const real = "error" in answer ? absolute : answer.path;
    this.root ??= real;
    return real;
  }

  private refuse(path: string): void {
    const program = lookup(SCRIPTS, extension(path));
    if (program !== undefined) {
      this.issues.inFile(path, "a script, not a configuration", `run it: oneup as ${program} ${path}`);
      return;
    }
    const what = lookup(FOREIGN, extension(path)) ?? "this format is";
    this.issues.inFile(path, `${what} not supported yet`, "write the services in TOML, as [service.NAME]");
  }

  private failed(path: string, { error, message }: HostError): void {
    if (error === "ENOENT") this.issues.inFile(path, "no such file or folder", "check the path");
    else this.issues.inFile(path, `cannot be read: ${message} (${error})`);
  }

  private absolute(path: string): string {
    return absolutePath(path, this.cwd);
  }
}

function extension(path: string): string {
  return /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
}

function isForeign(path: string): boolean {
  const kind = extension(path);
  return lookup(FOREIGN, kind) !== undefined || lookup(SCRIPTS, kind) !== undefined;
}
