/** The changes that a running server makes to zinit's files: a service set, services deleted. */
import type { EditHost } from "../../cli/host.ts";
import type {
  ZinitDeleteInput,
  ZinitDeleteOutput,
  ZinitFailure,
  ZinitPlaces,
  ZinitReadInput,
  ZinitReadOutput,
  ZinitSetInput,
  ZinitSetOutput,
} from "../../config/contract.ts";
import { cycleThrough } from "../../config/cycles.ts";
import { joinPath } from "../../config/paths.ts";
import { didYouMean } from "../../model/suggest.ts";
import { missingProgram } from "./command.ts";
import { cycleText } from "./cycles.ts";
import { decodeService, type Unknown } from "./decode.ts";
import { nameOf, type ServiceDocument, waitsFor } from "./document.ts";
import { readDefinition, shapeText, tomlFiles } from "./folder.ts";
import { remarks } from "./remarks.ts";
import { specOf } from "./spec.ts";
import { parseToml, syntaxText, writeToml } from "./toml.ts";
import { validate } from "./validate.ts";

/** As zinit's clients know them. */
const CODES = {
  shape: -32602,
  internal: -32603,
  invalid: -32011,
  dependency: -32012,
  executable: -32013,
  persist: -32014,
} as const;

/** Permissions of a new file, less the umask. A file that is there keeps its own. */
const NEW_FILE_MODE = 0o644;

// ---- set

export function setService(input: ZinitSetInput, host: EditHost): ZinitSetOutput {
  const decoded = decodeService(definitionIn(input.params));
  if (!("document" in decoded)) return failure("shape", decoded.message);
  const problem = problemOf(decoded.document, input, host);
  if (problem !== null) return problem;

  const warnings = [...decoded.unknown.map(unknownText), ...remarksOn(decoded.document, input)];
  const placed = input.persist ? place(decoded.document, input, host, warnings) : null;
  const document = placed === null ? decoded.document : placed.document;
  if (placed !== null) {
    const written = host.writeFile(placed.file, writeToml(document), NEW_FILE_MODE);
    if (written !== null) {
      const { message, error } = written;
      return failure("persist", `Failed to write ${placed.file}: ${message} (${error})`);
    }
  }
  const file = placed?.file ?? null;
  const spec = specOf(document, { file, machine: input.systemDir !== null, console: false });
  return { ok: true, name: nameOf(document), path: file, warnings, spec };
}

/** `{config: {service, …}}`, or the definition bare. Parameters by position are like none. */
function definitionIn(params: unknown): unknown {
  if (typeof params !== "object" || params === null || Array.isArray(params)) return {};
  return "config" in params ? params.config : params;
}

function problemOf(document: ServiceDocument, input: ZinitSetInput, host: EditHost): ZinitFailure | null {
  const invalid = validate(document).map(({ message }) => message);
  if (invalid.length > 0) return refused(invalid);
  const program = missingProgram(document.service, {
    exists: (path) => !("error" in host.stat(path)),
    cwd: host.currentFolder(),
    path: host.variable("PATH") ?? "",
  });
  if (program !== null) return failure("executable", `Executable not found: ${program}`);

  const { name } = document.service;
  const known = new Map(input.known.map((one) => [one.name, one.waitsFor]));
  const { after, requires, conflicts } = document.dependencies;
  const stranger = [...after, ...requires, ...conflicts].find((other) => other !== name && !known.has(other));
  if (stranger !== undefined) return failure("dependency", `Dependency '${stranger}' not found`);

  const cycle = cycleThrough(name, known.set(name, waitsFor(document)));
  return cycle === null ? null : refused([cycleText(cycle)]);
}

function refused(errors: readonly string[]): ZinitFailure {
  return { ...failure("invalid", "Validation failed"), data: { errors } };
}

function failure(code: keyof typeof CODES, message: string): ZinitFailure {
  return { ok: false, code: CODES[code], message };
}

function unknownText({ path, known }: Unknown): string {
  const hint = didYouMean(String(path.at(-1)), known);
  return `unknown key '${path.join(".")}' is ignored${hint === undefined ? "" : `: ${hint}`}`;
}

