/** All options of all verbs. A name means the same, and takes a value or not, wherever it stands. */

export interface Option {
  readonly short?: string;
  /** The word for its value in help; absent: it takes none. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly help: string;
}

const TABLE = {
  help: { short: "h", help: "show this help" },
  json: { help: "write one JSON document, or one a line for streams" },
  socket: { value: "PATH", help: "the supervisor's socket" },
  "no-wait": { help: "return at once" },
  timeout: {
    value: "DURATION",
    help: 'wait no longer than this, such as "10s"; then exit code 124, and what was asked for goes on',
  },
  for: {
    value: "WHAT",
    choices: ["ready", "stopped", "succeeded"],
    help: "what to wait for; default: ready",
  },
  follow: { short: "f", help: "go on with what comes" },
  lines: { short: "n", value: "N", help: "only the last N" },
  since: { value: "WHEN", help: 'only from then on: how far back, such as "10m", or a time (RFC 3339)' },
  stream: { value: "out|err", choices: ["out", "err"], help: "only standard output, or only standard error" },
  grep: { value: "REGEX", help: "only lines that match" },
  schema: { help: "write the JSON Schema of the configuration" },
  "stop-timeout": {
    value: "DURATION",
    help: 'how long what is left may take to end, before KILL; default: "10s"',
  },
  version: { help: "show the version" },
} as const satisfies Readonly<Record<string, Option>>;

export type OptionName = keyof typeof TABLE;

export const OPTIONS: Readonly<Record<OptionName, Option>> = TABLE;

export const OPTION_NAMES = Object.keys(TABLE) as readonly OptionName[];

/** Every verb takes these. */
export const EVERYWHERE: readonly OptionName[] = ["json", "socket", "help"];

export function optionCalled(name: string): OptionName | null {
  return OPTION_NAMES.find((known) => known === name) ?? null;
}

export function optionWithShort(letter: string): OptionName | null {
  return OPTION_NAMES.find((known) => OPTIONS[known].short === letter) ?? null;
}
