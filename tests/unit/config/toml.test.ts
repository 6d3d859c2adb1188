import fc from "fast-check";
import { type AST, parseTOML } from "toml-eslint-parser";
import { describe, expect, test } from "vitest";
import { locate, type Spot } from "../../../src/config/locate.ts";
import { api, good, shown, spec } from "./helpers.ts";

describe("a text that is not TOML", () => {
  test.each<[string, string]>([
    ["x", "3:1: not TOML: a key without = (write key = value, or [service.NAME] for a section)"],
    ["x =", "3:4: not TOML: a key without a value (write a value behind the =)"],
    ["x = # y", "3:5: not TOML: a key without a value (write a value behind the =)"],
    ["= 1", "3:1: not TOML: a value without a key (write key = value, or [service.NAME] for a section)"],
    ["x y = 1", "3:1: not TOML: a key without = (write key = value; a key with a blank in it needs quotes)"],
    ["ä = 1", '3:1: not TOML: "ä" in a key (keys with other than letters, digits, _ and - need quotes)'],
    ["main = True", '3:8: not TOML: "True" is not a value (write true or false in small letters)'],
    ["main = yes", '3:8: not TOML: "yes" is not a value (write true or false in small letters)'],
    ["user = www", "3:8: not TOML: a value that is neither quoted nor a number (put text in quotes)"],
    [
      "restart-delay = 10s",
      '3:19: not TOML: a number with something behind it (write durations and sizes in quotes, such as "10s" or "64MiB")',
    ],
    [
      "restart-delay = 10 s",
      '3:20: not TOML: a number with something behind it (write durations and sizes in quotes, such as "10s" or "64MiB")',
    ],
    [
      'user = "www',
      '3:12: not TOML: a string that is not closed on its line (close it, or use """ for one of several lines)',
    ],
    ['user = "www" x', "3:14: not TOML: something follows the value (write one key = value a line)"],
    [
      'wants = ["a"\nnice = 1',
      '4:1: not TOML: "n" is not expected here (perhaps a comma, "]" or "}" is missing before it)',
    ],
    ["[service.b", '3:1: not TOML: a section\'s header that is not closed (end it with "]")'],
    ['user = "\\q"', "3:10: not TOML: unrecognised escape sequence"],
  ])("%j", (lines, expected) => {
    expect(shown(api(lines))).toEqual([`oneup.toml:${expected}`]);
  });

  test("a section or key that is there already names both places", () => {
    const text = `${api("nice = 1", "# x", "  nice = 2")}`;
    expect(shown(text)).toEqual([
      'oneup.toml:5:3: "nice" is defined twice, first at oneup.toml:3:1 (remove or rename one of them)',
    ]);
    expect(shown(`${api()}\n  [ service.api ]\n`)).toEqual([
      "oneup.toml:4:5: [service.api] is defined twice, first at oneup.toml:1:2 (remove or rename one of them)",
    ]);
  });

  test("a key twice in an inline table", () => {
    expect(shown(api("stop = { tree = true, tree = false }"))).toEqual([
      'oneup.toml:3:23: "tree" is defined twice (remove or rename one of them)',
    ]);
  });

  test("one bad file does not hide the errors of another", () => {
    const files = { "d/a.toml": "x", "d/b.toml": api("x = 1") };
    expect(shown(files, { paths: ["d"] }).map((line) => line.split(" ")[0])).toEqual([
      "d/a.toml:1:1:",
      "d/b.toml:3:1:",
    ]);
  });

  test("not UTF-8, nested without end", () => {
    expect(shown(api("# \ufffd"))).toEqual(["oneup.toml:3:3: not UTF-8 text (save the file as UTF-8)"]);
    expect(shown(`x = ${"[".repeat(100_000)}`)[0]).toMatch(/^oneup\.toml:1:\d+: not TOML: /);
  });
});

describe("TOML 1.1", () => {
  test("inline tables over several lines, new escapes, byte order mark, CRLF", () => {
    const text =
      '\ufeff[service.api]\r\ncommand = "\\x65cho \\e"\r\nstop = {\r\n  signal = "INT", # why\r\n  timeout = "5s",\r\n}\r\n';
    expect(spec(text)).toMatchObject({ argv: ["echo", "\u001b"], stop: { signal: "INT", timeoutMs: 5000 } });
    expect(shown(text.replace("INT", "INX"))[0]).toMatch(/^oneup\.toml:4:12: stop\.signal: /);
  });

  test("columns count as editors do", () => {
    expect(shown(api('labels = { "😀" = 1 }'))[0]).toMatch(/^oneup\.toml:3:19: /);
  });

  test("a section may come before the one it belongs to", () => {
    expect(
      good('[service.a.stop]\nsignal = "INT"\n[service.a]\ncommand = "x"\n').config.services,
    ).toMatchObject([{ name: "a", argv: ["x"], stop: { signal: "INT" } }]);
  });
});

// ---- Every key and value stands where another parser says ------------------------------------

