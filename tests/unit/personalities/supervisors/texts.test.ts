import { describe, expect, test } from "vitest";
import { endText, listText } from "../../../../src/personalities/supervisors/brain/texts.ts";

describe("lists", () => {
  test.each([
    [[], "[]"],
    [["a"], '["a"]'],
    [["a", "b c", ""], '["a", "b c", ""]'],
    [['"', "\\", "'"], '["\\"", "\\\\", "\'"]'],
    [["\n\r\t\0"], '["\\n\\r\\t\\0"]'],
    [["\u0001\u007f\u0085"], '["\\u{1}\\u{7f}\\u{85}"]'],
    [["é 猫 😀"], '["é 猫 😀"]'],
    [["\u00a0\u200b\ufeff\u0301"], '["\\u{a0}\\u{200b}\\u{feff}\\u{301}"]'],
  ])("%j", (words, text) => {
    expect(listText(words)).toBe(text);
  });
});

describe("ends", () => {
  test.each([
    [{ code: 0 }, false, "exit status: 0"],
    [{ code: 255 }, false, "exit status: 255"],
    [{ signal: "KILL" }, false, "signal: 9 (SIGKILL)"],
    [{ signal: "HUP" }, false, "signal: 1 (SIGHUP)"],
    [{ signal: "SEGV" }, true, "signal: 11 (SIGSEGV) (core dumped)"],
    [{ signal: "SYS" }, false, "signal: 31 (SIGSYS)"],
    [{ signal: "RTMIN" }, false, "signal: 34"],
    [{ signal: "RTMIN+6" }, true, "signal: 40 (core dumped)"],
  ] as const)("%j", (exit, core, text) => {
    expect(endText(exit, core)).toBe(text);
  });
});
