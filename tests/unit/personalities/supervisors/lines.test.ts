/** What is told on stdout, and that nothing is told twice or not at all when a brain is lost. */
import { describe, expect, test } from "vitest";
import type { BootInput, EngineEvent, World } from "../../../../src/engine/index.ts";
import * as engine from "../../../../src/engine/index.ts";
import type { Boot, ChildRecord, Command, Exit, ReceiptProcess } from "../../../../src/generated/protocol.ts";
import type { SparseSpec } from "../../../../src/model/spec.ts";
import { bootWithLines, stepWithLines } from "../../../../src/personalities/supervisors/brain/lines.ts";

const clock = { now: 1000, wall: 1_700_000_000_000 };
const WEB: SparseSpec = {
  name: "web",
  argv: ["/bin/web", "-p", "80"],
  restartDelayMs: 3000,
  restartDelayMaxMs: 3000,
};

interface Left {
  readonly children?: ChildRecord[];
  readonly slate?: Boot["slate"];
  readonly lost?: string | null;
}

function boot({ children = [], slate = {}, lost = null }: Left = {}): { world: World; commands: Command[] } {
  const input: BootInput = {
    lost,
    config: {
      services: [WEB],
      supervisor: { shutdownTimeoutMs: 8000, single: false },
      personality: { listen: "localhost:3000" },
    },
    seed: 1,
    nextId: 10,
    nextSeq: 100,
    children,
    slate,
    pid: 7,
    pidOne: false,
    wallStarted: clock.wall,
  };
  return bootWithLines(engine, input, clock);
}

function printed(commands: readonly Command[]): string[] {
  return commands.flatMap((command) => (command.type === "print" ? [command.text] : []));
}

function said(commands: readonly Command[]): string[] {
  return commands.flatMap((command) => (command.type === "say" ? [command.text] : []));
}

/** The slate after these commands. */
function slateOf(...steps: readonly (readonly Command[])[]): Record<string, string> {
  const slate: Record<string, string> = {};
  for (const command of steps.flat()) {
    if (command.type !== "slate") continue;
    if (command.value === null) delete slate[command.key];
    else slate[command.key] = command.value;
  }
  return slate;
}

class Machine {
  readonly world: World;
  readonly steps: Command[][];

  constructor() {
    const { world, commands } = boot();
    this.world = world;
    this.steps = [commands];
  }

  step(event: EngineEvent): Command[] {
    const commands = stepWithLines(engine, this.world, event, clock);
    this.steps.push(commands);
    return commands;
  }

  get slate(): Record<string, string> {
    return slateOf(...this.steps);
  }
}

/** With the program at work. */
function running(): Machine {
  const machine = new Machine();
  machine.step({ type: "spawned", id: 10, pid: 77, at: 1000 });
  return machine;
}

function exited(exit: Exit, leftovers = 0, core = false): EngineEvent {
  return { type: "exited", id: 10, at: 1000, exit, leftovers, ...(core ? { core } : {}) };
}

function child(exit: Exit | null, leftovers = 0): ChildRecord {
  return {
    id: 10,
    service: "web",
    role: "main",
    pid: 77,
    started: 1000,
    exit,
    exited: exit === null ? null : 1000,
    leftovers,
    stopping: leftovers > 0,
    receipt: null,
    notice: null,
    watchdogAt: 0,
  };
}

describe("lines", () => {
  test("of the start, the address first", () => {
    const { commands } = boot();
    expect(printed(commands)).toEqual([
      "API listening on http://localhost:3000\n",
      '[web] Starting: /bin/web ["-p", "80"]\n',
    ]);
    const types = commands.map(({ type }) => type);
    expect(types.indexOf("print")).toBeLessThan(types.indexOf("spawn"));
  });

  test("of the end, before what follows from it", () => {
    const commands = running().step(exited({ code: 3 }));
    expect(printed(commands)).toEqual(["[web] Exited with: exit status: 3\n"]);
    expect(commands[0]?.type).toBe("print");
    expect(said(commands)).toEqual([]);
  });

  test("of a core", () => {
    expect(printed(running().step(exited({ signal: "ABRT" }, 0, true)))).toEqual([
      "[web] Exited with: signal: 6 (SIGABRT) (core dumped)\n",
    ]);
  });

  test("of one that could not be started, on stderr", () => {
    const failure = { step: "exec", errno: 2, error: "ENOENT", message: "not found", transient: false };
    const spawn = new Machine().step({ type: "spawnFailed", id: 10, at: 1000, failure });
    expect([said(spawn), printed(spawn)]).toEqual([["[web] Failed to spawn process: not found"], []]);
    const log = new Machine().step({
      type: "spawnFailed",
      id: 10,
      at: 1000,
      failure: { ...failure, step: "stdout" },
    });
    expect(said(log)).toEqual(["[web] Failed to open logfile: not found"]);
  });

  test("of the shutdown, once", () => {
    const machine = running();
    const signal = { type: "signal", signal: "TERM", sender: 0, at: 1000 } as const;
    expect(printed(machine.step(signal))).toEqual([
      "SIGTERM received. Exiting...\n",
      "Shutting down all processes...\n",
    ]);
    expect(printed(machine.step(signal))).toEqual([]);
    expect(printed(machine.step(exited({ signal: "TERM" })))).toEqual([
      "[web] Exited with: signal: 15 (SIGTERM)\n",
    ]);
  });

  test("of what could not be ended, on stderr", () => {
    const machine = running();
    machine.step({ type: "signal", signal: "TERM", sender: 0, at: 1000 });
    const process: ReceiptProcess = {
      pid: 77,
      command: "web",
      found: "child",
      signals: ["KILL"],
      left_ms: null,
      exit: null,
      killed: true,
    };
    const receipt = { service: "web", empty: false, duration_ms: 1, processes: [process] };
    const commands = machine.step({ type: "stopped", id: 10, at: 1000, receipt });
    expect(said(commands)).toEqual([expect.stringMatching(/^\[web\] could not be ended/)]);
  });
});

describe("when a brain is lost", () => {
  test("nothing is told of the start again, and that it was lost is said", () => {
    const { commands } = boot({ lost: "a test", children: [child(null)], slate: running().slate });
    expect(printed(commands)).toEqual([]);
    expect(said(commands)).toEqual(["a fresh brain took over, the former was lost: a test"]);
  });

  test("an end that it did not come to tell is told", () => {
    const { commands } = boot({ lost: "a test", children: [child({ code: 1 })], slate: running().slate });
    expect(printed(commands)).toEqual(["[web] Exited with: exit status: 1\n"]);
  });

  test("an end that it has told is not told again", () => {
    const machine = running();
    const commands = machine.step(exited({ code: 1 }, 2));
    expect(printed(commands)).toEqual(["[web] Exited with: exit status: 1\n"]);
    const fresh = boot({ lost: "a test", children: [child({ code: 1 }, 2)], slate: machine.slate });
    expect(printed(fresh.commands)).toEqual([]);
  });

  test("nothing is kept of an end that is over", () => {
    const machine = running();
    machine.step(exited({ code: 1 }, 2));
    machine.step({
      type: "stopped",
      id: 10,
      at: 1000,
      receipt: { service: "web", empty: true, duration_ms: 1, processes: [] },
    });
    expect(Object.keys(machine.slate).filter((key) => key.startsWith("told"))).toEqual([]);
  });
});
