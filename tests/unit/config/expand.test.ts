import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expand } from "../../../src/config/expand.ts";

const ENVIRONMENT = { HOME: "/root", EMPTY: "", A_1: "x", TRICKY: "$HOME ${HOME} $$" };

function result(text: string): string {
  const { text: out, problems } = expand(text, ENVIRONMENT);
  return [out, ...problems.map(({ message, offset }) => `${offset}: ${message}`)].join(" | ");
}

describe("variables", () => {
  test.each([
    ["plain", "plain"],
    ["${HOME}/x", "/root/x"],
    ["${HOME}${A_1}", "/rootx"],
    ["${EMPTY}", ""],
    ["${EMPTY:-d}", "d"],
    ["${NOPE:-d}", "d"],
    ["${NOPE:-}", ""],
    ["${HOME:-d}", "/root"],
    ["${NOPE:-a b:-c}", "a b:-c"],
    ["${NOPE:-${HOME}/x}", "/root/x"],
    ["${NOPE:-${NEITHER:-z}}", "z"],
    ["${NOPE:-$$}", "$"],
    ["${HOME:-${NOPE}}", "/root"],
    ["$$", "$"],
    ["$${HOME}", "${HOME}"],
    ["$$$$", "$$"],
    ["$$$${HOME}", "$${HOME}"],
    ["$HOME $1 $ a$", "$HOME $1 $ a$"],
    ["^ready$", "^ready$"],
    ["${TRICKY}", "$HOME ${HOME} $$"],
    ["a}b", "a}b"],
  ])("%j", (text, expected) => {
    expect(result(text)).toBe(expected);
  });

  test.each([
    ["a ${NOPE} b", "a  b | 2: the variable NOPE is not set"],
    ["${NOPE}${HOME}${ALSO}", "/root | 0: the variable NOPE is not set | 14: the variable ALSO is not set"],
    ["${NOPE:-${ALSO}}", " | 8: the variable ALSO is not set"],
    ["${HOME", ' | 0: "${" without "}"'],
    ["${NOPE:-x", ' | 0: "${" without "}"'],
    ["${}", ' | 0: "${}" is not a variable'],
    ["${1}", ' | 0: "${1}" is not a variable'],
    ["${HOME-x} y", ' y | 0: "${HOME-x}" is not a variable'],
    ["${HOME:?x}", ' | 0: "${HOME:?x}" is not a variable'],
    ["${#HOME}", ' | 0: "${#HOME}" is not a variable'],
  ])("%j is refused", (text, expected) => {
    expect(result(text)).toBe(expected);
  });

  test("an unset variable tells how the shell gets its own", () => {
    const [problem] = expand("${NOPE}", {}).problems;
    expect(problem?.hint).toBe(
      "set it, give a default as in ${NOPE:-…}, or, for a variable of the shell (shell = true), write $$NOPE",
    );
  });

  test("a variable's name is not looked for among an object's own", () => {
    expect(expand("${constructor}", {}).problems).toHaveLength(1);
  });

  test("doubled dollars come back as they were", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const { text: out, problems } = expand(text.replaceAll("$", "$$$$"), {});
        expect([out, problems]).toEqual([text, []]);
      }),
    );
  });

  test("a value is taken as it is, whatever is around it", () => {
    const plain = fc.string().map((text) => text.replaceAll("$", "-"));
    fc.assert(
      fc.property(plain, fc.string({ minLength: 1 }), plain, (before, value, after) => {
        const { text, expanded } = expand(`${before}\${V}${after}`, { V: value });
        expect([text, expanded]).toEqual([before + value + after, true]);
      }),
    );
  });

  test("any text has an end, and no message shows a value", () => {
    const piece = fc.constantFrom("$", "{", "}", ":-", "SECRET", "X", "$$", "${", " ");
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const { problems } = expand(pieces.join(""), { SECRET: "s3cret" });
        expect(JSON.stringify(problems)).not.toContain("s3cret");
      }),
    );
  });
});
