/** zinit's folders, read: every service and target in them, and all that is wrong with the files. */
import type { FileHost } from "../../cli/host.ts";
import type { ZinitLoadOutput, ZinitPlaces } from "../../config/contract.ts";
import { cyclesOf } from "../../config/cycles.ts";
import { joinPath } from "../../config/paths.ts";
import { cycleText } from "./cycles.ts";
import { decodeService, decodeTarget, type Misshapen } from "./decode.ts";
import { isTarget, nameOf, waitsFor, type ZinitDocument } from "./document.ts";
import { remarks } from "./remarks.ts";
import { specOf } from "./spec.ts";
import { parseToml, syntaxText } from "./toml.ts";
import { validate } from "./validate.ts";
import { loadProxies } from "./xinet.ts";

/** A definition and the file it stands in. */
export interface Found {
  readonly file: string;
  readonly document: ZinitDocument;
}

export function loadFolders(places: ZinitPlaces, host: FileHost): ZinitLoadOutput {
  const { configDir, systemDir } = places;
  const warnings: string[] = [];
  const byName = new Map<string, Found>();
  if (systemDir !== null) {
    for (const found of readFolder(systemDir, host, warnings)) addFirst(ofSystem(found), byName, warnings);
  }
  const ofTheSystem = new Set(byName.keys());
  for (const found of readFolder(configDir, host, warnings)) {
    const name = nameOf(found.document);
    if (!ofTheSystem.has(name)) addFirst(found, byName, warnings);
    else warnings.push(`skipping ${found.file}: the system's own '${name}' takes its place`);
  }
  const all = [...byName.values()];
  for (const { file, document } of all) {
    warnings.push(...remarks(document).map(({ message }) => `${file}: ${message}`));
  }
  const missing = missingOf(byName);
  for (const [name, other] of missing) warnings.push(`'${name}' requires '${other}', which does not exist`);
  const cycles = cyclesOf(
    new Map(all.map(({ document }) => [nameOf(document), waitsFor(document)] as const)),
  );
  warnings.push(...cycles.map(cycleText));
  const machine = systemDir !== null;
  const services = all.map(({ file, document }) => specOf(document, { file, machine, console: false }));
  const proxies = loadProxies(configDir, host, (text) => warnings.push(text));
  return { services, ...(proxies.length > 0 ? { proxies } : {}), warnings, missing, cycles };
}

/** Those of the system's folder are protected, whatever they say of themselves. */
function ofSystem({ file, document }: Found): Found {
  if (isTarget(document)) return { file, document };
  return { file, document: { ...document, service: { ...document.service, class: "system" } } };
}

function addFirst(found: Found, byName: Map<string, Found>, warnings: string[]): void {
  const name = nameOf(found.document);
  const first = byName.get(name);
  if (first === undefined) byName.set(name, found);
  else warnings.push(`skipping ${found.file}: '${name}' is defined in ${first.file} already`);
}

function missingOf(byName: ReadonlyMap<string, Found>): readonly (readonly [string, string])[] {
  return [...byName].flatMap(([name, { document }]) =>
    document.dependencies.requires
      .filter((other) => !byName.has(other))
      .map((other): readonly [string, string] => [name, other]),
  );
}

/** The files of a folder, sorted. One that is not there is an empty one. */
export function tomlFiles(folder: string, host: FileHost, warnings: string[]): readonly string[] {
  const listing = host.readFolder(folder);
  if ("names" in listing) {
    const names = listing.names.filter((name) => name.endsWith(".toml") && name !== ".toml");
    return names.map((name) => joinPath(folder, name)).sort();
  }
  if (listing.error !== "ENOENT") {
    warnings.push(`cannot read directory ${folder}: ${listing.message} (${listing.error})`);
  }
  return [];
}

function readFolder(folder: string, host: FileHost, warnings: string[]): readonly Found[] {
  return tomlFiles(folder, host, warnings).flatMap((file) => {
    const answer = readDefinition(file, host);
    if ("document" in answer) return [{ file, document: answer.document }];
    warnings.push(answer.problem);
    return [];
  });
}

/** More than can be written over the socket; reading what is larger takes minutes. */
const FILE_BYTES_MAX = 2 * 1024 * 1024;

/** `problem` is a whole sentence. */
export type Answer =
  | { readonly document: ZinitDocument }
  | { readonly problem: string; readonly readable: boolean };

export function readDefinition(file: string, host: FileHost): Answer {
  const unreadable = (why: string): Answer => ({ problem: `skipping ${file}: ${why}`, readable: false });
  const status = host.stat(file);
  if ("error" in status) return unreadable(`cannot read it: ${status.message} (${status.error})`);
  // A pipe would be waited for.
  if (status.kind !== "file") return unreadable("not a regular file");
  if (status.size > FILE_BYTES_MAX) return unreadable("larger than 2 MiB");
  const answer = host.readFile(file);
  if ("error" in answer) return unreadable(`cannot read it: ${answer.message} (${answer.error})`);
  if (answer.text.includes("\ufffd")) return unreadable("not UTF-8 text");
  return parseDefinition(file, answer.text);
}

function parseDefinition(file: string, text: string): Answer {
  const parsed = parseToml(text);
  if (!("value" in parsed)) return unparseable(file, syntaxText(parsed));
  const decoded = decodeDefinition(parsed.value);
  if (!("document" in decoded)) return unparseable(file, shapeText(decoded));
  const { document } = decoded;
  const invalid = validate(document);
  if (invalid.length === 0) return { document };
  const kind = isTarget(document) ? "target" : "service";
  const list = invalid.map(({ message }) => message).join(", ");
  return { problem: `skipping invalid ${kind} ${file}: ${list}`, readable: true };
}

function unparseable(file: string, reason: string): Answer {
  return { problem: `skipping unparseable config: ${file}: ${reason}`, readable: true };
}

/** A service, if it can be one; else a target. */
export function decodeDefinition(
  value: unknown,
): ReturnType<typeof decodeService> | ReturnType<typeof decodeTarget> {
  const service = decodeService(value);
  if ("document" in service) return service;
  const target = decodeTarget(value);
  if ("document" in target) return target;
  // Whichever it was meant to be: that a target has no [service] is no news.
  return target.path.length > 0 && service.path.length === 0 ? target : service;
}

export function shapeText({ message, path }: Misshapen): string {
  return path.length === 0 ? message : `${message} (${path.join(".")})`;
}
