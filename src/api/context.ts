import type { Services } from "./services.ts";

/** What a handler works with: the services, and who asks. */
export interface Context {
  readonly services: Services;
  readonly caller: { readonly uid: number; readonly pid: number };
  /** Streams (`follow`) exist over HTTP only. */
  readonly transport: "http" | "jsonRpc";
}

/** For causes and events: who wanted this. */
export function because(context: Context): string {
  const { uid, pid } = context.caller;
  // Over TCP there is no peer process to name: a token was checked instead.
  return uid === 0 && pid === 0 ? "asked over TCP" : `asked by process ${pid} of user ${uid}`;
}
