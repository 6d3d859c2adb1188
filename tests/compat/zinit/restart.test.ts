/**
 * `system.prepare_restart`: the server leaves, its services do not notice, and the next server goes
 * on with them. The shell above the server starts the second one, so that both are in one namespace.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { commandLine, descendantsOf } from "../../e2e/harness/proc.ts";
import { expect, ours, type Zinit } from "./harness.ts";

const NEVER = { lifecycle: { restart: "never" } } as const;
/** Numbered lines without an end, and without a rest: whoever does not read them holds it up. */
const CHATTY = 'i=0; while :; do i=$((i+1)); echo "line $i"; done';

/** Starts a server; after its end another one, as soon as the file `go` is there. */
async function startTwice(zinit: Zinit): Promise<void> {
  const wait = 'until [ -e "$HOME/go" ]; do sleep 0.02; done';
  await zinit.start({ afterwards: `echo "$code" > "$HOME/left"; ${wait}; "$@"; exit $?` });
}

/** Asks the first server to leave; its answer. */
async function leave(zinit: Zinit): Promise<unknown> {
  const answer = await zinit.call("system.prepare_restart");
  await zinit.until("the end of the first server", () => zinit.box.has("left"));
  await zinit.until("its exit code", () => read(zinit, "left") === "0\n");
  return answer;
}

async function goOn(zinit: Zinit): Promise<void> {
  zinit.box.write("go", "");
  await zinit.answers();
}

