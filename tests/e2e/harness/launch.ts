/** Command lines that start a program in the surroundings a test asks for. */
import { dirname } from "node:path";
import { programs } from "./paths.ts";

export const isRoot = process.getuid?.() === 0;

export interface Surroundings {
  /**
   * `init` (default): PID 1 of a fresh pid namespace. `child`: child of a shell that is PID 1
   * there. `bare`: no namespace.
   */
  readonly as?: "init" | "child" | "bare";
  /** A plain user instead of root: `nobody`. Without root everything runs as the caller anyway. */
  readonly user?: "nobody";
  /** Shell commands that come first, inside the namespaces (mounts, limits, redirections). */
  readonly prelude?: string;
  /** With `child`: what the shell does after the program has ended, instead of leaving with its code. */
  readonly afterwards?: string;
  /** An own network namespace too. */
  readonly network?: boolean;
  /** The root folder. */
  readonly chroot?: string;
}

/** Prefixes `argv` with what makes the surroundings. */
export function surround(argv: readonly string[], options: Surroundings): string[] {
  const as = options.as ?? "init";
  let inner = [...argv];
  if (options.chroot !== undefined) inner = chroot(inner, options.chroot, options.user);
  else if (options.user !== undefined && isRoot) inner = [...asNobody, ...inner];
  if (as === "child") {
    const last = options.afterwards ?? 'exit "$code"';
    inner = ["sh", "-c", `${options.prelude ?? ":"}; "$@"; code=$?; ${last}`, "sh", ...inner];
  } else if (options.prelude !== undefined) {
    inner = ["sh", "-c", `${options.prelude}; exec "$@"`, "sh", ...inner];
  }
  return as === "bare" ? inner : [...namespace(options), "--", ...inner];
}

const asNobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];

function namespace(options: Surroundings): string[] {
  const flags = ["--pid", "--fork", "--kill-child", "--mount"];
  // A chroot keeps its own idea of /proc: mostly none.
  flags.push("--mount-proc");
  if (options.network === true) flags.push("--net");
  if (!isRoot) flags.push("--user", options.user === undefined ? "--map-root-user" : "--map-current-user");
  return ["unshare", ...flags];
}

function chroot(argv: string[], root: string, user: "nobody" | undefined): string[] {
  // chroot(8) changes user and group by number, since there is no user list inside.
  const who = user !== undefined && isRoot ? ["--userspec=65534:65534"] : [];
  return ["chroot", ...who, root, ...argv];
}

/** A small environment, so that nothing of the machine's own leaks into a test. */
export function environment(id: string, folder: string): Record<string, string> {
  return {
    PATH: [
      programs,
      dirname(process.execPath),
      "/usr/local/bin",
      "/usr/bin",
      "/bin",
      "/usr/sbin",
      "/sbin",
    ].join(":"),
    HOME: folder,
    TMPDIR: folder,
    LANG: "C.UTF-8",
    ONEUP_E2E: id,
  };
}
