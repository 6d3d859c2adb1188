import { describe, expect, it } from "vitest";
import { clean, heightOf, rowsOf, widthOf } from "../../../src/tui/cells.ts";
import { merge } from "../../../src/tui/log.ts";
import { uptimeText } from "../../../src/tui/paint.ts";
import { Bench, LIST, TABLE, widgets } from "./bench.ts";

describe("the list look", () => {
  it("has title, three panes and a status bar", () => {
    const bench = new Bench().services({ name: "web", pid: 42 }, { name: "db", state: "failed", pid: null });
    bench.key("Down").logs(["hello"]);
    const { text } = bench;
    expect(text).toContain("zinit TUI [connected] | ? Help  w Why  Q Quit");
    expect(text).toContain(" Services (2) ");
    expect(text).toContain(" Service Info ");
    expect(text).toContain(" Logs: web [following] ");
    expect(text).toContain("State: running");
    expect(text).toContain("PID: 42");
    expect(text).toContain("[+] web running PID:42 | [Services] | Tab: cycle focus");
    const [columns] = widgets(bench.tree, "columns");
    expect(columns).toMatchObject({ parts: [{ size: { cells: 30 } }, { size: { cells: 25 } }, {}] });
  });

  it.each([
    ["inactive", "[-]"],
    ["blocked", "[?]"],
    ["starting", "[>]"],
    ["running", "[+]"],
    ["stopping", "[!]"],
    ["exited", "[.]"],
    ["failed", "[X]"],
  ])("%s is %s", (state, symbol) => {
    expect(new Bench().services({ name: "a", state }).text).toContain(`${symbol} a`);
  });

  it("tells exit code, error and children", () => {
    const bench = new Bench().services({
      name: "a",
      state: "exited",
      exitCode: 3,
      pid: null,
      error: "it broke",
    });
    bench.send({
      type: "details",
      details: {
        name: "a",
        error: null,
        uptimeMs: null,
        memoryBytes: null,
        cpuPercent: null,
        children: [{ pid: 7, name: "sh\u001b[2J", memoryBytes: 3 << 19 }],
        needs: [{ name: "db", how: "requires", satisfied: false }],
      },
    });
    expect(bench.text).toContain("Exit code: 3");
    expect(bench.text).toContain("Error: it broke");
    expect(bench.text).toContain("Children (1):\n  7 sh (1.5MB)");
    expect(bench.text).toContain("✗ requires db");
  });

  it("colours errors and warnings", () => {
    const bench = new Bench().services({ name: "a" }).logs(["an error", "a warning", "fine"]);
    const tree = JSON.stringify(bench.tree);
    expect(tree).toContain('["an error",{"fg":"red"}]');
    expect(tree).toContain('["a warning",{"fg":"yellow"}]');
    expect(tree).toContain('["fine",{"fg":"grey"}]');
  });

  it("marks what was searched for", () => {
    const bench = new Bench().services({ name: "a" }).logs(["one two"]).key("/", "t", "w", "o");
    expect(JSON.stringify(bench.tree)).toContain('["two",{"fg":"black","bg":"yellow"}]');
    expect(bench.text).toContain("/two_");
  });
});

describe("the table look", () => {
  it("has state, processor, memory, uptime", () => {
    const bench = new Bench(TABLE);
    const web = { name: "web", pid: 9, memoryBytes: 2048, uptimeMs: 65_000, restarts: 2 };
    bench
      .services({ ...web, cpuMs: 0 })
      .tick(2000)
      .services({ ...web, cpuMs: 250 });
    expect(bench.text).toContain("NAME | STATE | PID | CPU | MEMORY | UPTIME | RESTARTS");
    expect(bench.text).toContain("[+] web | running | 9 | 12.5% | 2.0 KiB | 1m05s | 2");
  });

  it("leaves out what there is no room for", () => {
    const bench = new Bench(TABLE, 60).services({ name: "web" });
    expect(bench.text).toContain("NAME | STATE | CPU | MEMORY | UPTIME\n");
    expect(bench.send({ type: "resize", columns: 20, rows: 9 }).text).toContain("NAME\n");
  });

  it("help shows only what is offered", () => {
    expect(new Bench(LIST).key("?").text).toContain("Remove service");
    expect(new Bench(TABLE).key("?").text).not.toContain("Remove");
  });
});

describe("any size of terminal", () => {
  it.each([
    [1, 1],
    [10, 4],
    [20, 8],
    [300, 100],
  ])("%d × %d", (columns, rows) => {
    for (const manner of [LIST, TABLE]) {
      const bench = new Bench(manner).send({ type: "resize", columns, rows }).services({ name: "a" });
      bench.logs(Array.from({ length: 50 }, (_, index) => `${index} ${"x".repeat(100)}`));
      for (const keys of [["Tab", "Up"], ["PageUp"], ["g"], ["l"], ["l"], ["?"], ["?"], ["Enter"]]) {
        expect(bench.key(...keys).text).toBeTypeOf("string");
      }
    }
  });

  it("the log alone has no borders", () => {
    const bench = new Bench().services({ name: "a" }).logs(["hello"]).key("l");
    expect(widgets(bench.tree, "text").every((widget) => !("block" in widget))).toBe(true);
    expect(bench.text).toContain("Logs: a 1/1 [following]");
    expect(bench.key("Escape").model.over).toBe(false);
    expect(bench.text).toContain("Services (1)");
  });
});

describe("cells", () => {
  it("wide letters take two, marks none", () => {
    expect(widthOf("abc")).toBe(3);
    expect(widthOf("日本")).toBe(4);
    expect(widthOf("e\u0301")).toBe(1);
    expect(rowsOf("日本語", 4)).toEqual(["日本", "語"]);
    expect(heightOf("日本語", 4)).toBe(2);
  });

  it("lines break into rows that fit", () => {
    expect(rowsOf("", 5)).toEqual([""]);
    expect(rowsOf("abcdef", 3)).toEqual(["abc", "def"]);
    expect(heightOf("abcdef", 4)).toBe(2);
  });

  it("orders to the terminal vanish", () => {
    expect(clean("\u001b]0;title\u0007a\u001b[1;31mb\u001b[0m\r")).toBe("ab\ufffd");
  });

  it("uptimes", () => {
    expect([0, 59_000, 61_000, 3_700_000, 90_000_000].map(uptimeText)).toEqual([
      "0s",
      "59s",
      "1m01s",
      "1h01m",
      "1d01h",
    ]);
  });
});

describe("merging lines", () => {
  it("keeps what was seen and appends what is new", () => {
    expect(merge(["a", "b", "c"], ["b", "c", "d"], 10)).toEqual({ lines: ["a", "b", "c", "d"], shift: 0 });
    expect(merge(["b", "c"], ["a", "b", "c", "d"], 10)).toEqual({ lines: ["a", "b", "c", "d"], shift: 1 });
    expect(merge(["a", "b", "c"], ["b", "c", "d"], 3)).toEqual({ lines: ["b", "c", "d"], shift: -1 });
    expect(merge(["a"], ["x", "y"], 3)).toEqual({ lines: ["x", "y"], shift: -1 });
    expect(merge([], ["x"], 3)).toEqual({ lines: ["x"], shift: 0 });
  });
});
