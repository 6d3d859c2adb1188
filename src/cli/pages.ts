/** Every document under `docs/` that is made from the API and the verbs: path → text. */
import { openApiDocument } from "../api/openapi.ts";
import { commandsPage, jsonPage } from "./documentation.ts";

export function generatedDocuments(): Readonly<Record<string, string>> {
  return {
    "docs/commands.md": commandsPage(),
    "docs/json.md": jsonPage(),
    "docs/openapi.json": `${JSON.stringify(openApiDocument(), null, 2)}\n`,
  };
}
