// Writes what is made from src/model/schema.ts: the reference page, the JSON Schema, and the same
// schema as one string for `oneup check --schema`.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "oneup-docs-"));
try {
  const outfile = join(folder, "reference.mjs");
  await build({ entryPoints: [join(root, "src/model/reference.ts")], bundle: true, format: "esm", outfile });
  const { renderEmbeddedSchema, renderJsonSchema, renderReference } = await import(
    pathToFileURL(outfile).href
  );
  await writeFile(join(root, "docs/configuration.md"), renderReference());
  await writeFile(join(root, "docs/config.schema.json"), renderJsonSchema());
  await writeFile(join(root, "src/generated/config-schema.ts"), renderEmbeddedSchema());
} finally {
  await rm(folder, { recursive: true });
}
