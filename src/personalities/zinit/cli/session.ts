/** One run of a verb: the server it talks to, and ways to answer. */

import type { CliHost, LineError } from "../../../cli/host.ts";
import { isObject } from "../../../model/objects.ts";
import { Failure } from "./failure.ts";

const CONNECT_TIMEOUT_MS = 3000;
const REPLY_TIMEOUT_MS = 5000;
/** For what ends processes: the server answers once they are gone. */
export const PATIENT_MS = 120_000;

const NOT_THERE = "Is zinit-server running?";

export class Session {
  readonly host: CliHost;
  readonly socket: string;

  constructor(host: CliHost, socket: string) {
    this.host = host;
    this.socket = socket;
  }

  /** The result of a method. */
  call(method: string, params?: unknown, timeoutMs = REPLY_TIMEOUT_MS): unknown {
    const answer = this.host.callLine({
      socket: this.socket,
      text: JSON.stringify({ jsonrpc: "2.0", id: 1, method, ...(params === undefined ? {} : { params }) }),
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      timeoutMs,
    });
    if ("error" in answer) throw unreachable(answer);
    return resultOf(answer.text);
  }

  /** Lines on stdout. */
  print(...lines: readonly string[]): void {
    if (lines.length > 0) this.host.write(1, `${lines.join("\n")}\n`);
  }
}

function unreachable(answer: LineError): Failure {
  if (!answer.connected) {
    const why =
      answer.error === "ETIMEDOUT"
        ? "Connection to zinit server timed out (server not running?)"
        : "Failed to connect to Unix socket";
    return new Failure(
      `Failed to connect to zinit daemon: Failed to connect to zinit server: ${why}`,
      NOT_THERE,
    );
  }
  return answer.error === "ETIMEDOUT"
    ? new Failure("Failed to connect to zinit server: connection timed out (server not running?)")
    : new Failure(`The server ended the connection without an answer: ${answer.message}`);
}

function resultOf(text: string): unknown {
  const answer = parsed(text);
  if (!isObject(answer)) throw new Failure("Failed to parse response");
  if (isObject(answer.error)) {
    const { message } = answer.error;
    throw new Failure(typeof message === "string" ? message : "Failed to parse response");
  }
  return answer.result ?? null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
