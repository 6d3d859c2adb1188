import type { ConfigIssue } from "../../config/contract.ts";
import type { Input } from "../arguments.ts";
import { complainAbout, load } from "../configuration.ts";
import { EXIT, usage } from "../failure.ts";
import {
  isExplicit,
  type Place,
  placeToListen,
  refuseSecond,
  socketFits,
  strangersFolder,
} from "../locate.ts";
import { type Session, wantsColours } from "../session.ts";
import { PLAIN } from "../supervise.ts";
import type { Verb } from "../verb.ts";
import { plural } from "../words.ts";
import { runCommand } from "./run-command.ts";

export const run: Verb = {
  name: "run",
  group: "Run",
  summary: "supervise in the foreground",
  usage: ["run [PATH…]", "[run] [--stop-timeout DURATION] -- CMD ARG…"],
  detail: [
    "PATH is a file or a folder of files. Default: ./oneup.toml, then /etc/oneup/. TERM or Ctrl-C stops everything in order; a second one waits for nothing any more.",
    "With -- it runs one command as init does: reaps, forwards every signal, stops the command's whole tree, leaves with its exit code.",
    "With --json stdout gets a JSON record a line, as with log-format.",
    'Leaves with 0 after a shutdown that was asked for, with the main service\'s own code (128+n for a signal), 1 if a service with on-failure = "shutdown" failed or something could not be ended, 2 for a wrong configuration.',
  ],
  examples: ["oneup run", "oneup run services/ --socket /tmp/me.sock", "oneup -- node server.js"],
  options: ["stop-timeout"],
  takes: "paths",
  least: 0,
  most: Number.POSITIVE_INFINITY,
  run: (session, input) =>
    input.rest === null ? runConfiguration(session, input) : runCommand(session, input),
};

function runConfiguration(session: Session, input: Input): number {
  if (input.has("stop-timeout"))
    throw usage("--stop-timeout goes with a command: oneup --stop-timeout 10s -- CMD", "run");
  const loaded = load(session.host, input.words);
  complainAbout(session, loaded.warnings, "warning: ");
  if (!loaded.ok) {
    complainAbout(session, loaded.errors);
    if (session.json) session.document(configurationProblem(loaded.errors));
    return EXIT.usage;
  }
  const place = placeToListen(session.host, session.socket, loaded.root);
  refuseSecond(session.host, place);
  session.host.supervise({
    ...PLAIN,
    config: loaded.config,
    brain: "brain",
    colour: wantsColours(session.host),
    ...loaded.supervise,
    ...(session.json ? { consoleFormat: "json" } : {}),
    socket: usableSocket(session, place),
    socketRequired: isExplicit(place),
  });
  return EXIT.done;
}

function configurationProblem(errors: readonly ConfigIssue[]): unknown {
  const title = "Wrong usage or configuration";
  const detail = `the configuration has ${plural(errors.length, "error")}; nothing was started`;
  return { type: "about:blank", title, detail, exit_code: EXIT.usage, errors };
}

/** A default path that is too long or not safe costs the control verbs, and a message. */
function usableSocket(session: Session, place: Place): string | null {
  const folder = strangersFolder(session.host, place);
  if (folder !== null) {
    session.complain(
      `oneup: no control socket: ${folder} is not a folder of your own that only you can write to; remove it, or name a socket with --socket`,
    );
    return null;
  }
  if (socketFits(place.socket)) return place.socket;
  session.complain(
    `oneup: no control socket: its path would be too long: ${place.socket}; choose one with --socket`,
  );
  return null;
}
