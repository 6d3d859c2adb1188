/**
 * zinit's own Rust client library (0.3.9, from the registry), async and blocking, through each of
 * its calls against a server. `scripts/originals.mjs` builds the program that drives it.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { z } from "zod";
import { root } from "../../e2e/harness/paths.ts";
import { freePort } from "../../e2e/harness/ports.ts";
import { expect, ours, test, type Zinit } from "./harness.ts";

const driver = join(root, "build/originals/zinit/bin/zinit-client-driver");
if (!existsSync(driver)) throw new Error(`${driver} is missing: run "node scripts/originals.mjs"`);

type Way = "async" | "blocking";
type Call = readonly [name: string, ...args: readonly unknown[]];

const answer = z.union([z.strictObject({ ok: z.unknown() }), z.strictObject({ error: z.string() })]);
type Answer = z.infer<typeof answer>;

const made = new Set<string>();

/** Makes the calls one after another, over one client. */
async function answers(zinit: Zinit, way: Way, ...calls: readonly Call[]): Promise<Answer[]> {
  for (const [name] of calls) made.add(name);
  const input = calls.map((call) => `${JSON.stringify(call)}\n`).join("");
  const end = await zinit.box.run([driver, way, zinit.socket], { input });
  expect(end.err).toBe("");
  const lines = end.out.split("\n").filter((line) => line !== "");
  expect(lines).toHaveLength(calls.length);
  return lines.map((line) => answer.parse(JSON.parse(line)));
}

/** The results of calls that must succeed. */
async function results(zinit: Zinit, way: Way, ...calls: readonly Call[]): Promise<unknown[]> {
  return (await answers(zinit, way, ...calls)).map((one, index) => {
    if ("error" in one) throw new Error(`${calls[index]?.[0]}: ${one.error}`);
    return one.ok;
  });
}

async function failure(zinit: Zinit, way: Way, call: Call): Promise<string> {
  const [one] = await answers(zinit, way, call);
  if (one === undefined || !("error" in one)) throw new Error(`${call[0]} succeeded`);
  return one.error;
}

/** A definition as the library's builder makes it. */
function definition(name: string, exec: string, service: Readonly<Record<string, unknown>> = {}) {
  return {
    service: { name, exec, dir: null, oneshot: false, env: {}, status: "start", class: "user", ...service },
    dependencies: { after: [], requires: [], wants: [], conflicts: [] },
    lifecycle: {
      restart: "on-failure",
      restart_delay_ms: 1000,
      restart_delay_max_ms: 300_000,
      max_restarts: 10,
      stability_period_ms: 30_000,
      start_timeout_ms: 30_000,
      stop_timeout_ms: 10_000,
      stop_signal: "SIGTERM",
    },
    health: null,
    logging: { buffer_lines: 1000, file: null, forward: null },
  };
}

