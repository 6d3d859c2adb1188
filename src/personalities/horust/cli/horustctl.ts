/** The program `horustctl`: asks a running `horust` about its services, and to start and stop them. */
import type { CliHost } from "../../../cli/host.ts";
import { absolute } from "../../../cli/locate.ts";
import type { Command, Flag, Input, Word } from "../../common/command.ts";
import { parse } from "../../common/parse.ts";
import {
  decodeResponse,
  encodeRequest,
  type NamedStatus,
  type Request,
  type Response,
  type Status,
} from "../messages.ts";
import { Malformed } from "../wire.ts";
import { Failure } from "./failure.ts";
import { SOCKETS } from "./horust.ts";

const VERSION = "0.1.14";
const TIMEOUT_MS = 10_000;
/** Where the socket cannot be found. */
const NO_SOCKET = 101;

const COMMON: readonly Flag[] = [
  { long: "pid", short: "p", value: "PID", number: "u32", help: "The process id of the horust to talk to" },
  {
    long: "uds-folder-path",
    short: "u",
    value: "DIR",
    fallback: `${SOCKETS}/`,
    help: "The folder that horust keeps its socket in",
  },
  { long: "socket-path", value: "FILE", help: "The socket itself, instead of looking for it" },
];

type Run = (session: Session, input: Input) => void;

const NAME: Word = { name: "SERVICE", required: true, help: "The service's name" };

const CTL: Command<Run> = {
  name: "horustctl",
  about: "Asks a running horust about its services, and to start and stop them",
  version: VERSION,
  examples: ["horustctl --uds-folder-path /tmp status", "horustctl restart web.toml"],
  commands: [
    {
      name: "status",
      about: "The state of one service, or of all",
      words: [{ name: "SERVICE", help: "Without it: all services" }],
      examples: ["horustctl status", "horustctl status web.toml"],
      run: (session, input) => status(session, input.word(0)),
    },
    {
      name: "start",
      about: "Start a service that has ended",
      words: [NAME],
      examples: ["horustctl start web.toml"],
      run: (session, input) => change(session, input.word(0) ?? "", "start"),
    },
    {
      name: "stop",
      about: "Stop a service; it stays so, whatever its restart strategy",
      words: [NAME],
      examples: ["horustctl stop web.toml"],
      run: (session, input) => change(session, input.word(0) ?? "", "stop"),
    },
    {
      name: "restart",
      about: "Stop a service and start it again, or start one that has ended",
      words: [NAME],
      examples: ["horustctl restart web.toml"],
      run: (session, input) => change(session, input.word(0) ?? "", "restart"),
    },
    {
      name: "change",
      about: "Start or stop a service",
      words: [NAME, { name: "STATUS", required: true, help: "start or stop", takes: ["start", "stop"] }],
      examples: ["horustctl change web.toml stop"],
      run: (session, input) => {
        const verb = input.word(1) ?? "";
        if (verb !== "start" && verb !== "stop") {
          throw new Failure(`"${verb}" is neither start nor stop`, null, 2);
        }
        change(session, input.word(0) ?? "", verb);
      },
    },
  ],
};

export function horustctl(host: CliHost, args: readonly string[]): number {
  const { command, input } = parse(CTL, COMMON, args);
  command.run?.(new Session(host, socketOf(host, input)), input);
  return 0;
}

// ---- the verbs

function status(session: Session, name: string | null): void {
  if (name === null) {
    const answer = session.ask({ type: "all-status" });
    if (answer.type !== "all-status") throw unexpected(answer);
    session.print(listOf(answer.services));
    return;
  }
  const answer = session.ask({ type: "status", name });
  if (answer.type !== "status") throw unexpected(answer);
  session.print(`Current status for '${answer.name}' is: '${answer.status}'.\n`);
}

/** In the list two states go by other words. */
const SHOWN: Partial<Record<Status, string>> = {
  INKILLING: "STOPPING",
  FINISHEDFAILED: "FAILED (finished)",
};

function listOf(services: readonly NamedStatus[]): string {
  const rows = [...services]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, status: state }) => [name, SHOWN[state] ?? state] as const);
  const all = [["SERVICE", "STATUS"] as const, ...rows];
  const width = Math.max(...all.map(([name]) => name.length));
  return all.map(([name, state]) => `${name.padEnd(width)}  ${state}\n`).join("");
}

const SAID = { start: "Start", stop: "Stop", restart: "Restart" } as const;
const WANTED = { start: "INITIAL", stop: "INKILLING" } as const;

function change(session: Session, name: string, verb: keyof typeof SAID): void {
  const answer = session.ask(
    verb === "restart" ? { type: "restart", name } : { type: "change", name, status: WANTED[verb] },
  );
  if (answer.type !== "change" && answer.type !== "restart") throw unexpected(answer);
  if (!answer.accepted) throw new Failure(`${SAID[verb]} command refused for '${answer.name}'.`);
  session.print(`${SAID[verb]} command accepted for '${answer.name}'.\n`);
}

function unexpected(answer: Response): Failure {
  return new Failure(`the answer is about something else: ${answer.type}`);
}

// ---- talking to it

class Session {
  readonly #host: CliHost;
  readonly #socket: string;

  constructor(host: CliHost, socket: string) {
    this.#host = host;
    this.#socket = socket;
  }

  ask(request: Request): Response {
    const answer = this.#host.callMessage({
      socket: this.#socket,
      bytes: encodeRequest(request),
      timeoutMs: TIMEOUT_MS,
    });
    if ("error" in answer) {
      if (!answer.connected)
        throw new Failure("Could not create stream", `${this.#socket}: ${answer.message}`);
      throw new Failure("horust gave no answer", answer.message);
    }
    const response = this.#decoded(answer.bytes, request);
    if (response.type === "error") throw new Failure(response.message);
    return response;
  }

  #decoded(bytes: string, { type }: Request): Response {
    const all = "an older horust tells the status of one service at a time: name it";
    if (bytes === "") throw new Failure("horust gave no answer", type === "all-status" ? all : null);
    try {
      const response = decodeResponse(bytes);
      if (response !== null) return response;
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      throw new Failure("the answer cannot be read", error.message);
    }
    throw new Failure("the answer cannot be read", "it says nothing that is known here");
  }

  print(text: string): void {
    this.#host.write(1, text);
  }
}

function socketOf(host: CliHost, input: Input): string {
  const given = input.value("socket-path");
  if (given !== null) return absolute(host.cwd, given);
  const folder = absolute(host.cwd, input.value("uds-folder-path") ?? SOCKETS);
  const pid = input.value("pid");
  if (pid !== null) return `${folder}/horust-${Number(pid)}.sock`;
  return onlySocketIn(host, folder);
}

function onlySocketIn(host: CliHost, folder: string): string {
  const listing = host.readFolder(folder);
  if ("error" in listing) {
    throw new Failure(`No socket found in ${folder}: ${listing.message}`, null, NO_SOCKET);
  }
  const sockets = listing.names.filter((name) => {
    if (!/^horust-.*\.sock$/.test(name)) return false;
    const status = host.stat(`${folder}/${name}`);
    return "kind" in status && status.kind === "socket";
  });
  const [first, ...more] = sockets;
  if (first === undefined) throw new Failure(`No socket found in ${folder}`, null, NO_SOCKET);
  if (more.length > 0) {
    const text = `There is more than one socket in ${folder}: choose one by --pid or --socket-path`;
    throw new Failure(text, sockets.join("\n"), NO_SOCKET);
  }
  return `${folder}/${first}`;
}
