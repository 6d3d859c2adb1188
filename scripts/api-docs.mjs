// Writes docs/commands.md, docs/json.md and docs/openapi.json from the tables in src/.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), "oneup-docs-"));
try {
  const outfile = join(folder, "pages.mjs");
  await build({
    entryPoints: [join(root, "src/cli/pages.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    logLevel: "warning",
  });
  const { generatedDocuments } = await import(pathToFileURL(outfile).href);
  for (const [path, text] of Object.entries(generatedDocuments())) {
    writeFileSync(join(root, path), text);
    console.log(path);
  }
} finally {
  rmSync(folder, { recursive: true });
}
