import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";

export const rhai: Verb = {
  name: "rhai",
  about: "Run Rhai scripts for service automation",
  words: [
    {
      name: "PATH",
      required: true,
      help: "Script file or directory containing .rhai scripts",
      takes: "files",
    },
  ],
  examples: ["zinit rhai setup.rhai"],
  run: (session, input) => {
    // Before anything is run, it is clear that there is a server.
    session.call("system.ping");
    runScripts(session, input.word(0) ?? "");
  },
};

/** A script, or all scripts of a folder; also by `zinit PATH`. They run when the verb returns. */
export function runScripts(session: Session, path: string): void {
  session.host.become(["zinit", session.socket, path], "zinit-rhai");
}