function remarksOn(document: ServiceDocument, { known }: ZinitSetInput): readonly string[] {
  const names = new Set(known.map(({ name }) => name));
  const strangers = document.dependencies.wants.filter((name) => !names.has(name));
  return [
    ...strangers.map((name) => `'${name}', which it wants, does not exist (yet)`),
    ...remarks(document).map(({ message }) => message),
  ];
}

interface Placed {
  readonly file: string;
  readonly document: ServiceDocument;
}

/** The file that defines the name now; else one of its own, never that of another service. */
function place(document: ServiceDocument, input: ZinitSetInput, host: EditHost, warnings: string[]): Placed {
  const { name } = document.service;
  const present = definingFile(name, input, host);
  if (present !== null) return { file: present, document: classed(document, present, input) };
  for (let number = 1; ; number++) {
    const file = joinPath(input.configDir, number === 1 ? `${name}.toml` : `${name}-${number}.toml`);
    const answer = readDefinition(file, host);
    if ("document" in answer) continue; // Of another service: its file is not ours to replace.
    if (number > 1) warnings.push(`${name}.toml defines another service: saved to ${file}`);
    else if (!("error" in host.stat(file))) warnings.push(`replaced ${file}, which was not valid`);
    return { file, document };
  }
}

function definingFile(name: string, input: ZinitSetInput, host: EditHost): string | null {
  const known = input.known.find((one) => one.name === name)?.file ?? null;
  if (known !== null && defines(known, name, host)) return known;
  return filesOf(name, input, host)[0] ?? null;
}

function classed(document: ServiceDocument, file: string, { systemDir }: ZinitPlaces): ServiceDocument {
  if (systemDir === null || !file.startsWith(joinPath(systemDir, ""))) return document;
  return { ...document, service: { ...document.service, class: "system" } };
}

function defines(file: string, name: string, host: EditHost): boolean {
  const text = host.readFile(file);
  // Most files are others', and reading them as TOML would take a while.
  if ("error" in text || !(text.text.includes(name) || text.text.includes("\\"))) return false;
  const answer = readDefinition(file, host);
  return "document" in answer && nameOf(answer.document) === name;
}

/** The first of them is the one that counts. */
function filesOf(name: string, { configDir, systemDir }: ZinitPlaces, host: EditHost): readonly string[] {
  const folders = systemDir === null ? [configDir] : [systemDir, configDir];
  return folders.flatMap((folder) => tomlFiles(folder, host, [])).filter((file) => defines(file, name, host));
}

// ---- read

export function readService({ file }: ZinitReadInput, host: EditHost): ZinitReadOutput {
  const answer = host.readFile(file);
  if ("error" in answer)
    return failure("shape", `Failed to read ${file}: ${answer.message} (${answer.error})`);
  const parsed = parseToml(answer.text);
  if (!("value" in parsed)) return failure("shape", `Failed to parse ${file}: ${syntaxText(parsed)}`);
  const decoded = decodeService(parsed.value);
  if (!("document" in decoded)) return failure("shape", `Failed to parse ${file}: ${shapeText(decoded)}`);
  return { ok: true, document: decoded.document, warnings: decoded.unknown.map(unknownText) };
}

// ---- delete

export function deleteServices(input: ZinitDeleteInput, host: EditHost): ZinitDeleteOutput {
  const removed: string[] = [];
  for (const { name, file } of input.services) {
    // Without a file of its own it leaves alone what a file says about this name.
    if (file === null) continue;
    for (const path of filesToRemove(name, file, input, host)) {
      const error = host.removeFile(path);
      if (error !== null && error.error !== "ENOENT") {
        const reason = `${path}: ${error.message} (${error.error})`;
        return failure("internal", `failed to delete config file for service '${name}': ${reason}`);
      }
      if (error === null) removed.push(path);
    }
  }
  return { ok: true, removed };
}

/** All that define it, so that it does not come back from a second one. */
function filesToRemove(name: string, file: string, input: ZinitPlaces, host: EditHost): readonly string[] {
  const defining = filesOf(name, input, host);
  if (defining.length > 0) return defining;
  // What defined it and is no definition any more is not kept for its sake; one of another is.
  const status = host.stat(file);
  if (!("error" in status) && !("document" in readDefinition(file, host))) return [file];
  const others = ["yaml", "yml"].map((extension) => joinPath(input.configDir, `${name}.${extension}`));
  return others.filter((other) => !("error" in host.stat(other))).slice(0, 1);
}
