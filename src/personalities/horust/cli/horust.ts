/** The program `horust`: reads service files, or takes one command, and becomes their supervisor. */
import type { CliHost } from "../../../cli/host.ts";
import { absolute } from "../../../cli/locate.ts";
import { PLAIN } from "../../../cli/supervise.ts";
import type { HorustCommand, HorustLoadInput, HorustLoadOutput } from "../../../config/contract.ts";
import type { Config } from "../../../model/spec.ts";
import type { Command, Input } from "../../common/command.ts";
import type { OwnLines } from "../../common/own-lines.ts";
import { parse } from "../../common/parse.ts";
import type { HorustPersonality } from "../personality.ts";
import { Failure } from "./failure.ts";
import { ownLines } from "./own-lines.ts";
import { SAMPLE } from "./sample.ts";
import { CONFIG_PATH, readSettings } from "./settings.ts";

export const SOCKETS = "/var/run/horust";
const SERVICES = "/etc/horust/services";

/** What `horust` leaves with if a service has failed and that is to show. */
const FAILED = 101;
const LOOK_MS = 1000;
/** Each service has its own time; there is no other. */
const SHUTDOWN_TIMEOUT_MS = 315_360_000_000;

const HORUST: Command<true> = {
  name: "horust",
  about: "Supervises processes: those of service files, or one command",
  flags: [
    {
      long: "config-path",
      value: "PATH",
      fallback: CONFIG_PATH,
      help: "The supervisor's own settings; the file need not be there",
    },
    {
      long: "unsuccessful-exit-finished-failed",
      help: "Leave with 101 if a service has failed for good",
    },
    { long: "sample-service", help: "Print a service file in which every key is explained" },
    {
      long: "services-path",
      value: "PATH",
      many: true,
      fallback: SERVICES,
      help: "A service file, or a folder of them; may be given again",
    },
    {
      long: "uds-folder-path",
      value: "PATH",
      fallback: SOCKETS,
      help: "Where the socket for horustctl goes; made if it is missing",
    },
  ],
  words: [{ name: "COMMAND", rest: true, help: "Run this instead of services, with what follows it" }],
  examples: [
    "horust --services-path ./services --uds-folder-path /tmp",
    "horust -- bash -c 'echo hello world'",
  ],
  run: true,
};

export function horust(host: CliHost, args: readonly string[]): number {
  const { input } = parse(HORUST, [], args);
  if (input.has("sample-service")) {
    host.write(1, SAMPLE);
    return 0;
  }
  const log = ownLines(host);
  const config = input.value("config-path") ?? CONFIG_PATH;
  const tells =
    readSettings(host, absolute(host.cwd, config)) || input.has("unsuccessful-exit-finished-failed");
  const services = load(host, log, input);
  supervise(host, log, services, tells ? FAILED : 0, socketPath(host, log, input));
  return 0;
}

/** One word may be a whole command line; several are words as they are. */
function commandOf(words: readonly string[]): HorustCommand | null {
  const [first] = words;
  if (first === undefined) return null;
  const line = words.join(" ");
  return { name: line, line, words: words.length === 1 ? null : words };
}

function load(host: CliHost, log: OwnLines, input: Input): HorustLoadOutput["services"] {
  const command = commandOf(input.words);
  const paths = input.has("services-path") ? input.values("services-path") : [SERVICES];
  const ask: HorustLoadInput = {
    horust: "load",
    cwd: host.cwd,
    environment: host.environment,
    paths,
    ...(command === null ? {} : { command }),
  };
  const loaded: HorustLoadOutput = JSON.parse(host.loadConfig("config-all", JSON.stringify(ask)));
  for (const { level, text } of loaded.troubles) log.write(level, text);
  const [first, ...more] = loaded.refused;
  if (first === undefined) return loaded.services;
  if (more.length === 0) throw new Failure(first);
  throw new Failure("The services cannot be started", loaded.refused.join("\n"));
}

/** `null`: there is none to be had, and horustctl has to do without. */
function socketPath(host: CliHost, log: OwnLines, input: Input): string | null {
  const given = input.value("uds-folder-path");
  const folder = absolute(host.cwd, given ?? SOCKETS);
  const problem = folderProblem(host, folder);
  if (problem === null) {
    const path = `${folder}/horust-${host.pid}.sock`;
    if (!isTaken(host, path)) return path;
    log.write("warn", `no socket for horustctl: another horust listens at ${path}`);
    return null;
  }
  const text = `no socket for horustctl: ${folder}: ${problem}`;
  if (given !== null) throw new Failure(text, null, FAILED);
  log.write("warn", text);
  return null;
}

/** In a folder that several containers share, each of them may have the same process id. */
function isTaken(host: CliHost, path: string): boolean {
  if ("error" in host.stat(path)) return false;
  const answer = host.callMessage({ socket: path, bytes: "", timeoutMs: LOOK_MS });
  return !("error" in answer) || answer.connected;
}

function folderProblem(host: CliHost, folder: string): string | null {
  const error = host.makeFolder(folder);
  if (error !== null) return error.message;
  const status = host.stat(folder);
  if ("error" in status) return status.message;
  return status.kind === "folder" ? null : "it is no folder";
}

function supervise(
  host: CliHost,
  log: OwnLines,
  services: HorustLoadOutput["services"],
  failedExitCode: number,
  socket: string | null,
): void {
  const personality: HorustPersonality = { silent: log.silent };
  const config: Config = {
    services,
    supervisor: {
      shutdownTimeoutMs: SHUTDOWN_TIMEOUT_MS,
      single: false,
      leaveWhenDone: true,
      failedExitCode,
      // Whose terminal has gone leaves in order; for PID 1 it has never meant anything.
      signals: { HUP: host.pid === 1 ? "ignore" : "shutdown" },
    },
    personality,
  };
  host.supervise({
    ...PLAIN,
    config,
    brain: "horust-brain",
    socket,
    speech: "message",
    ownLog: log.settings,
  });
}