for (const way of ["async", "blocking"] as const) {
  describe(`the ${way} client`, () => {
    test("looks at services", async ({ zinit }) => {
      zinit.service("db", "echo out; echo err >&2; sleep 999");
      zinit.service("web", "sleep 999", { dependencies: { requires: ["db"] } });
      await zinit.start();
      const { pid } = await zinit.reaches("web", "running");
      await zinit.until("both lines", async () => {
        const [lines] = await results(zinit, way, ["logs", "db", 10]);
        return z.array(z.string()).parse(lines).length === 2;
      });
      const [names, full, status, statusFull, stats, children, runs, runsNot, why, tree] = await results(
        zinit,
        way,
        ["list"],
        ["list_full"],
        ["status", "web"],
        ["status_full", "web"],
        ["stats", "web"],
        ["children", "web"],
        ["is_running", "web"],
        ["is_running", "nobody"],
        ["why", "web"],
        ["tree"],
      );
      expect(z.array(z.string()).parse(names).toSorted()).toEqual(["db", "web"]);
      expect(full).toContainEqual({ name: "web", state: { state: "running", pid }, is_target: false });
      expect(status).toMatchObject({ name: "web", state: "running", pid });
      expect(statusFull).toMatchObject({
        name: "web",
        state: { state: "running", pid },
        is_target: false,
        dependencies: [{ name: "db", dep_type: "requires", state: { state: "running" }, satisfied: true }],
      });
      expect(stats).toMatchObject({ pid, memory_bytes: expect.any(Number) });
      expect(z.object({ memory_bytes: z.number() }).parse(stats).memory_bytes).toBeGreaterThan(0);
      expect(children).toMatchObject({ children: expect.any(Array) });
      expect([runs, runsNot]).toEqual([true, false]);
      expect(why).toMatchObject({ name: "web", blocked: false, waiting_on: [], conflicts_with: [] });
      expect(tree).toContain("[+] web (running)");
    });

    test("reads logs and what is there for finding faults", async ({ zinit }) => {
      zinit.service("talker", "echo one; echo two >&2; sleep 999");
      await zinit.start();
      const read = () =>
        results(
          zinit,
          way,
          ["logs", "talker", 10],
          ["logs_tail", "talker", 1],
          ["debug_state"],
          ["debug_process_tree", "talker"],
        );
      const [lines, tail, state, processes] = await zinit.until("both lines", async () => {
        const all = await read();
        return z.array(z.string()).parse(all[0]).length === 2 ? all : null;
      });
      // Two pipes: which line is read first is not said.
      const texts = z.array(z.string()).parse(lines);
      expect(texts).toContainEqual(expect.stringMatching(/^\d+ \[stdout\] one$/));
      expect(texts).toContainEqual(expect.stringMatching(/^\d+ \[stderr\] two$/));
      expect(tail).toEqual([
        {
          timestamp_ms: expect.any(Number),
          service: "talker",
          stream: expect.stringMatching(/^std(out|err)$/),
          content: expect.stringMatching(/^(one|two)$/),
        },
      ]);
      expect(state).toContain("talker");
      expect(processes).toContain("sleep");
    });

    ours("gets filtered logs as entries (defect 23)", async ({ zinit }) => {
      zinit.service("talker", "echo one; echo two >&2; sleep 999");
      await zinit.start();
      await zinit.until("the line", async () => {
        const [found] = await results(zinit, way, ["logs_filter", "talker", "stderr", 0, 10]);
        return z.array(z.object({ stream: z.literal("stderr"), content: z.literal("two") })).parse(found)
          .length;
      });
    });

    test("starts, stops, restarts and kills", async ({ zinit }) => {
      zinit.service("web", "sleep 999", { lifecycle: { restart: "never" } });
      await zinit.start();
      const first = await zinit.reaches("web", "running");
      expect(await results(zinit, way, ["restart", "web"])).toEqual([null]);
      const second = await zinit.reaches("web", "running", ({ pid }) => pid !== first.pid);
      expect(await results(zinit, way, ["stop", "web"])).toEqual([null]);
      await zinit.reaches("web", "exited");
      expect(await results(zinit, way, ["start", "web"])).toEqual([null]);
      const third = await zinit.reaches("web", "running", ({ pid }) => pid !== second.pid);
      expect(third.pid).toBeGreaterThan(0);
      expect(await results(zinit, way, ["kill", "web", "SIGKILL"])).toEqual([null]);
      await zinit.reaches("web", "failed");
      expect(await failure(zinit, way, ["start", "nobody"])).toContain("service not found: nobody");
      expect(await failure(zinit, way, ["status", "nobody"])).toContain("service not found");
    });

    test("defines, reads and deletes services", async ({ zinit }) => {
      await zinit.start();
      const config = definition("added", "sleep 999", { env: { A: "1" } });
      const [set] = await results(zinit, way, ["service_set", config]);
      expect(set).toEqual({ name: "added", path: join(zinit.configDir, "added.toml"), warnings: [] });
      await zinit.reaches("added", "running");
      const [got] = await results(zinit, way, ["service_get", "added"]);
      expect(got).toMatchObject({ ...config, service: { ...config.service, critical: false, ports: [] } });
      await results(zinit, way, ["stop", "added"]);
      await zinit.reaches("added", ["exited", "inactive"]);
      expect(await results(zinit, way, ["service_delete", "added"])).toEqual([null]);
      await zinit.until("its file to be gone", () => !zinit.box.has("services/added.toml"));
      expect(await results(zinit, way, ["list"])).toEqual([[]]);
    });

    ours("sets, looks at and deletes proxies (defects 31 and 32)", async ({ zinit }) => {
      zinit.service("backend", "sleep 999", { service: { status: "stop" } });
      await zinit.start();
      const config = {
        name: "front",
        listen: [zinit.box.path("front.sock"), `127.0.0.1:${await freePort()}`],
        backend: zinit.box.path("back.sock"),
        service: "backend",
        connect_timeout: 1,
        idle_timeout: 0,
        single_connection: false,
      };
      const [set, names, one, all, gone, none] = await results(
        zinit,
        way,
        ["xinet_set", config],
        ["xinet_list"],
        ["xinet_status", "front"],
        ["xinet_status_all"],
        ["xinet_delete", "front"],
        ["xinet_list"],
      );
      expect([set, gone]).toEqual([null, null]);
      expect([names, none]).toEqual([["front"], []]);
      expect(one).toMatchObject({ name: "front", active_connections: 0 });
      expect(all).toMatchObject([
        { name: "front", service: "backend", total_connections: 0, running: expect.any(Boolean) },
      ]);
    });

    test("asks for the server itself", async ({ zinit }) => {
      await zinit.start();
      const [ping, connection, document] = await results(
        zinit,
        way,
        ["ping"],
        ["test_connection"],
        ["discover"],
      );
      expect(ping).toEqual({ version: "0.3.9" });
      expect(connection).toContain("0.3.9");
      expect(document).toMatchObject({ info: { title: "Zinit RPC API" }, methods: expect.any(Array) });
      expect(await failure(zinit, way, ["reboot"])).toContain("Reboot only available when running as PID 1");
      expect(await results(zinit, way, ["shutdown"])).toEqual([null]);
      expect((await zinit.up.ends()).code).toBe(0);
    });

    ours("prepares a restart, and gets the answer each time (defect 34)", async ({ zinit }) => {
      zinit.service("web", "sleep 999");
      await zinit.start();
      await zinit.reaches("web", "running");
      const [prepared] = await results(zinit, way, ["prepare_restart"]);
      expect(prepared).toMatchObject({ state_path: expect.stringContaining("state.json"), ready: true });
      expect((await zinit.up.ends()).code).toBe(0);
    });
  });
}

const all = /^ {8,}"(\w+)" => (?:plain|\{\s+let \S+.*a\.)/gm;

ours("no call of the library is left out", () => {
  const source = readFileSync(join(root, "tests/compat/zinit/client/src/main.rs"), "utf8");
  const calls = [...source.matchAll(all)].map(([, name]) => name);
  expect(calls.length).toBeGreaterThan(30);
  expect([...made].toSorted()).toEqual([...new Set(calls)].toSorted());
});
