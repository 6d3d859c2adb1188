import type { Services } from "./services.ts";

/** What a handler works with: the services, and who asks. */
export interface Context {
  readonly services: Services;
  readonly caller: { readonly uid: number; readonly pid: number };
  /** Streams (`follow`) exist over HTTP only. */
  readonly transport: "http" | "jsonRpc" | "message";
}

/** For causes and events: who wanted this. */
export function because(context: Context): string {
  const { uid, pid } = context.caller;
  // Over TCP there is no peer to name, and none either for a process of another pid namespace.
  if (pid !== 0) return `asked by process ${pid} of user ${uid}`;
  return uid === 0 ? "asked over the socket" : `asked over the socket by user ${uid}`;
}
