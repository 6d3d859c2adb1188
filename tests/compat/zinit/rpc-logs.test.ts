/** Logs, processes and how much they use, over the socket. */
import { expect, ours, test, type Zinit } from "./harness.ts";

const NEVER = { lifecycle: { restart: "never" } } as const;

async function texts(zinit: Zinit, method: string, params: object = {}): Promise<string[]> {
  const answer = await zinit.call(method, params);
  if (!Array.isArray(answer)) throw new Error(`${method} answers ${JSON.stringify(answer)}`);
  return answer.map(String);
}

/** What stands behind `TIME [STREAM] `. */
function contents(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^\d+ \[\w+\] /, ""));
}

function has(zinit: Zinit, name: string, line: string): Promise<unknown> {
  return zinit.until(`the line ${line}`, async () =>
    contents(await texts(zinit, "logs.get", { name, lines: 1000 })).includes(line),
  );
}

test("the last lines as text and as entries", async ({ zinit }) => {
  zinit.service("web", "echo one; echo two >&2; printf 'th\"ree'; exec sleep 99", NEVER);
  zinit.service("end", "printf unterminated", NEVER);
  await zinit.start();
  await has(zinit, "web", "two");
  await has(zinit, "end", "unterminated");
  const lines = await texts(zinit, "logs.get", { name: "web" });
  expect(lines.map((line) => line.replace(/^\d{13} /, "")).sort()).toEqual(["[stderr] two", "[stdout] one"]);
  const entries = await zinit.call("logs.tail", { name: "web" });
  expect(entries).toHaveLength(2);
  expect(entries).toContainEqual({
    timestamp_ms: expect.any(Number),
    service: "web",
    stream: "stdout",
    content: "one",
  });
  expect(entries).toContainEqual({
    timestamp_ms: expect.any(Number),
    service: "web",
    stream: "stderr",
    content: "two",
  });
  // The text has the same time.
  const [first] = entries as { timestamp_ms: number }[];
  expect(lines[0]?.startsWith(`${first?.timestamp_ms} [`)).toBe(true);
});

test("as many as are asked for, 100 unless it is said", async ({ zinit }) => {
  zinit.service("many", "for i in $(seq 150); do echo $i; done", NEVER);
  await zinit.start();
  await has(zinit, "many", "150");
  const numbers = (from: number) => Array.from({ length: 151 - from }, (_, index) => String(from + index));
  expect(contents(await texts(zinit, "logs.get", { name: "many" }))).toEqual(numbers(51));
  expect(contents(await texts(zinit, "logs.get", { name: "many", lines: 3 }))).toEqual(numbers(148));
  expect(contents(await texts(zinit, "logs.get", { name: "many", lines: 5_000_000_000 }))).toEqual(
    numbers(1),
  );
  expect(contents(await texts(zinit, "logs.get", { name: "many", lines: "3" }))).toEqual(numbers(51));
  expect(await zinit.call("logs.get", { name: "many", lines: 0 })).toEqual([]);
  expect(await zinit.call("logs.tail", { name: "many" })).toHaveLength(100);
  expect(await zinit.call("logs.tail", { name: "many", lines: 2 })).toMatchObject([
    { content: "149" },
    { content: "150" },
  ]);
});

test("lines stay over restarts, and no more of them than are wanted", async ({ zinit }) => {
  zinit.service("again", "echo run $$; sleep 99", { ...NEVER, logging: { buffer_lines: 3 } });
  await zinit.start();
  const runs = [];
  for (let run = 0; run < 4; run++) {
    const { pid } = await zinit.reaches("again", "running");
    runs.push(`run ${pid}`);
    await has(zinit, "again", `run ${pid}`);
    await zinit.call("service.stop", { name: "again" });
    await zinit.reaches("again", "exited");
    if (run < 3) await zinit.call("service.start", { name: "again" });
  }
  expect(contents(await texts(zinit, "logs.get", { name: "again" }))).toEqual(runs.slice(1));
});

ours("23: without a name the lines of all services", async ({ zinit }) => {
  zinit.service("a", "echo of a", NEVER);
  zinit.service("b", "echo of b", NEVER);
  await zinit.start();
  await has(zinit, "a", "of a");
  await has(zinit, "b", "of b");
  expect(contents(await texts(zinit, "logs.get")).sort()).toEqual(["of a", "of b"]);
  expect(await texts(zinit, "logs.get", { lines: 1 })).toHaveLength(1);
});

ours("23: the filter filters", async ({ zinit }) => {
  zinit.service("web", "echo out 1; echo err 1 >&2; sleep 0.2; echo out 2; exec sleep 99", NEVER);
  await zinit.start();
  await has(zinit, "web", "out 2");
  const all = (await zinit.call("logs.filter", { service: "web" })) as {
    timestamp_ms: number;
    content: string;
  }[];
  expect(all).toHaveLength(3);
  const last = all.at(-1);
  expect(last).toMatchObject({ service: "web", stream: "stdout", content: "out 2" });
  const filter = (params: object) => zinit.call("logs.filter", { name: "web", ...params });
  expect(await filter({})).toEqual(all);
  expect(await filter({ stream: "stderr" })).toMatchObject([{ stream: "stderr", content: "err 1" }]);
  expect(await filter({ stream: "syslog" })).toEqual([]);
  expect(await filter({ since: last?.timestamp_ms })).toEqual([last]);
  expect(await filter({ stream: "stdout", lines: 1 })).toEqual([last]);
  expect(await zinit.error("logs.filter", { name: "web", stream: "nothing" })).toMatchObject({
    code: -32602,
  });
});

