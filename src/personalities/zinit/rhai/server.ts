/** A zinit server, as scripts talk to it. */

import type { CliHost, LineError } from "../../../cli/host.ts";
import { isObject } from "../../../model/objects.ts";

const CONNECT_MS = 3000;
const REPLY_MS = 5000;
/** For what ends processes: the server answers once they are gone. */
const PATIENT_MS = 120_000;

const PATIENT = ["service.stop", "service.restart", "service.delete", "service.set"];

/** What the script hears; it may catch it. */
export class ScriptError extends Error {}

/** The server's own error. */
export class ServerError extends ScriptError {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export class Server {
  readonly host: CliHost;
  readonly socket: string;

  constructor(host: CliHost, socket: string) {
    this.host = host;
    this.socket = socket;
  }

  call(method: string, params: Readonly<Record<string, unknown>> = {}): unknown {
    const answer = this.host.callLine({
      socket: this.socket,
      text: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      connectTimeoutMs: CONNECT_MS,
      timeoutMs: PATIENT.includes(method) ? PATIENT_MS : REPLY_MS,
    });
    if ("error" in answer) throw new ScriptError(unreachable(answer));
    let parsed: unknown = null;
    try {
      parsed = JSON.parse(answer.text);
    } catch {
      // It stays no answer.
    }
    if (!isObject(parsed)) throw new ScriptError("Failed to parse response");
    if (!isObject(parsed.error)) return parsed.result ?? null;
    const { code, message } = parsed.error;
    throw new ServerError(
      typeof code === "number" ? code : 0,
      (typeof message === "string" ? message : "Failed to parse response") + errorsOf(parsed.error.data),
    );
  }
}

/** What exactly a validation found. */
function errorsOf(data: unknown): string {
  if (!isObject(data) || !Array.isArray(data.errors) || data.errors.length === 0) return "";
  return `: ${data.errors.join(", ")}`;
}

function unreachable(answer: LineError): string {
  const lead = "Failed to connect to zinit server: ";
  if (answer.error === "ETIMEDOUT") return `${lead}connection timed out (server not running?)`;
  return answer.connected
    ? `the server ended the connection without an answer: ${answer.message}`
    : `${lead}Failed to connect to Unix socket`;
}
