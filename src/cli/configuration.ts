/** The config program: asked, and its mistakes shown. */
import type { ConfigIssue, Elsewhere, LoadInput, LoadOutput, SchemaInput } from "../config/contract.ts";
import type { CliHost } from "./host.ts";
import type { Session } from "./session.ts";

/** Without a PATH the config program looks for `oneup.toml` here, then in `/etc/oneup`. */
export function load(host: CliHost, paths: readonly string[]): LoadOutput {
  const input: LoadInput = { paths, cwd: host.cwd, environment: host.environment };
  const ask = (program: "config" | "config-all"): LoadOutput | Elsewhere =>
    // The config program of the same executable wrote it, from these types.
    JSON.parse(host.loadConfig(program, JSON.stringify(input)));
  // Mostly there are native files only, and the program that knows no others is the faster one.
  const output = ask("config");
  const whole = "elsewhere" in output ? ask("config-all") : output;
  if ("elsewhere" in whole) throw new Error("config-all does not know a dialect");
  return whole;
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
