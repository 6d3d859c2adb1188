/**
 * 200 MB of 100-byte lines, from one writer and from twenty: the time from the first writer's start
 * until the last byte is in a file, and what that took.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { interleave, row } from "./lib/figures.mjs";
import { pause, read, serviceNames, withInstance } from "./lib/instance.mjs";
import { oneup } from "./lib/peers.mjs";
import { find, writer } from "./lib/programs.mjs";

const MEGABYTES = 200;
const FILE_BYTES = 16_000_000;
const KEPT = 20;
const WAIT_MS = 120_000;
/** The goal: so much of the speed of `cat > file`. */
const OF_CAT = 0.95;

export const title = "logs";

export async function measure({ runs }) {
  const rows = [];
  for (const count of [1, 20]) rows.push(...(await withWriters(count, Math.min(runs, 5))));
  return rows;
}

async function withWriters(count, runs) {
  const [cpu, memory] = [new Map(), new Map()];
  const names = serviceNames(count);
  const times = await interleave(
    peers.filter((peer) => peer.present()),
    runs,
    (peer) =>
      withInstance(peer, names, {}, async (instance) => {
        const ms = await takenMs(instance);
        const own = instance.own();
        add(cpu, peer.name, sum(own, cpuMs));
        add(memory, peer.name, sum(own, peakMb));
        if (peer.name === "oneup") mustBeWhole(instance.folder);
        return ms;
      }),
  );
  const what = `${MEGABYTES} MB of lines, ${count === 1 ? "one writer" : `${count} writers`}`;
  const timed = row(what, "ms", null, times);
  const cat = timed.values.cat?.median;
  return [
    { ...timed, goal: cat === undefined ? null : cat / OF_CAT },
    row("  its processor time", "ms", null, cpu),
    row("  its peak memory", "MB", null, memory),
  ];
}

/** Milliseconds until everything is in files. */
async function takenMs(instance) {
  const stamps = await instance.started(1);
  const start = stamps[0].ns;
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const bytes = logFiles(instance.folder).reduce((total, path) => total + size(path), 0);
    if (bytes === MEGABYTES * 1e6) return Number(process.hrtime.bigint() - start) / 1e6;
    if (instance.over) throw new Error(`it left: ${instance.err}`);
    if (Date.now() > end) throw new Error(`${bytes} bytes after ${WAIT_MS} ms`);
    await pause(2);
  }
}

const logsOf = (folder) => join(folder, "logs");

const logFiles = (folder) =>
  readdirSync(logsOf(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !["config", "lock", "state"].includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));

/** A file may be renamed while we look; the next look sees it. */
function size(path) {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** No rotation cuts a line: each file begins and ends with a whole one. */
function mustBeWhole(folder) {
  for (const path of logFiles(folder)) {
    const bytes = readFileSync(path);
    if (bytes.length % 100 !== 0 || bytes[99] !== 10 || bytes.at(-1) !== 10)
      throw new Error(`${path} does not hold whole lines`);
  }
}

function add(map, name, number) {
  map.set(name, [...(map.get(name) ?? []), number]);
}

const sum = (pids, of) => pids.reduce((total, pid) => total + of(pid), 0);
const peakMb = (pid) =>
  (Number(/^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1] ?? 0) * 1_024) / 1e6;

/** User and system time; a tick is 10 ms. */
function cpuMs(pid) {
  const fields = (read(`/proc/${pid}/stat`) ?? "").split(") ").at(-1).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

const amount = (names) => String(MEGABYTES / names.length);

/** Each writer's output into something that a shell starts. */
const piped = (name, into) => ({
  name,
  present: () => find(into("").split(" ")[0]),
  command(folder, names) {
    for (const each of names) mkdirSync(join(logsOf(folder), each), { recursive: true });
    const pipes = names.map(
      (each) => `${writer} ${each} ${amount(names)} | ${into(join(logsOf(folder), each))} &`,
    );
    return ["sh", "-c", `${pipes.join("\n")}\nwait`];
  },
});

const svlogd = piped("svlogd", (folder) => `svlogd ${folder}`);

const peers = [
  {
    name: "oneup",
    present: () => find(oneup),
    command(folder, names) {
      mkdirSync(logsOf(folder));
      const text = names.map(
        (name) =>
          `[service.${name}]\ncommand = ["${writer}", "${name}", "${amount(names)}"]\n` +
          `log = { file = "${join(logsOf(folder), name)}.log", max-size = "${FILE_BYTES}B", keep = ${KEPT}, console = false }\n`,
      );
      writeFileSync(join(folder, "oneup.toml"), text.join("\n"));
      return [oneup, "run", join(folder, "oneup.toml"), "--socket", join(folder, "s")];
    },
  },
  piped("cat", (folder) => `cat >${folder}/file`),
  {
    name: "supervisord",
    present: () => find("supervisord"),
    command(folder, names) {
      mkdirSync(logsOf(folder));
      const head = `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${folder}/pid\nchildlogdir=${folder}\nuser=root\n`;
      const programs = names.map(
        (name) =>
          `[program:${name}]\ncommand=${writer} ${name} ${amount(names)}\nstdout_logfile=${join(logsOf(folder), name)}.log\n` +
          `stdout_logfile_maxbytes=${FILE_BYTES}\nstdout_logfile_backups=${KEPT}\n`,
      );
      writeFileSync(join(folder, "supervisord.conf"), head + programs.join(""));
      return ["supervisord", "-c", join(folder, "supervisord.conf")];
    },
  },
  piped("s6-log", (folder) => `s6-log n${KEPT} s${FILE_BYTES} ${folder}`),
  {
    ...svlogd,
    command(folder, names) {
      const argv = svlogd.command(folder, names);
      for (const name of names)
        writeFileSync(join(logsOf(folder), name, "config"), `s${FILE_BYTES}\nn${KEPT}\n`);
      return argv;
    },
  },
];
