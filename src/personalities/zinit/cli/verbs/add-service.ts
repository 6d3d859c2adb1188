import { list, object, textOrNull } from "../../../../cli/documents.ts";
import type { CliHost } from "../../../../cli/host.ts";
import type { ZinitReadInput, ZinitReadOutput } from "../../../../config/contract.ts";
import type { Flag, Input } from "../../../common/command.ts";
import { withNumber } from "../errno.ts";
import { Failure } from "../failure.ts";
import { PATIENT_MS } from "../session.ts";
import type { Verb } from "../verb.ts";

const DELAY_MS = 1000;
const DELAY_MAX_MS = 300_000;
const MAX_RESTARTS = 10;

const other = (long: string, help: string): Flag => ({ long, value: "SERVICE", many: true, help });

export const addService: Verb = {
  name: "add-service",
  about: "Add a new service",
  wide: true,
  words: [
    {
      name: "FILE",
      help: "Path to TOML service file (mutually exclusive with --name/--exec)",
      takes: "files",
    },
  ],
  flags: [
    {
      long: "name",
      value: "NAME",
      needs: ["exec"],
      excludes: ["FILE"],
      help: "Service name (required if no file)",
    },
    {
      long: "exec",
      value: "EXEC",
      needs: ["name"],
      excludes: ["FILE"],
      help: "Command to execute (required if no file)",
    },
    { long: "dir", value: "DIR", fallback: "/", help: "Working directory" },
    { long: "oneshot", help: "Run once and don't restart" },
    {
      long: "env",
      short: "e",
      value: "KEY=VALUE",
      many: true,
      help: "Environment variable (KEY=VALUE), can repeat",
    },
    other("after", "Start after this service (ordering only)"),
    other("requires", "Require this service (hard dependency)"),
    other("wants", "Want this service (soft dependency)"),
    other("conflicts", "Conflict with this service (mutual exclusion)"),
    {
      long: "restart",
      value: "RESTART",
      fallback: "on-failure",
      help: "Restart policy: always, on-failure, never",
    },
    {
      long: "restart-delay",
      value: "RESTART_DELAY",
      number: "u64",
      fallback: String(DELAY_MS),
      help: "Initial restart delay in ms",
    },
    {
      long: "restart-delay-max",
      value: "RESTART_DELAY_MAX",
      number: "u64",
      fallback: String(DELAY_MAX_MS),
      help: "Maximum restart delay in ms",
    },
    {
      long: "max-restarts",
      value: "MAX_RESTARTS",
      number: "u32",
      fallback: String(MAX_RESTARTS),
      help: "Maximum restart attempts",
    },
    {
      long: "persist",
      excludes: ["ephemeral"],
      help: "Save to config directory (survives restarts; this is the default)",
    },
    { long: "ephemeral", excludes: ["persist"], help: "Don't save to disk (lost on restart)" },
  ],
  examples: ["zinit add-service --name web --exec 'httpd -f' --after net -e PORT=80"],
  run: (session, input) => {
    const file = input.word(0);
    const { config, warnings } = file === null ? fromFlags(input) : fromFile(session.host, file);
    const { name } = config.service;
    const result = object(
      input.has("ephemeral")
        ? session.call("service.add", { config, persist: false }, PATIENT_MS)
        : session.call("service.set", { config }, PATIENT_MS),
    );
    const path = textOrNull(result, "path");
    session.print(
      `✓ Created: ${name}`,
      `Service '${name}' added ${path === null ? "(ephemeral)" : `(saved to ${path})`}`,
      ...[...warnings, ...list(result, "warnings")].map((warning) => `Warning: ${warning}`),
    );
  },
};

/** What is to be added, and what should be said about it. */
interface Definition {
  readonly config: { readonly service: { readonly name: string } };
  readonly warnings: readonly string[];
}

/** The server finds what is wrong with a definition; here only what is no definition at all. */
function fromFile(host: CliHost, file: string): Definition {
  const status = host.stat(file);
  if ("error" in status) throw new Failure(`Failed to read ${file}: ${withNumber(status)}`);
  const input: ZinitReadInput = { zinit: "read", file };
  const read: ZinitReadOutput = JSON.parse(host.loadConfig("config-all", JSON.stringify(input)));
  if (!read.ok) throw new Failure(read.message);
  return { config: read.document, warnings: read.warnings };
}

function fromFlags(input: Input): Definition {
  const [name, exec] = [input.value("name"), input.value("exec")];
  if (name === null) throw new Failure("--name required when not using file");
  const dir = input.value("dir") ?? "/";
  const config = {
    service: {
      name,
      exec,
      // The root folder is the fallback, and means that there is none.
      dir: dir === "/" ? null : dir,
      oneshot: input.has("oneshot"),
      env: environment(input.values("env")),
    },
    dependencies: {
      after: input.values("after"),
      requires: input.values("requires"),
      wants: input.values("wants"),
      conflicts: input.values("conflicts"),
    },
    lifecycle: {
      restart: policy(input.value("restart") ?? "on-failure"),
      restart_delay_ms: input.number("restart-delay", DELAY_MS),
      restart_delay_max_ms: input.number("restart-delay-max", DELAY_MAX_MS),
      max_restarts: input.number("max-restarts", MAX_RESTARTS),
    },
  };
  return { config, warnings: [] };
}

function environment(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const cut = pair.indexOf("=");
      if (cut < 0) throw new Failure(`Invalid env format: ${pair} (expected KEY=VALUE)`);
      return [pair.slice(0, cut), pair.slice(cut + 1)] as const;
    }),
  );
}

function policy(text: string): string {
  const known = text.replace("_", "-");
  if (["always", "on-failure", "never"].includes(known)) return known;
  throw new Failure(`Invalid restart policy: ${text} (use always, on-failure, or never)`);
}
