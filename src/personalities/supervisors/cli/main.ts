/** Entry of the program `supervisors`: reads its one file and becomes the supervisor of its programs. */
import type { CliHost } from "../../../cli/host.ts";
import { PLAIN } from "../../../cli/supervise.ts";
import type { ConfigIssue, SupervisorsInput, SupervisorsOutput } from "../../../config/contract.ts";
import type { Config } from "../../../model/spec.ts";
import type { Command } from "../../common/command.ts";
import { parse } from "../../common/parse.ts";
import { Stop, tellStop } from "../../common/usage.ts";
import type { SupervisorsPersonality } from "../personality.ts";

declare const host: CliHost;

/** The one whose place it takes. */
const VERSION = "0.1.4";
const FILE = "supervisors.toml";
/** A wrong configuration, or an address that cannot be had. */
const REFUSED = 101;
/** For all programs together; each gets KILL after its own five seconds. */
const SHUTDOWN_TIMEOUT_MS = 8000;

const SUPERVISORS: Command<true> = {
  name: "supervisors",
  about: "Runs the programs of a TOML file, and says over HTTP which of them are running",
  version: VERSION,
  flags: [
    {
      long: "configfile",
      short: "c",
      value: "CONFIGFILE",
      fallback: FILE,
      help: "The file with the programs",
    },
  ],
  run: true,
};

/** The whole program; returns the exit code, unless it becomes a supervisor. */
function run(host: CliHost): number {
  try {
    const { input } = parse(SUPERVISORS, [], host.argv.slice(1));
    return start(host, input.value("configfile") ?? FILE);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return tellStop(host, error);
  }
}

function start(host: CliHost, file: string): number {
  const ask: SupervisorsInput = { supervisors: file, cwd: host.cwd };
  const loaded: SupervisorsOutput = JSON.parse(host.loadConfig("config-all", JSON.stringify(ask)));
  if ("unreadable" in loaded) {
    host.write(2, `Failed to read config: ${loaded.unreadable}\n`);
    return REFUSED;
  }
  if ("errors" in loaded) {
    for (const issue of loaded.errors) host.write(2, `Invalid config format: ${issueText(issue)}\n`);
    return REFUSED;
  }
  supervise(host, loaded.services, loaded.listen);
  return 0;
}

function issueText({ file, line, column, message, hint }: ConfigIssue): string {
  const place = line === null ? file : `${file}:${line}:${column}`;
  return `${place}: ${message}${hint === null ? "" : ` (${hint})`}`;
}

function supervise(host: CliHost, services: Config["services"], listen: string): void {
  const personality: SupervisorsPersonality = { listen };
  const config: Config = {
    services,
    supervisor: {
      shutdownTimeoutMs: SHUTDOWN_TIMEOUT_MS,
      single: false,
      // Whose terminal has gone leaves, and not without its programs; for PID 1 it has never meant anything.
      signals: { HUP: host.pid === 1 ? "ignore" : "shutdown" },
    },
    personality,
  };
  host.supervise({
    ...PLAIN,
    config,
    brain: "supervisors-brain",
    listen: listen === "" ? null : { address: listen, tokenFile: null },
    refusedCode: REFUSED,
  });
}

Object.assign(globalThis, { main: () => run(host) });
