import { describe, expect, test } from "vitest";
import { documentOf, isTarget } from "../../../../src/dialects/zinit/document.ts";
import { DENIED, DIR, loaded, names, SYSTEM, service } from "./helpers.ts";

describe("a folder", () => {
  test("is read file by file, sorted; whatever else is in it is left alone", () => {
    const output = loaded({
      [`${DIR}/b.toml`]: service("one"),
      [`${DIR}/a.toml`]: service("two"),
      [`${DIR}/.hidden.toml`]: service("three"),
      [`${DIR}/t.toml`]: '[target]\nname = "t"\n',
      [`${DIR}/README.md`]: "x",
      [`${DIR}/.toml`]: service("four"),
      [`${DIR}/deep/c.toml`]: service("five"),
    });
    expect(names(output)).toEqual(["three", "two", "one", "t"]);
    expect(output.warnings).toEqual([]);
  });

  test("that is not there is an empty one", () => {
    expect(loaded({})).toEqual({ services: [], warnings: [], missing: [], cycles: [] });
  });

  test("that cannot be read costs a warning", () => {
    const output = loaded({}, (host) => host.failures.set(DIR, DENIED));
    expect(output.warnings).toEqual([`cannot read directory ${DIR}: Permission denied (EACCES)`]);
  });

  test("keeps what the shell is to expand", () => {
    const text = '[service]\nname = "x"\nexec = "echo ${HOME} $$"\n';
    const [spec] = loaded({ [`${DIR}/x.toml`]: text }).services;
    expect(spec?.argv?.[2]).toBe("echo ${HOME} $$");
  });
});

describe("a file with something wrong is passed over", () => {
  const around = { [`${DIR}/z.toml`]: service("z") };

  test.each([
    ["no TOML", "name = x", /^skipping unparseable config: .*\/a.toml: .* line 1, column 8/],
    ["neither service nor target", 'a = "b"', /a.toml: missing field `service`$/],
    [
      "a wrong type",
      '[service]\nname = "x"\nexec = 5\n',
      /a.toml: invalid type: integer `5`, expected a string \(service.exec\)$/,
    ],
    [
      "a target of a wrong type",
      "[target]\nname = 5\n",
      /a.toml: invalid type: integer `5`, expected a string \(target.name\)$/,
    ],
    [
      "wrong values",
      '[service]\nname = "x"\nexec = ""\n[logging]\nbuffer_lines = 0\n',
      /^skipping invalid service .*a.toml: service.exec cannot be empty, logging.buffer_lines must be > 0$/,
    ],
    [
      "wrong values of a target",
      '[target]\nname = ""\n',
      /^skipping invalid target .*: target.name cannot be empty$/,
    ],
    ["other than UTF-8", `${service("x")}# \ufffd`, /^skipping .*a.toml: not UTF-8 text$/],
  ])("%s", (_, text, warning) => {
    const output = loaded({ [`${DIR}/a.toml`]: text, ...around });
    expect(names(output)).toEqual(["z"]);
    expect(output.warnings).toEqual([expect.stringMatching(warning)]);
  });

  test("what cannot be read, or is no file", () => {
    const output = loaded({ [`${DIR}/a.toml`]: service("a"), [`${DIR}/b.toml`]: "", ...around }, (host) => {
      host.failures.set(`${DIR}/a.toml`, DENIED);
      host.kinds.set(`${DIR}/b.toml`, "other");
    });
    expect(names(output)).toEqual(["z"]);
    expect(output.warnings).toEqual([
      `skipping ${DIR}/a.toml: cannot read it: Permission denied (EACCES)`,
      `skipping ${DIR}/b.toml: not a regular file`,
    ]);
  });

  test("a file that is far too large costs no time", () => {
    const output = loaded({ [`${DIR}/a.toml`]: service("a"), ...around }, (host) => {
      host.sizes.set(`${DIR}/a.toml`, 2 * 1024 * 1024 + 1);
    });
    expect(names(output)).toEqual(["z"]);
    expect(output.warnings).toEqual([`skipping ${DIR}/a.toml: larger than 2 MiB`]);
  });

  // Defect 13: two files with one name, or a cycle, kept the server from starting.
  test("the second one with a name", () => {
    const output = loaded({ [`${DIR}/a.toml`]: service("z", "ports = [1]"), ...around });
    expect(output.services.map(({ origin }) => origin?.file)).toEqual([`${DIR}/a.toml`]);
    expect(output.warnings).toEqual([`skipping ${DIR}/z.toml: 'z' is defined in ${DIR}/a.toml already`]);
  });
});

