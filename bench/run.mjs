#!/usr/bin/env node
/**
 * Measurements of oneup beside its peers: `npm run bench -- [NAME…] [--runs N] [--json] [--save]`.
 * bench/README.md says what each NAME measures and how.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as first from "./first.mjs";
import * as idle from "./idle.mjs";
import { bars, table } from "./lib/figures.mjs";
import { oneup, present } from "./lib/peers.mjs";
import { find } from "./lib/programs.mjs";
import * as logs from "./logs.mjs";
import * as lua from "./lua.mjs";
import * as memory from "./memory.mjs";
import * as proxy from "./proxy.mjs";
import * as restart from "./restart.mjs";
import * as start from "./start.mjs";
import * as verb from "./verb.mjs";

const all = [first, restart, verb, start, memory, idle, logs, proxy, lua];

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    save: { type: "boolean", default: false },
    counts: { type: "string" },
  },
});

const unknown = names.filter((name) => !all.some((each) => each.title === name));
const runs = Number(options.runs);
if (unknown.length > 0 || !Number.isInteger(runs) || runs < 1) {
  console.error(
    `Usage: npm run bench -- [${all.map((each) => each.title).join("|")}]… [--runs N] [--counts 10,100] [--json] [--save]`,
  );
  process.exit(2);
}
if (!find(oneup)) {
  console.error(`${oneup} is missing: npm run build, or set ONEUP_BIN.`);
  process.exit(2);
}

const settings = { runs, ...(options.counts ? { counts: options.counts.split(",").map(Number) } : {}) };
const loadBefore = loadavg()[0];
const rows = [];
for (const each of all.filter(({ title }) => names.length === 0 || names.includes(title))) {
  process.stderr.write(`${each.title} …\n`);
  rows.push(...(await each.measure(settings)));
}

const result = {
  time: new Date().toISOString(),
  commit: git("rev-parse", "--short", "HEAD"),
  machine: {
    kernel: release(),
    architecture: arch(),
    processors: cpus().length,
    model: cpus()[0]?.model ?? "",
    memory_gb: Math.round(totalmem() / 1e9),
    load: [loadBefore, loadavg()[0]],
  },
  peers: present().map((peer) => peer.name),
  rows,
};

if (options.save) save();
if (options.json) console.log(JSON.stringify(result, null, 2));
else console.log(report());

function report() {
  const { machine } = result;
  const load = machine.load.map((each) => each.toFixed(1)).join(" before, ");
  return [
    `${machine.processors} × ${machine.model}, ${machine.memory_gb} GB, Linux ${machine.kernel}; load ${load} after; commit ${result.commit}`,
    "Medians. Everyone is PID 1 of a fresh pid namespace and runs the same service program.",
    "",
    table(rows),
    "",
    bars(rows),
  ].join("\n");
}

function save() {
  const folder = join(dirname(fileURLToPath(import.meta.url)), "results");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${result.time.slice(0, 19).replaceAll(":", "")}-${result.commit}.json`);
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  process.stderr.write(`saved to ${path}\n`);
}

function git(...args) {
  try {
    return execFileSync("git", args, {
      cwd: dirname(fileURLToPath(import.meta.url)),
      encoding: "utf8",
    }).trim();
  } catch {
    return "unknown";
  }
}
