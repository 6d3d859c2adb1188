/** What is particular about a program of supervisors, in the model's fields. */
import { absolutePath } from "../../config/paths.ts";
import { DEFAULTS } from "../../model/defaults.ts";
import type { SparseSpec } from "../../model/spec.ts";
import { type Draft, sparse } from "../sparse.ts";
import type { Program } from "./decode.ts";

/** From every end to the next start. */
const RESTART_MS = 3000;
/** From TERM to KILL. */
const STOP_MS = 5000;
/** Of a new log file; the umask goes off it. */
const LOG_MODE = 0o666;

/** `cwd`: where it is started from, which is where relative paths begin. */
export function specOf({ name, command, args, autorestart, logfile }: Program, cwd: string): SparseSpec {
  const draft: Draft = {
    argv: [command, ...args],
    stdin: "inherit",
    stdout: { type: "own", stream: "stdout" },
    stderr: { type: "own", stream: "stderr" },
    restart: autorestart ? "always" : "never",
    restartDelayMs: RESTART_MS,
    restartDelayMaxMs: RESTART_MS,
    restartJitter: 0,
    restartUnstartable: true,
    // What a program has put into a session of its own lives on, as it did.
    stop: { ...DEFAULTS.stop, timeoutMs: STOP_MS, tree: false },
  };
  if (logfile !== null) {
    draft.stdout = { type: "file", path: absolutePath(logfile, cwd), mode: LOG_MODE };
    draft.stderr = { type: "same" };
  }
  return sparse(name, draft);
}
