import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDotenv } from "../../../src/config/dotenv.ts";

describe("environment files", () => {
  test.each<[string, Record<string, string>]>([
    ["A=1", { A: "1" }],
    ["A=1\nB=2\n", { A: "1", B: "2" }],
    ["A=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["\ufeffA=1", { A: "1" }],
    ["  A = 1  ", { A: "1" }],
    ["export A=1\nexport\tB=2", { A: "1", B: "2" }],
    ["# note\n\n  # more\nA=1", { A: "1" }],
    ["A=", { A: "" }],
    ["A=# note", { A: "" }],
    ["A=1 # note", { A: "1" }],
    ["A=1#2", { A: "1#2" }],
    ["A=a b  c", { A: "a b  c" }],
    ["A=a=b", { A: "a=b" }],
    [String.raw`A=a\n${"$"}B`, { A: String.raw`a\n${"$"}B` }],
    [`A='a "b" # c \\n'`, { A: `a "b" # c \\n` }],
    [`A="a 'b' # c"`, { A: "a 'b' # c" }],
    [String.raw`A="a\nb\tc\rd\"e\\f\$g\q"`, { A: 'a\nb\tc\rd"e\\f$g\\q' }],
    ['A="a\nb\n\nc"\nB=1', { A: "a\nb\n\nc", B: "1" }],
    ['A="a\\\nb"', { A: "ab" }],
    ['A="1" # note\nB=2', { A: "1", B: "2" }],
    ["A=1\nA=2", { A: "2" }],
    ["a.b-c=1", { "a.b-c": "1" }],
    ["A=it's", { A: "it's" }],
    ["", {}],
  ])("%j", (source, values) => {
    expect(parseDotenv(source)).toEqual({ values, problems: [] });
  });

  test.each([
    ["A", 1, 1, "not a line of the form NAME=value"],
    ["A=1\n  1B=2", 2, 3, "not a line of the form NAME=value"],
    ["=x", 1, 1, "not a line of the form NAME=value"],
    ["A='x\nB=1", 1, 3, "a ' that is not closed on its line"],
    ['A=1\nB="x\nC=1', 2, 3, 'a " that is never closed'],
    ['A="x" y', 1, 6, "something follows the closing quote"],
    ["A='x''y'", 1, 6, "something follows the closing quote"],
  ])("%j is refused at %i:%i", (source, line, column, message) => {
    const { problems } = parseDotenv(source);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ line, column, message });
  });

  test("goes on behind an error", () => {
    const { values, problems } = parseDotenv("A\nB=1\n?\nC='x\nD=2");
    expect(values).toEqual({ B: "1", D: "2" });
    expect(problems.map(({ line }) => line)).toEqual([1, 3, 4]);
  });

  test("what was quoted comes back", () => {
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/);
    const value = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\r", ""));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value, fc.boolean())), (entries) => {
        const lines = entries.map(([key, text, single]) =>
          single && !/['\n]/.test(text)
            ? `${key}='${text}'`
            : `export ${key}=${JSON.stringify(text).replace(/\\[bfu]/g, "")}`,
        );
        // JSON's other escapes are not this format's; texts with them are left out.
        fc.pre(
          !lines.some((line) => /[\b\f]/.test(line)) &&
            !entries.some(([, text]) => /[^\n\t -\uffff]|[\x7f-\x9f\ud800-\udfff]/.test(text)),
        );
        const expected: Record<string, string> = {};
        for (const [key, text] of entries) {
          Object.defineProperty(expected, key, { value: text, enumerable: true, configurable: true });
        }
        expect(parseDotenv(lines.join("\n"))).toEqual({ values: expected, problems: [] });
      }),
    );
  });

  test("no message shows what is in the file", () => {
    const piece = fc.constantFrom("A", "=", '"', "'", "\\", "\n", " ", "#", "s3cret", "export ", "$");
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const { problems } = parseDotenv(pieces.join(""));
        expect(JSON.stringify(problems)).not.toContain("s3cret");
      }),
    );
  });
});
