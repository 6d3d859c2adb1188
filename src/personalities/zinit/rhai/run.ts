/** Running scripts: which, in which order, and what is said about each. */
import type { CliHost } from "../../../cli/host.ts";
import { Context } from "./context.ts";
import { Factory } from "./factory.ts";
import { LIBRARY } from "./library.ts";
import { Objects, TYPES } from "./objects.ts";
import { ScriptError, Server } from "./server.ts";
import { Values } from "./values.ts";

const ENDING = ".rhai";

/** A script, or all of a folder by name until one fails. What went wrong, or `null`. */
export function runScripts(host: CliHost, socket: string, path: string): string | null {
  const found = scriptsAt(host, path);
  if ("problem" in found) return found.problem;
  for (const script of found.paths) {
    const problem = runScript(host, socket, script);
    if (problem !== null) return problem;
  }
  return null;
}

function scriptsAt(
  host: CliHost,
  path: string,
): { readonly problem: string } | { readonly paths: readonly string[] } {
  const status = host.stat(path);
  if ("error" in status) return { problem: `Failed to access path: ${status.message}` };
  if (status.kind !== "folder") {
    if (path.endsWith(ENDING)) return { paths: [path] };
    return { problem: "Path must be a .rhai file or directory containing .rhai files" };
  }
  const folder = host.readFolder(path);
  if ("error" in folder) return { problem: `Failed to read directory: ${folder.message}` };
  const lead = path.endsWith("/") ? path : `${path}/`;
  const paths = folder.names.filter((name) => name.endsWith(ENDING)).map((name) => lead + name);
  return paths.length === 0 ? { problem: "No .rhai scripts found" } : { paths };
}

function runScript(host: CliHost, socket: string, path: string): string | null {
  const file = host.readFile(path);
  if ("error" in file) return `Failed to open script ${path}: ${file.message}`;
  host.write(1, `Running ${path}\n`);
  const context = new Context(host, socket);
  try {
    new Server(host, socket).call("system.ping");
  } catch (error) {
    if (error instanceof ScriptError) return `Failed to connect: ${error.message}`;
    throw error;
  }
  const problem = evaluate(host, context, withoutShebang(file.text));
  if (problem === null) {
    host.write(1, `✓ ${path} completed\n`);
    return null;
  }
  host.write(2, `✗ ${path} failed: ${problem}\n`);
  return `Script execution failed: ${problem}`;
}

/** The first line stays as an empty one: messages name lines of the file. */
function withoutShebang(text: string): string {
  return text.startsWith("#!") ? text.replace(/^.*/, "") : text;
}

function evaluate(host: CliHost, context: Context, text: string): string | null {
  const objects = new Objects();
  const end = host.runRhai(
    {
      text,
      types: TYPES,
      functions: LIBRARY.map(({ name, parameters }) => ({ name, parameters })),
      variables: [["zinit", objects.toScript(new Factory())]],
    },
    (number, values) => {
      const entry = LIBRARY[number];
      if (entry === undefined) return { error: `there is no function ${number}` };
      try {
        const given = new Values(values.map((value) => objects.fromScript(value)));
        return { value: objects.toScript(entry.run(given, context)) };
      } catch (error) {
        if (error instanceof ScriptError) return { error: error.message };
        throw error;
      }
    },
    (id) => objects.forget(id),
  );
  return end === null ? null : end.text;
}
