// The types of packages/client, made from the OpenAPI document: one TypeScript type per schema.

const HEADER = `// Made from docs/openapi.json by \`npm run docs\`; nobody edits it.
`;

/** TypeScript text of all schemas of an OpenAPI document. */
export function renderTypes(openapi) {
  const schemas = Object.entries(openapi.components.schemas);
  return [HEADER, ...schemas.map(([name, schema]) => renderSchema(name, schema))].join("\n");
}

function renderSchema(name, schema) {
  const fields = isObject(schema) ? renderFields(schema, "") : null;
  if (fields !== null) return `${comment(schema, "")}export interface ${name} ${fields}\n`;
  return `${comment(schema, "")}export type ${name} = ${renderType(schema, "")};\n`;
}

const isObject = (schema) => schema.type === "object" && schema.properties !== undefined;

function renderType(schema, indent) {
  if (schema.$ref) return schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return options.map((option) => renderType(option, indent)).join(" | ");
  switch (schema.type) {
    case "array":
      return renderArray(schema.items, indent);
    case "object":
      return renderObject(schema, indent);
    case "integer":
      return "number";
    case "string":
    case "number":
    case "boolean":
    case "null":
      return schema.type;
    default:
      throw new Error(`a schema that cannot be written as a type: ${JSON.stringify(schema)}`);
  }
}

function renderArray(items, indent) {
  const text = renderType(items, indent);
  return `readonly ${/[ |]/.test(text) && !text.startsWith("{") ? `(${text})` : text}[]`;
}

function renderObject(schema, indent) {
  if (isObject(schema)) return renderFields(schema, indent);
  const { additionalProperties: others } = schema;
  const value = others === true || others === undefined ? "unknown" : renderType(others, indent);
  return `Readonly<Record<string, ${value}>>`;
}

function renderFields(schema, indent) {
  const inner = `${indent}  `;
  const lines = Object.entries(schema.properties).map(([name, field]) => {
    const optional = schema.required?.includes(name) ? "" : "?";
    return `${comment(field, inner)}${inner}readonly ${name}${optional}: ${renderType(field, inner)};\n`;
  });
  const others = schema.additionalProperties === true ? `${inner}readonly [member: string]: unknown;\n` : "";
  return `{\n${lines.join("")}${others}${indent}}`;
}

function comment({ description }, indent) {
  return description === undefined ? "" : `${indent}/** ${description} */\n`;
}
