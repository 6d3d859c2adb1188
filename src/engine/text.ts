/** Sentences for people: lower case, no full stop, so that they can stand inside one another. */
import type { Exit, Receipt, ReceiptProcess, SpawnFailure } from "../generated/protocol.ts";
import type { HttpCondition, ProbeCondition, ReadyCondition } from "../model/spec.ts";

/** As durations are written in the configuration: `30s`, `1m`, `1.5s`, `100ms`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return `${Math.round(ms / 100) / 10}s`;
}

/** A time that is left, as people say it: `12s`, `5m`, `3h 12m`, `2d 3h`. */
export function leftText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return withRest(`${hours}h`, minutes % 60, "m");
  return withRest(`${Math.floor(hours / 24)}d`, hours % 24, "h");
}

function withRest(most: string, rest: number, unit: string): string {
  return rest === 0 ? most : `${most} ${rest}${unit}`;
}

export function exitText(exit: Exit): string {
  if ("unknown" in exit) return "ended while another supervisor was to watch it";
  return "code" in exit ? `exited with code ${exit.code}` : `killed by signal ${exit.signal}`;
}

export function failureText(failure: SpawnFailure): string {
  const errno = failure.error === "" ? "" : ` (${failure.error})`;
  return `cannot start: ${failure.step}: ${failure.message}${errno}`;
}

export function processesText(count: number): string {
  return count === 1 ? "1 process" : `${count} processes`;
}

/** At most three names, then how many more. */
export function namesText(names: readonly string[]): string {
  if (names.length <= 1) return names[0] ?? "";
  if (names.length <= 3) return `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
  return `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}

export function conditionText(condition: ReadyCondition): string {
  switch (condition.type) {
    case "tcp":
      return `${condition.host}:${condition.port} to accept a connection`;
    case "exec":
      return `${condition.argv[0] ?? "its probe"} to succeed`;
    case "file":
      return `file ${condition.path}`;
    case "http":
      return `${addressText(condition)} to answer`;
    case "notify":
      return condition.way === "socket" ? "its READY=1" : `a line on its descriptor ${condition.fd}`;
    case "listen":
      return "a listening socket";
    case "health":
      return "its health checks to say that it is well";
    case "log":
      return `a log line that matches ${condition.pattern}`;
    case "delay":
      return `${durationText(condition.ms)} to pass`;
  }
}

/** Without the query, which may hold a secret. */
function addressText({ tls, host, port, path }: HttpCondition): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${tls ? "https" : "http"}://${name}:${port}${path.replace(/\?.*/, "")}`;
}

/** What a probe looks at, before what it found. */
export function probeText(condition: ProbeCondition): string {
  switch (condition.type) {
    case "tcp":
      return `tcp ${condition.host}:${condition.port}`;
    case "http":
      return addressText(condition);
    case "exec":
      return condition.argv[0] ?? "its probe";
    case "file":
      return `file ${condition.path}`;
  }
}

/** One process of a receipt as a line. */
export function receiptLine(process: ReceiptProcess): string {
  const end =
    process.left_ms === null
      ? "did not leave"
      : `left after ${Math.round(process.left_ms)} ms${process.exit === null ? "" : `, ${exitText(process.exit)}`}`;
  const signals = process.signals.length === 0 ? "no signal" : process.signals.join(", ");
  return `pid ${process.pid} (${process.command}) got ${signals}, ${end}`;
}

/** How the cause begins of what was stopped in vain. */
export const NOT_ENDED = "could not be ended";

export function survivorsText(receipt: Receipt): string {
  const left = receipt.processes.filter((process) => process.left_ms === null);
  if (left.length === 0) return `${NOT_ENDED}: something of it is still there`;
  const names = left.map((process) => `pid ${process.pid} (${process.command})`);
  return `${NOT_ENDED}: ${namesText(names)} ${left.length === 1 ? "is" : "are"} still there`;
}
