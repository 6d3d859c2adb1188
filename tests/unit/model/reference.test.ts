import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CONFIG_SCHEMA } from "../../../src/generated/config-schema.ts";
import { DEFAULTS, SUPERVISOR_DEFAULTS } from "../../../src/model/defaults.ts";
import type { AnyField, AnyGroup, Fields } from "../../../src/model/fields.ts";
import { renderEmbeddedSchema, renderJsonSchema, renderReference } from "../../../src/model/reference.ts";
import { serviceFields, supervisorFields, taskFields } from "../../../src/model/schema.ts";
import { good } from "../config/helpers.ts";

const root = new URL("../../../", import.meta.url);

function flat(fields: Fields, prefix = ""): { name: string; field: AnyField | AnyGroup }[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const name = `${prefix}${key}`;
    return [{ name, field }, ...(field.type === "group" ? flat(field.fields, `${name}.`) : [])];
  });
}

/** Everything that the examples name. */
const OTHERS = [
  ...["db", "cache", "logger", "proxy", "legacy-api"].map(
    (name) => `[service.${name}]\nautostart = false\ncommand = "x"\n`,
  ),
  ...["migrate", "report"].map((name) => `[task.${name}]\nautostart = false\ncommand = "x"\n`),
].join("");
const FILES = { ".env": "A=1", "ca.pem": "", "/run/secrets/oneup-token": "t" };

describe("what is made from the schema", () => {
  test.each([
    ["docs/configuration.md", renderReference],
    ["docs/config.schema.json", renderJsonSchema],
    ["src/generated/config-schema.ts", renderEmbeddedSchema],
  ])("%s is up to date (npm run docs)", (path, render) => {
    expect(readFileSync(new URL(path, root), "utf8")).toBe(render());
  });

  test("the embedded schema is the same", () => {
    expect(JSON.parse(CONFIG_SCHEMA)).toEqual(JSON.parse(renderJsonSchema()));
  });

  test.each(flat(serviceFields))("the example of $name loads", ({ name, field }) => {
    // Of two forms, each is an example of its own.
    for (const example of field.doc.example.split("\n# or\n")) {
      const command = name === "command" || name === "shell" ? "" : 'command = "x"\n';
      const { services } = good({
        ...FILES,
        "oneup.toml": `[service.api]\n${command}${example}\n${OTHERS}`,
      }).config;
      expect(services[0]?.name).toBe("api");
    }
  });

  const { schedule } = taskFields;
  test.each(flat({ schedule }))("the example of $name loads", ({ field }) => {
    for (const example of field.doc.example.split("\n# or\n")) {
      const text = `[task.backup]\ncommand = "x"\n${example.replace("Europe/Berlin", "UTC")}\n`;
      const { services } = good({ ...FILES, "oneup.toml": text }).config;
      expect(services[0]?.schedule).toMatchObject({ overlap: expect.any(String) });
    }
  });

  test.each(flat(supervisorFields))("the example of $name loads", ({ field }) => {
    const token = field.doc.example.includes("token-file")
      ? ""
      : 'api-token-file = "/run/secrets/oneup-token"\n';
    good({ ...FILES, "oneup.toml": `${OTHERS}[supervisor]\n${token}${field.doc.example}\n` });
  });

  test("every example in the page loads", () => {
    const page = renderReference();
    const blocks = [...page.matchAll(/```toml\n(\[[\s\S]*?)```/g)].map((found) => found[1] ?? "");
    expect(blocks.length).toBeGreaterThan(2);
    for (const block of blocks) {
      const defined = new Set([...block.matchAll(/^\[\w+\.([\w-]+)\]/gm)].map((found) => found[1]));
      const others = ["db", "cache", "api"].filter((name) => !defined.has(name));
      const rest = others.map((name) => `[service.${name}]\ncommand = "x"\n`).join("");
      good(`${block.replace('postgres"\n', 'www"\n')}\n${rest}`);
    }
  });

  test("every field that has a default in the model is described", () => {
    const outputs = Object.values({ ...serviceFields, ...taskFields }).flatMap(({ to }) =>
      to === null ? [] : [to],
    );
    const own = ["kind", "argv", "stdio", "readyDelayMs", "stopCommand"];
    expect([...outputs, ...own].sort()).toEqual(Object.keys(DEFAULTS).sort());
    expect(
      Object.values(supervisorFields)
        .map(({ to }) => to)
        .sort(),
    ).toEqual(Object.keys(SUPERVISOR_DEFAULTS).sort());
    for (const { name, field } of flat({ ...serviceFields, schedule })) {
      expect(`${name}: ${field.doc.text}`).toMatch(/\.$/);
      expect(renderReference()).toContain(`### \`${name}\``);
    }
  });

  test("the JSON Schema has defaults as they are written, and the class of a change", () => {
    const { definitions } = JSON.parse(renderJsonSchema());
    expect(definitions.service.properties["restart-delay"]).toMatchObject({
      default: "100ms",
      type: "string",
      "x-change": "live",
    });
    expect(definitions.service.properties.log.properties["max-size"]).toMatchObject({ default: "10MiB" });
    expect(definitions.task.properties.restart).toMatchObject({ default: "never" });
    expect(definitions.target.properties).not.toHaveProperty("command");
    expect(definitions.service.properties.health.properties.every).toMatchObject({ default: "10s" });
    expect(definitions.task.properties).not.toHaveProperty("health");
    expect(definitions.service.required).toEqual(["command"]);
  });
});
