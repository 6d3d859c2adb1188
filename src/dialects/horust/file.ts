/** One service file: its variables put in, its TOML read, its service decoded. */
import { readDocument } from "../../config/document.ts";
import type { Node } from "../../model/node.ts";
import { decodeService, type Reports } from "./decode.ts";
import type { HorustService } from "./document.ts";
import { expandTemplate } from "./template.ts";

/** A service and the file it stands in. */
export interface Found {
  readonly service: HorustService;
  /** As it is shown. */
  readonly file: string;
  readonly root: Node;
}

export interface SourceText {
  /** As it is shown. */
  readonly file: string;
  readonly text: string;
}

/** `null`: something is wrong with it, and has been reported. */
export function readServiceFile(
  { file, text }: SourceText,
  environment: Readonly<Record<string, string>>,
  reports: Reports,
): Found | null {
  const root = readTemplate({ file, text }, environment, reports);
  if (root === null) return null;
  const service = decodeService(root, file.slice(file.lastIndexOf("/") + 1), reports);
  return service === null ? null : { service, file, root };
}

function readTemplate(
  { file, text: source }: SourceText,
  environment: Readonly<Record<string, string>>,
  { issues }: Reports,
): Node | null {
  const expanded = expandTemplate(source.replace(/^\ufeff/, ""), environment);
  const document = readDocument(file, expanded.text, issues, expanded);
  for (const { name, offset } of expanded.undefined) {
    const place = placeIn(file, expanded.original, offset);
    const hint = `set it, write \${${name}:-default}, or $$ for a dollar that is to stay`;
    issues.at(place, `the variable "${name}" is not set`, hint);
  }
  return expanded.undefined.length > 0 ? null : (document?.root ?? null);
}

function placeIn(file: string, text: string, offset: number) {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return { file, line: before.split("\n").length, column: offset - start + 1 };
}
