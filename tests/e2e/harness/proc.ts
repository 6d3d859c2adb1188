/** What /proc says of processes. All pids here are those of the test's own pid namespace. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Process {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  readonly sid: number;
  /** `Z` for a zombie, `T` for a stopped one. */
  readonly state: string;
  readonly comm: string;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

export function processOf(pid: number): Process | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name is in parentheses and may itself contain some.
  const end = text.lastIndexOf(")");
  const comm = text.slice(text.indexOf("(") + 1, end);
  const [state = "?", ppid, pgid, sid] = text.slice(end + 2).split(" ");
  return { pid, ppid: Number(ppid), pgid: Number(pgid), sid: Number(sid), state, comm };
}

export function allProcesses(): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const one = processOf(Number(name));
    if (one !== null) found.push(one);
  }
  return found;
}

export function childrenOf(pid: number, all: readonly Process[] = allProcesses()): Process[] {
  return all.filter((one) => one.ppid === pid);
}

/** Everything below a process, without itself. */
export function descendantsOf(pid: number): Process[] {
  const all = allProcesses();
  const found: Process[] = [];
  const open = [pid];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const child of childrenOf(next, all)) {
      found.push(child);
      open.push(child.pid);
    }
  }
  return found;
}

export function isZombie(pid: number): boolean {
  return processOf(pid)?.state === "Z";
}

/** There, and not merely waiting to be reaped. */
export function isAlive(pid: number): boolean {
  const one = processOf(pid);
  return one !== null && one.state !== "Z" && one.state !== "X";
}

/** A field of /proc/PID/status (`SigIgn`, `NSpid`, `voluntary_ctxt_switches`), or null. */
export function statusField(pid: number, field: string, task?: number): string | null {
  const text = read(task === undefined ? `/proc/${pid}/status` : `/proc/${pid}/task/${task}/status`);
  if (text === null) return null;
  const line = text.split("\n").find((each) => each.startsWith(`${field}:`));
  return line === undefined ? null : line.slice(field.length + 1).trim();
}

/** The pid a process has in its own innermost namespace. */
export function innerPid(pid: number): number | null {
  const numbers = statusField(pid, "NSpid")?.split(/\s+/);
  const last = numbers?.at(-1);
  return last === undefined ? null : Number(last);
}

export function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

/** How often the threads of a process went to sleep of their own accord: one per wake-up. */
export function sleepsOf(pid: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const task of threadsOf(pid)) {
    counts.set(task, Number(statusField(pid, "voluntary_ctxt_switches", task) ?? "0"));
  }
  return counts;
}

/** Open descriptors with what they point at. */
export function descriptorsOf(pid: number): Map<number, string> {
  const found = new Map<number, string>();
  let names: string[] = [];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return found;
  }
  for (const name of names) {
    try {
      found.set(Number(name), readlinkSync(`/proc/${pid}/fd/${name}`));
    } catch {
      // Closed meanwhile.
    }
  }
  return found;
}

export function commandLine(pid: number): string[] {
  return (read(`/proc/${pid}/cmdline`) ?? "").split("\0").slice(0, -1);
}

/** Pids of processes whose environment holds NAME=VALUE. */
export function withEnvironment(name: string, value: string): number[] {
  const wanted = `${name}=${value}`;
  return allProcesses()
    .map((one) => one.pid)
    .filter((pid) => (read(`/proc/${pid}/environ`) ?? "").split("\0").includes(wanted));
}

/** A field of /proc/PID/smaps_rollup in KiB. */
export function memoryOf(pid: number, field: "Pss" | "Rss" | "Private_Dirty" | "Pss_Anon"): number | null {
  const line = read(`/proc/${pid}/smaps_rollup`)
    ?.split("\n")
    .find((each) => each.startsWith(`${field}:`));
  return line === undefined ? null : Number(/(\d+) kB/.exec(line)?.[1]);
}

/** The process with this command line at or below `top`; the nearest one. */
export function findCommand(top: number, argv: readonly string[]): number | null {
  const wanted = argv.join("\0");
  const all = allProcesses();
  let level = [top];
  while (level.length > 0) {
    const found = level.find((pid) => commandLine(pid).join("\0") === wanted);
    if (found !== undefined) return found;
    level = level.flatMap((pid) => childrenOf(pid, all).map((child) => child.pid));
  }
  return null;
}
