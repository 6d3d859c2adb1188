/**
 * What has to be said at the usual level: that a program could not be started, in words that people
 * look for. The engine says so too, with all else, to those who want to know more.
 */
import type { Command, Event, SpawnSpec } from "../../../generated/protocol.ts";
import { horustPersonality } from "../personality.ts";

type Failed = Extract<Event, { type: "spawnFailed" }>;

export class Teller {
  #silent = false;
  /** Starts that nobody has heard of yet. */
  readonly #starts = new Map<number, Pick<SpawnSpec, "service" | "argv" | "user">>();

  begin(personality: unknown): void {
    this.#silent = horustPersonality(personality).silent;
  }

  /** The commands as they are; starts among them are kept in mind. */
  watch(commands: readonly Command[]): Command[] {
    for (const command of commands) {
      if (command.type === "spawn" && command.spec.role === "main") {
        const { service, argv, user } = command.spec;
        this.#starts.set(command.id, { service, argv, user });
      } else if (command.type === "forget") this.#starts.delete(command.id);
    }
    return [...commands];
  }

  failed(event: Failed): Command[] {
    const start = this.#starts.get(event.id);
    this.#starts.delete(event.id);
    if (start === undefined || this.#silent) return [];
    const text = `${start.service}: Failed spawning the process: ${reasonOf(start, event.failure)}`;
    return [{ type: "say", level: "error", text }];
  }
}

function reasonOf(
  { service, argv, user }: Pick<SpawnSpec, "service" | "argv" | "user">,
  { step, error, message }: Failed["failure"],
): string {
  const [program] = argv;
  if (program === undefined) return `Invalid command: ${service}`;
  if (step === "exec" && error === "ENOENT" && !program.includes("/")) {
    return `Program ${JSON.stringify(program)} not found in any of the PATH directories`;
  }
  return step === "user" && user !== null ? `User \`${user}\` not found: ${message}` : message;
}
