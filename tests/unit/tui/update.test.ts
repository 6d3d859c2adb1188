import { describe, expect, it } from "vitest";
import { MANY_LINES, PANE_LINES } from "../../../src/tui/select.ts";
import { Bench, TABLE } from "./bench.ts";

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}`);

describe("refreshing", () => {
  it("asks for the services at once and every two seconds, for lines oftener", () => {
    const bench = new Bench().tick(0);
    expect(bench.asked()).toEqual([{ type: "services" }]);
    bench.services({ name: "web" });
    expect(bench.asked().map(({ type }) => type)).toEqual(["logs", "details"]);
    bench.tick(500);
    expect(bench.asked()).toEqual([{ type: "logs", name: "web", lines: PANE_LINES }]);
    bench.tick(1500);
    expect(bench.asked().map(({ type }) => type)).toEqual(["services", "details", "logs"]);
  });

  it("sorts by name and keeps the selection by name", () => {
    const bench = new Bench().services({ name: "b" }, { name: "a" });
    expect(bench.model.services.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(bench.model.selected).toBe("a");
    bench.key("Down").services({ name: "0" }, { name: "b" }, { name: "a" });
    expect(bench.model.selected).toBe("b");
  });

  it("selects the neighbour of one that is gone", () => {
    const bench = new Bench().services({ name: "a" }, { name: "b" }, { name: "c" }).key("Down", "Down");
    bench.services({ name: "a" }, { name: "b" });
    expect(bench.model.selected).toBe("b");
    bench.services();
    expect(bench.model.selected).toBeNull();
  });

  it("tells the processor time between two looks", () => {
    const bench = new Bench(TABLE).services({ name: "web", cpuMs: 100 });
    expect(bench.model.samples.get("web")?.percent).toBeNull();
    bench.tick(2000).services({ name: "web", cpuMs: 1100 });
    expect(bench.model.samples.get("web")?.percent).toBe(50);
    // A second look right after it is no measurement.
    bench.tick(10).services({ name: "web", cpuMs: 1110 });
    expect(bench.model.samples.get("web")?.percent).toBe(50);
    // A successor begins at nothing.
    bench.tick(2000).services({ name: "web", cpuMs: 0 });
    expect(bench.model.samples.get("web")?.percent).toBe(0);
  });

  it("ignores what comes late for a service that is selected no more", () => {
    const bench = new Bench().services({ name: "a" }, { name: "b" }).key("Down");
    bench.logs(["of a"], "a");
    expect(bench.model.log.lines).toEqual([]);
  });
});

describe("connection", () => {
  const gone = {
    type: "failed",
    request: { type: "services" },
    text: "connection refused",
    gone: true,
  } as const;

  it("keeps what it knew when the supervisor goes, and says when it is back", () => {
    const bench = new Bench().services({ name: "web" });
    expect(bench.text).toContain("[connected]");
    bench.send(gone);
    expect(bench.text).toContain("[DISCONNECTED]");
    expect(bench.text).toContain("Disconnected: connection refused");
    expect(bench.text).toContain("[+] web");
    expect(bench.model.over).toBe(false);
    bench.tick(2000);
    expect(bench.asked().map(({ type }) => type)).toContain("services");
    bench.services({ name: "web", state: "failed" });
    expect(bench.text).toContain("[connected]");
    expect(bench.text).toContain("Reconnected to zinit");
  });

  it("asks only whether it is back while it is gone, and tells what became of an operation", () => {
    const bench = new Bench().services({ name: "web" }).key("s").send(gone);
    bench.asked();
    bench.tick(2000);
    expect(bench.asked()).toEqual([{ type: "services" }]);
    const request = { type: "act", action: "start", name: "web" } as const;
    bench.send({ type: "failed", request, text: "no answer", gone: true }).send(gone);
    expect(bench.text).toContain("start web failed: no answer");
    expect(bench.tick(5000).send(gone).text).toContain("Disconnected: connection refused");
  });

  it("stays when all services have failed", () => {
    const bench = new Bench().services({ name: "a", state: "failed" }, { name: "b", state: "failed" });
    expect(bench.model.over).toBe(false);
    expect(bench.text).toContain("[X] a");
  });
});

describe("keys", () => {
  it("move through the services, round the ends", () => {
    const bench = new Bench().services({ name: "a" }, { name: "b" }, { name: "c" });
    expect(bench.key("Up").model.selected).toBe("c");
    expect(bench.key("j").model.selected).toBe("a");
    expect(bench.key("j", "k", "Down").model.selected).toBe("b");
  });

  it("Tab cycles the focus", () => {
    const bench = new Bench();
    expect(bench.key("Tab").model.focus).toBe("deps");
    expect(bench.key("Tab").model.focus).toBe("logs");
    expect(bench.key("Tab").model.focus).toBe("services");
    expect(bench.key("BackTab").model.focus).toBe("logs");
  });

  it.each([
    ["s", "start"],
    ["S", "stop"],
    ["r", "restart"],
    ["K", "kill"],
    ["d", "remove"],
    ["D", "halt+remove"],
  ] as const)("%s asks for %s of the selected service, once", (key, action) => {
    const bench = new Bench().services({ name: "a" }, { name: "b" }).key("Down");
    bench.asked();
    bench.key(key, key);
    expect(bench.asked()).toEqual([{ type: "act", action, name: "b" }]);
    bench.tick(3100);
    expect(bench.text).toContain(`${action}(b)...3s`);
    bench.asked();
    bench.send({ type: "done", action, name: "b" });
    expect(bench.text).toContain(`${action} b: success`);
    expect(bench.text).not.toContain("...3s");
    expect(bench.asked()).toEqual([{ type: "services" }]);
  });

  it("a failure is told, and passes", () => {
    const bench = new Bench().services({ name: "a" }).key("s");
    bench.send({
      type: "failed",
      request: { type: "act", action: "start", name: "a" },
      text: "no such\u001b[31m file",
      gone: false,
    });
    expect(bench.text).toContain("start a failed: no such file");
    expect(bench.model.pending).toEqual([]);
    expect(bench.tick(5000).text).not.toContain("failed:");
  });

  it("what the supervisor does not offer is said, not asked", () => {
    const bench = new Bench(TABLE).services({ name: "a" });
    bench.asked();
    bench.key("d");
    expect(bench.asked()).toEqual([]);
    expect(bench.text).toContain('oneup has no "remove"');
  });

  it("nothing is asked without a service", () => {
    const bench = new Bench().key("s", "S", "K", "d", "D", "r", "w", "Enter");
    expect(bench.asked()).toEqual([]);
    expect(bench.model.overlay).toBeNull();
  });

  it.each(["Q", "Escape"])("%s leaves", (key) => {
    expect(new Bench().key(key).model.over).toBe(true);
  });

  it("Ctrl-C leaves, also out of a search; q does not", () => {
    expect(new Bench().key("q").model.over).toBe(false);
    expect(new Bench().key("/").send({ type: "key", key: "c", ctrl: true }).model.over).toBe(true);
  });
});

describe("overlays", () => {
  it("any key closes help, and does nothing else", () => {
    const bench = new Bench().services({ name: "a" }).key("?");
    expect(bench.text).toContain("Keyboard Shortcuts");
    bench.asked();
    bench.key("s");
    expect(bench.model.overlay).toBeNull();
    expect(bench.asked()).toEqual([]);
    expect(bench.key("?", "Q").model.over).toBe(false);
  });

  it("why is asked, shown, and closed by any key", () => {
    const bench = new Bench().services({ name: "a" });
    bench.asked();
    bench.key("w");
    expect(bench.asked()).toEqual([{ type: "why", name: "a" }]);
    const why = { calm: null, lines: ["a [blocked]"], facts: [["Waiting on", "b", "yellow"]] } as const;
    bench.send({ type: "why", name: "a", why });
    expect(bench.text).toContain("Waiting on: b");
    expect(bench.key("x").model.overlay).toBeNull();
  });

  it("Escape and Enter close the details, other keys do not", () => {
    const bench = new Bench().services({ name: "a", state: "failed", error: "exit code 3", pid: null });
    bench.key("Enter", "x");
    expect(bench.text).toContain("Service Details");
    expect(bench.text).toContain("exit code 3");
    expect(bench.key("Escape").model.overlay).toBeNull();
    expect(bench.model.over).toBe(false);
    expect(bench.key("Enter", "Enter").model.overlay).toBeNull();
  });

  it("the tree scrolls and closes", () => {
    const bench = new Bench().key("t");
    expect(bench.asked()).toEqual([{ type: "tree" }]);
    bench.send({ type: "tree", lines: numbered(0, 100) });
    bench.key("PageDown", "j");
    expect(bench.model.overlay).toMatchObject({ kind: "tree", top: 11 });
    expect(bench.key("G").model.overlay).toMatchObject({ top: 74 });
    expect(bench.key("x").model.overlay).toBeNull();
  });
});

describe("logs", () => {
  it("follow, and stay where somebody reads", () => {
    const bench = new Bench().services({ name: "a" }).logs(numbered(0, 150));
    expect(bench.text).toContain("[following]");
    expect(bench.text).toContain("line 149");
    bench.key("PageUp");
    expect(bench.text).not.toContain("[following]");
    const { top } = bench.model.log;
    bench.logs(numbered(40, 190));
    expect(bench.model.log.lines[bench.model.log.top ?? 0]).toBe(`line ${top}`);
    expect(bench.key("G").text).toContain("line 189");
    expect(bench.model.log.top).toBeNull();
    expect(bench.key("g").text).toContain("line 0");
  });

  it("hold at most the last 200 while following, and are bounded always", () => {
    const bench = new Bench().services({ name: "a" }).logs(numbered(0, 200));
    bench.logs(numbered(100, 300));
    expect(bench.model.log.lines).toHaveLength(PANE_LINES);
    bench.key("g");
    for (let at = 100; at < 3000; at += 100) bench.logs(numbered(at, at + 200));
    expect(bench.model.log.lines).toHaveLength(MANY_LINES);
    expect(bench.model.log.top).toBe(0);
  });

  it("begin anew when nothing is the same", () => {
    const bench = new Bench().services({ name: "a" }).logs(["x", "y"]).key("g").logs(["p", "q"]);
    expect(bench.model.log).toMatchObject({ lines: ["p", "q"], top: 0 });
    expect(bench.logs([]).model.log.lines).toEqual([]);
  });

  it("scroll line by line with the focus, and follow again at the end", () => {
    const bench = new Bench().services({ name: "a" }).logs(numbered(0, 100)).key("Tab", "Tab", "Up", "Up");
    expect(bench.model.log.top).not.toBeNull();
    expect(bench.key("Down", "Down").model.log.top).toBeNull();
  });

  it("lose what a terminal would obey", () => {
    const bench = new Bench().services({ name: "a" }).logs(["\u001b[31mred\u001b[0m\u0007\tend\u202e"]);
    expect(bench.model.log.lines).toEqual(["red\ufffd    end\ufffd"]);
  });
});

describe("search", () => {
  const lines = ["boot", "Error one", "fine", "error two", "last"];

  it("finds the newest while typing, then older and newer ones", () => {
    const bench = new Bench().services({ name: "a" }).logs(lines);
    bench.asked();
    bench.key("/");
    expect(bench.asked()).toEqual([{ type: "logs", name: "a", lines: MANY_LINES }]);
    bench.type("error");
    expect(bench.model.search).toMatchObject({ text: "error", typing: true, at: 3 });
    bench.key("Enter", "n");
    expect(bench.model.search).toMatchObject({ typing: false, at: 1 });
    expect(bench.key("n").text).toContain('"error" is not found further up');
    expect(bench.key("N").model.search?.at).toBe(3);
  });

  it("keys are letters of it while it is typed", () => {
    const bench = new Bench().services({ name: "a" }).logs(lines);
    bench.asked();
    bench.key("/").type("sSQ?").key("Backspace");
    expect(bench.model.search?.text).toBe("sSQ");
    expect(bench.asked().filter(({ type }) => type === "act")).toEqual([]);
    expect(bench.model.over).toBe(false);
  });

  it("capitals count if there are any", () => {
    const bench = new Bench().services({ name: "a" }).logs(lines).key("/").type("Error");
    expect(bench.model.search?.at).toBe(1);
  });

  it("Escape ends it, and only then leaves", () => {
    const bench = new Bench().services({ name: "a" }).logs(lines).key("/").type("e").key("Enter", "Escape");
    expect(bench.model.search).toBeNull();
    expect(bench.model.over).toBe(false);
    expect(bench.key("Escape").model.over).toBe(true);
  });

  it("keeps its place when lines come and go", () => {
    const bench = new Bench().services({ name: "a" }).logs(lines).key("/").type("two").key("Enter");
    bench.logs([...lines.slice(2), "more"]);
    expect(bench.model.log.lines[bench.model.search?.at ?? 0]).toBe("error two");
  });

  it("scrolls to what it finds", () => {
    const many = [...numbered(0, 10), "needle", ...numbered(11, 190)];
    const bench = new Bench().services({ name: "a" }).logs(many).key("/").type("needle");
    expect(bench.text).toContain("needle");
    expect(bench.model.log.top).not.toBeNull();
  });
});
