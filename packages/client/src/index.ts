/** Client of oneup, the process supervisor. */
export { ConnectionError, OneupError, RpcError } from "./errors.ts";
export type { Target } from "./http.ts";
export { type EventOptions, type LogOptions, Oneup, SYSTEM_SOCKET, type WaitOptions } from "./oneup.ts";
export type * from "./types.ts";
export * from "./zinit.ts";
