import { list, object } from "../../../../cli/documents.ts";
import { PATIENT_MS } from "../session.ts";
import type { Verb } from "../verb.ts";

export const reload: Verb = {
  name: "reload",
  about: "Reload service configurations from disk",
  examples: ["zinit reload"],
  run: (session) => {
    const result = object(session.call("service.reload", {}, PATIENT_MS));
    const [added, removed, changed] = ["added", "removed", "changed"].map((what) => list(result, what));
    const names = (mark: string, all: readonly string[] = []) => all.map((name) => `  ${mark} ${name}`);
    const count = (all: readonly string[] = []) => all.length;
    session.print(
      `Reloaded: ${count(added)} added, ${count(removed)} removed, ${count(changed)} changed`,
      ...names("+", added),
      ...names("-", removed),
      ...names("~", changed),
      ...errors(result.config_errors),
    );
  },
};

/** Pairs of a service, or a file, and what is wrong with it. */
function errors(document: unknown): string[] {
  const pairs: unknown[] = Array.isArray(document) ? document : [];
  return pairs.filter(Array.isArray).map(([what, wrong]) => `Warning: ${what}: ${wrong}`);
}
