/**
 * Which supervisor a verb talks to, and where a supervisor puts its socket: both follow from the
 * same rules, or they would miss each other.
 */
import { EXIT, Failure } from "./failure.ts";
import type { CliHost } from "./host.ts";

const SYSTEM_SOCKET = "/run/oneup/oneup.sock";
const SYSTEM_CONFIGURATION = "/etc/oneup";
const CONFIGURATION = "oneup.toml";

/** The longest path that fits a Unix socket's address, with its closing zero. */
const LONGEST_SOCKET = 107;

export interface Place {
  readonly socket: string;
  /** How it was chosen. */
  readonly by: "--socket" | "ONEUP_SOCKET" | "project" | "system";
  /** Real path of the configuration it belongs to; `null` where nobody can know. */
  readonly configuration: string | null;
}

type Machine = Pick<CliHost, "environment" | "cwd" | "pid" | "uid" | "stat" | "realPath">;

/** Where to look for a supervisor, in this order; the first that answers is the one. */
export function placesToAsk(host: Machine, option: string | null): Place[] {
  const explicit = explicitPlace(host, option);
  if (explicit !== null) return [fitting(explicit)];
  const system: Place = { socket: SYSTEM_SOCKET, by: "system", configuration: null };
  const nearest = nearestConfiguration(host);
  // A supervisor that is PID 1 has the system's socket, whatever configuration it runs.
  return nearest === null ? [system] : [projectPlace(host, nearest), system];
}

/**
 * Where the supervisor of a configuration listens. The configuration's real path is the one that
 * the config program tells: of the first PATH, or of the `oneup.toml` in it if that is a folder.
 */
export function placeToListen(host: Machine, option: string | null, configuration: string | null): Place {
  const explicit = explicitPlace(host, option);
  if (explicit !== null) return { ...fitting(explicit), configuration };
  const ofSystem = `${configuration ?? ""}/`.startsWith(`${SYSTEM_CONFIGURATION}/`);
  if (configuration === null || host.pid === 1 || ofSystem) {
    return { socket: SYSTEM_SOCKET, by: "system", configuration };
  }
  return projectPlace(host, configuration);
}

/** `--socket`, else ONEUP_SOCKET; `null` if neither says anything. */
function explicitPlace(host: Machine, option: string | null): Place | null {
  if (option !== null) return { socket: absolute(host.cwd, option), by: "--socket", configuration: null };
  const variable = host.environment.ONEUP_SOCKET ?? "";
  if (variable === "") return null;
  return { socket: absolute(host.cwd, variable), by: "ONEUP_SOCKET", configuration: null };
}

/** Nobody can listen at a longer path, so nobody can be asked there: the path is wrong. */
function fitting(place: Place): Place {
  const length = utf8Length(place.socket);
  if (length <= LONGEST_SOCKET) return place;
  throw new Failure(
    EXIT.usage,
    `${place.by}: a Unix socket's path has at most ${LONGEST_SOCKET} bytes, this one has ${length}: ${place.socket}`,
    "choose a shorter path",
  );
}

/** The place that `--socket` names, for a supervisor that has no other. */
export function placeNamed(host: Machine, option: string | null): Place | null {
  const place = option === null ? null : explicitPlace(host, option);
  return place === null ? null : fitting(place);
}

/** Somebody named this very socket. */
export function isExplicit(place: Place): boolean {
  return place.by === "--socket" || place.by === "ONEUP_SOCKET";
}

/** True if the path of a socket fits the address of a Unix socket. */
export function socketFits(socket: string): boolean {
  return utf8Length(socket) <= LONGEST_SOCKET;
}

function projectPlace(host: Machine, configuration: string): Place {
  return {
    socket: `${privateFolder(host)}/${nameOf(configuration)}.sock`,
    by: "project",
    configuration,
  };
}

/** The user's own folder for run state. Who makes it, makes it with mode 0700. */
function privateFolder(host: Pick<Machine, "environment" | "uid">): string {
  const runtime = host.environment.XDG_RUNTIME_DIR ?? "";
  // The base directory rules want an absolute path, and nothing else to be believed.
  if (runtime.startsWith("/")) return `${trim(runtime)}/oneup`;
  const temporary = host.environment.TMPDIR ?? "";
  return `${temporary.startsWith("/") ? trim(temporary) : "/tmp"}/oneup-${host.uid}`;
}

/** In a shared temporary folder anybody can have made it first: then it is not to be trusted. */
export function refuseStrangersFolder(host: Machine, place: Place): void {
  const folder = strangersFolder(host, place);
  if (folder === null) return;
  throw new Failure(
    EXIT.failed,
    `${folder} is not a folder of your own that only you can write to: it is not safe to use`,
    "remove it, or name a socket with --socket",
  );
}

/** The folder for a project's socket, if it is there and not the user's own; else `null`. */
export function strangersFolder(host: Machine, place: Place): string | null {
  if (place.by !== "project") return null;
  const folder = privateFolder(host);
  const status = host.stat(folder);
  if ("error" in status) return null;
  const own = status.kind === "folder" && status.uid === host.uid && (status.mode & 0o022) === 0;
  return own ? null : folder;
}

/** `oneup.toml` in the current folder or the nearest one above; its real path. */
function nearestConfiguration(host: Machine): string | null {
  let folder = host.cwd;
  for (;;) {
    const path = join(folder, CONFIGURATION);
    const status = host.stat(path);
    if (!("error" in status) && status.kind === "file") return real(host, path);
    if (folder === "/" || folder === "") return null;
    folder = folder.slice(0, Math.max(1, folder.lastIndexOf("/")));
  }
}

function real(host: Machine, path: string): string {
  const answer = host.realPath(path);
  return "path" in answer ? answer.path : path;
}

export function absolute(cwd: string, path: string): string {
  return path.startsWith("/") ? path : join(cwd, path);
}

function join(folder: string, name: string): string {
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

function trim(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

/** FNV-1a with 64 bits over the path's UTF-8: 16 hexadecimal digits. */
export function nameOf(path: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of utf8(path)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}

/** First bytes of UTF-8, by how many bytes follow. */
const LEAD = [0, 0xc0, 0xe0, 0xf0];

function* utf8(text: string): Generator<number> {
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) {
      yield code;
      continue;
    }
    const further = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    yield (LEAD[further] ?? 0) | (code >> (6 * further));
    for (let left = further - 1; left >= 0; left--) yield 0x80 | ((code >> (6 * left)) & 0x3f);
  }
}

function utf8Length(text: string): number {
  return [...utf8(text)].length;
}

/** A live socket is never stolen: whoever answers there, whatever it says, holds it. */
export function refuseSecond(host: Machine & Pick<CliHost, "request">, place: Place): void {
  // Where none can be made, none of ours can be there.
  if (!socketFits(place.socket) || strangersFolder(host, place) !== null) return;
  const { socket } = place;
  const answer = host.request({ socket, method: "GET", target: "/status", timeoutMs: 2000 });
  if ("error" in answer && ["EACCES", "EPERM"].includes(answer.error)) {
    throw new Failure(
      EXIT.usage,
      `${socket} cannot be used, it or its folder is somebody else's: ${answer.message}`,
      "name a socket in a folder of your own with --socket",
    );
  }
  // Who accepts and then says nothing is there all the same.
  if ("error" in answer && answer.error !== "ETIMEDOUT") return;
  const what = isExplicit(place) || place.configuration === null ? "" : ` of ${place.configuration}`;
  throw new Failure(EXIT.usage, `a supervisor${what} is already there: it answers at ${socket}`, HINT);
}

const HINT = "stop it with oneup shutdown, or give this one a socket of its own with --socket";