function read(zinit: Zinit, name: string): string {
  const path = zinit.box.path(name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function stateFile(zinit: Zinit): string {
  return zinit.socket.replace("zinit.sock", "state.json");
}

/** The numbers of a chatty service's lines that the server has, oldest first. */
async function numbers(zinit: Zinit, name: string): Promise<number[]> {
  const lines = await zinit.call("logs.get", { name, lines: 10_000 });
  if (!Array.isArray(lines)) throw new Error("no lines");
  return lines.map((line) => Number(String(line).split(" ").at(-1)));
}

function isRow(all: readonly number[]): boolean {
  return all.every((number, index) => index === 0 || number === (all[index - 1] ?? 0) + 1);
}

function commandsBelow(zinit: Zinit): string[] {
  return descendantsOf(zinit.running.pid).map(({ pid }) => commandLine(pid).join(" "));
}

ours("what runs is gone on with, and what has ended is not started again (34, 35, 36)", async ({ zinit }) => {
  zinit.service("chatty", CHATTY, { logging: { buffer_lines: 5000 } });
  zinit.service("once", 'echo ran >> "$HOME/ran"', { service: { oneshot: true } });
  zinit.service("quiet", "sleep 1000");
  zinit.service("bad", "exit 3", NEVER);
  zinit.service("dies", 'until [ -e "$HOME/die" ]; do sleep 0.02; done; echo > "$HOME/died"; exit 7', NEVER);
  await startTwice(zinit);
  await zinit.call("service.monitor", {
    config: { service: { name: "passing", exec: "sleep 1000" }, lifecycle: { restart: "never" } },
  });
  const pids = new Map<string, number>();
  for (const name of ["chatty", "dies", "passing"]) {
    pids.set(name, (await zinit.reaches(name, "running")).pid);
  }
  await zinit.reaches("once", "exited");
  await zinit.reaches("bad", "failed");
  await zinit.call("service.stop", { name: "quiet" });
  const stopped = await zinit.reaches("quiet", "exited");
  expect(await leave(zinit)).toEqual({ state_path: stateFile(zinit), ready: true });
  expect(JSON.parse(readFileSync(stateFile(zinit), "utf8"))).toMatchObject({
    version: 1,
    config_dir: zinit.configDir,
    socket_path: zinit.socket,
    services: {
      chatty: { name: "chatty", state: "running", pid: pids.get("chatty"), ephemeral: false, config: null },
      bad: { state: "failed", pid: null, last_exit_code: 3 },
      passing: { ephemeral: true, config: { service: { exec: "sleep 1000" } } },
    },
  });
  zinit.box.write("die", "");
  await zinit.until("the end of one between two servers", () => zinit.box.has("died"));
  await goOn(zinit);

  expect(existsSync(stateFile(zinit))).toBe(false);
  for (const name of ["chatty", "passing"]) {
    expect(await zinit.status(name)).toMatchObject({ state: "running", pid: pids.get(name) });
  }
  // Whoever asks the kernel may get to know the code.
  const died = await zinit.reaches("dies", ["exited", "failed"]);
  expect([undefined, 7]).toContain(died.exit_code);
  expect(await zinit.status("quiet")).toEqual(stopped);
  expect(await zinit.status("bad")).toMatchObject({ state: "failed", exit_code: 3 });
  expect(read(zinit, "ran")).toBe("ran\n");
  const before = await numbers(zinit, "chatty");
  expect(isRow(before)).toBe(true);
  await zinit.until("more lines", async () => {
    const now = await numbers(zinit, "chatty");
    expect(isRow(now)).toBe(true);
    return (now[0] ?? 0) > (before.at(-1) ?? 0);
  });
  await zinit.call("service.stop", { name: "chatty" });
  await zinit.reaches("chatty", "exited");
  expect(commandsBelow(zinit).filter((command) => command.includes("line $i"))).toEqual([]);
  await zinit.call("service.start", { name: "chatty" });
  const again = await zinit.reaches("chatty", "running");
  expect(again.pid).not.toBe(pids.get("chatty"));
});

ours("processes of a former server are stopped as one's own are", async ({ zinit }) => {
  // Its own group, which is what zinit stops: with a child, and with one whose parent has gone.
  const stubborn =
    "trap '' TERM; sleep 4711 & sh -c 'sleep 4712 & exit'; echo up; while :; do sleep 0.05; done";
  zinit.service("stubborn", stubborn, { lifecycle: { stop_timeout_ms: 300, restart: "never" } });
  zinit.service("late", "trap '' TERM; echo up; while :; do sleep 0.05; done", {
    lifecycle: { stop_timeout_ms: 4000, restart: "never" },
  });
  await startTwice(zinit);
  for (const name of ["stubborn", "late"]) {
    await zinit.until("its trap", async () => {
      const lines = await zinit.call("logs.get", { name });
      return Array.isArray(lines) && lines.length > 0;
    });
  }
  // One that is at stop already goes on being stopped.
  await zinit.call("service.stop", { name: "late" });
  expect(await zinit.status("late")).toMatchObject({ state: "stopping" });
  await leave(zinit);
  await goOn(zinit);
  expect(["stopping", "exited"]).toContain((await zinit.status("late")).state);
  await zinit.call("service.stop", { name: "stubborn" });
  await zinit.reaches("stubborn", "exited");
  await zinit.reaches("late", "exited");
  const left = commandsBelow(zinit).filter((command) => /sleep (471|0\.05)/.test(command));
  expect(left).toEqual([]);
});

ours("a server that cannot write the file stays, with all it has", async ({ zinit }) => {
  zinit.service("web", "sleep 1000");
  await zinit.start();
  const { pid } = await zinit.reaches("web", "running");
  mkdirSync(stateFile(zinit));
  writeFileSync(`${stateFile(zinit)}/full`, "");
  const error = await zinit.error("system.prepare_restart");
  expect(error).toMatchObject({ code: -32603 });
  expect(error.message).toContain(stateFile(zinit));
  expect(await zinit.status("web")).toMatchObject({ state: "running", pid });
  await zinit.until("no keeper", () => !commandsBelow(zinit).some((command) => command.includes("keeper")));
  await zinit.call("service.stop", { name: "web" });
  await zinit.reaches("web", "exited");
});

ours("a stop goes on whose main process has gone already", async ({ zinit }) => {
  const slow = `trap 'exec sleep 1' TERM; echo > "$HOME/ready"; while :; do sleep 0.05; done`;
  zinit.service("tail", `sh -c '${slow.replaceAll("'", "'\\''")}' & trap 'exit 0' TERM; : main; wait`, {
    lifecycle: { stop_timeout_ms: 600_000, restart: "never" },
  });
  await startTwice(zinit);
  await zinit.until("its child is ready", () => zinit.box.has("ready"));
  await zinit.reaches("tail", "running");
  const isMain = (command: string) => command.includes(": main");
  expect(commandsBelow(zinit).filter(isMain)).toHaveLength(1);
  await zinit.call("service.stop", { name: "tail" });
  await zinit.until("the end of the main process", () => !commandsBelow(zinit).some(isMain));
  expect(await zinit.status("tail")).toMatchObject({ state: "stopping" });
  await leave(zinit);
  await goOn(zinit);
  await zinit.reaches("tail", "exited");
});

ours("what is left for another server is let alone", async ({ zinit }) => {
  zinit.service("web", "sleep 1000");
  await startTwice(zinit);
  const { pid } = await zinit.reaches("web", "running");
  await leave(zinit);
  const state = JSON.parse(readFileSync(stateFile(zinit), "utf8"));
  writeFileSync(stateFile(zinit), JSON.stringify({ ...state, config_dir: "/elsewhere" }));
  await goOn(zinit);
  expect((await zinit.reaches("web", "running")).pid).not.toBe(pid);
  expect(existsSync(stateFile(zinit))).toBe(true);
});