describe("the system's folder", () => {
  const files = {
    [`${SYSTEM}/net.toml`]: service("net"),
    [`${SYSTEM}/base.toml`]: '[target]\nname = "base"\n',
    [`${DIR}/a.toml`]: service("net"),
    [`${DIR}/b.toml`]: service("web"),
  };

  test("comes first, its services are protected, and its names are not the user's", () => {
    const output = loaded(files, undefined, SYSTEM);
    expect(names(output)).toEqual(["base", "net", "web"]);
    expect(output.warnings).toEqual([`skipping ${DIR}/a.toml: the system's own 'net' takes its place`]);
    const classes = output.services.map(({ origin }) => {
      const document = documentOf(origin ?? { document: "{}" });
      return isTarget(document) ? "target" : document.service.class;
    });
    expect(classes).toEqual(["target", "system", "user"]);
  });

  test("is not read without being named", () => {
    expect(names(loaded(files))).toEqual(["net", "web"]);
  });
});

describe("all together", () => {
  const needs = (name: string, kind: string, ...others: readonly string[]) => ({
    [`${DIR}/${name}.toml`]: `${service(name)}[dependencies]\n${kind} = ${JSON.stringify(others)}\n`,
  });

  test("a requirement that nobody defines is told, and only a requirement", () => {
    const output = loaded({
      ...needs("a", "requires", "x", "y"),
      ...needs("b", "after", "x"),
      ...needs("c", "wants", "x"),
    });
    expect(names(output)).toEqual(["a", "b", "c"]);
    expect(output.missing).toEqual([
      ["a", "x"],
      ["a", "y"],
    ]);
    expect(output.warnings).toEqual([
      "'a' requires 'x', which does not exist",
      "'a' requires 'y', which does not exist",
    ]);
  });

  test("cycles over requires, after and wants are told, and all are there", () => {
    const output = loaded({
      ...needs("a", "requires", "b"),
      ...needs("b", "after", "c"),
      ...needs("c", "wants", "a"),
      ...needs("d", "requires", "a"),
      ...needs("p", "conflicts", "q"),
      ...needs("q", "conflicts", "p"),
    });
    expect(names(output)).toEqual(["a", "b", "c", "d", "p", "q"]);
    expect(output.cycles).toEqual([["a", "b", "c"]]);
    expect(output.warnings).toEqual(["cyclic dependency detected: a -> b -> c"]);
  });

  test("two knots are two cycles", () => {
    const output = loaded({
      ...needs("a", "after", "b"),
      ...needs("b", "after", "a"),
      ...needs("c", "after", "d", "a"),
      ...needs("d", "after", "c"),
    });
    expect(output.cycles).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
  });

  test("what is odd is told with its file", () => {
    const output = loaded({
      [`${DIR}/a.toml`]: '[service]\nname = "a"\nexec = "@builtin:sysvol"\n',
      [`${DIR}/b.toml`]: `${service("b")}[lifecycle]\nstop_signal = "99"\n[logging]\nforward = "syslog"\n`,
      [`${DIR}/c.toml`]: `${service("c")}[health]\ntype = "tcp"\ntarget = "localhost"\n`,
      [`${DIR}/d.toml`]: `${service("d", "oneshot = true")}[health]\ntype = "tcp"\ntarget = "h:1"\n`,
    });
    expect(output.warnings).toEqual([
      `${DIR}/a.toml: builtin service 'sysvol' is skipped: it counts as done at once`,
      `${DIR}/b.toml: lifecycle.stop_signal 99 cannot be sent: SIGTERM is used`,
      `${DIR}/b.toml: logging.forward has no effect`,
      `${DIR}/c.toml: health.target 'localhost' is not host:port, so this check always fails`,
      `${DIR}/d.toml: health is not checked: a oneshot is up when it has succeeded`,
    ]);
  });
});
