/**
 * The reference page (`docs/configuration.md`) and the JSON Schema (`docs/config.schema.json`,
 * `src/generated/config-schema.ts`), made from the schema. No program bundles this file;
 * `npm run docs` writes them.
 */
import { DEFAULTS, HEALTH_DEFAULTS, MAIN_DEFAULTS, SUPERVISOR_DEFAULTS, TASK_DEFAULTS } from "./defaults.ts";
import type { AnyField, AnyGroup, Fields } from "./fields.ts";
import type { Json, JsonObject } from "./kit.ts";
import { LATER } from "./later.ts";
import { INTRODUCTION } from "./reference-text.ts";
import { type SECTIONS, serviceFields, supervisorFields, targetFields, taskFields } from "./schema.ts";
import { type Budget, formatBudget, formatDuration, formatSize } from "./units.ts";
import { NAME_PATTERN } from "./values.ts";

type Defaults = Readonly<Record<string, unknown>>;

/** A table that is absent by default still has defaults of its own. */
const SERVICE_DEFAULTS: Defaults = { ...DEFAULTS, health: HEALTH_DEFAULTS };

// ---- JSON Schema ----------------------------------------------------------------------------

export function renderJsonSchema(): string {
  const named = (kind: keyof typeof SECTIONS): JsonObject => ({
    type: "object",
    propertyNames: { pattern: NAME_PATTERN.source },
    additionalProperties: { $ref: `#/definitions/${kind}` },
  });
  const schema: JsonObject = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "oneup",
    description: "x-change tells what changing a field does to a running service: live, reload or restart.",
    type: "object",
    additionalProperties: false,
    properties: {
      service: { description: "[service.NAME]: a program that is kept running.", ...named("service") },
      task: { description: "[task.NAME]: a program that runs once.", ...named("task") },
      target: { description: "[target.NAME]: a name for a group.", ...named("target") },
      supervisor: {
        description: "[supervisor]: settings of the supervisor itself.",
        ...tableSchema(supervisorFields, SUPERVISOR_DEFAULTS),
      },
    },
    definitions: {
      service: { ...tableSchema(serviceFields, SERVICE_DEFAULTS), required: ["command"] },
      task: { ...tableSchema(taskFields, { ...DEFAULTS, ...TASK_DEFAULTS }), required: ["command"] },
      target: tableSchema(targetFields, DEFAULTS),
    },
  };
  return `${JSON.stringify(schema, null, 1)}\n`;
}

/** For the command line: one constant costs a program that does not need it next to nothing. */
export function renderEmbeddedSchema(): string {
  const text = JSON.stringify(JSON.stringify(JSON.parse(renderJsonSchema())));
  return `// Made by "npm run docs" from src/model/schema.ts.\nexport const CONFIG_SCHEMA = ${text};\n`;
}

function tableSchema(fields: Fields, defaults: Defaults): JsonObject {
  const properties: Record<string, Json> = {};
  for (const [key, one] of Object.entries(fields)) properties[key] = fieldSchema(one, defaults);
  return { type: "object", additionalProperties: false, properties };
}

function fieldSchema(one: AnyField | AnyGroup, defaults: Defaults): JsonObject {
  const value = one.to === null ? undefined : defaults[one.to];
  const about: JsonObject = { description: one.doc.text, "x-change": one.doc.change };
  if (one.type === "group") return { ...about, ...tableSchema(one.fields, isTable(value) ? value : {}) };
  const standard = value === undefined || value === null ? {} : { default: inToml(one, value) };
  return { ...about, ...one.schema.json(), ...standard };
}

