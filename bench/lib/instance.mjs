/** One supervisor at work: started as PID 1 of a fresh pid namespace, looked at, ended. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "./programs.mjs";

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const WAIT_MS = 60_000;

export class Instance {
  constructor(peer, names, options = {}) {
    this.peer = peer;
    this.names = names;
    this.folder = mkdtempSync(join(tmpdir(), "bench-"));
    this.stampFile = join(this.folder, "stamps");
    const argv = peer.command(this.folder, names, options);
    this.child = spawn(launch, argv, {
      cwd: this.folder,
      env: { PATH: process.env.PATH, HOME: this.folder, LANG: "C.UTF-8", BENCH_STAMP: this.stampFile },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.err = "";
    this.child.stderr.on("data", (piece) => {
      this.err = (this.err + piece).slice(-4_000);
    });
    this.over = false;
    this.ended = new Promise((done) => {
      this.child.on("close", () => {
        this.over = true;
        done();
      });
    });
  }

  /** What was written so far: `[{ name, ns, pid }]`. */
  stamps() {
    if (!existsSync(this.stampFile)) return [];
    const lines = readFileSync(this.stampFile, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => {
      const [name, ns, pid] = line.split(" ");
      return { name, ns: BigInt(ns), pid: Number(pid) };
    });
  }

  /** Waits until so many services have dated a start, `launch` left out; returns them. */
  async started(count) {
    const end = Date.now() + WAIT_MS;
    for (;;) {
      const found = this.stamps().filter((stamp) => stamp.name !== "launch");
      if (found.length >= count) return found;
      if (this.over) throw new Error(`${this.peer.name} left: ${this.err}`);
      if (Date.now() > end)
        throw new Error(
          `${this.peer.name}: ${found.length} of ${count} services after ${WAIT_MS} ms: ${this.err}`,
        );
      await pause(count > 200 ? 20 : 2);
    }
  }

  /** Milliseconds from the supervisor's exec to the last of its services' starts. */
  async upAfterMs() {
    const found = await this.started(this.names.length);
    const start = this.stamps().find((stamp) => stamp.name === "launch").ns;
    const last = found.reduce((most, stamp) => (stamp.ns > most ? stamp.ns : most), 0n);
    return Number(last - start) / 1e6;
  }

  /** All processes below the launcher, by pid: name and parent. */
  processes() {
    const all = new Map();
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const text = read(`/proc/${name}/stat`);
      if (text === null) continue;
      const end = text.lastIndexOf(")");
      const [state, parent] = text.slice(end + 2).split(" ");
      all.set(Number(name), { comm: text.slice(text.indexOf("(") + 1, end), parent: Number(parent), state });
    }
    const below = new Set([this.child.pid]);
    for (let grew = true; grew; ) {
      grew = false;
      for (const [pid, each] of all) {
        if (below.has(pid) || !below.has(each.parent)) continue;
        below.add(pid);
        grew = true;
      }
    }
    below.delete(this.child.pid);
    return [...below].map((pid) => ({ pid, ...all.get(pid) }));
  }

  /** Pids of the supervisor's own processes: everything that is not a service. */
  own() {
    // s6 and runit start the program by the name `run`.
    return this.processes()
      .filter((each) => !["service", "run", "writer"].includes(each.comm))
      .map((each) => each.pid);
  }

  /** The pid here of a process that is `inner` in the namespace. */
  outer(inner) {
    return this.processes().find((each) => innerPid(each.pid) === inner)?.pid;
  }

  async stop() {
    // PID 1 of the namespace first: everything ends with it.
    for (const each of this.processes()) if (each.parent === this.child.pid) kill(each.pid);
    kill(this.child.pid);
    await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function kill(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

export function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function innerPid(pid) {
  return Number(/^NSpid:.*?(\d+)$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1]);
}

/** Runs `use` with an instance, and ends it whatever happens. */
export async function withInstance(peer, names, options, use) {
  const instance = new Instance(peer, names, options);
  try {
    return await use(instance);
  } finally {
    await instance.stop();
  }
}

/** Runs `use` with one instance of each peer at the same time. One that does not come up is left out. */
export async function sideBySide(peers, names, options, use) {
  const all = peers.map((peer) => new Instance(peer, names, options));
  try {
    const up = [];
    for (const instance of all) {
      try {
        await instance.started(names.length);
        up.push(instance);
      } catch (error) {
        console.error(`left out here: ${error.message}`);
      }
    }
    return await use(up);
  } finally {
    await Promise.all(all.map((instance) => instance.stop()));
  }
}

export const serviceNames = (count) => Array.from({ length: count }, (_, n) => `s${n}`);
