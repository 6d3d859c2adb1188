/**
 * A supervisor that takes its own place (`zinit-pid1` on USR1): same process, same services, and
 * nothing is lost on the way.
 */
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { test, type Zinit } from "../compat/zinit/harness.ts";
import { expect } from "./harness/box.ts";
import { oneup } from "./harness/paths.ts";
import { Supervisor } from "./harness/supervisor.ts";
import { until } from "./harness/wait.ts";

const NEVER = { lifecycle: { restart: "never" } } as const;
const AGAIN = /goes on with what the supervisor before it had/g;

/** zinit-pid1 as PID 1 of its namespace. */
async function init(zinit: Zinit, program = zinit.program("zinit-pid1")): Promise<Supervisor> {
  const argv = [program, "--container"];
  const env = { ZINIT_CONFIG_DIR: zinit.configDir, ZINIT_SOCKET: zinit.socket };
  const running = zinit.box.start(argv, { env, prelude: "mount -t tmpfs tmpfs /run" });
  const up = new Supervisor(zinit.box, running, { bin: program, socket: zinit.socket, as: "init" });
  await until("an answer", async () => (await zinit.call("system.ping")) !== null, {
    details: () => running.report(),
  });
  return up;
}

function renewals(up: Supervisor): number {
  return [...(up.out + up.err).matchAll(AGAIN)].length;
}

/** Asks for a renewal by signal, and waits until the new program is there. */
async function renew(up: Supervisor): Promise<void> {
  const before = renewals(up);
  await up.signal("SIGUSR1");
  await up.until("its renewal", () => renewals(up) > before);
}

async function descriptors(up: Supervisor): Promise<number> {
  return readdirSync(`/proc/${await up.pid()}/fd`).length;
}

async function pidOf(zinit: Zinit, name: string): Promise<number> {
  return (await zinit.reaches(name, "running")).pid;
}

test("services in every state are what they were, and none is started twice (zinit's defect 38)", async ({
  zinit,
}) => {
  zinit.service("web", "sleep 1000");
  zinit.service("once", 'echo ran >> "$HOME/ran"', { service: { oneshot: true } });
  zinit.service("bad", "exit 3", NEVER);
  zinit.service("quiet", "sleep 1000");
  zinit.service("dies", 'until [ -e "$HOME/die" ]; do :; done; exit 7', NEVER);
  zinit.service("stubborn", "trap '' TERM; echo up; while :; do sleep 0.05; done", {
    lifecycle: { stop_timeout_ms: 3000, restart: "never" },
  });
  const up = await init(zinit);
  const pid = await pidOf(zinit, "web");
  await zinit.reaches("once", "exited");
  await zinit.reaches("bad", "failed");
  await zinit.call("service.stop", { name: "quiet" });
  const stopped = await zinit.reaches("quiet", "exited");
  await up.until("its trap", async () => String(await zinit.call("logs.get", { name: "stubborn" })) !== "");
  await zinit.call("service.stop", { name: "stubborn" });
  // It ends at some moment of the renewal, whichever that is.
  zinit.box.write("die", "");
  await renew(up);
  expect(await zinit.status("web")).toMatchObject({ state: "running", pid });
  expect(await zinit.reaches("dies", "failed")).toMatchObject({ exit_code: 7 });
  expect(await zinit.status("bad")).toMatchObject({ state: "failed", exit_code: 3 });
  expect(await zinit.status("quiet")).toEqual(stopped);
  expect(readFileSync(zinit.box.path("ran"), "utf8")).toBe("ran\n");
  // Whose stop was at work keeps its deadline.
  await zinit.reaches("stubborn", "exited");
  await up.noZombies();
  zinit.service("fresh", "sleep 1000");
  await renew(up);
  expect(await pidOf(zinit, "web")).toBe(pid);
  await pidOf(zinit, "fresh");
  await up.terminate();
});

