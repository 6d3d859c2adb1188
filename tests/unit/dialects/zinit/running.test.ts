import { describe, expect, test } from "vitest";
import type { ZinitLoadOutput } from "../../../../src/config/contract.ts";
import { knownServices, type Reload, reload } from "../../../../src/dialects/zinit/running.ts";
import type { SparseSpec } from "../../../../src/model/spec.ts";
import { DIR, FakeEditHost, loaded, names, service, set } from "./helpers.ts";

function folder(texts: Readonly<Record<string, string>>): ZinitLoadOutput {
  const files = Object.entries(texts).map(([name, text]) => [`${DIR}/${name}.toml`, text]);
  return loaded(Object.fromEntries(files));
}

function ephemeral(name: string): SparseSpec {
  const answer = set({ service: { name, exec: "sleep 1" } }, new FakeEditHost(), { persist: false });
  if (!answer.ok) throw new Error(answer.message);
  return answer.spec;
}

function reloaded(before: readonly SparseSpec[], after: ZinitLoadOutput): Reload {
  const found = reload(before, after);
  if ("refused" in found) throw new Error(found.refused);
  return found;
}

const NEEDS = "[dependencies]\nrequires = [";

// Defect 28: there was none.
describe("a reload", () => {
  test("tells what was added, removed and changed, by name and content", () => {
    const before = folder({ a: service("a"), b: service("b"), c: service("c") });
    const after = folder({
      b: service("b", "ports = [1]"),
      c: `# said otherwise\n${service("c")}`,
      d: service("d"),
    });
    const found = reloaded(before.services, after);
    expect(found).toMatchObject({ added: ["d"], removed: ["a"], changed: ["b"], config_errors: [] });
    expect(found.set.map(({ name }) => name).sort()).toEqual(["b", "d"]);
  });

  test("finds nothing where nothing is new", () => {
    const before = folder({ a: service("a"), t: '[target]\nname = "t"\n' });
    const nothing = { added: [], removed: [], changed: [], config_errors: [], set: [] };
    expect(reloaded(before.services, folder({ a: service("a"), t: '[target]\nname = "t"\n' }))).toEqual(
      nothing,
    );
  });

  test("leaves alone what has no file", () => {
    const found = reloaded([ephemeral("a"), ephemeral("b")], folder({ a: service("a", "ports = [1]") }));
    expect(found).toMatchObject({ added: [], removed: [], changed: [], set: [] });
  });

  test("takes note of a definition that only moved", () => {
    const found = reloaded(folder({ a: service("a") }).services, folder({ moved: service("a") }));
    expect(found).toMatchObject({ added: [], removed: [], changed: [] });
    expect(found.set.map(({ origin }) => origin?.file)).toEqual([`${DIR}/moved.toml`]);
  });

  test("tells what requires something that nobody defines", () => {
    const after = folder({ a: `${service("a")}${NEEDS}"x", "e"]\n` });
    expect(reloaded([ephemeral("e")], after).config_errors).toEqual([["a", "x"]]);
  });

  test("goes on past a bad file", () => {
    const before = folder({ a: service("a") });
    const after = folder({ a: service("a", "ports = [1]"), b: "half" });
    expect(after.warnings).toHaveLength(1);
    expect(reloaded(before.services, after).changed).toEqual(["a"]);
  });

  test("is refused for a cycle", () => {
    const after = folder({ a: `${service("a")}${NEEDS}"b"]\n`, b: `${service("b")}${NEEDS}"a"]\n` });
    expect(names(after)).toEqual(["a", "b"]);
    expect(reload([], after)).toEqual({ refused: "cyclic dependency detected: a -> b" });
  });
});

test("what runs is known with its file and what it waits for", () => {
  const text = `${service("a")}[dependencies]\nrequires = ["b"]\nafter = ["c"]\nwants = ["d", "b"]\n`;
  expect(knownServices([...folder({ a: text }).services, ephemeral("e")])).toEqual([
    { name: "a", file: `${DIR}/a.toml`, waitsFor: ["b", "c", "d"] },
    { name: "e", file: null, waitsFor: [] },
  ]);
});
