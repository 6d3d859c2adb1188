/** Asking PID 1 to end the machine. It needs no server that answers. */
import type { CliHost } from "../../../cli/host.ts";
import { Failure } from "./failure.ts";
import type { Session } from "./session.ts";
import { shutDown } from "./verbs/shutdown.ts";

export function endMachine(session: Session, what: string, signal: string): void {
  if (!isInit(session.host)) {
    session.print("zinit is not running as PID 1 - stopping daemon only");
    shutDown(session);
    return;
  }
  const error = session.host.signal(1, signal);
  if (error !== null) throw new Failure(`Failed to signal init: ${error.message}`);
  session.print(`${what} signal sent to init`);
}

/** The program's file may be called otherwise, as several names lead to it; then the name it was
 * called by tells. */
function isInit(host: CliHost): boolean {
  const file = host.realPath("/proc/1/exe");
  if ("path" in file && file.path.includes("zinit")) return true;
  const command = host.readFile("/proc/1/cmdline");
  if ("error" in command) return false;
  const [called = ""] = command.text.split("\0");
  return called.slice(called.lastIndexOf("/") + 1).startsWith("zinit");
}
