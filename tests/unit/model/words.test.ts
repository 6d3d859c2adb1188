import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitWords } from "../../../src/model/words.ts";

function words(text: string): readonly string[] | string {
  const result = splitWords(text, "write shell = true");
  return "value" in result ? result.value : `${result.offset}: ${result.message}`;
}

describe("words", () => {
  test.each<[string, readonly string[]]>([
    ["node server.js", ["node", "server.js"]],
    ["  a \t b\n c  ", ["a", "b", "c"]],
    ["", []],
    ["a '' \"\"", ["a", "", ""]],
    [`a 'b c' "d e"`, ["a", "b c", "d e"]],
    [`a'b'"c"d`, ["abcd"]],
    [String.raw`a\ b \'c \"d \\e`, ["a b", "'c", '"d', "\\e"]],
    [String.raw`"a\"b\\c\$d\e"`, [String.raw`a"b\c$d\e`]],
    [String.raw`'a\b'`, [String.raw`a\b`]],
    ["a\\\nb", ["ab"]],
    ['"a\\\nb"', ["ab"]],
    ["echo $HOME ~ * # {a,b} !", ["echo", "$HOME", "~", "*", "#", "{a,b}", "!"]],
    [`sh -c 'a | b && c; d > e'`, ["sh", "-c", "a | b && c; d > e"]],
    [`sh -c "a | b $(c)"`, ["sh", "-c", "a | b $(c)"]],
    ["env A=1 b", ["env", "A=1", "b"]],
  ])("%j", (text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  test.each([
    ["a | b", '2: "|" needs a shell, and none runs here'],
    ["a || b", '2: "||" needs a shell, and none runs here'],
    ["a&&b", '1: "&&" needs a shell, and none runs here'],
    ["a &", '2: "&" needs a shell, and none runs here'],
    ["a; b", '1: ";" needs a shell, and none runs here'],
    ["a > b", '2: ">" needs a shell, and none runs here'],
    ["a >> b", '2: ">>" needs a shell, and none runs here'],
    ["a < b", '2: "<" needs a shell, and none runs here'],
    ["a $(b)", '3: "(" needs a shell, and none runs here'],
    ["a `b`", '2: "`" needs a shell, and none runs here'],
    ["a 'b", "2: a ' that is never closed"],
    ['a "b', '2: a " that is never closed'],
    ['a "b\\"', '2: a " that is never closed'],
    ["a\\", "1: a backslash at the end"],
    ["  A=1 b", '2: "A=" in front of a command sets a variable only in a shell'],
  ])("%j is refused", (text, expected) => {
    expect(words(text)).toBe(expected);
  });

  test("what was quoted comes back", () => {
    const quoted = fc
      .tuple(
        fc.string({ unit: "grapheme" }),
        fc.constantFrom<(word: string) => string>(single, double, escaped),
      )
      .map(([word, quote]) => ({ word, text: quote(word) }));
    const list = fc.array(fc.tuple(quoted, fc.constantFrom(" ", "\t", "  ", "\n ")), { minLength: 1 });
    fc.assert(
      fc.property(list, (parts) => {
        const text = parts.map(([{ text }, space]) => text + space).join("");
        expect(words(text)).toEqual(parts.map(([{ word }]) => word));
      }),
    );
  });

  test("as a shell does it", () => {
    const piece = fc.constantFrom("a", "b", " ", "\t", "'", '"', "\\", "-", "x y", "=", "é");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = `p ${pieces.join("")}`;
        const ours = words(text);
        // A shell keeps a lone backslash at the end, or waits for another line.
        if (typeof ours === "string" && ours.includes("backslash")) return;
        const shell = spawnSync("/bin/sh", ["-c", `printf '%s\\0' ${text}`], { encoding: "utf8" });
        const theirs = shell.status === 0 ? shell.stdout.split("\0").slice(0, -1) : "refused";
        expect(typeof ours === "string" ? "refused" : ours).toEqual(theirs);
      }),
      { numRuns: 300 },
    );
  });
});

function single(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function double(word: string): string {
  return `"${word.replace(/["\\$`]/g, "\\$&")}"`;
}

function escaped(word: string): string {
  if (word === "" || word.includes("\n")) return single(word);
  return word.replace(/./gsu, "\\$&");
}
