import { complainAbout, load, schemaText } from "../configuration.ts";
import { EXIT } from "../failure.ts";
import type { Verb } from "../verb.ts";
import { plural } from "../words.ts";

export const check: Verb = {
  name: "check",
  group: "Run",
  summary: "read everything, start nothing: every error with its place",
  usage: ["check [PATH…]", "check --schema"],
  detail: [
    "Exit code 2 if there is an error. --schema writes the JSON Schema of the configuration, for editors.",
  ],
  examples: ["oneup check", "oneup check --schema > oneup.schema.json"],
  options: ["schema"],
  takes: "paths",
  least: 0,
  most: Number.POSITIVE_INFINITY,
  run: (session, input) => {
    if (input.has("schema")) {
      session.print(schemaText(session.host));
      return EXIT.done;
    }
    const loaded = load(session.host, input.words);
    const { ok } = loaded;
    const services = ok ? loaded.names : [];
    const errors = loaded.ok ? [] : loaded.errors;
    complainAbout(session, loaded.warnings, "warning: ");
    if (session.json) session.document({ ok, services, errors });
    else if (ok) session.print(`ok: ${plural(services.length, "service")}: ${services.join(", ")}`);
    else complainAbout(session, errors);
    return ok ? EXIT.done : EXIT.usage;
  },
};
