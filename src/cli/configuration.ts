/** The config program: asked, and its mistakes shown. */
import type { ConfigIssue, LoadInput, LoadOutput, SchemaInput } from "../config/contract.ts";
import type { CliHost } from "./host.ts";
import type { Session } from "./session.ts";

/** Without a PATH the config program looks for `oneup.toml` here, then in `/etc/oneup`. */
export function load(host: CliHost, paths: readonly string[]): LoadOutput {
  const input: LoadInput = { paths, cwd: host.cwd, environment: host.environment };
  // The config program of the same executable wrote it, from these types.
  const output: LoadOutput = JSON.parse(host.loadConfig("config", JSON.stringify(input)));
  return output;
}

/** The JSON Schema of the configuration: the config program has it, so that no verb carries it. */
export function schemaText(host: CliHost): string {
  const input: SchemaInput = { schema: true };
  return JSON.stringify(JSON.parse(host.loadConfig("config", JSON.stringify(input))), null, 2);
}

/** `file:line:column: message`, and below it what to do. */
export function complainAbout(session: Session, issues: readonly ConfigIssue[], kind = ""): void {
  for (const { file, line, column, message, hint } of issues) {
    const place = [file, line, column].filter((part) => part !== null).join(":");
    session.complain(`${place}: ${kind}${message}`);
    if (hint !== null) session.complain(`  ${hint}`);
  }
}
