import type { FileHost, FileStatus, HostError } from "../../../src/cli/host.ts";
import type { ConfigIssue, LoadInput, LoadOutput, LoadSuccess } from "../../../src/config/contract.ts";
import { load } from "../../../src/config/load.ts";
import { absolutePath, folderOf } from "../../../src/config/paths.ts";
import { plainDialect } from "../../../src/dialects/dialect.ts";
import { readZinit } from "../../../src/dialects/zinit/read.ts";

const NOT_FOUND: HostError = { error: "ENOENT", message: "No such file or directory" };

/** A machine of a few files. Folders are where files are; a link leads to another path. */
export class FakeHost implements FileHost {
  readonly files: Map<string, string>;
  readonly links = new Map<string, string>();
  readonly failures = new Map<string, HostError>();
  readonly users = new Set(["root", "www"]);
  readonly groups = new Set(["root", "www", "video", "audio"]);
  readonly reads: string[] = [];
  uid = 0;

  constructor(files: Readonly<Record<string, string>>, cwd = "/proj") {
    this.files = new Map(Object.entries(files).map(([path, text]) => [absolutePath(path, cwd), text]));
  }

  private resolve(path: string): string {
    return this.links.get(path) ?? path;
  }

  private isFolder(path: string): boolean {
    return path === "/" || [...this.files.keys()].some((file) => file.startsWith(`${path}/`));
  }

  readFile(path: string): { readonly text: string } | HostError {
    this.reads.push(path);
    const text = this.files.get(this.resolve(path));
    return this.failures.get(path) ?? (text === undefined ? NOT_FOUND : { text });
  }

  readBytes(path: string): { readonly bytes: string } | HostError {
    const answer = this.readFile(path);
    return "error" in answer ? answer : { bytes: answer.text };
  }

  readFolder(path: string): { readonly names: readonly string[] } | HostError {
    const names = [...this.files.keys()].filter((file) => folderOf(file) === path);
    const failure = this.failures.get(path);
    if (failure) return failure;
    return this.isFolder(path)
      ? { names: names.map((file) => file.slice(path.length + 1)).sort() }
      : NOT_FOUND;
  }

  stat(path: string): FileStatus | HostError {
    const kind = this.files.has(this.resolve(path)) ? "file" : this.isFolder(path) ? "folder" : null;
    return kind ? { kind, size: 0, mode: 0o644, uid: 0 } : NOT_FOUND;
  }

  realPath(path: string): { readonly path: string } | HostError {
    return { path: this.resolve(path) };
  }

  userExists(name: string): boolean {
    return this.users.has(name);
  }

  groupExists(name: string): boolean {
    return this.groups.has(name);
  }

  regexError(pattern: string): string | null {
    try {
      new RegExp(pattern);
      return null;
    } catch {
      return "unclosed group";
    }
  }
}

export type Files = string | Readonly<Record<string, string>>;

export interface Situation extends Partial<LoadInput> {
  readonly host?: (host: FakeHost) => void;
}

/** Text alone is `/proj/oneup.toml`, read from `/proj` without naming it. */
export function read(files: Files, situation: Situation = {}): LoadOutput {
  const { host: prepare, ...input } = situation;
  const host = new FakeHost(typeof files === "string" ? { "oneup.toml": files } : files);
  prepare?.(host);
  const whole = { paths: [], cwd: "/proj", environment: { HOME: "/root", EMPTY: "" }, ...input };
  const output = load(whole, host, { zinit: plainDialect(readZinit) });
  if ("elsewhere" in output) throw new Error("a dialect that is not here");
  return output;
}

export function good(files: Files, situation?: Situation): LoadSuccess {
  const output = read(files, situation);
  if (!output.ok) throw new Error(output.errors.map(show).join("\n"));
  return output;
}

/** The one service of a text, or the one of that name. */
export function spec(files: Files, name?: string, situation?: Situation) {
  const { services } = good(files, situation).config;
  const found = name === undefined ? services[0] : services.find((service) => service.name === name);
  if (!found) throw new Error(`no service ${name}`);
  return found;
}

export function errors(files: Files, situation?: Situation): readonly ConfigIssue[] {
  const output = read(files, situation);
  return output.ok ? [] : output.errors;
}

/** `file:line:column: message (hint)` */
export function show({ file, line, column, message, hint }: ConfigIssue): string {
  const place = line === null ? file : `${file}:${line}:${column}`;
  return `${place}: ${message}${hint === null ? "" : ` (${hint})`}`;
}

export function shown(files: Files, situation?: Situation): string[] {
  return errors(files, situation).map(show);
}

/** `lines` below the header of a service with a command, which therefore start at line 3. */
export function api(...lines: string[]): string {
  return ["[service.api]", 'command = "true"', ...lines, ""].join("\n");
}
