// Writes what is made from the tables in src/: the configuration's reference page, its JSON Schema
// (and the same as one string for `oneup check --schema`), the pages of commands and of JSON
// documents, the OpenAPI document, and the types of packages/client.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { renderTypes } from "./client-types.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "oneup-docs-"));
try {
  const { renderEmbeddedSchema, renderJsonSchema, renderReference } = await load("src/model/reference.ts");
  const { generatedDocuments } = await load("src/cli/pages.ts");
  const documents = generatedDocuments();
  const pages = {
    "docs/configuration.md": renderReference(),
    "docs/config.schema.json": renderJsonSchema(),
    "src/generated/config-schema.ts": renderEmbeddedSchema(),
    ...documents,
    "packages/client/src/types.ts": renderTypes(JSON.parse(documents["docs/openapi.json"])),
  };
  for (const [path, text] of Object.entries(pages)) await writeFile(join(root, path), text);
} finally {
  await rm(folder, { recursive: true });
}

async function load(path) {
  const outfile = join(folder, `${path.replaceAll("/", "-")}.mjs`);
  await build({ entryPoints: [join(root, path)], bundle: true, format: "esm", outfile });
  return import(pathToFileURL(outfile).href);
}
