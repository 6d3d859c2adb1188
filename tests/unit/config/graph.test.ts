import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { good, shown } from "./helpers.ts";

/** `a: requires b, c; wants d` a line; `t` and `g` as first letters make tasks and targets. */
function text(...lines: string[]): string {
  return lines
    .map((line) => {
      const [name = "", rest = ""] = line.split(":");
      const kind = name.startsWith("t") ? "task" : name.startsWith("g") ? "target" : "service";
      const fields = rest.split(";").flatMap((part) => {
        const [, field, list] = /^\s*(\S+) (.*)$/.exec(part) ?? [];
        if (field === undefined || list === undefined) return [];
        if (field === "set") return [list];
        return [
          `${field} = [${list
            .split(", ")
            .map((item) => (item.startsWith("{") ? item : `"${item}"`))
            .join(", ")}]`,
        ];
      });
      return [`[${kind}.${name}]`, ...(kind === "target" ? [] : ['command = "x"']), ...fields, ""].join("\n");
    })
    .join("");
}

describe("names", () => {
  test("an unknown one, with the nearest that there is", () => {
    expect(
      shown(
        text(
          "database: ",
          "a: requires databse; wants nothing-like-it; after databas; before x; conflicts databasee",
        ),
      ),
    ).toEqual([
      'oneup.toml:5:13: requires: unknown service "databse" (did you mean "database"?)',
      'oneup.toml:6:10: wants: unknown service "nothing-like-it" (define it, or remove it from wants)',
      'oneup.toml:7:10: after: unknown service "databas" (did you mean "database"?)',
      'oneup.toml:8:11: before: unknown service "x" (did you mean "a"?)',
      'oneup.toml:9:14: conflicts: unknown service "databasee" (did you mean "database"?)',
    ]);
  });

  test("of another kind than was said", () => {
    expect(
      shown(
        text("a: ", "t: ", 'b: requires { task = "a" }, { service = "t" }, { target = "t" }, { task = "z" }'),
      ),
    ).toEqual([
      'oneup.toml:7:22: requires: "a" is a service, not a task (write { service = "a" }; it is defined at oneup.toml:1:10)',
      'oneup.toml:7:41: requires: "t" is a task, not a service (write { task = "t" }; it is defined at oneup.toml:3:7)',
      'oneup.toml:7:59: requires: "t" is a task, not a target (write { task = "t" }; it is defined at oneup.toml:3:7)',
      'oneup.toml:7:75: requires: unknown task "z" (did you mean "a"?)',
    ]);
  });

  test("twice, in one file and in two", () => {
    const one = '[service.a]\ncommand = "x"\n[task.a]\ncommand = "x"\n';
    expect(shown(one)).toEqual([
      'oneup.toml:3:7: task "a" is defined twice, first as a service at oneup.toml:1:10 (services, tasks and targets share their names: rename one of them)',
    ]);
    const two = { "d/1.toml": text("a: "), "d/2.toml": `\n${text("a: ")}` };
    expect(shown(two, { paths: ["d"] })).toEqual([
      'd/2.toml:2:10: service "a" is defined twice, first at d/1.toml:1:10 (services, tasks and targets share their names: rename one of them)',
    ]);
  });

  test("across files they are one", () => {
    const files = { "d/1.toml": text("a: requires b"), "d/2.toml": text("b: ") };
    expect(good(files, { paths: ["d"] }).names).toEqual(["a", "b"]);
  });

  test("main is one", () => {
    expect(shown(text("a: set main = true", "b: ", "c: set main = true", "d: set main = false"))).toEqual([
      'oneup.toml:8:1: main: "a" is the main service already, at oneup.toml:3:1 (only one can have main = true)',
    ]);
  });
});

