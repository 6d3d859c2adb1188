/** The native dialect: `[service.NAME]`, `[task.NAME]`, `[target.NAME]` and `[supervisor]`. */
import { absolutePath } from "../../config/paths.ts";
import { kindOf } from "../../model/kit.ts";
import type { Node } from "../../model/node.ts";
import { SECTIONS, serviceFields, supervisorFields, targetFields } from "../../model/schema.ts";
import type { Kind, SupervisorSettings } from "../../model/spec.ts";
import { didYouMean } from "../../model/suggest.ts";
import { nameProblem } from "../../model/values.ts";
import {
  type Definition,
  RELATIONS,
  type ReadContext,
  type Reading,
  type Relation,
  type RelationField,
} from "../dialect.ts";
import { makeSpec } from "./spec.ts";
import { readTable, type TableContext } from "./table.ts";

const TOP_LEVEL = [...Object.keys(SECTIONS), "supervisor"];

export function readNative(root: Node, context: ReadContext): Reading {
  const definitions: Definition[] = [];
  let settings: Reading["settings"] = [];
  let supervisor: Reading["supervisor"] = {};
  for (const [key, entry] of root.entries()) {
    if (key === "service" || key === "task" || key === "target") {
      definitions.push(...readSection(key, entry, context));
    } else if (key === "supervisor") {
      ({ settings, supervisor } = readSupervisor(entry, context));
    } else reportTopLevel(key, entry, context);
  }
  return { definitions, settings, supervisor };
}

function reportTopLevel(key: string, entry: Node, context: ReadContext): void {
  const inService = Object.hasOwn(serviceFields, key);
  const hint = inService
    ? "fields belong into a section: write [service.NAME] above it"
    : (didYouMean(key, TOP_LEVEL) ??
      "the sections are [service.NAME], [task.NAME], [target.NAME] and [supervisor]");
  const what =
    entry.type === "table" ? `unknown section [${key}]` : `unknown key "${key}" outside of a section`;
  context.issues.at(entry.keyPlace, what, hint);
}

function readSection(kind: Kind, section: Node, context: ReadContext): Definition[] {
  if (section.type !== "table") {
    context.issues.at(section.keyPlace, `"${kind}" is not a section by itself`, `write [${kind}.NAME]`);
    return [];
  }
  const definitions: Definition[] = [];
  for (const [name, entry] of section.entries()) {
    if (entry.type === "table") definitions.push(readDefinition(kind, name, entry, context));
    else reportNoTable(kind, name, entry, context);
  }
  return definitions;
}

function reportNoTable(kind: Kind, name: string, entry: Node, context: ReadContext): void {
  if (entry.type === "list" && entry.raw.startsWith("[") === false) {
    context.issues.at(
      entry.keyPlace,
      `[[${kind}.${name}]] is a list`,
      `write [${kind}.${name}] with single brackets`,
    );
  } else if (Object.hasOwn(SECTIONS[kind], name)) {
    context.issues.at(
      entry.keyPlace,
      `"${name}" stands in [${kind}], which has no name`,
      `write [${kind}.NAME]`,
    );
  } else {
    const got = kindOf(entry);
    context.issues.at(
      entry.keyPlace,
      `${kind}.${name}: expected a section, got ${got}`,
      `write [${kind}.${name}]`,
    );
  }
}

function readDefinition(kind: Kind, name: string, table: Node, context: ReadContext): Definition {
  const named = nameProblem(name);
  if (!("value" in named)) context.issues.at(table.keyPlace, named.message, named.hint);
  const tableContext: TableContext = {
    issues: context.issues,
    title: `[${kind}.${name}]`,
    section: kind,
    prefix: "",
    unknown: (key, node) => unknownField(kind, name, key, node),
  };
  // A task's fields and a target's are among a service's; which ones is asked of the section.
  const read = readTable(SECTIONS[kind], table, tableContext);
  const spec = makeSpec({ kind, name, table }, read, context);
  return {
    name,
    kind,
    node: table,
    spec,
    relations: relationsOf(table),
    handler: handlerOf(table),
    main: spec.main === true ? (table.get("main") ?? table) : null,
  };
}

function unknownField(kind: Kind, name: string, key: string, node: Node) {
  if (kind !== "task" && key === "schedule") {
    return { message: "a schedule belongs to a task", hint: `write [task.${name}]` };
  }
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

function handlerOf(table: Node): Definition["handler"] {
  const action = table.get("on-failure");
  const node = action?.type === "table" ? action.get("run") : undefined;
  return node && typeof node.value === "string" && node.value !== "" && !node.broken
    ? { name: node.value, node }
    : null;
}

/** The names in the lists, wherever they are well-formed, so that one error hides no other. */
function relationsOf(table: Node): Relation[] {
  const relations: Relation[] = [];
  for (const field of RELATIONS) {
    const list = table.get(field);
    for (const item of list?.items() ?? []) {
      if (item.broken) continue;
      if (typeof item.value === "string" && item.value !== "") {
        relations.push({ field, name: item.value, kind: null, node: item });
      }
      if (item.type === "table") relations.push(...tableRelations(field, item));
    }
  }
  return relations;
}

/** `{ task = "migrate", … }` says which kind is meant. */
function tableRelations(field: RelationField, item: Node): Relation[] {
  return (["service", "task", "target"] as const).flatMap((kind) => {
    const node = item.get(kind);
    if (typeof node?.value !== "string") return [];
    return [{ field, name: node.value, kind, node, weak: isWeak(item) }];
  });
}

/** Neither started along nor in anybody's way at boot. */
function isWeak(item: Node): boolean {
  return item.get("start")?.value === false || item.get("wait")?.value === true;
}

function readSupervisor(entry: Node, context: ReadContext): Pick<Reading, "settings" | "supervisor"> {
  if (entry.type !== "table") {
    context.issues.at(entry.keyPlace, '"supervisor" is not a section', "write [supervisor]");
    return { settings: [], supervisor: {} };
  }
  const tableContext = { issues: context.issues, title: "[supervisor]", section: "supervisor", prefix: "" };
  const read = readTable(supervisorFields, entry, tableContext);
  const settings = entry.entries().map(([key, node]) => ({ key, node }));
  const tokenFile = read.apiTokenFile ? absolutePath(read.apiTokenFile, context.folder) : undefined;
  const supervisor: Partial<SupervisorSettings> = {
    ...read,
    ...(tokenFile === undefined ? {} : { apiTokenFile: tokenFile }),
  };
  const tokenPlace = entry.get("api-token-file")?.place;
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
