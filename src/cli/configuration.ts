/** The config program's answer, read and shown. */
import { isObject } from "../api/values.ts";
import { type Fields, list, number, object, objects, text, textOrNull } from "./documents.ts";
import type { CliHost } from "./host.ts";
import type { Session } from "./session.ts";

/** One mistake, and where it stands. */
export interface Mistake {
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
  readonly hint: string | null;
}

export interface Reading {
  /** Goes to the brain as it is; `null` if there are errors. */
  readonly config: unknown;
  readonly names: readonly string[];
  readonly errors: readonly Mistake[];
  readonly warnings: readonly Mistake[];
  /** The real path by which a supervisor of this configuration is known. */
  readonly root: string | null;
  readonly listen: { readonly address: string; readonly tokenFile: string } | null;
  readonly consoleFormat: "text" | "json";
}

/** Without a PATH the config program looks for `oneup.toml` here, then in `/etc/oneup`. */
export function load(host: CliHost, paths: readonly string[]): Reading {
  const input = { paths, cwd: host.cwd, environment: host.environment };
  const answer = object(JSON.parse(host.loadConfig(JSON.stringify(input))));
  const supervise = object(answer.supervise);
  return {
    config: answer.ok === true ? answer.config : null,
    names: list(answer, "names"),
    errors: objects(answer.errors).map(mistakeOf),
    warnings: objects(answer.warnings).map(mistakeOf),
    root: textOrNull(answer, "root"),
    listen: listenOf(supervise.listen),
    consoleFormat: supervise.consoleFormat === "json" ? "json" : "text",
  };
}

function listenOf(value: unknown): Reading["listen"] {
  if (!isObject(value)) return null;
  return { address: text(value, "address"), tokenFile: text(value, "tokenFile") };
}

/** The JSON Schema of the configuration, as text: the config program has it, so that no verb carries it. */
export function schemaText(host: CliHost): string {
  const answer = object(JSON.parse(host.loadConfig(JSON.stringify({ schema: true }))));
  return text(answer, "schema");
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
export function complainAbout(session: Session, mistakes: readonly Mistake[], kind = ""): void {
  for (const { file, line, column, message, hint } of mistakes) {
    const place = [file, line, column].filter((part) => part !== null).join(":");
    session.complain(`${place === "" ? "oneup" : place}: ${kind}${message}`);
    if (hint !== null) session.complain(`  ${hint}`);
  }
}
