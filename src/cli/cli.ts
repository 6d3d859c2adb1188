/** The command line: which verb, and what becomes of a failure. */
import { isPersonality } from "../personalities/index.ts";
import { check, type Input, parse } from "./arguments.ts";
import { EXIT, Failure } from "./failure.ts";
import { generalHelp, verbHelp } from "./help.ts";
import type { CliHost } from "./host.ts";
import { harmless, Session } from "./session.ts";
import type { Verb } from "./verb.ts";
import { VERBS } from "./verbs/index.ts";
import { run as runVerb } from "./verbs/run.ts";
import { status } from "./verbs/status.ts";
import { version } from "./verbs/version.ts";

/** The whole program: looks at its own name and arguments, returns the exit code. */
export function run(host: CliHost): number {
  const [called = "oneup", ...args] = host.argv;
  const name = called.slice(called.lastIndexOf("/") + 1);
  if (isPersonality(name)) {
    // Those that are there have a command-line program of their own.
    host.write(2, `${name}: not supported yet\n`);
    return EXIT.usage;
  }
  try {
    const { verb, input } = parse(args, VERBS);
    return perform(host, verb, input);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return report(host, args, error);
  }
}

function perform(host: CliHost, given: Verb | null, input: Input): number {
  const session = new Session(host, input);
  if (input.has("help")) {
    const width = host.columns();
    session.print(given === null ? generalHelp(VERBS, width) : verbHelp(given, width));
    return EXIT.done;
  }
  const verb = given ?? verbByDefault(session, input);
  if (verb === null) {
    session.print(generalHelp(VERBS, host.columns()));
    return EXIT.done;
  }
  // What follows `--` is a command for `run`, and for any other verb an argument like any.
  if (verb.name !== "run" && verb.raw !== true) input.words.push(...(input.rest ?? []));
  check(verb, input);
  return verb.run(session, input);
}

/** As PID 1 there is something to supervise; else whoever supervises is asked; else help. */
function verbByDefault(session: Session, input: Input): Verb | null {
  if (input.has("version")) {
    input.options.delete("version");
    return version;
  }
  if (input.rest !== null || session.host.pid === 1) return runVerb;
  return session.client().present() ? status : null;
}

/** The one message of a failure; with --json also the document that scripts read. */
function report(host: CliHost, args: readonly string[], failure: Failure): number {
  host.write(2, `oneup: ${harmless(failure.message, false)}\n`);
  if (failure.hint !== null) host.write(2, `  ${harmless(failure.hint, false)}\n`);
  const end = args.indexOf("--");
  const ours = end < 0 ? args : args.slice(0, end);
  if (ours.includes("--json")) host.write(1, `${JSON.stringify(documentOf(failure))}\n`);
  return failure.exit;
}

const TITLES: Readonly<Record<number, string>> = {
  [EXIT.usage]: "Wrong usage or configuration",
  [EXIT.noSuchService]: "No such service",
  [EXIT.noSupervisor]: "No supervisor",
  [EXIT.timedOut]: "Time ran out",
};

function documentOf(failure: Failure): unknown {
  if (failure.problem !== null) return failure.problem;
  const title = TITLES[failure.exit] ?? "It failed";
  return { type: "about:blank", title, detail: failure.message, exit_code: failure.exit };
}
