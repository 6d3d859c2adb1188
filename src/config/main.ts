/**
 * The config program: an engine of its own runs it once and drops it with all its memory. The
 * host provides the global `host` and calls the global `loadConfig`.
 */
import type { FileHost } from "../cli/host.ts";
import { CONFIG_SCHEMA } from "../generated/config-schema.ts";
import type { LoadInput, LoadOutput, SchemaInput } from "./contract.ts";
import { load } from "./load.ts";

declare global {
  var host: FileHost;
  var loadConfig: (input: string) => string;
}

globalThis.loadConfig = (text) => {
  const input: LoadInput | SchemaInput = JSON.parse(text);
  return "schema" in input ? CONFIG_SCHEMA : JSON.stringify(loadSafely(input));
};

/** Input so strange that the reader itself fails (nested without end, say) is still an answer. */
function loadSafely(input: LoadInput): LoadOutput {
  try {
    return load(input, globalThis.host);
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    const issue = { file: input.paths[0] ?? "oneup.toml", line: null, column: null, message, hint: null };
    return { ok: false, errors: [issue], names: [], definitions: [], sources: [], root: null, warnings: [] };
  }
}
