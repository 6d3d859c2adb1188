/**
 * Lua scripts, beside luavisors itself where it is on PATH or in the folder LUAVISORS_ORIGINAL: the
 * start of a script, memory, children one after the other and many at once, a chatty child.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { interleave, median, row } from "./lib/figures.mjs";
import { pause, read } from "./lib/instance.mjs";
import { oneup } from "./lib/peers.mjs";
import { find, launch, timed } from "./lib/programs.mjs";

export const title = "lua";

const SETTLE_MS = 3_000;

const CLOCK = `
local init, ffi = require("init"), require("ffi")
ffi.cdef "typedef struct { long s, n; } now_t; int clock_gettime(int, now_t *);"
local function clock()
  local now = ffi.new("now_t")
  ffi.C.clock_gettime(1, now)
  return tonumber(now.s) + tonumber(now.n) / 1e9
end
local start = clock()
`;

const ONE_BY_ONE = `${CLOCK}
for i = 1, 500 do init.exec("/bin/true"):status() end
print((clock() - start) * 1000 / 500)`;

const AT_ONCE = `${CLOCK}
for round = 1, 10 do
  local all = {}
  for i = 1, 50 do all[i] = init.exec("/bin/true") end
  for i = 1, 50 do all[i]:status() end
end
print((clock() - start) * 1000 / 500)`;

const CHATTY = `${CLOCK}
assert(#init.exec("head", "-c", 50000000, "/dev/zero"):stdout() == 50000000)
print((clock() - start) * 1000)`;

const waiting = (count) => `
local init, all = require("init"), {}
for i = 1, ${count} do all[i] = init.exec("sleep", 600) end
print("up") io.flush()
init.sleep(600)`;

export async function measure({ runs, counts = [0, 10, 100] }) {
  const folder = mkdtempSync(join(tmpdir(), "bench-lua-"));
  try {
    const own = join(folder, "luavisors");
    symlinkSync(oneup, own);
    const original = process.env.LUAVISORS_ORIGINAL;
    const theirs = original ? join(original, "luavisors") : "luavisors";
    const peers = [{ name: "oneup", program: own }];
    if (find(theirs)) peers.push({ name: "luavisors", program: theirs });
    const rows = [
      row("an empty script, whole process", "ms", null, await interleave(peers, runs, start)),
      row("a child, one after the other", "ms", null, await interleave(peers, runs, said(ONE_BY_ONE))),
      row("a child, fifty at once", "ms", null, await interleave(peers, runs, said(AT_ONCE))),
      row("50 MB that a child writes", "ms", null, await interleave(peers, runs, said(CHATTY))),
    ];
    for (const count of counts) rows.push(...(await memory(peers, Math.min(runs, 3), count)));
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The median of twenty in a row, in ms. */
function start({ program }) {
  const out = execFileSync(timed, ["20", program, "-- nothing"], { encoding: "utf8" });
  const lines = out.trim().split("\n");
  return median(lines.map((line) => Number(line.split(" ")[0]) / 1e6));
}

const said =
  (script) =>
  ({ program }) =>
    Number(execFileSync(program, [script], { encoding: "utf8" }));

async function memory(peers, runs, count) {
  const anon = new Map(peers.map((peer) => [peer.name, []]));
  const pss = await interleave(peers, runs, async (peer) => {
    const child = spawn(launch, [peer.program, waiting(count)], {
      env: { PATH: process.env.PATH, BENCH_STAMP: "/dev/null" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await new Promise((done, failed) => {
        child.stdout.once("data", done);
        child.once("exit", () => failed(new Error("it left")));
      });
      await pause(SETTLE_MS);
      const pid = only(read(`/proc/${child.pid}/task/${child.pid}/children`));
      anon.get(peer.name).push(mb(read(`/proc/${pid}/status`), "RssAnon"));
      return mb(read(`/proc/${pid}/smaps_rollup`), "Pss");
    } finally {
      const pid = only(read(`/proc/${child.pid}/task/${child.pid}/children`));
      if (pid) process.kill(Number(pid), "SIGKILL");
      child.kill("SIGKILL");
    }
  });
  return [
    row(`PSS, ${count} children`, "MB", null, pss),
    row(`anonymous, ${count} children`, "MB", null, anon),
  ];
}

const only = (text) => (text ?? "").trim().split(" ")[0];

const mb = (text, field) =>
  (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1] ?? 0) * 1_024) / 1_000_000;
