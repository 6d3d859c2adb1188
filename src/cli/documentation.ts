/** `docs/commands.md` and `docs/json.md`. For documents and tests only: nothing that runs imports this. */
import { PROBLEMS } from "../api/answer.ts";
import { SCHEMAS, type Schema } from "../api/schemas.ts";
import { EVERYWHERE, OPTIONS, type OptionName } from "./options.ts";
import type { Verb } from "./verb.ts";
import { VERBS } from "./verbs/index.ts";

/** Documents that only the command line writes. */
export const CLI_SCHEMAS: Readonly<Record<string, Schema>> = {
  Check: {
    type: "object",
    description: "What reading the configuration found.",
    properties: {
      ok: { type: "boolean" },
      services: { type: "array", items: { type: "string" } },
      errors: {
        type: "array",
        items: {
          type: "object",
          properties: {
            file: { type: "string" },
            line: { type: ["integer", "null"], description: "From 1 on." },
            column: { type: ["integer", "null"], description: "From 1 on." },
            message: { type: "string" },
            hint: { type: ["string", "null"] },
          },
          required: ["file", "line", "column", "message", "hint"],
          additionalProperties: false,
        },
      },
    },
    required: ["ok", "services", "errors"],
    additionalProperties: false,
  },
  Version: {
    type: "object",
    properties: { name: { const: "oneup" }, version: { type: "string" } },
    required: ["name", "version"],
    additionalProperties: false,
  },
  Links: {
    type: "object",
    description: "The links that are there now.",
    properties: {
      links: {
        type: "array",
        items: {
          type: "object",
          properties: {
            name: { type: "string" },
            path: { type: "string" },
            made: { type: "boolean", description: "False: it was there already and leads to this program." },
          },
          required: ["name", "path", "made"],
          additionalProperties: false,
        },
      },
    },
    required: ["links"],
    additionalProperties: false,
  },
};

/** Which document each verb writes with `--json`. */
const DOCUMENT_OF: Readonly<Record<string, string>> = {
  check: "Check",
  status: "Services",
  tree: "Tree",
  why: "Why",
  logs: "LogRecords",
  events: "Events",
  boot: "Boot",
  start: "Services",
  stop: "Receipts",
  restart: "Services",
  reload: "Services",
  pin: "Service",
  unpin: "Service",
  mask: "Service",
  unmask: "Service",
  kill: "Service",
  wait: "Services",
  shutdown: "Receipts",
  link: "Links",
  version: "Version",
};

const NOTES: Readonly<Record<string, string>> = {
  why: "With several names: an array of these.",
  logs: "With `-f`: one record a line.",
  events: "With `-f`: one event a line.",
  check: "With `--schema`: the JSON Schema of the configuration instead.",
  stop: "With `--no-wait`: an empty array.",
  shutdown: "With `--no-wait`: an empty array.",
};

export function commandsPage(): string {
  const shown = VERBS.filter((verb) => verb.hidden !== true);
  const now = shown.filter((verb) => verb.later !== true).map(verbSection);
  const later = shown
    .filter((verb) => verb.later === true)
    .map((verb) => `- \`${verb.name}\`: ${verb.summary}`);
  return `${[HEAD, ...now, `## Not supported yet\nThese leave with exit code 2 and say so.\n\n${later.join("\n")}`, FOOT].join("\n\n")}\n`;
}

const HEAD = `# Commands
This page is made from the program's own table of verbs (\`src/cli/verbs/\`) by \`npm run docs\`.

\`\`\`
oneup VERB …
oneup -- CMD ARG…
\`\`\`
Without a verb: as PID 1 the same as \`oneup run\`; otherwise \`oneup status\` if a supervisor answers, else the help. Options may stand anywhere before \`--\`, also before the verb; \`--name value\` and \`--name=value\` mean the same, and short ones may be joined (\`-fn5\`).

| everywhere | |
|---|---|
${optionRows(EVERYWHERE)}

**Exit codes:** 0 done · 1 it failed · 2 wrong usage or configuration · 3 the service is not running (\`status\`) · 4 no such service · 5 no supervisor at that socket · 124 time ran out.

**Output.** What was asked for goes to stdout; messages go to stderr, as \`oneup: what went wrong\` and, where something can be done about it, a line that says what. Colours only on a terminal, and not if \`NO_COLOR\` is set to anything or \`TERM\` is \`dumb\`. Foreign control characters, such as those in a process's name, are shown as \`�\`, except in \`oneup logs\` and JSON. With \`--json\` stdout gets one document, described in \`docs/json.md\`, also when the verb failed.

**Which supervisor.** \`--socket\`, else \`ONEUP_SOCKET\`, else the supervisor of the nearest \`oneup.toml\` in the current folder or above, else the system's. The system's socket is also asked when the project's does not answer: a supervisor that is PID 1 has the system's socket, whatever configuration it runs.

| whose | socket |
|---|---|
| system: runs as PID 1, or from \`/etc/oneup\` | \`/run/oneup/oneup.sock\` |
| a project's, with \`XDG_RUNTIME_DIR\` | \`$XDG_RUNTIME_DIR/oneup/NAME.sock\` |
| a project's, without | \`\${TMPDIR:-/tmp}/oneup-UID/NAME.sock\` |

NAME is the 64-bit FNV-1a hash of the configuration's real path, as 16 hexadecimal digits. Of several PATHs the first one counts; a folder and the \`oneup.toml\` in it are the same. The folder must belong to the user and be writable by nobody else, or it is refused: in a shared temporary folder anybody could have made it first. \`oneup -- CMD\` has a socket only with \`--socket\`.

**A supervisor that renews its brain** answers 503 for a moment. Verbs that may be asked twice (all but \`kill\`, \`restart\` and \`reload\`) ask again for up to 10 s.`;

