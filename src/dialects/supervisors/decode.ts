/** A file of supervisors as it was meant: its programs, and where its HTTP API listens. */
import { boolean, list, type Reader, type Schema, string } from "../../model/kit.ts";
import type { Node } from "../../model/node.ts";
import { didYouMean } from "../../model/suggest.ts";
import type { ReadContext } from "../dialect.ts";

const DEFAULT_LISTEN = "localhost:3000";

export interface Program {
  readonly name: string;
  readonly node: Node;
  readonly command: string;
  readonly args: readonly string[];
  readonly autorestart: boolean;
  readonly logfile: string | null;
}

export interface Decoded {
  readonly programs: readonly Program[];
  /** Empty: nowhere. */
  readonly listen: string;
}

type Means = Pick<ReadContext, "issues" | "warnings">;

const text = string({ title: "string", expected: "a string", allowEmpty: true });
const texts = list(text, { title: "list of strings", expected: "a list of strings" });

const TOP = ["listen", "programs"];
const KEYS = ["command", "args", "autorestart", "logfile"];

/** Everything that is wrong is among the issues; what means nothing is only warned of. */
export function decode(root: Node, means: Means): Decoded {
  warnOfUnknown(root, "", TOP, means);
  const listen = read(root, "", "listen", text, means) ?? DEFAULT_LISTEN;
  const problem = listen === "" ? null : addressProblem(listen);
  const place = root.get("listen")?.place;
  if (problem !== null && place) means.issues.at(place, `listen: ${problem}`, `such as "${DEFAULT_LISTEN}"`);
  return { programs: decodePrograms(root, means), listen };
}

function decodePrograms(root: Node, means: Means): Program[] {
  const programs = root.get("programs");
  if (programs === undefined) {
    means.issues.at(
      root.place,
      "missing field `programs`",
      'write [programs.NAME] and command = "…" below it',
    );
    return [];
  }
  if (programs.type !== "table") {
    means.issues.at(programs.place, "programs: expected a table", "write [programs.NAME]");
    return [];
  }
  return programs.entries().flatMap(([name, node]) => decodeProgram(name, node, means) ?? []);
}

function decodeProgram(name: string, node: Node, means: Means): Program | undefined {
  const title = `programs.${name}`;
  if (node.type !== "table") {
    means.issues.at(node.place, `${title}: expected a table`, `write [${title}]`);
    return undefined;
  }
  warnOfUnknown(node, `${title}.`, KEYS, means);
  if (node.get("command") === undefined) {
    means.issues.at(node.keyPlace, `${title}: missing field \`command\``, 'write command = "…" below it');
  }
  const command = read(node, `${title}.`, "command", text, means);
  const args = read(node, `${title}.`, "args", texts, means) ?? [];
  const autorestart = read(node, `${title}.`, "autorestart", boolean, means) ?? false;
  const logfile = read(node, `${title}.`, "logfile", text, means) ?? null;
  return command === undefined ? undefined : { name, node, command, args, autorestart, logfile };
}

function read<T>(
  table: Node,
  prefix: string,
  key: string,
  schema: Schema<T>,
  { issues }: Means,
): T | undefined {
  const reader: Reader = {
    label: `${prefix}${key}`,
    report: (place, message, hint) => issues.at(place, message, hint),
  };
  const node = table.get(key);
  return node === undefined ? undefined : schema.read(node, reader);
}

function warnOfUnknown(table: Node, prefix: string, known: readonly string[], { warnings }: Means): void {
  for (const [key, node] of table.entries()) {
    if (known.includes(key)) continue;
    warnings.at(
      node.keyPlace,
      `unknown key "${prefix}${key}"`,
      didYouMean(key, known) ?? "it is ignored; remove it",
    );
  }
}

/** `HOST:PORT`; whether the host is known is found out when it is listened on. */
function addressProblem(address: string): string | null {
  const found = /^(?:\[[0-9A-Fa-f:.%]+\]|[^[\]:/\s]+):([0-9]+)$/.exec(address);
  if (found === null) return "not an address with a port";
  return Number(found[1]) > 65_535 ? "a port is a number up to 65535" : null;
}