describe("cycles", () => {
  test.each<[string[], string[]]>([
    [["a: requires a"], ["3:13: dependency cycle: a -> a (remove one of: a requires a (oneup.toml:3:13))"]],
    [
      ["a: requires b", "b: wants a"],
      [
        "3:13: dependency cycle: a -> b -> a (remove one of: a requires b (oneup.toml:3:13), b wants a (oneup.toml:6:10))",
      ],
    ],
    [
      ["a: after b", "b: after c", "c: before x; requires a", "x: "],
      [
        "3:10: dependency cycle: a -> b -> c -> a (remove one of: a is after b (oneup.toml:3:10), b is after c (oneup.toml:6:10), c requires a (oneup.toml:10:13))",
      ],
    ],
    [
      ["a: before b", "b: before a"],
      [
        "6:11: dependency cycle: a -> b -> a (remove one of: b is before a (oneup.toml:6:11), a is before b (oneup.toml:3:11))",
      ],
    ],
    [
      ["g: requires a", "a: after g"],
      [
        "2:13: dependency cycle: g -> a -> g (remove one of: g requires a (oneup.toml:2:13), a is after g (oneup.toml:5:10))",
      ],
    ],
  ])("%j", (lines, expected) => {
    const found = shown(text(...lines));
    expect(found).toEqual(expected.map((one) => `oneup.toml:${one}`));
  });

  test("every knot is shown, and what only waits for one is not", () => {
    const found = shown(
      text("x: requires a", "a: wants b", "b: wants a", "c: wants d", "d: wants c", "y: requires x"),
    );
    expect(found.map((line) => /dependency cycle: (.*) \(remove/.exec(line)?.[1])).toEqual([
      "a -> b -> a",
      "c -> d -> c",
    ]);
  });

  test("order alone is no cycle", () => {
    expect(shown(text("a: after b; wants c", "b: after c; before d", "c: ", "d: requires a"))).toEqual([]);
  });

  test("a cycle is found if and only if there is one", () => {
    const edge = fc.tuple(fc.nat(7), fc.nat(7), fc.constantFrom("requires", "wants", "after", "before"));
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 14 }), (edges) => {
        const names = ["a", "b", "c", "d", "e", "f", "i", "j"];
        const waits = edges.map(([from, to, field]) => (field === "before" ? [to, from] : [from, to]));
        const lines = names.map((name, index) => {
          const fields = ["requires", "wants", "after", "before"].flatMap((field) => {
            const to = edges
              .filter(([from, , one]) => from === index && one === field)
              .map(([, other]) => names[other]);
            return to.length > 0 ? [`${field} ${to.join(", ")}`] : [];
          });
          return `${name}: ${fields.join("; ")}`;
        });
        const found = shown(text(...lines));
        const tied = new Set<number>();
        for (const start of names.keys()) {
          const seen = new Set<number>();
          const queue = [start];
          for (const one of queue) {
            for (const [from, to = -1] of waits) {
              if (from !== one || seen.has(to)) continue;
              seen.add(to);
              queue.push(to);
            }
          }
          if (seen.has(start)) tied.add(start);
        }
        expect(found.length > 0).toBe(tied.size > 0);
        for (const line of found) {
          const path = /dependency cycle: (.*) \(remove/.exec(line)?.[1]?.split(" -> ") ?? [];
          expect(path.length).toBeGreaterThan(1);
          expect(path.at(-1)).toBe(path[0]);
          for (const [index, name] of path.slice(1).entries()) {
            const step = [names.indexOf(path[index] ?? ""), names.indexOf(name)];
            expect(waits).toContainEqual(step);
          }
        }
      }),
    );
  });

  test("a long chain is no matter", () => {
    const chain = Array.from(
      { length: 2000 },
      (_, index) => `s${index}: ${index > 0 ? `requires s${index - 1}` : ""}`,
    );
    expect(good(text(...chain)).names).toHaveLength(2000);
  });
});

describe("conflicts", () => {
  test.each<[string[], string | null]>([
    [
      ["a: conflicts b", "b: "],
      '3:14: conflicts: "a" and "b" would both start at boot (set autostart = false for one of them, or remove the conflict)',
    ],
    [["a: conflicts b", "b: set autostart = false"], null],
    [["a: conflicts b; set autostart = false", "b: "], null],
    [
      ["a: conflicts b", "b: set autostart = false", "c: wants b"],
      '3:14: conflicts: "a" and "b" would both start at boot ("b" because "c" needs it) (set autostart = false for one of them, or remove the conflict)',
    ],
    [["a: conflicts b", "b: set autostart = false", "c: after b"], null],
    [
      [
        "a: conflicts b; set autostart = false; requires c",
        "b: set autostart = false",
        "c: requires b; set autostart = false",
      ],
      '3:14: conflicts: "a" needs "b" and conflicts with it (set autostart = false for one of them, or remove the conflict)',
    ],
    [["a: conflicts a"], '3:14: conflicts: "a" conflicts with itself (remove it)'],
  ])("%j", (lines, expected) => {
    expect(shown(text(...lines))).toEqual(expected === null ? [] : [`oneup.toml:${expected}`]);
  });

  test("said by both is one error", () => {
    expect(shown(text("a: conflicts b", "b: conflicts a"))).toHaveLength(1);
  });
});
