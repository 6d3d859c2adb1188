/** The API on the real engine: what a client hears as services come and go. */
import { describe, expect, it } from "vitest";
import { createBrain } from "../../../src/brain/brain.ts";
import * as engine from "../../../src/engine/index.ts";
import type { Boot, Command, Event } from "../../../src/generated/protocol.ts";
import type { SparseSpec } from "../../../src/model/spec.ts";
import { answered, receipt, replies } from "./stub.ts";

class Machine {
  now = 1000;
  readonly log: Command[] = [];
  readonly #batch = createBrain(engine);
  #requests = 0;
  #pids = 100;

  constructor(services: readonly SparseSpec[]) {
    const config = { services, supervisor: { shutdownTimeoutMs: 60_000, single: false } };
    const boot: Boot = {
      lost: null,
      config,
      seed: 1,
      nextId: 1,
      nextSeq: 1,
      children: [],
      slate: {},
      pid: 1,
      pidOne: true,
      wallStarted: 0,
    };
    this.send({ type: "boot", ...boot });
  }

  send(...events: Event[]): Command[] {
    const commands = JSON.parse(
      this.#batch(JSON.stringify({ now: this.now, wall: this.now, events })),
    ) as Command[];
    this.log.push(...commands);
    return commands;
  }

  ask(method: string, target: string, body = ""): Command[] {
    this.#requests += 1;
    const [path = "", query = ""] = target.split("?");
    const call = { type: "http", method, path, query, body } as const;
    return this.send({ type: "request", request: this.#requests, uid: 0, pid: 7, call });
  }

  /** The set id of the last spawn of a service. */
  id(service: string): number {
    const spawn = this.log.findLast(
      (command) => command.type === "spawn" && command.spec.service === service,
    );
    if (spawn?.type !== "spawn") throw new Error(`"${service}" was never started`);
    return spawn.id;
  }

  spawned(service: string): Command[] {
    this.#pids += 1;
    return this.send({ type: "spawned", id: this.id(service), pid: this.#pids, at: this.now });
  }

  stopped(service: string): Command[] {
    const id = this.id(service);
    const exit = { signal: "TERM" };
    return [
      ...this.send({ type: "exited", id, at: this.now, exit, leftovers: 0 }),
      ...this.send({ type: "stopped", id, at: this.now, receipt: receipt(service) }),
    ];
  }
}

const DB: SparseSpec = { name: "db", argv: ["db"] };
const WEB: SparseSpec = { name: "web", argv: ["web"], requires: [{ name: "db", bind: false, start: true }] };

function up(...services: SparseSpec[]): Machine {
  const machine = new Machine(services);
  for (const { name } of services) machine.spawned(name);
  return machine;
}

describe("the API on the engine", () => {
  it("starts what is asked for with what it needs, and answers when it is ready", () => {
    const machine = new Machine([
      { ...DB, autostart: false },
      { ...WEB, autostart: false },
    ]);
    expect(replies(machine.ask("POST", "/v1/services/web/start"))).toEqual([]);
    expect(replies(machine.spawned("db"))).toEqual([]);
    expect(answered(machine.spawned("web"))).toMatchObject({
      status: 200,
      json: { name: "web", state: "running", ready: true, pid: 102 },
    });
  });

  it("stops dependents first, and answers with both receipts", () => {
    const machine = up(DB, WEB);
    expect(replies(machine.ask("POST", "/v1/services/db/stop"))).toEqual([]);
    expect(replies(machine.stopped("web"))).toEqual([]);
    const answer = answered(machine.stopped("db"));
    expect(answer).toMatchObject({ status: 200, json: [{ service: "web" }, { service: "db" }] });
  });

  it("restarts, and answers only when it is up again", () => {
    const machine = up(DB, WEB);
    expect(replies(machine.ask("POST", "/v1/services/db/restart"))).toEqual([]);
    const before = machine.id("db");
    expect(replies(machine.stopped("web"))).toEqual([]);
    expect(replies(machine.stopped("db"))).toEqual([]);
    expect(machine.id("db")).not.toBe(before);
    expect(answered(machine.spawned("db"))).toMatchObject({
      status: 200,
      json: { name: "db", state: "running" },
    });
  });

  it("tells why a start failed", () => {
    const machine = new Machine([{ ...DB, autostart: false }]);
    machine.ask("POST", "/v1/services/db/start");
    const failure = { step: "exec", errno: 2, error: "ENOENT", message: "no such file", transient: false };
    const answer = answered(
      machine.send({ type: "spawnFailed", id: machine.id("db"), at: machine.now, failure }),
    );
    expect(answer).toMatchObject({
      status: 500,
      json: { service: "db", cause: expect.stringContaining("exec") },
    });
  });

  it("has stopped what somebody wants again meanwhile", () => {
    const machine = up(DB);
    expect(replies(machine.ask("POST", "/v1/services/db/stop"))).toEqual([]);
    expect(replies(machine.ask("POST", "/v1/services/db/start?wait=false"))).toMatchObject([{ status: 202 }]);
    expect(answered(machine.stopped("db"))).toMatchObject({ status: 200, json: [{ service: "db" }] });
    machine.spawned("db");
    expect(answered(machine.ask("GET", "/v1/services/db")).json).toMatchObject({ state: "running" });
  });

  it("tells a start that is overtaken by a stop", () => {
    const machine = new Machine([{ ...DB, autostart: false }]);
    expect(replies(machine.ask("POST", "/v1/services/db/start"))).toEqual([]);
    const [start] = replies(machine.ask("POST", "/v1/services/db/stop?wait=false"));
    expect(start === undefined ? null : answered([start])).toMatchObject({ status: 409 });
  });

  it("kills, and knows who asked", () => {
    const machine = up(DB);
    const commands = machine.ask("POST", "/v1/services/db/kill", '{"signal":"HUP"}');
    expect(commands).toContainEqual({ type: "signal", id: machine.id("db"), signal: "HUP", scope: "main" });
    machine.ask("POST", "/v1/services/db/stop?wait=false");
    const why = JSON.stringify(answered(machine.ask("GET", "/v1/services/db/why")).json);
    expect(why).toContain("stop asked by process 7 of user 0");
  });

  it("shuts down with every receipt, and answers before it leaves", () => {
    const machine = up(DB, WEB);
    expect(replies(machine.ask("POST", "/v1/shutdown"))).toEqual([]);
    expect(answered(machine.ask("POST", "/v1/services/web/start")).status).toBe(409);
    machine.stopped("web");
    machine.stopped("db");
    const rest = machine.log.findLast((command) => command.type === "stopRest");
    if (rest?.type !== "stopRest") throw new Error("nobody looked for the rest");
    const last = machine.send({ type: "stopped", id: rest.id, at: machine.now, receipt: receipt(null) });
    expect(last.at(-1)).toEqual({ type: "exit", code: 0 });
    expect(answered(last)).toMatchObject({
      status: 200,
      json: [{ service: "web" }, { service: "db" }, { service: null }],
    });
  });

  it("shows no environment", () => {
    const machine = up({ ...DB, environment: { PASSWORD: "secret" } });
    for (const target of [
      "/v1/services",
      "/v1/services/db/why",
      "/v1/tree",
      "/status",
      "/metrics",
      "/v1/supervisor",
    ]) {
      expect(JSON.stringify(answered(machine.ask("GET", target)).parts)).not.toContain("secret");
    }
  });
});
