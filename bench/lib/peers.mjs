/**
 * The supervisors side by side. Each gets the same services, runs as PID 1 and is asked for
 * nothing that it does not do by default, but for what a measurement names (`noDelay`).
 */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { find, service } from "./programs.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const oneup = resolve(root, process.env.ONEUP_BIN ?? "dist/oneup");

/** One folder a service, as s6 and runit have it; `run` is the service program itself, no shell. */
function serviceFolders(folder, names) {
  for (const name of names) {
    mkdirSync(join(folder, "services", name), { recursive: true });
    symlinkSync(service, join(folder, "services", name, "run"));
  }
  return join(folder, "services");
}

export const peers = [
  {
    name: "oneup",
    present: () => find(oneup),
    command(folder, names, { noDelay = false } = {}) {
      const text = names.map(
        (name) =>
          `[service.${name}]\ncommand = ["${service}", "${name}"]\n${noDelay ? 'restart-delay = "0s"\n' : ""}`,
      );
      writeFileSync(join(folder, "oneup.toml"), text.join("\n"));
      return [oneup, "run", join(folder, "oneup.toml"), "--socket", join(folder, "s")];
    },
    list: (folder) => [oneup, "status", "--socket", join(folder, "s")],
  },
  {
    name: "dinit",
    present: () => find("dinit"),
    command(folder, names) {
      mkdirSync(join(folder, "dinit"));
      for (const name of names) {
        const text = `type = process\ncommand = ${service} ${name}\nrestart = true\nrestart-delay = 0\nrestart-limit-count = 0\n`;
        writeFileSync(join(folder, "dinit", name), text);
      }
      const waits = names.map((name) => `waits-for = ${name}`).join("\n");
      writeFileSync(join(folder, "dinit", "boot"), `type = internal\n${waits}\n`);
      return ["dinit", "-o", "-q", "-d", join(folder, "dinit"), "-p", join(folder, "s")];
    },
    list: (folder) => ["dinitctl", "-p", join(folder, "s"), "list"],
  },
  {
    name: "s6",
    present: () => find("s6-svscan"),
    command: (folder, names) => [
      "s6-svscan",
      "-c",
      String(Math.max(500, names.length * 2)),
      serviceFolders(folder, names),
    ],
    // No list: one service.
    list: (folder, names) => ["s6-svstat", join(folder, "services", names[0])],
  },
  {
    name: "runit",
    present: () => find("runsvdir"),
    command: (folder, names) => ["runsvdir", serviceFolders(folder, names)],
    list: (folder, names) => ["sv", "status", ...names.map((name) => join(folder, "services", name))],
  },
  {
    name: "supervisord",
    present: () => find("supervisord"),
    command(folder, names, { noDelay = false } = {}) {
      const programs = names.map(
        (name) =>
          `[program:${name}]\ncommand=${service} ${name}\nautorestart=true\n${noDelay ? "startsecs=0\n" : ""}`,
      );
      const head = `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${folder}/pid\nchildlogdir=${folder}\nminfds=10000\nuser=root\n[unix_http_server]\nfile=${folder}/s\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n[supervisorctl]\nserverurl=unix://${folder}/s\n`;
      writeFileSync(join(folder, "supervisord.conf"), head + programs.join(""));
      return ["supervisord", "-c", join(folder, "supervisord.conf")];
    },
    list: (folder) => ["supervisorctl", "-c", join(folder, "supervisord.conf"), "status"],
  },
  {
    name: "tini",
    // One command, no restarts, no services to list.
    single: true,
    present: () => find("tini"),
    command: (_folder, names) => ["tini", "--", service, names[0]],
  },
];

/** Those that are installed; `supervisors` leaves out the ones that run a single command. */
export const present = () => peers.filter((peer) => peer.present());
export const supervisors = () => present().filter((peer) => !peer.single);
