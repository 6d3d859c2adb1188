/** horust.toml. */
import { parse, TomlError } from "smol-toml";
import type { CliHost } from "../../../cli/host.ts";
import { Failure } from "./failure.ts";

export const CONFIG_PATH = "/etc/horust/horust.toml";

/** The key by both of its spellings, the documents' first. */
const KEYS = ["unsuccessful-exit-finished-failed", "unsuccessful_exit_finished_failed"] as const;

/** Whether a failed service makes the exit code one of failure. A file that is not there says no. */
export function readSettings(host: CliHost, path: string): boolean {
  const answer = host.readFile(path);
  if ("error" in answer) {
    if (answer.error === "ENOENT") return false;
    throw new Failure(`Failed loading configuration: ${path}`, answer.message);
  }
  const table = parseTable(path, answer.text);
  const given = KEYS.filter((key) => Object.hasOwn(table, key));
  if (given.length > 1)
    throw new Failure(`Failed loading configuration: ${path}`, `both ${given.join(" and ")}`);
  const [key] = given;
  const value = key === undefined ? false : table[key];
  if (typeof value === "boolean") return value;
  throw new Failure(`Failed loading configuration: ${path}`, `${key}: expected true or false`);
}

function parseTable(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return { ...parse(text.replace(/^\ufeff/, "")) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ""] = error.message.split("\n");
    const where = `${path}:${error.line}:${error.column}`;
    throw new Failure(`Failed loading configuration: ${path}`, `${where}: ${reason}`);
  }
}
