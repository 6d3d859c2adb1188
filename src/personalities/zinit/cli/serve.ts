/** Becoming a server: what zinit-server and zinit-pid1 have in common. */
import type { CliHost } from "../../../cli/host.ts";
import { absolute } from "../../../cli/locate.ts";
import { PLAIN } from "../../../cli/supervise.ts";
import type { ZinitLoadInput, ZinitLoadOutput } from "../../../config/contract.ts";
import type { Config } from "../../../model/spec.ts";
import type { OwnLines } from "../../common/own-lines.ts";
import { objection, type Successor, statePath } from "../former.ts";
import { withNumber } from "./errno.ts";
import { Failure } from "./failure.ts";
import { variable } from "./places.ts";

/** Who may talk to the server: its user and group. */
const SOCKET_MODE = 0o660;
/** For all services together; each has a timeout of its own, and KILL after it. */
const SHUTDOWN_TIMEOUT_MS = 600_000;
const SYSLOG = "/dev/log";

export interface Serving {
  readonly configDir: string;
  /** Folder of services that come first; `null`: none. */
  readonly systemDir: string | null;
  readonly socket: string;
  /** A machine or a container rests on this process. */
  readonly pidOne: boolean;
  readonly container: boolean;
  /** Its end would be the kernel's: it goes on without what it cannot have. */
  readonly neverLeave: boolean;
  readonly signals: Config["supervisor"]["signals"];
  /** Log messages of programs that know no other place for them. */
  readonly syslog: boolean;
}

export function serve(host: CliHost, log: OwnLines, serving: Serving): number {
  const configDir = absolute(host.cwd, serving.configDir);
  const socket = absolute(host.cwd, serving.socket);
  log.write(
    "info",
    `starting zinit-server config_dir=${configDir} socket=${socket} pid1_mode=${serving.systemDir !== null}`,
  );
  makeFolders(host, log, serving, [folderOf(socket), configDir]);
  const places = { configDir: straight(host, configDir), systemDir: serving.systemDir };
  const loaded = load(host, log, serving, { zinit: "load", ...places });
  const config: Config = {
    services: loaded.services,
    ...(loaded.proxies === undefined ? {} : { proxies: loaded.proxies }),
    supervisor: {
      shutdownTimeoutMs: SHUTDOWN_TIMEOUT_MS,
      single: false,
      ...(serving.signals === undefined ? {} : { signals: serving.signals }),
    },
    personality: {
      ...places,
      socket,
      renews: serving.signals?.USR1 === "renew",
      pidOne: serving.pidOne,
      container: serving.container,
    },
  };
  const syslog = serving.syslog && variable(host, "ZINIT_SYSLOG") !== "0";
  if (!syslog) log.write("debug", "log messages of other programs are not received (no syslog)");
  host.supervise({
    ...PLAIN,
    config,
    brain: "zinit-brain",
    socket,
    socketMode: SOCKET_MODE,
    speech: "lines",
    socketRequired: !serving.neverLeave,
    ownLog: log.settings,
    syslog: syslog ? SYSLOG : null,
    neverLeave: serving.neverLeave,
    ...leftFor(host, log, { configDir: places.configDir, socket, now: host.now() }),
  });
  return 0;
}

/** Without `..`, through which no configuration file is written. */
function straight(host: CliHost, folder: string): string {
  if (!folder.split("/").includes("..")) return folder;
  const real = host.realPath(folder);
  return "error" in real ? folder : real.path;
}

/** What a server before this one has left for it. */
function leftFor(host: CliHost, log: OwnLines, successor: Successor): { readonly adopt?: string } {
  const adopt = statePath(successor.socket);
  const file = host.readFile(adopt);
  if ("error" in file) return {};
  const reason = objection(file.text, successor);
  if (reason === null) return { adopt };
  log.write("warn", `${adopt} is ignored: ${reason}`);
  return {};
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

function makeFolders(host: CliHost, log: OwnLines, serving: Serving, folders: readonly string[]): void {
  for (const folder of folders) {
    const error = host.makeFolder(folder);
    if (error === null) continue;
    const text = `${folder} cannot be made: ${withNumber(error)}`;
    if (!serving.neverLeave) throw new Failure(text);
    log.write("error", text);
  }
}

function load(host: CliHost, log: OwnLines, serving: Serving, input: ZinitLoadInput): ZinitLoadOutput {
  try {
    const loaded: ZinitLoadOutput = JSON.parse(host.loadConfig("config-all", JSON.stringify(input)));
    for (const warning of loaded.warnings) log.write("warn", warning);
    log.write(
      "info",
      `loaded service graph config_dir=${input.configDir} total_services=${loaded.services.length} config_errors=${loaded.missing.length}`,
    );
    return loaded;
  } catch (error) {
    if (!serving.neverLeave) throw error;
    // Without services it can at least be talked to.
    log.write(
      "error",
      `the services cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
    return { services: [], warnings: [], missing: [], cycles: [] };
  }
}
