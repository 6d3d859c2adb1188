/** The native dialect: `[service.NAME]`, `[task.NAME]`, `[target.NAME]` and `[supervisor]`. */
import { type Node, plain, type TableEntry, type TableNode } from "../../config/document.ts";
import { absolutePath } from "../../config/paths.ts";
import { SECTIONS, serviceFields, supervisorFields, targetFields } from "../../model/schema.ts";
import type { Kind, SupervisorSettings } from "../../model/spec.ts";
import { didYouMean } from "../../model/suggest.ts";
import { kindOf, nameProblem } from "../../model/values.ts";
import { type Definition, RELATIONS, type ReadContext, type Reading, type Relation } from "../dialect.ts";
import { makeSpec } from "./spec.ts";
import { readTable, type TableContext } from "./table.ts";

const TOP_LEVEL = [...Object.keys(SECTIONS), "supervisor"];

export function readNative(root: TableNode, context: ReadContext): Reading {
  const definitions: Definition[] = [];
  let settings: Reading["settings"] = [];
  let supervisor: Reading["supervisor"] = {};
  for (const [key, entry] of root.entries) {
    if (key === "service" || key === "task" || key === "target") {
      definitions.push(...readSection(key, entry, context));
    } else if (key === "supervisor") {
      ({ settings, supervisor } = readSupervisor(entry, context));
    } else reportTopLevel(key, entry, context);
  }
  return { definitions, settings, supervisor };
}

function reportTopLevel(key: string, entry: TableEntry, context: ReadContext): void {
  const inService = Object.hasOwn(serviceFields, key);
  const hint = inService
    ? "fields belong into a section: write [service.NAME] above it"
    : (didYouMean(key, TOP_LEVEL) ??
      "the sections are [service.NAME], [task.NAME], [target.NAME] and [supervisor]");
  context.issues.at(entry.place, `unknown key "${key}" outside of a section`, hint);
}

function readSection(kind: Kind, section: TableEntry, context: ReadContext): Definition[] {
  if (section.node.type !== "table") {
    context.issues.at(section.place, `"${kind}" is not a section by itself`, `write [${kind}.NAME]`);
    return [];
  }
  const definitions: Definition[] = [];
  for (const [name, entry] of section.node.entries) {
    if (entry.node.type === "table")
      definitions.push(readDefinition(kind, name, entry.place, entry.node, context));
    else reportNoTable(kind, name, entry, context);
  }
  return definitions;
}

function reportNoTable(kind: Kind, name: string, entry: TableEntry, context: ReadContext): void {
  if (entry.node.type === "list" && entry.node.ofTables) {
    context.issues.at(
      entry.place,
      `[[${kind}.${name}]] is a list`,
      `write [${kind}.${name}] with single brackets`,
    );
  } else if (Object.hasOwn(SECTIONS[kind], name)) {
    context.issues.at(
      entry.place,
      `"${name}" stands in [${kind}], which has no name`,
      `write [${kind}.NAME]`,
    );
  } else {
    const got = kindOf(plain(entry.node));
    context.issues.at(
      entry.place,
      `${kind}.${name}: expected a section, got ${got}`,
      `write [${kind}.${name}]`,
    );
  }
}

function readDefinition(
  kind: Kind,
  name: string,
  place: Definition["place"],
  table: TableNode,
  context: ReadContext,
): Definition {
  const named = nameProblem(name);
  if (!("value" in named)) context.issues.at(place, named.message, named.hint);
  const tableContext: TableContext = {
    issues: context.issues,
    title: `[${kind}.${name}]`,
    section: kind,
    prefix: "",
    unknown: (key, node) => unknownField(kind, name, key, node),
  };
  // A task's fields and a target's are among a service's; which ones is asked of the section.
  const read = readTable(SECTIONS[kind], table, tableContext);
  const spec = makeSpec({ kind, name, place, table }, read, context);
  return {
    name,
    kind,
    place,
    spec,
    relations: relationsOf(table),
    main: spec.main === true ? (table.entries.get("main")?.place ?? place) : null,
  };
}

function unknownField(kind: Kind, name: string, key: string, node: Node) {
  if (kind !== "service" && Object.hasOwn(serviceFields, key)) {
    const why = kind === "target" ? "it runs nothing itself" : "it is ready when it has succeeded";
    const hint =
      kind === "target"
        ? `a target takes ${Object.keys(targetFields).join(", ")}`
        : "remove it, or make it a service";
    return { message: `"${key}" is not for a ${kind}: ${why}`, hint };
  }
  // [service.a.b] is the table b of a service a.
  if (node.type === "table" && didYouMean(key, Object.keys(serviceFields)) === undefined) {
    return { hint: `for a ${kind} named "${name}.${key}" write [${kind}."${name}.${key}"]` };
  }
  return undefined;
}

/** The names in the lists, wherever they are well-formed, so that one error hides no other. */
function relationsOf(table: TableNode): Relation[] {
  const relations: Relation[] = [];
  for (const field of RELATIONS) {
    const list = table.entries.get(field)?.node;
    for (const item of list?.type === "list" ? list.items : []) {
      if (item.type === "scalar" && typeof item.value === "string" && item.value !== "") {
        relations.push({ field, name: item.value, kind: null, place: item.place });
      }
      if (item.type !== "table" || field !== "requires") continue;
      for (const kind of ["service", "task", "target"] as const) {
        const value = item.entries.get(kind)?.node;
        if (value?.type !== "scalar" || typeof value.value !== "string") continue;
        relations.push({ field, name: value.value, kind, place: value.place });
      }
    }
  }
  return relations;
}

function readSupervisor(entry: TableEntry, context: ReadContext): Pick<Reading, "settings" | "supervisor"> {
  const { node } = entry;
  if (node.type !== "table") {
    context.issues.at(entry.place, '"supervisor" is not a section', "write [supervisor]");
    return { settings: [], supervisor: {} };
  }
  const tableContext = { issues: context.issues, title: "[supervisor]", section: "supervisor", prefix: "" };
  const read = readTable(supervisorFields, node, tableContext);
  const settings = [...node.entries].map(([key, { place }]) => ({ key, place }));
  const tokenFile = read.apiTokenFile ? absolutePath(read.apiTokenFile, context.folder) : undefined;
  const supervisor: Partial<SupervisorSettings> = {
    ...read,
    ...(tokenFile === undefined ? {} : { apiTokenFile: tokenFile }),
  };
  const tokenPlace = node.entries.get("api-token-file")?.node.place;
  if (tokenFile !== undefined && tokenPlace) {
    const status = context.host.stat(tokenFile);
    if ("error" in status) {
      context.issues.at(
        tokenPlace,
        `api-token-file: cannot be read: ${status.message}`,
        "make the file, or correct its path",
      );
    }
  }
  return { settings, supervisor };
}
