import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";

export const shutdown: Verb = {
  name: "shutdown",
  about: "Shutdown the daemon (stops services, exits server)",
  examples: ["zinit shutdown"],
  run: shutDown,
};

export function shutDown(session: Session): void {
  session.call("system.shutdown");
  session.print("Shutting down zinit daemon...", "zinit daemon stopped");
}
