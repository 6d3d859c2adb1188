/** The program `zinit`. */
import type { CliHost } from "../../../cli/host.ts";
import type { Flag } from "../../common/command.ts";
import { parse } from "../../common/parse.ts";
import { socketToAsk } from "./places.ts";
import { Session } from "./session.ts";
import type { Verb } from "./verb.ts";
import { VERBS } from "./verbs/index.ts";
import { runScripts } from "./verbs/rhai.ts";
import { VERSION } from "./version.ts";

const LONG = `zinit is a process supervisor with dependency management, similar to systemd but simpler.

Examples:
  zinit list                    # List all services
  zinit status nginx            # Show nginx service status
  zinit start --tree myapp      # Start myapp and its dependencies
  zinit why myapp               # Show why myapp is blocked
  zinit tree                    # Show dependency tree
  zinit tui                     # Launch interactive TUI (if enabled)`;

const ROOT: Verb = {
  name: "zinit",
  about: "Process supervisor with dependency management",
  long: LONG,
  version: VERSION,
  commands: VERBS,
};

const SOCKET: Flag = {
  long: "socket",
  short: "s",
  value: "SOCKET",
  help: "Socket path (default: auto-detect)",
};

export function zinit(host: CliHost, args: readonly string[]): number {
  const [first = ""] = args;
  if (isScript(host, first)) {
    runScripts(new Session(host, socketToAsk(host, null)), first);
    return 0;
  }
  const { command, input } = parse(ROOT, [SOCKET], args);
  command.run?.(new Session(host, socketToAsk(host, input.value("socket"))), input);
  return 0;
}

/** `zinit setup.rhai`, also by a script's first line, and `zinit DIR` with scripts in it. */
function isScript(host: CliHost, path: string): boolean {
  if (path === "" || path.startsWith("-")) return false;
  const status = host.stat(path);
  if ("error" in status) return false;
  if (status.kind === "file") return path.endsWith(".rhai");
  if (status.kind !== "folder") return false;
  const folder = host.readFolder(path);
  return "names" in folder && folder.names.some((name) => name.endsWith(".rhai"));
}