/** Path → `line:column` of its key and its value. */
function ours(text: string): Map<string, string> {
  const places = new Map<string, string>();
  const place = (offset: number) => {
    const before = text.slice(0, offset).split("\n");
    return `${before.length}:${before.at(-1)?.length}`;
  };
  const walk = (spot: Spot, path: readonly (string | number)[]) => {
    if (path.length > 0)
      places.set(JSON.stringify(path), `${place(spot.key)} ${place(spot.start)} ${place(spot.end)}`);
    for (const [key, child] of spot.children) walk(child, [...path, key]);
  };
  walk(locate(text), []);
  return places;
}

function theirs(text: string): Map<string, string> {
  const places = new Map<string, string>();
  const show = ({ line, column }: { line: number; column: number }) => `${line}:${column}`;
  const value = (node: AST.TOMLContentNode, path: readonly (string | number)[], key: string) => {
    places.set(JSON.stringify(path), `${key} ${show(node.loc.start)} ${show(node.loc.end)}`);
    if (node.type === "TOMLArray") {
      node.elements.forEach((item, index) => {
        value(item, [...path, index], show(item.loc.start));
      });
    }
    if (node.type === "TOMLInlineTable") for (const one of node.body) pair(one, path);
  };
  const pair = (node: AST.TOMLKeyValue, path: readonly (string | number)[]) => {
    const names = node.key.keys.map((key) => (key.type === "TOMLBare" ? key.name : key.value));
    const last = node.key.keys.at(-1);
    value(node.value, [...path, ...names], last ? show(last.loc.start) : "");
  };
  for (const part of parseTOML(text, { tomlVersion: "1.1" }).body[0].body) {
    if (part.type === "TOMLKeyValue") pair(part, []);
    else for (const one of part.body) pair(one, part.resolvedKey);
  }
  return places;
}

const blank = fc.constantFrom("", " ", "\t");
const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_-]{1,4}$/),
  fc.constantFrom('"a b"', "'x.y'", '"\\""', '"]"', '"\\u0041"', "'#'", '"="'),
);
const scalar = fc.constantFrom(
  "1",
  "-1_0",
  "0x1F",
  "1.5e3",
  "inf",
  "true",
  "1979-05-27 07:32:00",
  "1979-05-27T07:32:00Z",
  "07:32",
  '""',
  "''",
  '"a#b]}"',
  '"\\""',
  "'\\'",
  '"""a\n "" # \\""" b"""',
  '""""a""""',
  "'''a\n'' b'''",
  "''''a''''",
  '"""\n"""',
);
const { value: anyValue } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc
      .tuple(
        fc.array(tie("value"), { maxLength: 3 }),
        fc.constantFrom(",", " , ", ",\n # c ]\n"),
        fc.boolean(),
      )
      .map(([items, comma, tail]) => `[${items.join(comma)}${tail && items.length > 0 ? comma : ""}]`),
    fc
      .tuple(
        fc.uniqueArray(fc.tuple(name, tie("value")), { maxLength: 3, selector: ([key]) => unquoted(key) }),
        fc.constantFrom(", ", ",\n\t# } c\n"),
      )
      .map(([pairs, comma]) => `{ ${pairs.map(([key, text]) => `${key} = ${text}`).join(comma)} }`),
  ),
}));

function unquoted(key: string): string {
  return key === '"\\u0041"' ? "A" : key.replace(/^["']|["']$/g, "");
}

const pairs = fc
  .uniqueArray(fc.tuple(name, anyValue, blank, fc.constantFrom("", " # c = [", "\n")), {
    maxLength: 4,
    selector: ([key]) => unquoted(key),
  })
  .map((list) =>
    list.map(([key, text, space, end]) => `${space}${key}${space}=${space}${text}${end}\n`).join(""),
  );

const document = fc
  .tuple(
    pairs,
    fc.uniqueArray(fc.tuple(fc.array(name, { minLength: 2, maxLength: 3 }), blank, fc.boolean(), pairs), {
      maxLength: 4,
      // Another first key for each, so that nothing is defined twice.
      selector: ([keys]) => unquoted(keys[0] ?? ""),
    }),
  )
  .map(([top, sections]) => {
    const texts = sections.map(([keys, space, isList, body]) => {
      const key = `"§"${space}.${space}${keys.join(`${space}.${space}`)}`;
      const header = isList ? `[[${space}${key}${space}]]` : `${space}[${space}${key}${space}] # ]`;
      return isList ? `${header}\n${body}${header}\n${body}` : `${header}\n${body}`;
    });
    return top + texts.join("");
  });

describe("places", () => {
  test("are those another parser finds", () => {
    fc.assert(
      fc.property(document, (text) => {
        const found = ours(text);
        for (const [path, place] of theirs(text))
          expect(`${path} ${found.get(path)}`).toBe(`${path} ${place}`);
      }),
      { numRuns: 2000 },
    );
  });

  test("of dotted keys, and of tables in lists", () => {
    const found = ours("a.b.c = 1\n[[x.y]]\nk = 1\n[[x.y]]\n[x.y.z]\nk = 2\n");
    expect(found.get('["a","b","c"]')).toBe("1:4 1:8 1:9");
    expect(found.get('["a","b"]')).toMatch(/^1:2 /);
    expect(found.get('["x","y",0,"k"]')).toMatch(/^3:0 /);
    expect(found.get('["x","y",1]')).toMatch(/^4:4 /);
    expect(found.get('["x","y",1,"z","k"]')).toBe("6:0 6:4 6:5");
  });
});
