/** What services take from the machine and from the supervisor, as it is when their files are read. */
import type { FileHost } from "../../cli/host.ts";
import type { Surroundings } from "./spec.ts";

export interface Given {
  readonly host: FileHost & { readonly uid: number };
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly inherit: boolean;
}

export function surroundingsOf({ host, cwd, environment, inherit }: Given): Surroundings {
  const users = once(() => usersIn(host));
  return {
    host,
    cwd,
    environment,
    hostname: hostnameOf(host, environment),
    self: selfOf(host.uid, users().get(host.uid), environment),
    isKnownUser: (uid) => users().has(uid),
    inherit,
  };
}

type User = Surroundings["self"];

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function usersIn(host: FileHost): ReadonlyMap<number, User> {
  const answer = host.readFile("/etc/passwd");
  const users = new Map<number, User>();
  for (const line of "text" in answer ? answer.text.split("\n") : []) {
    const [name = "", , uid = "", , , home = ""] = line.split(":");
    if (/^[0-9]+$/.test(uid) && !users.has(Number(uid))) users.set(Number(uid), { name, home: home || "/" });
  }
  return users;
}

/** Who has no entry is who the environment says, or a number. */
function selfOf(uid: number, user: User | undefined, environment: Given["environment"]): User {
  return user ?? { name: environment.USER ?? String(uid), home: environment.HOME ?? "/" };
}

function hostnameOf(host: FileHost, environment: Given["environment"]): string {
  const answer = host.readFile("/etc/hostname");
  const written = "text" in answer ? answer.text.trim() : "";
  return written || environment.HOSTNAME || "localhost";
}
