/** The config program's answer, read and shown. */
import { isObject } from "../api/values.ts";
import { type Fields, number, object, objects, text, textOrNull } from "./documents.ts";
import { EXIT, Failure } from "./failure.ts";
import type { CliHost } from "./host.ts";
import { absolute } from "./locate.ts";
import type { Session } from "./session.ts";

/** One mistake, and where it stands. */
export interface Mistake {
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
  readonly hint: string | null;
}

export interface Loaded {
  /** Goes to the brain as it is. */
  readonly config: unknown;
  readonly names: readonly string[];
  readonly supervisor: Fields;
}

export type Reading = Loaded | { readonly mistakes: readonly Mistake[] };

/** Without a PATH: the folder's own configuration, else the system's. */
export function pathsOrDefault(host: CliHost, paths: readonly string[]): readonly string[] {
  if (paths.length > 0) return paths;
  const found = ["oneup.toml", "/etc/oneup"].find(
    (path) => !("error" in host.stat(absolute(host.cwd, path))),
  );
  if (found !== undefined) return [found];
  throw new Failure(
    EXIT.usage,
    "nothing to supervise: neither ./oneup.toml nor /etc/oneup/ exists",
    "name a file or a folder: oneup run PATH, or run one command: oneup -- CMD",
  );
}

export function load(host: CliHost, paths: readonly string[]): Reading {
  const input = JSON.stringify({ paths, cwd: host.cwd, environment: host.environment });
  const answer: unknown = JSON.parse(host.loadConfig(input));
  const fields = object(answer);
  if (fields.ok !== true) return { mistakes: objects(fields.errors).map(mistakeOf) };
  const services = objects(object(fields.config).services);
  return {
    config: fields.config,
    names: services.map((service) => text(service, "name")),
    supervisor: isObject(fields.supervisor) ? fields.supervisor : {},
  };
}

/** The JSON Schema of the configuration, as text. */
export function schemaText(host: CliHost): string {
  const answer: unknown = JSON.parse(host.loadConfig(JSON.stringify({ schema: true })));
  return JSON.stringify(object(answer).schema, null, 2);
}

function mistakeOf(fields: Fields): Mistake {
  return {
    file: textOrNull(fields, "file"),
    line: number(fields, "line"),
    column: number(fields, "column"),
    message: text(fields, "message"),
    hint: textOrNull(fields, "hint"),
  };
}

/** `file:line:column: message`, and below it what to do. */
export function complainAbout(session: Session, mistakes: readonly Mistake[]): void {
  for (const { file, line, column, message, hint } of mistakes) {
    const place = [file, line, column].filter((part) => part !== null).join(":");
    session.complain(place === "" ? `oneup: ${message}` : `${place}: ${message}`);
    if (hint !== null) session.complain(`  ${hint}`);
  }
}
