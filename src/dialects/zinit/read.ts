/**
 * zinit's files for `oneup run` and `oneup check`: each thing that is wrong stands with its place,
 * and nothing is passed over of which a server would only warn.
 */
import type { Node, Place } from "../../model/node.ts";
import { didYouMean } from "../../model/suggest.ts";
import type { Definition, ReadContext, Reading, Relation } from "../dialect.ts";
import type { Path, Unknown } from "./decode.ts";
import { isTarget, nameOf, type ZinitDocument } from "./document.ts";
import { decodeDefinition } from "./folder.ts";
import { remarks } from "./remarks.ts";
import { specOf } from "./spec.ts";
import { validate } from "./validate.ts";

export function readZinit(root: Node, context: ReadContext): Reading {
  return { definitions: readDefinitions(root, context), settings: [], supervisor: {} };
}

function readDefinitions(root: Node, context: ReadContext): readonly Definition[] {
  const decoded = decodeDefinition(root.value);
  if (!("document" in decoded)) {
    const { message, path } = decoded;
    const title = path.length === 0 ? "" : `${path.join(".")}: `;
    context.issues.at(keyPlaceAt(root, path), `${title}${message}`);
    return [];
  }
  const { document, unknown } = decoded;
  for (const { path, message } of remarks(document)) {
    context.warnings.at(placeAt(root, path), message);
  }
  for (const key of unknown) warnOfUnknown(root, key, context);
  const invalid = validate(document);
  for (const { path, message } of invalid) context.issues.at(placeAt(root, path), message);
  return invalid.length > 0 ? [] : [definitionOf(root, document, context)];
}

function warnOfUnknown(root: Node, { path, known }: Unknown, { warnings }: ReadContext): void {
  const hint = didYouMean(String(path.at(-1)), known) ?? "it is ignored; remove it";
  warnings.at(keyPlaceAt(root, path), `unknown key "${path.join(".")}"`, hint);
}

function definitionOf(root: Node, document: ZinitDocument, { path }: ReadContext): Definition {
  const spec = specOf(document, { file: path, machine: false, console: true });
  return {
    name: nameOf(document),
    kind: spec.kind ?? "service",
    node: root.get(isTarget(document) ? "target" : "service") ?? root,
    spec,
    relations: relationsOf(root, document),
    handler: null,
    main: null,
  };
}

/** Only what it requires has to be there. */
function relationsOf(root: Node, document: ZinitDocument): readonly Relation[] {
  const own = nameOf(document);
  return (["requires", "after", "wants", "conflicts"] as const).flatMap((field) =>
    document.dependencies[field].flatMap((name, index): readonly Relation[] => {
      const { node } = nodeAt(root, ["dependencies", field, index]);
      const isItself = field === "conflicts" && name === own;
      return isItself ? [] : [{ field, name, kind: null, node, weak: true, optional: field !== "requires" }];
    }),
  );
}

/** What stands there, or the section in which it is missing. */
function nodeAt(root: Node, path: Path): { readonly node: Node; readonly found: boolean } {
  let node = root;
  for (const key of path) {
    const next: Node | undefined = typeof key === "number" ? node.items()[key] : node.get(key);
    if (next === undefined) return { node, found: false };
    node = next;
  }
  return { node, found: true };
}

function placeAt(root: Node, path: Path): Place {
  const { node, found } = nodeAt(root, path);
  return found ? node.place : node.keyPlace;
}

function keyPlaceAt(root: Node, path: Path): Place {
  return nodeAt(root, path).node.keyPlace;
}