test("twenty renewals under load lose no line, no process and no descriptor", async ({ zinit }) => {
  const names = ["a", "b", "c", "d"];
  const lines = 150_000;
  for (const name of names) {
    const file = zinit.box.path(`${name}.log`);
    const exec = `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "$i"; done; sleep 1000`;
    zinit.service(name, exec, { logging: { file, buffer_lines: 1000 } });
  }
  const up = await init(zinit);
  const pids = await Promise.all(names.map((name) => pidOf(zinit, name)));
  await renew(up);
  const before = await descriptors(up);
  let over = false;
  const asked = (async () => {
    let answers = 0;
    while (!over) {
      // A connection that was open is closed; none is refused.
      const ping = zinit.call("system.ping").then(() => 1);
      answers += await ping.catch((error: unknown) => {
        expect(String(error)).not.toMatch(/ECONNREFUSED|ENOENT/);
        return 0;
      });
    }
    return answers;
  })();
  for (let round = 1; round < 20; round++) await renew(up);
  over = true;
  expect(await asked).toBeGreaterThan(0);
  expect(await Promise.all(names.map((name) => pidOf(zinit, name)))).toEqual(pids);
  const wanted = `${Array.from({ length: lines }, (_, index) => index + 1).join("\n")}\n`;
  for (const name of names) {
    const read = () => readFileSync(zinit.box.path(`${name}.log`), "utf8");
    await up.until(`all lines of ${name}`, () => read().length >= wanted.length);
    expect(read() === wanted, name).toBe(true);
    const tail = await zinit.call("logs.get", { name, lines: 1000 });
    const numbers = (Array.isArray(tail) ? tail : []).map((line) => Number(String(line).split(" ").at(-1)));
    expect(numbers).toEqual(Array.from({ length: 1000 }, (_, index) => lines - 999 + index));
  }
  await up.until("as many descriptors as before", async () => (await descriptors(up)) === before);
  await up.terminate();
});

test("a newer program is taken, and one that is none is not", async ({ zinit }) => {
  zinit.service("web", "sleep 1000");
  const program = zinit.box.path("zinit-pid1");
  const [first, second] = [zinit.box.path("first"), zinit.box.path("second")];
  copyFileSync(oneup(), first);
  copyFileSync(oneup(), second);
  symlinkSync(first, program);
  const up = await init(zinit, program);
  const pid = await pidOf(zinit, "web");
  const swap = (target: string) => {
    rmSync(`${program}.new`, { force: true });
    symlinkSync(target, `${program}.new`);
    renameSync(`${program}.new`, program);
  };
  swap(second);
  await renew(up);
  const inode = async () => statSync(`/proc/${await up.pid()}/exe`).ino;
  expect(await inode()).toBe(statSync(second).ino);
  const others = { broken: "no program", silent: "#!/bin/sh\n", liar: "#!/bin/sh\necho oneup 0.0.1\n" };
  for (const [name, text] of Object.entries(others)) {
    writeFileSync(zinit.box.path(name), text, { mode: 0o755 });
    swap(zinit.box.path(name));
    const said = () => [...(up.out + up.err).matchAll(/not renewed: /g)].length;
    const before = said();
    await up.signal("SIGUSR1");
    await up.until("that it is refused", () => said() > before);
    expect(await inode()).toBe(statSync(second).ino);
    expect(await pidOf(zinit, "web")).toBe(pid);
  }
  rmSync(program);
  await renew(up);
  expect(await pidOf(zinit, "web")).toBe(pid);
  await up.terminate();
});

test("prepare_restart renews who has to stay, after its answer", async ({ zinit }) => {
  zinit.service("web", "sleep 1000");
  const up = await init(zinit);
  const pid = await pidOf(zinit, "web");
  const answer = await zinit.call("system.prepare_restart");
  expect(answer).toEqual({ state_path: expect.stringMatching(/state\.json$/), ready: true });
  await up.until("its renewal", () => renewals(up) === 1);
  expect(await pidOf(zinit, "web")).toBe(pid);
  await up.terminate();
});
