import { Failure } from "../failure.ts";
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
  run: (session, input) => runScripts(session, input.word(0) ?? ""),
};

/** A script, or all scripts of a folder; also by `zinit PATH`. */
export function runScripts(_session: Session, path: string): void {
  throw new Failure(`${path}: Rhai scripts are not supported yet`);
}
