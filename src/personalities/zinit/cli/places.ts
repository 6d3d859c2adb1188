/** Where everything is: sockets and folders of these programs. */
import type { CliHost } from "../../../cli/host.ts";

export const SYSTEM_SOCKET = "/run/zinit.sock";
export const SYSTEM_SERVICES = "/etc/zinit/services";
/** Services that come first and are spared by requests about all services. */
export const SYSTEM_OWN_SERVICES = "/etc/zinit/system";

type Machine = Pick<CliHost, "environment" | "stat">;

/** Which server a verb talks to. */
export function socketToAsk(host: Machine, option: string | null): string {
  const named = option ?? variable(host, "ZINIT_SOCKET");
  if (named !== null) return named;
  return "error" in host.stat(SYSTEM_SOCKET) ? userSocket(host) : SYSTEM_SOCKET;
}

export function userSocket(host: Pick<Machine, "environment">): string {
  const home = variable(host, "HOME");
  return home === null ? "/tmp/zinit.sock" : `${home}/hero/var/zinit.sock`;
}

export function userServices(host: Pick<Machine, "environment">): string {
  const home = variable(host, "HOME");
  return home === null ? "/tmp/zinit/services" : `${home}/hero/cfg/zinit`;
}

/** A variable of the environment, if it says anything. */
export function variable(host: Pick<Machine, "environment">, name: string): string | null {
  const value = host.environment[name] ?? "";
  return value === "" ? null : value;
}
