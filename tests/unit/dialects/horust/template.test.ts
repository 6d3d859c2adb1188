import { describe, expect, test } from "vitest";
import { expandTemplate } from "../../../../src/dialects/horust/template.ts";

const environment = { NAME: "value", EMPTY: "", "1": "one", ÄÖ: "umlauts", HOME_DIR: "/home" };
const expand = (text: string) => expandTemplate(text, environment).text;

describe("variables in the text of a file", () => {
  test.each([
    ["$NAME", "value"],
    ["${NAME}", "value"],
    ["a$NAME-b", "avalue-b"],
    ["$HOME_DIR/x", "/home/x"],
    ["$1", "one"],
    ["$ÄÖ", "umlauts"],
    ["${NONE:-default}", "default"],
    ["${NAME:-default}", "value"],
    // Unlike a shell: what is set and empty is set.
    ["[${EMPTY:-default}]", "[]"],
    ["${NONE:-a$NAME}", "a$NAME"],
    ["${NONE:-}", ""],
    ["${NONE:-a}b}", "ab}"],
    ["$$", "$"],
    ["$$NAME", "$NAME"],
    ["$$$$", "$$"],
    ["$$$NAME", "$value"],
    ['$(date) $? $" $ $', '$(date) $? $" $ $'],
    ["${NAME", "${NAME"],
    ["~/x", "~/x"],
  ])("%s", (text, expected) => {
    expect(expandTemplate(text, environment).undefined).toEqual([]);
    expect(expand(text)).toBe(expected);
  });

  test("what is not set is told, each with its place", () => {
    const { undefined: missing } = expandTemplate("a $ONE\n${TWO} ${}", environment);
    expect(missing).toEqual([
      { name: "ONE", offset: 2 },
      { name: "TWO", offset: 7 },
      { name: "", offset: 14 },
    ]);
  });

  test("names that objects have anyway are not set", () => {
    expect(expandTemplate("$constructor $toString", environment).undefined).toHaveLength(2);
  });

  test("places lead back to the file", () => {
    const text = "ab $NAME cd $$ ${NONE:-xy} z";
    const expanded = expandTemplate(text, environment);
    for (const word of ["ab", "cd", "z"]) {
      expect(expanded.back(expanded.text.indexOf(word))).toBe(text.indexOf(word));
    }
    expect(expanded.back(expanded.text.indexOf("value") + 3)).toBe(text.indexOf("$NAME"));
    expect(expanded.touches(0, 2)).toBe(false);
    expect(expanded.touches(2, 5)).toBe(true);
    const cd = expanded.text.indexOf("cd");
    expect(expanded.touches(cd, cd + 2)).toBe(false);
  });
});