test("a line ends with a newline, or a carriage return and one", async ({ zinit }) => {
  zinit.service("dos", "printf 'a\\r\\n\\r\\nb\\rc\\r\\r\\nafter\\n'; exec sleep 99", NEVER);
  await zinit.start();
  await has(zinit, "dos", "after");
  const expected = ["a", "", "b\rc\r", "after"];
  expect(contents(await texts(zinit, "logs.get", { name: "dos" }))).toEqual(expected);
  expect((await zinit.log("dos")).map(({ content }) => content)).toEqual(expected);
});

ours("19: bytes that are no text do not end the log", async ({ zinit }) => {
  zinit.service("raw", "printf 'a\\377b\\n'; echo after; exec sleep 99", NEVER);
  await zinit.start();
  await has(zinit, "raw", "after");
  expect(contents(await texts(zinit, "logs.get", { name: "raw" }))).toEqual(["a\ufffdb", "after"]);
});

test("children, the newest first, and the tree of processes", async ({ zinit }) => {
  zinit.service("family", "sleep 98 & sh -c 'sleep 97 & wait' & echo up; wait", NEVER);
  await zinit.start();
  const { pid } = await zinit.reaches("family", "running");
  type Child = { pid: number; name: string; memory_bytes: number };
  const family = async () => {
    const { children } = (await zinit.call("service.children", { name: "family" })) as { children: Child[] };
    return children;
  };
  const children = await zinit.until("three processes below", async () => {
    const found = await family();
    return found.length === 3 && found.filter(({ name }) => name === "sleep").length === 2 ? found : null;
  });
  expect(children.map((child) => child.pid)).toEqual(
    children.map((child) => child.pid).sort((a, b) => b - a),
  );
  for (const child of children) expect(child.memory_bytes).toBeGreaterThan(0);
  const { output } = (await zinit.call("debug.process_tree", { name: "family" })) as { output: string };
  const lines = output.split("\n");
  expect(lines[0]).toBe(`family (pid=${pid})`);
  expect(lines).toHaveLength(4);
  expect(lines[1]).toMatch(new RegExp(`^  ├─ sleep \\(pid=\\d+, ppid=${pid}, sleeping\\)$`));
  expect(lines[2]).toMatch(new RegExp(`^  ├─ sh \\(pid=\\d+, ppid=${pid}, sleeping\\)$`));
  expect(lines[3]).toMatch(/^ {2}└─ sleep \(pid=\d+, ppid=\d+, sleeping\)$/);
  const { output: state } = (await zinit.call("debug.state")) as { output: string };
  expect(state).toMatch(
    new RegExp(
      `^=== Service Graph State ===\n\n\\[\\+\\] family - Running \\(pid=${pid}, uptime=\\d+s\\)\n` +
        "    └─ child processes:\n( {7}└─ (sleep|sh) \\(pid=\\d+, state=S\\)\n){2}$",
    ),
  );
  await zinit.call("service.stop", { name: "family" });
  await zinit.reaches("family", "exited");
  expect(await family()).toEqual([]);
});

test("a service without children", async ({ zinit }) => {
  zinit.service("alone", "exec sleep 99", NEVER);
  await zinit.start();
  const { pid } = await zinit.reaches("alone", "running");
  expect(await zinit.call("service.children", { name: "alone" })).toEqual({ children: [] });
  expect(await zinit.call("debug.process_tree", { name: "alone" })).toEqual({
    output: `alone (pid=${pid})\n  └─ (no child processes)`,
  });
});

test("memory of the main process; nothing of what is down", async ({ zinit }) => {
  zinit.service("web", "exec sleep 99", NEVER);
  zinit.target("goal");
  await zinit.start();
  const { pid } = await zinit.reaches("web", "running");
  const stats = async () => (await zinit.call("service.stats", { name: "web" })) as { memory_bytes: number };
  expect(await stats()).toEqual({ pid, memory_bytes: expect.any(Number), cpu_percent: expect.any(Number) });
  // In the moment of its own exec it has next to none.
  await zinit.until("memory of a program", async () => (await stats()).memory_bytes > 100_000);
  await zinit.call("service.stop", { name: "web" });
  await zinit.reaches("web", "exited");
  const nothing = { pid: 0, memory_bytes: 0, cpu_percent: 0 };
  expect(await zinit.call("service.stats", { name: "web" })).toEqual(nothing);
  expect(await zinit.call("service.stats", { name: "goal" })).toEqual(nothing);
});

ours("processor time is measured (it always was 0)", async ({ zinit }) => {
  zinit.service("busy", "while :; do :; done", NEVER);
  zinit.service("idle", "exec sleep 99", NEVER);
  await zinit.start();
  await zinit.reaches("busy", "running");
  const percent = async (name: string) =>
    ((await zinit.call("service.stats", { name })) as { cpu_percent: number }).cpu_percent;
  await zinit.until("some work", async () => (await percent("busy")) > 1);
  expect(await percent("idle")).toBeLessThan(50);
});
