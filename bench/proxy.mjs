/**
 * A proxy whose service is up, against a direct connection in the same round: one stream, and short
 * connections. Beside it stand, over TCP, HAProxy (on PATH; one thread, as oneup has, and with
 * splicing), and over Unix sockets zinit's own (ZINIT_ORIGINAL, or on PATH), which knows no others.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { row } from "./lib/figures.mjs";
import { pause } from "./lib/instance.mjs";
import { oneup } from "./lib/peers.mjs";
import { find, launch, streams } from "./lib/programs.mjs";

const MEGABYTES = 2_048;
const CALLS = 20_000;
const WIDTH = 8;
const WAIT_MS = 30_000;

export const title = "proxy";

const original = process.env.ZINIT_ORIGINAL
  ? join(process.env.ZINIT_ORIGINAL, "zinit-server")
  : "zinit-server";

const KINDS = [
  { name: "tcp", text: "over TCP", peers: ["oneup", ...(find("haproxy") ? ["haproxy"] : [])] },
  { name: "unix", text: "over Unix sockets", peers: ["oneup", ...(find(original) ? ["zinit"] : [])] },
];

const SHAPES = [
  { text: "one stream", goal: 1.25, argv: (place) => ["push", place, String(MEGABYTES)] },
  { text: "short connections", goal: 2, argv: (place) => ["call", place, String(CALLS), String(WIDTH)] },
];

export async function measure({ runs }) {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const children = [];
  try {
    const places = await setUp(folder, children);
    const rows = [];
    for (const kind of KINDS) {
      for (const shape of SHAPES) rows.push(side(kind, shape, places, runs));
    }
    return rows;
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await pause(100);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The backends, and a server of each kind with a proxy to each of them. */
async function setUp(folder, children) {
  const places = {
    tcp: { direct: await freePort(), oneup: await freePort(), haproxy: await freePort() },
    unix: {
      direct: join(folder, "back"),
      oneup: join(folder, "oneup-front"),
      zinit: join(folder, "zinit-front"),
    },
  };
  for (const { direct } of Object.values(places)) {
    const child = spawn(streams, ["serve", String(direct)], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    await new Promise((ready) => child.stdout.once("data", ready));
  }
  if (KINDS[0].peers.includes("haproxy")) await serveByHaproxy(places.tcp, folder, children);
  for (const peer of KINDS[1].peers) {
    const socket = await serve(peer, folder, children);
    for (const { name } of KINDS.filter(({ peers }) => peers.includes(peer))) {
      const address = (place) => (typeof place === "number" ? `127.0.0.1:${place}` : place);
      const { direct, [peer]: listen } = places[name];
      const params = { name, listen: [address(listen)], backend: address(direct), service: "up" };
      await call(socket, "xinet.set", params);
      await until(
        async () => (await call(socket, "xinet.status", { name })).running && (await answers(listen)),
      );
    }
  }
  return places;
}

async function serveByHaproxy({ haproxy, direct }, folder, children) {
  const configuration = join(folder, "haproxy.cfg");
  const lines = [
    "global",
    "  nbthread 1",
    "defaults",
    "  mode tcp",
    "  option splice-auto",
    "  timeout connect 60s",
    "  timeout client 60s",
    "  timeout server 60s",
    "listen proxy",
    `  bind 127.0.0.1:${haproxy}`,
    `  server backend 127.0.0.1:${direct}`,
  ];
  writeFileSync(configuration, `${lines.join("\n")}\n`);
  children.push(spawn("haproxy", ["-db", "-f", configuration], { stdio: "ignore" }));
  await until(() => answers(haproxy));
}

/** A server whose only service is up; its socket. */
async function serve(peer, folder, children) {
  const home = join(folder, peer);
  const [services, socket] = [join(home, "services"), join(home, "socket")];
  mkdirSync(services, { recursive: true });
  writeFileSync(join(services, "up.toml"), '[service]\nname = "up"\nexec = "sleep 1000000"\n');
  const program = peer === "oneup" ? [oneup, "as", "zinit-server"] : [original];
  const argv = [...program, "--config-dir", services, "--socket", socket];
  const env = { PATH: process.env.PATH, HOME: home, BENCH_STAMP: join(home, "stamps") };
  children.push(spawn(launch, argv, { cwd: home, env, stdio: "ignore" }));
  await until(async () => existsSync(socket) && (await call(socket, "service.is_running", { name: "up" })));
  return socket;
}

/** How many times as long as a direct connection each takes, round by round. */
function side(kind, shape, places, runs) {
  const measured = new Map(kind.peers.map((peer) => [peer, []]));
  for (let run = 0; run < runs; run++) {
    const order = run % 2 === 0 ? ["direct", ...kind.peers] : [...kind.peers, "direct"];
    const ns = new Map(order.map((who) => [who, once(shape, places[kind.name][who])]));
    for (const peer of kind.peers) measured.get(peer).push(ns.get(peer) / ns.get("direct"));
  }
  return row(`${shape.text} ${kind.text}, direct = 1`, "×", shape.goal, measured);
}

function once(shape, place) {
  return Number(execFileSync(streams, shape.argv(String(place)), { encoding: "utf8" }));
}

function call(path, method, params) {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = "";
    socket.on("data", (piece) => {
      text += piece;
      if (!text.endsWith("\n")) return;
      socket.destroy();
      const { result, error } = JSON.parse(text);
      if (error) reject(new Error(`${method}: ${error.message}`));
      else resolve(result);
    });
    socket.on("error", reject);
    socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })}\n`);
  });
}

function answers(place) {
  return new Promise((resolve) => {
    const socket = connect(typeof place === "number" ? { port: place, host: "127.0.0.1" } : { path: place });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

async function until(condition) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    if (await condition().catch(() => false)) return;
    if (Date.now() > end) throw new Error(`waited ${WAIT_MS} ms in vain: ${condition}`);
    await pause(10);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
