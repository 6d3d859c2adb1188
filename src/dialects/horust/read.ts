/**
 * Horust's files for `oneup run` and `oneup check`: each thing that is wrong stands with its place,
 * and nothing is passed over of which `horust` would only warn.
 */
import { absolutePath } from "../../config/paths.ts";
import type { Definition, Dialect, ReadContext, Relation } from "../dialect.ts";
import { type Found, readServiceFile } from "./file.ts";
import { checkShutdownOrder, nodeAt, tiesOf } from "./graph.ts";
import { type Surroundings, specOf } from "./spec.ts";
import { surroundingsOf } from "./surroundings.ts";
import { splitCommand } from "./words.ts";

/** Keeps in mind what it has read, for what follows from all of it together. */
export function horust(): Dialect {
  const read = new Map<Definition, { readonly found: Found; readonly surroundings: Surroundings }>();
  return {
    read: (_root, context) => {
      const { file, text, environment, cwd, host } = context;
      const found = readServiceFile({ file, text }, environment, context);
      if (found === null) return null;
      const surroundings = surroundingsOf({ host, cwd, environment, inherit: false });
      checkAlone(found, context);
      const definition = definitionOf(found);
      read.set(definition, { found, surroundings });
      return { definitions: [definition], settings: [], supervisor: {} };
    },
    tie: (definitions, means) => {
      const own = definitions.flatMap((definition) => read.get(definition)?.found ?? []);
      const names = new Set(definitions.map(({ name }) => name));
      checkShutdownOrder(own, names, means);
      const ties = tiesOf(own.map(({ service }) => service));
      return definitions.map((definition) => {
        const entry = read.get(definition);
        if (entry === undefined) return definition;
        const { service } = entry.found;
        return { ...definition, spec: specOf(service, ties(service), entry.surroundings) };
      });
    },
  };
}

function definitionOf(found: Found): Definition {
  const { name } = found.service;
  return {
    name,
    kind: "service",
    node: found.root,
    // Made when all are known.
    spec: { name },
    relations: relationsOf(found),
    handler: null,
    main: null,
  };
}

/** Those that make an order of starts; the order of stops is another one. */
function relationsOf(found: Found): readonly Relation[] {
  return found.service.startAfter.map((name, index) => ({
    field: "after",
    name,
    kind: null,
    node: nodeAt(found, ["start-after", index]),
    weak: true,
  }));
}

/** What would show at the start of the service. */
function checkAlone(found: Found, { issues, warnings, host, environment, cwd }: ReadContext): void {
  const { service } = found;
  const { place } = nodeAt(found, ["command"]);
  const words = splitCommand(service.command);
  if (words === null) issues.at(place, "command: a quote or backslash that is not closed", "close it");
  else if (words.length === 0) issues.at(place, "command: there is no program in it", "write what is to run");
  if (typeof service.user === "string" && !host.userExists(service.user)) {
    issues.at(nodeAt(found, ["user"]).place, `user: unknown user "${service.user}"`, "add it to /etc/passwd");
  }
  const { workingDirectory } = service;
  if (workingDirectory !== null && "error" in host.stat(absolutePath(workingDirectory, cwd))) {
    warnings.at(nodeAt(found, ["working-directory"]).place, "working-directory: it is not there");
  }
  for (const [index, name] of service.environment.reExport.entries()) {
    if (Object.hasOwn(environment, name)) continue;
    const node = nodeAt(found, ["environment", "re-export", index]);
    warnings.at(node.place, `re-export: the variable "${name}" is not set`);
  }
}
