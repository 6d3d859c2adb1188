/**
 * The config program: an engine of its own runs it once and drops it with all its memory. The
 * host provides the global `host` and calls the global `loadConfig`.
 */
import type { EditHost } from "../cli/host.ts";
import { CONFIG_SCHEMA } from "../generated/config-schema.ts";
import type {
  Elsewhere,
  HorustLoadInput,
  HorustLoadOutput,
  LoadInput,
  LoadOutput,
  SchemaInput,
  SupervisorsInput,
  SupervisorsOutput,
  ZinitInput,
  ZinitOutput,
} from "./contract.ts";
import { type Dialects, load } from "./load.ts";

declare global {
  var host: EditHost;
  var loadConfig: (input: string) => string;
}

/** What a config program can do beside the native dialect. */
export interface Abilities {
  readonly dialects: Dialects;
  readonly horust?: (input: HorustLoadInput, host: EditHost) => HorustLoadOutput;
  readonly supervisors?: (input: SupervisorsInput, host: EditHost) => SupervisorsOutput;
  readonly zinit?: (input: ZinitInput, host: EditHost) => ZinitOutput;
}

type Asked = LoadInput | SchemaInput | HorustLoadInput | SupervisorsInput | ZinitInput;

export function serve(abilities: Abilities): void {
  globalThis.loadConfig = (text) => {
    const input: Asked = JSON.parse(text);
    if ("schema" in input) return CONFIG_SCHEMA;
    return JSON.stringify(answer(input, abilities));
  };
}

function answer(input: Exclude<Asked, SchemaInput>, abilities: Abilities): unknown {
  const { dialects, horust, supervisors, zinit } = abilities;
  if ("horust" in input) return known(horust)(input, globalThis.host);
  if ("supervisors" in input) return known(supervisors)(input, globalThis.host);
  if ("zinit" in input) return known(zinit)(input, globalThis.host);
  return loadSafely(input, dialects);
}

function known<Ability>(ability: Ability | undefined): Ability {
  if (ability === undefined) throw new Error("this config program knows only the native dialect");
  return ability;
}

/** Input so strange that the reader itself fails (nested without end, say) is still an answer. */
function loadSafely(input: LoadInput, dialects: Dialects): LoadOutput | Elsewhere {
  try {
    return load(input, globalThis.host, dialects);
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    const issue = { file: input.paths[0] ?? "oneup.toml", line: null, column: null, message, hint: null };
    return { ok: false, errors: [issue], names: [], definitions: [], sources: [], root: null, warnings: [] };
  }
}
