/**
 * The program `zinit-pid1`: the init of a container or of a machine. It is the server itself, in
 * one process.
 */
import type { CliHost } from "../../../cli/host.ts";
import type { Command } from "../../common/command.ts";
import { parse } from "../../common/parse.ts";
import { Stop } from "../../common/usage.ts";
import { ownLines } from "./own-lines.ts";
import { SYSTEM_OWN_SERVICES, SYSTEM_SERVICES, SYSTEM_SOCKET, variable } from "./places.ts";
import { type Serving, serve } from "./serve.ts";
import { VERSION } from "./version.ts";

const PID1: Command<true> = {
  name: "zinit-pid1",
  about: "Init process (PID 1) that runs zinit-server",
  version: VERSION,
  flags: [
    {
      long: "container",
      short: "c",
      help: "Run in container mode (exit cleanly instead of reboot syscall)",
    },
  ],
  examples: ["zinit-pid1 --container"],
  run: true,
};

export function zinitPid1(host: CliHost, args: readonly string[]): number {
  const isInit = host.pid === 1;
  const named = host.environment.ZINIT_CONTAINER !== undefined;
  const wanted = isInit && !named ? leniently(args) : strictly(args);
  const container = named || wanted.container;
  const isMachine = isInit && !container;
  const log = ownLines(host, isDebug(host) ? "debug" : (variable(host, "ZINIT_LOG_LEVEL") ?? "info"));
  if (!isInit) log.write("warn", `Not running as PID 1 (pid=${host.pid})`);
  if (container) log.write("info", "Running in container mode");
  for (const argument of wanted.ignored) log.write("warn", `ignored: ${argument}`);
  return serve(host, log, {
    configDir: variable(host, "ZINIT_CONFIG_DIR") ?? SYSTEM_SERVICES,
    systemDir: isMachine ? SYSTEM_OWN_SERVICES : null,
    socket: variable(host, "ZINIT_SOCKET") ?? SYSTEM_SOCKET,
    pidOne: isInit,
    container,
    neverLeave: isMachine,
    signals: signals(isMachine),
    syslog: isMachine,
  });
}

/** Only who is PID 1 of a machine may end it. */
function signals(isMachine: boolean): Serving["signals"] {
  return {
    TERM: isMachine ? "poweroff" : "shutdown",
    INT: isMachine ? "reboot" : "shutdown",
    USR1: "renew",
    USR2: "ignore",
  };
}

interface Wanted {
  readonly container: boolean;
  readonly ignored: readonly string[];
}

function strictly(args: readonly string[]): Wanted {
  return { container: parse(PID1, [], args).input.has("container"), ignored: [] };
}

/** The kernel hands its init whatever it does not understand itself: no reason to panic. */
function leniently(args: readonly string[]): Wanted {
  try {
    return strictly(args);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const container = args.some((arg) => arg === "-c" || arg === "--container");
    return { container, ignored: args };
  }
}

/** `zinitdebug=1` on the kernel's command line. */
function isDebug(host: CliHost): boolean {
  const line = host.readFile("/proc/cmdline");
  return "text" in line && line.text.split(/\s+/).includes("zinitdebug=1");
}