function isTable(value: unknown): value is Defaults {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A default as it would be written. */
function inToml(one: AnyField, value: unknown): Json {
  const type = one.schema.title;
  if (typeof value === "number" && type === "duration") return formatDuration(value);
  if (typeof value === "number" && type === "size") return formatSize(value);
  if (one.to === "stdout" || one.to === "stderr") return "log";
  // The schema of this title makes nothing else.
  if (type === "budget") return formatBudget(value as Budget);
  return JSON.parse(JSON.stringify(value));
}

// ---- The page -------------------------------------------------------------------------------

export function renderReference(): string {
  const parts = [
    INTRODUCTION,
    "## Fields of a service: `[service.NAME]`",
    ...fieldParts(serviceFields, SERVICE_DEFAULTS, ""),
    "## A task: `[task.NAME]`",
    taskText(),
    ...fieldParts(ownFields(taskFields), DEFAULTS, ""),
    "## A target: `[target.NAME]`",
    `A target runs nothing; it is a name for what it \`requires\` and \`wants\`. It is ready when its members are. It takes ${list(Object.keys(targetFields))}.`,
    '```toml\n[target.backend]\nrequires = ["api"]\nwants = ["cache"]\n```',
    "## The supervisor: `[supervisor]`",
    ...fieldParts(supervisorFields, SUPERVISOR_DEFAULTS, ""),
    "## Not yet",
    `These keys are refused as "not supported yet": ${laterText()}.`,
  ];
  return `${parts.join("\n\n")}\n`;
}

function taskText(): string {
  const without = Object.keys(serviceFields).filter((key) => !Object.hasOwn(taskFields, key));
  return [
    `A task runs once; success means "up". It takes every field of a service but ${list(without)}.`,
    `Its \`restart\` is \`"${TASK_DEFAULTS.restart}"\` unless set (as with \`main = true\`: \`"${MAIN_DEFAULTS.restart}"\`), and it has no \`start-timeout\` unless set.`,
    '\n\n```toml\n[task.migrate]\ncommand = "node migrate.js"\nrequires = ["db"]\nstart-timeout = "5m"\n```',
  ].join(" ");
}

/** What a service does not have. */
function ownFields(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !Object.hasOwn(serviceFields, key)));
}

function fieldParts(fields: Fields, defaults: Defaults, prefix: string): string[] {
  return Object.entries(fields).flatMap(([key, one]) => {
    const value = one.to === null ? undefined : defaults[one.to];
    const own = fieldText(`${prefix}${key}`, one, value);
    if (one.type === "field") return [own];
    return [own, ...fieldParts(one.fields, isTable(value) ? value : {}, `${prefix}${key}.`)];
  });
}

function fieldText(name: string, one: AnyField | AnyGroup, value: unknown): string {
  const { doc } = one;
  const type = one.type === "group" ? "table" : one.schema.title;
  const facts = [type, ...defaultText(one, value), `change: ${doc.change}`];
  return [
    `### \`${name}\``,
    `*${facts.join("* · *")}*`,
    doc.text,
    ...(doc.errors === undefined ? [] : [`Refused: ${uncapitalized(doc.errors)}`]),
    `\`\`\`toml\n${doc.example}\n\`\`\``,
  ].join("\n\n");
}

function defaultText(one: AnyField | AnyGroup, value: unknown): string[] {
  const { doc } = one;
  if (doc.default === "required") return ["required"];
  if (doc.default !== undefined) return [`default: ${doc.default}`];
  if (one.type === "group" || value === undefined || value === null) return [];
  return [
    `default: ${Array.isArray(value) && value.length === 0 ? "none" : isTable(value) ? "none" : code(inToml(one, value))}`,
  ];
}

function uncapitalized(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function code(value: Json): string {
  return `\`${JSON.stringify(value)}\``;
}

function list(names: readonly string[]): string {
  const quoted = names.map((name) => `\`${name}\``);
  return [quoted.slice(0, -1).join(", "), ...quoted.slice(-1)].filter((part) => part !== "").join(" and ");
}

function laterText(): string {
  const names = Object.entries(LATER).flatMap(([section, keys]) => {
    const [kind, ...inner] = section.split(".");
    if (kind !== "service" && kind !== "supervisor") return [];
    const prefix = kind === "supervisor" ? ["supervisor"] : inner;
    return keys.map((key) => [...prefix, key].join("."));
  });
  return list(names);
}