const FOOT = `## How the command line is read
The parser is the project's own (\`src/cli/arguments.ts\`). The library that was chosen at first works only asynchronously, while a verb here is one synchronous call; alone it is as large as the whole of this program (32 KB minified around one trivial verb), it takes options only after the verb, and exit codes, \`--\` and help would have had to be put around it.`;

function verbSection(verb: Verb): string {
  const usage = `\`\`\`\n${verb.usage.map((line) => `oneup ${line}`).join("\n")}\n\`\`\``;
  const title = `## ${verb.name}\n${capital(verb.summary)}.`;
  const options = verb.options.length === 0 ? [] : [`| option | |\n|---|---|\n${optionRows(verb.options)}`];
  const document = DOCUMENT_OF[verb.name];
  const json =
    document === undefined
      ? []
      : [`\`--json\`: [${document}](json.md#${document.toLowerCase()}). ${NOTES[verb.name] ?? ""}`.trimEnd()];
  const example = `\`\`\`sh\n${verb.examples.join("\n")}\n\`\`\``;
  return [title, usage, ...verb.detail, ...options, ...json, example].join("\n\n");
}

function optionRows(names: readonly OptionName[]): string {
  return names
    .map((name) => {
      const { short, value, help } = OPTIONS[name];
      const words = `--${name}${value === undefined ? "" : ` ${value}`}`.replaceAll("|", "\\|");
      return `| ${short === undefined ? "" : `\`-${short}\`, `}\`${words}\` | ${help.replaceAll("|", "\\|")} |`;
    })
    .join("\n");
}

export function jsonPage(): string {
  const verbs = Object.entries(DOCUMENT_OF).map(
    ([verb, document]) =>
      `| \`oneup ${verb}\` | [${document}](#${document.toLowerCase()}) | ${NOTES[verb] ?? ""} |`,
  );
  const kinds = Object.entries(PROBLEMS).map(
    ([kind, { status, title, code }]) => `| \`${kind}\` | ${title} | ${status} | ${code} |`,
  );
  const schemas = Object.entries({ ...SCHEMAS, ...CLI_SCHEMAS })
    .filter(([document]) => document !== "OpenApi")
    .map(
      ([document, schema]) =>
        `### ${document}\n\`\`\`json\n${JSON.stringify(local(schema), null, 2)}\n\`\`\``,
    );
  return `${[
    JSON_HEAD,
    `| verb | document | |\n|---|---|---|\n${verbs.join("\n")}`,
    JSON_ERRORS,
    `| kind | | HTTP | JSON-RPC |\n|---|---|---|---|\n${kinds.join("\n")}`,
    JSON_RPC,
    "## Schemas",
    ...schemas,
  ].join("\n\n")}\n`;
}

/** On this page schemas refer to each other as definitions. */
function local(schema: Schema): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", "#/$defs/"));
}

const JSON_HEAD = `# JSON documents
This page is made from the schemas of the API (\`src/api/schemas.ts\`) by \`npm run docs\`; \`docs/openapi.json\` has the same schemas with the operations.

Times are RFC 3339 in UTC with milliseconds, durations (\`…_ms\`) numbers of milliseconds, signals names without SIG, absent values \`null\`. Each document is one line. A later version may add members, and takes none away.

## What each verb writes with --json`;

const JSON_ERRORS = `## Problems
A verb that fails writes its message to stderr as always, and with \`--json\` a [Problem](#problem) to stdout instead of its document: the supervisor's own, or, where the failure is the command line's, one of type \`about:blank\` with \`exit_code\`. (\`check\` writes its own document also when it found errors, \`stop\` and \`shutdown\` theirs when something could not be ended.)

The \`type\` of the supervisor's problems is \`urn:oneup:problem:KIND\`:`;

const JSON_RPC = `Further members: \`service\` (\`held\`, \`no-reload\`, \`not-running\`), \`service\` and \`cause\` (\`failed\`, \`overtaken\`), \`receipts\` (the same, of a stop), \`services\` (\`timed-out\`), \`parameter\` (\`bad-request\`), \`operation\` (\`not-supported-yet\`), \`ok\` and \`reasons\` (\`unhealthy\`). Over JSON-RPC the problem is the error's \`data\`. Beside the codes of the table there are -32700 (the line is not JSON), -32600 (it is no request) and -32601 (no such method).

While the supervisor renews its brain, the nucleus answers 503 with \`Retry-After\`.`;

function capital(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1);
}
