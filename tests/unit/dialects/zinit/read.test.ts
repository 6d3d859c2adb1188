import { describe, expect, test } from "vitest";
import { errors, good, read, show, shown } from "../../config/helpers.ts";
import { service } from "./helpers.ts";

function warned(files: Readonly<Record<string, string>>): readonly string[] {
  return read(files, { paths: ["d"] }).warnings.map(show);
}

describe("zinit's files for oneup run", () => {
  test("run beside native ones", () => {
    const { config, names } = good(
      {
        "d/a.toml": `${service("a")}[dependencies]\nrequires = ["b"]\nwants = ["nobody"]\n`,
        "d/b.toml": '[service.b]\ncommand = "true"\nafter = ["t"]\n',
        "d/t.toml": '[target]\nname = "t"\n',
      },
      { paths: ["d"] },
    );
    expect(names).toEqual(["a", "b", "t"]);
    expect(config.services[0]).toMatchObject({
      argv: ["/bin/sh", "-c", "sleep 99"],
      origin: { file: "/proj/d/a.toml" },
    });
    // What its services write is shown, as by every oneup run.
    expect(config.services[0]?.log?.console ?? true).toBe(true);
  });

  test("keep what the shell is to expand, set or not", () => {
    const text = '[service]\nname = "a"\nexec = "echo ${NOBODY} $${HOME}"\n';
    expect(good({ "a.toml": text }, { paths: ["a.toml"] }).config.services[0]?.argv?.[2]).toBe(
      "echo ${NOBODY} $${HOME}",
    );
  });

  test.each([
    [
      '[service]\nname = "a b"\nexec = ""\n',
      [
        "d/a.toml:2:8: service.name 'a b' contains invalid characters (use alphanumeric, dash, underscore)",
        "d/a.toml:3:8: service.exec cannot be empty",
      ],
    ],
    [
      `${service("a")}[lifecycle]\nrestart = "sometimes"\n`,
      [
        "d/a.toml:5:1: lifecycle.restart: unknown variant `sometimes`, expected one of `always`, `on-failure`, `never`",
      ],
    ],
    ['[service]\nname = "a"\n', ["d/a.toml:1:2: service: missing field `exec`"]],
    [
      `${service("a")}[dependencies]\nrequires = ["nobody"]\n`,
      ['d/a.toml:5:13: requires: unknown service "nobody" (define it, or remove it from requires)'],
    ],
    [
      `${service("a")}[dependencies]\nafter = ["a"]\n`,
      ["d/a.toml:5:10: dependencies.after contains the service itself 'a'"],
    ],
    [
      `${service("a")}[health]\ntype = "tcp"\nendpoint = ""\n`,
      ["d/a.toml:4:2: health.target cannot be empty"],
    ],
  ])("%j", (text, expected) => {
    expect(shown({ "d/a.toml": text }, { paths: ["d"] })).toEqual(expected);
  });

  test("of one name are an error that names both places", () => {
    const files = { "d/a.toml": service("a"), "d/b.toml": service("a") };
    expect(shown(files, { paths: ["d"] })[0]).toMatch(
      /^d\/b.toml:1:2: service "a" is defined twice, first at d\/a.toml:1:2/,
    );
  });

  test("that wait for each other are an error", () => {
    const needs = (name: string, other: string) => `${service(name)}[dependencies]\nwants = ["${other}"]\n`;
    const [error] = errors({ "d/a.toml": needs("a", "b"), "d/b.toml": needs("b", "a") }, { paths: ["d"] });
    expect(error?.message).toBe("dependency cycle: a -> b -> a");
  });

  test("that conflict wait for each other, and both may start at boot", () => {
    const text = `${service("a")}[dependencies]\nconflicts = ["b", "a", "nobody"]\n`;
    good({ "d/a.toml": text, "d/b.toml": service("b") }, { paths: ["d"] });
  });

  test("are warned of where a server says nothing, or only that", () => {
    expect(
      warned({
        "d/a.toml": `${service("a")}[lifecycle]\nrestart_dely_ms = 5\n[logging]\nforward = "x"\n`,
      }),
    ).toEqual([
      "d/a.toml:7:11: logging.forward has no effect",
      'd/a.toml:5:1: unknown key "lifecycle.restart_dely_ms" (did you mean "restart_delay_ms"?)',
    ]);
  });
});
