/** The values of fields that are a command: of the service itself, and of what runs beside it. */
import { boolean, complain, either, list, map, object, parsed, type Reader, string } from "./kit.ts";
import type { Node } from "./node.ts";
import type { Parsed } from "./units.ts";
import { duration, quoteIt, signal } from "./values.ts";
import { splitWords } from "./words.ts";

export const COMMAND = {
  title: "string or list of strings",
  expected: 'a command such as "node server.js" or ["node", "server.js"]',
};
const commandText = string({ ...COMMAND, allowEmpty: true });
const argument = string({ title: "string", expected: "a string", hint: quoteIt, allowEmpty: true });
export const argv = list(argument, { ...COMMAND, atLeast: 1 });

/** As it was written: whether a string is split depends on `shell`. */
export const command = either({ string: commandText, list: argv }, COMMAND);

/** Words, or why there are none; the program's own name must be among them. */
export function commandWords(line: string, useShell: string): Parsed<readonly string[]> {
  const words = splitWords(line, useShell);
  if ("value" in words && !words.value[0]) {
    return { message: "an empty command", hint: "write the program and its arguments" };
  }
  return words;
}

const HOOK = {
  title: "command, or table",
  expected: 'a command such as "node migrate.js", or { command = "…", shell = true, timeout = "10s" }',
};
const programWords = parsed(COMMAND, (line) => commandWords(line, 'write { command = "…", shell = true }'));

/** The program and its arguments, or a complaint; `shell` as for a service's `command`. */
function argvOf(
  given: string | readonly string[],
  shell: boolean,
  node: Node,
  reader: Reader,
): readonly string[] | undefined {
  const wrong = (message: string, hint: string) => complain(node, reader, COMMAND.title, { message, hint });
  if (typeof given !== "string") {
    if (shell) return wrong("with shell = true it is one string", "write it as one string");
    return given[0] ? given : wrong("the program's name is empty", "write the program first");
  }
  if (!shell) return programWords.read(node, reader);
  return given.trim() === ""
    ? wrong("an empty command", "write what the shell is to run")
    : ["/bin/sh", "-c", given];
}

/** A command that runs beside a service. `timeoutMs` is `null` where its table says nothing. */
export interface SideCommand {
  readonly argv: readonly string[];
  readonly timeoutMs: number | null;
}

const sidePlain = map(command, (given, node, reader): SideCommand | undefined => {
  const argv = argvOf(given, false, node, reader);
  return argv && { argv, timeoutMs: null };
});

export function sideOf(
  given: {
    readonly command?: string | readonly string[];
    readonly shell?: boolean;
    readonly timeout?: number;
  },
  node: Node,
  reader: Reader,
): SideCommand | undefined {
  const place = node.get("command");
  if (given.command === undefined || place === undefined) {
    return complain(node, reader, HOOK.title, { message: "no command in it", hint: 'write command = "…"' });
  }
  const inner: Reader = { label: `${reader.label}.command`, report: reader.report.bind(reader) };
  const argv = argvOf(given.command, given.shell ?? false, place, inner);
  return argv && { argv, timeoutMs: given.timeout ?? null };
}

const hookTable = map(object({ command, shell: boolean, timeout: duration }, HOOK), sideOf);
export const hook = either({ string: sidePlain, list: sidePlain, table: hookTable }, HOOK);

const STOP_COMMAND = {
  title: "command, or table",
  expected: 'a command such as "redis-cli shutdown", or { command = "…", shell = true }',
};
const stopTable = map(object({ command, shell: boolean }, STOP_COMMAND), sideOf);
export const stopCommand = map(
  either({ string: sidePlain, list: sidePlain, table: stopTable }, STOP_COMMAND),
  ({ argv }) => argv,
);

const RELOAD = { title: "table", expected: 'a table such as { signal = "HUP" } or { command = "…" }' };

/** By a signal to the main process, or by a command. */
export const reload = map(
  object({ signal, command, shell: boolean, timeout: duration }, RELOAD),
  (given, node, reader) => {
    const { signal: name, command: line, shell, timeout } = given;
    if ((name === undefined) === (line === undefined)) {
      const message = "expected exactly one of signal and command";
      return complain(node, reader, RELOAD.title, { message, hint: 'such as { signal = "HUP" }' });
    }
    if (name === undefined) {
      const side = sideOf(given, node, reader);
      return (
        side && { type: "command" as const, argv: side.argv, timeoutMs: side.timeoutMs ?? RELOAD_TIMEOUT_MS }
      );
    }
    if (shell !== undefined || timeout !== undefined) {
      const message = '"shell" and "timeout" go with a command';
      return complain(node, reader, RELOAD.title, { message, hint: "remove them" });
    }
    return { type: "signal" as const, signal: name };
  },
);

const RELOAD_TIMEOUT_MS = 30_000;
