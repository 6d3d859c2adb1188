/** `oneup -- CMD ARG…`, a form of the verb `run`: one command, as init runs it. */
import type { Config } from "../../model/spec.ts";
import type { Input } from "../arguments.ts";
import { EXIT, usage } from "../failure.ts";
import { placeNamed, refuseSecond } from "../locate.ts";
import { type Session, wantsColours } from "../session.ts";
import { PLAIN } from "../supervise.ts";

const STOP_TIMEOUT_MS = 10_000;
const SHUTDOWN_TIMEOUT_MS = 60_000;

export function runCommand(session: Session, input: Input): number {
  const argv = input.rest ?? [];
  if (argv.length === 0 || argv[0] === "") throw usage("-- needs a command: oneup -- CMD ARG…", "run");
  if (input.words.length > 0) {
    throw usage(`either PATHs or a command, not both: "${input.words[0]}" stands before --`, "run");
  }
  if (session.json) throw usage("a command's output is its own: --json has no place here", "run");
  // An init for one command has a socket only if it is asked for by name.
  const place = placeNamed(session.host, session.socket);
  if (place !== null) refuseSecond(session.host, place);
  session.host.supervise({
    ...PLAIN,
    config: configFor(argv, input.duration("stop-timeout") ?? STOP_TIMEOUT_MS),
    brain: "brain",
    colour: wantsColours(session.host),
    socket: place?.socket ?? null,
    socketRequired: place !== null,
    single: true,
  });
  return EXIT.done;
}

function configFor(argv: readonly string[], stopTimeoutMs: number): Config {
  return {
    services: [
      {
        name: serviceName(argv[0] ?? ""),
        argv,
        main: true,
        restart: "never",
        stdio: "inherit",
        stop: { signal: "TERM", timeoutMs: stopTimeoutMs, evict: "stop", tree: true },
      },
    ],
    supervisor: {
      // The command and what it leaves behind each get the whole time.
      shutdownTimeoutMs: Math.max(SHUTDOWN_TIMEOUT_MS, 2 * stopTimeoutMs),
      single: true,
    },
  };
}

/** The command's last part, made into a name that a service may have. */
export function serviceName(command: string): string {
  const base = command.slice(command.lastIndexOf("/") + 1);
  const name = base
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 100);
  return name === "" ? "command" : name;
}
