/** The program `zinit-server`. */
import type { CliHost } from "../../../cli/host.ts";
import type { Command, Input } from "../../common/command.ts";
import { parse } from "../../common/parse.ts";
import { ownLines } from "./own-lines.ts";
import {
  SYSTEM_OWN_SERVICES,
  SYSTEM_SERVICES,
  SYSTEM_SOCKET,
  userServices,
  userSocket,
  variable,
} from "./places.ts";
import { serve } from "./serve.ts";
import { VERSION } from "./version.ts";

const SERVER: Command<(host: CliHost, input: Input) => number> = {
  name: "zinit-server",
  about: "Process supervisor with dependency management",
  version: VERSION,
  flags: [
    {
      long: "config-dir",
      short: "c",
      value: "CONFIG_DIR",
      help: "Configuration directory containing service definitions. Defaults to $ZINIT_CONFIG_DIR, else ~/hero/cfg/zinit (standalone) or /etc/zinit/services (pid1 mode)",
    },
    {
      long: "socket",
      short: "s",
      value: "SOCKET",
      help: "Path to the Unix socket for IPC. Defaults to $ZINIT_SOCKET, else ~/hero/var/zinit.sock (standalone) or /run/zinit.sock (pid1 mode)",
    },
    {
      long: "log-level",
      value: "LOG_LEVEL",
      fallback: "info",
      help: "Log level (trace, debug, info, warn, error)",
    },
    {
      long: "pid1-mode",
      help: "PID1 mode: load system services from /etc/zinit/system first. System services are protected from bulk operations",
    },
  ],
  examples: ["zinit-server --config-dir /etc/zinit/services --socket /run/zinit.sock"],
  run: runServer,
};

export function zinitServer(host: CliHost, args: readonly string[]): number {
  const { input } = parse(SERVER, [], args);
  return runServer(host, input);
}

function runServer(host: CliHost, input: Input): number {
  const pid1Mode = input.has("pid1-mode");
  const level = input.value("log-level") ?? variable(host, "ZINIT_LOG_LEVEL") ?? "info";
  const configDir = input.value("config-dir") ?? variable(host, "ZINIT_CONFIG_DIR");
  const socket = input.value("socket") ?? variable(host, "ZINIT_SOCKET");
  const isInit = host.pid === 1;
  return serve(host, ownLines(host, level), {
    configDir: configDir ?? (pid1Mode ? SYSTEM_SERVICES : userServices(host)),
    systemDir: pid1Mode ? SYSTEM_OWN_SERVICES : null,
    socket: socket ?? (pid1Mode ? SYSTEM_SOCKET : userSocket(host)),
    pidOne: isInit || pid1Mode,
    container: false,
    neverLeave: false,
    signals: undefined,
    syslog: isInit || pid1Mode,
  });
}
