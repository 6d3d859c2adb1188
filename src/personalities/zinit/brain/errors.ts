/** Errors as zinit's clients know them. */
import type { RpcError } from "../../../api/jsonrpc.ts";

const CODES = {
  parse: -32700,
  method: -32601,
  params: -32602,
  internal: -32603,
  notFound: -32000,
  exists: -32010,
} as const;

export function failure(kind: keyof typeof CODES, message: string): RpcError {
  return { code: CODES[kind], message };
}

/** Of what only looks. */
export const SERVICE_NOT_FOUND = failure("notFound", "service not found");

/** Of what acts. */
export function noSuchService(name: string): RpcError {
  return failure("internal", `service not found: ${name}`);
}
